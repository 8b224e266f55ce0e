//! What the assistant asks of models, and how long it waits for them.

use std::time::Duration;

use domain::ErrorKind;
use domain::wire::{ChatRequest, Class, Finish, Message, Role, Task};
use llm_gateway::{Caller, Gateway, GatewayError, Used};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::generate::Fallback;
use crate::prompt::Prompt;
use crate::reply;

/// A question's vector: without it the question is answered by keywords.
const EMBED_TIME: Duration = Duration::from_secs(10);
/// A whole draft.
const CHAT_TIME: Duration = Duration::from_secs(60);
/// A draft that waits longer than this for a worker is told its place, and again when that changes.
const QUIET: Duration = Duration::from_millis(500);
/// Many texts at once, for calibration.
const BATCH_TIME: Duration = Duration::from_secs(120);
/// Texts of one request of a batch: small enough that a learner's question slips in between.
const BATCH: usize = 64;
/// Longest reply in tokens.
const REPLY_TOKENS: u32 = 600;

/// What is asked of a chat model besides the prompt.
pub(crate) struct Ask {
    /// Shape of the reply.
    pub schema: serde_json::Value,
    /// Longest reply in tokens.
    pub tokens: u32,
    /// Longest wait.
    pub time: Duration,
    /// Of the sampling.
    pub seed: u64,
}

/// What a model said, and which.
pub(crate) struct Reply {
    pub text: String,
    pub model: String,
}

/// The gateway as the assistant uses it. Every call asks afresh: a failure is never remembered.
#[derive(Debug, Clone)]
pub(crate) struct Models {
    gateway: Gateway,
    /// Who wants to know how many requests are ahead.
    ahead: Option<watch::Sender<Option<usize>>>,
}

impl Models {
    pub(crate) fn new(gateway: Gateway) -> Self {
        Self { gateway, ahead: None }
    }

    /// The same; tells how many requests are ahead of a draft that waits for a worker.
    pub(crate) fn telling(&self, ahead: watch::Sender<Option<usize>>) -> Self {
        Self { ahead: Some(ahead), ..self.clone() }
    }

    pub(crate) fn by(&self, caller: Caller) -> Self {
        Self { gateway: self.gateway.by(caller), ahead: self.ahead.clone() }
    }

    /// How urgent what is generated is, by what it is for.
    fn class(&self) -> Class {
        match self.gateway.caller().feature {
            "grade" => Class::Grade,
            "quiz" => Class::Quiz,
            _ => Class::Chat,
        }
    }

    pub(crate) fn embedding_model(&self) -> Option<String> {
        self.gateway.embedding_model()
    }

    pub(crate) async fn embed(&self, model: &str, texts: Vec<String>) -> Result<Vec<Vec<f32>>, GatewayError> {
        self.gateway.embed(Class::Chat, model, texts, EMBED_TIME).await
    }

    pub(crate) async fn embed_many(&self, model: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, GatewayError> {
        let mut vectors = Vec::with_capacity(texts.len());
        for some in texts.chunks(BATCH) {
            vectors.extend(self.gateway.embed(Class::Embed, model, some.to_vec(), BATCH_TIME).await?);
        }
        Ok(vectors)
    }

    pub(crate) fn has_chat(&self) -> bool {
        self.gateway.chat_model().is_some()
    }

    /// The chat model that would answer now.
    pub(crate) fn chat_model(&self) -> Option<String> {
        self.gateway.chat_model()
    }

    /// Who asks.
    pub(crate) fn caller(&self) -> &Caller {
        self.gateway.caller()
    }

    /// Whether an answer that costs no model may be shown as this model's; it is counted as one from a cache.
    pub(crate) async fn may_be_answered(&self, model: &str) -> bool {
        if let Err(error) = self.gateway.allowed(u64::from(REPLY_TOKENS)).await {
            tracing::debug!(%error, "an answer at hand may not be shown");
            return false;
        }
        self.gateway.record(Used {
            caller: self.gateway.caller().clone(),
            model: model.to_owned(),
            class: self.class(),
            task: Task::Chat,
            ok: true,
            prompt_tokens: 0,
            completion_tokens: 0,
            waited: Duration::ZERO,
            busy: Duration::ZERO,
            cache_hit: true,
        });
        true
    }

    /// A whole draft of an answer: by the preferred model, or by the next one where that gives none.
    pub(crate) async fn chat(&self, prompt: &Prompt, seed: u64) -> Result<Reply, Fallback> {
        let until = Instant::now() + CHAT_TIME;
        let mut fallback = Fallback::NoModel;
        for model in self.gateway.chat_models() {
            let time = until.saturating_duration_since(Instant::now());
            let ask = Ask { schema: reply::schema(), tokens: REPLY_TOKENS, time, seed };
            match self.ask(request(model.clone(), prompt, ask), time).await {
                Ok(text) => return Ok(Reply { text, model }),
                Err(error) => {
                    fallback = failed(&error);
                    // A limit or a switch holds for every model.
                    if error.kind() != ErrorKind::Unavailable {
                        break;
                    }
                }
            }
        }
        Err(fallback)
    }

    /// A value of the asked shape, by whatever way the gateway gets one; nothing when none gave a reply that fits.
    pub(crate) async fn value<T: DeserializeOwned>(&self, prompt: &Prompt, ask: Ask) -> Result<Option<T>, Fallback> {
        let time = ask.time;
        let request = request(self.gateway.chat_model().ok_or(Fallback::NoModel)?, prompt, ask);
        match self.gateway.structured(self.class(), request, time).await {
            Ok(reply) => Ok(serde_json::from_value(reply.value).ok()),
            Err(GatewayError::Shape(_)) => Ok(None),
            Err(error) => Err(failed(&error)),
        }
    }

    fn tell(&self, position: Option<usize>) {
        if let Some(ahead) = &self.ahead {
            ahead.send_if_modified(|told| std::mem::replace(told, position) != position);
        }
    }

    /// A whole reply; one that died, was cut or grew too long is no reply.
    async fn ask(&self, request: ChatRequest, time: Duration) -> Result<String, GatewayError> {
        let stream = self.gateway.chat(self.class(), request, time).await?;
        let place = stream.place();
        let mut looks = tokio::time::interval_at(Instant::now() + QUIET, QUIET);
        let mut waits = self.ahead.is_some();
        let mut reply = std::pin::pin!(stream.whole(reply::MOST_BYTES));
        loop {
            tokio::select! {
                reply = &mut reply => match reply? {
                    (text, Finish::Stop) => return Ok(text),
                    (_, Finish::Length) => return Err(GatewayError::Backend("the reply was cut".into())),
                },
                _ = looks.tick(), if waits => {
                    let position = place.position();
                    waits = position.is_some();
                    self.tell(position);
                }
            }
        }
    }
}

fn request(model: String, prompt: &Prompt, ask: Ask) -> ChatRequest {
    let message = |role, content: &str| Message { role, content: content.to_owned() };
    ChatRequest {
        model,
        messages: vec![message(Role::System, &prompt.system), message(Role::User, &prompt.user)],
        schema: Some(ask.schema),
        max_tokens: ask.tokens,
        seed: Some(ask.seed),
        ..ChatRequest::default()
    }
}

fn failed(error: &GatewayError) -> Fallback {
    match error {
        // A course that uses no models is answered as if there were none.
        GatewayError::NoModel { .. } | GatewayError::SwitchedOff => Fallback::NoModel,
        other => {
            tracing::warn!(error = %other, "the language model gave no draft");
            Fallback::Failed
        }
    }
}
