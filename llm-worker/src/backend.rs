//! What runs models: one trait, and the backends that this build has.

mod audio;
pub mod candle;
pub mod candle_chat;
mod child;
pub mod http;
pub mod ollama;
pub mod onnx;
pub mod openai;
pub mod pocketsphinx;
pub mod scripted;
pub mod whisper;

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use domain::wire::{
    ChatRequest, Class, EmbedRequest, Failure, Finish, ForwardRequest, Model, TranscribeRequest, Transcript, Usage,
};
use futures::stream::BoxStream;
use tokio::sync::mpsc;

/// How a generated text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChatEnd {
    /// Why.
    pub finish: Finish,
    /// Tokens, where the backend counts them.
    pub usage: Option<Usage>,
}

impl From<Finish> for ChatEnd {
    fn from(finish: Finish) -> Self {
        Self { finish, usage: None }
    }
}

/// What a server answers to a request that was carried over.
pub struct Forwarded {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub content_type: String,
    /// The body as it comes. A stream that breaks off, or ends without the last word of its
    /// dialect, yields an error at its end: a dead server never looks like a finished answer.
    pub body: BoxStream<'static, Result<Bytes, BackendError>>,
    /// Tokens, once the body has ended well and if the server said them.
    pub usage: Arc<OnceLock<Usage>>,
}

/// How a backend fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackendError {
    /// This request failed; the next may do well.
    Failed(Failure),
    /// The whole worker is done for; its stream is closed.
    Crashed,
}

impl BackendError {
    /// The model failed, and this is what it said.
    #[must_use]
    pub fn backend(message: impl std::fmt::Display) -> Self {
        Self::Failed(Failure::Backend { message: message.to_string() })
    }
}

/// Runs one or several models. Dropping a future takes its request back.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The models that it serves, best first.
    fn models(&self) -> Vec<Model>;

    /// Whether it serves `model`, under this or another spelling of its name.
    fn serves(&self, model: &str) -> bool {
        self.models().iter().any(|known| known.id == model)
    }

    /// Asks the server behind it anew which models there are; tells whether the list changed.
    async fn refresh(&self) -> Result<bool, BackendError> {
        Ok(false)
    }

    /// Loads a model, so that the next request for it need not wait.
    async fn warm(&self, model: &str) -> Result<(), BackendError> {
        let _ = model;
        Ok(())
    }

    /// What an administrator should know of the server behind it.
    fn notices(&self) -> Vec<String> {
        Vec::new()
    }

    /// One vector a text, in order.
    async fn embed(&self, class: Class, request: EmbedRequest) -> Result<Vec<Vec<f32>>, BackendError> {
        let _ = class;
        Err(BackendError::Failed(Failure::Invalid { message: format!("\"{}\" makes no vectors", request.model) }))
    }

    /// Text in pieces.
    async fn chat(&self, request: ChatRequest, pieces: mpsc::Sender<String>) -> Result<ChatEnd, BackendError> {
        drop(pieces);
        Err(BackendError::Failed(Failure::Invalid { message: format!("\"{}\" does not chat", request.model) }))
    }

    /// The server's own answer to a request in its own protocol, from the head on.
    async fn forward(&self, request: ForwardRequest) -> Result<Forwarded, BackendError> {
        let message = format!("\"{}\" takes no requests of {:?}", request.model, request.dialect);
        Err(BackendError::Failed(Failure::Invalid { message }))
    }

    /// What is said in a recording.
    async fn transcribe(&self, request: TranscribeRequest) -> Result<Transcript, BackendError> {
        Err(BackendError::Failed(Failure::Invalid { message: format!("\"{}\" hears nothing", request.model) }))
    }

    /// Ids of the models that are loaded now, where the backend knows; a worker asks every few seconds.
    async fn resident(&self) -> Option<Vec<String>> {
        None
    }
}
