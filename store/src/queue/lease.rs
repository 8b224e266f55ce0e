//! A running job's hold on its row: fenced checkpoints and the signals to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::JobId;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::Counters;
use crate::db::{Store, Tx};
use crate::error::{Error, Result};
use crate::sql::job;

/// The right to work on a job and to write its results.
#[derive(Clone)]
pub struct Lease {
    pub(super) store: Store,
    pub(super) id: JobId,
    pub(super) token: String,
    pub(super) length: Duration,
    pub(super) stopping: CancellationToken,
    pub(super) lost: CancellationToken,
    pub(super) counters: Arc<Counters>,
    pub(super) checkpoints: Arc<AtomicU64>,
}

impl Lease {
    /// Commits `work` if the lease still holds, and with it the job's progress: counts start again, the lease is extended.
    ///
    /// Do so every 32 chunks or 5 seconds, whichever comes first.
    ///
    /// # Errors
    /// [`Error::Fenced`] when another worker holds the job (stop then; nothing was written), or what `work` returns.
    pub async fn checkpoint<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
        T: Send + 'static,
    {
        let (id, token, length) = (self.id, self.token.clone(), self.length);
        let result = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    job::checkpoint(tx, id, &token, length).await?;
                    work(tx).await
                })
            })
            .await;
        match &result {
            Ok(_) => {
                self.checkpoints.fetch_add(1, Ordering::Relaxed);
            }
            Err(Error::Fenced) => self.lose(),
            Err(_) => {}
        }
        result
    }

    /// Whether the worker is shutting down: a long handler then ends with [`super::JobError::given_back`].
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.stopping.is_cancelled() || self.lost.is_cancelled()
    }

    /// Waits until the worker shuts down.
    pub async fn stopped(&self) {
        tokio::select! {
            () = self.stopping.cancelled() => {}
            () = self.lost.cancelled() => {}
        }
    }

    pub(super) fn lose(&self) {
        if !self.lost.is_cancelled() {
            self.lost.cancel();
            self.counters.fenced.fetch_add(1, Ordering::Relaxed);
        }
    }
}
