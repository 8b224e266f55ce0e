//! The usage ledger: recorded without waiting, added up in memory, written in batches, reported in groups.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use domain::policy::{Action, Actor};
use domain::quota::{Payer, Window};
use domain::usage::{GroupBy, Sums, UsageLine, UsageRow, day_name};
use domain::{CourseId, Error, ErrorKind, InstitutionId, Micros};
use foldhash::HashMap;
use store::Store;
use store::sql::usage::{self, Added, Wanted};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{Result, School, access};

/// Longest time between a record and its batch.
pub const FLUSH: Duration = Duration::from_millis(250);
/// Most sums that wait; beyond that, while the database is gone, new ones are counted as lost.
const MOST: usize = 100_000;
/// Rows of one transaction.
const BATCH: usize = 500;
/// Tries of the last batch.
const LAST_TRIES: u32 = 5;

/// The ledger's near end. Cheap to clone.
#[derive(Clone)]
pub struct Usage {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    sums: Mutex<HashMap<Key, Sums>>,
    recorded: Notify,
    lost: AtomicU64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    day: Micros,
    payer: Payer,
    feature: String,
    model: String,
}

impl Usage {
    /// A ledger over an opened store; [`Self::run`] writes it.
    #[must_use]
    pub fn new(store: Store) -> Self {
        let inner = Inner { store, sums: Mutex::default(), recorded: Notify::new(), lost: AtomicU64::new(0) };
        Self { inner: Arc::new(inner) }
    }

    /// Adds a finished request to the sums of today. Never waits.
    pub fn record(&self, row: UsageRow) {
        let key = Key { day: today(), payer: row.payer, feature: row.feature, model: row.model };
        let mut sums = self.lock();
        if sums.len() >= MOST && !sums.contains_key(&key) {
            drop(sums);
            if self.inner.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::error!("usage is lost: {MOST} sums wait for a database that does not answer");
            }
            return;
        }
        sums.entry(key).or_default().add(&row.sums);
        drop(sums);
        self.inner.recorded.notify_one();
    }

    /// Requests that found no room while the database was gone.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.inner.lost.load(Ordering::Relaxed)
    }

    /// Writes what was recorded, at most every [`FLUSH`], until `shutdown`; then once more what is left.
    pub async fn run(&self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.inner.recorded.notified() => {}
            }
            // The first record of a batch waits for the rest of it.
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(FLUSH) => {}
            }
            if let Err(error) = self.flush().await {
                tracing::warn!(%error, "usage was not written; the next batch takes it along");
                self.inner.recorded.notify_one();
            }
        }
        for doubling in 0..LAST_TRIES {
            match self.flush().await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, "the last usage was not written; trying again"),
            }
            tokio::time::sleep(FLUSH * 2_u32.saturating_pow(doubling)).await;
        }
        tracing::error!(sums = self.lock().len(), "the last usage was not written and is lost");
    }

    /// Writes what was recorded. What cannot be written is kept.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn flush(&self) -> Result<()> {
        let mut waiting = std::mem::take(&mut *self.lock());
        while !waiting.is_empty() {
            let batch: Vec<(Key, Sums)> = {
                let keys: Vec<Key> = waiting.keys().take(BATCH).cloned().collect();
                keys.into_iter().filter_map(|key| waiting.remove(&key).map(|sums| (key, sums))).collect()
            };
            let mut rows: Vec<Added> = batch.iter().map(|(key, sums)| added(key, *sums)).collect();
            // In one order, so that two gateways which add to the same sums do not wait for each other in a circle.
            rows.sort_by_cached_key(|row| format!("{}{:?}{}{}", row.day, row.payer, row.feature, row.model));
            let written = self.inner.store.write(move |tx| Box::pin(async move { usage::add(tx, &rows).await })).await;
            if let Err(error) = written {
                let mut sums = self.lock();
                for (key, back) in batch.into_iter().chain(waiting) {
                    sums.entry(key).or_default().add(&back);
                }
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Sums>> {
        self.inner.sums.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn added(key: &Key, sums: Sums) -> Added {
    Added { day: key.day, payer: key.payer, feature: key.feature.clone(), model: key.model.clone(), sums }
}

fn today() -> Micros {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Window::Day.start(i64::try_from(since.as_micros()).unwrap_or_default())
}

/// Use cases of the ledger.
pub struct Usages<'a> {
    pub(crate) school: &'a School,
}

/// Which use to report.
#[derive(Debug, Clone, Default)]
pub struct UsageFilter {
    /// Grouped so.
    pub by: GroupBy,
    /// From this day on, the beginning of it in microseconds.
    pub from: Option<Micros>,
    /// Up to this day, itself included.
    pub to: Option<Micros>,
    /// Of this course alone.
    pub course: Option<CourseId>,
    /// At most so many lines; 50 unless asked otherwise, at most 200.
    pub limit: i64,
}

impl Usages<'_> {
    /// What models were used for, in groups. Instructors see their courses, never single users.
    ///
    /// # Errors
    /// Refused by policy.
    pub async fn report(
        &self,
        actor: &Actor,
        institution: InstitutionId,
        filter: UsageFilter,
    ) -> Result<Vec<UsageLine>> {
        let seen = access::listed(actor, Action::UsageRead, institution)?;
        if !seen.all && filter.by == GroupBy::User {
            let message = "your role shows the use of courses, not of single users";
            return Err(Error::new(ErrorKind::Forbidden, message));
        }
        let courses = match (seen.all, filter.course) {
            (true, None) => None,
            (true, Some(course)) => Some(vec![course]),
            (false, None) => Some(seen.courses.clone()),
            (false, Some(course)) if seen.courses.contains(&course) => Some(vec![course]),
            (false, Some(course)) => return Err(Error::not_found("course", course)),
        };
        let limit = crate::course::page(filter.limit);
        let wanted = Wanted { by: filter.by, from: filter.from, to: filter.to, courses, limit };
        let lines =
            self.school.read(move |tx| Box::pin(async move { usage::report(tx, institution, &wanted).await })).await?;
        let named = |group: String| match filter.by {
            GroupBy::Day => group.parse().map(day_name).unwrap_or(group),
            _ => group,
        };
        Ok(lines.into_iter().map(|(group, name, sums)| UsageLine { group: named(group), name, sums }).collect())
    }
}
