//! Ollama, by its own protocol.
//!
//! What makes it differ from its description is handled here: success that turns into an error
//! line, streams that stop without a last word, prompts that are cut in silence, names with and
//! without `:latest`, and a tokeniser that some versions got wrong. It never creates, pulls,
//! pushes or deletes a model.

mod chat;
mod embed;
mod forward;
mod list;
mod name;
pub mod normalise;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use domain::wire::{ChatRequest, Class, EmbedRequest, Failure, ForwardRequest, Model, Task};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::backend::http::Http;
use crate::backend::{Backend, BackendError, ChatEnd, Forwarded};
use crate::config::cores;
use crate::error::Error;
use crate::upstream::{Served, Upstream};

use list::Known;
pub use name::same_model;

/// Time for questions that need no model.
const QUESTION: Duration = Duration::from_secs(5);

/// One server and what it was found to serve.
pub struct Ollama {
    name: String,
    http: Http,
    named: Vec<Served>,
    pinned: Vec<String>,
    keep_alive: Option<String>,
    /// Threads to ask for; 0 leaves it to the server.
    num_thread: u32,
    num_ctx: Option<u32>,
    known: RwLock<Arc<Known>>,
}

/// Options of a request; those that are not set are the model's own.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
struct RequestOptions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_thread: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_ctx: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    num_predict: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
}

impl Ollama {
    /// A backend for the server of `upstream`; nothing is asked of it yet.
    ///
    /// # Errors
    /// When its address or key cannot be used.
    pub fn open(upstream: &Upstream) -> Result<Self, Error> {
        let url = upstream.url.trim_end_matches('/');
        let url = url.strip_suffix("/v1").or_else(|| url.strip_suffix("/api")).unwrap_or(url);
        let http = Http::open(url, upstream.secret()?.as_deref(), upstream.timing())?;
        // Two threads of two processors spin against everything else: 2 texts a second, not 50.
        let small = upstream.local() && cores() <= 2;
        Ok(Self {
            name: upstream.name.clone(),
            http,
            pinned: upstream.pinned.clone(),
            keep_alive: upstream.keep_alive.clone(),
            num_thread: upstream.num_thread.unwrap_or_else(|| u32::from(small)),
            num_ctx: upstream.num_ctx,
            known: RwLock::new(Arc::new(Known::named(&upstream.models))),
            named: upstream.models.clone(),
        })
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The model under its name on the server, if it is for `task`.
    fn find(&self, model: &str, task: Task) -> Result<Arc<list::Detail>, BackendError> {
        let detail = self.known().find(model);
        let detail = detail.ok_or_else(|| BackendError::Failed(Failure::NoModel { model: model.to_owned() }))?;
        if detail.model.task != task {
            // Ollama makes vectors of any model's last layer, and they mean nothing.
            let message = format!("\"{model}\" is not a model for {task:?}");
            return Err(BackendError::Failed(Failure::Invalid { message }));
        }
        Ok(detail)
    }

    /// The options that decide with what a model is loaded: a request with others loads it anew.
    fn load_options(&self, detail: &list::Detail) -> RequestOptions<'static> {
        let num_thread = Some(self.num_thread).filter(|threads| *threads > 0 && !detail.sets_threads);
        RequestOptions { num_thread, num_ctx: self.num_ctx, ..RequestOptions::default() }
    }

    /// How long a model stays loaded after a request.
    fn keep_alive(&self, model: &str) -> Option<Value> {
        if self.pinned.iter().any(|pinned| same_model(pinned, model)) {
            return Some((-1).into());
        }
        self.keep_alive.clone().map(Value::from)
    }
}

#[async_trait]
impl Backend for Ollama {
    fn models(&self) -> Vec<Model> {
        self.known().models()
    }

    fn serves(&self, model: &str) -> bool {
        self.known().find(model).is_some()
    }

    async fn refresh(&self) -> Result<bool, BackendError> {
        let before = self.known();
        let known = list::list(&self.http, &self.named, self.num_ctx, &before).await?;
        let changed = known.models() != before.models();
        if changed {
            tracing::info!(server = self.name, models = known.models().len(), "models of the server changed");
        }
        for notice in known.notices().iter().filter(|notice| !before.notices().contains(notice)) {
            tracing::warn!(server = self.name, "{notice}");
        }
        let known = Arc::new(known);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&known);
        if !self.pinned.is_empty() {
            let loaded = list::loaded(&self.http).await?;
            for model in &self.pinned {
                if known.find(model).is_some() && !loaded.iter().any(|loaded| same_model(loaded, model)) {
                    self.warm(model).await?;
                }
            }
        }
        Ok(changed)
    }

    async fn warm(&self, model: &str) -> Result<(), BackendError> {
        let detail = self.known().find(model);
        let detail = detail.ok_or_else(|| BackendError::Failed(Failure::NoModel { model: model.to_owned() }))?;
        // Without a prompt, or without texts, the server loads the model and no more.
        let (path, wanted) = match detail.model.task {
            Task::Embed => ("/api/embed", ("input", Value::Array(Vec::new()))),
            _ => ("/api/generate", ("stream", Value::Bool(false))),
        };
        let mut body = serde_json::json!({
            "model": detail.model.id,
            "options": self.load_options(&detail),
            (wanted.0): wanted.1,
        });
        if let (Some(keep_alive), Some(body)) = (self.keep_alive(model), body.as_object_mut()) {
            body.insert("keep_alive".to_owned(), keep_alive);
        }
        let body = serde_json::to_vec(&body).map_err(BackendError::backend)?;
        let answer = self.http.post(path, body.into(), self.http.timing().first_byte).await?;
        let reply: Value = answer.successful(model).await?.json().await?;
        match reply.get("error").and_then(Value::as_str) {
            Some(error) => Err(BackendError::backend(format!("the model server failed: {error}"))),
            None => Ok(()),
        }
    }

    fn notices(&self) -> Vec<String> {
        self.known().notices().to_vec()
    }

    async fn embed(&self, _class: Class, request: EmbedRequest) -> Result<Vec<Vec<f32>>, BackendError> {
        let detail = self.find(&request.model, Task::Embed)?;
        self.vectors(&detail, &request.texts).await
    }

    async fn chat(&self, request: ChatRequest, pieces: mpsc::Sender<String>) -> Result<ChatEnd, BackendError> {
        let detail = self.find(&request.model, Task::Chat)?;
        self.text(&detail, &request, &pieces).await
    }

    async fn forward(&self, request: ForwardRequest) -> Result<Forwarded, BackendError> {
        self.carry_over(request).await
    }

    async fn resident(&self) -> Option<Vec<String>> {
        list::loaded(&self.http).await.ok()
    }
}
