//! Weights for answers to a question that nobody graded yet.
//!
//! Fitted by `lyceum eval run --suite grading --data DIR` on the training half of SemEval-2013 task 7 (`SciEntsBank` and
//! Beetle together, 8,910 answers to 182 questions, correct or not; CC BY-SA 3.0): logistic regression with a ridge of
//! 0.3, each answer beside the reference that suits it best. The first number is the bias; the others belong to the
//! names in `features.rs`. How well they do on questions that took no part: `models/cards/short-answer-grading.md`.

use super::Origin;

/// With vectors.
pub const EMBEDDING: [f64; 18] = [
    -3.095, // bias
    -0.543, // recall of what was asked for
    1.147,  // words in the same order
    0.156,  // meaning by sentence
    1.860,  // recall by meaning
    0.871,  // precision by meaning
    1.922,  // recall by meaning, by sentence
    0.263,  // precision by meaning, numbers
    1.841,  // precision by meaning, length
    -1.782, // overlap, negated differently
    -1.360, // asked for, turned
    -1.477, // opposite
    2.485,  // opposite, negated differently
    0.521,  // negated
    -0.639, // missing
    0.635,  // letters
    -1.296, // brevity
    -1.591, // further references
];
/// By words alone.
pub const WORDS: [f64; 15] = [
    -1.158, // bias
    0.853,  // recall of what was asked for
    0.957,  // words in the same order
    1.118,  // precision
    -0.202, // overlap
    -1.371, // overlap, negated differently
    1.390,  // overlap, length
    1.776,  // letters
    -1.404, // asked for, turned
    -0.794, // opposite
    0.462,  // negated
    0.070,  // numbers
    -0.923, // missing
    -2.641, // brevity
    -1.741, // further references
];

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
