//! What is measured of an answer beside one reference: numbers between 0 and 1, by words alone and with vectors.

use std::collections::{BTreeSet, HashSet};

use domain::text::sentences;

use super::language::{self, Token, forgive, in_order, numbers, opposed, tokens, topics, turned};
use super::vectors::Vectors;

/// Names of what [`super::cold::WORDS`] weighs, in its order.
pub const WORDS: [&str; 14] = [
    "recall of what was asked for",
    "words in the same order",
    "precision",
    "overlap",
    "overlap, negated differently",
    "overlap, length",
    "letters",
    "asked for, turned",
    "opposite",
    "negated",
    "numbers",
    "missing",
    "brevity",
    "further references",
];
/// Names of what [`super::cold::EMBEDDING`] weighs, in its order.
pub const EMBEDDING: [&str; 17] = [
    "recall of what was asked for",
    "words in the same order",
    "meaning by sentence",
    "recall by meaning",
    "precision by meaning",
    "recall by meaning, by sentence",
    "precision by meaning, numbers",
    "precision by meaning, length",
    "overlap, negated differently",
    "asked for, turned",
    "opposite",
    "opposite, negated differently",
    "negated",
    "missing",
    "letters",
    "brevity",
    "further references",
];
/// Missing terms beyond this many count no more.
const MOST_MISSING: usize = 6;
/// Further references beyond this many count no more.
const MOST_FURTHER: usize = 4;

/// A text, taken apart once.
#[derive(Debug, Clone)]
pub(super) struct Text<'t> {
    text: &'t str,
    tokens: Vec<Token>,
}

impl<'t> Text<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        Self { text, tokens: tokens(text) }
    }

    pub(super) fn topics(&self) -> BTreeSet<&str> {
        topics(&self.tokens)
    }
}

/// An answer beside one reference.
#[derive(Debug, Clone)]
pub(super) struct Compared {
    /// What the weights apply to.
    pub(super) inputs: Vec<f64>,
    /// Whether it has nothing of the reference.
    pub(super) nothing: bool,
}

/// Cosine below which an answer without a word of the reference has nothing of it.
const NEAR: f64 = 0.35;

/// Compares an answer with one of `references`: the more there are, the easier one of them is met by chance.
pub(super) fn compare(
    question: &Text,
    reference: &Text,
    references: usize,
    answer: &Text,
    vectors: Option<&Vectors>,
) -> Compared {
    let known: BTreeSet<String> =
        reference.tokens.iter().chain(&question.tokens).map(|token| token.stem.clone()).collect();
    let mut said = answer.tokens.clone();
    forgive(&mut said, &known);
    let (given, theirs, asked) = (topics(&said), reference.topics(), question.topics());
    let new: BTreeSet<&str> = theirs.difference(&asked).copied().collect();
    let wanted = if new.is_empty() { theirs.clone() } else { new };
    let beyond: BTreeSet<&str> = given.difference(&asked).copied().collect();

    let recall = part(theirs.intersection(&given).count(), theirs.len());
    let found = part(wanted.intersection(&given).count(), wanted.len());
    let overlap = part(2 * theirs.intersection(&given).count(), theirs.len() + given.len());
    let order = part(2 * in_order(&said, &reference.tokens), said.len() + reference.tokens.len());
    let missing = part(wanted.difference(&given).count().min(MOST_MISSING), MOST_MISSING);
    let negated = language::negated(&said);
    let differently = truth(negated != language::negated(&reference.tokens));
    let (ours, whole): (BTreeSet<&str>, BTreeSet<&str>) =
        (said.iter().map(|t| t.stem.as_str()).collect(), reference.tokens.iter().map(|t| t.stem.as_str()).collect());
    let opposite = truth(opposed(&ours, &whole));
    let length = (part(said.len(), reference.tokens.len().max(1)).min(2.0)) / 2.0;
    let brevity = 1.0 / (1.0 + count(said.len()));
    let choice = part(references.saturating_sub(1).min(MOST_FURTHER), MOST_FURTHER);
    let letters = letters(answer, reference);
    let turned = found * turned_share(&said, &reference.tokens);
    let numbers = agreement(&numbers(&said), &numbers(&reference.tokens), &numbers(&question.tokens));

    let Some(vectors) = vectors else {
        let precision = part(beyond.intersection(&wanted).count(), beyond.len());
        let inputs = vec![
            found,
            order,
            precision,
            overlap,
            overlap * differently,
            overlap * length,
            letters,
            turned,
            opposite,
            truth(negated),
            numbers,
            missing,
            brevity,
            choice,
        ];
        return Compared { inputs, nothing: recall <= 0.0 };
    };
    let meaning = vectors.cosine(answer.text, reference.text).max(0.0);
    let by_sentence = by_sentence(answer.text, reference.text, vectors);
    let soft_recall = soft(&reference.tokens, &wanted, &said, &given, vectors);
    let own = if beyond.is_empty() { &given } else { &beyond };
    let soft_precision = soft(&said, own, &reference.tokens, &theirs, vectors);
    let inputs = vec![
        found,
        order,
        by_sentence,
        soft_recall,
        soft_precision,
        soft_recall * by_sentence,
        soft_precision * numbers,
        soft_precision * length,
        overlap * differently,
        turned,
        opposite,
        opposite * differently,
        truth(negated),
        missing,
        letters,
        brevity,
        choice,
    ];
    Compared { inputs, nothing: recall <= 0.0 && meaning < NEAR }
}

pub(super) fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// `of` as a share of `whole`; 0 of nothing.
pub(super) fn part(of: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { count(of) / count(whole) }
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// The share of the reference's letter triples that the answer has.
fn letters(answer: &Text, reference: &Text) -> f64 {
    let triples = |text: &Text| -> HashSet<[char; 3]> {
        let mut line = vec![' '];
        for token in &text.tokens {
            line.extend(token.word.chars());
            line.push(' ');
        }
        line.windows(3).filter_map(|three| three.try_into().ok()).collect()
    };
    let (ours, theirs) = (triples(answer), triples(reference));
    part(theirs.intersection(&ours).count(), theirs.len())
}

/// The share of the common topics that are negated in one text only.
fn turned_share(said: &[Token], reference: &[Token]) -> f64 {
    let (ours, theirs) = (turned(said), turned(reference));
    let common: BTreeSet<&str> = topics(said).intersection(&topics(reference)).copied().collect();
    let agrees = |stem: &&&str| {
        [true, false].iter().any(|way| ours.contains(&(**stem, *way)) && theirs.contains(&(**stem, *way)))
    };
    part(common.len() - common.iter().filter(agrees).count(), common.len())
}

/// How many of the reference's numbers the answer has; where it has none, whether the answer brings its own.
fn agreement(ours: &BTreeSet<&str>, theirs: &BTreeSet<&str>, asked: &BTreeSet<&str>) -> f64 {
    if theirs.is_empty() {
        truth(ours.difference(asked).next().is_none())
    } else {
        part(theirs.intersection(ours).count(), theirs.len())
    }
}

/// The mean, over the reference's sentences, of the nearest sentence of the answer.
fn by_sentence(answer: &str, reference: &str, vectors: &Vectors) -> f64 {
    let spans = |text| sentences(text).into_iter().map(move |(start, end): (usize, usize)| (start, end));
    let ours: Vec<&str> = spans(answer).filter_map(|(start, end)| answer.get(start..end)).collect();
    let nearest: Vec<f64> = spans(reference)
        .filter_map(|(start, end)| reference.get(start..end))
        .map(|theirs| ours.iter().map(|our| vectors.cosine(our, theirs)).fold(0.0, f64::max))
        .collect();
    nearest.iter().sum::<f64>() / count(nearest.len().max(1))
}

/// The mean, over some topics, of the nearest topic of the other text: 1 for the same, the cosine of the words else.
fn soft(of: &[Token], wanted: &BTreeSet<&str>, others: &[Token], have: &BTreeSet<&str>, vectors: &Vectors) -> f64 {
    let mut seen = BTreeSet::new();
    let theirs: Vec<&[f32]> =
        others.iter().filter(|token| token.topic).filter_map(|token| vectors.get(&token.word)).collect();
    let mut sum = 0.0;
    for token in of.iter().filter(|token| wanted.contains(token.stem.as_str())) {
        if !seen.insert(token.stem.as_str()) {
            continue;
        }
        sum += if have.contains(token.stem.as_str()) {
            1.0
        } else {
            let nearest =
                |ours| theirs.iter().map(|other| f64::from(crate::retrieve::dot(ours, other))).fold(0.0, f64::max);
            vectors.get(&token.word).map_or(0.0, nearest)
        };
    }
    sum / count(wanted.len().max(1))
}
