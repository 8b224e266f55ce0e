//! Model servers that an administrator names, and how each is opened.
//!
//! The address may be loopback, private or public: whoever writes the configuration decides where
//! texts are sent. Nothing here reads the environment.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::wire::{Model, Task};
use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::backend::http::Timing;
use crate::backend::ollama::Ollama;
use crate::backend::openai::OpenAi;
use crate::error::Error;

/// The largest file of a key, in bytes; it is one line.
const MAX_KEY: u64 = 16 * 1024;

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Ollama, with its own protocol.
    Ollama,
    /// OpenAI's protocol: llama.cpp, vLLM, mistral.rs and others.
    OpenAi,
}

/// One model server.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Name for people and logs.
    pub name: String,
    /// What it speaks.
    pub kind: Kind,
    /// Its address, http or https; a path before `/v1` or `/api` is kept.
    pub url: String,
    /// The bearer key; better in a file.
    #[serde(default, skip_serializing)]
    pub key: Option<String>,
    /// A file that holds the bearer key.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// Requests that it is given at once; 1 for Ollama and 8 for others if not said.
    #[serde(default)]
    pub slots: Option<u32>,
    /// Models that stay loaded (Ollama: `keep_alive` of -1), loaded as soon as they are seen.
    #[serde(default)]
    pub pinned: Vec<String>,
    /// Models that it keeps loaded at once, so that requests are grouped by model; none when a
    /// change of model costs nothing.
    #[serde(default)]
    pub resident: Option<u32>,
    /// The models to offer; all that the server lists if none is named.
    #[serde(default)]
    pub models: Vec<Served>,
    /// How long Ollama keeps other models loaded, for instance `10m`; its own choice if not said.
    #[serde(default)]
    pub keep_alive: Option<String>,
    /// Threads of Ollama's computing; 0 leaves it to the server. If not said: 1 where the server is
    /// on this machine and it has two processors at most (50 texts a second instead of 2), else 0.
    /// Ollama loads a model anew when this differs between requests, and its `/v1` cannot carry
    /// it: a model whose Modelfile says `PARAMETER num_thread` is therefore left alone.
    #[serde(default)]
    pub num_thread: Option<u32>,
    /// Tokens of Ollama's context; the model's or the server's own if not said.
    #[serde(default)]
    pub num_ctx: Option<u32>,
    /// Longest wait for a connection, in milliseconds.
    #[serde(default = "connect_ms")]
    pub connect_ms: u64,
    /// Longest wait for the first byte of a streamed answer, in milliseconds; a load counts.
    #[serde(default = "first_byte_ms")]
    pub first_byte_ms: u64,
    /// Longest silence between two pieces, in milliseconds.
    #[serde(default = "stall_ms")]
    pub stall_ms: u64,
    /// Longest wait for an answer that comes whole, in milliseconds.
    #[serde(default = "answer_ms")]
    pub answer_ms: u64,
}

/// A model that a server is said to have: its name, or a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Served {
    /// The name alone; what it does is told by the server or guessed from the name.
    Name(String),
    /// More about it.
    Full(ServedModel),
}

/// What an administrator says of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServedModel {
    /// The server's name for it.
    pub id: String,
    /// What it does.
    #[serde(default)]
    pub task: Option<Task>,
    /// Length of its vectors.
    #[serde(default)]
    pub dimension: Option<usize>,
    /// Tokens it reads at most.
    #[serde(default)]
    pub max_tokens: Option<usize>,
}

fn connect_ms() -> u64 {
    millis(Timing::default().connect)
}

fn first_byte_ms() -> u64 {
    millis(Timing::default().first_byte)
}

fn stall_ms() -> u64 {
    millis(Timing::default().stall)
}

fn answer_ms() -> u64 {
    millis(Timing::default().answer)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Served {
    /// The server's name for it.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Name(id) => id,
            Self::Full(model) => &model.id,
        }
    }

    /// The model as it is offered; `task_of` guesses what it does where nobody said so.
    pub(crate) fn model(&self, backend: &str, task_of: impl Fn(&str) -> Task) -> Model {
        match self {
            Self::Name(id) => Model::new(id, task_of(id), backend),
            Self::Full(said) => Model {
                dimension: said.dimension,
                max_tokens: said.max_tokens,
                ..Model::new(&said.id, said.task.unwrap_or_else(|| task_of(&said.id)), backend)
            },
        }
    }
}

impl Upstream {
    /// A server of which nothing more is said.
    #[must_use]
    pub fn new(name: impl Into<String>, kind: Kind, url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind,
            url: url.into(),
            key: None,
            key_file: None,
            slots: None,
            pinned: Vec::new(),
            resident: None,
            models: Vec::new(),
            keep_alive: None,
            num_thread: None,
            num_ctx: None,
            connect_ms: connect_ms(),
            first_byte_ms: first_byte_ms(),
            stall_ms: stall_ms(),
            answer_ms: answer_ms(),
        }
    }

    /// Requests that it is given at once. Ollama serves them one after the other all the same.
    #[must_use]
    pub fn slots(&self) -> u32 {
        let own = match self.kind {
            Kind::Ollama => 1,
            Kind::OpenAi => 8,
        };
        self.slots.unwrap_or(own).max(1)
    }

    /// How long is waited for what.
    #[must_use]
    pub fn timing(&self) -> Timing {
        Timing {
            connect: Duration::from_millis(self.connect_ms),
            first_byte: Duration::from_millis(self.first_byte_ms),
            stall: Duration::from_millis(self.stall_ms),
            answer: Duration::from_millis(self.answer_ms),
        }
    }

    /// Whether it runs on this machine, as far as the address tells.
    #[must_use]
    pub fn local(&self) -> bool {
        match url::Url::parse(&self.url).ok().as_ref().and_then(url::Url::host) {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }

    /// The bearer key, read from its file where it is in one.
    pub(crate) fn secret(&self) -> Result<Option<String>, Error> {
        use std::io::Read;
        if let Some(key) = &self.key {
            return Ok(Some(key.clone()));
        }
        let Some(path) = &self.key_file else { return Ok(None) };
        let mut key = String::new();
        let file = std::fs::File::open(path).map_err(Error::io("open the key", path))?;
        file.take(MAX_KEY).read_to_string(&mut key).map_err(Error::io("read the key", path))?;
        Ok(Some(key.trim().to_owned()).filter(|key| !key.is_empty()))
    }
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("url", &self.url)
            .field("models", &self.models)
            .finish_non_exhaustive()
    }
}

/// A backend for a server. It asks nothing of it yet: [`Backend::refresh`] does, and a
/// [`crate::Worker`] calls it.
///
/// # Errors
/// When the address or the key cannot be used.
pub fn open(upstream: &Upstream) -> Result<Arc<dyn Backend>, Error> {
    Ok(match upstream.kind {
        Kind::Ollama => Arc::new(Ollama::open(upstream)?),
        Kind::OpenAi => Arc::new(OpenAi::open(upstream)?),
    })
}
