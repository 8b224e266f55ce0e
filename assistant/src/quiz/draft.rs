//! Questions in a model's words: drafted from one passage, and offered only when everything holds.
//!
//! A draft must quote the sentence that it rests on; its key must be carried by that sentence and by
//! it better than any wrong option; a second call that sees the options without the key must choose
//! the same; the rules of the lint must find nothing hard. What fails is refused by name.

use std::collections::HashSet;
use std::time::Duration;

use domain::question::lint::{self, Rule, Seen};
use domain::text;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::select::{jaccard, tokens};
use super::{Choice, Kind, Made, Passage, mix, prompt};
use crate::check::{self, Refused, Source};
use crate::generate::Fallback;
use crate::models::{Ask, Models};
use crate::prompt::Prompt;
use crate::reply::Claim;

/// Longest replies in tokens: a few items, one number.
const ITEM_TOKENS: u32 = 900;
const CHECK_TOKENS: u32 = 40;
/// A reply of the right shape, over all the ways of asking for it.
const REPLY_TIME: Duration = Duration::from_secs(180);
/// Blind answers that must all name the key, each over another order of the options.
const BLIND: u64 = 2;
/// Share of the key's own words that the quoted sentence must hold.
const CARRIED: f64 = 0.6;
/// Share of the stem's words that the passage must hold.
const STEM_CARRIED: f64 = 0.6;
/// Token overlap from which two questions are the same.
const SAME: f64 = 0.6;

/// Why a draft is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// The model failed, or its reply was cut off.
    #[error("the language model gave no whole reply")]
    NoReply,
    /// Not the JSON that was asked for, in whatever way it was asked for.
    #[error("the reply could not be read")]
    Malformed,
    /// The quote does not stand in the passage.
    #[error("the quoted sentence does not stand in the passage")]
    Quote,
    /// The key or the stem says what the passage does not.
    #[error("not carried by the passage: {0}")]
    Ungrounded(Refused),
    /// The quoted sentence says another option is right.
    #[error("the quoted sentence does not carry the key")]
    WrongKey,
    /// A rule of the lint.
    #[error("flaw: {}", .0.as_str())]
    Flaw(Rule),
    /// The blind check chose another option.
    #[error("the blind check did not confirm the key")]
    Unconfirmed,
    /// The set or the bank asks this already.
    #[error("asked already")]
    Duplicate,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    items: Vec<WireItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireItem {
    quote: String,
    stem: String,
    options: Vec<WireOption>,
    right: usize,
    #[serde(default)]
    bloom: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireOption {
    text: String,
    #[serde(default)]
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireAnswer {
    answer: usize,
}

fn item_schema() -> serde_json::Value {
    let text = serde_json::json!({"type": "string"});
    serde_json::json!({
        "type": "object", "additionalProperties": false, "required": ["items"],
        "properties": {"items": {"type": "array", "maxItems": 4, "items": {
            "type": "object", "additionalProperties": false, "required": ["quote", "stem", "options", "right", "bloom"],
            "properties": {
                "quote": text, "stem": text,
                "options": {"type": "array", "minItems": 3, "maxItems": 5, "items": {
                    "type": "object", "additionalProperties": false, "required": ["text", "why"],
                    "properties": {"text": text, "why": text}
                }},
                "right": {"type": "integer", "minimum": 1, "maximum": 5},
                "bloom": {"type": "string", "enum": ["remember", "understand", "apply", "analyze"]}
            }
        }}}
    })
}

fn answer_schema() -> serde_json::Value {
    serde_json::json!({
        "type": "object", "additionalProperties": false, "required": ["answer"],
        "properties": {"answer": {"type": "integer", "minimum": 0, "maximum": 5}}
    })
}

/// What one passage gave: a verdict for each draft.
pub(crate) async fn draft(
    models: &Models,
    passages: &[Passage],
    at: usize,
    count: usize,
    known: &[HashSet<String>],
    seed: u64,
) -> Result<Vec<Result<Made, Rejected>>, Fallback> {
    let Some(passage) = passages.get(at).filter(|passage| !passage.chunk.flagged) else { return Ok(Vec::new()) };
    let heading = passage.chunk.heading_path.join(" > ");
    // The low half of a version 7 id is random.
    let nonce = uuid::Uuid::now_v7().simple().to_string();
    let nonce = nonce.get(16..).unwrap_or(&nonce);
    let asked = prompt::item(nonce, &heading, &passage.chunk.text, count);
    let wire: Wire = match asked_for(models, &asked, item_schema(), ITEM_TOKENS, seed).await? {
        Ok(wire) => wire,
        Err(rejected) => return Ok(vec![Err(rejected)]),
    };
    let mut verdicts = Vec::new();
    let mut known = known.to_vec();
    for item in wire.items.into_iter().take(count.max(1)) {
        let verdict = match held(passage, at, item, &known, seed) {
            Ok(made) => match confirmed(models, nonce, &heading, passage, &made, seed).await? {
                None => Ok(made),
                Some(rejected) => Err(rejected),
            },
            Err(rejected) => Err(rejected),
        };
        known.extend(verdict.as_ref().ok().map(tokens));
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// A reply of the shape that was asked for.
async fn asked_for<T: DeserializeOwned>(
    models: &Models,
    prompt: &Prompt,
    schema: serde_json::Value,
    tokens: u32,
    seed: u64,
) -> Result<Result<T, Rejected>, Fallback> {
    let ask = Ask { schema, tokens, time: REPLY_TIME, seed };
    match models.value(prompt, ask).await {
        Ok(Some(wire)) => Ok(Ok(wire)),
        Ok(None) => Ok(Err(Rejected::Malformed)),
        Err(Fallback::NoModel) => Err(Fallback::NoModel),
        Err(_) => Ok(Err(Rejected::NoReply)),
    }
}

/// Holds a draft against its passage.
fn held(passage: &Passage, at: usize, item: WireItem, known: &[HashSet<String>], seed: u64) -> Result<Made, Rejected> {
    let quote = item.quote.trim();
    let start =
        passage.chunk.text.find(quote).filter(|_| quote.split_whitespace().count() >= 3).ok_or(Rejected::Quote)?;
    let right =
        item.right.checked_sub(1).and_then(|right| item.options.get(right)).ok_or(Rejected::Flaw(Rule::KeyMissing))?;
    let options: Vec<(&str, bool)> =
        item.options.iter().map(|option| (option.text.as_str(), std::ptr::eq(option, right))).collect();
    let seen = Seen { stem: &item.stem, options, quote: Some((quote, &passage.chunk.text)), ..Seen::default() };
    if let Some(rule) = lint::lint(&seen).into_iter().find(|rule| rule.hard()) {
        return Err(Rejected::Flaw(rule));
    }
    grounded(passage, quote, &item.stem, &right.text)?;
    let key = carried(&right.text, &item.stem, quote);
    let wrong = item.options.iter().filter(|option| !std::ptr::eq(*option, right));
    let rival = wrong.map(|option| carried(&option.text, &item.stem, quote)).fold(0.0, f64::max);
    let elsewhere = item.options.iter().filter(|option| !std::ptr::eq(*option, right)).any(|option| {
        carried(&option.text, &item.stem, quote) >= key
            && asked_beside(&option.text, &item.stem, quote) > asked_beside(&right.text, &item.stem, quote)
    });
    if key < CARRIED || rival > key || rival >= 1.0 && key < 1.0 || elsewhere {
        return Err(Rejected::WrongKey);
    }
    let about = text::terms(&right.text).join(" ");
    let key = right.text.clone();
    let mut options: Vec<Choice> = item
        .options
        .iter()
        .map(|option| Choice {
            text: option.text.trim().to_owned(),
            right: option.text == key,
            why: option.why.trim().to_owned(),
        })
        .collect();
    options.sort_by_key(|option| mix(seed, &format!("{}{}", item.stem, option.text)));
    let made = Made {
        stem: item.stem.trim().to_owned(),
        kind: Kind::One(options),
        about,
        passage: at,
        span: start..start + quote.len(),
        worth: 2.0,
        bloom: item.bloom.as_deref().and_then(super::item::bloom_of),
        generated: true,
    };
    let words = tokens(&made);
    if known.iter().any(|other| jaccard(&words, other) >= SAME) { Err(Rejected::Duplicate) } else { Ok(made) }
}

/// Words of a stem that ask and say nothing about the subject.
const ASKING: &[&str] = &[
    "which",
    "what",
    "statement",
    "describ",
    "best",
    "correct",
    "true",
    "option",
    "answer",
    "follow",
    "term",
    "name",
    "use",
    "mean",
    "call",
    "happen",
    "purpos",
    "role",
    "main",
    "reason",
    "accord",
    "cours",
    "kind",
    "type",
    "say",
    "right",
    "work",
    "differ",
    "effect",
    "result",
    "part",
    "need",
    "made",
    "make",
    "give",
    "given",
    "number",
    "mani",
    "long",
    "one",
    "two",
    "define",
    "definit",
    "refer",
    "word",
    "choos",
    "select",
    "state",
    "rule",
    "thing",
    "way",
];

/// The key says what the quoted sentence says, and the stem speaks of what the passage speaks of.
fn grounded(passage: &Passage, quote: &str, stem: &str, key: &str) -> Result<(), Rejected> {
    let source =
        |sentences: Vec<(usize, String)>| Source { heading: passage.chunk.heading_path.join(" > "), sentences };
    let claim = Claim { text: key.to_owned(), cites: vec![1] };
    match check::check(&claim, &[source(vec![(0, quote.to_owned())])], stem, None) {
        Ok(_) => {}
        // One word carries too little for a share; whether the quote holds it is asked next.
        Err(Refused::Unsupported) if text::terms(key).len() <= 2 => {}
        Err(refused) => return Err(Rejected::Ungrounded(refused)),
    }
    let held: HashSet<String> = text::terms(&passage.chunk.indexed_text()).into_iter().collect();
    let asked: Vec<String> = text::terms(stem).into_iter().filter(|stem| !ASKING.contains(&stem.as_str())).collect();
    let number = asked.iter().find(|term| term.chars().any(|c| c.is_ascii_digit()) && !held.contains(*term));
    if number.is_some() {
        return Err(Rejected::Ungrounded(Refused::Number));
    }
    let share = asked.iter().filter(|term| held.contains(*term)).count() as f64 / asked.len().max(1) as f64;
    if share < STEM_CARRIED { Err(Rejected::Ungrounded(Refused::Unsupported)) } else { Ok(()) }
}

/// Share of an option's own words that stand in the quote; an option of the stem's words alone is carried by it.
fn carried(option: &str, stem: &str, quote: &str) -> f64 {
    let asked: HashSet<String> = text::terms(stem).into_iter().collect();
    let said: HashSet<String> = text::terms(quote).into_iter().collect();
    let all = text::terms(option);
    let own: Vec<&String> = all.iter().filter(|term| !asked.contains(*term)).collect();
    if all.is_empty() {
        // Marks alone: "+", "()".
        return f64::from(u8::from(quote.contains(option.trim())));
    }
    let (held, count) = if own.is_empty() {
        (all.iter().filter(|term| said.contains(*term)).count(), all.len())
    } else {
        (own.iter().filter(|term| said.contains(**term)).count(), own.len())
    };
    held as f64 / count as f64
}

/// How many of the stem's words stand in the clause that holds most of an option: "sixteen bits give ..., twenty-four
/// bits give ..." holds both numbers, and only one of them beside what is asked.
fn asked_beside(option: &str, stem: &str, quote: &str) -> usize {
    let asked: HashSet<String> = text::terms(stem).into_iter().collect();
    let own: Vec<String> = text::terms(option).into_iter().filter(|term| !asked.contains(term)).collect();
    // A comma within a number does not end a clause.
    let clauses = quote.split(", ");
    let held = |clause: &str| -> (usize, usize) {
        let held: HashSet<String> = text::terms(clause).into_iter().collect();
        (
            own.iter().filter(|term| held.contains(*term)).count(),
            asked.iter().filter(|term| held.contains(*term)).count(),
        )
    };
    clauses.map(held).max().map_or(0, |(_, beside)| beside)
}

/// Asks twice without the key, over two orders of the options; `None` when both name the key.
async fn confirmed(
    models: &Models,
    nonce: &str,
    heading: &str,
    passage: &Passage,
    made: &Made,
    seed: u64,
) -> Result<Option<Rejected>, Fallback> {
    let Kind::One(options) = &made.kind else { return Ok(None) };
    for turn in 0..BLIND {
        let mut shown: Vec<&Choice> = options.iter().collect();
        shown.rotate_left(usize::try_from(turn).unwrap_or(0) % options.len().max(1));
        let texts: Vec<&str> = shown.iter().map(|option| option.text.as_str()).collect();
        let asked = prompt::check(nonce, heading, &passage.chunk.text, &made.stem, &texts);
        let answer: WireAnswer = match asked_for(models, &asked, answer_schema(), CHECK_TOKENS, seed + turn).await? {
            Ok(answer) => answer,
            Err(_) => return Ok(Some(Rejected::Unconfirmed)),
        };
        let chosen = answer.answer.checked_sub(1).and_then(|at| shown.get(at));
        if !chosen.is_some_and(|option| option.right) {
            return Ok(Some(Rejected::Unconfirmed));
        }
    }
    Ok(None)
}
