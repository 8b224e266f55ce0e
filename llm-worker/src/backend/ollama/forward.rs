//! Requests of both dialects that are carried over; only what computes, never what changes models.

use domain::wire::{Blob, Dialect, ForwardRequest};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Ollama;
use super::list::Detail;
use super::normalise::normalised;
use crate::backend::openai::{carry, openai_path};
use crate::backend::{BackendError, Forwarded};

fn ollama_path(path: &str) -> Option<&'static str> {
    ["/api/chat", "/api/generate", "/api/embed", "/api/embeddings"].into_iter().find(|known| *known == path)
}

impl Ollama {
    pub(super) async fn carry_over(&self, mut request: ForwardRequest) -> Result<Forwarded, BackendError> {
        let path = match request.dialect {
            Dialect::Ollama => ollama_path(&request.path),
            Dialect::OpenAi => openai_path(&request.path),
            Dialect::Unknown => None,
        };
        if let (Some(path), Some(detail)) = (path, self.known().find(&request.model)) {
            if path.contains("embed") && self.cuts_wrongly(&detail).await? {
                request.body = normalised_input(&request.body);
            }
            if request.dialect == Dialect::Ollama {
                self.keep_threads(&detail, &mut request.body);
            }
        }
        carry(&self.http, path, request).await
    }

    /// Adds the options of loading to a body that has none; otherwise every change between a
    /// forwarded and another request would load the model anew.
    fn keep_threads(&self, detail: &Detail, body: &mut Blob) {
        #[derive(Deserialize)]
        struct Options {
            options: Option<IgnoredAny>,
        }
        let options = self.load_options(detail);
        if options.num_thread.is_none() && options.num_ctx.is_none() {
            return;
        }
        let Ok(Options { options: None }) = serde_json::from_slice(&body.0) else { return };
        let (Some(at), Ok(options)) = (memchr::memchr(b'{', &body.0), serde_json::to_vec(&options)) else { return };
        let (head, rest) = body.0.split_at(at + 1);
        // A body without any field has no model either, and is refused by the server.
        body.0 = [head, b"\"options\":", &options, b",", rest].concat().into();
    }
}

/// The body with its texts normalised; whatever else is in it stays.
fn normalised_input(body: &Blob) -> Blob {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice::<Value>(&body.0) else { return body.clone() };
    for field in ["input", "prompt"] {
        match fields.get_mut(field) {
            Some(Value::String(text)) => *text = normalised(text),
            Some(Value::Array(texts)) => {
                for text in texts {
                    if let Value::String(text) = text {
                        *text = normalised(text);
                    }
                }
            }
            _ => {}
        }
    }
    serde_json::to_vec(&fields).map_or_else(|_| body.clone(), |bytes| Blob(bytes.into()))
}
