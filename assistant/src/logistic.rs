//! Logistic regression on a handful of standardised signals, fitted in milliseconds.
//!
//! Newton's method with a ridge of 1 on the weights (none on the intercept) and classes weighted
//! alike, so that the fit does not depend on how many negatives were at hand.

use serde::{Deserialize, Serialize};

/// A fitted model: standardisation and weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Logistic {
    mean: Vec<f64>,
    deviation: Vec<f64>,
    weights: Vec<f64>,
    intercept: f64,
}

impl Logistic {
    /// Fits on rows of equal length; `true` labels are the positives.
    #[must_use]
    pub fn fit(rows: &[(Vec<f64>, bool)], ridge: f64) -> Self {
        let width = rows.first().map_or(0, |(row, _)| row.len());
        let count = rows.len().max(1) as f64;
        let mean: Vec<f64> = (0..width).map(|j| rows.iter().map(|(row, _)| at(row, j)).sum::<f64>() / count).collect();
        let deviation: Vec<f64> = (0..width)
            .map(|j| {
                let spread = rows.iter().map(|(row, _)| (at(row, j) - at(&mean, j)).powi(2)).sum::<f64>() / count;
                // A constant signal says nothing; dividing by one keeps its weight at zero.
                if spread.sqrt() < 1e-9 { 1.0 } else { spread.sqrt() }
            })
            .collect();
        let mut model = Self { mean, deviation, weights: vec![0.0; width], intercept: 0.0 };
        let positives = rows.iter().filter(|(_, label)| *label).count().max(1) as f64;
        let negatives = rows.iter().filter(|(_, label)| !*label).count().max(1) as f64;
        let data: Vec<(Vec<f64>, f64, f64)> = rows
            .iter()
            .map(|(row, label)| {
                let mut scaled = model.scaled(row);
                scaled.push(1.0);
                (scaled, f64::from(u8::from(*label)), count / (2.0 * if *label { positives } else { negatives }))
            })
            .collect();
        for _ in 0..50 {
            let step = model.newton_step(&data, ridge);
            for (weight, change) in model.weights.iter_mut().chain([&mut model.intercept]).zip(&step) {
                *weight += change;
            }
            if step.iter().all(|change| change.abs() < 1e-8) {
                break;
            }
        }
        model
    }

    /// Probability that the row is a positive.
    #[must_use]
    pub fn probability(&self, row: &[f64]) -> f64 {
        let sum = self.intercept + self.scaled(row).iter().zip(&self.weights).map(|(x, w)| x * w).sum::<f64>();
        1.0 / (1.0 + (-sum).exp())
    }

    fn scaled(&self, row: &[f64]) -> Vec<f64> {
        row.iter()
            .zip(self.mean.iter().zip(&self.deviation))
            .map(|(x, (mean, deviation))| (x - mean) / deviation)
            .collect()
    }

    fn newton_step(&self, data: &[(Vec<f64>, f64, f64)], ridge: f64) -> Vec<f64> {
        let n = self.weights.len() + 1;
        let current: Vec<f64> = self.weights.iter().copied().chain([self.intercept]).collect();
        let mut system = vec![vec![0.0; n + 1]; n];
        for (row, label, weight) in data {
            let sum: f64 = row.iter().zip(&current).map(|(x, w)| x * w).sum();
            let p = 1.0 / (1.0 + (-sum).exp());
            for (line, xi) in system.iter_mut().zip(row) {
                for (cell, xj) in line.iter_mut().zip(row) {
                    *cell += weight * p * (1.0 - p) * xi * xj;
                }
                if let Some(right) = line.last_mut() {
                    *right += weight * (label - p) * xi;
                }
            }
        }
        for (j, line) in system.iter_mut().enumerate() {
            let penalty = if j + 1 == n { 1e-6 } else { ridge };
            let right = -penalty * at(&current, j);
            if let Some(cell) = line.get_mut(j) {
                *cell += penalty;
            }
            if let Some(cell) = line.last_mut() {
                *cell += right;
            }
        }
        solve(system)
    }
}

fn at(row: &[f64], j: usize) -> f64 {
    row.get(j).copied().unwrap_or_default()
}

/// Gaussian elimination with partial pivoting of an augmented matrix.
fn solve(mut system: Vec<Vec<f64>>) -> Vec<f64> {
    let n = system.len();
    for column in 0..n {
        let pivot = (column..n)
            .max_by(|a, b| cell(&system, *a, column).abs().total_cmp(&cell(&system, *b, column).abs()))
            .unwrap_or(column);
        system.swap(column, pivot);
        let lead = system.get(column).cloned().unwrap_or_default();
        let head = at(&lead, column);
        if head.abs() < 1e-12 {
            continue;
        }
        for (i, line) in system.iter_mut().enumerate() {
            if i != column {
                let factor = at(line, column) / head;
                line.iter_mut().zip(&lead).for_each(|(x, l)| *x -= factor * l);
            }
        }
    }
    (0..n)
        .map(|i| {
            let head = cell(&system, i, i);
            if head.abs() < 1e-12 { 0.0 } else { cell(&system, i, n) / head }
        })
        .collect()
}

fn cell(system: &[Vec<f64>], i: usize, j: usize) -> f64 {
    system.get(i).map_or(0.0, |line| at(line, j))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separable_rows_are_told_apart_and_a_constant_signal_is_harmless() {
        let rows: Vec<(Vec<f64>, bool)> =
            (0..40).map(|i| (vec![f64::from(i) / 10.0, 7.0, f64::from(i % 3)], i >= 20)).collect();
        let model = Logistic::fit(&rows, 1.0);
        assert!(model.probability(&[0.5, 7.0, 1.0]) < 0.1);
        assert!(model.probability(&[3.5, 7.0, 1.0]) > 0.9);
        let edge = model.probability(&[1.95, 7.0, 1.0]);
        assert!((edge - 0.5).abs() < 0.1, "{edge}");
    }

    #[test]
    fn nothing_to_fit_says_one_half() {
        assert!((Logistic::fit(&[], 1.0).probability(&[]) - 0.5).abs() < 1e-9);
    }
}
