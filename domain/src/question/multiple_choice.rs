//! One right option of several.

use serde::{Deserialize, Serialize};

use super::asked::{Shown, shuffled};
use super::{Choice, Flaw, Kind, Response, Score, choice_flaws};

/// Options and the one that is right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultipleChoice {
    /// What can be chosen.
    pub options: Vec<Choice>,
    /// Id of the right option.
    pub right: String,
}

impl Kind for MultipleChoice {
    fn flaws(&self, _: &str) -> Vec<Flaw> {
        let mut flaws = choice_flaws(&self.options);
        if self.options.len() < 2 {
            flaws.push(Flaw::hard("TOO_FEW_OPTIONS", "a choice needs at least two options"));
        }
        if !self.options.iter().any(|option| option.id == self.right) {
            flaws.push(Flaw::hard("KEY_NOT_AMONG_OPTIONS", "the right option is not among the options"));
        }
        flaws
    }

    fn score(&self, response: &Response) -> Option<Score> {
        let Response::Choice { option } = response else { return None };
        Some(Score::all(*option == self.right))
    }

    fn shown(&self, seed: u64) -> Shown {
        Shown::MultipleChoice { options: shuffled(&self.options, seed) }
    }

    fn key(&self) -> Vec<String> {
        self.options.iter().filter(|option| option.id == self.right).map(|option| option.text.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_option_is_right_and_the_key_must_be_there() {
        let mut body = MultipleChoice {
            options: vec![Choice::new("a", "Owner"), Choice::new("b", "Borrower")],
            right: "b".into(),
        };
        assert_eq!(body.flaws(""), vec![]);
        assert_eq!(body.score(&Response::Choice { option: "b".into() }), Some(Score::all(true)));
        assert_eq!(body.score(&Response::Choice { option: "a".into() }), Some(Score::all(false)));
        assert_eq!(body.score(&Response::Truth { value: true }), None);
        body.right = "c".into();
        body.options.push(Choice::new("d", " owner. "));
        let codes: Vec<String> = body.flaws("").into_iter().map(|flaw| flaw.code).collect();
        assert_eq!(codes, ["DUPLICATE_OPTION", "KEY_NOT_AMONG_OPTIONS"]);
    }
}
