//! Serves a gateway over one stream: takes assignments while it has credits, sends what comes of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use domain::wire::{Assignment, Blob, Down, Failure, Model, Reply, Request, RequestId, Up, Vectors};
use futures::StreamExt as _;
use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::backend::{Backend, BackendError};

/// Time between signs of life; a gateway gives up after several of them.
const HEARTBEAT: Duration = Duration::from_secs(3);
/// How long a worker that was told to leave may finish what it has.
const DRAIN: Duration = Duration::from_secs(30);
/// Time that the servers behind the backends have to tell their models before the worker registers.
const FIRST_LOOK: Duration = Duration::from_secs(3);
/// Time between two looks at what is loaded.
const LOOK: Duration = Duration::from_secs(3);
/// Looks from one refresh of the lists of models to the next.
const LOOKS_A_REFRESH: u32 = 3;
/// Pieces of text that may wait for the stream.
const PIECES: usize = 64;

/// Serves the models of its backends.
#[derive(Clone)]
pub struct Worker {
    name: String,
    credits: u32,
    resident: Option<u32>,
    backends: Vec<Arc<dyn Backend>>,
}

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The gateway closed it.
    Closed,
    /// The worker was told to leave and finished.
    Drained,
    /// A backend took the worker down.
    Crashed,
}

/// What a finished task reports.
type TaskEnd = (RequestId, Result<Reply, BackendError>);

impl Worker {
    /// A worker without backends that takes eight requests at once.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), credits: 8, resident: None, backends: Vec::new() }
    }

    /// Adds a backend; of two that serve a model the first is used.
    #[must_use]
    pub fn with_backend(mut self, backend: Arc<dyn Backend>) -> Self {
        self.backends.push(backend);
        self
    }

    /// Requests that it takes at once.
    #[must_use]
    pub fn with_credits(mut self, credits: u32) -> Self {
        self.credits = credits.max(1);
        self
    }

    /// Models that its servers keep loaded at once, of all that they have; without it they keep all.
    #[must_use]
    pub fn with_resident(mut self, resident: u32) -> Self {
        self.resident = Some(resident);
        self
    }

    /// The models of all backends.
    #[must_use]
    pub fn models(&self) -> Vec<Model> {
        self.backends.iter().flat_map(|backend| backend.models()).collect()
    }

    /// Serves one stream until it closes, or `shutdown` is cancelled and the work in hand is done.
    /// Dropping the future, or the gateway closing the stream, drops the work.
    pub async fn serve(
        &self,
        mut incoming: mpsc::Receiver<Down>,
        outgoing: mpsc::Sender<Up>,
        shutdown: CancellationToken,
    ) -> Ended {
        // A server that does not answer now is asked again while the others work.
        let _ = tokio::time::timeout(FIRST_LOOK, refresh(&self.backends)).await;
        let models = self.models();
        let register = Up::Register { worker: self.name.clone(), models: models.clone() };
        let capacity = self.resident.map(|resident| Up::Capacity { resident });
        for message in [Some(register), capacity, Some(Up::Credit { count: self.credits })].into_iter().flatten() {
            if outgoing.send(message).await.is_err() {
                return Ended::Closed;
            }
        }
        // Dropped, and thereby stopped, with this stream.
        let mut watching = JoinSet::new();
        watching.spawn(watch(self.clone(), models, outgoing.clone()));
        let mut tasks: JoinSet<TaskEnd> = JoinSet::new();
        let mut handles = HashMap::new();
        let mut beat = tokio::time::interval(HEARTBEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut leaving: Option<Instant> = None;
        loop {
            if leaving.is_some_and(|until| tasks.is_empty() || Instant::now() >= until) {
                return Ended::Drained;
            }
            let messages = tokio::select! {
                message = incoming.recv() => match message {
                    None => return Ended::Closed,
                    Some(Down::Assign { assignment }) if leaving.is_some() => {
                        // Crossed with our word that we leave; the gateway finds another worker.
                        vec![refused(assignment.id, "this worker is leaving")]
                    }
                    Some(Down::Assign { assignment }) => {
                        let id = assignment.id;
                        let work = run(self.backend_of(assignment.request.model()), assignment, outgoing.clone());
                        handles.insert(id, tasks.spawn(work));
                        vec![]
                    }
                    Some(Down::Cancel { id }) => match handles.remove(&id) {
                        Some(handle) => {
                            handle.abort();
                            vec![Up::Credit { count: 1 }]
                        }
                        None => vec![],
                    },
                    Some(Down::Drain) => {
                        leaving.get_or_insert_with(|| Instant::now() + DRAIN);
                        vec![Up::Draining]
                    }
                    Some(Down::Heartbeat | Down::Unknown) => vec![],
                },
                Some(ended) = tasks.join_next() => match ended {
                    Ok((_, Err(BackendError::Crashed))) => return Ended::Crashed,
                    Ok((id, outcome)) => match handles.remove(&id) {
                        // Taken back while it ended: its credit is already returned.
                        None => vec![],
                        Some(_) => vec![last_word(id, outcome), Up::Credit { count: 1 }],
                    },
                    // Aborted by a cancel, which has returned the credit. Panics are caught in `run`.
                    Err(_) => vec![],
                },
                _ = beat.tick() => vec![Up::Heartbeat],
                () = shutdown.cancelled(), if leaving.is_none() => {
                    leaving = Some(Instant::now() + DRAIN);
                    vec![Up::Draining]
                }
                () = outgoing.closed() => return Ended::Closed,
            };
            for message in messages {
                if outgoing.send(message).await.is_err() {
                    return Ended::Closed;
                }
            }
        }
    }

    fn backend_of(&self, model: &str) -> Option<Arc<dyn Backend>> {
        self.backends.iter().find(|backend| backend.serves(model)).cloned()
    }
}

/// Asks every backend anew for its models.
async fn refresh(backends: &[Arc<dyn Backend>]) {
    for outcome in join_all(backends.iter().map(|backend| backend.refresh())).await {
        if let Err(error) = outcome {
            // The list stays; requests fail by themselves and say why.
            tracing::debug!(?error, "a model server does not tell its models");
        }
    }
}

/// Tells the gateway when the models, or those that are loaded, have changed.
async fn watch(worker: Worker, mut registered: Vec<Model>, outgoing: mpsc::Sender<Up>) {
    let mut resident: Option<Vec<String>> = None;
    for look in 0_u32.. {
        if look % LOOKS_A_REFRESH == LOOKS_A_REFRESH - 1 {
            refresh(&worker.backends).await;
        }
        let models = worker.models();
        if models != registered {
            registered.clone_from(&models);
            let register = Up::Register { worker: worker.name.clone(), models };
            if outgoing.send(register).await.is_err() {
                return;
            }
        }
        let told = join_all(worker.backends.iter().map(|backend| backend.resident())).await;
        if told.iter().any(Option::is_some) {
            let mut now: Vec<String> = told.into_iter().flatten().flatten().collect();
            now.sort_unstable();
            if resident.as_ref() != Some(&now) {
                resident = Some(now.clone());
                if outgoing.send(Up::Resident { models: now }).await.is_err() {
                    return;
                }
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn refused(id: RequestId, message: &str) -> Up {
    Up::Fail { id, failure: Failure::Backend { message: message.to_owned() } }
}

fn last_word(id: RequestId, outcome: Result<Reply, BackendError>) -> Up {
    match outcome {
        Ok(reply) => Up::Done { id, reply },
        Err(BackendError::Failed(failure)) => Up::Fail { id, failure },
        Err(BackendError::Crashed) => refused(id, "the worker crashed"),
    }
}

/// One assignment, within its deadline. A panic of the backend is a failure of this request.
async fn run(backend: Option<Arc<dyn Backend>>, assignment: Assignment, outgoing: mpsc::Sender<Up>) -> TaskEnd {
    use futures::FutureExt;
    let id = assignment.id;
    let time = Duration::from_millis(assignment.deadline_ms);
    let work = std::panic::AssertUnwindSafe(perform(backend, assignment, outgoing)).catch_unwind();
    let outcome = match tokio::time::timeout(time, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Err(BackendError::backend("the backend panicked")),
        Err(_) => Err(BackendError::Failed(Failure::Deadline)),
    };
    (id, outcome)
}

async fn perform(
    backend: Option<Arc<dyn Backend>>,
    assignment: Assignment,
    outgoing: mpsc::Sender<Up>,
) -> Result<Reply, BackendError> {
    let id = assignment.id;
    let Some(backend) = backend else {
        let model = assignment.request.model().to_owned();
        return Err(BackendError::Failed(match assignment.request {
            Request::Unknown => Failure::Invalid { message: "an unknown request".to_owned() },
            _ => Failure::NoModel { model },
        }));
    };
    match assignment.request {
        Request::Embed(request) => {
            let vectors = backend.embed(assignment.class, request).await?;
            Ok(Reply::Embed { vectors: Vectors(vectors) })
        }
        Request::Chat(request) => {
            let (sender, mut pieces) = mpsc::channel(PIECES);
            let forward = async {
                while let Some(text) = pieces.recv().await {
                    if outgoing.send(Up::Token { id, text }).await.is_err() {
                        break;
                    }
                }
            };
            let (end, ()) = tokio::join!(backend.chat(request, sender), forward);
            let end = end?;
            Ok(Reply::Chat { finish: end.finish, usage: end.usage })
        }
        Request::Forward(request) => {
            let mut answer = backend.forward(request).await?;
            let head = Up::Head { id, status: answer.status, content_type: answer.content_type };
            let mut open = outgoing.send(head).await.is_ok();
            while let (true, Some(piece)) = (open, answer.body.next().await) {
                open = outgoing.send(Up::Bytes { id, data: Blob(piece?) }).await.is_ok();
            }
            Ok(Reply::Forward { usage: answer.usage.get().copied() })
        }
        Request::Transcribe(request) => Ok(Reply::Transcribe { transcript: backend.transcribe(request).await? }),
        Request::Unknown => Err(BackendError::Failed(Failure::Invalid { message: "an unknown request".to_owned() })),
    }
}
