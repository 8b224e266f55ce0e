//! The table for people and the last line for machines.

use serde_json::{Map, Value, json};

use crate::gates::Verdict;
use crate::plan::{DIRECT, OURS, Target};
use crate::rounds::{Figures, quantile};

/// Medians of the per-round ratios of two rows of figures.
type Ratio = fn(&Figures, &Figures, &Figures) -> Vec<f64>;

/// The goals of the product: name, peer, how the ratio is made, goal, which way is better.
const GOALS: [(&str, &str, Ratio, f64, &str); 6] = [
    ("added_latency_vs_smg", "smg", added_latency, 0.5, "lower"),
    ("added_latency_vs_litellm", "litellm", added_latency, 0.02, "lower"),
    ("rps16_vs_smg", "smg", rate, 2.0, "higher"),
    ("rps16_vs_litellm", "litellm", rate, 80.0, "higher"),
    ("memory_vs_smg", "smg", memory, 1.0, "lower"),
    ("ttft_vs_smg", "smg", first_byte, 0.7, "lower"),
];

fn added_latency(direct: &Figures, ours: &Figures, peer: &Figures) -> Vec<f64> {
    added(&direct.median, &ours.median, &peer.median)
}

fn first_byte(direct: &Figures, ours: &Figures, peer: &Figures) -> Vec<f64> {
    added(&direct.first_byte, &ours.first_byte, &peer.first_byte)
}

fn rate(_: &Figures, ours: &Figures, peer: &Figures) -> Vec<f64> {
    ours.rate.iter().zip(&peer.rate).map(|(ours, peer)| ours / peer).collect()
}

fn memory(_: &Figures, ours: &Figures, peer: &Figures) -> Vec<f64> {
    ours.memory.zip(peer.memory).map(|(ours, peer)| ours as f64 / peer as f64).into_iter().collect()
}

fn added(direct: &[f64], ours: &[f64], peer: &[f64]) -> Vec<f64> {
    direct.iter().zip(ours).zip(peer).map(|((direct, ours), peer)| (ours - direct) / (peer - direct)).collect()
}

/// Prints all of it.
pub(crate) fn print(targets: &[Target], verdicts: &[Verdict], figures: &[Figures]) {
    let find = |name: &str| targets.iter().position(|target| target.name == name).and_then(|at| figures.get(at));
    let Some(direct) = find(DIRECT) else { return };
    table(targets, verdicts, figures, direct);
    for (target, figures) in targets.iter().zip(figures) {
        if figures.failed > 0 {
            let first = figures.failure.as_deref().unwrap_or_default();
            println!("{}: {} of {} requests failed, the first: {first}", target.name, figures.failed, figures.sent);
        }
        if figures.upstream < figures.sent {
            println!("{}: the upstream saw {} of {} requests", target.name, figures.upstream, figures.sent);
        }
    }
    let ours = targets.iter().zip(verdicts).zip(figures).find(|((target, _), _)| target.name == OURS);
    let correct = ours.is_some_and(|((target, verdict), figures)| {
        !target.stand_in && verdict.correct() && figures.failed == 0 && figures.upstream >= figures.sent
    });
    if let Some(((target, _), _)) = ours
        && target.stand_in
    {
        println!("ours is a stand-in: this run tries the harness and says nothing about the product");
    }
    println!("\nours against peers: median of the per-round ratios (least to most)");
    let mut ratios = Map::new();
    for (name, peer, make, goal, better) in GOALS {
        let mut values = match (ours, find(peer)) {
            (Some((_, ours)), Some(peer)) => make(direct, ours, peer),
            _ => Vec::new(),
        };
        values.retain(|value| value.is_finite());
        values.sort_by(f64::total_cmp);
        let value = quantile(&values, 0.5);
        let met = if better == "lower" { value <= goal } else { value >= goal };
        if values.is_empty() {
            println!("  {name:<26} not measured: {peer} or ours is missing");
        } else {
            println!(
                "  {name:<26} {value:>8.3} ({:.3} to {:.3}), goal {} {goal}: {}",
                quantile(&values, 0.0),
                quantile(&values, 1.0),
                if better == "lower" { "at most" } else { "at least" },
                if met { "met" } else { "MISSED" },
            );
        }
        let value = if value.is_finite() { json!((value * 1e4).round() / 1e4) } else { Value::Null };
        ratios.insert(name.to_owned(), json!({"value": value, "goal": goal, "better": better}));
    }
    if let (Some(floor), Some(smg)) = (find("floor"), find("smg")) {
        let floor = median(&added(&direct.median, &floor.median, &smg.median));
        println!("  bytes passed on unread, without any gateway, add {floor:.3} of what smg adds");
    }
    if !correct {
        println!("A gate failed, or ours was not there: the ratios are void.");
    }
    println!("{}", json!({"bench": "gateway", "correct": correct, "ratios": ratios}));
}

fn table(targets: &[Target], verdicts: &[Verdict], figures: &[Figures], direct: &Figures) {
    println!("\nmedians of the rounds; us = microseconds; CPU is user and system time of the gateway alone");
    let names =
        ["added us", "p99 us", "ttft+ us", "CPU us", "rps c=16", "p99 us", "CPU us", "SSE/s 16", "RSS MiB", "gates"];
    println!("{:<12} {}  on", "", names.map(|name| format!("{name:>9}")).join(" "));
    for ((target, verdict), row) in targets.iter().zip(verdicts).zip(figures) {
        println!(
            "{:<12} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}  {}",
            target.name,
            shown(median(&above(&row.median, &direct.median)), 1),
            shown(median(&row.p99), 0),
            shown(median(&above(&row.first_byte, &direct.first_byte)), 1),
            shown(row.cpu.each(), 1),
            shown(median(&row.rate), 0),
            shown(median(&row.rate_p99), 0),
            shown(row.cpu_wide.each(), 1),
            shown(median(&row.streams), 0),
            row.memory.map_or("-".to_owned(), |kib| format!("{:.0}", kib as f64 / 1024.0)),
            if verdict.correct() && row.failed == 0 { "ok" } else { "FAILED" },
            target.features,
        );
    }
    println!("direct: median {:.1} us, first byte {:.1} us\n", median(&direct.median), median(&direct.first_byte));
}

fn above(row: &[f64], direct: &[f64]) -> Vec<f64> {
    row.iter().zip(direct).map(|(row, direct)| row - direct).collect()
}

fn shown(value: f64, digits: usize) -> String {
    if value.is_finite() { format!("{value:.digits$}") } else { "-".to_owned() }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    quantile(&sorted, 0.5)
}
