//! The door for callers: embed, chat, transcribe, forward, and what is there.

mod guard;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::wire::{
    ChatRequest, Class, Dialect, EmbedRequest, ForwardRequest, MAX_EMBED_TEXTS, MAX_FRAME, Model, Request,
    TranscribeRequest, Transcript, Up,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::caller::{Caller, Meter, Used};
use crate::chat::ChatStream;
use crate::error::GatewayError;
use crate::forward::{Direct, Forwarding, LOOK, Weight};
use crate::link::{self, WorkerLink};
use crate::options::Options;
use crate::prefix;
use crate::state::reply::ReplyTo;
use crate::state::{State, Submission, WorkerId};
use crate::status::{ClassCounters, ModelStatus, QueueStatus, WorkerStatus};
pub(crate) use guard::Guard;
pub use guard::Place;

/// Pieces of a reply that may wait for a slow reader before the request is taken back.
const CHAT_DEPTH: usize = 4_096;
/// The most bytes of text in one request: an eighth of a frame, because JSON writes one control character as six.
const MAX_TEXT_BYTES: usize = MAX_FRAME / 8;
/// The most bytes of a recording: hexadecimal doubles it.
const MAX_AUDIO_BYTES: usize = MAX_FRAME / 2 - 64 * 1024;
/// Bytes of a token, roughly, in the languages of most courses.
const TOKEN_BYTES: usize = 4;

/// Shares model requests out to workers. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) shared: Arc<Shared>,
    caller: Arc<Caller>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("caller", &self.caller).finish_non_exhaustive()
    }
}

pub(crate) struct Shared {
    state: Mutex<State>,
    meter: Option<Arc<dyn Meter>>,
    pub(crate) silence: Duration,
}

impl Shared {
    /// Does something with the state, then keeps the books of what ended thereby, outside the lock.
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // A panic while the lock was held is a defect, but the maps are still whole.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let value = work(&mut state);
        let over = std::mem::take(&mut state.over);
        drop(state);
        for one in over {
            if let Some(held) = one.held {
                held.settle(one.tokens);
            }
            if let (Some(meter), Some(used)) = (&self.meter, one.used) {
                meter.record(used);
            }
        }
        value
    }

    pub(crate) fn register(
        &self,
        name: String,
        models: Vec<Model>,
        sender: mpsc::Sender<domain::wire::Down>,
        direct: Option<Arc<dyn Direct>>,
        resident: Option<usize>,
    ) -> WorkerId {
        self.with(|state| {
            let id = state.register(name, models, sender);
            if let Some(direct) = direct {
                state.direct(id, direct, resident);
            }
            id
        })
    }

    pub(crate) fn hear(&self, worker: WorkerId, message: Up) {
        self.with(|state| state.hear(worker, message));
    }

    pub(crate) fn lose(&self, worker: WorkerId) {
        self.with(|state| state.lose(worker));
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Gateway {
    /// A gateway without workers that keeps no books.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self::with_meter(options, None)
    }

    /// A gateway without workers; the meter is asked before anything waits.
    #[must_use]
    pub fn with_meter(options: Options, meter: Option<Arc<dyn Meter>>) -> Self {
        let silence = options.silence;
        let shared = Shared { state: Mutex::new(State::new(options)), meter, silence };
        Self { shared: Arc::new(shared), caller: Arc::default() }
    }

    /// The same gateway, asked by somebody: shares, quotas and the ledger are counted there.
    #[must_use]
    pub fn by(&self, caller: Caller) -> Self {
        Self { shared: Arc::clone(&self.shared), caller: Arc::new(caller) }
    }

    /// One vector a text, in the order of the texts, within `deadline` from now.
    ///
    /// # Errors
    /// [`GatewayError::NoModel`] at once when no worker serves `model`; else as its variants say.
    pub async fn embed(
        &self,
        class: Class,
        model: &str,
        texts: Vec<String>,
        deadline: Duration,
    ) -> Result<Vec<Vec<f32>>, GatewayError> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        if texts.len() > MAX_EMBED_TEXTS {
            return Err(GatewayError::Invalid(format!("{} texts at once; at most {MAX_EMBED_TEXTS}", texts.len())));
        }
        let bytes = texts.iter().map(String::len).sum();
        check_size(bytes)?;
        let (sender, receiver) = oneshot::channel();
        let reply = ReplyTo::Embed { count: texts.len(), sender };
        let request = Request::Embed(EmbedRequest { model: model.to_owned(), texts });
        let deadline = Instant::now() + deadline;
        let weight = Weight { prompt_tokens: tokens(bytes), max_tokens: Some(0), ..Weight::default() };
        let guard = self.submit(class, request, None, weight, deadline, reply).await?;
        self.answer(receiver, deadline, guard).await
    }

    /// What is said in a recording, within `deadline` from now.
    ///
    /// # Errors
    /// As for [`Gateway::embed`].
    pub async fn transcribe(
        &self,
        class: Class,
        request: TranscribeRequest,
        deadline: Duration,
    ) -> Result<Transcript, GatewayError> {
        let bytes = request.audio.0.len();
        if bytes > MAX_AUDIO_BYTES {
            return Err(GatewayError::Invalid(format!("a recording of {bytes} bytes; at most {MAX_AUDIO_BYTES}")));
        }
        let (sender, receiver) = oneshot::channel();
        let deadline = Instant::now() + deadline;
        let request = Request::Transcribe(request);
        let weight = Weight { prompt_tokens: tokens(bytes / 1_000), ..Weight::default() };
        let guard = self.submit(class, request, None, weight, deadline, ReplyTo::Transcribe { sender }).await?;
        self.answer(receiver, deadline, guard).await
    }

    async fn answer<T>(
        &self,
        mut receiver: oneshot::Receiver<Result<T, GatewayError>>,
        deadline: Instant,
        guard: Guard,
    ) -> Result<T, GatewayError> {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut waits = true;
        loop {
            tokio::select! {
                outcome = &mut receiver => return outcome.unwrap_or(Err(GatewayError::WorkerLost)),
                () = tokio::time::sleep_until(deadline) => {
                    guard.expire();
                    return Err(GatewayError::Deadline);
                }
                _ = looks.tick(), if waits => {
                    waits = guard.position().is_some();
                    guard.look();
                }
            }
        }
    }

    /// Generated text in pieces, complete within `deadline` from now.
    ///
    /// # Errors
    /// As for [`Gateway::embed`]; failures after the start come through the stream.
    pub async fn chat(
        &self,
        class: Class,
        request: ChatRequest,
        deadline: Duration,
    ) -> Result<ChatStream, GatewayError> {
        let bytes = request.messages.iter().map(|message| message.content.len()).sum();
        check_size(bytes)?;
        let mut said = String::with_capacity(bytes);
        for message in &request.messages {
            said.push_str(&message.content);
        }
        let (sender, deltas) = mpsc::channel(CHAT_DEPTH);
        let deadline = Instant::now() + deadline;
        let weight = Weight {
            prompt_tokens: tokens(bytes),
            max_tokens: Some(request.max_tokens),
            prefix: prefix::of(said.as_bytes()),
            model_at: None,
        };
        let reply = ReplyTo::Chat { sender, begun: false };
        let guard = self.submit(class, Request::Chat(request), None, weight, deadline, reply).await?;
        Ok(ChatStream {
            deltas,
            deadline: Box::pin(tokio::time::sleep_until(deadline)),
            looks: Some(tokio::time::interval(LOOK)),
            guard,
            over: false,
        })
    }

    /// A request in the protocol of a model server, answered in the same, byte by byte.
    ///
    /// # Errors
    /// [`GatewayError::NoModel`] when no server of this dialect serves the model: then it has to be
    /// translated and sent by [`Gateway::chat`] or [`Gateway::embed`].
    pub async fn forward(
        &self,
        class: Class,
        request: ForwardRequest,
        weight: Weight,
        deadline: Duration,
    ) -> Result<Forwarding, GatewayError> {
        let (sender, grants) = futures::channel::mpsc::channel(4);
        let deadline = Instant::now() + deadline;
        let (dialect, model_at) = (request.dialect, weight.model_at.clone());
        let reply = ReplyTo::Forward { grants: sender, body: None, begun: false };
        let submitted = Request::Forward(request.clone());
        let guard = self.submit(class, submitted, Some(dialect), weight, deadline, reply).await?;
        Ok(Forwarding { guard, grants, request, model_at, deadline })
    }

    async fn submit(
        &self,
        class: Class,
        request: Request,
        dialect: Option<Dialect>,
        weight: Weight,
        deadline: Instant,
        reply: ReplyTo,
    ) -> Result<Guard, GatewayError> {
        // Limits come first: what is over them neither waits nor has a model loaded.
        let held = match &self.shared.meter {
            Some(meter) => {
                let most = weight.max_tokens.unwrap_or(0);
                let reserved = meter.reserve(&self.caller, u64::from(weight.prompt_tokens) + u64::from(most));
                Some(reserved.await?)
            }
            None => None,
        };
        let asked = Submission {
            caller: Arc::clone(&self.caller),
            class,
            request,
            dialect,
            model_at: weight.model_at,
            prompt_tokens: weight.prompt_tokens,
            max_tokens: weight.max_tokens,
            prefix: weight.prefix,
            deadline,
            reply,
            held,
        };
        let id = self.shared.with(|state| state.submit(asked))?;
        Ok(Guard::new(Arc::clone(&self.shared), id))
    }

    /// Writes into the ledger what was answered without a worker.
    pub fn record(&self, used: Used) {
        if let Some(meter) = &self.shared.meter {
            meter.record(used);
        }
    }

    /// Asks the meter alone, for what a cache may answer.
    ///
    /// # Errors
    /// As the meter says.
    pub async fn allowed(&self, tokens: u64) -> Result<(), GatewayError> {
        match &self.shared.meter {
            Some(meter) => meter.reserve(&self.caller, tokens).await.map(|held| held.settle(0)),
            None => Ok(()),
        }
    }

    /// Who asks through this handle.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Models that live workers serve.
    #[must_use]
    pub fn models(&self) -> Vec<ModelStatus> {
        self.shared.with(|state| state.models())
    }

    /// The model that a name or an alias stands for now.
    #[must_use]
    pub fn known(&self, name: &str) -> Option<Model> {
        self.shared.with(|state| state.known(name))
    }

    /// Whether a server of this dialect serves the model, so that its requests can be forwarded.
    #[must_use]
    pub fn speaks(&self, name: &str, dialect: Dialect) -> bool {
        self.shared.with(|state| !state.resolve(name, Some(dialect)).is_empty())
    }

    /// The embedding model to use now; none when no worker serves it.
    #[must_use]
    pub fn embedding_model(&self) -> Option<String> {
        self.shared.with(|state| state.embedding_model().map(str::to_owned))
    }

    /// The preferred chat model, where there is one.
    #[must_use]
    pub fn chat_model(&self) -> Option<String> {
        self.chat_models().into_iter().next()
    }

    /// The chat models to ask one after another until one answers.
    #[must_use]
    pub fn chat_models(&self) -> Vec<String> {
        self.shared.with(|state| state.chat_models())
    }

    /// What happened so far, by class.
    #[must_use]
    pub fn counters(&self) -> Vec<(Class, ClassCounters)> {
        self.shared.with(|state| state.counters())
    }

    /// The workers that are there.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerStatus> {
        self.shared.with(|state| state.workers())
    }

    /// What waits, oldest first.
    #[must_use]
    pub fn queue(&self) -> Vec<QueueStatus> {
        self.shared.with(|state| state.queue())
    }

    /// A stream for a worker in this process, and the task that serves it: spawn the task through
    /// the caller's tracker and hand the link to `llm_worker::Worker::serve`.
    pub fn attach_in_process(&self) -> (WorkerLink, impl Future<Output = ()> + Send + 'static) {
        self.attach(None, None)
    }

    /// The same for a model server: requests in its own protocol run in their caller's task.
    /// `resident` is how many models it keeps loaded at once.
    pub fn attach_server(
        &self,
        direct: Arc<dyn Direct>,
        resident: Option<usize>,
    ) -> (WorkerLink, impl Future<Output = ()> + Send + 'static) {
        self.attach(Some(direct), resident)
    }

    fn attach(
        &self,
        direct: Option<Arc<dyn Direct>>,
        resident: Option<usize>,
    ) -> (WorkerLink, impl Future<Output = ()> + Send + 'static) {
        let (ours, theirs) = link::pair();
        // A worker in this process cannot be cut off, so silence is no sign of a loss.
        (theirs, link::serve(Arc::clone(&self.shared), ours, None, direct, resident))
    }

    /// Asks every worker to finish what it has and leave.
    pub fn drain(&self) {
        self.shared.with(|state| state.drain(None));
    }

    /// Asks one worker to finish what it has and leave; false when there is none of this number.
    #[must_use]
    pub fn drain_worker(&self, worker: u64) -> bool {
        self.shared.with(|state| state.drain(Some(worker)))
    }
}

fn tokens(bytes: usize) -> u32 {
    u32::try_from(bytes / TOKEN_BYTES + 1).unwrap_or(u32::MAX)
}

fn check_size(bytes: usize) -> Result<(), GatewayError> {
    if bytes > MAX_TEXT_BYTES {
        return Err(GatewayError::Invalid(format!("{bytes} bytes of text at once; at most {MAX_TEXT_BYTES}")));
    }
    Ok(())
}
