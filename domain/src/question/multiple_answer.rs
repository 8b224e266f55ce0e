//! Any number of right options.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::asked::{Shown, shuffled};
use super::{Choice, Flaw, Kind, Response, Score, choice_flaws};

/// Options and those that are right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MultipleAnswer {
    /// What can be chosen.
    pub options: Vec<Choice>,
    /// Ids of the right ones.
    pub right: Vec<String>,
}

impl Kind for MultipleAnswer {
    fn flaws(&self, _: &str) -> Vec<Flaw> {
        let mut flaws = choice_flaws(&self.options);
        if self.options.len() < 2 {
            flaws.push(Flaw::hard("TOO_FEW_OPTIONS", "a choice needs at least two options"));
        }
        let known: HashSet<&String> = self.options.iter().map(|option| &option.id).collect();
        if self.right.is_empty() || !self.right.iter().all(|right| known.contains(right)) {
            flaws.push(Flaw::hard("KEY_NOT_AMONG_OPTIONS", "none is right, or a right one is not among the options"));
        }
        flaws
    }

    /// A point for each right option chosen, one taken away for each wrong one, never below nothing:
    /// choosing everything earns nothing that guessing would not.
    fn score(&self, response: &Response) -> Option<Score> {
        let Response::Choices { options } = response else { return None };
        let chosen: HashSet<&String> = options.iter().collect();
        let right: HashSet<&String> = self.right.iter().collect();
        let hits = chosen.intersection(&right).count();
        let misses = chosen.difference(&right).count();
        Some(Score::part(hits.saturating_sub(misses), right.len()))
    }

    fn shown(&self, seed: u64) -> Shown {
        Shown::MultipleAnswer { options: shuffled(&self.options, seed) }
    }

    fn key(&self) -> Vec<String> {
        self.options.iter().filter(|option| self.right.contains(&option.id)).map(|option| option.text.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_ones_take_from_right_ones() {
        let options = ["a", "b", "c", "d"].map(|id| Choice::new(id, format!("option {id}"))).to_vec();
        let body = MultipleAnswer { options, right: vec!["a".into(), "b".into()] };
        let share = |chosen: &[&str]| {
            let options = chosen.iter().map(|id| (*id).to_owned()).collect();
            body.score(&Response::Choices { options }).and_then(Score::fraction).unwrap()
        };
        for (chosen, worth) in [
            (vec!["a", "b"], 1.0),
            (vec!["a"], 0.5),
            (vec!["a", "a"], 0.5),
            (vec!["a", "c"], 0.0),
            (vec!["a", "b", "c"], 0.5),
            (vec!["a", "b", "c", "d"], 0.0),
            (vec![], 0.0),
            (vec!["x"], 0.0),
        ] {
            assert!((share(&chosen) - worth).abs() < 1e-9, "{chosen:?}");
        }
    }
}
