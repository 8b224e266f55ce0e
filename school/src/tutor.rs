//! Questions to the tutor as the school keeps them: asked once for each key, and counted.

use domain::policy::{Action, Actor};
use domain::tutor::{Answer, AnswerSentence};
use domain::{CourseId, ErrorKind};
use store::sql::event::NewEvent;

use crate::unit::{announce, record};
use crate::{Result, School};

/// Use cases of the tutor.
pub struct Tutors<'a> {
    pub(crate) school: &'a School,
}

impl Tutors<'_> {
    /// The answer that this key got already, if it did.
    ///
    /// # Errors
    /// The key was used for another question.
    pub async fn answered(&self, actor: &Actor) -> Result<Option<Answer>> {
        self.school.replayed(actor).await
    }

    /// Adds to an answer about a question of an open quiz the hint that this learner has unlocked.
    ///
    /// # Errors
    /// The database is gone.
    pub async fn hinted(&self, actor: &Actor, mut answer: Answer) -> Result<Answer> {
        let Some(question) = answer.closed else { return Ok(answer) };
        let hint = match self.school.attempt().hint(actor, question).await {
            Ok(hint) => hint.text,
            // Not one's own to take, or not tried yet: the place to begin is the quiz.
            Err(error) if error.kind == ErrorKind::Conflict => {
                "Try it first: hints begin after a wrong answer.".to_owned()
            }
            Err(error) if error.kind == ErrorKind::Internal => return Err(error),
            Err(_) => return Ok(answer),
        };
        answer.answer = format!("{} {hint}", answer.answer);
        answer.sentences.push(AnswerSentence { text: hint, citations: Vec::new() });
        Ok(answer)
    }

    /// Records that a question was answered: the outcome and the counts, not the words.
    ///
    /// # Errors
    /// Refused by policy: rights that ended while the answer was made.
    pub async fn record(&self, actor: &Actor, course: CourseId, answer: Answer) -> Result<Answer> {
        let scope = self.school.scope_for(actor, course, Action::TutorChat).await?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let payload = serde_json::json!({
                        "outcome": answer.outcome,
                        "mode": answer.mode,
                        "citations": answer.citations.len(),
                        "coverage": answer.coverage,
                        "lessons": lessons(&answer),
                        "trial": actor.operator,
                    });
                    let event = NewEvent::new("tutor.answered", scope.institution, course).course(course);
                    announce(tx, actor, event.payload(payload)).await?;
                    if actor.operator {
                        record(tx, actor, scope.institution, "tutor.trial", &format!("course:{course}")).await?;
                    }
                    Ok(answer)
                })
            })
            .await
    }
}

/// The lessons that an answer points at, first ones first.
fn lessons(answer: &Answer) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    for lesson in answer.citations.iter().chain(&answer.nearest).filter_map(|place| place.lesson_id.as_deref()) {
        if !found.contains(&lesson) {
            found.push(lesson);
        }
    }
    found.truncate(3);
    found
}
