//! A simulated model server: OpenAI's protocol, one resident model, one request at a time.
//! Only its time is made up. Further connections wait in order of arrival, as Ollama's do.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::{clock, text};

/// Conversations whose keys and values a server keeps; the one used longest ago makes room.
pub const CACHED_SEQUENCES: usize = 4;

/// One request as a server saw it.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: String,
    pub prompt_tokens: usize,
    pub prefilled_tokens: usize,
    pub completion_tokens: usize,
    pub loaded: bool,
    pub started: Instant,
    /// When the first token began to be written.
    pub decoding: Instant,
    /// When the slot was free again; none while it runs.
    pub ended: Option<Instant>,
    /// All tokens were written.
    pub complete: bool,
}

/// A listening server.
pub struct Server {
    pub url: String,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    models: Vec<String>,
    machine: Arc<tokio::sync::Mutex<Machine>>,
    runs: Mutex<Vec<Run>>,
}

struct Machine {
    resident: String,
    /// Least recently used first.
    cached: Vec<Vec<u64>>,
}

impl Server {
    /// Listens on a free port, the first model loaded.
    pub async fn start(models: &[&str]) -> Result<Self> {
        let resident = models.first().map_or_else(String::new, |model| (*model).to_owned());
        let shared = Arc::new(Shared {
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            machine: Arc::new(tokio::sync::Mutex::new(Machine { resident, cached: Vec::new() })),
            runs: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("no port for a simulated server")?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(handle).with_state(Arc::clone(&shared));
        let listening = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("a simulated server ended: {error}");
            }
        });
        Ok(Self { url, shared, listening })
    }

    /// Forgets what was counted and cached, and has the first model loaded again.
    pub async fn reset(&self) {
        let mut machine = self.shared.machine.lock().await;
        machine.resident = self.shared.models.first().cloned().unwrap_or_default();
        machine.cached.clear();
        self.shared.runs.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Everything that was begun since the last reset.
    pub fn runs(&self) -> Vec<Run> {
        self.shared.runs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn handle(State(shared): State<Arc<Shared>>, method: Method, uri: Uri, body: Bytes) -> Response {
    if method == Method::GET && uri.path().ends_with("/models") {
        let data: Vec<Value> = shared.models.iter().map(|id| json!({"id": id, "object": "model"})).collect();
        return json_response(StatusCode::OK, &json!({"object": "list", "data": data}));
    }
    if method == Method::POST && uri.path().ends_with("/chat/completions") {
        return match serde_json::from_slice::<Value>(&body) {
            Ok(request) => complete(shared, &request).await,
            Err(error) => json_response(StatusCode::BAD_REQUEST, &json!({"error": {"message": error.to_string()}})),
        };
    }
    json_response(StatusCode::NOT_FOUND, &json!({"error": {"message": "no such page"}}))
}

fn json_response(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// The part of a request that runs; frees the slot when it ends or when its client goes.
struct Slot {
    shared: Arc<Shared>,
    machine: Option<OwnedMutexGuard<Machine>>,
    run: usize,
}

impl Slot {
    /// Ends the run; `reply` extends what is cached when the answer is whole.
    fn end(&mut self, reply: Option<&str>) {
        let Some(mut machine) = self.machine.take() else { return };
        if let (Some(reply), Some(sequence)) = (reply, machine.cached.last_mut()) {
            sequence.extend(text::tokens(std::iter::once(reply)));
        }
        if let Some(run) = self.shared.runs.lock().unwrap_or_else(PoisonError::into_inner).get_mut(self.run) {
            run.ended = Some(Instant::now());
            run.complete = reply.is_some();
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.end(None);
    }
}

async fn complete(shared: Arc<Shared>, request: &Value) -> Response {
    let model = request.get("model").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !shared.models.contains(&model) {
        return json_response(StatusCode::NOT_FOUND, &json!({"error": {"message": format!("no model \"{model}\"")}}));
    }
    let texts: Vec<&str> = request
        .get("messages")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|message| message.get("content").and_then(Value::as_str))
        .collect();
    let id = texts.last().and_then(|last| last.rsplit_once('#')).map(|(_, id)| id.to_owned()).unwrap_or_default();
    let limit = request.get("max_tokens").or_else(|| request.get("max_completion_tokens")).and_then(Value::as_u64);
    let count = usize::try_from(limit.unwrap_or(16)).unwrap_or(16);
    let prompt = text::tokens(texts.into_iter());
    let prompt_tokens = prompt.len();

    let mut machine = Arc::clone(&shared.machine).lock_owned().await;
    let started = Instant::now();
    let loaded = machine.load(&model);
    let prefilled_tokens = prompt_tokens - machine.admit(prompt);
    let loading = if loaded { clock::load() } else { std::time::Duration::ZERO };
    let decoding = started + loading + clock::prefill(prefilled_tokens);
    let run = Run {
        id: id.clone(),
        prompt_tokens,
        prefilled_tokens,
        completion_tokens: count,
        loaded,
        started,
        decoding,
        ended: None,
        complete: false,
    };
    let index = {
        let mut runs = shared.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.push(run);
        runs.len() - 1
    };
    let mut slot = Slot { shared, machine: Some(machine), run: index };
    sleep_until(decoding).await;
    let usage = json!({
        "prompt_tokens": prompt_tokens, "completion_tokens": count, "total_tokens": prompt_tokens + count,
        "prompt_tokens_details": {"cached_tokens": prompt_tokens - prefilled_tokens},
    });
    if request.get("stream").and_then(Value::as_bool) == Some(true) {
        let with_usage = request.pointer("/stream_options/include_usage").and_then(Value::as_bool) == Some(true);
        let answer = Streamed { id, model, count, written: 0, decoding, usage: with_usage.then_some(usage), slot };
        return streamed(answer);
    }
    sleep_until(decoding + clock::decode(count)).await;
    let reply = text::reply(&id, count);
    slot.end(Some(&reply));
    let message = json!({"role": "assistant", "content": reply});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let body = json!({
        "id": format!("chatcmpl-{id}"), "object": "chat.completion", "created": 0, "model": model,
        "choices": [choice], "usage": usage,
    });
    json_response(StatusCode::OK, &body)
}

impl Machine {
    /// Makes a model the resident one; tells whether it had to be loaded.
    fn load(&mut self, model: &str) -> bool {
        if self.resident == model {
            return false;
        }
        self.resident = model.to_owned();
        self.cached.clear();
        true
    }

    /// Puts a prompt into the cache; gives the tokens that were there already.
    /// A sequence that the prompt goes on with is replaced; otherwise the prefix is copied.
    fn admit(&mut self, prompt: Vec<u64>) -> usize {
        let common = |cached: &Vec<u64>| cached.iter().zip(&prompt).take_while(|(one, other)| one == other).count();
        let best = self.cached.iter().map(common).enumerate().max_by_key(|(_, length)| *length);
        let mut reused = 0;
        if let Some((index, length)) = best.filter(|(_, length)| *length > 0) {
            reused = length;
            let sequence = self.cached.remove(index);
            if sequence.len() > length {
                self.cached.push(sequence);
            }
        }
        if self.cached.len() >= CACHED_SEQUENCES {
            self.cached.remove(0);
        }
        self.cached.push(prompt);
        reused
    }
}

struct Streamed {
    id: String,
    model: String,
    count: usize,
    written: usize,
    decoding: Instant,
    usage: Option<Value>,
    slot: Slot,
}

fn streamed(answer: Streamed) -> Response {
    let frames = stream::unfold(Some(answer), |answer| async move {
        let mut answer = answer?;
        answer.written += 1;
        sleep_until(answer.decoding + clock::decode(answer.written)).await;
        let token = text::reply_token(&answer.id, answer.written - 1);
        let mut frame = answer.frame(&json!([{"index": 0, "delta": {"content": token}, "finish_reason": null}]), None);
        if answer.written < answer.count {
            return Some((Ok::<_, std::convert::Infallible>(frame), Some(answer)));
        }
        answer.slot.end(Some(&text::reply(&answer.id, answer.count)));
        frame.push_str(&answer.frame(&json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]), None));
        if let Some(usage) = answer.usage.take() {
            frame.push_str(&answer.frame(&json!([]), Some(usage)));
        }
        frame.push_str("data: [DONE]\n\n");
        Some((Ok(frame), None))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(frames)).into_response()
}

impl Streamed {
    fn frame(&self, choices: &Value, usage: Option<Value>) -> String {
        let mut chunk = json!({
            "id": format!("chatcmpl-{}", self.id), "object": "chat.completion.chunk", "created": 0,
            "model": self.model, "choices": choices,
        });
        if let (Some(usage), Some(chunk)) = (usage, chunk.as_object_mut()) {
            chunk.insert("usage".to_owned(), usage);
        }
        format!("data: {chunk}\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Machine {
        Machine { resident: "m1".to_owned(), cached: Vec::new() }
    }

    #[test]
    fn a_conversation_that_goes_on_reads_only_what_is_new() {
        let mut machine = machine();
        assert_eq!(machine.admit(vec![1, 2, 3]), 0);
        assert_eq!(machine.admit(vec![1, 2, 3, 4]), 3);
        assert_eq!(machine.cached.len(), 1);
    }

    #[test]
    fn a_shared_prefix_is_copied_and_the_oldest_sequence_makes_room() {
        let mut machine = machine();
        for course in 0..6 {
            assert_eq!(machine.admit(vec![course, course + 100]), 0);
        }
        assert_eq!(machine.cached.len(), CACHED_SEQUENCES);
        assert_eq!(machine.admit(vec![5, 7]), 1);
        assert_eq!(machine.admit(vec![0, 7]), 0, "the first was given up");
    }

    #[test]
    fn another_model_is_loaded_once_and_empties_the_cache() {
        let mut machine = machine();
        machine.admit(vec![1, 2]);
        assert!(machine.load("m2"));
        assert!(!machine.load("m2"));
        assert_eq!(machine.admit(vec![1, 2]), 0);
    }
}
