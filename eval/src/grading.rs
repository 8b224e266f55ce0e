//! Short answers: what the grader without a language model proposes, held against what people gave.
//!
//! Attacks and answers of our own are built in. SemEval-2013 task 7 is read from a folder where one is given, because
//! its licence keeps it out of this repository; the weights that come of it are numbers of the report.

mod attacks;
mod fit;
mod own;
mod semeval;

use assistant::grade::{Item, Measured, Origin, cold};

use crate::Result;
use crate::run::{Ports, Progress, SuiteReport};
use crate::stats;

/// Before figures that no embedding took part in.
const WORDS: &str = "words alone, ";

/// An answer, as it was measured, with the share of the points that a person gave.
struct Judged {
    question: usize,
    measured: Measured,
    share: f64,
}

/// Measures everything and writes the figures into the report.
pub(crate) async fn measure(ports: &Ports, report: &mut SuiteReport, progress: Progress<'_>) -> Result<()> {
    let told = |done, all| progress("grading", done, all);
    let (attacks, own) = (attacks::items()?, own::questions()?);
    let mut items: Vec<Item> = attacks.iter().map(|attack| attack.item.clone()).collect();
    items.extend(own.iter().flat_map(own::Question::items));
    let semeval = match &ports.data {
        Some(folder) => Some(semeval::read(folder)?),
        None => None,
    };
    items.extend(semeval.iter().flatten().flat_map(semeval::Question::items));
    let vectors = ports.assistant.grading_vectors(&items, &told).await;
    let embedded = vectors.is_some();
    report.numbers.insert("an embedding model took part".into(), f64::from(u8::from(embedded)));
    report
        .numbers
        .insert("SemEval-2013 took part (skipped without --data)".into(), f64::from(u8::from(semeval.is_some())));

    attacks::measure("", &attacks, vectors.as_ref(), report);
    own::measure("", &own, vectors.as_ref(), report);
    if embedded {
        attacks::measure(WORDS, &attacks, None, report);
        own::measure(WORDS, &own, None, report);
    }
    if let Some(questions) = &semeval {
        semeval::measure(WORDS, questions, None, report);
        if embedded {
            semeval::measure("", questions, vectors.as_ref(), report);
        }
    }
    Ok(())
}

/// Weights that ship, for the vectors that are there.
fn shipped(embedded: bool) -> &'static [f64] {
    cold::weights(if embedded { Origin::Embedding } else { Origin::Words })
}

/// Numbers below `end` in an order that is the same every time.
fn shuffled(end: usize, seed: u64) -> Vec<usize> {
    use rand::SeedableRng as _;
    use rand::seq::SliceRandom as _;
    let mut order: Vec<usize> = (0..end).collect();
    order.shuffle(&mut rand::rngs::StdRng::seed_from_u64(seed));
    order
}

/// 1 for what holds.
fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// Pearson's correlation.
fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let mean = |of: fn(&(f64, f64)) -> f64| stats::average(&pairs.iter().map(of).collect::<Vec<_>>());
    let (x, y) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let sum = |of: &dyn Fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
    let spread = sum(&|pair| (pair.0 - x).powi(2)) * sum(&|pair| (pair.1 - y).powi(2));
    if spread > 0.0 { sum(&|pair| (pair.0 - x) * (pair.1 - y)) / spread.sqrt() } else { 0.0 }
}

/// Root of the mean squared difference.
fn deviation(pairs: &[(f64, f64)]) -> f64 {
    stats::average(&pairs.iter().map(|(a, b)| (a - b).powi(2)).collect::<Vec<_>>()).sqrt()
}

/// Kappa with quadratic weights of shares rounded to quarters.
fn kappa(pairs: &[(f64, f64)]) -> f64 {
    let quarters: Vec<(f64, f64)> = pairs.iter().map(|(a, b)| ((a * 4.0).round(), (b * 4.0).round())).collect();
    let seen: f64 = quarters.iter().map(|(a, b)| (a - b).powi(2)).sum::<f64>() * quarters.len() as f64;
    let chance: f64 = quarters.iter().flat_map(|(a, _)| quarters.iter().map(move |(_, b)| (a - b).powi(2))).sum();
    if chance > 0.0 { 1.0 - seen / chance } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_is_one_for_equals_and_none_for_chance() {
        let equal: Vec<(f64, f64)> = [0.0, 0.25, 1.0].iter().map(|x| (*x, *x)).collect();
        assert!((correlation(&equal) - 1.0).abs() < 1e-9 && (kappa(&equal) - 1.0).abs() < 1e-9);
        let chance = [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)];
        assert!(correlation(&chance).abs() < 1e-9 && kappa(&chance).abs() < 1e-9);
        assert!((deviation(&[(0.0, 1.0), (0.0, 0.0)]) - 0.5_f64.sqrt()).abs() < 1e-9);
    }
}
