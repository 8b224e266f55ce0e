//! Grades: what is proposed, what a person set, and what a learner may see of it.
//!
//! A proposal is never a grade. A person sets a [`Grade`], a person releases it, and a later one
//! never replaces an earlier one: the history only grows.

use serde::{Deserialize, Serialize};

/// Why a person should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flag {
    /// Reads like an order to a model.
    Instruction,
    /// Holds characters that show nothing.
    HiddenText,
    /// Says little beyond the question.
    CopiedQuestion,
    /// Gives the reference word for word.
    CopiedReference,
    /// Key words without a sentence.
    KeywordList,
    /// Says "not" where the reference does not, or the other way round.
    Negation,
    /// Has other numbers than the reference.
    Numbers,
    /// Nothing to judge.
    Empty,
    /// Weak, unsure, or flagged for another reason.
    NeedsLook,
    /// Two ways of judging disagree.
    Disagreement,
    /// A quote or a level of the model's reply did not hold and was dropped.
    Unsupported,
}

/// A span of a text: byte offsets whose bytes equal the quote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The bytes between.
    pub quote: String,
}

impl Evidence {
    /// Whether the quote is what stands there.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        !self.quote.is_empty() && text.get(self.start..self.end) == Some(self.quote.as_str())
    }
}
