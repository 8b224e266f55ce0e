//! What stands between the braces of a GIFT question.

use super::excerpt;
use super::marks::{Mark, find, find_last, from, halves, plain, raw, starts, trim, until};
use super::read::Notes;
use crate::question::exchange::{MOST_PIECES, labelled, matched};
use crate::question::{Body, Essay, MultipleAnswer, MultipleChoice, Numeric, ShortAnswer, TrueFalse};

/// How far apart two weights in percent may be and still be one: Moodle writes five digits.
const SAME: f64 = 0.01;

/// What the braces ask for.
pub(super) struct Answers {
    /// The body, when the braces end the question.
    pub(super) body: Body,
    /// What belongs into the gap, when text follows and the answers are words.
    pub(super) gap: Option<Gap>,
    /// What the body has no place for.
    pub(super) losses: Vec<String>,
}

/// A gap in a text.
pub(super) struct Gap {
    /// Words that are right.
    pub(super) accepted: Vec<String>,
    /// Words to choose from; empty when they are to be written.
    pub(super) options: Vec<String>,
    /// What a gap has no place for.
    pub(super) losses: Vec<String>,
}

impl From<Body> for Answers {
    fn from(body: Body) -> Self {
        Self { body, gap: None, losses: Vec::new() }
    }
}

/// One answer: right or wrong, its weight in percent, its words and the words about it.
struct Item<'a> {
    right: bool,
    weight: Option<f64>,
    words: &'a [Mark],
    about: Option<&'a [Mark]>,
}

/// What the braces ask for, or why they ask for nothing.
pub(super) fn read(inner: &[Mark], notes: &mut Notes) -> Result<Answers, String> {
    let mut inner = trim(inner);
    if let Some(at) = find_last(inner, "####") {
        let general = notes.text(from(inner, at + 4));
        if !general.is_empty() {
            notes.lose(format!("the general feedback \"{}\"", excerpt(&general)));
        }
        inner = trim(until(inner, at));
    }
    if inner.is_empty() {
        return Ok(Body::Essay(Essay::default()).into());
    }
    if starts(inner, "#") {
        return numeric(from(inner, 1), notes).map(Answers::from);
    }
    if let Some(right) = verdict(inner) {
        return Ok(truth(right, inner, notes).into());
    }
    let choice = find(inner, "~").is_some();
    let items = items(inner, choice)?;
    if choice {
        return Ok(chosen(&items, notes));
    }
    if items.len() > 1 && items.iter().all(|item| find(item.words, "->").is_some()) {
        return Ok(pairs(&items, notes).into());
    }
    Ok(short(&items, notes))
}

/// The answers, each of which begins with `=` or `~`. In a choice `=` has no weight, as in Moodle.
fn items(inner: &[Mark], choice: bool) -> Result<Vec<Item<'_>>, String> {
    let begins = |mark: &Mark| mark.is('=') || mark.is('~');
    if !inner.first().is_some_and(begins) {
        return Err(format!("\"{}\" in braces is no answer", excerpt(&plain(inner))));
    }
    let places: Vec<usize> = (0..inner.len()).filter(|at| inner.get(*at).is_some_and(begins)).collect();
    if places.len() > MOST_PIECES {
        return Err(format!("it has more than {MOST_PIECES} answers"));
    }
    let ends = places.iter().skip(1).copied().chain([inner.len()]);
    let item = |(start, end): (&usize, usize)| {
        let text = from(until(inner, end), start + 1);
        let right = starts(from(inner, *start), "=");
        let (words, about) = halves(text, "#").map_or((text, None), |(words, about)| (words, Some(about)));
        let (weight, words) = match weighed(trim(words)) {
            (Some(weight), _) if choice && right && weight < 100.0 => (None, words),
            weighed => weighed,
        };
        Item { right, weight, words: trim(words), about: about.map(trim).filter(|about| !about.is_empty()) }
    };
    Ok(places.iter().zip(ends).map(item).collect())
}

/// The weight in percent, when there is one, and the words after it.
fn weighed(words: &[Mark]) -> (Option<f64>, &[Mark]) {
    let weight = || {
        let (number, rest) = halves(from(words, 1), "%")?;
        let weight: f64 = raw(number).parse().ok()?;
        (-100.0..=100.0).contains(&weight).then_some((weight, rest))
    };
    match weight().filter(|_| starts(words, "%")) {
        Some((weight, rest)) => (Some(weight), rest),
        None => (None, words),
    }
}

fn chosen(items: &[Item<'_>], notes: &mut Notes) -> Answers {
    // As Moodle: an answer with `=` is wholly right, whatever weight it seems to have.
    let weight = |item: &Item<'_>| if item.right { 100.0 } else { item.weight.unwrap_or(0.0) };
    let options: Vec<(String, Option<String>)> =
        items.iter().map(|item| (notes.text(item.words), item.about.map(|about| notes.text(about)))).collect();
    let options = labelled(options);
    let ids = |wanted: &dyn Fn(&Item<'_>) -> bool| -> Vec<String> {
        items.iter().zip(&options).filter(|(item, _)| wanted(item)).map(|(_, option)| option.id.clone()).collect()
    };
    let (full, some) = (ids(&|item| item.right), ids(&|item| !item.right && weight(item) > 0.0));
    let right = if full.is_empty() { &some } else { &full };
    if !full.is_empty() && !some.is_empty() {
        notes.lose(format!("{} answers that were right in part are wrong here", some.len()));
    }
    if full.is_empty() {
        note_weights(&items.iter().map(weight).collect::<Vec<f64>>(), notes);
    } else if items.iter().any(|item| weight(item) < 0.0) {
        notes.lose("what a wrong answer takes away: here it is worth nothing");
    }
    let accepted: Vec<String> =
        options.iter().filter(|option| right.contains(&option.id)).map(|option| option.text.clone()).collect();
    let gap = (!full.is_empty()).then(|| Gap {
        accepted,
        options: options.iter().map(|option| option.text.clone()).collect(),
        losses: told(items.iter().filter(|item| item.about.is_some()).count()),
    });
    let mut losses = Vec::new();
    let body = match full.as_slice() {
        [right] => Body::MultipleChoice(MultipleChoice { options, right: right.clone() }),
        [] => Body::MultipleAnswer(MultipleAnswer { right: some, options }),
        [_, ..] => {
            losses.push("several answers were wholly right; here all of them are to be chosen".to_owned());
            Body::MultipleAnswer(MultipleAnswer { right: full, options })
        }
    };
    Answers { body, gap, losses }
}

/// Names what the weights say that a multiple answer does not: each right one earns the same and
/// each wrong one takes away as much.
fn note_weights(weights: &[f64], notes: &mut Notes) {
    let right: Vec<f64> = weights.iter().copied().filter(|weight| *weight > 0.0).collect();
    let Some(first) = right.first().copied() else { return };
    if right.iter().any(|weight| (weight - first).abs() > SAME) {
        notes.lose("unequal weights: here all right answers are worth the same");
    } else if weights.iter().any(|weight| *weight <= 0.0 && (weight + first).abs() > SAME) {
        notes.lose("what a wrong answer takes away: here as much as a right one earns");
    }
}

fn told(count: usize) -> Vec<String> {
    if count == 0 { Vec::new() } else { vec![format!("feedback on {count} answers")] }
}

/// The verdict of a true or false question; what follows a `#` is feedback.
fn verdict(inner: &[Mark]) -> Option<bool> {
    let words = plain(until(inner, find(inner, "#").unwrap_or(inner.len())));
    match words.to_ascii_uppercase().as_str() {
        "T" | "TRUE" => Some(true),
        "F" | "FALSE" => Some(false),
        _ => None,
    }
}

fn truth(right: bool, inner: &[Mark], notes: &mut Notes) -> Body {
    let about = find(inner, "#").map(|at| from(inner, at + 1)).unwrap_or_default();
    let (wrongly, rightly) = halves(about, "#").unwrap_or((about, &[]));
    let (wrongly, rightly) = (notes.text(wrongly), notes.text(rightly));
    let rationale = match (wrongly.is_empty(), rightly.is_empty()) {
        (true, true) => None,
        (true, false) => Some(rightly),
        (false, true) => Some(wrongly),
        (false, false) if wrongly == rightly => Some(rightly),
        (false, false) => {
            notes.lose("who reads which of the two feedbacks: both are shown to all");
            Some(format!("{rightly}\n{wrongly}"))
        }
    };
    Body::TrueFalse(TrueFalse { right, rationale })
}

fn pairs(items: &[Item<'_>], notes: &mut Notes) -> Body {
    let pairs: Vec<(String, String)> = items
        .iter()
        .filter_map(|item| halves(item.words, "->"))
        .map(|(left, right)| (notes.text(left), notes.text(right)))
        .collect();
    for what in told(items.iter().filter(|item| item.about.is_some()).count()) {
        notes.lose(what);
    }
    Body::Matching(matched(&pairs))
}

fn short(items: &[Item<'_>], notes: &mut Notes) -> Answers {
    let (mut accepted, mut partly) = (Vec::new(), 0);
    for item in items {
        let text = notes.text(item.words);
        if item.weight.is_some_and(|weight| weight + SAME < 100.0) {
            partly += 1;
            continue;
        }
        if text.replace("\\*", "").contains('*') {
            notes.lose(format!(
                "\"{}\" stood for any words where the \"*\" is; here it is read to the letter",
                excerpt(&text)
            ));
        }
        accepted.push(text.replace("\\*", "*"));
    }
    if partly > 0 {
        notes.lose(format!("{partly} answers that were right in part or wrong"));
    }
    for what in told(items.iter().filter(|item| item.about.is_some()).count()) {
        notes.lose(what);
    }
    let gap = Gap { accepted: accepted.clone(), options: Vec::new(), losses: Vec::new() };
    Answers { body: Body::ShortAnswer(ShortAnswer { accepted, reference: None }), gap: Some(gap), losses: Vec::new() }
}

fn numeric(inner: &[Mark], notes: &mut Notes) -> Result<Body, String> {
    let inner = trim(inner);
    let list = if starts(inner, "=") || starts(inner, "~") {
        items(inner, false)?
    } else {
        let (words, about) = halves(inner, "#").map_or((inner, None), |(words, about)| (words, Some(about)));
        let (weight, words) = weighed(trim(words));
        vec![Item { right: true, weight, words, about }]
    };
    let full = |item: &&Item<'_>| item.right && item.weight.is_none_or(|weight| weight + SAME >= 100.0);
    let Some(item) = list.iter().find(full) else { return Err("no number is wholly right".into()) };
    if list.len() > 1 {
        notes.lose(format!("{} more numbers: only the first that is wholly right is kept", list.len() - 1));
    }
    for what in told(list.iter().filter(|item| item.about.is_some()).count()) {
        notes.lose(what);
    }
    let text = plain(item.words);
    let (value, tolerance) = span(&text).ok_or_else(|| format!("\"{}\" is no number", excerpt(&text)))?;
    Ok(Body::Numeric(Numeric { value, tolerance, unit: String::new() }))
}

/// `3`, `3:0.5` or `2.5..3.5`.
fn span(text: &str) -> Option<(f64, f64)> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
    if let Some((low, high)) = text.split_once("..") {
        let (low, high) = (number(low)?, number(high)?);
        return Some(((low + high) / 2.0, (high - low) / 2.0));
    }
    match text.split_once(':') {
        Some((value, tolerance)) => Some((number(value)?, number(tolerance)?)),
        None => Some((number(text)?, 0.0)),
    }
}
