//! The durable queue: handlers by kind, and the loop that claims jobs and drives them.
//!
//! A job runs at least once, so its outside effects carry idempotent ids; its effects in our
//! database are committed together with its completion, fenced by the lease. The rows are
//! [`crate::sql::job`]. Requests that a person waits for are no jobs. Why this is our own:
//! `docs/decisions/0002-own-queue-instead-of-apalis.md`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::job::{FailureClass, Job};
use domain::{ErrorKind, InstitutionId};
use futures::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::db::{Store, Tx};
use crate::error::{Error, Result};
use crate::sql::job;
pub use crate::sql::job::admin::{DeadJob, KindStats, cancel, dead, drop_dead, get, of_key, retry, stats};
pub use crate::sql::job::{NewJob, enqueue, enqueue_within};

mod lease;
mod worker;

pub use lease::Lease;

/// Times and sizes of a worker.
#[derive(Debug, Clone)]
pub struct QueueOptions {
    /// Length of a lease.
    pub lease: Duration,
    /// How often a running job's lease is extended; at most a third of the lease.
    pub heartbeat: Duration,
    /// How often to look for work that another process enqueued or that has become due.
    pub poll: Duration,
    /// Name of this process, [`crate::owner::Owner::instance`].
    pub instance: String,
    /// Jobs at once.
    pub concurrency: usize,
    /// First wait after a failure; doubled with each, drawn from 0 to that (full jitter).
    pub backoff_base: Duration,
    /// Longest wait after a failure.
    pub backoff_cap: Duration,
    /// How long running jobs may go on after the shutdown began; then they are given back.
    pub drain: Duration,
}

impl QueueOptions {
    /// The contract's times: 60 s lease, 20 s heartbeat, 2 s to 10 min back-off.
    pub fn new(instance: impl Into<String>) -> Self {
        Self {
            lease: Duration::from_secs(60),
            heartbeat: Duration::from_secs(20),
            poll: Duration::from_secs(1),
            instance: instance.into(),
            concurrency: 4,
            backoff_base: Duration::from_secs(2),
            backoff_cap: Duration::from_secs(600),
            drain: Duration::from_secs(25),
        }
    }
}

/// Why a handler could not finish.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    /// How it counts.
    pub class: FailureClass,
    /// For the operator: lowercase, no personal text.
    pub message: String,
    /// What the other side asked for; else the back-off decides.
    pub retry_after: Option<Duration>,
}

impl JobError {
    /// Trying again may help.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self { class: FailureClass::Retryable, message: message.into(), retry_after: None }
    }

    /// Trying again never helps.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { class: FailureClass::Permanent, message: message.into(), retry_after: None }
    }

    /// The other side is full or away: wait as it says; no attempt is burnt.
    pub fn overload(message: impl Into<String>, retry_after: Option<Duration>) -> Self {
        Self { class: FailureClass::Overload, message: message.into(), retry_after }
    }

    /// The handler saw [`Lease::stopping`] and gives the job back at once, after its last checkpoint.
    #[must_use]
    pub fn given_back() -> Self {
        Self::overload("given back: its worker is shutting down", Some(Duration::ZERO))
    }
}

impl From<Error> for JobError {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            // Waiting helps once somebody has made room; the words in front tell handlers and people apart.
            full if full.disk_full() => Self::overload(format!("DISK_FULL: {message}"), None),
            Error::QueueFull { retry_after, .. } => Self::overload(message, Some(retry_after)),
            other => match other.kind() {
                ErrorKind::Unavailable | ErrorKind::RateLimited => Self::overload(message, None),
                ErrorKind::Conflict | ErrorKind::Internal => Self::retryable(message),
                ErrorKind::ValidationError | ErrorKind::NotFound | ErrorKind::Forbidden | ErrorKind::Unauthorized => {
                    Self::permanent(message)
                }
            },
        }
    }
}

type Effects = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<()>> + Send>;

/// A finished job: what to commit in the transaction that marks it done.
pub struct Completion(Option<Effects>);

impl Completion {
    /// Nothing more to write.
    #[must_use]
    pub fn done() -> Self {
        Self(None)
    }

    /// These writes happen exactly when the job is marked done, or not at all.
    pub fn with<F>(effects: F) -> Self
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<()>> + Send + 'static,
    {
        Self(Some(Box::new(effects)))
    }
}

/// Does the work of one kind of job. It may run again after a crash, so it starts from its checkpoints.
#[async_trait::async_trait]
pub trait Handler: Send + Sync {
    /// Runs `job` under `lease`.
    async fn run(&self, job: &Job, lease: &Lease) -> Result<Completion, JobError>;
}

/// What this process's workers did since they started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Results discarded because the lease was lost.
    pub fenced: AtomicU64,
    /// Tries that failed and will be repeated.
    pub retries: AtomicU64,
    /// Jobs that gave up.
    pub dead: AtomicU64,
    /// Jobs completed.
    pub done: AtomicU64,
    /// Jobs claimed.
    pub claimed: AtomicU64,
}

/// Handlers by kind and the loop that serves them.
pub struct Queue {
    store: Store,
    options: QueueOptions,
    handlers: HashMap<String, Arc<dyn Handler>>,
    counters: Arc<Counters>,
}

impl Queue {
    /// A queue without handlers.
    #[must_use]
    pub fn new(store: Store, mut options: QueueOptions) -> Self {
        options.heartbeat = options.heartbeat.min(options.lease / 3);
        Self { store, options, handlers: HashMap::new(), counters: Arc::default() }
    }

    /// Serves `kind` with `handler`.
    pub fn handle(&mut self, kind: impl Into<String>, handler: Arc<dyn Handler>) -> &mut Self {
        self.handlers.insert(kind.into(), handler);
        self
    }

    /// What was done so far; stays readable while the queue runs.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        self.counters.clone()
    }

    /// Claims and runs jobs until `shutdown`, then lets running ones finish for a while and gives the rest back.
    ///
    /// An error of the database is waited out, never fatal.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut enqueued = self.store.jobs_enqueued();
        let slots = Arc::new(Semaphore::new(self.options.concurrency.max(1)));
        let freed = Arc::new(tokio::sync::Notify::new());
        let tasks = TaskTracker::new();
        // Handlers hear of the shutdown at once and are aborted when the drain is over.
        let (stopping, abort) = (shutdown.clone(), CancellationToken::new());
        let mut after = None;
        let mut troubles = 0_u32;
        while !shutdown.is_cancelled() {
            enqueued.mark_unchanged();
            let free = slots.available_permits();
            let mut wait = self.options.poll;
            if free > 0 {
                match self.claim(free, after).await {
                    Ok(jobs) => {
                        troubles = 0;
                        after = jobs.last().map_or(after, |job| Some(job.institution_id));
                        let claimed = jobs.len();
                        for job in jobs {
                            self.start(job, &slots, &freed, &tasks, &stopping, &abort).await;
                        }
                        if claimed > 0 {
                            continue;
                        }
                    }
                    Err(error) => {
                        troubles = troubles.saturating_add(1);
                        wait = (self.options.poll * troubles.min(5)).min(Duration::from_secs(5));
                        tracing::warn!(%error, "jobs could not be claimed; trying again");
                    }
                }
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                _ = enqueued.changed(), if free > 0 && troubles == 0 => {}
                () = freed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        tasks.close();
        if tokio::time::timeout(self.options.drain, tasks.wait()).await.is_err() {
            abort.cancel();
            tasks.wait().await;
        }
    }

    async fn claim(&self, free: usize, after: Option<InstitutionId>) -> Result<Vec<Job>> {
        let claim = job::Claim {
            instance: self.options.instance.clone(),
            kinds: self.handlers.keys().cloned().collect(),
            limit: i64::try_from(free).unwrap_or(1),
            lease: self.options.lease,
            after,
        };
        let jobs = self.store.write(move |tx| Box::pin(async move { job::claim(tx, &claim).await })).await?;
        self.counters.claimed.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        Ok(jobs)
    }

    async fn start(
        &self,
        job: Job,
        slots: &Arc<Semaphore>,
        freed: &Arc<tokio::sync::Notify>,
        tasks: &TaskTracker,
        stopping: &CancellationToken,
        abort: &CancellationToken,
    ) {
        let Some(handler) = self.handlers.get(&job.kind).cloned() else {
            return;
        };
        // No more were claimed than there were permits.
        let Ok(permit) = slots.clone().acquire_owned().await else {
            return;
        };
        let worker = worker::Worker {
            store: self.store.clone(),
            options: self.options.clone(),
            counters: self.counters.clone(),
            abort: abort.clone(),
        };
        let (stopping, freed) = (stopping.clone(), freed.clone());
        tasks.spawn(async move {
            worker.serve(job, handler, stopping).await;
            drop(permit);
            freed.notify_one();
        });
    }
}
