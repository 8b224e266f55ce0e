//! Replies to the tutor's prompt: read and checked as the tutor does it, word by word, without an embedding model.

use assistant::check::Source;
use assistant::{ByWords, Checked, Checker as _, reply};
use serde::Deserialize;

use super::Sample;
use crate::{Error, Result};

const REPLIES: &str = include_str!("../../data/replies-tutor.jsonl");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    kind: String,
    question: String,
    sources: Vec<Passage>,
    reply: String,
    shown: bool,
    note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Passage {
    heading: String,
    sentences: Vec<String>,
}

/// What becomes of each reply.
pub(super) async fn judged() -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for (number, line) in (1..).zip(REPLIES.lines()) {
        let written: Written = serde_json::from_str(line).map_err(|error| Error::Damaged {
            what: format!("replies-tutor.jsonl, line {number}"),
            reason: error.to_string(),
        })?;
        let (parts, verdict) = verdict(&written).await;
        samples.push(Sample {
            id: written.id,
            kind: written.kind,
            good: written.shown,
            shown: verdict.is_none(),
            parts,
            reason: verdict,
            note: written.note,
        });
    }
    Ok(samples)
}

/// The sentences of a reply, and why it is not shown, if it is not.
async fn verdict(written: &Written) -> (usize, Option<String>) {
    let draft = match reply::read(&written.reply) {
        Ok(draft) => draft,
        Err(reason) => return (1, Some(reason.to_string())),
    };
    let source = |passage: &Passage| Source {
        heading: passage.heading.clone(),
        sentences: passage.sentences.iter().cloned().enumerate().collect(),
    };
    let sentences = draft.claims.len();
    let cosines = vec![None; sentences];
    let sources = written.sources.iter().map(source).collect();
    let checked = Checked { draft, sources, question: written.question.clone(), cosines };
    (sentences, ByWords.check(checked).await.err().map(|reason| reason.to_string()))
}
