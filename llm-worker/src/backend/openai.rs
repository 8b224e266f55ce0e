//! Any server that speaks OpenAI's protocol: llama.cpp, vLLM, mistral.rs, Ollama's own `/v1`.

mod chat;
mod embed;
mod forward;
mod list;
mod transcribe;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use domain::wire::{
    ChatRequest, Class, Dialect, EmbedRequest, Failure, ForwardRequest, Model, Task, TranscribeRequest, Transcript,
};
use tokio::sync::mpsc;

use crate::backend::http::Http;
use crate::backend::{Backend, BackendError, ChatEnd, Forwarded};
use crate::error::Error;
use crate::upstream::Upstream;

pub(crate) use embed::{checked, same_length};
pub(crate) use forward::{carry, openai_path};
pub(crate) use list::task_of;

/// Time for the list of models.
const LIST: Duration = Duration::from_secs(5);

/// One server and what it was found to serve.
pub struct OpenAi {
    name: String,
    http: Http,
    named: Vec<Model>,
    models: RwLock<Arc<Vec<Model>>>,
}

impl OpenAi {
    /// A backend for the server of `upstream`; nothing is asked of it yet.
    ///
    /// # Errors
    /// When its address or key cannot be used.
    pub fn open(upstream: &Upstream) -> Result<Self, Error> {
        // Many write the address with its version, since the clients of OpenAI want it so.
        let url = upstream.url.trim_end_matches('/');
        let url = url.strip_suffix("/v1").unwrap_or(url);
        let http = Http::open(url, upstream.secret()?.as_deref(), upstream.timing())?;
        let named: Vec<Model> = upstream.models.iter().map(|served| served.model("openai", list::task_of)).collect();
        let named: Vec<Model> = named.into_iter().map(with_dialect).collect();
        Ok(Self { name: upstream.name.clone(), http, models: RwLock::new(Arc::new(named.clone())), named })
    }

    fn known(&self) -> Arc<Vec<Model>> {
        Arc::clone(&self.models.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a new list in place; tells whether it differs from the last.
    fn learn(&self, models: Vec<Model>) -> bool {
        let mut known = self.models.write().unwrap_or_else(PoisonError::into_inner);
        let changed = **known != models;
        if changed {
            tracing::info!(server = self.name, models = models.len(), "models of the server changed");
            *known = Arc::new(models);
        }
        changed
    }

    fn must(&self, model: &str, task: Task) -> Result<(), BackendError> {
        let known = self.known();
        match known.iter().find(|known| known.id == model) {
            None => Err(BackendError::Failed(Failure::NoModel { model: model.to_owned() })),
            Some(known) if known.task == task => Ok(()),
            Some(_) => {
                let message = format!("\"{model}\" is not a model for {task:?}");
                Err(BackendError::Failed(Failure::Invalid { message }))
            }
        }
    }
}

fn with_dialect(model: Model) -> Model {
    let dialects = if model.task == Task::Transcribe { Vec::new() } else { vec![Dialect::OpenAi] };
    Model { dialects, ..model }
}

#[async_trait]
impl Backend for OpenAi {
    fn models(&self) -> Vec<Model> {
        self.known().to_vec()
    }

    fn serves(&self, model: &str) -> bool {
        self.known().iter().any(|known| known.id == model)
    }

    async fn refresh(&self) -> Result<bool, BackendError> {
        let models = list::list(&self.http, &self.named, &self.known()).await?;
        Ok(self.learn(models.into_iter().map(with_dialect).collect()))
    }

    async fn embed(&self, _class: Class, request: EmbedRequest) -> Result<Vec<Vec<f32>>, BackendError> {
        self.must(&request.model, Task::Embed)?;
        embed::embed(&self.http, &request.model, &request.texts).await
    }

    async fn chat(&self, request: ChatRequest, pieces: mpsc::Sender<String>) -> Result<ChatEnd, BackendError> {
        self.must(&request.model, Task::Chat)?;
        chat::chat(&self.http, &request, &pieces).await
    }

    async fn forward(&self, request: ForwardRequest) -> Result<Forwarded, BackendError> {
        let path = match request.dialect {
            Dialect::OpenAi => openai_path(&request.path),
            _ => None,
        };
        carry(&self.http, path, request).await
    }

    async fn transcribe(&self, request: TranscribeRequest) -> Result<Transcript, BackendError> {
        self.must(&request.model, Task::Transcribe)?;
        transcribe::transcribe(&self.http, &request).await
    }
}
