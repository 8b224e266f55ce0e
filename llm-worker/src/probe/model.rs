//! Tries one model behind a backend with small requests: what it can do, and how fast.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::wire::{
    Abilities, Blob, ChatRequest, Class, Dialect, EmbedRequest, Failure, ForwardRequest, Message, Model, Role, Task,
};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::backend::{Backend, BackendError};

/// Time for one request of the probe; the first may load the model.
const TIME: Duration = Duration::from_secs(120);
/// Tokens of the text that the speed is measured with.
const SPEED_TOKENS: u32 = 64;
/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// How one try ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It works.
    Works,
    /// It answered, and not as it was asked to.
    Wrong {
        /// What came.
        reason: String,
    },
    /// The server does not do this with this model.
    Refused {
        /// What it said.
        reason: String,
    },
    /// It failed.
    Failed {
        /// How.
        reason: String,
    },
    /// Nothing came in time.
    TimedOut,
    /// It does not apply to this model or backend.
    NotTried,
}

impl Outcome {
    /// Whether it works; nothing where the try tells nothing.
    #[must_use]
    pub fn ability(&self) -> Option<bool> {
        match self {
            Self::Works => Some(true),
            Self::Wrong { .. } | Self::Refused { .. } => Some(false),
            Self::Failed { .. } | Self::TimedOut | Self::NotTried => None,
        }
    }
}

/// What a probe of one model found.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Report {
    /// The model with its abilities filled in.
    pub model: Model,
    /// Loading it; its time is 0 if it was loaded before.
    pub load: Outcome,
    /// Whether it answers at all: with text, or with vectors.
    pub answers: Outcome,
    /// Whether it takes tools.
    pub tools: Outcome,
    /// Whether it keeps to a JSON Schema.
    pub schema: Outcome,
    /// Whether it does while it thinks first.
    pub schema_thinking: Outcome,
}

/// Tries `model` of `backend`. It takes a few seconds, and never more than a bounded time.
pub async fn probe(backend: &Arc<dyn Backend>, model: &Model) -> Report {
    let mut model = model.clone();
    let was_loaded = backend.resident().await.unwrap_or_default().contains(&model.id);
    let began = Instant::now();
    let load = outcome_of(within(backend.warm(&model.id)).await);
    if load == Outcome::Works {
        let elapsed = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
        model.abilities.load_ms = Some(if was_loaded { 0 } else { elapsed });
    }
    let mut report = Report {
        load,
        answers: Outcome::NotTried,
        tools: Outcome::NotTried,
        schema: Outcome::NotTried,
        schema_thinking: Outcome::NotTried,
        model,
    };
    match report.model.task {
        Task::Embed => embeds(backend, &mut report).await,
        Task::Chat => chats(backend, &mut report).await,
        // A recording would be needed.
        Task::Transcribe | Task::Unknown => {}
    }
    report
}

async fn embeds(backend: &Arc<dyn Backend>, report: &mut Report) {
    let request = EmbedRequest { model: report.model.id.clone(), texts: vec!["A short text.".to_owned()] };
    let outcome = within(backend.embed(Class::Chat, request)).await;
    if let Ok(vectors) = &outcome {
        report.model.dimension = vectors.first().map(Vec::len);
    }
    report.answers = outcome_of(outcome.map(|_| ()));
}

async fn chats(backend: &Arc<dyn Backend>, report: &mut Report) {
    let model = report.model.id.clone();
    match within(speed(backend, &model)).await {
        Ok(speed) => {
            report.model.abilities.tokens_per_second = speed;
            report.answers = Outcome::Works;
        }
        Err(error) => {
            report.answers = outcome_of(Err(error));
            return;
        }
    }
    report.schema = schema(backend, &model).await;
    report.tools = tools(backend, &report.model).await;
    report.schema_thinking = schema_thinking(backend, &report.model).await;
    let abilities = &mut report.model.abilities;
    *abilities = Abilities {
        tools: report.tools.ability(),
        schema: report.schema.ability(),
        schema_thinking: report.schema_thinking.ability(),
        ..abilities.clone()
    };
}

fn asking(model: &str, text: &str, max_tokens: u32) -> ChatRequest {
    ChatRequest {
        model: model.to_owned(),
        messages: vec![Message { role: Role::User, content: text.to_owned() }],
        max_tokens,
        seed: Some(1),
        // At 0 a small model says one word for ever, and a server that notices breaks it off.
        temperature: Some(0.7),
        ..ChatRequest::default()
    }
}

/// The whole text, the tokens that were counted, and the time since the first piece.
async fn text(
    backend: &Arc<dyn Backend>,
    request: ChatRequest,
) -> Result<(String, Option<u32>, Duration), BackendError> {
    let (sender, mut pieces) = mpsc::channel::<String>(16);
    let gather = async {
        let (mut text, mut first) = (String::new(), None);
        while let Some(piece) = pieces.recv().await {
            first.get_or_insert_with(Instant::now);
            if text.len() < MAX_ANSWER {
                text.push_str(&piece);
            }
        }
        (text, first.map_or(Duration::ZERO, |first| first.elapsed()))
    };
    let (end, (text, time)) = tokio::join!(backend.chat(request, sender), gather);
    Ok((text, end?.usage.map(|usage| usage.completion_tokens), time))
}

async fn speed(backend: &Arc<dyn Backend>, model: &str) -> Result<Option<u32>, BackendError> {
    let (_, tokens, time) = text(backend, asking(model, "Count from one to twenty in words.", SPEED_TOKENS)).await?;
    // The first token came before the clock was started.
    let tokens = tokens.filter(|tokens| *tokens > 1).map(|tokens| f64::from(tokens - 1));
    let rate = tokens.map(|tokens| (tokens / time.as_secs_f64().max(1e-6)).min(1e6));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and a million")]
    let rate = rate.map(|rate| rate as u32);
    Ok(rate)
}

fn small_schema() -> Value {
    json!({
        "type": "object",
        "properties": { "count": { "type": "integer", "minimum": 0, "maximum": 9 }, "even": { "type": "boolean" } },
        "required": ["count", "even"],
        "additionalProperties": false,
    })
}

/// Whether a text is what [`small_schema`] asks for.
fn keeps(text: &str) -> Outcome {
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text.trim()) else {
        return Outcome::Wrong { reason: "no JSON object".to_owned() };
    };
    let count = fields.get("count").and_then(Value::as_u64).is_some_and(|count| count <= 9);
    if count && fields.get("even").is_some_and(Value::is_boolean) && fields.len() == 2 {
        return Outcome::Works;
    }
    Outcome::Wrong { reason: "JSON of another shape".to_owned() }
}

const SCHEMA_QUESTION: &str = "How many legs has a dog, and is that an even number? Answer in JSON.";

async fn schema(backend: &Arc<dyn Backend>, model: &str) -> Outcome {
    let request = ChatRequest { schema: Some(small_schema()), ..asking(model, SCHEMA_QUESTION, 64) };
    match within(text(backend, request)).await {
        Ok((text, ..)) => keeps(&text),
        Err(error) => outcome_of(Err(error)),
    }
}

async fn tools(backend: &Arc<dyn Backend>, model: &Model) -> Outcome {
    let parameters = json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    let body = json!({
        "model": model.id,
        "messages": [{ "role": "user", "content": "What is the weather in Paris?" }],
        "tools": [{ "type": "function", "function": {
            "name": "weather", "description": "The weather of a city.", "parameters": parameters } }],
        "max_tokens": 64,
        "stream": false,
    });
    match carried(backend, model, Dialect::OpenAi, "/v1/chat/completions", body).await {
        Ok(_) => Outcome::Works,
        Err(outcome) => outcome,
    }
}

async fn schema_thinking(backend: &Arc<dyn Backend>, model: &Model) -> Outcome {
    let body = json!({
        "model": model.id,
        "messages": [{ "role": "user", "content": SCHEMA_QUESTION }],
        "format": small_schema(),
        "think": true,
        "options": { "num_predict": 512 },
        "stream": false,
    });
    match carried(backend, model, Dialect::Ollama, "/api/chat", body).await {
        Ok(answer) => {
            let message = answer.get("message");
            let field = |name: &str| message.and_then(|message| message.get(name)?.as_str()).unwrap_or_default();
            // A server that does not know the wish to think answers without.
            if field("thinking").is_empty() { Outcome::NotTried } else { keeps(field("content")) }
        }
        // It says that the model does not think.
        Err(Outcome::Refused { .. }) => Outcome::NotTried,
        Err(outcome) => outcome,
    }
}

/// The answer to a request in a server's own protocol, if the server behind the model speaks it.
async fn carried(
    backend: &Arc<dyn Backend>,
    model: &Model,
    dialect: Dialect,
    path: &'static str,
    body: Value,
) -> Result<Value, Outcome> {
    if !model.dialects.contains(&dialect) {
        return Err(Outcome::NotTried);
    }
    let request = ForwardRequest {
        model: model.id.clone(),
        dialect,
        path: path.into(),
        body: Blob(Bytes::from(body.to_string())),
        stream: false,
    };
    let answered = within(async {
        let mut answer = backend.forward(request).await?;
        let mut body = Vec::new();
        while let Some(piece) = answer.body.next().await {
            body.extend_from_slice(&piece?);
            if body.len() > MAX_ANSWER {
                return Err(BackendError::backend("the answer is too large"));
            }
        }
        Ok((answer.status, body))
    });
    let (status, body) = answered.await.map_err(|error| outcome_of(Err(error)))?;
    let value = serde_json::from_slice(&body).unwrap_or_default();
    match status {
        200..=299 => Ok(value),
        400..=499 => Err(Outcome::Refused { reason: crate::backend::http::said(&body) }),
        _ => Err(Outcome::Failed { reason: format!("the server answers {status}") }),
    }
}

async fn within<T>(work: impl Future<Output = Result<T, BackendError>>) -> Result<T, BackendError> {
    tokio::time::timeout(TIME, work).await.unwrap_or(Err(BackendError::Failed(Failure::Deadline)))
}

fn outcome_of(outcome: Result<(), BackendError>) -> Outcome {
    match outcome {
        Ok(()) => Outcome::Works,
        Err(BackendError::Failed(Failure::Deadline)) => Outcome::TimedOut,
        Err(BackendError::Failed(failure @ (Failure::Invalid { .. } | Failure::NoModel { .. }))) => {
            Outcome::Refused { reason: failure.to_string() }
        }
        Err(BackendError::Failed(failure)) => Outcome::Failed { reason: failure.to_string() },
        Err(BackendError::Crashed) => Outcome::Failed { reason: "the backend crashed".to_owned() },
    }
}
