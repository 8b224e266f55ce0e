//! A statement that holds or does not.

use serde::{Deserialize, Serialize};

use super::asked::Shown;
use super::{Flaw, Kind, Response, Score};

/// Whether the stem holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrueFalse {
    /// Whether it holds.
    pub right: bool,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
}

impl Kind for TrueFalse {
    fn flaws(&self, stem: &str) -> Vec<Flaw> {
        if stem.trim_end().ends_with('?') {
            vec![Flaw::soft("NOT_A_STATEMENT", "a question with a question mark is neither true nor false")]
        } else {
            Vec::new()
        }
    }

    fn score(&self, response: &Response) -> Option<Score> {
        let Response::Truth { value } = response else { return None };
        Some(Score::all(*value == self.right))
    }

    fn shown(&self, _: u64) -> Shown {
        Shown::TrueFalse
    }

    fn key(&self) -> Vec<String> {
        vec![if self.right { "True" } else { "False" }.into()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_holds_or_not() {
        let body = TrueFalse { right: false, rationale: None };
        assert_eq!(body.score(&Response::Truth { value: false }), Some(Score::all(true)));
        assert_eq!(body.score(&Response::Truth { value: true }), Some(Score::all(false)));
        assert_eq!(body.key(), ["False"]);
        assert_eq!(body.flaws("Is it so?").len(), 1);
    }
}
