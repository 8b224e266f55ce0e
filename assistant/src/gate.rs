//! The scope gate: whether a question is about this course, by thresholds calibrated on the course.
//!
//! What it reports is coverage, how sure it is that the course speaks of the subject. It does not
//! know whether the first passage is right.

use domain::tutor::Outcome;
use serde::{Deserialize, Serialize};

use crate::logistic::Logistic;
use crate::signals::Signals;

/// Changes whenever signals, samples or fit change; a stored calibration of another is stale.
pub(crate) const VERSION: &str = "gate.v1";

/// How a question is judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "rule")]
pub enum Rule {
    /// Fitted on this course.
    Fitted {
        /// The fit.
        model: Logistic,
    },
    /// Too little to fit on: the first passage's cosine, or the share of words without a model.
    Fixed,
}

/// A course's gate under one embedding model, or under keywords alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calibration {
    /// [`VERSION`] that made it.
    pub version: String,
    /// The embedding model; empty for keywords alone.
    pub embedding_model: String,
    /// The judgement.
    pub rule: Rule,
    /// Below: declined.
    pub declined_below: f64,
    /// From here: answered; between: closest.
    pub answered_from: f64,
    /// Questions of the course that it was fitted on.
    pub positives: usize,
    /// Questions of other subjects that it was fitted on.
    pub negatives: usize,
    /// Share of the course's own that is kept, on held-out folds.
    pub kept: f64,
    /// Share of the others that is declined, on held-out folds.
    pub declined: f64,
}

impl Calibration {
    /// Thresholds for a course with too few headings to learn from.
    #[must_use]
    pub fn fixed(embedding_model: &str) -> Self {
        let (declined_below, answered_from) = if embedding_model.is_empty() { (0.35, 0.6) } else { (0.30, 0.45) };
        Self {
            version: VERSION.into(),
            embedding_model: embedding_model.into(),
            rule: Rule::Fixed,
            declined_below,
            answered_from,
            positives: 0,
            negatives: 0,
            kept: 0.0,
            declined: 0.0,
        }
    }

    /// The outcome for a question and how sure the gate is that the course covers it, 0 to 1.
    #[must_use]
    pub fn decide(&self, signals: &Signals) -> (Outcome, f64) {
        let with_model = !self.embedding_model.is_empty();
        let coverage = match &self.rule {
            Rule::Fitted { model } => model.probability(&signals.row(with_model)),
            Rule::Fixed if with_model => signals.cosine.clamp(0.0, 1.0),
            Rule::Fixed => signals.coverage_best,
        };
        // Nothing found is not in the course, whatever a fit says of zeros.
        let found = signals.cosine > 0.0 || signals.keyword > 0.0;
        let outcome = if !found || coverage < self.declined_below {
            Outcome::Declined
        } else if coverage < self.answered_from {
            Outcome::Closest
        } else {
            Outcome::Answered
        };
        (outcome, coverage)
    }
}
