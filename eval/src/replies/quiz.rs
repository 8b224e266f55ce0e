//! Replies to the prompt that drafts questions, served by a chat model in this process through the gateway,
//! so that the repair, the grounding, the blind check and the lint run as they do for a teacher.

use assistant::quiz::{Passage, verdicts};
use domain::chunk::{Chunk, Sentence};
use domain::wire::ChatRequest;
use domain::{Locator, LocatorKind};
use serde::Deserialize;

use super::Sample;
use crate::{Error, Result};

const REPLIES: &str = include_str!("../../data/replies-quiz.jsonl");
/// What the prompt of the blind check says and that of the draft does not.
const BLIND: &str = "You answer one multiple choice question";

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    kind: String,
    heading: String,
    sentences: Vec<String>,
    /// The drafted question.
    reply: String,
    /// The option that the blind check chooses; none answers 0.
    check: String,
    shown: bool,
    note: String,
}

/// What becomes of each reply.
pub(super) async fn judged() -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for (number, line) in (1..).zip(REPLIES.lines()) {
        let written: Written = serde_json::from_str(line).map_err(|error| Error::Damaged {
            what: format!("replies-quiz.jsonl, line {number}"),
            reason: error.to_string(),
        })?;
        let (cut, said_by) = (written.kind == "cut_off", written.clone());
        let gateway = super::served(cut, move |request| said(&said_by, request)).await;
        let outcome = verdicts(gateway, passage(&written), 1).await?;
        let reason = match outcome.into_iter().next() {
            Some(verdict) => verdict.outcome.err().map(|reason| reason.to_string()),
            None => Some("no question".to_owned()),
        };
        samples.push(Sample {
            id: written.id,
            kind: written.kind,
            good: written.shown,
            shown: reason.is_none(),
            parts: 1,
            reason,
            note: written.note,
        });
    }
    Ok(samples)
}

fn passage(written: &Written) -> Passage {
    let mut text = String::new();
    let mut sentences = Vec::new();
    for (line, words) in (1..).zip(&written.sentences) {
        if !text.is_empty() {
            text.push(' ');
        }
        let start = text.len();
        text.push_str(words);
        sentences.push(Sentence { start, end: text.len(), locator: Locator::new(LocatorKind::Lines, line, line) });
    }
    let end = i64::try_from(written.sentences.len()).unwrap_or(1);
    let chunk = Chunk {
        heading_path: written.heading.split(" > ").map(str::to_owned).collect(),
        text,
        locator: Locator::new(LocatorKind::Lines, 1, end),
        sentences,
        flagged: false,
    };
    Passage { lesson: None, source_path: "sound.md".into(), chunk, stressed: Vec::new() }
}

/// The draft, or the number that the option of the blind check has in this order.
fn said(written: &Written, request: &ChatRequest) -> String {
    let blind = request.messages.iter().any(|message| message.content.contains(BLIND));
    if !blind {
        return written.reply.clone();
    }
    let lines = request.messages.iter().flat_map(|message| message.content.lines());
    let chosen = lines.filter_map(|line| line.split_once(". ")).find(|(_, option)| *option == written.check);
    let number = chosen.and_then(|(number, _)| number.parse::<usize>().ok()).unwrap_or(0);
    format!("{{\"answer\":{number}}}")
}
