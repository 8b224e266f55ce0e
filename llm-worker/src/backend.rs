//! What runs models: one trait, and the backends that this build has.

pub mod candle;
pub mod onnx;
pub mod scripted;

use async_trait::async_trait;
use domain::wire::{ChatRequest, Class, EmbedRequest, Failure, Finish, Model};
use tokio::sync::mpsc;

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

    /// One vector a text, in order.
    async fn embed(&self, class: Class, request: EmbedRequest) -> Result<Vec<Vec<f32>>, BackendError> {
        let _ = class;
        Err(BackendError::Failed(Failure::Invalid { message: format!("\"{}\" makes no vectors", request.model) }))
    }

    /// Text in pieces.
    async fn chat(&self, request: ChatRequest, pieces: mpsc::Sender<String>) -> Result<Finish, BackendError> {
        drop(pieces);
        Err(BackendError::Failed(Failure::Invalid { message: format!("\"{}\" does not chat", request.model) }))
    }
}
