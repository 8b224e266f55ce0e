//! Releasing a grade: a person's act, and what it changes for the learner.

use domain::grade::Grade;
use domain::policy::{Action, Actor};
use domain::submission::{State, Submission};
use domain::{Error, ErrorKind, SubmissionId};
use serde_json::json;
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::submission::Wanted;
use store::sql::{self};

use super::{Grades, NOT_RELEASABLE, a_person, tell};
use crate::Result;
use crate::submission::{question, readable};
use crate::unit::{announce, record};

/// From which share on an answer counts as right for what is learned.
const RIGHT: f64 = 0.75;

impl Grades<'_> {
    /// Releases the current grade to its learner; again answers the same. The database itself refuses whoever
    /// is not an active instructor of the course.
    ///
    /// # Errors
    /// Not found, forbidden, nobody graded yet, or it is one's own.
    pub async fn release(&self, actor: &Actor, id: SubmissionId) -> Result<Grade> {
        let person = a_person(actor)?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (submission, _, _) = readable(tx, actor, Action::GradeRelease, id).await?;
                    let refuse =
                        |message: &str| Error::new(ErrorKind::Conflict, message.to_owned()).with_code(NOT_RELEASABLE);
                    if submission.user_id == person {
                        return Err(refuse("nobody releases a grade of their own").into());
                    }
                    let institution = submission.institution_id;
                    let mut history = sql::grade::history(tx, institution, id).await?;
                    let mut grade = history.pop().ok_or_else(|| refuse("nobody graded this yet; set a grade first"))?;
                    if grade.released.is_some() {
                        return Ok(grade);
                    }
                    sql::grade::release(tx, institution, grade.id, person).await?;
                    grade.released = Some((person, tx.now().await?));
                    let first = !history.iter().any(|earlier| earlier.released.is_some());
                    count(tx, actor, &submission, &grade, first).await?;
                    let payload = json!({
                        "gradeId": grade.id,
                        "attemptId": submission.attempt_id,
                        "questionId": submission.question_id,
                        "points": grade.points,
                        "most": grade.most,
                    });
                    tell(tx, actor, "grade.released", &submission, payload).await?;
                    record(tx, actor, institution, "grade.release", &format!("submission:{id}")).await?;
                    Ok(grade)
                })
            })
            .await
    }
}

/// Brings the released points into the attempt's score and, the first time, into what the learner knows.
async fn count(tx: &mut Tx, actor: &Actor, submission: &Submission, grade: &Grade, first: bool) -> store::Result<()> {
    let (institution, attempt_id) = (submission.institution_id, submission.attempt_id);
    let fraction = Some(grade.share);
    sql::attempt::mark(tx, institution, attempt_id, submission.question_id, fraction).await?;
    let missing = || Error::not_found("attempt", attempt_id);
    let attempt = sql::attempt::get(tx, institution, attempt_id).await?.ok_or_else(missing)?;
    let quiz = sql::assessment::get(tx, institution, attempt.assessment_id).await?.ok_or_else(missing)?;
    let saved = sql::attempt::responses(tx, institution, attempt_id).await?;
    let worth = |item: &domain::assessment::Item| {
        let answer = saved.iter().find(|saved| saved.question_id == item.question);
        answer.and_then(|saved| saved.fraction).unwrap_or(0.0) * item.points
    };
    let score = quiz.items.iter().map(worth).sum::<f64>().clamp(0.0, quiz.most());
    let wanted = Wanted { attempt: Some(attempt_id), limit: 1_000, ..Wanted::default() };
    let all = sql::submission::list(tx, institution, submission.course_id, &wanted).await?;
    let waits = all.iter().any(|one| one.state != State::Released);
    sql::attempt::rescore(tx, institution, attempt_id, score, waits).await?;
    if first {
        if grade.share < 1.0 {
            sql::attempt::count_wrong(tx, institution, submission.user_id, submission.question_id).await?;
        }
        let payload = json!({
            "questionId": submission.question_id,
            "lessonId": question(tx, submission).await?.draft.lesson,
            "attemptId": attempt_id,
            "fraction": grade.share,
            "correct": grade.share >= RIGHT,
        });
        let mut event = NewEvent::new("quiz.answered", institution, attempt_id).course(submission.course_id);
        event.user_id = Some(submission.user_id);
        announce(tx, actor, event.payload(payload)).await?;
    }
    if attempt.needs_person && !waits {
        let payload = json!({ "assessmentId": quiz.id, "score": score, "most": quiz.most() });
        let mut event = NewEvent::new("assessment.completed", institution, attempt_id).course(submission.course_id);
        event.user_id = Some(submission.user_id);
        announce(tx, actor, event.payload(payload)).await?;
    }
    Ok(())
}
