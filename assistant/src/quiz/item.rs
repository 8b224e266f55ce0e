//! From what was made to a question of the bank: body, source, hints, lint.

use std::collections::HashSet;

use domain::Locator;
use domain::question::lint::{self, Rule, Seen};
use domain::question::{
    Bloom, Body, Choice, Cloze, Draft, Matching, MultipleChoice, Numeric, Ordering, Origin, OriginKind, ShortAnswer,
    Source, TrueFalse,
};

use super::words::upper_first;
use super::{Kind, Made, Passage, mix, prompt};

/// Shown where a learner fills something in.
const GAP: &str = "____";

/// The Bloom level of that spelling.
pub(super) fn bloom_of(text: &str) -> Option<Bloom> {
    serde_json::from_value(serde_json::Value::String(text.to_lowercase())).ok()
}

/// The question of the bank, or the hard flaw that forbids it.
pub(crate) fn item(made: &Made, passages: &[Passage], model: Option<&str>, seed: u64) -> Result<Draft, Rule> {
    let source = source(made, passages).ok_or(Rule::QuoteNotFound)?;
    let passage = passages.get(made.passage).ok_or(Rule::QuoteNotFound)?;
    let seen = seen(made, &source.quote, &passage.chunk.text);
    let found = lint::lint(&seen.view());
    if let Some(rule) = found.iter().find(|rule| rule.hard()) {
        return Err(*rule);
    }
    let body = body(made, seed);
    let mut flaws = body.flaws(&made.stem);
    flaws.extend(found.into_iter().map(Rule::flaw));
    if flaws.iter().any(|flaw| flaw.hard) {
        return Err(Rule::KeyMissing);
    }
    let origin = if made.generated {
        Origin {
            kind: OriginKind::Generated,
            model: model.map(str::to_owned),
            prompt_version: Some(prompt::VERSION.to_owned()),
        }
    } else {
        Origin::of(OriginKind::Extract)
    };
    Ok(Draft {
        lesson: passage.lesson,
        stem: made.stem.clone(),
        body,
        hints: hints(made, &source),
        source: Some(source),
        bloom: Some(made.bloom.unwrap_or_else(|| bloom(&made.kind))),
        difficulty: Some(difficulty(made)),
        origin,
        lint: flaws,
    })
}

/// The quoted words with the place of the sentences that they lie in.
fn source(made: &Made, passages: &[Passage]) -> Option<Source> {
    let passage = passages.get(made.passage)?;
    let quote = passage.chunk.text.get(made.span.clone())?.to_owned();
    let inside = passage.chunk.sentences.iter().filter(|s| s.start < made.span.end && made.span.start < s.end);
    let locator = inside.map(|s| s.locator).reduce(Locator::union)?;
    (!quote.trim().is_empty()).then(|| Source {
        source_path: passage.source_path.clone(),
        heading_path: passage.chunk.heading_path.clone(),
        locator,
        quote,
    })
}

/// What the lint looks at, with its own texts.
struct Looked {
    stem: String,
    options: Vec<(String, bool)>,
    key: Vec<String>,
    quote: String,
    passage: String,
}

impl Looked {
    fn view(&self) -> Seen<'_> {
        Seen {
            stem: &self.stem,
            options: self.options.iter().map(|(text, right)| (text.as_str(), *right)).collect(),
            key: self.key.iter().map(String::as_str).collect(),
            many: false,
            quote: Some((&self.quote, &self.passage)),
        }
    }
}

fn seen(made: &Made, quote: &str, passage: &str) -> Looked {
    let (mut stem, mut options, mut key) = (made.stem.clone(), Vec::new(), Vec::new());
    match &made.kind {
        Kind::One(choices) => options = choices.iter().map(|choice| (choice.text.clone(), choice.right)).collect(),
        Kind::Cloze { before, after, accepted } => {
            stem = format!("{before}{GAP}{after}");
            key = accepted.iter().take(1).cloned().collect();
        }
        Kind::Short { accepted } => key = accepted.iter().take(1).cloned().collect(),
        // The key is a verdict, an order or a set of pairs: no word of it can stand in the stem.
        Kind::Truth { .. } | Kind::Matching(_) | Kind::Ordering(_) | Kind::Numeric { .. } => key = vec!["=".into()],
    }
    Looked { stem, options, key, quote: quote.to_owned(), passage: passage.to_owned() }
}

/// Ids that say nothing about the order: letters over a shuffle.
fn labelled(texts: &[&str], seed: u64) -> Vec<(String, String)> {
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|at| mix(seed ^ 0x5eed, texts.get(*at).copied().unwrap_or_default()));
    let letter = |at: usize| {
        let place = order.iter().position(|other| *other == at).unwrap_or(at);
        u8::try_from(place).map_or_else(|_| format!("o{place}"), |place| char::from(b'a' + place % 26).to_string())
    };
    texts.iter().enumerate().map(|(at, text)| (letter(at), (*text).to_owned())).collect()
}

fn body(made: &Made, seed: u64) -> Body {
    match &made.kind {
        Kind::One(choices) => {
            let id = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap_or_default()).to_string();
            let options = choices.iter().enumerate().map(|(at, choice)| Choice {
                id: id(at),
                text: choice.text.clone(),
                rationale: (!choice.why.is_empty()).then(|| choice.why.clone()),
            });
            let right = choices.iter().position(|choice| choice.right).map(id).unwrap_or_default();
            Body::MultipleChoice(MultipleChoice { options: options.collect(), right })
        }
        Kind::Truth { holds, why } => Body::TrueFalse(TrueFalse { right: *holds, rationale: Some(why.clone()) }),
        Kind::Cloze { before, after, accepted } => Body::Cloze(Cloze {
            parts: vec![before.clone(), after.clone()],
            blanks: vec![accepted.clone()],
            options: Vec::new(),
        }),
        Kind::Short { accepted } => Body::ShortAnswer(ShortAnswer { accepted: accepted.clone(), reference: None }),
        Kind::Matching(pairs) => {
            let lefts: Vec<&str> = pairs.iter().map(|(left, _)| left.as_str()).collect();
            let rights: Vec<&str> = pairs.iter().map(|(_, right)| right.as_str()).collect();
            let left: Vec<Choice> =
                (1..).zip(lefts).map(|(number, text)| Choice::new(format!("l{number}"), text)).collect();
            let mut right: Vec<Choice> =
                labelled(&rights, seed).into_iter().map(|(id, text)| Choice::new(id, text)).collect();
            let pairs = left.iter().zip(&right).map(|(left, right)| (left.id.clone(), right.id.clone())).collect();
            right.sort_by(|a, b| a.id.cmp(&b.id));
            Body::Matching(Matching { left, right, pairs })
        }
        Kind::Ordering(steps) => {
            let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
            let items = labelled(&steps, seed).into_iter().map(|(id, text)| Choice::new(id, text)).collect();
            Body::Ordering(Ordering { items })
        }
        Kind::Numeric { value } => Body::Numeric(Numeric { value: *value, tolerance: 0.0, unit: String::new() }),
    }
}

fn bloom(kind: &Kind) -> Bloom {
    match kind {
        Kind::Cloze { .. } | Kind::Short { .. } | Kind::Numeric { .. } => Bloom::Remember,
        Kind::One(_) | Kind::Truth { .. } | Kind::Matching(_) | Kind::Ordering(_) => Bloom::Understand,
    }
}

/// A guess before anybody answered: what must be recalled is harder than what must be recognised.
fn difficulty(made: &Made) -> f64 {
    let base: f64 = match &made.kind {
        Kind::Truth { .. } => 0.25,
        Kind::One(options) => 0.25 + 0.03 * options.len() as f64,
        Kind::Matching(_) => 0.4,
        Kind::Ordering(_) => 0.45,
        Kind::Cloze { .. } | Kind::Short { .. } => 0.5,
        Kind::Numeric { .. } => 0.55,
    };
    let words = made.stem.split_whitespace().count() as f64;
    let long = (words - 12.0).clamp(0.0, 30.0) * 0.004;
    ((base + long) * 100.0).round() / 100.0
}

/// A nudge, a pointer, and a part of the work; none holds the key.
fn hints(made: &Made, source: &Source) -> Vec<String> {
    let heading = source.heading_path.last().cloned().unwrap_or_else(|| source.source_path.clone());
    let nudge = format!("Think back to \u{201c}{heading}\u{201d}.");
    let pointer = format!("Read again: {}, {}.", source.source_path, source.locator);
    let part = match &made.kind {
        Kind::One(options) => options
            .iter()
            .find(|option| !option.right)
            .map(|wrong| format!("It is not \u{201c}{}\u{201d}.", wrong.text)),
        Kind::Truth { .. } => Some("Compare each word of the statement with that passage.".into()),
        Kind::Cloze { accepted, .. } | Kind::Short { accepted } => accepted.first().and_then(|key| {
            let first = key.chars().find(|c| c.is_alphanumeric())?;
            let count = key.chars().count();
            (count > 2).then(|| {
                format!(
                    "It begins with \u{201c}{}\u{201d} and has {count} characters.",
                    upper_first(&first.to_string())
                )
            })
        }),
        Kind::Matching(pairs) => {
            pairs.first().map(|(left, right)| format!("\u{201c}{left}\u{201d} goes with \u{201c}{right}\u{201d}."))
        }
        Kind::Ordering(steps) => steps.first().map(|step| format!("The first one is \u{201c}{step}\u{201d}.")),
        Kind::Numeric { value } => Some(if *value >= 1.0 {
            format!("It lies between {} and {}.", (value / 2.0).floor(), (value * 2.0).ceil())
        } else {
            "It is less than 1.".into()
        }),
    };
    let mut seen = HashSet::new();
    [Some(nudge), Some(pointer), part].into_iter().flatten().filter(|hint| seen.insert(hint.clone())).collect()
}
