//! An answer in a model's words: drafted whole, checked sentence by sentence, shown only if all hold.
//!
//! The model picks numbers of sources; quotes and places come from the rows. Whatever goes wrong
//! (no model, a stream that dies, a reply that cannot be read, a sentence that does not hold, a
//! checker that stops) ends in [`Fallback`], and the caller shows the extract instead.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use domain::tutor::{AnswerSentence, Citation};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::check::{self, Refused, Source};
use crate::extract::{Passage, quotable};
use crate::models::{Models, Reply};
use crate::reply::{self, Draft, Unreadable};
use crate::retrieve::Dense;
use crate::{cite, prompt};

/// Longest that the checks of one draft may take.
const CHECK_TIME: Duration = Duration::from_secs(10);
/// Drafts that are asked for before the extract is shown.
const ATTEMPTS: u64 = 2;

/// For each sentence of a draft, the sources that carry it and which of their sentences do.
pub type Carriers = Vec<Vec<(usize, Vec<usize>)>>;

/// What is checked: a draft, the sources it was given, and what was asked.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The reply, read.
    pub draft: Draft,
    /// `[S1]` first.
    pub sources: Vec<Source>,
    /// The learner's question.
    pub question: String,
    /// For each sentence, the highest cosine to a sentence that it cites, when a model measured it.
    pub cosines: Vec<Option<f32>>,
}

/// The guard between a model and a learner. Anything but `Ok` means that the draft is not shown.
pub trait Checker: Send + Sync {
    /// Checks every sentence.
    fn check(&self, checked: Checked) -> BoxFuture<'static, Result<Carriers, Refused>>;
}

/// The checker in use: [`check::check`] on every sentence.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByWords;

impl Checker for ByWords {
    fn check(&self, checked: Checked) -> BoxFuture<'static, Result<Carriers, Refused>> {
        Box::pin(async move {
            let claims = checked.draft.claims.iter().zip(checked.cosines.iter().chain(std::iter::repeat(&None)));
            claims.map(|(claim, cosine)| check::check(claim, &checked.sources, &checked.question, *cosine)).collect()
        })
    }
}

/// A draft that held.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Generated {
    /// The model's text minus markers.
    pub text: String,
    /// The model that wrote it.
    pub model: String,
    pub sentences: Vec<AnswerSentence>,
    pub citations: Vec<Citation>,
}

/// Why the extract is shown instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fallback {
    #[error("no language model is running")]
    NoModel,
    #[error("the language model failed")]
    Failed,
    #[error("the draft of the language model could not be verified")]
    Unverified,
}

/// Asks for a draft and checks it; asks once more when it does not hold.
pub(crate) async fn generate(
    models: &Models,
    checker: &dyn Checker,
    question: &str,
    passages: &[Passage],
    dense: Option<&Dense>,
) -> Result<Generated, Fallback> {
    let mut shown: Vec<&Passage> = Vec::new();
    let mut sources: Vec<Source> = Vec::new();
    // A flagged passage is not sent at all: its harmless half may still be part of the order.
    for passage in passages.iter().filter(|p| !p.chunk.chunk.flagged).take(prompt::MOST_SOURCES) {
        let source = source(passage);
        if !source.sentences.is_empty() {
            shown.push(passage);
            sources.push(source);
        }
    }
    if sources.is_empty() {
        return Err(Fallback::Unverified);
    }
    let mut fallback = Fallback::Unverified;
    for attempt in 0..ATTEMPTS {
        // The low half of a version 7 id is random.
        let nonce = uuid::Uuid::now_v7().simple().to_string();
        let prompt = prompt::fill(nonce.get(16..).unwrap_or(&nonce), &sources, question);
        let reply = match models.chat(&prompt, attempt).await {
            Ok(reply) => reply,
            Err(Fallback::NoModel) => return Err(Fallback::NoModel),
            Err(failed) => {
                fallback = failed;
                continue;
            }
        };
        match hold(checker, &reply, &shown, &sources, question, models, dense).await {
            Ok(generated) => return Ok(generated),
            Err(reason) => {
                tracing::info!(attempt, %reason, "a draft of the language model was not shown");
                fallback = Fallback::Unverified;
            }
        }
    }
    Err(fallback)
}

#[derive(Debug, thiserror::Error)]
enum NotShown {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the checker stopped")]
    Stopped,
    #[error("the checker took too long")]
    Slow,
    #[error("a citation does not hold")]
    Citation,
}

async fn hold(
    checker: &dyn Checker,
    reply: &Reply,
    shown: &[&Passage],
    sources: &[Source],
    question: &str,
    models: &Models,
    dense: Option<&Dense>,
) -> Result<Generated, NotShown> {
    let draft = reply::read(&reply.text)?;
    let cosines = cosines(&draft, shown, models, dense).await;
    let checked = Checked { draft: draft.clone(), sources: sources.to_vec(), question: question.to_owned(), cosines };
    // Both making the future and running it may panic; either way nothing is shown.
    let guarded = AssertUnwindSafe(async { checker.check(checked).await }).catch_unwind();
    let carriers = match tokio::time::timeout(CHECK_TIME, guarded).await {
        Ok(Ok(verdict)) => verdict?,
        Ok(Err(_)) => return Err(NotShown::Stopped),
        Err(_) => return Err(NotShown::Slow),
    };
    if carriers.len() != draft.claims.len() {
        return Err(NotShown::Stopped);
    }
    let (sentences, citations) = (Vec::new(), Vec::new());
    let mut generated = Generated { text: draft.text, model: reply.model.clone(), sentences, citations };
    for (claim, carriers) in draft.claims.into_iter().zip(carriers) {
        let mut indices = Vec::new();
        for (number, sentences) in carriers {
            let passage = number.checked_sub(1).and_then(|i| shown.get(i)).ok_or(NotShown::Citation)?;
            for citation in cite::of_sentences(&passage.chunk, &sentences) {
                let known = generated.citations.iter().position(|c| *c == citation);
                indices.push(known.unwrap_or(generated.citations.len()));
                if known.is_none() {
                    generated.citations.push(citation);
                }
            }
        }
        if indices.is_empty() {
            return Err(NotShown::Citation);
        }
        generated.sentences.push(AnswerSentence { text: claim.text, citations: indices });
    }
    Ok(generated)
}

/// A passage as the model sees it.
fn source(passage: &Passage) -> Source {
    let chunk = &passage.chunk.chunk;
    let sentences = quotable(&passage.chunk)
        .into_iter()
        .filter_map(|index| chunk.sentences.get(index).map(|s| (index, chunk.sentence_text(s).to_owned())))
        .filter(|(_, words)| !words.trim().is_empty())
        .collect();
    Source { heading: chunk.heading_path.join(" > "), sentences }
}

/// The highest cosine of each sentence to what it cites; `None` when no model answers.
async fn cosines(draft: &Draft, shown: &[&Passage], models: &Models, dense: Option<&Dense>) -> Vec<Option<f32>> {
    let Some(dense) = dense else { return vec![None; draft.claims.len()] };
    let texts: Vec<String> = draft.claims.iter().map(|claim| claim.text.clone()).collect();
    let Ok(vectors) = models.embed(dense.model(), texts).await else { return vec![None; draft.claims.len()] };
    draft
        .claims
        .iter()
        .zip(vectors)
        .map(|(claim, vector)| {
            let cited = claim.cites.iter().filter_map(|number| number.checked_sub(1).and_then(|i| shown.get(i)));
            cited.flat_map(|passage| dense.sentence_cosines(&passage.chunk, &vector)).reduce(f32::max)
        })
        .collect()
}
