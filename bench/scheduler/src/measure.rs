//! Figures of a run that was played.

use std::time::Duration;

use tokio::time::Instant;

use crate::client::Outcome;
use crate::clock;
use crate::peer::{COMPLETION_WEIGHT, PROMPT_WEIGHT};
use crate::replay::{Played, Sample};
use crate::simulated::Run;

/// The value below which a share of the values lies (nearest rank).
pub fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (share * values.len() as f64).ceil() as usize;
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// The middle value, or the mean of the two in the middle.
pub fn median(values: &mut [f64]) -> f64 {
    let below = percentile(values, 0.5);
    let above = values.get(values.len() / 2).copied().unwrap_or(f64::NAN);
    if values.len().is_multiple_of(2) { f64::midpoint(below, above) } else { below }
}

impl Played {
    /// How often a model was loaded.
    pub fn loads(&self) -> f64 {
        self.runs.iter().filter(|run| run.loaded).count() as f64
    }

    /// Prompt tokens that servers had to read.
    pub fn prefilled(&self) -> f64 {
        self.runs.iter().map(|run| run.prefilled_tokens).sum::<usize>() as f64
    }

    /// Latencies of the answers to some users, in seconds of the simulated world.
    pub fn latencies(&self, of: impl Fn(usize) -> bool) -> Vec<f64> {
        let answered = |sample: &&Sample| of(sample.user) && matches!(sample.outcome, Outcome::Answered { .. });
        self.samples.iter().filter(answered).map(|sample| clock::simulated_seconds(sample.latency)).collect()
    }

    /// Mean latency of all answers.
    pub fn mean_latency(&self) -> f64 {
        let latencies = self.latencies(|_| true);
        latencies.iter().sum::<f64>() / latencies.len() as f64
    }

    /// The longest time between asking and the begin of the work.
    pub fn longest_wait(&self) -> f64 {
        let waits = self.samples.iter().filter_map(|sample| {
            let started = self.runs.iter().find(|run| run.id == sample.id)?.started;
            Some(clock::simulated_seconds(started.saturating_duration_since(sample.submitted)))
        });
        waits.fold(0.0, f64::max)
    }

    /// Answers that came within their deadline.
    pub fn in_time(&self) -> f64 {
        let in_time = |sample: &&Sample| {
            sample.outcome == Outcome::Answered { right: true }
                && sample.deadline.is_none_or(|deadline| sample.latency <= deadline)
        };
        self.samples.iter().filter(in_time).count() as f64
    }

    /// How many requests ended in a way.
    pub fn count(&self, outcome: impl Fn(&Outcome) -> bool) -> f64 {
        self.samples.iter().filter(|sample| outcome(&sample.outcome)).count() as f64
    }

    /// The greatest difference between the service that two users got in a time in which both always had
    /// a request waiting: the measure of the paper on the Virtual Token Counter.
    pub fn greatest_gap(&self) -> f64 {
        let users: Vec<User> = (0..crate::trace::USERS).filter_map(|user| User::of(user, self)).collect();
        let mut greatest: f64 = 0.0;
        for (index, one) in users.iter().enumerate() {
            for other in users.iter().skip(index + 1) {
                for (from, to) in common(&one.behind, &other.behind) {
                    greatest = greatest.max(gap(one, other, from, to));
                }
            }
        }
        greatest
    }
}

/// What servers did for a user, and when the user had something waiting.
struct User<'a> {
    runs: Vec<&'a Run>,
    behind: Vec<(Instant, Instant)>,
}

impl<'a> User<'a> {
    fn of(user: usize, played: &'a Played) -> Option<Self> {
        let mut runs = Vec::new();
        let mut waits = Vec::new();
        for sample in played.samples.iter().filter(|sample| sample.user == user) {
            let run = played.runs.iter().find(|run| run.id == sample.id)?;
            runs.push(run);
            waits.push((sample.submitted, run.started));
        }
        (!runs.is_empty()).then(|| Self { runs, behind: joined(waits) })
    }

    /// Service until a moment; with the prompts that are begun in that very moment, or without.
    fn service(&self, at: Instant, with_beginning: bool) -> f64 {
        let of_run = |run: &&Run| {
            if run.started > at || (run.started == at && !with_beginning) {
                return 0.0;
            }
            let prompt = PROMPT_WEIGHT * run.prompt_tokens as f64;
            let whole = clock::decode(run.completion_tokens).as_secs_f64();
            let part = at.saturating_duration_since(run.decoding).as_secs_f64() / whole.max(f64::MIN_POSITIVE);
            prompt + COMPLETION_WEIGHT * run.completion_tokens as f64 * part.min(1.0)
        };
        self.runs.iter().map(of_run).sum()
    }

    /// Moments between two others at which the course of the service changes.
    fn turns(&self, from: Instant, to: Instant) -> impl Iterator<Item = Instant> {
        let turns = self
            .runs
            .iter()
            .flat_map(|run| [run.started, run.decoding, run.decoding + clock::decode(run.completion_tokens)]);
        turns.filter(move |turn| *turn > from && *turn < to)
    }
}

/// The difference is piecewise linear with jumps, so its extremes are at the turns.
fn gap(one: &User<'_>, other: &User<'_>, from: Instant, to: Instant) -> f64 {
    let difference = |at, with_beginning| one.service(at, with_beginning) - other.service(at, with_beginning);
    let (first, last) = (difference(from, false), difference(to, false));
    let (mut least, mut most) = (first.min(last), first.max(last));
    for at in one.turns(from, to).chain(other.turns(from, to)) {
        for value in [difference(at, false), difference(at, true)] {
            least = least.min(value);
            most = most.max(value);
        }
    }
    most - least
}

/// Overlapping times made one.
fn joined(mut times: Vec<(Instant, Instant)>) -> Vec<(Instant, Instant)> {
    times.sort();
    let mut joined: Vec<(Instant, Instant)> = Vec::new();
    for (from, to) in times {
        match joined.last_mut() {
            Some((_, end)) if *end >= from => *end = to.max(*end),
            _ => joined.push((from, to)),
        }
    }
    joined
}

/// Times that are in both lists.
fn common(one: &[(Instant, Instant)], other: &[(Instant, Instant)]) -> Vec<(Instant, Instant)> {
    let pairs = one.iter().flat_map(|left| other.iter().map(move |right| (left.0.max(right.0), left.1.min(right.1))));
    pairs.filter(|(from, to)| *from + Duration::from_millis(1) < *to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, start: Instant, prompt_tokens: usize, completion_tokens: usize) -> Run {
        Run {
            id: id.to_owned(),
            prompt_tokens,
            prefilled_tokens: prompt_tokens,
            completion_tokens,
            loaded: false,
            started: start,
            decoding: start + clock::prefill(prompt_tokens),
            ended: None,
            complete: true,
        }
    }

    fn sample(id: &str, user: usize, submitted: Instant) -> Sample {
        let outcome = Outcome::Answered { right: true };
        Sample { id: id.to_owned(), user, submitted, latency: Duration::ZERO, outcome, deadline: None }
    }

    #[test]
    fn the_nearest_rank_is_taken() {
        let mut values: Vec<f64> = (1..=20).map(f64::from).collect();
        assert_eq!(percentile(&mut values, 0.95), 19.0);
        assert_eq!(percentile(&mut values, 0.5), 10.0);
        assert_eq!(median(&mut values), 10.5);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
    }

    #[test]
    fn the_gap_counts_only_while_both_wait() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        // User 0 is served twice while user 1 waits; what user 0 gets after 1,000 ms has no rival.
        let runs = vec![
            run("a", at(10), 100, 10),
            run("b", at(100), 100, 10),
            run("c", at(1_000), 100, 10),
            run("d", at(2_000), 900, 90),
            run("e", at(3_000), 1, 1),
        ];
        let samples = vec![
            sample("a", 0, start),
            sample("b", 0, start),
            sample("d", 0, start),
            sample("e", 0, start),
            sample("c", 1, start),
        ];
        let played = Played { samples, runs, faults: Vec::new() };
        let two_requests = 2.0 * (100.0 * PROMPT_WEIGHT + 10.0 * COMPLETION_WEIGHT);
        assert!((played.greatest_gap() - two_requests).abs() < 1e-6, "{}", played.greatest_gap());
    }

    #[test]
    fn waiting_times_that_touch_are_one() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let times = vec![(at(5), at(9)), (at(0), at(5)), (at(20), at(30))];
        assert_eq!(joined(times), vec![(at(0), at(9)), (at(20), at(30))]);
    }
}
