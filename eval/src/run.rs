//! Running suites over opened ports and a prepared course, and judging the numbers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use assistant::Assistant;
use serde::Serialize;
use store::vector::ExactScan;
use store::{Scope, Store};

use crate::Result;
use crate::dataset::{self, Kind, Question};
use crate::grading;
use crate::quiz;
use crate::retrieval::{self, METHODS, METRICS};
use crate::scope;
use crate::stats::{self, Interval};
use crate::suite::{Measure, Suite};
use crate::{recommendation, replies};

/// What an evaluation works on; opened by its caller.
pub struct Ports {
    /// Rows.
    pub store: Store,
    /// Vectors.
    pub scan: ExactScan,
    /// The tutor under test.
    pub assistant: Assistant,
    /// The course that the questions are about.
    pub scope: Scope,
    /// A folder with data that is not built in, for the suites that can use it.
    pub data: Option<PathBuf>,
    /// For the report: course, passages, embedding model, build.
    pub about: BTreeMap<String, String>,
}

/// Told the suite's name, how many samples are done and how many there are.
pub type Progress<'a> = &'a (dyn Fn(&str, usize, usize) + Send + Sync);

/// One floor or comparison and whether it holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What must hold, in words.
    pub rule: String,
    /// The value.
    pub value: f64,
    /// What it must reach.
    pub least: f64,
    /// Whether it does.
    pub holds: bool,
}

/// What a suite found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SuiteReport {
    /// The suite's name.
    pub name: String,
    /// What it asks.
    pub about: String,
    /// Means with intervals, by `method.metric`.
    pub metrics: BTreeMap<String, Interval>,
    /// Paired differences, by `ours.metric - method.metric`.
    pub differences: BTreeMap<String, Interval>,
    /// Single numbers: areas, percentiles, shares.
    pub numbers: BTreeMap<String, f64>,
    /// Floors and comparisons.
    pub checks: Vec<Check>,
    /// Judged questions of a retrieval suite, misses first.
    pub retrieval: Vec<retrieval::Sample>,
    /// Judged questions of a scope suite, misses first.
    pub scope: Vec<scope::Sample>,
    /// Judged replies, misjudged ones first.
    pub replies: Vec<replies::Sample>,
}

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether every check holds.
    pub passed: bool,
    /// What it was measured on.
    pub about: BTreeMap<String, String>,
    /// By suite.
    pub suites: Vec<SuiteReport>,
}

/// Runs suites one after the other.
///
/// # Errors
/// A dataset is damaged, or the rows cannot be read. A broken floor is no error: see [`Report::passed`].
pub async fn run(suites: &[Suite], ports: &Ports, progress: Progress<'_>) -> Result<Report> {
    let mut reports = Vec::new();
    for suite in suites {
        let questions = if suite.dataset.is_empty() { Vec::new() } else { dataset::named(&suite.dataset)? };
        reports.push(run_on(suite, &questions, ports, progress).await?);
    }
    let passed = reports.iter().all(|report| report.checks.iter().all(|check| check.holds));
    Ok(Report { passed, about: ports.about.clone(), suites: reports })
}

/// Runs one suite on given questions.
///
/// # Errors
/// As for [`run`].
pub async fn run_on(
    suite: &Suite,
    questions: &[Question],
    ports: &Ports,
    progress: Progress<'_>,
) -> Result<SuiteReport> {
    let mut report = SuiteReport {
        name: suite.name.clone(),
        about: suite.about.clone(),
        metrics: BTreeMap::new(),
        differences: BTreeMap::new(),
        numbers: BTreeMap::new(),
        checks: Vec::new(),
        retrieval: Vec::new(),
        scope: Vec::new(),
        replies: Vec::new(),
    };
    match suite.measure {
        Measure::Retrieval => {
            let answerable: Vec<&Question> = questions.iter().filter(|q| q.kind == Kind::Answerable).collect();
            let shared = answerable.iter().filter(|q| q.shares_words()).count();
            report.numbers.insert(
                "questions sharing a word with the heading".into(),
                shared as f64 / answerable.len().max(1) as f64,
            );
            ranks(&mut report, retrieval::measure(ports, &answerable, progress).await?);
        }
        Measure::Grading => grading::measure(ports, &mut report, progress).await?,
        Measure::Quiz => quiz::measure(ports, &mut report).await?,
        Measure::Replies => replies::measure(&mut report).await?,
        Measure::Recommendation => recommendation::measure(ports, &mut report).await?,
        Measure::Scope => judgements(&mut report, scope::measure(ports, questions, progress).await?),
    }
    check(suite, &mut report);
    Ok(report)
}

fn ranks(report: &mut SuiteReport, mut samples: Vec<retrieval::Sample>) {
    for metric in METRICS {
        let values = |method: &str| samples.iter().map(|s| s.metric(method, metric)).collect::<Vec<_>>();
        let ours = values("ours");
        for method in METHODS {
            report.metrics.insert(format!("{method}.{metric}"), stats::mean(&values(method)));
        }
        for method in METHODS.iter().skip(1) {
            report
                .differences
                .insert(format!("ours.{metric} - {method}.{metric}"), stats::difference(&ours, &values(method)));
        }
    }
    latency(report, samples.iter().map(|s| s.milliseconds).collect());
    samples.sort_by_key(|s| (std::cmp::Reverse(s.first("ours").unwrap_or(usize::MAX)), s.id.clone()));
    report.retrieval = samples;
}

fn judgements(report: &mut SuiteReport, mut samples: Vec<scope::Sample>) {
    let of = |kind: Kind| samples.iter().filter(move |s| s.kind == kind.name());
    for kind in [Kind::Answerable, Kind::Far, Kind::Near] {
        let verb = if kind == Kind::Answerable { "kept" } else { "declined" };
        let right: Vec<f64> = of(kind).map(|s| f64::from(u8::from(s.right()))).collect();
        report.metrics.insert(format!("{verb}.{}", kind.name()), stats::mean(&right));
    }
    let answered: Vec<f64> =
        of(Kind::Answerable).map(|s| f64::from(u8::from(s.outcome == domain::tutor::Outcome::Answered))).collect();
    report.metrics.insert("answered.answerable".into(), stats::mean(&answered));
    let values = |kind: Kind, value: fn(&scope::Sample) -> f64| of(kind).map(value).collect::<Vec<_>>();
    for (name, value) in [("gate", (|s| s.coverage) as fn(&scope::Sample) -> f64), ("cosine", |s| s.cosine)] {
        let own = values(Kind::Answerable, value);
        let (far, near) = (values(Kind::Far, value), values(Kind::Near, value));
        let all: Vec<f64> = far.iter().chain(&near).copied().collect();
        for (which, others) in [("all", &all), ("far", &far), ("near", &near)] {
            report.numbers.insert(format!("area under the curve, {name}, {which}"), stats::auc(&own, others));
        }
    }
    latency(report, samples.iter().map(|s| s.milliseconds).collect());
    samples.sort_by_key(|s| (s.right(), s.kind, s.id.clone()));
    report.scope = samples;
}

fn latency(report: &mut SuiteReport, mut milliseconds: Vec<f64>) {
    milliseconds.sort_by(f64::total_cmp);
    report.numbers.insert("milliseconds, p50".into(), stats::percentile(&milliseconds, 0.5));
    report.numbers.insert("milliseconds, p95".into(), stats::percentile(&milliseconds, 0.95));
}

fn check(suite: &Suite, report: &mut SuiteReport) {
    let value = |name: &str| report.metrics.get(name).map(|interval| interval.value);
    let mut checks = Vec::new();
    // What needs data that was not given is not measured, and not broken.
    let brought = suite.floors_with_data.iter().filter(|(name, _)| value(name).is_some());
    for (name, least) in suite.floors.iter().chain(brought) {
        let found = value(name);
        let holds = found.is_some_and(|value| value >= *least);
        checks.push(Check {
            rule: format!("{name} at least {least}"),
            value: found.unwrap_or_default(),
            least: *least,
            holds,
        });
    }
    for (name, others) in &suite.ahead {
        for other in others {
            let (ours, theirs) = (value(name), value(other));
            let holds = ours.zip(theirs).is_some_and(|(ours, theirs)| ours > theirs);
            checks.push(Check {
                rule: format!("{name} ahead of {other}"),
                value: ours.unwrap_or_default(),
                least: theirs.unwrap_or_default(),
                holds,
            });
        }
    }
    report.checks = checks;
}
