//! A reply in our own terms, rendered in either protocol, whole or in pieces.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use domain::wire::Finish;
use futures::StreamExt as _;
use llm_gateway::{ChatStream, GatewayError};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::carry::{MOST_ANSWER, response};
use super::fault::{Fault, Style};

/// Bytes of a token, roughly.
const TOKEN_BYTES: usize = 4;

/// What an answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    ChatCompletion,
    Completion,
    OllamaChat,
    OllamaGenerate,
}

/// One answer on its way.
pub(crate) struct Rendering {
    shape: Shape,
    model: String,
    id: String,
    now: OffsetDateTime,
    began: std::time::Instant,
    prompt_tokens: usize,
    written: usize,
    first: bool,
    usage: bool,
}

impl Rendering {
    pub(crate) fn new(shape: Shape, model: String, prompt_bytes: usize, usage: bool) -> Self {
        Self {
            shape,
            model,
            id: Uuid::now_v7().simple().to_string(),
            now: OffsetDateTime::now_utc(),
            began: std::time::Instant::now(),
            prompt_tokens: prompt_bytes / TOKEN_BYTES + 1,
            written: 0,
            first: true,
            usage,
        }
    }

    /// The whole answer at once.
    pub(crate) async fn whole(self, reply: ChatStream) -> Result<Response, Fault> {
        let (text, finish) = reply.whole(MOST_ANSWER).await?;
        Ok(self.said(&text, finish))
    }

    /// An answer that is there already.
    pub(crate) fn said(mut self, text: &str, finish: Finish) -> Response {
        self.written = text.len() / TOKEN_BYTES + 1;
        let value = match self.shape {
            Shape::ChatCompletion => json!({
                "id": format!("chatcmpl-{}", self.id), "object": "chat.completion",
                "created": self.now.unix_timestamp(), "model": self.model,
                "choices": [{ "index": 0, "message": { "role": "assistant", "content": text },
                    "finish_reason": reason(finish), "logprobs": null }],
                "usage": self.counted(),
            }),
            Shape::Completion => json!({
                "id": format!("cmpl-{}", self.id), "object": "text_completion",
                "created": self.now.unix_timestamp(), "model": self.model,
                "choices": [{ "index": 0, "text": text, "finish_reason": reason(finish), "logprobs": null }],
                "usage": self.counted(),
            }),
            Shape::OllamaChat | Shape::OllamaGenerate => self.ollama(text, Some(finish)),
        };
        let kind = HeaderValue::from_static("application/json");
        response(StatusCode::OK, Some(kind), Body::from(value.to_string()))
    }

    /// The answer in pieces; one that breaks off ends with an error and never with the last word.
    pub(crate) fn pieces(self, reply: ChatStream, style: Style) -> Response {
        let stream = futures::stream::unfold(Some((self, reply)), move |state| async move {
            let (mut this, mut reply) = state?;
            match reply.next().await {
                Some(Ok(delta)) => {
                    let last = delta.finish.is_some();
                    let text = this.piece(&delta.text, delta.finish);
                    Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), (!last).then_some((this, reply))))
                }
                Some(Err(error)) => Some((Ok(Bytes::from(Fault::from(error).event(style))), None)),
                None => Some((Ok(Bytes::from(Fault::from(GatewayError::WorkerLost).event(style))), None)),
            }
        });
        let kind = HeaderValue::from_static(style.stream_type());
        response(StatusCode::OK, Some(kind), Body::from_stream(stream))
    }

    fn piece(&mut self, text: &str, finish: Option<Finish>) -> String {
        self.written += usize::from(!text.is_empty());
        match self.shape {
            Shape::OllamaChat | Shape::OllamaGenerate => {
                // The last line has no text of its own.
                let mut lines = String::new();
                if finish.is_none() || !text.is_empty() {
                    lines = format!("{}\n", self.ollama(text, None));
                }
                if finish.is_some() {
                    lines.push_str(&format!("{}\n", self.ollama("", finish)));
                }
                lines
            }
            Shape::ChatCompletion | Shape::Completion => {
                let mut events = String::new();
                if !text.is_empty() || self.first {
                    events.push_str(&self.event(text, None));
                }
                self.first = false;
                if finish.is_some() {
                    events.push_str(&self.event("", finish));
                    if self.usage {
                        let mut value = self.chunk(json!([]));
                        if let Some(object) = value.as_object_mut() {
                            object.insert("usage".to_owned(), self.counted());
                        }
                        events.push_str(&format!("data: {value}\n\n"));
                    }
                    events.push_str("data: [DONE]\n\n");
                }
                events
            }
        }
    }

    fn event(&self, text: &str, finish: Option<Finish>) -> String {
        let finish_reason = finish.map(reason);
        let choice = if self.shape == Shape::Completion {
            json!([{ "index": 0, "text": text, "finish_reason": finish_reason, "logprobs": null }])
        } else {
            let delta = match (self.first, finish) {
                (_, Some(_)) => json!({}),
                (true, None) => json!({ "role": "assistant", "content": text }),
                (false, None) => json!({ "content": text }),
            };
            json!([{ "index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": null }])
        };
        format!("data: {}\n\n", self.chunk(choice))
    }

    fn chunk(&self, choices: Value) -> Value {
        let (mark, object) = match self.shape {
            Shape::Completion => ("cmpl", "text_completion"),
            _ => ("chatcmpl", "chat.completion.chunk"),
        };
        json!({
            "id": format!("{mark}-{}", self.id), "object": object, "created": self.now.unix_timestamp(),
            "model": self.model, "choices": choices,
        })
    }

    fn ollama(&self, text: &str, finish: Option<Finish>) -> Value {
        let mut value = json!({
            "model": self.model,
            "created_at": self.now.format(&Rfc3339).unwrap_or_default(),
            "done": finish.is_some(),
        });
        let Some(object) = value.as_object_mut() else { return value };
        if self.shape == Shape::OllamaChat {
            object.insert("message".to_owned(), json!({ "role": "assistant", "content": text }));
        } else {
            object.insert("response".to_owned(), json!(text));
        }
        if let Some(finish) = finish {
            let took = u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            object.insert("done_reason".to_owned(), json!(reason(finish)));
            object.insert("total_duration".to_owned(), json!(took));
            object.insert("prompt_eval_count".to_owned(), json!(self.prompt_tokens));
            object.insert("eval_count".to_owned(), json!(self.written));
        }
        value
    }

    fn counted(&self) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens, "completion_tokens": self.written,
            "total_tokens": self.prompt_tokens + self.written,
        })
    }
}

fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    }
}
