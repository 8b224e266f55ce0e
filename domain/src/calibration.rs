//! How well proposals agree with the people who graded, and what that allows.

use serde::{Deserialize, Serialize};

/// Graded submissions before proposals may be made in one go.
pub const LEAST_GRADED: usize = 20;
/// Weak answers before their over-scoring is judged.
pub const LEAST_WEAK: usize = 5;
/// A grade of at most this share is a weak answer.
pub const WEAK: f64 = 0.4;
/// Least quadratic weighted kappa for proposals in one go.
pub const LEAST_KAPPA: f64 = 0.5;
/// Most mean error for proposals in one go, share of the scale.
pub const MOST_ERROR: f64 = 0.10;
/// Over-scoring of weak answers above which nothing is proposed any more, share of the scale.
pub const MOST_OVERSCORE: f64 = 0.25;
/// Steps that shares are rounded to for the kappa.
const STEPS: usize = 5;

/// Agreement of proposals with grades, both as shares of the points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calibration {
    /// The rubric's version.
    pub rubric_version: i64,
    /// Submissions that have both a proposal and a person's grade.
    pub graded: usize,
    /// Quadratic weighted kappa over six steps (Cohen 1968); nothing when all grades are the same.
    pub kappa: Option<f64>,
    /// Mean absolute error, share of the scale.
    pub error: Option<f64>,
    /// Weak answers among them.
    pub weak: usize,
    /// By how much weak answers were over-scored, mean, share of the scale.
    pub overscore: Option<f64>,
    /// The 95 % interval of that mean (normal approximation).
    pub interval: Option<(f64, f64)>,
}

/// What a calibration allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Allows {
    /// Proposals in one go for all that wait.
    Batch,
    /// Proposals one by one, each looked at.
    OneByOne,
    /// None: weak answers are rated too high.
    Nothing,
}

impl Calibration {
    /// Measures pairs of (proposed share, graded share).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of graded answers are small")]
    pub fn of(rubric_version: i64, pairs: &[(f64, f64)]) -> Self {
        let mean = |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        let errors: Vec<f64> = pairs.iter().map(|(proposed, graded)| (proposed - graded).abs()).collect();
        let over: Vec<f64> =
            pairs.iter().filter(|(_, graded)| *graded <= WEAK).map(|(proposed, graded)| proposed - graded).collect();
        let overscore = mean(&over);
        let interval = overscore.filter(|_| over.len() >= 2).map(|middle| {
            let variance = over.iter().map(|one| (one - middle).powi(2)).sum::<f64>() / (over.len() - 1) as f64;
            let half = 1.96 * (variance / over.len() as f64).sqrt();
            (middle - half, middle + half)
        });
        Self {
            rubric_version,
            graded: pairs.len(),
            kappa: kappa(pairs),
            error: mean(&errors),
            weak: over.len(),
            overscore,
            interval,
        }
    }

    /// What may be proposed with this agreement.
    #[must_use]
    pub fn allows(&self) -> Allows {
        if self.weak >= LEAST_WEAK && self.overscore.is_some_and(|over| over > MOST_OVERSCORE) {
            Allows::Nothing
        } else if self.graded >= LEAST_GRADED
            && self.kappa.is_some_and(|kappa| kappa >= LEAST_KAPPA)
            && self.error.is_some_and(|error| error <= MOST_ERROR)
        {
            Allows::Batch
        } else {
            Allows::OneByOne
        }
    }
}

/// Quadratic weighted kappa of shares in steps; nothing when chance alone explains everything.
#[expect(clippy::cast_precision_loss, reason = "counts of graded answers are small")]
fn kappa(pairs: &[(f64, f64)]) -> Option<f64> {
    let step = |share: f64| (0..=STEPS).rev().find(|n| share * STEPS as f64 >= *n as f64 - 0.5).unwrap_or(0);
    let steps: Vec<(usize, usize)> = pairs.iter().map(|(a, b)| (step(*a), step(*b))).collect();
    let apart = |a: usize, b: usize| (a.abs_diff(b) as f64).powi(2);
    let seen: f64 = steps.iter().map(|(a, b)| apart(*a, *b)).sum::<f64>() / pairs.len().max(1) as f64;
    let mut chance = 0.0;
    for (a, _) in &steps {
        for (_, b) in &steps {
            chance += apart(*a, *b);
        }
    }
    chance /= (pairs.len() * pairs.len()).max(1) as f64;
    (chance > 0.0).then(|| 1.0 - seen / chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_unlocks_and_over_scoring_locks() {
        let good: Vec<(f64, f64)> = (0..24).map(|n| (f64::from(n % 6) / 5.0, f64::from(n % 6) / 5.0)).collect();
        let measured = Calibration::of(1, &good);
        assert_eq!(measured.allows(), Allows::Batch);
        assert!((measured.kappa.unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(Calibration::of(1, &good[..19]).allows(), Allows::OneByOne, "too few");
        let lifted: Vec<(f64, f64)> = good.iter().map(|(a, b)| (if *b <= WEAK { a + 0.4 } else { *a }, *b)).collect();
        let measured = Calibration::of(1, &lifted);
        assert_eq!(measured.allows(), Allows::Nothing);
        let (low, high) = measured.interval.unwrap();
        assert!(low <= measured.overscore.unwrap() && measured.overscore.unwrap() <= high);
    }

    #[test]
    fn nothing_graded_allows_one_by_one_and_claims_no_figure() {
        let none = Calibration::of(0, &[]);
        assert_eq!((none.kappa, none.error, none.overscore, none.allows()), (None, None, None, Allows::OneByOne));
        assert_eq!(Calibration::of(0, &[(0.5, 0.5); 30]).kappa, None, "all the same says nothing");
    }
}
