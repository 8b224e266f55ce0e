//! Pairs to find.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::asked::{Item, Shown, shuffled};
use super::{Choice, Flaw, Kind, Response, Score, choice_flaws};

/// Two columns and the pairs between them; the right column may hold some that belong to none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matching {
    /// What gets a partner.
    pub left: Vec<Choice>,
    /// Possible partners.
    pub right: Vec<Choice>,
    /// Left id and right id.
    pub pairs: Vec<(String, String)>,
}

impl Kind for Matching {
    fn flaws(&self, _: &str) -> Vec<Flaw> {
        let mut flaws = choice_flaws(&self.left);
        flaws.extend(choice_flaws(&self.right));
        if self.left.len() < 2 {
            flaws.push(Flaw::hard("TOO_FEW_OPTIONS", "a matching needs at least two pairs"));
        }
        let paired: HashMap<&str, &str> =
            self.pairs.iter().map(|(left, right)| (left.as_str(), right.as_str())).collect();
        let partners: HashSet<&str> = self.right.iter().map(|right| right.id.as_str()).collect();
        let whole = self.left.iter().all(|left| paired.get(left.id.as_str()).is_some_and(|id| partners.contains(id)));
        if !whole || self.pairs.len() != self.left.len() {
            flaws.push(Flaw::hard("KEY_NOT_AMONG_OPTIONS", "each left needs exactly one partner that is there"));
        }
        flaws
    }

    fn score(&self, response: &Response) -> Option<Score> {
        let Response::Pairs { pairs } = response else { return None };
        // Of several partners given to one, the last counts: giving all of them must not help.
        let given: HashMap<&str, &str> = pairs.iter().map(|(left, right)| (left.as_str(), right.as_str())).collect();
        let right = self.pairs.iter().filter(|(left, right)| given.get(left.as_str()) == Some(&right.as_str())).count();
        Some(Score::part(right, self.pairs.len()))
    }

    fn shown(&self, seed: u64) -> Shown {
        Shown::Matching { left: self.left.iter().map(Item::from).collect(), right: shuffled(&self.right, seed) }
    }

    fn key(&self) -> Vec<String> {
        let text = |of: &[Choice], id: &str| of.iter().find(|one| one.id == id).map(|one| one.text.clone());
        let pair = |(left, right): &(String, String)| {
            Some(format!("{} = {}", text(&self.left, left)?, text(&self.right, right)?))
        };
        self.pairs.iter().filter_map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_counts_and_giving_all_partners_helps_nobody() {
        let body = Matching {
            left: vec![Choice::new("l1", "stack"), Choice::new("l2", "heap")],
            right: vec![
                Choice::new("r1", "last in, first out"),
                Choice::new("r2", "any order"),
                Choice::new("r3", "never"),
            ],
            pairs: vec![("l1".into(), "r1".into()), ("l2".into(), "r2".into())],
        };
        assert_eq!(body.flaws(""), vec![]);
        let share = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(left, right)| ((*left).to_owned(), (*right).to_owned())).collect();
            body.score(&Response::Pairs { pairs }).and_then(Score::fraction).unwrap()
        };
        assert!((share(&[("l1", "r1"), ("l2", "r2")]) - 1.0).abs() < 1e-9);
        assert!((share(&[("l1", "r1"), ("l2", "r3")]) - 0.5).abs() < 1e-9);
        assert!((share(&[("l1", "r1"), ("l1", "r2"), ("l1", "r3")])).abs() < 1e-9);
        assert_eq!(body.key(), ["stack = last in, first out", "heap = any order"]);
    }
}
