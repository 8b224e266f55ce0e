//! Steps to put in order.

use serde::{Deserialize, Serialize};

use super::asked::{Shown, shuffled};
use super::{Choice, Flaw, Kind, Response, Score, choice_flaws};

/// Items in their right order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ordering {
    /// First to last.
    pub items: Vec<Choice>,
}

impl Kind for Ordering {
    fn flaws(&self, _: &str) -> Vec<Flaw> {
        let mut flaws = choice_flaws(&self.items);
        if self.items.len() < 3 {
            flaws.push(Flaw::hard("TOO_FEW_OPTIONS", "an order needs at least three items"));
        }
        flaws
    }

    /// The share of neighbours that follow one another as they should; an answer that leaves items
    /// out, repeats one or names another is worth nothing.
    fn score(&self, response: &Response) -> Option<Score> {
        let Response::Order { items } = response else { return None };
        let place = |id: &String| self.items.iter().position(|item| item.id == *id);
        let Some(places) = items.iter().map(place).collect::<Option<Vec<usize>>>() else {
            return Some(Score::all(false));
        };
        let distinct: std::collections::HashSet<&usize> = places.iter().collect();
        if distinct.len() != self.items.len() || places.len() != self.items.len() {
            return Some(Score::all(false));
        }
        let right = places.windows(2).filter(|pair| matches!(pair, [first, second] if first + 1 == *second)).count();
        Some(Score::part(right, self.items.len().saturating_sub(1)))
    }

    fn shown(&self, seed: u64) -> Shown {
        Shown::Ordering { items: shuffled(&self.items, seed) }
    }

    fn key(&self) -> Vec<String> {
        self.items.iter().map(|item| item.text.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_count_and_a_broken_answer_is_worth_nothing() {
        let body = Ordering { items: ["a", "b", "c", "d"].map(|id| Choice::new(id, format!("step {id}"))).to_vec() };
        let share = |items: &[&str]| {
            let items = items.iter().map(|id| (*id).to_owned()).collect();
            body.score(&Response::Order { items }).and_then(Score::fraction).unwrap()
        };
        assert!((share(&["a", "b", "c", "d"]) - 1.0).abs() < 1e-9);
        assert!((share(&["b", "c", "d", "a"]) - 2.0 / 3.0).abs() < 1e-9);
        for broken in [&["a", "b", "c"][..], &["a", "a", "b", "c"], &["a", "b", "c", "x"], &["d", "c", "b", "a"], &[]] {
            assert!(share(broken).abs() < 1e-9, "{broken:?}");
        }
    }
}
