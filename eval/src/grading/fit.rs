//! Logistic regression with a ridge, by Newton's method, on answers beside the reference that suits each best.

use assistant::grade::solve;

use super::Judged;

const RIDGE: f64 = 0.3;
const STEPS: usize = 8;
/// The best reference depends on the weights and they on it: a few rounds settle both.
const ROUNDS: usize = 4;

/// Weights, the bias first, for answers that a person found right (half the points or more) or wrong.
pub(super) fn fit(answers: &[&Judged]) -> Vec<f64> {
    let mut weights = Vec::new();
    for _ in 0..ROUNDS {
        let rows: Vec<(&[f64], f64)> =
            answers.iter().map(|one| (row(one, &weights), f64::from(u8::from(one.share >= 0.5)))).collect();
        match newton(&rows) {
            Some(found) => weights = found,
            None => break,
        }
    }
    weights
}

/// Before there are weights, the reference with most recall and order: the first two inputs.
fn row<'a>(one: &'a Judged, weights: &[f64]) -> &'a [f64] {
    if !weights.is_empty() {
        return one.measured.best(weights);
    }
    let first = |row: &[f64]| row.iter().take(2).sum::<f64>();
    one.measured.inputs.iter().max_by(|a, b| first(a).total_cmp(&first(b))).map(Vec::as_slice).unwrap_or_default()
}

fn newton(rows: &[(&[f64], f64)]) -> Option<Vec<f64>> {
    let size = rows.first()?.0.len() + 1;
    let mut weights = vec![0.0; size];
    for _ in 0..STEPS {
        let mut hessian: Vec<Vec<f64>> =
            (0..size).map(|i| (0..size).map(|j| if i == j { ridge(i) } else { 0.0 }).collect()).collect();
        let mut gradient: Vec<f64> = weights.iter().enumerate().map(|(i, weight)| -ridge(i) * weight).collect();
        for (inputs, right) in rows {
            let with_bias: Vec<f64> = std::iter::once(1.0).chain(inputs.iter().copied()).collect();
            let sum: f64 = with_bias.iter().zip(&weights).map(|(x, weight)| x * weight).sum();
            let share = 1.0 / (1.0 + (-sum).exp());
            let curve = share * (1.0 - share);
            for ((line, slope), x) in hessian.iter_mut().zip(&mut gradient).zip(&with_bias) {
                *slope += x * (right - share);
                for (cell, y) in line.iter_mut().zip(&with_bias) {
                    *cell += curve * x * y;
                }
            }
        }
        let step = solve(hessian, gradient)?;
        weights.iter_mut().zip(step).for_each(|(weight, step)| *weight += step);
    }
    Some(weights)
}

/// The bias goes free.
fn ridge(index: usize) -> f64 {
    if index == 0 { 1e-6 } else { RIDGE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_separates_gets_the_weight() {
        let rows: Vec<([f64; 2], f64)> =
            (0..40).map(|i| ([f64::from(i % 2), f64::from(i % 3) / 2.0], f64::from(u8::from(i % 2 == 1)))).collect();
        let rows: Vec<(&[f64], f64)> = rows.iter().map(|(x, y)| (x.as_slice(), *y)).collect();
        let found = newton(&rows).unwrap_or_default();
        assert!(found.len() == 3 && found[1] > 2.0 && found[2].abs() < 0.5, "{found:?}");
    }
}
