//! Questions made from a course without a model: how many are offered, of which types, and with what flaws; and
//! what a teacher said of sixty of them.

use std::collections::HashSet;
use std::time::Duration;

use assistant::quiz::Wanted;
use domain::question::{Body, Draft};
use serde::Deserialize;

use crate::run::{Ports, SuiteReport};
use crate::stats;
use crate::{Error, Result};

const JUDGED: &str = include_str!("../data/quiz-judged.jsonl");
/// Questions of one measurement.
const COUNT: usize = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Judged {
    stem: String,
    flaws: Vec<String>,
    verdict: Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Good,
    Editable,
    Bad,
}

fn judged() -> Result<Vec<Judged>> {
    let read = |(number, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| Error::Damaged {
            what: format!("quiz-judged.jsonl, line {number}"),
            reason: error.to_string(),
        })
    };
    (1..).zip(JUDGED.lines()).map(read).collect()
}

/// Makes questions and writes the figures into the report.
pub(crate) async fn measure(ports: &Ports, report: &mut SuiteReport) -> Result<()> {
    let wanted = Wanted { lesson: None, count: COUNT, seed: 7, known: Vec::new(), model_time: Duration::ZERO };
    let offered = ports.assistant.questions(&ports.scope, &wanted).await?;
    let share = |test: &dyn Fn(&Draft) -> bool| -> Vec<f64> {
        offered.items.iter().map(|draft| f64::from(u8::from(test(draft)))).collect()
    };
    report.metrics.insert(
        "offered.without hard flaw".into(),
        stats::mean(&share(&|draft| !draft.body.flaws(&draft.stem).iter().chain(&draft.lint).any(|flaw| flaw.hard))),
    );
    report.metrics.insert("offered.without any flaw".into(), stats::mean(&share(&|draft| draft.lint.is_empty())));
    report
        .metrics
        .insert("offered.not cloze".into(), stats::mean(&share(&|draft| !matches!(draft.body, Body::Cloze(_)))));
    report.metrics.insert("offered.with source".into(), stats::mean(&share(&|draft| draft.source.is_some())));
    let asked = vec![1.0; offered.items.len().min(COUNT)];
    let missing = vec![0.0; COUNT.saturating_sub(offered.items.len())];
    report.metrics.insert("offered.of wanted".into(), stats::mean(&[asked, missing].concat()));
    for name in Body::TYPES {
        let count = offered.items.iter().filter(|draft| draft.body.type_name() == *name).count();
        report.numbers.insert(format!("offered, {name}"), count as f64);
    }
    let places = offered.items.iter().filter_map(|draft| draft.source.as_ref()).map(|source| &source.source_path);
    report.numbers.insert("documents asked about".into(), places.collect::<HashSet<_>>().len() as f64);
    report.numbers.insert("rejected".into(), offered.rejected.len() as f64);

    let judged = judged()?;
    let of = |test: &dyn Fn(&Judged) -> bool| -> Vec<f64> {
        judged.iter().map(|one| f64::from(u8::from(test(one)))).collect()
    };
    report.metrics.insert("judged.good".into(), stats::mean(&of(&|one| one.verdict == Verdict::Good)));
    report.metrics.insert("judged.not bad".into(), stats::mean(&of(&|one| one.verdict != Verdict::Bad)));
    // A sound question that the lint frowns at, or a bad one that it lets pass, is a disagreement.
    let agrees = |one: &Judged| one.flaws.is_empty() == (one.verdict != Verdict::Bad);
    report.metrics.insert("judged.lint agrees".into(), stats::mean(&of(&agrees)));
    let now: HashSet<String> = offered.items.iter().map(asked_text).collect();
    let still = judged.iter().filter(|one| now.contains(&one.stem)).count();
    report.numbers.insert("judged questions that are still made".into(), still as f64);
    Ok(())
}

/// The stem as the sheet has it: the text of a cloze with its gap.
fn asked_text(draft: &Draft) -> String {
    match &draft.body {
        Body::Cloze(body) => body.parts.join("____"),
        _ => draft.stem.clone(),
    }
}
