//! Models for programs: OpenAI's and Ollama's protocols in front of the gateway.
//!
//! A request that a model server takes as it is goes there byte by byte and its answer comes back
//! byte by byte; a model without such a server is asked in our own terms and its answer is rendered.
//! These routes stand beside the others, without their layers: an API key, a scan of the few fields
//! that matter, and on.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::wire::{Class, Dialect};

use crate::App;
use carry::Carry;
use fault::{Fault, Style};
use scan::Scan;

mod carry;
mod embed;
mod fault;
mod key;
mod list;
mod render;
mod scan;
mod speech;
mod translate;

pub(crate) use embed::{ollama as ollama_embed, ollama_single as ollama_embeddings, openai as openai_embeddings};
pub(crate) use list::{model, models, ps, show, tags, version};
pub(crate) use speech::transcriptions;

/// Most bytes of a request.
pub(crate) const MOST_BYTES: usize = 8 * 1024 * 1024;
/// How long a request may take unless it says otherwise, and at most.
const USUAL_TIME: Duration = Duration::from_secs(300);
const LONGEST_TIME: Duration = Duration::from_secs(3_600);

/// What a request says of itself in headers.
pub(crate) struct Terms {
    class: Class,
    deadline: Duration,
}

impl Terms {
    fn of(headers: &HeaderMap, usual: Class) -> Result<Self, String> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let class = match text("lyceum-class") {
            None => usual,
            Some(name) => Class::ALL.into_iter().find(|class| class.name() == name).ok_or_else(|| {
                format!("\"Lyceum-Class\" is one of chat, grade, quiz, embed, transcribe, not \"{name}\"")
            })?,
        };
        let deadline = match text("lyceum-deadline-ms") {
            None => USUAL_TIME,
            Some(number) => number
                .parse()
                .map(Duration::from_millis)
                .ok()
                .filter(|time| !time.is_zero() && *time <= LONGEST_TIME)
                .ok_or_else(|| "\"Lyceum-Deadline-Ms\" is a number of milliseconds, at most an hour".to_owned())?,
        };
        Ok(Self { class, deadline })
    }
}

/// `POST /v1/chat/completions`
pub(crate) async fn chat_completions(app: State<App>, headers: HeaderMap, body: Bytes) -> Response {
    generate(&app, &headers, body, Style::OpenAi, "/v1/chat/completions").await
}

/// `POST /v1/completions`
pub(crate) async fn completions(app: State<App>, headers: HeaderMap, body: Bytes) -> Response {
    generate(&app, &headers, body, Style::OpenAi, "/v1/completions").await
}

/// `POST /api/chat`
pub(crate) async fn ollama_chat(app: State<App>, headers: HeaderMap, body: Bytes) -> Response {
    generate(&app, &headers, body, Style::Ollama, "/api/chat").await
}

/// `POST /api/generate`
pub(crate) async fn ollama_generate(app: State<App>, headers: HeaderMap, body: Bytes) -> Response {
    generate(&app, &headers, body, Style::Ollama, "/api/generate").await
}

async fn generate(app: &App, headers: &HeaderMap, body: Bytes, style: Style, path: &'static str) -> Response {
    match generated(app, headers, body, style, path).await {
        Ok(response) => response,
        Err(fault) => fault.render(style),
    }
}

async fn generated(
    app: &App,
    headers: &HeaderMap,
    body: Bytes,
    style: Style,
    path: &'static str,
) -> Result<Response, Fault> {
    let asker = key::asker(app, headers).await?;
    if body.len() > MOST_BYTES {
        return Err(Fault::invalid(format!("a request of {} bytes; at most {MOST_BYTES}", body.len())));
    }
    let terms = Terms::of(headers, Class::Chat).map_err(Fault::invalid)?;
    let scan = Scan::of(&body)?;
    let gateway = app.ports.gateway.by(asker.caller);
    let dialect = style.dialect();
    // Ollama streams unless it is told not to.
    let stream = scan.stream.unwrap_or(dialect == Dialect::Ollama);
    if gateway.speaks(&scan.model, dialect) {
        let carry = Carry { style, path, stream, terms };
        return carry.run(&gateway, body.clone(), &scan).await;
    }
    translate::run(&gateway, &body, style, path, stream, terms).await
}
