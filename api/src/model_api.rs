//! Models for programs: OpenAI's and Ollama's protocols in front of the gateway.
//!
//! A request that a model server takes as it is goes there byte by byte and its answer comes back
//! byte by byte; a model without such a server is asked in our own terms and its answer is rendered.
//! These routes stand beside the others, without their layers: an API key, a scan of the few fields
//! that matter, and on.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request as Sent, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use domain::wire::{Class, Task};
use http_body_util::LengthLimitError;
use llm_gateway::{Gateway, Used};

use crate::App;
use carry::Carry;
use fault::{Fault, Style};
use scan::Scan;

mod batch;
mod carry;
mod embed;
mod fault;
mod key;
mod list;
mod render;
mod replay;
mod scan;
mod speech;
mod translate;

pub use batch::ModelRunner;
pub(crate) use list::{model, models, ps, show, tags, version};
pub(crate) use replay::Replays;
pub(crate) use speech::transcriptions;

/// Most bytes of a request.
pub(crate) const MOST_BYTES: usize = 8 * 1024 * 1024;
/// How long a request may take unless it says otherwise, and at most.
const USUAL_TIME: Duration = Duration::from_secs(300);
const LONGEST_TIME: Duration = Duration::from_secs(3_600);
/// How long the body of a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(60);

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
pub(crate) async fn chat_completions(app: State<App>, sent: Sent) -> Response {
    generate(&app, sent, Style::OpenAi, "/v1/chat/completions").await
}

/// `POST /v1/completions`
pub(crate) async fn completions(app: State<App>, sent: Sent) -> Response {
    generate(&app, sent, Style::OpenAi, "/v1/completions").await
}

/// `POST /api/chat`
pub(crate) async fn ollama_chat(app: State<App>, sent: Sent) -> Response {
    generate(&app, sent, Style::Ollama, "/api/chat").await
}

/// `POST /api/generate`
pub(crate) async fn ollama_generate(app: State<App>, sent: Sent) -> Response {
    generate(&app, sent, Style::Ollama, "/api/generate").await
}

async fn generate(app: &App, sent: Sent, style: Style, path: &'static str) -> Response {
    answer(app, sent, style, path, Class::Chat).await
}

/// What every generating or embedding door does: key, terms, durable or at once.
async fn answer(app: &App, sent: Sent, style: Style, path: &'static str, usual: Class) -> Response {
    let (sent, body) = sent.into_parts();
    let headers = &sent.headers;
    // What few requests need is boxed, here and in `run`: the states of all ways together are kilobytes, which every
    // request would carry from hand to hand.
    let answered = async {
        let asker = key::asker(app, headers).await?;
        let body = arrived(body).await?;
        let terms = Terms::of(headers, usual).map_err(Fault::invalid)?;
        let scan = Scan::of(&body)?;
        // What would be refused later is refused now rather than kept.
        if batch::wanted(headers) {
            return Box::pin(batch::accept(&app.ports.school, &asker, headers, terms.class, path, &body)).await;
        }
        let determined = EMBEDS.contains(&path) || scan.determined;
        let gateway = app.ports.gateway.by(asker.caller);
        let key = determined.then(|| replay_key(headers, &gateway, path, &body, &scan)).flatten();
        let request = Request { style, path, body: body.clone(), terms, whole: false };
        let Some((key, model)) = key else { return request.run(&gateway, &scan).await };
        // A limit or a switch holds for what memory could answer, too.
        gateway.allowed(0).await?;
        let (by, class) = (gateway.clone(), request.terms.class);
        let answered = async move { request.run(&by, &Scan::of(&body)?).await };
        let (answer, way) = Box::pin(app.replays.answer(key, answered)).await;
        let mut answer = answer?;
        answer.headers_mut().insert("lyceum-cache", HeaderValue::from_static(way));
        if way != "miss" {
            gateway.record(Used {
                caller: gateway.caller().clone(),
                model,
                class,
                task: if EMBEDS.contains(&path) { Task::Embed } else { Task::Chat },
                ok: true,
                prompt_tokens: 0,
                completion_tokens: 0,
                waited: Duration::ZERO,
                busy: Duration::ZERO,
                cache_hit: true,
            });
        }
        Ok(answer)
    };
    match answered.await {
        Ok(response) => response,
        Err(fault) => fault.render(style),
    }
}

/// The whole body of a request, from somebody whose key holds.
async fn arrived(body: Body) -> Result<Bytes, Fault> {
    match tokio::time::timeout(ARRIVAL, to_bytes(body, MOST_BYTES)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(error)) => {
            let long = std::error::Error::source(&error).is_some_and(|cause| cause.is::<LengthLimitError>());
            Err(if long {
                Fault::too_large(MOST_BYTES)
            } else {
                Fault::invalid(format!("the body broke off: {error}"))
            })
        }
        Err(_) => Err(Fault::invalid(format!("the body did not arrive within {} s", ARRIVAL.as_secs()))),
    }
}

/// Where the answer is kept, with the model that makes it.
fn replay_key(
    headers: &HeaderMap,
    gateway: &Gateway,
    path: &str,
    body: &[u8],
    scan: &Scan<'_>,
) -> Option<([u8; 32], String)> {
    let model = gateway.known(&scan.model)?;
    let version = model.abilities.version.unwrap_or_default();
    let digest = format!("{} {version}", model.id);
    replay::key(headers, gateway.caller(), &digest, path, body).map(|key| (key, model.id))
}

/// A request whose sender is known.
pub(crate) struct Request {
    style: Style,
    path: &'static str,
    body: Bytes,
    terms: Terms,
    /// The answer comes in one piece, whatever the body says.
    whole: bool,
}

impl Request {
    /// Asks the model; `scan` is of this very body.
    async fn run(self, gateway: &Gateway, scan: &Scan<'_>) -> Result<Response, Fault> {
        let embeds = EMBEDS.contains(&self.path);
        // Ollama streams unless it is told not to.
        let stream = !embeds && scan.stream.unwrap_or(self.style == Style::Ollama);
        if self.whole && stream {
            return Err(Fault::invalid("a request that is answered later says \"stream\": false"));
        }
        if gateway.speaks(&scan.model, self.style.dialect()) {
            let carry = Carry { style: self.style, path: self.path, stream, terms: self.terms };
            return carry.run(gateway, self.body, scan).await;
        }
        if embeds {
            return Box::pin(embed::run(gateway, &self.body, self.style, self.path, self.terms)).await;
        }
        Box::pin(translate::run(gateway, &self.body, self.style, self.path, stream, self.terms)).await
    }
}

const EMBEDS: &[&str] = &["/v1/embeddings", "/api/embed", "/api/embeddings"];
const GENERATES: &[&str] = &["/v1/chat/completions", "/v1/completions", "/api/chat", "/api/generate"];

/// The path of a stored request, if there is a door for it.
fn known_path(path: &str) -> Option<&'static str> {
    EMBEDS.iter().chain(GENERATES).copied().find(|known| *known == path)
}

/// `POST /v1/embeddings`
pub(crate) async fn openai_embeddings(app: State<App>, sent: Sent) -> Response {
    answer(&app, sent, Style::OpenAi, "/v1/embeddings", Class::Embed).await
}

/// `POST /api/embed`
pub(crate) async fn ollama_embed(app: State<App>, sent: Sent) -> Response {
    answer(&app, sent, Style::Ollama, "/api/embed", Class::Embed).await
}

/// `POST /api/embeddings`, Ollama's older one: one text, one vector.
pub(crate) async fn ollama_embeddings(app: State<App>, sent: Sent) -> Response {
    answer(&app, sent, Style::Ollama, "/api/embeddings", Class::Embed).await
}
