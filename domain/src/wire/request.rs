//! What is asked of a model, and what comes back besides text in pieces.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Blob, Dialect};

/// Who speaks in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions of the application.
    System,
    /// The person, and material quoted for the model.
    User,
    /// The model.
    Assistant,
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// A request for generated text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ChatRequest {
    /// Model id.
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// JSON Schema that the reply should satisfy; the caller validates all the same.
    #[serde(default)]
    pub schema: Option<Value>,
    /// Longest reply, in tokens.
    pub max_tokens: u32,
    /// Seed of the sampling, where the backend has one.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Randomness of the sampling, 0 to 2; the backend's own without it.
    #[serde(default)]
    pub temperature: Option<f32>,
    /// The reply ends before the first of these.
    #[serde(default)]
    pub stop: Vec<String>,
}

/// A request for vectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmbedRequest {
    /// Model id.
    pub model: String,
    /// Texts; the vectors come back in this order.
    pub texts: Vec<String>,
}

/// A request that the server behind the model takes as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwardRequest {
    /// Model id.
    pub model: String,
    /// The protocol.
    pub dialect: Dialect,
    /// Path on the server, for instance `/v1/chat/completions`.
    pub path: Cow<'static, str>,
    /// The JSON body, byte by byte.
    pub body: Blob,
    /// Whether the answer comes in pieces.
    pub stream: bool,
}

/// Tokens of a request, as the model counted them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Read.
    pub prompt_tokens: u32,
    /// Written.
    pub completion_tokens: u32,
}

/// A recording to be written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscribeRequest {
    /// Model id.
    pub model: String,
    /// The recording; on the wire it doubles, so at most 7 MiB.
    pub audio: Blob,
    /// Its name, whose ending tells the format.
    pub file_name: String,
    /// ISO 639-1 code, where it is known.
    #[serde(default)]
    pub language: Option<String>,
    /// Words that are likely to occur.
    #[serde(default)]
    pub prompt: Option<String>,
}

/// What was said, and when.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Transcript {
    /// ISO 639-1 code, where the model tells it.
    #[serde(default)]
    pub language: Option<String>,
    /// Seconds of the recording.
    #[serde(default)]
    pub duration: f64,
    /// In order of time.
    pub segments: Vec<Segment>,
}

impl Transcript {
    /// All that was said.
    #[must_use]
    pub fn text(&self) -> String {
        self.segments.iter().map(|segment| segment.text.trim()).collect::<Vec<_>>().join(" ")
    }
}

/// Words that belong together.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Segment {
    /// Seconds from the start.
    pub start: f64,
    /// Seconds from the start.
    pub end: f64,
    /// What was said.
    pub text: String,
    /// 0 to 1, where the model tells it.
    #[serde(default)]
    pub confidence: Option<f64>,
    /// Each word, where the model tells them.
    #[serde(default)]
    pub words: Vec<Word>,
}

/// One word of a recording.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Word {
    /// Seconds from the start.
    pub start: f64,
    /// Seconds from the start.
    pub end: f64,
    /// The word.
    pub text: String,
    /// 0 to 1, where the model tells it.
    #[serde(default)]
    pub confidence: Option<f64>,
}
