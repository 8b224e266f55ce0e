//! The report as Markdown, for a pull request.

use std::fmt::Write as _;

use crate::run::{Report, SuiteReport};

/// Misses that are listed.
const MISSES: usize = 20;

/// The whole report.
#[must_use]
pub fn text(report: &Report) -> String {
    let mut out = format!("# Evaluation: {}\n\n", if report.passed { "passed" } else { "failed" });
    for (name, value) in &report.about {
        let _ = writeln!(out, "- {name}: {value}");
    }
    for suite in &report.suites {
        section(&mut out, suite);
    }
    out
}

// Writing to a string cannot fail, so the results below carry nothing.
fn section(out: &mut String, suite: &SuiteReport) {
    let _ = writeln!(out, "\n## {}\n\n{}\n", suite.name, suite.about);
    let _ = writeln!(out, "| check | value | least | |\n|---|---|---|---|");
    for check in &suite.checks {
        let _ = writeln!(
            out,
            "| {} | {:.3} | {:.3} | {} |",
            check.rule,
            check.value,
            check.least,
            if check.holds { "holds" } else { "**broken**" }
        );
    }
    let _ = writeln!(out, "\n| metric | mean | 95 % | n |\n|---|---|---|---|");
    for (name, i) in suite.metrics.iter().chain(&suite.differences) {
        let _ = writeln!(out, "| {name} | {:.3} | {:.3} to {:.3} | {} |", i.value, i.low, i.high, i.n);
    }
    let _ = writeln!(out, "\n| number | |\n|---|---|");
    for (name, value) in &suite.numbers {
        let _ = writeln!(out, "| {name} | {value:.3} |");
    }
    let missed: Vec<String> = misses(suite);
    let _ = writeln!(out, "\n### Misses ({})\n", missed.len());
    for line in missed.iter().take(MISSES) {
        let _ = writeln!(out, "- {line}");
    }
}

/// One line for each question that went wrong: not found within five, or misjudged.
pub(super) fn misses(suite: &SuiteReport) -> Vec<String> {
    let ranks = suite.retrieval.iter().filter(|s| s.first("ours").is_none_or(|rank| rank > 5)).map(|s| {
        let rank = s.first("ours").map_or_else(|| "not among ten".to_owned(), |rank| format!("rank {rank}"));
        format!(
            "{} \u{201c}{}\u{201d}: {rank}; wanted {}; first was {}",
            s.id,
            s.question,
            s.gold.join(" or "),
            s.found.first().map_or("nothing", String::as_str)
        )
    });
    let judged = suite.scope.iter().filter(|s| !s.right()).map(|s| {
        format!("{} ({}) \u{201c}{}\u{201d}: {:?}, coverage {:.2}", s.id, s.kind, s.question, s.outcome, s.coverage)
    });
    let replies = suite.replies.iter().filter(|s| s.good != s.shown).map(|s| {
        let verdict = s.reason.as_ref().map_or_else(|| "shown".to_owned(), |reason| format!("held back: {reason}"));
        format!("{} ({}) {}: {verdict}", s.id, s.kind, s.note)
    });
    ranks.chain(judged).chain(replies).collect()
}
