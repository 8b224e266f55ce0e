//! A few words. What rules do not know is for a person.

use serde::{Deserialize, Serialize};

use super::asked::Shown;
use super::{Flaw, Kind, Response, Score, plain};

/// Answers that are right, and a reference to judge others by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShortAnswer {
    /// Right to the letter (case, accents and outer punctuation aside).
    pub accepted: Vec<String>,
    /// A full answer, against which others are judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl Kind for ShortAnswer {
    fn flaws(&self, _: &str) -> Vec<Flaw> {
        let nothing = self.accepted.iter().chain(&self.reference).all(|text| plain(text).is_empty());
        if nothing { vec![Flaw::hard("EMPTY_KEY", "no answer is accepted")] } else { Vec::new() }
    }

    /// An accepted answer is right; silence is wrong; anything else may be right in other words.
    fn score(&self, response: &Response) -> Option<Score> {
        let Response::Text { text } = response else { return None };
        let given = plain(text);
        Some(if given.is_empty() {
            Score::all(false)
        } else if self.accepted.iter().any(|accepted| plain(accepted) == given) {
            Score::all(true)
        } else {
            Score::NeedsPerson
        })
    }

    fn shown(&self, _: u64) -> Shown {
        Shown::ShortAnswer
    }

    fn key(&self) -> Vec<String> {
        self.accepted.iter().chain(&self.reference).take(1).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_words_are_for_a_person() {
        let body = ShortAnswer { accepted: vec!["ownership".into()], reference: None };
        let score = |text: &str| body.score(&Response::Text { text: text.into() }).unwrap();
        assert_eq!(score("  Ownership. "), Score::all(true));
        assert_eq!(score("who owns it"), Score::NeedsPerson);
        assert_eq!(score("   "), Score::all(false));
    }
}
