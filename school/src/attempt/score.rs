//! What an attempt is worth: marked by rules where they can tell, handed to a person where not.

use domain::assessment::{Assessment, Attempt, Item};
use domain::policy::Actor;
use domain::question::{Response, Score};
use domain::submission::Submission;
use domain::{Micros, SubmissionId};
use serde_json::json;
use store::Tx;
use store::sql::attempt::Saved;
use store::sql::event::NewEvent;
use store::sql::{self};

use super::{Feedback, Outcome, over};
use crate::unit::{announce, record};

/// Scores and ends an attempt, with its events; a preview is scored and tells nobody.
pub(super) async fn submit(
    tx: &mut Tx,
    actor: &Actor,
    quiz: &Assessment,
    mut attempt: Attempt,
    now: Micros,
) -> store::Result<Attempt> {
    let saved = sql::attempt::responses(tx, quiz.institution_id, attempt.id).await?;
    let mut score = 0.0;
    for item in &quiz.items {
        let Some(question) = sql::question::get(tx, quiz.institution_id, item.question).await? else { continue };
        let answer = saved.iter().find(|saved| saved.question_id == item.question);
        let worth = match answer {
            Some(saved) => question.draft.body.score(&saved.response)?,
            None => Score::all(false),
        };
        let fraction = worth.fraction();
        if answer.is_some() {
            sql::attempt::mark(tx, quiz.institution_id, attempt.id, item.question, fraction).await?;
        }
        match (fraction, answer) {
            (Some(fraction), _) => score += fraction * item.points,
            (None, Some(Saved { response: Response::Text { text }, question_version, .. })) if !attempt.preview => {
                attempt.needs_person = true;
                hand_in(tx, actor, &attempt, item, *question_version, text, now).await?;
            }
            (None, _) => attempt.needs_person = true,
        }
        if !attempt.preview {
            if answer.is_some() && fraction.is_some_and(|fraction| fraction < 1.0) {
                sql::attempt::count_wrong(tx, quiz.institution_id, attempt.user_id, item.question).await?;
            }
            let payload = json!({
                "questionId": item.question,
                "lessonId": question.draft.lesson,
                "attemptId": attempt.id,
                "fraction": fraction,
                "correct": fraction.map(|fraction| fraction >= 1.0),
            });
            let mut event = NewEvent::new("quiz.answered", quiz.institution_id, attempt.id).course(attempt.course_id);
            event.user_id = Some(attempt.user_id);
            announce(tx, actor, event.payload(payload)).await?;
        }
    }
    attempt.state = "submitted".into();
    attempt.submitted_at = Some(attempt.deadline.map_or(now, |deadline| deadline.min(now)));
    attempt.most = Some(quiz.most());
    attempt.score = Some(score.clamp(0.0, quiz.most()));
    if !sql::attempt::submit(tx, &attempt).await? {
        return Err(over(&attempt).into());
    }
    let names: &[&str] = match (attempt.preview, attempt.needs_person) {
        (true, _) => &[],
        (false, true) => &["assessment.submitted"],
        (false, false) => &["assessment.submitted", "assessment.completed"],
    };
    for name in names {
        let payload = json!({ "assessmentId": quiz.id, "score": attempt.score, "most": attempt.most });
        let event = NewEvent::new(name, quiz.institution_id, attempt.id).course(attempt.course_id);
        announce(tx, actor, event.payload(payload)).await?;
    }
    let subject = format!("attempt:{}", attempt.id);
    record(tx, actor, quiz.institution_id, "attempt.submit", &subject).await?;
    Ok(attempt)
}

/// How much of a submitted attempt is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Marks,
    All,
}

pub(super) async fn outcome(tx: &mut Tx, quiz: &Assessment, attempt: Attempt, told: Told) -> store::Result<Outcome> {
    if told == Told::Nothing {
        let attempt = Attempt { score: None, most: None, ..attempt };
        return Ok(Outcome { attempt, released: false, feedback: Vec::new() });
    }
    let keys = told == Told::All;
    let saved = sql::attempt::responses(tx, quiz.institution_id, attempt.id).await?;
    let mut feedback = Vec::with_capacity(quiz.items.len());
    for item in &quiz.items {
        let Some(question) = sql::question::get(tx, quiz.institution_id, item.question).await? else { continue };
        let answer = saved.iter().find(|saved| saved.question_id == item.question);
        feedback.push(Feedback {
            question: item.question,
            stem: question.draft.stem.clone(),
            response: answer.map(|saved| saved.response.clone()),
            fraction: answer.map_or(Some(0.0), |saved| saved.fraction),
            points: item.points,
            key: if keys { question.draft.body.key() } else { Vec::new() },
            rationales: if keys { question.draft.body.rationales() } else { Vec::new() },
            source: question.draft.source.filter(|_| keys),
        });
    }
    Ok(Outcome { attempt, released: true, feedback })
}

/// Hands a text to a person.
async fn hand_in(
    tx: &mut Tx,
    actor: &Actor,
    attempt: &Attempt,
    item: &Item,
    question_version: i64,
    text: &str,
    now: Micros,
) -> store::Result<()> {
    let submission = Submission {
        id: SubmissionId::fresh(),
        institution_id: attempt.institution_id,
        course_id: attempt.course_id,
        question_id: item.question,
        question_version,
        attempt_id: attempt.id,
        user_id: attempt.user_id,
        text: text.to_owned(),
        most: item.points,
        submitted_at: now,
        state: domain::submission::State::Waiting,
    };
    sql::submission::insert(tx, &submission).await?;
    let payload = json!({ "attemptId": attempt.id, "questionId": item.question, "most": item.points });
    let mut event =
        NewEvent::new("submission.created", attempt.institution_id, submission.id).course(attempt.course_id);
    event.user_id = Some(attempt.user_id);
    announce(tx, actor, event.payload(payload)).await
}
