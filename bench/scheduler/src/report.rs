//! The table for people and the last line for machines.

use serde_json::{Map, Value, json};

use crate::measure::{median, percentile};
use crate::replay::Played;

/// The ratios, what they should be, and which way is better.
const GOALS: [(&str, f64, &str); 6] = [
    ("loads_vs_fifo", 0.35, "lower"),
    ("latency_vs_fifo", 0.5, "lower"),
    ("light_p95_vs_alone", 1.3, "lower"),
    ("gap_vs_vtc", 1.0, "lower"),
    ("goodput_vs_fifo", 2.0, "higher"),
    ("prefill_vs_round_robin", 0.5, "lower"),
];

/// Faults that are shown; the rest is counted.
const FAULTS_SHOWN: usize = 20;

/// What one seed of one scenario gave.
#[derive(Debug, Default)]
pub struct Seed {
    number: u64,
    figures: Vec<(String, f64)>,
    ratios: Vec<(&'static str, f64)>,
    faults: Vec<String>,
}

impl Seed {
    /// Nothing measured yet.
    pub fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    /// Something worth knowing that has no goal.
    pub fn figure(&mut self, name: impl Into<String>, value: f64) {
        self.figures.push((name.into(), value));
    }

    /// One of the ratios.
    pub fn ratio(&mut self, name: &'static str, value: f64) {
        self.ratios.push((name, value));
    }

    /// Takes over what went wrong in a run.
    pub fn faults(&mut self, run: &str, played: &Played) {
        self.faults.extend(played.faults.iter().map(|fault| format!("{run}, seed {}: {fault}", self.number)));
    }

    /// Takes over what went wrong in a run of ours, if there was one.
    pub fn faults_of_ours(&mut self, run: &str, played: Option<&Played>) {
        if let Some(played) = played {
            self.faults(&format!("{run}, ours"), played);
        }
    }

    /// Notes that the run itself could not be made.
    pub fn broken(number: u64, reason: String) -> Self {
        Self { number, faults: vec![reason], ..Self::default() }
    }
}

/// Prints the table and the line; tells whether everything was correct.
pub fn print(seeds: &[Seed], with_ours: bool) -> bool {
    let figures =
        grouped(seeds.iter().flat_map(|seed| seed.figures.iter().map(|(name, value)| (name.as_str(), *value))));
    let ratios = grouped(seeds.iter().flat_map(|seed| seed.ratios.iter().copied()));
    println!("{:<62} {:>10} {:>10} {:>10}  seeds", "times in seconds of the simulated world", "min", "median", "max");
    for (name, mut values) in figures {
        row(name, &mut values, "");
    }
    println!();
    let mut line = Map::new();
    for (name, goal, better) in GOALS {
        let values = ratios.iter().find(|(ratio, _)| *ratio == name).map(|(_, values)| values.clone());
        let Some(mut values) = values else { continue };
        let middle = median(&mut values);
        let reached = if better == "lower" { middle <= goal } else { middle >= goal };
        row(name, &mut values, &format!("goal {goal} {better}: {}", if reached { "reached" } else { "MISSED" }));
        line.insert(name.to_owned(), json!({"value": rounded(middle), "goal": goal, "better": better}));
    }
    let faults: Vec<&String> = seeds.iter().flat_map(|seed| &seed.faults).collect();
    for fault in faults.iter().take(FAULTS_SHOWN) {
        println!("fault: {fault}");
    }
    if faults.len() > FAULTS_SHOWN {
        println!("and {} more faults", faults.len() - FAULTS_SHOWN);
    }
    let correct = faults.is_empty();
    println!("every accepted request ended once with its own text: {}", if correct { "yes" } else { "NO" });
    if !with_ours {
        println!("ours did not run: what stands under its name is the stand-in");
    }
    println!("{}", json!({"bench": "scheduler", "correct": correct && with_ours, "ratios": Value::Object(line)}));
    correct
}

fn row(name: &str, values: &mut [f64], end: &str) {
    let count = values.len();
    let (least, middle, most) = (percentile(values, 0.0), median(values), percentile(values, 1.0));
    println!("{name:<62} {least:>10.3} {middle:>10.3} {most:>10.3}  {count:>5}  {end}");
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// Values by name, names in the order in which they first come.
fn grouped<'a>(values: impl Iterator<Item = (&'a str, f64)>) -> Vec<(&'a str, Vec<f64>)> {
    let mut groups: Vec<(&str, Vec<f64>)> = Vec::new();
    for (name, value) in values {
        match groups.iter_mut().find(|(group, _)| *group == name) {
            Some((_, group)) => group.push(value),
            None => groups.push((name, vec![value])),
        }
    }
    groups
}
