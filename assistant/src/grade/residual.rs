//! What people gave to other answers to the same question: their mean deviation, shrunken, and a ridge over the
//! deviations of answers alike.
//!
//! The ridge is solved in its dual form, because graded answers are few and vectors are long.

use super::Measured;
use super::features::count;

/// Graded answers are trusted as if this many more had shown no deviation.
const SHRINK: f64 = 4.0;
/// Ridge over the deviations.
const LAMBDA: f64 = 1.0;

/// How far people deviate from the cold share for an answer like this one.
pub(super) fn shift(weights: &[f64], new: &Measured, graded: &[(&Measured, f64)]) -> f64 {
    if graded.is_empty() {
        return 0.0;
    }
    let residuals: Vec<f64> = graded.iter().map(|(other, share)| share - other.cold(weights)).collect();
    let mean = residuals.iter().sum::<f64>() / (count(residuals.len()) + SHRINK);
    let kernel: Vec<Vec<f64>> = graded
        .iter()
        .enumerate()
        .map(|(row, (a, _))| {
            let likeness = |(column, (b, _)): (usize, &(&Measured, f64))| {
                alike(weights, a, b) + if row == column { LAMBDA } else { 0.0 }
            };
            graded.iter().enumerate().map(likeness).collect()
        })
        .collect();
    let left: Vec<f64> = residuals.iter().map(|residual| residual - mean).collect();
    let Some(alpha) = solve(kernel, left) else { return mean };
    mean + graded.iter().zip(&alpha).map(|((other, _), alpha)| alpha * alike(weights, new, other)).sum::<f64>()
}

/// Likeness of two answers: their vectors or their words, and what was measured of them.
fn alike(weights: &[f64], a: &Measured, b: &Measured) -> f64 {
    let said = match (&a.vector, &b.vector) {
        (Some(a), Some(b)) => f64::from(crate::retrieve::dot(a, b)),
        _ => {
            let common = a.topics.intersection(&b.topics).count();
            let length = (count(a.topics.len()) * count(b.topics.len())).sqrt();
            if length > 0.0 { count(common) / length } else { 0.0 }
        }
    };
    let (ours, theirs) = (a.best(weights), b.best(weights));
    said + ours.iter().zip(theirs).map(|(x, y)| x * y).sum::<f64>() / count(ours.len().max(1))
}

/// Solves a symmetric positive definite system by Cholesky; nothing when it is none.
#[must_use]
pub fn solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    let at = |a: &[Vec<f64>], row: usize, column: usize| a.get(row).and_then(|row| row.get(column)).copied();
    for column in 0..n {
        for row in column..n {
            let done: f64 = (0..column).map(|k| Some(at(&a, row, k)? * at(&a, column, k)?)).sum::<Option<f64>>()?;
            let rest = at(&a, row, column)? - done;
            let value = if row == column {
                if rest.is_nan() || rest <= 0.0 {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / at(&a, column, column)?
            };
            *a.get_mut(row)?.get_mut(column)? = value;
        }
    }
    for row in 0..n {
        let done: f64 = (0..row).map(|k| Some(at(&a, row, k)? * b.get(k)?)).sum::<Option<f64>>()?;
        *b.get_mut(row)? = (b.get(row)? - done) / at(&a, row, row)?;
    }
    for row in (0..n).rev() {
        let done: f64 = (row + 1..n).map(|k| Some(at(&a, k, row)? * b.get(k)?)).sum::<Option<f64>>()?;
        *b.get_mut(row)? = (b.get(row)? - done) / at(&a, row, row)?;
    }
    Some(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_system_is_solved_and_a_singular_one_refused() {
        let found = solve(vec![vec![4.0, 2.0], vec![2.0, 3.0]], vec![2.0, 5.0]).unwrap();
        assert!((found[0] + 0.5).abs() < 1e-12 && (found[1] - 2.0).abs() < 1e-12, "{found:?}");
        assert!(solve(vec![vec![1.0, 1.0], vec![1.0, 1.0]], vec![1.0, 1.0]).is_none());
    }
}
