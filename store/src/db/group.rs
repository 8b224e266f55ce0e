//! The single writer of SQLite: writes that wait together share one commit.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::Pool;
use super::tx::{Signals, Tx, begin};
use crate::error::{Error, Result};

/// Most writes that share one commit.
const GROUP: usize = 64;
/// Longest time that one write may hold the single writer of SQLite.
const LONGEST_WRITE: Duration = Duration::from_secs(30);
pub(super) const PANICKED: &str = "a write panicked and was rolled back";
const HUNG: &str = "a write took longer than 30 s and was rolled back";

pub(super) type Work = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, bool> + Send>;

/// One queued write: the work, and what tells its caller how the group ended.
pub(super) struct Write {
    pub(super) work: Work,
    pub(super) committed: oneshot::Sender<Outcome>,
}

pub(super) type Outcome = std::result::Result<(), Refused>;

/// Why a write is not there.
#[derive(Debug, Clone)]
pub(super) enum Refused {
    /// Its group was not begun or not committed; trying again may help.
    Group(String),
    /// It panicked or hung; the others of its group are written.
    Alone(&'static str),
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Group(reason) => Self::Unavailable(format!("nothing was written: {reason}")),
            Refused::Alone(reason) => Self::Database(reason.into()),
        }
    }
}

/// The single writer of SQLite: takes what waits, runs each in a savepoint, commits once, then answers.
pub(super) async fn write_in_groups(pool: Pool, mut queue: mpsc::Receiver<Write>, signals: Arc<Signals>) {
    let mut batch = Vec::with_capacity(GROUP);
    while queue.recv_many(&mut batch, GROUP).await > 0 {
        let mut waiting = Vec::with_capacity(batch.len());
        let outcome = write_group(&pool, &mut batch, &mut waiting, &signals).await;
        if let Err(error) = &outcome {
            tracing::error!(%error, "a group of writes was not committed");
        }
        // What is left in the batch was not begun: the group ended before it.
        waiting.extend(batch.drain(..).map(|write| (write.committed, None)));
        let outcome = outcome.map_err(|error| Refused::Group(error.to_string()));
        for (committed, refused) in waiting {
            // A caller that went away needs no answer.
            let _ = committed.send(refused.map_or_else(|| outcome.clone(), Err));
        }
    }
}

/// Who waits for the group, and why a write of it is refused whatever becomes of the group.
type Waiting = Vec<(oneshot::Sender<Outcome>, Option<Refused>)>;

async fn write_group(pool: &Pool, batch: &mut Vec<Write>, waiting: &mut Waiting, signals: &Signals) -> Result<()> {
    let mut tx = begin(pool, true).await?;
    // From the back, so that what is left stays in the batch; reversed first to keep the order of arrival.
    batch.reverse();
    while let Some(write) = batch.pop() {
        if write.committed.is_closed() {
            continue;
        }
        let Write { work, committed } = write;
        waiting.push((committed, None));
        tx.raw("SAVEPOINT one").await?;
        let run = std::panic::AssertUnwindSafe(async { work(&mut tx).await }).catch_unwind();
        let refused = match tokio::time::timeout(LONGEST_WRITE, run).await {
            Ok(Ok(true)) => {
                tx.raw("RELEASE one").await?;
                continue;
            }
            Ok(Ok(false)) => None,
            Ok(Err(_)) => Some(PANICKED),
            Err(_) => Some(HUNG),
        };
        if let Some(reason) = &refused {
            tracing::error!(%reason, "write refused");
        }
        tx.raw("ROLLBACK TO one").await?;
        tx.raw("RELEASE one").await?;
        if let Some(last) = waiting.last_mut() {
            last.1 = refused.map(Refused::Alone);
        }
    }
    tx.commit(signals).await
}
