//! The report as one page that needs nothing from anywhere: styles and plots are inside.

use std::fmt::Write as _;

use super::plot;
use crate::run::{Report, SuiteReport};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}\
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .75rem;border-bottom:1px solid #ddd;text-align:left}\
td.n{text-align:right;font-variant-numeric:tabular-nums}.ok{color:#1d6b2f}.bad{color:#a4161a;font-weight:700}\
svg{max-width:100%;height:auto;font:12px system-ui,sans-serif}svg .v{fill:#fff}details{margin:.5rem 0}summary{cursor:pointer}";

/// The whole page.
#[must_use]
pub fn page(report: &Report) -> String {
    let state = if report.passed { "passed" } else { "failed" };
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Evaluation: {state}</title><style>{STYLE}</style></head><body><h1>Evaluation: <span class=\"{}\">{state}</span></h1><ul>",
        if report.passed { "ok" } else { "bad" }
    );
    // Writing to a string cannot fail, so the results below carry nothing.
    for (name, value) in &report.about {
        let _ = write!(out, "<li>{}: {}</li>", escaped(name), escaped(value));
    }
    out.push_str("</ul>");
    for suite in &report.suites {
        section(&mut out, suite);
    }
    out.push_str("</body></html>\n");
    out
}

fn section(out: &mut String, suite: &SuiteReport) {
    let _ = write!(
        out,
        "<h2>{}</h2><p>{}</p><table><tr><th>Check</th><th>Value</th><th>Least</th><th></th></tr>",
        escaped(&suite.name),
        escaped(&suite.about)
    );
    for check in &suite.checks {
        let (class, word) = if check.holds { ("ok", "holds") } else { ("bad", "broken") };
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"n\">{:.3}</td><td class=\"n\">{:.3}</td><td class=\"{class}\">{word}</td></tr>",
            escaped(&check.rule),
            check.value,
            check.least
        );
    }
    out.push_str("</table>");
    let misses = super::markdown::misses(suite);
    let _ = write!(out, "<h3>Misses ({})</h3><ul>", misses.len());
    for miss in &misses {
        let _ = write!(out, "<li>{}</li>", escaped(miss));
    }
    out.push_str("</ul>");
    plots(out, suite);
    out.push_str("<h3>Numbers</h3><table><tr><th>Metric</th><th>Mean</th><th>95 % interval</th><th>n</th></tr>");
    for (name, i) in suite.metrics.iter().chain(&suite.differences) {
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"n\">{:.3}</td><td class=\"n\">{:.3} to {:.3}</td><td class=\"n\">{}</td></tr>",
            escaped(name),
            i.value,
            i.low,
            i.high,
            i.n
        );
    }
    for (name, value) in &suite.numbers {
        let _ = write!(out, "<tr><td>{}</td><td class=\"n\">{value:.3}</td><td></td><td></td></tr>", escaped(name));
    }
    out.push_str("</table>");
    samples(out, suite);
}

fn plots(out: &mut String, suite: &SuiteReport) {
    if !suite.retrieval.is_empty() {
        for metric in ["recall@5", "mrr", "ndcg@10"] {
            let rows: Vec<_> = crate::retrieval::METHODS
                .iter()
                .filter_map(|method| {
                    suite.metrics.get(&format!("{method}.{metric}")).map(|i| ((*method).to_owned(), *i))
                })
                .collect();
            let _ = write!(out, "<h3>{metric}</h3>{}", plot::bars(metric, &rows));
        }
    }
    if !suite.scope.is_empty() {
        let of = |kind: &str| suite.scope.iter().filter(|s| s.kind == kind).map(|s| s.coverage).collect::<Vec<_>>();
        let groups = [("answerable", of("answerable")), ("near", of("near")), ("far", of("far"))];
        let _ = write!(
            out,
            "<h3>Coverage by kind of question</h3>{}",
            plot::histograms("Coverage by kind of question", &groups)
        );
    }
}

fn samples(out: &mut String, suite: &SuiteReport) {
    let _ =
        write!(out, "<details><summary>All {} questions</summary><table>", suite.retrieval.len() + suite.scope.len());
    for s in &suite.retrieval {
        let rank = |method| s.first(method).map_or_else(|| "\u{2013}".to_owned(), |rank| rank.to_string());
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>ours {}</td><td>bm25 {}</td><td>vectors {}</td></tr>",
            escaped(&s.id),
            escaped(&s.question),
            rank("ours"),
            rank("bm25"),
            rank("vectors")
        );
    }
    for s in &suite.scope {
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:?}</td><td class=\"n\">{:.3}</td></tr>",
            escaped(&s.id),
            escaped(&s.question),
            s.kind,
            s.outcome,
            s.coverage
        );
    }
    out.push_str("</table></details>");
}

/// Text as it may stand in a page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
