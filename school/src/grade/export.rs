//! Released grades as lines, for the learner and for those who keep records.

use domain::policy::{Action, Actor, Subject};
use domain::{CourseId, Error, Micros, SubmissionId};
use serde::Serialize;
use store::sql::submission::Wanted;
use store::sql::{self};

use super::Grades;
use crate::{Result, access};

/// A released grade.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// Which submission.
    pub submission: SubmissionId,
    /// Login name of the learner.
    pub username: String,
    /// What was asked.
    pub stem: String,
    /// Points given.
    pub points: f64,
    /// Points of a full answer.
    pub most: f64,
    /// How often it was graded.
    pub version: i64,
    /// When it was released.
    pub released_at: Micros,
}

impl Grades<'_> {
    /// The released grades of a course: everybody's, or one's own.
    ///
    /// # Errors
    /// Not found when the caller may not know of the course, forbidden when it may take none out.
    pub async fn export(&self, actor: &Actor, course: CourseId) -> Result<Vec<Line>> {
        let acting = actor.clone();
        let (lines, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let missing = || Error::not_found("course", course);
                    let found = crate::course::find(tx, course).await?;
                    let Some(course) = found else {
                        return Err(if acting.is_guest() { access::log_in() } else { missing() }.into());
                    };
                    let mut wanted = Wanted { limit: i64::MAX, ..Wanted::default() };
                    let everybody = crate::course::subject(&course);
                    let audited = match access::known(&acting, Action::GradeExport, &everybody) {
                        Ok(allowed) => allowed.audited,
                        Err(_) => {
                            wanted.user = acting.user_id;
                            let own = Subject { user: acting.user_id, ..crate::course::card(&acting, &course) };
                            let see = crate::course::see(&course);
                            access::seen(&acting, Action::GradeExport, &own, see, missing)?;
                            access::hidden(&acting, see, &own, missing)?;
                            false
                        }
                    };
                    let institution = course.institution_id;
                    let mut lines = Vec::new();
                    for one in sql::submission::list(tx, institution, course.id, &wanted).await? {
                        let history = sql::grade::history(tx, institution, one.id).await?;
                        let last = history.into_iter().rev().find(|grade| grade.released.is_some());
                        let Some((grade, released)) = last.and_then(|grade| Some((grade.clone(), grade.released?)))
                        else {
                            continue;
                        };
                        let user = sql::user::get(tx, institution, one.user_id).await?;
                        lines.push(Line {
                            submission: one.id,
                            username: user.map(|user| user.username).unwrap_or_default(),
                            stem: crate::submission::question(tx, &one).await?.draft.stem,
                            points: grade.points,
                            most: grade.most,
                            version: grade.version,
                            released_at: released.1,
                        });
                    }
                    Ok((lines, institution, audited))
                })
            })
            .await?;
        let subject = format!("course:{course}");
        self.school.note_access(actor, audited, institution, Action::GradeExport, subject).await?;
        Ok(lines)
    }
}
