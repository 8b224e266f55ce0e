//! Answers of all qualities to questions of our own, with the points of a fair teacher.

use assistant::grade::{Item, Measured, Vectors, measured, propose_with};
use serde::Deserialize;

use super::{correlation, deviation, kappa, shipped, shuffled, truth};
use crate::run::SuiteReport;
use crate::{Error, Result, stats};

const OWN: &str = include_str!("../../data/grading-own.jsonl");
/// Graded answers that take part in the second figure, and how often they are drawn.
const GRADED: usize = 8;
const DRAWS: u64 = 20;
/// Up to this share an answer is weak.
const WEAK: f64 = 0.4;

/// One question with its answers.
#[derive(Deserialize)]
pub(super) struct Question {
    id: String,
    question: String,
    reference: String,
    max: f64,
    answers: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    answer: String,
    score: f64,
}

impl Question {
    pub(super) fn items(&self) -> impl Iterator<Item = Item> {
        self.answers.iter().map(|answer| Item {
            id: self.id.clone(),
            question: self.question.clone(),
            reference: self.reference.clone(),
            references: Vec::new(),
            answer: answer.answer.clone(),
            max: self.max,
            graded: Vec::new(),
        })
    }
}

/// The questions that are built in.
pub(super) fn questions() -> Result<Vec<Question>> {
    let read = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| Error::Damaged {
            what: format!("grading-own.jsonl, line {number}"),
            reason: error.to_string(),
        })
    };
    (1..).zip(OWN.lines()).map(read).collect()
}

/// Cold, and with a few graded answers to the same question, which are not judged themselves.
pub(super) fn measure(name: &str, questions: &[Question], vectors: Option<&Vectors>, report: &mut SuiteReport) {
    let weights = shipped(vectors.is_some());
    let (mut cold, mut warm, mut silent) = (Vec::new(), Vec::new(), Vec::new());
    let mut ends = Vec::new();
    for question in questions {
        let all: Vec<(Measured, f64)> = question
            .items()
            .zip(&question.answers)
            .map(|(item, answer)| (measured(&item, &item.answer, vectors), answer.score / question.max))
            .collect();
        cold.extend(all.iter().map(|(new, share)| (new.cold(weights), *share)));
        for draw in 0..DRAWS {
            let order = shuffled(all.len(), draw);
            let drawn: Vec<&(Measured, f64)> = order.iter().filter_map(|at| all.get(*at)).collect();
            let (graded, left) = drawn.split_at(GRADED.min(drawn.len()));
            let graded: Vec<(&Measured, f64)> = graded.iter().map(|(one, share)| (one, *share)).collect();
            warm.extend(left.iter().map(|(new, share)| (new.shifted(weights, &graded), *share)));
        }
        ends.push((cold.len(), warm.len()));
        for (item, answer) in question.items().zip(&question.answers) {
            let Ok(proposal) = propose_with(&item, vectors) else { continue };
            if answer.score / question.max <= WEAK {
                silent.push(truth(!proposal.flags.is_empty() || proposal.score / question.max < 0.5));
            }
        }
    }
    for (when, pairs) in [("cold", &cold), ("8 graded", &warm)] {
        let of = |figure: &str| format!("{name}own, {when}: {figure}");
        report.numbers.insert(of("r"), correlation(pairs));
        let mut start = 0;
        let within: Vec<f64> = ends
            .iter()
            .map(|end| {
                let end = if when == "cold" { end.0 } else { end.1 };
                let of_one = pairs.get(start..end).unwrap_or_default();
                start = end;
                correlation(of_one)
            })
            .collect();
        report.numbers.insert(of("r within a question, mean"), stats::average(&within));
        report.numbers.insert(of("RMSE of the share"), deviation(pairs));
        report.numbers.insert(of("QWK of quarters"), kappa(pairs));
        for (band, least, most) in [("weak answers", -1.0, WEAK), ("middling", WEAK, 0.8), ("good answers", 0.8, 2.0)] {
            let errors: Vec<f64> =
                pairs.iter().filter(|(_, given)| *given > least && *given <= most).map(|(a, b)| a - b).collect();
            report.numbers.insert(of(&format!("mean error, {band}")), stats::average(&errors));
        }
    }
    report.metrics.insert(format!("{name}own.weak answers flagged or below half"), stats::mean(&silent));
}
