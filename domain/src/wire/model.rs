//! What a worker says of the models that it serves.

use serde::{Deserialize, Serialize};

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Texts to vectors.
    Embed,
    /// Messages to text.
    Chat,
    /// Speech to text.
    Transcribe,
    /// A task that this build does not know.
    #[serde(other)]
    Unknown,
}

/// A protocol of model servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `/v1/chat/completions` and its kin.
    OpenAi,
    /// `/api/chat` and its kin.
    Ollama,
    /// A protocol that this build does not know.
    #[serde(other)]
    Unknown,
}

/// What a probe of one model in one version found out; nothing where it was not tried.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Abilities {
    /// Takes tools.
    #[serde(default)]
    pub tools: Option<bool>,
    /// Keeps to a JSON Schema.
    #[serde(default)]
    pub schema: Option<bool>,
    /// Keeps to a JSON Schema while it thinks first.
    #[serde(default)]
    pub schema_thinking: Option<bool>,
    /// Generated tokens a second, measured.
    #[serde(default)]
    pub tokens_per_second: Option<u32>,
    /// Milliseconds to load it, measured.
    #[serde(default)]
    pub load_ms: Option<u32>,
    /// Digest or version of the weights.
    #[serde(default)]
    pub version: Option<String>,
}

/// A model that a worker serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Name with precision, for instance `all-MiniLM-L6-v2@int8`: vectors of two ids never mix.
    pub id: String,
    /// What it does.
    pub task: Task,
    /// Length of its vectors, for an embedding model.
    #[serde(default)]
    pub dimension: Option<usize>,
    /// Tokens it reads at most; the rest of an embedded text is cut.
    #[serde(default)]
    pub max_tokens: Option<usize>,
    /// The backend that runs it, for people.
    #[serde(default)]
    pub backend: String,
    /// Protocols that the server behind it speaks: requests in these are carried over byte by byte.
    #[serde(default)]
    pub dialects: Vec<Dialect>,
    /// What a probe found out.
    #[serde(default)]
    pub abilities: Abilities,
}

impl Model {
    /// A model of which nothing more is known.
    #[must_use]
    pub fn new(id: impl Into<String>, task: Task, backend: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            task,
            dimension: None,
            max_tokens: None,
            backend: backend.into(),
            dialects: Vec::new(),
            abilities: Abilities::default(),
        }
    }
}
