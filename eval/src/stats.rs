//! Means with bootstrap intervals, paired differences, ranks and percentiles. Seeded: the same
//! samples give the same numbers.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::Serialize;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 2_000;
const SEED: u64 = 20_260_101;

/// A mean and its 95 % bootstrap interval (percentile method).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The mean.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Samples.
    pub n: usize,
}

/// The mean of some values with its interval.
#[must_use]
pub fn mean(values: &[f64]) -> Interval {
    let n = values.len();
    let value = average(values);
    if n == 0 {
        return Interval { value: 0.0, low: 0.0, high: 0.0, n };
    }
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            (0..n).map(|_| values.get(rng.random_range(0..n)).copied().unwrap_or_default()).sum::<f64>() / n as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    Interval { value, low: percentile(&means, 0.025), high: percentile(&means, 0.975), n }
}

/// The mean of the differences of paired values.
#[must_use]
pub fn difference(ours: &[f64], theirs: &[f64]) -> Interval {
    mean(&ours.iter().zip(theirs).map(|(a, b)| a - b).collect::<Vec<_>>())
}

/// The plain mean.
#[must_use]
pub fn average(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// The value below which `share` of sorted values lie.
#[must_use]
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * (sorted.len().saturating_sub(1)) as f64).round() as usize;
    sorted.get(at).copied().unwrap_or_default()
}

/// Probability that a positive scores above a negative; ties count half.
#[must_use]
pub fn auc(positives: &[f64], negatives: &[f64]) -> f64 {
    let pairs = positives.len() * negatives.len();
    let wins: f64 = positives
        .iter()
        .flat_map(|p| {
            negatives.iter().map(move |n| {
                if p > n {
                    1.0
                } else if (p - n).abs() < f64::EPSILON {
                    0.5
                } else {
                    0.0
                }
            })
        })
        .sum();
    if pairs == 0 { 0.5 } else { wins / pairs as f64 }
}

/// Normalised discounted gain of the first ten, each gold section counting once where it first appears.
#[must_use]
pub fn ndcg(ranks: &[usize], golds: usize) -> f64 {
    let gain = |rank: usize| 1.0 / ((rank + 1) as f64).log2();
    let ideal: f64 = (1..=golds.min(10)).map(gain).sum();
    if ideal > 0.0 {
        ranks.iter().filter(|rank| **rank <= 10).map(|rank| gain(*rank)).sum::<f64>() / ideal
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_holds_the_mean_and_is_the_same_every_time() {
        let values: Vec<f64> = (0..70).map(|i| f64::from(i % 2)).collect();
        let interval = mean(&values);
        assert!((interval.value - 0.5).abs() < 1e-12 && interval.low < 0.45 && interval.high > 0.55);
        assert_eq!(interval, mean(&values));
    }

    #[test]
    fn separated_scores_have_an_auc_of_one_and_equal_ones_a_half() {
        assert!((auc(&[0.9, 0.8], &[0.1, 0.2]) - 1.0).abs() < 1e-12);
        assert!((auc(&[0.5], &[0.5]) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_first_place_is_a_full_gain() {
        assert!((ndcg(&[1], 1) - 1.0).abs() < 1e-12);
        assert!(ndcg(&[2], 1) < 0.7 && ndcg(&[], 1).abs() < 1e-12);
    }
}
