//! The door for callers: embed, chat, and what is there.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::wire::{ChatRequest, Class, EmbedRequest, MAX_EMBED_TEXTS, MAX_FRAME, Model, Request, RequestId, Task, Up};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::chat::ChatStream;
use crate::error::GatewayError;
use crate::link::{self, WorkerLink};
use crate::state::{ReplyTo, State, WorkerId};

/// Pieces of a reply that may wait for a slow reader before the request is taken back.
const CHAT_DEPTH: usize = 4_096;
/// The most bytes of text in one request: an eighth of a frame, because JSON writes one control character as six.
const MAX_TEXT_BYTES: usize = MAX_FRAME / 8;

/// How a gateway is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Requests that may wait, by class in the order of [`Class::ALL`].
    pub depths: [usize; 5],
    /// The one embedding model to use; without it the first that a worker registers stays chosen
    /// for the life of the gateway, so that vectors of two models are never mixed by a reconnect.
    pub embedding_model: Option<String>,
    /// A networked worker that says nothing for this long is lost.
    pub silence: Duration,
    /// The most credits one worker can hold.
    pub max_credits: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            depths: [64, 64, 64, 256, 16],
            embedding_model: None,
            silence: Duration::from_secs(15),
            max_credits: 1_024,
        }
    }
}

impl Options {
    pub(crate) fn depth(&self, class: Class) -> usize {
        self.depths.get(class.rank()).copied().unwrap_or_default()
    }
}

/// A model that live workers serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelStatus {
    /// The model.
    pub model: Model,
    /// Workers that serve it.
    pub workers: usize,
    /// Requests those workers would take at once, right now.
    pub credits: u32,
}

/// What happened to the requests of one class since the start, and what is there now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassCounters {
    /// Taken in.
    pub accepted: u64,
    /// Ended well.
    pub completed: u64,
    /// Ended with an error of the model.
    pub failed: u64,
    /// Ran out of time.
    pub deadline: u64,
    /// Taken back by the caller.
    pub cancelled: u64,
    /// Ended because the worker went away.
    pub lost: u64,
    /// Given to a second worker.
    pub retried: u64,
    /// Refused because the queue was full.
    pub overloaded: u64,
    /// Refused because no worker serves the model.
    pub no_model: u64,
    /// Time that workers spent on completed requests.
    pub busy: Duration,
    /// Waiting now.
    pub queued: usize,
    /// With a worker now.
    pub running: usize,
}

/// Shares model requests out to workers. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    pub(crate) shared: Arc<Shared>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) silence: Duration,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held is a defect, but the maps are still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn register(
        &self,
        name: String,
        models: Vec<Model>,
        sender: mpsc::Sender<domain::wire::Down>,
    ) -> WorkerId {
        self.state().register(name, models, sender)
    }

    pub(crate) fn hear(&self, worker: WorkerId, message: Up) {
        self.state().hear(worker, message);
    }

    pub(crate) fn lose(&self, worker: WorkerId) {
        self.state().lose(worker);
    }
}

/// Takes a request back when its caller lets go.
pub(crate) struct Guard {
    shared: Arc<Shared>,
    id: RequestId,
}

impl Guard {
    pub(crate) fn expire(&self) {
        self.shared.state().abandon(self.id, true);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.state().abandon(self.id, false);
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self::new(Options::default())
    }
}

impl Gateway {
    /// A gateway without workers.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let silence = options.silence;
        Self { shared: Arc::new(Shared { state: Mutex::new(State::new(options)), silence }) }
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
        check_size(texts.iter().map(String::len).sum())?;
        let (sender, receiver) = oneshot::channel();
        let reply = ReplyTo::Embed { count: texts.len(), sender };
        let request = Request::Embed(EmbedRequest { model: model.to_owned(), texts });
        let deadline = Instant::now() + deadline;
        let guard = self.submit(class, request, deadline, reply)?;
        match tokio::time::timeout_at(deadline, receiver).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(GatewayError::WorkerLost),
            Err(_) => {
                guard.expire();
                Err(GatewayError::Deadline)
            }
        }
    }

    /// Generated text in pieces, complete within `deadline` from now.
    ///
    /// # Errors
    /// As for [`Gateway::embed`]; failures after the start come through the stream.
    pub fn chat(&self, class: Class, request: ChatRequest, deadline: Duration) -> Result<ChatStream, GatewayError> {
        check_size(request.messages.iter().map(|message| message.content.len()).sum())?;
        let (sender, deltas) = mpsc::channel(CHAT_DEPTH);
        let deadline = Instant::now() + deadline;
        let guard = self.submit(class, Request::Chat(request), deadline, ReplyTo::Chat { sender, begun: false })?;
        Ok(ChatStream { deltas, deadline: Box::pin(tokio::time::sleep_until(deadline)), guard, over: false })
    }

    fn submit(&self, class: Class, request: Request, deadline: Instant, reply: ReplyTo) -> Result<Guard, GatewayError> {
        let id = self.shared.state().submit(class, request, deadline, reply)?;
        Ok(Guard { shared: Arc::clone(&self.shared), id })
    }

    /// Models that live workers serve.
    #[must_use]
    pub fn models(&self) -> Vec<ModelStatus> {
        self.shared.state().models()
    }

    /// The embedding model to use now; none when no worker serves it.
    #[must_use]
    pub fn embedding_model(&self) -> Option<String> {
        self.shared.state().embedding_model().map(str::to_owned)
    }

    /// A chat model, where there is one.
    #[must_use]
    pub fn chat_model(&self) -> Option<String> {
        self.models().into_iter().find(|status| status.model.task == Task::Chat).map(|status| status.model.id)
    }

    /// What happened so far, by class.
    #[must_use]
    pub fn counters(&self) -> Vec<(Class, ClassCounters)> {
        self.shared.state().counters()
    }

    /// A stream for a worker in this process, and the task that serves it: spawn the task through
    /// the caller's tracker and hand the link to `llm_worker::Worker::serve`.
    pub fn attach_in_process(&self) -> (WorkerLink, impl Future<Output = ()> + Send + 'static) {
        let (ours, theirs) = link::pair();
        // A worker in this process cannot be cut off, so silence is no sign of a loss.
        (theirs, link::serve(Arc::clone(&self.shared), ours, None))
    }

    /// Asks every worker to finish what it has and leave.
    pub fn drain(&self) {
        self.shared.state().drain();
    }
}

fn check_size(bytes: usize) -> Result<(), GatewayError> {
    if bytes > MAX_TEXT_BYTES {
        return Err(GatewayError::Invalid(format!("{bytes} bytes of text at once; at most {MAX_TEXT_BYTES}")));
    }
    Ok(())
}
