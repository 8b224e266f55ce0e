//! One claimed job from start to end: the handler in a task of its own, heartbeats beside it, the outcome fenced.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::job::{FailureClass, Job, JobState};
use rand::Rng as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Completion, Counters, Handler, JobError, Lease, QueueOptions};
use crate::db::Store;
use crate::error::{Error, Result};
use crate::sql::job;

pub(super) struct Worker {
    pub(super) store: Store,
    pub(super) options: QueueOptions,
    pub(super) counters: Arc<Counters>,
    pub(super) abort: CancellationToken,
}

/// How the handler's run ended.
enum Ended {
    Finished(Result<Completion, JobError>),
    Lost,
    Aborted,
}

impl Worker {
    pub(super) async fn serve(&self, job: Job, handler: Arc<dyn Handler>, stopping: CancellationToken) {
        let Some(token) = job.lease_token.clone() else {
            return;
        };
        let lease = Lease {
            store: self.store.clone(),
            id: job.id,
            token,
            length: self.options.lease,
            stopping,
            lost: CancellationToken::new(),
            counters: self.counters.clone(),
            checkpoints: Arc::new(AtomicU64::new(0)),
        };
        let recorded = match self.drive(&job, handler, &lease).await {
            Ended::Finished(Ok(completion)) => self.complete(&job, &lease, completion).await,
            Ended::Finished(Err(error)) => self.fail(&job, &lease, error).await,
            Ended::Lost => Err(Error::Fenced),
            Ended::Aborted => self.give_back(&lease).await,
        };
        match recorded {
            Ok(()) => {}
            Err(Error::Fenced) => {
                lease.lose();
                tracing::info!(job.id = %job.id, job.kind = %job.kind, "lease lost; the result is discarded");
            }
            // The lease runs out and another claim repeats the work.
            Err(error) => tracing::warn!(job.id = %job.id, %error, "the outcome of a job could not be recorded"),
        }
    }

    /// Runs the handler and keeps the lease alive beside it. A panic is a failure like another.
    async fn drive(&self, job: &Job, handler: Arc<dyn Handler>, lease: &Lease) -> Ended {
        let (running_job, running_lease) = (job.clone(), lease.clone());
        let mut run = tokio::spawn(async move { handler.run(&running_job, &running_lease).await });
        // The first beat comes once the job has held its lease long enough for a crash to count.
        let mut beat = Instant::now() + self.options.heartbeat.min(job::HELD);
        let mut seen = 0;
        loop {
            tokio::select! {
                ended = &mut run => return Ended::Finished(ended.unwrap_or_else(|error| Err(panicked(error)))),
                () = lease.lost.cancelled() => {
                    run.abort();
                    return Ended::Lost;
                }
                () = self.abort.cancelled() => {
                    run.abort();
                    // Waits for the handler to be gone, so that nothing of it runs beside the next one.
                    let _ = (&mut run).await;
                    return Ended::Aborted;
                }
                () = tokio::time::sleep_until(beat) => {
                    let checkpoints = lease.checkpoints.load(Ordering::Relaxed);
                    let step = if checkpoints > seen { job::HELD } else { self.options.heartbeat };
                    seen = checkpoints;
                    beat = Instant::now() + step.min(self.options.heartbeat);
                    self.beat(lease).await;
                }
            }
        }
    }

    async fn beat(&self, lease: &Lease) {
        let (id, token, length) = (lease.id, lease.token.clone(), lease.length);
        let alive = self.store.write(move |tx| Box::pin(async move { job::heartbeat(tx, id, &token, length).await }));
        match alive.await {
            Ok(true) => {}
            Ok(false) => lease.lose(),
            // The database may be back before the lease ends; the outcome is fenced in any case.
            Err(error) => tracing::warn!(job.id = %id, %error, "heartbeat failed"),
        }
    }

    async fn complete(&self, job: &Job, lease: &Lease, completion: Completion) -> Result<()> {
        let (id, token) = (lease.id, lease.token.clone());
        let written = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    job::complete(tx, id, &token).await?;
                    match completion.0 {
                        Some(effects) => effects(tx).await,
                        None => Ok(()),
                    }
                })
            })
            .await;
        match written {
            Ok(()) => {
                self.counters.done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(Error::Fenced) => Err(Error::Fenced),
            Err(error) => self.fail(job, lease, error.into()).await,
        }
    }

    async fn fail(&self, job: &Job, lease: &Lease, error: JobError) -> Result<()> {
        let wait = error.retry_after.unwrap_or_else(|| self.backoff(job.attempts)).min(Duration::from_secs(86_400));
        let failed = job::Failed { class: error.class, message: error.message, wait };
        tracing::info!(job.id = %job.id, job.kind = %job.kind, class = ?failed.class, error = %failed.message,
            wait_ms = failed.wait.as_millis(), "job failed");
        // Several tries, since an outage that failed the handler may also fail this.
        let mut tries = 0;
        let state = loop {
            let (id, token, failed) = (lease.id, lease.token.clone(), failed.clone());
            let work = self.store.write(move |tx| Box::pin(async move { job::fail(tx, id, &token, &failed).await }));
            match work.await {
                Err(Error::Unavailable(_) | Error::Full(_)) if tries < 5 && !self.abort.is_cancelled() => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(200) * 2_u32.pow(tries)).await;
                }
                other => break other?,
            }
        };
        match state {
            JobState::Dead => self.counters.dead.fetch_add(1, Ordering::Relaxed),
            _ => self.counters.retries.fetch_add(1, Ordering::Relaxed),
        };
        Ok(())
    }

    async fn give_back(&self, lease: &Lease) -> Result<()> {
        let (id, token) = (lease.id, lease.token.clone());
        self.store.write(move |tx| Box::pin(async move { job::release(tx, id, &token).await })).await
    }

    /// Full jitter: anything from nothing to `base * 2^(attempts - 1)`, capped.
    fn backoff(&self, attempts: i64) -> Duration {
        let doublings = u32::try_from((attempts - 1).clamp(0, 20)).unwrap_or(0);
        let most =
            self.options.backoff_base.saturating_mul(2_u32.saturating_pow(doublings)).min(self.options.backoff_cap);
        Duration::from_micros(rand::rng().random_range(0..=u64::try_from(most.as_micros()).unwrap_or(u64::MAX)))
    }
}

fn panicked(error: tokio::task::JoinError) -> JobError {
    if !error.is_panic() {
        return JobError { class: FailureClass::Overload, message: "cancelled".into(), retry_after: None };
    }
    let panic = error.into_panic();
    let reason =
        panic.downcast_ref::<&str>().map(|s| (*s).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    JobError::retryable(format!("handler panicked: {}", reason.unwrap_or_default()))
}
