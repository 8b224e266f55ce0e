//! Regrading by a newer rubric: what people judged is counted anew, what they did not judge is left to them.

use domain::grade::{Grade, Mark};
use domain::policy::{Action, Actor};
use domain::rubric::Rubric;
use domain::{QuestionId, SubmissionId};
use serde::{Deserialize, Serialize};
use store::sql::{self};

use super::{Grades, a_person, add, build, course_of};
use crate::Result;

/// What a regrade changes for one submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Regraded {
    /// Which submission.
    pub submission: SubmissionId,
    /// The rubric's version of the current grade.
    pub from: i64,
    /// Points of the current grade.
    pub before: f64,
    /// Points by the newest rubric; nothing where a person has to judge again.
    pub after: Option<f64>,
    /// Points of a full answer.
    pub most: f64,
    /// Criteria that a person has to judge again.
    pub open: Vec<String>,
}

impl Grades<'_> {
    /// Counts every graded submission to a question by its newest rubric: the levels that people gave stay where
    /// criterion and level are still there. With `dry_run` nothing is written; else each changed one gets a next
    /// grade, to be released by a person.
    ///
    /// # Errors
    /// Not found, or forbidden.
    pub async fn regrade(&self, actor: &Actor, id: QuestionId, dry_run: bool) -> Result<Vec<Regraded>> {
        if dry_run {
            let acting = actor.clone();
            return self
                .school
                .read(move |tx| {
                    Box::pin(async move {
                        let (question, course, _) = course_of(tx, &acting, Action::GradeSet, id).await?;
                        let rubric = crate::rubric::current(tx, &course, &question).await?;
                        let graded = sql::grade::graded(tx, course.institution_id, id, i64::MAX).await?;
                        Ok(graded.iter().map(|one| regraded(&rubric, &one.grade).0).collect())
                    })
                })
                .await;
        }
        let person = a_person(actor)?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (question, course, _) = course_of(tx, actor, Action::GradeSet, id).await?;
                    let rubric = crate::rubric::current(tx, &course, &question).await?;
                    let mut all = Vec::new();
                    for one in sql::grade::graded(tx, course.institution_id, id, i64::MAX).await? {
                        let (line, marks) = regraded(&rubric, &one.grade);
                        if let Some(marks) = marks.filter(|_| one.grade.rubric_version != rubric.version) {
                            let found = sql::submission::get(tx, course.institution_id, one.submission).await?;
                            let Some(submission) = found else { continue };
                            let now = tx.now().await?;
                            let grade =
                                build(&rubric, &submission, std::slice::from_ref(&one.grade), marks, person, now)?;
                            let reason = format!("counted anew by version {} of the rubric", rubric.version);
                            let grade = Grade { comment: one.grade.comment.clone(), reason: Some(reason), ..grade };
                            add(tx, actor, &submission, &grade, None).await?;
                        }
                        all.push(line);
                    }
                    Ok(all)
                })
            })
            .await
    }
}

/// What the newest rubric makes of a grade, and its marks where nothing is open.
fn regraded(rubric: &Rubric, grade: &Grade) -> (Regraded, Option<Vec<Mark>>) {
    let mut open = Vec::new();
    let mut marks = Vec::new();
    for criterion in &rubric.criteria {
        let old = grade.marks.iter().find(|mark| mark.criterion == criterion.id);
        match old.and_then(|mark| Some((mark, criterion.level(&mark.level)?))) {
            Some((mark, level)) => marks.push(Mark { share: level.share, ..mark.clone() }),
            None => open.push(criterion.id.clone()),
        }
    }
    let shares: Vec<(String, f64)> = marks.iter().map(|mark| (mark.criterion.clone(), mark.share)).collect();
    let share = if open.is_empty() { rubric.share(&shares) } else { None };
    let line = Regraded {
        submission: grade.submission_id,
        from: grade.rubric_version,
        before: grade.points,
        after: share.map(|share| domain::grade::points(share, grade.most)),
        most: grade.most,
        open,
    };
    (line, share.map(|_| marks))
}
