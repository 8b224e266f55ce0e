//! Which of many questions make a set: several types, spread over lessons, nothing asked twice.

use std::collections::{HashMap, HashSet};

use domain::text;

use super::{Kind, Made, Passage, mix};

/// Share of each type in a set, as far as the course gives it.
const SHARES: &[(&str, f64)] = &[
    ("one", 0.5),
    ("truth", 0.08),
    ("cloze", 0.12),
    ("short", 0.12),
    ("matching", 0.11),
    ("ordering", 0.05),
    ("numeric", 0.02),
];
/// What each further question of one lesson is worth less.
const CROWDED: f64 = 0.22;
/// Most questions of one type and one document.
const MOST_ALIKE: usize = 2;
/// Likewise for multiple choice, of which a document gives the most.
const MOST_CHOICES: usize = 4;
/// Token overlap from which two questions are the same.
const SAME: f64 = 0.6;
/// Questions worth less are left out rather than offered.
const LEAST: f64 = 0.85;

pub(crate) fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::One(_) => "one",
        Kind::Truth { .. } => "truth",
        Kind::Cloze { .. } => "cloze",
        Kind::Short { .. } => "short",
        Kind::Matching(_) => "matching",
        Kind::Ordering(_) => "ordering",
        Kind::Numeric { .. } => "numeric",
    }
}

/// The stems of everything that a question shows or asks for.
pub(crate) fn tokens(made: &Made) -> HashSet<String> {
    let mut words = made.stem.clone();
    match &made.kind {
        Kind::One(options) => {
            for option in options.iter().filter(|option| option.right) {
                words.push(' ');
                words.push_str(&option.text);
            }
        }
        Kind::Cloze { before, after, accepted } => {
            words = format!("{before} {} {after}", accepted.first().map(String::as_str).unwrap_or_default());
        }
        Kind::Short { accepted } => {
            words.push_str(&format!(" {}", accepted.first().map(String::as_str).unwrap_or_default()))
        }
        Kind::Matching(pairs) => words.extend(pairs.iter().map(|(a, b)| format!(" {a} {b}"))),
        Kind::Ordering(steps) => words.extend(steps.iter().map(|step| format!(" {step}"))),
        Kind::Truth { .. } | Kind::Numeric { .. } => {}
    }
    text::terms(&words).into_iter().collect()
}

pub(crate) fn jaccard(a: &HashSet<String>, b: &HashSet<String>) -> f64 {
    a.intersection(b).count() as f64 / a.union(b).count().max(1) as f64
}

/// Up to `count` questions, best first within each type.
pub(crate) fn select(
    made: Vec<Made>,
    passages: &[Passage],
    known: &[HashSet<String>],
    count: usize,
    seed: u64,
) -> Vec<Made> {
    let place = |made: &Made| passages.get(made.passage).map(|p| p.source_path.clone()).unwrap_or_default();
    let mut pool: Vec<(Made, HashSet<String>)> = made
        .into_iter()
        .filter(|one| one.worth >= LEAST)
        .map(|one| {
            let tokens = tokens(&one);
            (one, tokens)
        })
        .filter(|(_, tokens)| !known.iter().any(|other| jaccard(tokens, other) >= SAME))
        .collect();
    pool.sort_by_key(|(one, _)| mix(seed, &one.stem));
    let mut chosen: Vec<(Made, HashSet<String>)> = Vec::new();
    let mut crowd: HashMap<String, usize> = HashMap::new();
    let mut have: HashMap<&str, usize> = HashMap::new();
    let mut empty: HashSet<&str> = HashSet::new();
    let mut alike: HashMap<(String, &str), usize> = HashMap::new();
    let places = pool.iter().map(|(one, _)| place(one)).collect::<HashSet<_>>().len().max(1);
    // A course of one lesson has nowhere to spread to.
    let most_alike = MOST_ALIKE.max(count.div_ceil(places));
    while chosen.len() < count {
        let lacking =
            |name: &str, share: f64| share * (chosen.len() + 1) as f64 - have.get(name).copied().unwrap_or(0) as f64;
        let next = SHARES
            .iter()
            .filter(|(name, _)| !empty.contains(name))
            .max_by(|a, b| lacking(a.0, a.1).total_cmp(&lacking(b.0, b.1)).then(b.0.cmp(a.0)));
        let Some((name, _)) = next else { break };
        let score = |one: &Made| one.worth - CROWDED * crowd.get(&place(one)).copied().unwrap_or(0) as f64;
        let best = pool
            .iter()
            .enumerate()
            .filter(|(_, (one, _))| kind_name(&one.kind) == *name)
            .max_by(|a, b| score(&a.1.0).total_cmp(&score(&b.1.0)).then(b.0.cmp(&a.0)))
            .map(|(at, _)| at);
        let Some(at) = best else {
            empty.insert(name);
            continue;
        };
        let (one, tokens) = pool.remove(at);
        let twice = chosen.iter().any(|(other, theirs)| {
            other.about == one.about
                || other.passage == one.passage && other.span == one.span
                || jaccard(&tokens, theirs) >= SAME
        });
        let same = alike.entry((place(&one), *name)).or_default();
        let most = if *name == "one" { most_alike.max(MOST_CHOICES) } else { most_alike };
        if twice || *same >= most {
            continue;
        }
        *same += 1;
        *crowd.entry(place(&one)).or_default() += 1;
        *have.entry(name).or_default() += 1;
        chosen.push((one, tokens));
    }
    chosen.into_iter().map(|(one, _)| one).collect()
}
