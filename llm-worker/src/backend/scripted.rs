//! A chat model that replies by rule, for tests, evals and demonstrations.
//!
//! The first rule whose pattern is in the prompt gives the reply. A reply can be slow, stall, be
//! bad JSON, do what a planted instruction says, or break off with the whole worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::wire::{ChatRequest, Class, EmbedRequest, Failure, Finish, Model, Task};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::backend::{Backend, BackendError, ChatEnd};

/// Id of the scripted chat model.
pub const CHAT_MODEL: &str = "scripted";
/// Id of the scripted embedding model: hashed words, for tests without model files.
pub const EMBED_MODEL: &str = "scripted-words@64";
const DIMENSION: usize = 64;

/// Computes a reply from the request.
pub type Compute = Arc<dyn Fn(&ChatRequest) -> Reply + Send + Sync>;

/// How a scripted text ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum End {
    /// As a model ends.
    #[default]
    Stop,
    /// Cut at the limit of tokens.
    Length,
    /// Never: nothing more is said.
    Stall,
    /// With an error of the model.
    Fail,
    /// With the worker.
    Crash,
}

/// A reply in pieces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// The pieces, in order.
    pub pieces: Vec<String>,
    /// Wait before each piece.
    pub pause: Duration,
    /// How it ends.
    pub end: End,
}

impl Reply {
    /// A whole text, in pieces of a few words.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let pieces = text.split_inclusive(' ').collect::<Vec<_>>().chunks(3).map(<[&str]>::concat).collect();
        Self { pieces, ..Self::default() }
    }

    /// JSON that was never closed.
    #[must_use]
    pub fn bad_json() -> Self {
        Self::text(r#"{"sentences": [{"text": "This never"#)
    }

    /// The same reply with a wait before each piece.
    #[must_use]
    pub fn slow(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// The same reply cut after some pieces, with another end.
    #[must_use]
    pub fn broken_after(mut self, pieces: usize, end: End) -> Self {
        self.pieces.truncate(pieces);
        self.end = end;
        self
    }
}

/// When a rule applies, and what it says.
#[derive(Clone)]
pub struct Rule {
    /// Text that must be in the messages; empty fits all.
    pattern: String,
    compute: Compute,
}

impl Rule {
    /// A fixed reply to prompts that contain `pattern` (in any case).
    #[must_use]
    pub fn new(pattern: &str, reply: Reply) -> Self {
        Self::computed(pattern, move |_| reply.clone())
    }

    /// A reply that is computed from the request.
    #[must_use]
    pub fn computed(pattern: &str, compute: impl Fn(&ChatRequest) -> Reply + Send + Sync + 'static) -> Self {
        Self { pattern: pattern.to_lowercase(), compute: Arc::new(compute) }
    }

    /// Obeys whatever instruction was planted after `trigger`: says the rest of that line, as a
    /// model without any defence would.
    #[must_use]
    pub fn obeying(trigger: &str) -> Self {
        let lower = trigger.to_lowercase();
        Self::computed(trigger, move |request| {
            let order = request.messages.iter().flat_map(|message| message.content.lines()).find_map(|line| {
                let at = line.to_lowercase().find(&lower)?;
                // Lower case can change lengths; then the whole line is the order.
                Some(line.get(at + lower.len()..).unwrap_or(line).trim().to_owned())
            });
            Reply::text(&order.unwrap_or_default())
        })
    }

    fn fits(&self, request: &ChatRequest) -> bool {
        self.pattern.is_empty()
            || request.messages.iter().any(|message| message.content.to_lowercase().contains(&self.pattern))
    }
}

/// The scripted backend. Share it to count its calls.
#[derive(Default)]
pub struct Scripted {
    rules: Vec<Rule>,
    embeds: bool,
    failing_embeds: AtomicU32,
    calls: AtomicU64,
}

impl Scripted {
    /// A chat model with these rules, tried in order.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, ..Self::default() }
    }

    /// The same, also embedding texts as hashed words.
    #[must_use]
    pub fn with_embedding(mut self) -> Self {
        self.embeds = true;
        self
    }

    /// Makes the next `count` embedding requests fail.
    pub fn fail_embeds(&self, count: u32) {
        self.failing_embeds.store(count, Ordering::SeqCst);
    }

    /// Requests so far.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Backend for Scripted {
    fn models(&self) -> Vec<Model> {
        let model = |id: &str, task, dimension| Model { dimension, ..Model::new(id, task, "scripted") };
        let mut models = Vec::new();
        if !self.rules.is_empty() {
            models.push(model(CHAT_MODEL, Task::Chat, None));
        }
        if self.embeds {
            models.push(model(EMBED_MODEL, Task::Embed, Some(DIMENSION)));
        }
        models
    }

    async fn embed(&self, _class: Class, request: EmbedRequest) -> Result<Vec<Vec<f32>>, BackendError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let fails = self.failing_embeds.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if fails.is_ok() {
            return Err(BackendError::backend("scripted failure"));
        }
        Ok(request.texts.iter().map(|text| hashed_words(text)).collect())
    }

    async fn chat(&self, request: ChatRequest, pieces: mpsc::Sender<String>) -> Result<ChatEnd, BackendError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let Some(rule) = self.rules.iter().find(|rule| rule.fits(&request)) else {
            return Err(BackendError::backend("no rule of the script fits"));
        };
        let reply = (rule.compute)(&request);
        let limit = usize::try_from(request.max_tokens).unwrap_or(usize::MAX);
        let cut = reply.pieces.len() > limit;
        for piece in reply.pieces.into_iter().take(limit) {
            if !reply.pause.is_zero() {
                tokio::time::sleep(reply.pause).await;
            }
            if pieces.send(piece).await.is_err() {
                return Err(BackendError::Failed(Failure::Cancelled));
            }
        }
        match reply.end {
            _ if cut => Ok(Finish::Length.into()),
            End::Stop => Ok(Finish::Stop.into()),
            End::Length => Ok(Finish::Length.into()),
            End::Stall => std::future::pending().await,
            End::Fail => Err(BackendError::backend("scripted failure")),
            End::Crash => Err(BackendError::Crashed),
        }
    }
}

/// A bag of words hashed into a vector of unit length: equal words are near, and nothing else is meant.
fn hashed_words(text: &str) -> Vec<f32> {
    let mut vector = vec![0.0_f32; DIMENSION];
    for word in text.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let digest = Sha256::digest(word.as_bytes());
        let place = digest.first().map_or(0, |byte| usize::from(*byte) % DIMENSION);
        if let Some(slot) = vector.get_mut(place) {
            *slot += 1.0;
        }
    }
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if norm == 0.0 {
        // A text without words still needs a direction.
        if let Some(first) = vector.first_mut() {
            *first = 1.0;
        }
        return vector;
    }
    vector.iter().map(|x| x / norm).collect()
}
