//! When a question is due again: FSRS-6 with its published parameters, by the reference crate.
//!
//! Nothing is kept beside the permanent log: the memory of a question is folded from its answers.

use domain::Micros;
use fsrs::{DEFAULT_PARAMETERS, FSRS, MemoryState, current_retrievability};
use serde::Serialize;

/// Recall that an interval aims at.
pub const RETENTION: f32 = 0.9;
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// How an answer went, as FSRS counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rating {
    /// Wrong.
    Again = 1,
    /// Right, with effort.
    Hard = 2,
    /// Right.
    Good = 3,
    /// Right, without effort.
    Easy = 4,
}

impl Rating {
    /// The rating of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "again" => Some(Self::Again),
            "hard" => Some(Self::Hard),
            "good" => Some(Self::Good),
            "easy" => Some(Self::Easy),
            _ => None,
        }
    }

    /// The rating of a number of the log; what was answered says no more than right or wrong unless it is given.
    #[must_use]
    pub fn of(correct: bool, rating: Option<u64>) -> Self {
        match (correct, rating) {
            (false, _) => Self::Again,
            (true, Some(2)) => Self::Hard,
            (true, Some(4)) => Self::Easy,
            (true, _) => Self::Good,
        }
    }
}

/// What is remembered of one question.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Days until recall falls to 90 %.
    pub stability: f32,
    /// 1 easy to 10 hard.
    pub difficulty: f32,
    /// When it was last answered.
    pub answered_at: Micros,
    /// When it is due again.
    pub due_at: Micros,
    /// Times that it was answered.
    pub answers: usize,
    /// Times that it was answered wrong.
    pub lapses: usize,
}

impl Memory {
    /// Probability of recall now.
    #[must_use]
    pub fn recall(&self, now: Micros) -> f64 {
        let state = MemoryState { stability: self.stability, difficulty: self.difficulty };
        let days = (now - self.answered_at).max(0) as f32 / DAY as f32;
        let decay = DEFAULT_PARAMETERS.get(20).copied().unwrap_or(fsrs::FSRS6_DEFAULT_DECAY);
        f64::from(current_retrievability(state, days, decay))
    }
}

/// Folds the answers to one question, oldest first; `None` before the first.
#[must_use]
pub fn memory(answers: impl IntoIterator<Item = (Micros, Rating)>) -> Option<Memory> {
    let model = FSRS::default();
    let mut memory: Option<Memory> = None;
    for (at, rating) in answers {
        let before = memory.map(|known| MemoryState { stability: known.stability, difficulty: known.difficulty });
        let days = memory.map_or(0, |known| u32::try_from((at - known.answered_at).max(0) / DAY).unwrap_or(u32::MAX));
        // Fails for states that are not finite only; the last good one stays then.
        let Ok(next) = model.next_states(before, RETENTION, days) else { continue };
        let next = match rating {
            Rating::Again => next.again,
            Rating::Hard => next.hard,
            Rating::Good => next.good,
            Rating::Easy => next.easy,
        };
        let days = next.interval.round().clamp(1.0, 3_650.0) as i64;
        let (answers, lapses) = memory.map_or((0, 0), |known| (known.answers, known.lapses));
        memory = Some(Memory {
            stability: next.memory.stability,
            difficulty: next.memory.difficulty,
            answered_at: at,
            due_at: at + days * DAY,
            answers: answers + 1,
            lapses: lapses + usize::from(rating == Rating::Again),
        });
    }
    memory
}

#[cfg(test)]
mod tests {
    use fsrs::{FSRSItem, FSRSReview};

    use super::*;

    #[test]
    fn a_history_gives_the_figures_of_the_reference_crate() {
        let ratings = [Rating::Good, Rating::Again, Rating::Hard, Rating::Good, Rating::Easy, Rating::Again];
        for length in 1..=ratings.len() {
            for gap in [0_i64, 1, 5, 30, 200] {
                let history: Vec<(Micros, Rating)> =
                    (0..).zip(&ratings).take(length).map(|(n, rating)| (n * gap * DAY, *rating)).collect();
                let ours = memory(history.clone()).unwrap();
                let reviews = history
                    .iter()
                    .enumerate()
                    .map(|(n, (_, rating))| FSRSReview {
                        rating: *rating as u32,
                        delta_t: if n == 0 { 0 } else { u32::try_from(gap).unwrap() },
                    })
                    .collect();
                let theirs = FSRS::default().memory_state(FSRSItem { reviews }, None).unwrap();
                assert_eq!((ours.stability, ours.difficulty), (theirs.stability, theirs.difficulty), "{length} {gap}");
                let interval = FSRS::default().next_interval(Some(theirs.stability), RETENTION, 3);
                let days = (ours.due_at - ours.answered_at) / DAY;
                assert_eq!(days, interval.round().clamp(1.0, 3_650.0) as i64);
            }
        }
    }

    #[test]
    fn recall_is_nine_in_ten_when_as_many_days_have_passed_as_the_memory_is_stable() {
        let known = memory([(0, Rating::Good)]).unwrap();
        let then = (f64::from(known.stability) * DAY as f64) as i64;
        assert!((known.recall(then) - 0.9).abs() < 1e-3, "{}", known.recall(then));
        assert!(known.recall(0) > 0.999 && known.recall(then * 10) < 0.8);
        assert!(memory([]).is_none());
    }
}
