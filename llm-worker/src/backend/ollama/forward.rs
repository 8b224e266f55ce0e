//! Requests of both dialects that are carried over; only what computes, never what changes models.

use std::borrow::Cow;

use domain::wire::{Blob, Dialect, ForwardRequest};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::Ollama;
use super::list::Detail;
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
            if path.contains("embed") {
                let cut_alike = self.cut_alike(&detail).await?;
                if let Some(body) = with_texts(&request.body, cut_alike) {
                    request.body = body;
                }
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

/// The body with its texts changed; nothing when none of them does.
fn with_texts(body: &Blob, change: fn(&str) -> Cow<'_, str>) -> Option<Blob> {
    let Ok(Value::Object(mut fields)) = serde_json::from_slice::<Value>(&body.0) else { return None };
    let mut changed = false;
    let mut one = |value: &mut Value| {
        if let Value::String(text) = value
            && let Cow::Owned(other) = change(text)
        {
            *text = other;
            changed = true;
        }
    };
    for field in ["input", "prompt"] {
        match fields.get_mut(field) {
            Some(Value::Array(texts)) => texts.iter_mut().for_each(&mut one),
            Some(text) => one(text),
            None => {}
        }
    }
    changed.then(|| serde_json::to_vec(&fields).ok()).flatten().map(|bytes| Blob(bytes.into()))
}
