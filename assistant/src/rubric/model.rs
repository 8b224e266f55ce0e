//! One criterion in a chat model's judgement, believed only as far as it can be checked.
//!
//! The level must be one of the rubric's, every quote must stand in the text, a quote must not be an order, and
//! what the words say must not contradict the level. What does not hold is dropped and named, never mended.

use std::time::Duration;

use domain::grade::{Evidence, Flag, Judged};
use domain::injection::{instruction_like, speaks_to_grader};
use domain::question::OriginKind;
use domain::rubric::Criterion;
use serde::Deserialize;

use super::prompt;
use super::words::Words;
use crate::generate::Fallback;
use crate::models::{Ask, Models};

/// Longest reply in tokens.
const TOKENS: u32 = 300;
/// A reply of the right shape, over all the ways of asking for it.
const TIME: Duration = Duration::from_secs(180);
/// Judgements of one criterion whose agreement is the confidence.
const RUNS: u64 = 2;
/// Most quotes of one judgement.
const MOST_QUOTES: usize = 3;
/// Longest text in one prompt, characters (about 4,000 tokens): a longer one is not shortened but refused.
pub(super) const MOST_TEXT: usize = 14_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    level: String,
    #[serde(default)]
    evidence: Vec<String>,
    #[serde(default)]
    comment: String,
}

fn schema(criterion: &Criterion) -> serde_json::Value {
    let ids: Vec<&str> = criterion.levels.iter().map(|level| level.id.as_str()).collect();
    serde_json::json!({
        "type": "object", "additionalProperties": false, "required": ["level", "evidence", "comment"],
        "properties": {
            "level": {"type": "string", "enum": ids},
            "evidence": {"type": "array", "maxItems": MOST_QUOTES, "items": {"type": "string"}},
            "comment": {"type": "string"}
        }
    })
}

/// The judgement of one run; nothing when the reply cannot be used.
async fn run(
    models: &Models,
    stem: &str,
    criterion: &Criterion,
    text: &str,
    seed: u64,
) -> Result<Option<Wire>, Fallback> {
    let nonce = uuid::Uuid::now_v7().simple().to_string();
    let asked = prompt::criterion(nonce.get(16..).unwrap_or(&nonce), stem, criterion, text);
    let ask = Ask { schema: schema(criterion), tokens: TOKENS, time: TIME, seed };
    match models.value(&asked, ask).await {
        Ok(wire) => Ok(wire),
        Err(Fallback::NoModel) => Err(Fallback::NoModel),
        Err(_) => Ok(None),
    }
}

/// What a model says of one criterion, checked against the text and against what its words show.
///
/// # Errors
/// No chat model answers.
pub(super) async fn judge(
    models: &Models,
    stem: &str,
    criterion: &Criterion,
    text: &str,
    words: &Words,
) -> Result<Judged, Fallback> {
    let mut runs = Vec::new();
    for seed in 1..=RUNS {
        if let Some(wire) = run(models, stem, criterion, text, seed).await? {
            runs.push(wire);
        }
    }
    let share = |wire: &Wire| criterion.level(&wire.level).map_or(0.0, |level| level.share);
    runs.sort_by(|a, b| share(a).total_cmp(&share(b)));
    let agree = runs.len() > 1 && runs.windows(2).all(|two| matches!(two, [a, b] if a.level == b.level));
    let whole = u64::try_from(runs.len()).is_ok_and(|count| count == RUNS);
    // Of judgements that differ the lower one is proposed.
    let Some(lowest) = runs.into_iter().next() else {
        return Ok(refused(criterion, Flag::Unsupported, "the language model gave no judgement that can be used"));
    };
    let mut judged = checked(criterion, lowest, text, words);
    if judged.level.is_some() && !(agree && whole) {
        judged.flags.extend([Flag::Disagreement, Flag::NeedsLook]);
        judged.confidence = judged.confidence.min(0.3);
    }
    Ok(judged)
}

fn refused(criterion: &Criterion, flag: Flag, why: &str) -> Judged {
    Judged {
        criterion: criterion.id.clone(),
        level: None,
        share: None,
        by: OriginKind::Generated,
        confidence: 0.0,
        evidence: Vec::new(),
        flags: vec![flag, Flag::NeedsLook],
        comment: None,
        why_not: Some(why.to_owned()),
    }
}

fn checked(criterion: &Criterion, wire: Wire, text: &str, words: &Words) -> Judged {
    let Some(level) = criterion.level(&wire.level) else {
        return refused(criterion, Flag::Unsupported, "the language model named a level that the rubric does not have");
    };
    let mut flags = Vec::new();
    let mut evidence = Vec::new();
    for quote in wire.evidence.iter().map(|quote| quote.trim()).filter(|quote| !quote.is_empty()).take(MOST_QUOTES) {
        match text.find(quote) {
            Some(start) => {
                evidence.push(Evidence { start, end: start + quote.len(), quote: quote.to_owned() });
            }
            None => flags.push(Flag::Unsupported),
        }
    }
    let asked = format!("{} {}", criterion.title, criterion.reference.as_deref().unwrap_or_default());
    if evidence
        .iter()
        .any(|one| instruction_like(&one.quote).is_some() || speaks_to_grader(&one.quote, &asked).is_some())
    {
        return refused(criterion, Flag::Instruction, "the language model took an order in the text for an answer");
    }
    if level.share > 0.0 && evidence.is_empty() {
        return refused(criterion, Flag::Unsupported, "the quotes of the language model do not stand in the text");
    }
    if flags.contains(&Flag::Unsupported) {
        return refused(criterion, Flag::Unsupported, "a quote of the language model does not stand in the text");
    }
    // What words can see speaks up where the model gave points all the same, and where it gave none to a good text.
    if level.share > 0.0 {
        flags.extend(words.against(criterion, text, &evidence, level.share));
    } else if words.strong() {
        flags.push(Flag::Disagreement);
    }
    let lowest = criterion.levels.iter().all(|other| other.share >= level.share);
    // Nobody fails on a model's word alone.
    if !flags.is_empty() || lowest {
        flags.push(Flag::NeedsLook);
    }
    let comment = wire.comment.trim();
    let fit = !comment.is_empty() && comment.chars().count() <= 600 && instruction_like(comment).is_none();
    Judged {
        criterion: criterion.id.clone(),
        level: Some(level.id.clone()),
        share: Some(level.share),
        by: OriginKind::Generated,
        confidence: if flags.is_empty() { 0.8 } else { 0.3 },
        evidence,
        flags,
        comment: fit.then(|| comment.to_owned()),
        why_not: None,
    }
}
