//! Questions kept and declined by the calibrated gate.

use std::time::Instant;

use domain::tutor::Outcome;
use serde::Serialize;

use crate::Result;
use crate::dataset::{Kind, Question};
use crate::run::{Ports, Progress};

/// One question's judgement.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Its id.
    pub id: String,
    /// What was asked.
    pub question: String,
    /// `answerable`, `far` or `near`.
    pub kind: &'static str,
    /// What the gate said.
    pub outcome: Outcome,
    /// How sure it was.
    pub coverage: f64,
    /// Highest cosine of a passage, for comparison.
    pub cosine: f64,
    /// Milliseconds.
    pub milliseconds: f64,
}

impl Sample {
    /// Whether the judgement is the right one: kept, or declined.
    #[must_use]
    pub fn right(&self) -> bool {
        (self.kind == Kind::Answerable.name()) == (self.outcome != Outcome::Declined)
    }
}

/// Judges every question, with the model that answers or by keywords alone.
pub(crate) async fn measure(ports: &Ports, questions: &[Question], progress: Progress<'_>) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for (done, question) in questions.iter().enumerate() {
        progress("scope", done, questions.len());
        let begun = Instant::now();
        let found = ports.assistant.retrieve(&ports.scope, &question.question, 1).await?;
        let gate = ports.assistant.gate(&ports.scope, found.model.as_deref().unwrap_or_default()).await?;
        let (outcome, coverage) = gate.decide(&found.signals);
        samples.push(Sample {
            id: question.id.clone(),
            question: question.question.clone(),
            kind: question.kind.name(),
            outcome,
            coverage,
            cosine: found.signals.cosine,
            milliseconds: begun.elapsed().as_secs_f64() * 1000.0,
        });
    }
    Ok(samples)
}
