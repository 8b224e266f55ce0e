//! Appeals: a learner names what is wrong with a released grade, a person answers.

use domain::appeal::{Appeal, DUE_MICROS, Outcome};
use domain::policy::{Action, Actor};
use domain::{AppealId, CourseId, Error, ErrorKind, SubmissionId};
use serde_json::json;
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::institution::Owned;
use store::sql::{self};

use crate::course::check_text;
use crate::submission::readable;
use crate::unit::{announce, record};
use crate::{Result, School, access};

/// Nothing is released yet, or an appeal is open already.
pub const NOT_APPEALABLE: &str = "NOT_APPEALABLE";
/// The appeal was answered.
pub const ANSWERED: &str = "APPEAL_ANSWERED";

/// Use cases of appeals.
pub struct Appeals<'a> {
    pub(crate) school: &'a School,
}

impl Appeals<'_> {
    /// Appeals against the released grade of one's own submission, as a whole or for one criterion.
    ///
    /// # Errors
    /// Not found, nothing is released, an appeal is open, or a criterion that the grade does not have.
    pub async fn open(
        &self,
        actor: &Actor,
        id: SubmissionId,
        criterion: Option<String>,
        text: String,
    ) -> Result<Appeal> {
        check_text("text", &text, 1, 4_000)?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (submission, _, _) = readable(tx, actor, Action::AppealFile, id).await?;
                    let user = actor.user_id.ok_or_else(access::log_in)?;
                    if user != submission.user_id {
                        return Err(Error::new(ErrorKind::Forbidden, "only the learner appeals").into());
                    }
                    let refuse =
                        |message: &str| Error::new(ErrorKind::Conflict, message.to_owned()).with_code(NOT_APPEALABLE);
                    let history = sql::grade::history(tx, submission.institution_id, id).await?;
                    let released = history.iter().rev().find(|grade| grade.released.is_some());
                    let grade = released.ok_or_else(|| refuse("no grade is released yet"))?;
                    if let Some(name) = &criterion
                        && !grade.marks.iter().any(|mark| mark.criterion == *name)
                    {
                        let message = format!("the grade has no criterion \"{name}\"");
                        return Err(Error::invalid("criterion", "NOT_FOUND", message).into());
                    }
                    let now = tx.now().await?;
                    let appeal = Appeal {
                        id: AppealId::fresh(),
                        institution_id: submission.institution_id,
                        course_id: submission.course_id,
                        submission_id: id,
                        grade_id: grade.id,
                        criterion,
                        user_id: user,
                        text,
                        outcome: Outcome::Open,
                        answer: None,
                        created_at: now,
                        due_at: now.saturating_add(DUE_MICROS),
                        answered_at: None,
                    };
                    if !sql::appeal::insert(tx, &appeal).await? {
                        return Err(refuse("an appeal against this grade is open already").into());
                    }
                    tell(tx, actor, "appeal.opened", &appeal).await?;
                    Ok(appeal)
                })
            })
            .await
    }

    /// Answers an appeal. Whether the points changed is read from the grades: set and release a new one first
    /// where the learner is right.
    ///
    /// # Errors
    /// Not found, forbidden, or answered already.
    pub async fn answer(&self, actor: &Actor, id: AppealId, text: String) -> Result<Appeal> {
        check_text("text", &text, 1, 4_000)?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("appeal", id) };
                    let institution = sql::institution::of(tx, Owned::Appeal(id)).await?.ok_or_else(missing)?;
                    let mut appeal = sql::appeal::get(tx, institution, id).await?.ok_or_else(missing)?;
                    let (submission, course) = crate::submission::find(tx, actor, appeal.submission_id).await?;
                    let target = crate::submission::subject(&submission, &course);
                    access::seen(actor, Action::GradeRelease, &target, Action::SubmissionRead, missing)?;
                    let Some(person) = actor.user_id else {
                        let message = "an appeal is answered by a person of the course; name one with --as";
                        return Err(Error::invalid("as", "REQUIRED", message).into());
                    };
                    let history = sql::grade::history(tx, institution, submission.id).await?;
                    let appealed = history.iter().find(|grade| grade.id == appeal.grade_id);
                    let released = history.iter().rev().find(|grade| grade.released.is_some());
                    let changed = match (appealed, released) {
                        (Some(then), Some(now)) => (then.points - now.points).abs() > 1e-9,
                        _ => false,
                    };
                    appeal.outcome = if changed { Outcome::Changed } else { Outcome::Upheld };
                    appeal.answer = Some(text);
                    appeal.answered_at = Some(tx.now().await?);
                    if !sql::appeal::answer(tx, &appeal, person).await? {
                        let message = "this appeal was answered already";
                        return Err(Error::new(ErrorKind::Conflict, message).with_code(ANSWERED).into());
                    }
                    tell(tx, actor, "appeal.answered", &appeal).await?;
                    Ok(appeal)
                })
            })
            .await
    }

    /// The appeals of a course, those due first at the top.
    ///
    /// # Errors
    /// Not found when the caller may not know of the course, forbidden when not of its drafts.
    pub async fn list(&self, actor: &Actor, course: CourseId, outcome: Option<Outcome>) -> Result<Vec<Appeal>> {
        let acting = actor.clone();
        let (found, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, &acting, Action::GradeDraftRead, course).await?;
                    let allowed = access::known(&acting, Action::GradeDraftRead, &crate::course::subject(&course))?;
                    let found = sql::appeal::list(tx, course.institution_id, course.id, outcome).await?;
                    Ok((found, course.institution_id, allowed.audited))
                })
            })
            .await?;
        let subject = format!("course:{course}");
        self.school.note_access(actor, audited, institution, Action::GradeDraftRead, subject).await?;
        Ok(found)
    }
}

async fn tell(tx: &mut Tx, actor: &Actor, name: &'static str, appeal: &Appeal) -> store::Result<()> {
    let payload = json!({ "submissionId": appeal.submission_id, "outcome": appeal.outcome.as_str() });
    let event = NewEvent::new(name, appeal.institution_id, appeal.id).course(appeal.course_id);
    announce(tx, actor, event.payload(payload)).await?;
    let subject = format!("submission:{}", appeal.submission_id);
    record(tx, actor, appeal.institution_id, name, &subject).await
}
