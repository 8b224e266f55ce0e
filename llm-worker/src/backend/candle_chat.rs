//! Chat with a GGUF model in this process: llama, qwen2 and qwen3, by candle.
//!
//! The administrator supplies the file; nothing is fetched here. One reply is made at a time, on
//! a thread of its own. A prompt that is too long is refused, never cut.

mod constrain;
mod generate;
pub mod header;
mod landing;
mod network;
mod reply;
mod sample;
mod template;
mod vocabulary;

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::wire::{Abilities, ChatRequest, Failure, Message, Model, Task};
use rayon::ThreadPoolBuilder;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

use self::constrain::Grammar;
use self::generate::{Generator, Work};
use self::header::Header;
use self::network::{Network, Shape};
use self::reply::Reply;
pub(super) use self::sample::Sampler;
use self::template::{Marks, Template};
use self::vocabulary::Vocabulary;
use crate::backend::{Backend, BackendError, ChatEnd};
use crate::config;
use crate::error::Error;

/// Tokens that a model reads unless the settings say more: memory grows with them.
const CONTEXT: usize = 4_096;
/// More text than any context here holds, refused before it is cut into tokens.
const MAX_PROMPT_BYTES: usize = 4 * 1024 * 1024;
const MAX_STOPS: usize = 16;

/// Which chat template is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateChoice {
    /// The model file's own, where it has one that works.
    #[default]
    Model,
    /// Ours for the architecture.
    BuiltIn,
}

/// Which model to open, and how it is run.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ChatSettings {
    /// The GGUF file.
    pub path: PathBuf,
    /// The model's id; the file's name without its ending by default.
    pub name: Option<String>,
    /// The file's sha256 in hexadecimal: any other file is refused.
    pub sha256: Option<String>,
    /// `tokenizer.json`; one beside the file is used without being named.
    pub tokenizer: Option<PathBuf>,
    /// Which chat template is used.
    pub template: TemplateChoice,
    /// Whether the model may think before it answers, where its template knows of that.
    pub thinking: bool,
    /// Tokens of prompt and reply together; at most what the model was made for.
    pub context: Option<usize>,
    /// Cores to use; all by default.
    pub threads: Option<usize>,
    /// Requests that may wait for the one that runs.
    pub queue: usize,
    /// Randomness where a request names none, 0 to 2.
    pub temperature: f32,
    /// Of the likeliest tokens, those that together have this chance are drawn from.
    pub top_p: f32,
    /// Longest time of one reply, in seconds; a request's own deadline ends it earlier.
    pub max_seconds: u64,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            name: None,
            sha256: None,
            tokenizer: None,
            template: TemplateChoice::default(),
            thinking: false,
            context: None,
            threads: None,
            queue: 8,
            temperature: 0.7,
            top_p: 0.95,
            max_seconds: 600,
        }
    }
}

/// An open chat model.
pub struct OpenedChat {
    /// Give this to a worker.
    pub backend: Arc<CandleChat>,
    /// The model's id.
    pub model: String,
    /// What was found wanting, for people.
    pub notices: Vec<String>,
}

/// A chat model on a thread of its own.
pub struct CandleChat {
    model: Model,
    parts: Arc<Parts>,
    work: SyncSender<Work>,
    max_time: Duration,
    /// Seeds of requests that name none.
    seeds: AtomicU64,
    temperature: f32,
    top_p: f32,
}

/// What turns a request into work.
struct Parts {
    vocabulary: Vocabulary,
    template: Template,
    grammar: Grammar,
    context: usize,
}

/// Checks and loads a chat model; takes up to minutes, so call it off the runtime's threads.
///
/// # Errors
/// When the file is missing, was exchanged, or is no model that candle runs; the message says which.
pub fn open_chat(settings: &ChatSettings) -> Result<OpenedChat, Error> {
    let path = settings.path.as_path();
    let name = settings.name.clone().or_else(|| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| Error::Missing(path.to_owned()))?;
    let mut file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::load(format!("\"{}\"", path.display()), "the file is not there"),
        _ => Error::io("open", path)(error),
    })?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    let found = digest(&mut file).map_err(Error::io("read", path))?;
    if let Some(expected) = settings.sha256.as_ref().filter(|expected| !expected.eq_ignore_ascii_case(&found)) {
        return Err(Error::Tampered { path: path.to_owned(), expected: expected.clone(), found });
    }
    let what = format!("\"{}\"", path.display());
    let header = Header::read(&mut file, size).map_err(|error| Error::load(&what, error))?;
    let shape = Shape::of(&header).map_err(|error| Error::load(&what, error))?;
    let context = settings.context.unwrap_or(CONTEXT).min(shape.context).max(2);
    let vocabulary = Vocabulary::open(&header, tokenizer_file(settings)?.as_deref())?;
    if vocabulary.bytes().len() > shape.vocabulary {
        return Err(Error::load(&what, "the tokenizer has tokens that the network does not know"));
    }
    let mut notices = Vec::new();
    let template = template(&header, &vocabulary, settings, &mut notices).map_err(|e| Error::load(&what, e))?;
    let grammar = Grammar::new(&vocabulary).map_err(|error| Error::load(&what, error))?;
    let generator = load(&file, &shape, context, settings, &vocabulary).map_err(|error| Error::load(&what, error))?;
    let (sender, receiver) = sync_channel(settings.queue.max(1));
    std::thread::Builder::new()
        .name("chat".to_owned())
        .spawn(move || generator.run(&receiver))
        .map_err(Error::io("start a thread for", path))?;
    let model = Model {
        max_tokens: Some(context),
        abilities: Abilities {
            tools: Some(false),
            schema: Some(true),
            version: Some(format!("sha256:{found}")),
            ..Abilities::default()
        },
        ..Model::new(&name, Task::Chat, "candle")
    };
    let backend = CandleChat {
        model,
        parts: Arc::new(Parts { vocabulary, template, grammar, context }),
        work: sender,
        max_time: Duration::from_secs(settings.max_seconds.max(1)),
        seeds: AtomicU64::new(first_seed()),
        temperature: settings.temperature,
        top_p: settings.top_p,
    };
    Ok(OpenedChat { backend: Arc::new(backend), model: name, notices })
}

fn digest(file: &mut File) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 20];
    file.rewind()?;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(buffer.get(..count).unwrap_or_default());
    }
}

fn tokenizer_file(settings: &ChatSettings) -> Result<Option<PathBuf>, Error> {
    if let Some(named) = &settings.tokenizer {
        return if named.is_file() {
            Ok(Some(named.clone()))
        } else {
            Err(Error::load(format!("\"{}\"", named.display()), "the file is not there"))
        };
    }
    let beside = settings.path.parent().unwrap_or_else(|| Path::new("")).join("tokenizer.json");
    Ok(beside.is_file().then_some(beside))
}

fn template(
    header: &Header,
    vocabulary: &Vocabulary,
    settings: &ChatSettings,
    notices: &mut Vec<String>,
) -> Result<Template, String> {
    let (bos, eos) = vocabulary.bos_and_eos();
    let marks = Marks { bos: bos.to_owned(), eos: eos.to_owned(), thinking: settings.thinking };
    let given = header.text("tokenizer.chat_template").filter(|_| settings.template == TemplateChoice::Model);
    let (template, notice) = Template::choose(given, |token| vocabulary.has(token), marks)?;
    if settings.template == TemplateChoice::Model {
        notices.extend(notice);
    }
    Ok(template)
}

/// Loads the network and tries it once: what candle cannot run is said here, not to a learner.
fn load(
    file: &File,
    shape: &Shape,
    context: usize,
    settings: &ChatSettings,
    vocabulary: &Vocabulary,
) -> Result<Generator, String> {
    let threads = ThreadPoolBuilder::new()
        .num_threads(settings.threads.unwrap_or_else(config::cores).max(1))
        .build()
        .map_err(|error| error.to_string())?;
    let loaded = catch_unwind(AssertUnwindSafe(|| {
        threads.install(|| {
            let mut network = Network::load(file, shape, context)?;
            let scores = network.read(&[0, 0])?;
            network.forget();
            Ok::<_, candle_core::Error>((network, scores.len()))
        })
    }));
    let (network, scores) = loaded
        .map_err(|_| "its weights do not fit together".to_owned())?
        .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())?;
    if scores < vocabulary.bytes().len() {
        return Err("the network scores fewer tokens than the tokenizer has".to_owned());
    }
    Ok(Generator { network, threads, words: vocabulary.bytes().to_vec().into(), ends: vocabulary.ends().to_vec() })
}

fn first_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.subsec_nanos().into())
}

fn invalid(message: impl Into<String>) -> BackendError {
    BackendError::Failed(Failure::Invalid { message: message.into() })
}

impl Parts {
    /// The tokens of a conversation.
    fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, BackendError> {
        let size: usize = messages.iter().map(|message| message.content.len()).sum();
        if messages.is_empty() || size > MAX_PROMPT_BYTES {
            return Err(invalid(if messages.is_empty() { "there is no message" } else { "the prompt is too long" }));
        }
        let harmless: Vec<Message> = messages
            .iter()
            .map(|message| Message { role: message.role, content: self.vocabulary.harmless(&message.content) })
            .collect();
        let text = self.template.prompt(&harmless).map_err(invalid)?;
        let prompt = self.vocabulary.prompt(&text).map_err(BackendError::backend)?;
        if prompt.is_empty() {
            return Err(invalid("the prompt is empty"));
        }
        if prompt.len() >= self.context {
            let message = format!("the prompt has {} tokens, and {} are read at most", prompt.len(), self.context - 1);
            return Err(invalid(message));
        }
        Ok(prompt)
    }
}

/// Marks the work when the caller lets go.
struct Cancel(Arc<AtomicBool>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Backend for CandleChat {
    fn models(&self) -> Vec<Model> {
        vec![self.model.clone()]
    }

    async fn chat(&self, request: ChatRequest, pieces: mpsc::Sender<String>) -> Result<ChatEnd, BackendError> {
        if request.max_tokens == 0 || request.stop.len() > MAX_STOPS {
            return Err(invalid(format!("at least one token and at most {MAX_STOPS} stops are allowed")));
        }
        let temperature = request.temperature.unwrap_or(self.temperature);
        if !(0.0..=2.0).contains(&temperature) {
            return Err(invalid("the temperature goes from 0 to 2"));
        }
        let until = Instant::now() + self.max_time;
        let cancelled = Arc::new(AtomicBool::new(false));
        let _cancel = Cancel(Arc::clone(&cancelled));
        let seed = request.seed.unwrap_or_else(|| self.seeds.fetch_add(0x9E37_79B9, Ordering::Relaxed));
        let (sender, mut said) = mpsc::channel(self.parts.context + 2);
        let (done, ended) = oneshot::channel();
        let (parts, top_p) = (Arc::clone(&self.parts), self.top_p);
        let work = tokio::task::spawn_blocking(move || {
            let prompt = parts.prompt(&request.messages)?;
            let limit = (parts.context - prompt.len()).min(request.max_tokens as usize);
            let constraint = request.schema.as_ref().map(|schema| parts.grammar.constraint(schema)).transpose();
            // A stop would cut a reply that has to stay whole.
            let stops = if request.schema.is_some() { Vec::new() } else { request.stop };
            Ok::<_, BackendError>(Work {
                prompt,
                limit,
                sampler: Sampler::new(seed, temperature, top_p),
                reply: Reply::new(stops, parts.vocabulary.leading_space()),
                constraint: constraint.map_err(invalid)?,
                reuse: request.seed.is_none(),
                until,
                cancelled,
                pieces: sender,
                done,
            })
        });
        let work = work.await.map_err(|error| BackendError::backend(format!("the tokenizer stopped: {error}")))??;
        self.work.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) => BackendError::backend("the model has too many requests waiting"),
            TrySendError::Disconnected(_) => BackendError::backend("the model's thread has stopped"),
        })?;
        while let Some(piece) = said.recv().await {
            if pieces.send(piece).await.is_err() {
                return Err(BackendError::Failed(Failure::Cancelled));
            }
        }
        ended.await.unwrap_or_else(|_| Err(BackendError::backend("the model's thread has stopped")))
    }

    async fn resident(&self) -> Option<Vec<String>> {
        Some(vec![self.model.id.clone()])
    }
}
