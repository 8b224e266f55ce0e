//! A text with blanks to fill.

use serde::{Deserialize, Serialize};

use super::asked::Shown;
use super::{Flaw, Kind, Response, Score, plain};

/// Text around blanks, and what each blank accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cloze {
    /// Text around the blanks: one more than there are blanks.
    pub parts: Vec<String>,
    /// What each blank accepts; the first is the model answer.
    pub blanks: Vec<Vec<String>>,
    /// Words offered to fill in, when the learner need not recall them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

impl Kind for Cloze {
    fn flaws(&self, _: &str) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if self.blanks.is_empty() || self.parts.len() != self.blanks.len() + 1 {
            flaws.push(Flaw::hard("BAD_BLANKS", "a text with blanks has one more part than blanks, and a blank"));
        }
        if self.blanks.iter().any(|accepted| !accepted.iter().any(|text| !plain(text).is_empty())) {
            flaws.push(Flaw::hard("EMPTY_KEY", "a blank accepts nothing"));
        }
        let shown = plain(&self.parts.join(" "));
        let words: Vec<&str> = shown.split(' ').collect();
        if self.blanks.iter().flatten().any(|text| words.contains(&plain(text).as_str())) {
            flaws.push(Flaw::soft("KEY_IN_TEXT", "what belongs into a blank stands elsewhere in the text"));
        }
        flaws
    }

    fn score(&self, response: &Response) -> Option<Score> {
        let Response::Blanks { texts } = response else { return None };
        let filled = self.blanks.iter().zip(texts);
        let right = filled.filter(|(accepted, text)| accepted.iter().any(|one| plain(one) == plain(text))).count();
        Some(Score::part(right, self.blanks.len()))
    }

    fn shown(&self, _: u64) -> Shown {
        Shown::Cloze { parts: self.parts.clone() }
    }

    fn key(&self) -> Vec<String> {
        self.blanks.iter().filter_map(|accepted| accepted.first().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_blank_counts_and_spelling_is_forgiven_where_it_says_nothing() {
        let body = Cloze {
            parts: vec!["A ".into(), " has one ".into(), ".".into()],
            blanks: vec![vec!["value".into()], vec!["owner".into(), "Besitzer".into()]],
            options: vec![],
        };
        assert_eq!(body.flaws("Fill in"), vec![]);
        let share = |texts: &[&str]| {
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            body.score(&Response::Blanks { texts }).and_then(Score::fraction).unwrap()
        };
        assert!((share(&[" Value ", "OWNER."]) - 1.0).abs() < 1e-9);
        assert!((share(&["value", "lender"]) - 0.5).abs() < 1e-9);
        assert!((share(&["value"]) - 0.5).abs() < 1e-9);
        assert!(share(&[]).abs() < 1e-9);
        assert_eq!(body.key(), ["value", "owner"]);
    }
}
