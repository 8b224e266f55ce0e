//! A longer text, judged by a person.

use serde::{Deserialize, Serialize};

use super::asked::Shown;
use super::{Flaw, Kind, Response, Score};

/// What is wanted of an essay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Essay {
    /// At least so many words, when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_words: Option<u32>,
    /// A model answer for the person who judges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl Kind for Essay {
    fn flaws(&self, _: &str) -> Vec<Flaw> {
        Vec::new()
    }

    /// Silence is worth nothing; everything else is for a person.
    fn score(&self, response: &Response) -> Option<Score> {
        let Response::Text { text } = response else { return None };
        Some(if text.trim().is_empty() { Score::all(false) } else { Score::NeedsPerson })
    }

    fn shown(&self, _: u64) -> Shown {
        Shown::Essay { least_words: self.least_words }
    }

    fn key(&self) -> Vec<String> {
        self.reference.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_essay_is_judged_by_a_person() {
        let body = Essay::default();
        assert_eq!(body.score(&Response::Text { text: "Because.".into() }), Some(Score::NeedsPerson));
        assert_eq!(body.score(&Response::Text { text: " \n".into() }), Some(Score::all(false)));
    }
}
