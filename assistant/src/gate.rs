//! The scope gate: whether a question is about this course, by a threshold calibrated on the course.
//!
//! What it reports is coverage, how sure it is that the course speaks of the subject. It does not
//! know whether the first passage is right.

use domain::tutor::Outcome;
use serde::{Deserialize, Serialize};

use crate::signals::Signals;

/// Changes whenever signals, samples or bounds change; a stored calibration of another is stale.
pub(crate) const VERSION: &str = "gate.v3";
/// What rare words that the best passages lack cost.
const NOVELTY: f64 = 0.10;
/// The same when words are all there is.
const NOVELTY_BY_WORDS: f64 = 0.30;
/// Width of the band of `closest`.
const BAND: f64 = 0.05;
const BAND_BY_WORDS: f64 = 0.25;
/// Bounds of the threshold. The lower keeps the refusal when every negative is far from the course,
/// the upper keeps a course whose subject is itself among the negatives from refusing its own.
const BOUNDS: (f64, f64) = (0.375, 0.400);
const BOUNDS_BY_WORDS: (f64, f64) = (0.15, 0.20);
/// The threshold of a course too small to say.
const FIXED: f64 = 0.385;
const FIXED_BY_WORDS: f64 = 0.18;
/// Share of the negatives that lie below the threshold, within the bounds.
const DECLINED: f64 = 0.90;
/// How steeply coverage rises around the threshold.
const STEEPNESS: f64 = 0.03;

/// A course's gate under one embedding model, or under keywords alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calibration {
    /// Version of the gate that made it.
    pub version: String,
    /// The embedding model; empty for keywords alone.
    pub embedding_model: String,
    /// Below: declined.
    pub declined_below: f64,
    /// From here: answered; between: closest.
    pub answered_from: f64,
    /// Questions of other subjects that it was calibrated on; 0 for a course too small to say.
    pub negatives: usize,
    /// Share of them that it declines.
    pub declined: f64,
}

impl Calibration {
    /// The gate of a course too small to calibrate on.
    #[must_use]
    pub fn fixed(embedding_model: &str) -> Self {
        let (at, band) = if embedding_model.is_empty() { (FIXED_BY_WORDS, BAND_BY_WORDS) } else { (FIXED, BAND) };
        Self {
            version: VERSION.into(),
            embedding_model: embedding_model.into(),
            declined_below: at,
            answered_from: at + band,
            negatives: 0,
            declined: 0.0,
        }
    }

    /// The gate that declines most of the given questions of other subjects.
    #[must_use]
    pub fn on(embedding_model: &str, negatives: &[Signals]) -> Self {
        let fixed = Self::fixed(embedding_model);
        let mut values: Vec<f64> = negatives.iter().map(|signals| fixed.value(signals)).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = if embedding_model.is_empty() { BOUNDS_BY_WORDS } else { BOUNDS };
        let at = quantile(&values, DECLINED).clamp(low, high);
        let declined = values.iter().filter(|value| **value < at).count() as f64 / values.len().max(1) as f64;
        Self {
            declined_below: at,
            answered_from: at + fixed.answered_from - fixed.declined_below,
            negatives: values.len(),
            declined,
            ..fixed
        }
    }

    /// The outcome for a question and how sure the gate is that the course covers it, 0 to 1.
    #[must_use]
    pub fn decide(&self, signals: &Signals) -> (Outcome, f64) {
        let value = self.value(signals);
        let coverage = 1.0 / (1.0 + (-(value - self.declined_below) / STEEPNESS).exp());
        // Nothing found is not in the course, whatever a threshold says of zeros.
        let outcome = if !signals.found || value < self.declined_below {
            Outcome::Declined
        } else if value < self.answered_from {
            Outcome::Closest
        } else {
            Outcome::Answered
        };
        (outcome, if signals.found { coverage } else { 0.0 })
    }

    fn value(&self, signals: &Signals) -> f64 {
        if self.embedding_model.is_empty() {
            signals.coverage - NOVELTY_BY_WORDS * signals.novelty
        } else {
            signals.support - NOVELTY * signals.novelty
        }
    }
}

/// Linear between neighbours, as usual.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * sorted.len().saturating_sub(1) as f64;
    let value = |index: usize| sorted.get(index).copied().unwrap_or_default();
    let below = at.floor() as usize;
    value(below) + (at - at.floor()) * (value((below + 1).min(sorted.len().saturating_sub(1))) - value(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals(support: f64, novelty: f64) -> Signals {
        Signals { support, novelty, found: true, ..Signals::default() }
    }

    #[test]
    fn the_threshold_follows_the_negatives_within_its_bounds() {
        let at = |support: f64| Calibration::on("m", &vec![signals(support, 0.0); 50]).declined_below;
        assert!((at(0.1) - 0.375).abs() < 1e-9 && (at(0.39) - 0.39).abs() < 1e-9 && (at(0.7) - 0.400).abs() < 1e-9);
    }

    #[test]
    fn there_are_three_outcomes_and_foreign_words_lower_them() {
        let gate = Calibration::fixed("m");
        assert_eq!(gate.decide(&signals(0.50, 0.0)).0, Outcome::Answered);
        assert_eq!(gate.decide(&signals(0.50, 0.8)).0, Outcome::Closest);
        assert_eq!(gate.decide(&signals(0.50, 1.5)).0, Outcome::Declined);
        assert_eq!(gate.decide(&Signals { support: 0.9, ..Signals::default() }).0, Outcome::Declined);
    }
}
