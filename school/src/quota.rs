//! Quotas: reserved before a request is queued, settled when it ends, exact over restarts and processes.
//!
//! A part of each limited window is taken from `model_quota_use` in advance and counted against in memory,
//! so that a check with a part in hand never waits. What is left goes back when the window ends, when
//! nobody used it for a while, and at the end. A killed process gives nothing back: what it held counts as
//! used, therefore more than the limit is never admitted. Requests at the same time are counted in this
//! process alone. Who has no limits causes no writes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use domain::quota::{QuotaScope, Window, share};
use domain::{InstitutionId, Micros};
use foldhash::HashMap;
use store::Store;
use store::sql::quota as rows;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod home;
mod settings;
mod tally;

pub use domain::quota::{Exceeded, Payer};
pub use settings::QuotaSettings;

use home::Home;
use tally::{Ask, Delta, Granted, Hold, Taken};

/// How long limits are remembered.
pub const LIMITS_FOR: Duration = Duration::from_secs(5);
/// Without the database, limits that were read once hold on for so long.
const STALE: Duration = Duration::from_secs(60);
/// How often what was used beyond its estimate is written and what nobody uses goes back.
const SWEEP: Duration = Duration::from_secs(1);
/// Windows of minutes that are kept, for late settlements of other processes; days are kept for two.
const KEPT_MINUTES: Micros = 5 * 60_000_000;
/// Tries of the last sweep.
const LAST_TRIES: u32 = 5;
/// Changes written in one transaction.
const BATCH: usize = 500;

/// A clock, in microseconds.
pub type Clock = Arc<dyn Fn() -> Micros + Send + Sync>;

/// What tests and installations may change.
#[derive(Clone)]
pub struct QuotaOptions {
    /// How long limits are remembered.
    pub limits_for: Duration,
    /// Another clock than the database's.
    pub clock: Option<Clock>,
}

impl Default for QuotaOptions {
    fn default() -> Self {
        Self { limits_for: LIMITS_FOR, clock: None }
    }
}

/// The counting of quotas. Cheap to clone; one for each process.
#[derive(Clone)]
pub struct Quotas {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    options: QuotaOptions,
    /// The database's clock when it was read last, and when that was.
    anchor: RwLock<Option<(Micros, Instant)>>,
    homes: RwLock<HashMap<InstitutionId, Arc<Home>>>,
    /// What is to be written of windows.
    deltas: Mutex<Vec<Delta>>,
    /// Takes that run; they end although their caller went away, so that nothing taken is forgotten.
    leases: TaskTracker,
    closing: AtomicBool,
}

impl Quotas {
    /// Quotas over an opened store; [`Self::run`] gives back what is not used.
    #[must_use]
    pub fn open(store: Store) -> Self {
        Self::with(store, QuotaOptions::default())
    }

    /// The same with other options.
    #[must_use]
    pub fn with(store: Store, options: QuotaOptions) -> Self {
        let inner = Inner {
            store,
            options,
            anchor: RwLock::default(),
            homes: RwLock::default(),
            deltas: Mutex::default(),
            leases: TaskTracker::new(),
            closing: AtomicBool::new(false),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Reserves one request of `tokens` (its prompt and the longest answer) in every limit of the payer.
    ///
    /// With a part of each window in hand nothing is awaited.
    ///
    /// # Errors
    /// The limit that was hit: of several, the one to wait for longest; [`domain::quota::Limit::Unknown`] when the
    /// database is gone.
    pub async fn reserve(&self, payer: &Payer, tokens: u64) -> Result<Reservation, Exceeded> {
        let home = self.inner.home(payer.institution);
        self.inner.refresh(&home, self.inner.options.limits_for).await?;
        loop {
            let limited = home.limited(payer);
            if limited.is_empty() {
                return Ok(Reservation { holds: Vec::new(), tokens, share: 1.0 });
            }
            match tally::take(&limited, tokens, self.inner.now(), &self.inner) {
                Taken::All(holds) => return Ok(Reservation { holds, tokens, share: weight(&limited) }),
                Taken::Hit(exceeded) => return Err(exceeded),
                Taken::Lacking(lacking) => {
                    // In the order of scopes, as everybody: no two wait for each other.
                    let mut guards = Vec::with_capacity(lacking.len());
                    for entry in &lacking {
                        guards.push(entry.leasing.clone().lock_owned().await);
                    }
                    // Somebody else may have taken a part meanwhile, which is enough for this request too.
                    let asks = tally::asks(&limited, tokens, self.inner.now(), &self.inner, &lacking);
                    if !asks.is_empty() {
                        let inner = self.inner.clone();
                        let lease = self.inner.leases.spawn(async move {
                            let done = inner.lease(asks).await;
                            drop(guards);
                            done
                        });
                        lease.await.map_err(|_| Exceeded::unknown())??;
                    }
                }
            }
        }
    }

    /// Writes what was used beyond its estimate and gives back what nobody uses, until `shutdown`; then all the rest.
    ///
    /// Let what runs end before the shutdown: what is settled later is not written.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut sweeps = 0_u32;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(SWEEP) => {}
            }
            for home in self.inner.all_homes() {
                // Read ahead, so that no request waits for it. A failure is told when a request needs it.
                let _ = self.inner.refresh(&home, self.inner.options.limits_for / 2).await;
            }
            if let Err(error) = self.sweep(false).await {
                tracing::warn!(%error, "what was used of quotas was not written; the next sweep takes it along");
            }
            if sweeps.is_multiple_of(60)
                && let Err(error) = self.inner.forget().await
            {
                tracing::warn!(%error, "ended windows of quotas were not forgotten");
            }
            sweeps = sweeps.wrapping_add(1);
        }
        if let Err(error) = self.close().await {
            tracing::error!(%error, "unused parts of quotas were not given back; they count as used");
        }
    }

    /// Gives everything back that is not used; what is reserved afterwards takes no more than it needs.
    ///
    /// # Errors
    /// The database is gone: what is held counts as used.
    pub async fn close(&self) -> crate::Result<()> {
        self.inner.closing.store(true, Ordering::SeqCst);
        self.inner.leases.close();
        self.inner.leases.wait().await;
        let mut tries = 0;
        loop {
            match self.sweep(true).await {
                Err(_) if tries < LAST_TRIES => {
                    tokio::time::sleep(Duration::from_millis(100) * 2_u32.pow(tries)).await;
                    tries += 1;
                }
                other => return other,
            }
        }
    }

    /// Writes debts, and gives back what is idle or, with `all`, everything that is not used.
    ///
    /// # Errors
    /// The database refuses; what could not be written is kept.
    pub async fn sweep(&self, all: bool) -> crate::Result<()> {
        let now = self.inner.now();
        for home in self.inner.all_homes() {
            home.sweep(now, all, &self.inner);
        }
        self.inner.write_deltas().await.map_err(domain::Error::from)
    }
}

impl Inner {
    fn now(&self) -> Micros {
        if let Some(clock) = &self.options.clock {
            return clock();
        }
        let anchor = *self.anchor.read().unwrap_or_else(PoisonError::into_inner);
        anchor.map_or(0, |(then, at)| then + i64::try_from(at.elapsed().as_micros()).unwrap_or(0))
    }

    fn home(&self, institution: InstitutionId) -> Arc<Home> {
        if let Some(home) = self.homes.read().unwrap_or_else(PoisonError::into_inner).get(&institution) {
            return home.clone();
        }
        let mut homes = self.homes.write().unwrap_or_else(PoisonError::into_inner);
        homes.entry(institution).or_insert_with(|| Arc::new(Home::new(institution))).clone()
    }

    fn all_homes(&self) -> Vec<Arc<Home>> {
        self.homes.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Reads the limits of an institution when they are older than `most`.
    async fn refresh(&self, home: &Home, most: Duration) -> Result<(), Exceeded> {
        if home.age().is_some_and(|age| age < most) {
            return Ok(());
        }
        let _one = home.loading.lock().await;
        if home.age().is_some_and(|age| age < most) {
            return Ok(());
        }
        let (begun, institution) = (Instant::now(), home.institution);
        let read = self
            .store
            .read(move |tx| Box::pin(async move { Ok((tx.now().await?, rows::list(tx, institution).await?)) }))
            .await;
        match read {
            Ok((now, quotas)) => {
                *self.anchor.write().unwrap_or_else(PoisonError::into_inner) = Some((now, Instant::now()));
                home.set_limits(quotas, begun, self);
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "limits could not be read");
                if home.age().is_some_and(|age| age < STALE) { Ok(()) } else { Err(Exceeded::unknown()) }
            }
        }
    }

    /// Takes parts of windows, all in one transaction; what cannot be had is noted at the window.
    async fn lease(&self, asks: Vec<Ask>) -> Result<(), Exceeded> {
        let exactly = self.closing.load(Ordering::SeqCst);
        let wanted: Vec<Wanted> = asks.iter().map(Wanted::of).collect();
        let granted = self.store.write(move |tx| {
            Box::pin(async move {
                let mut granted = Vec::with_capacity(wanted.len());
                for one in wanted {
                    let (requests, tokens) = rows::taken(tx, &one.place).await?;
                    let grant = Granted {
                        requests: grant(one.requests, requests, exactly),
                        tokens: grant(one.tokens, tokens, exactly),
                    };
                    let (more, also) = (grant.requests.unwrap_or(0), grant.tokens.unwrap_or(0));
                    if more + also > 0 {
                        rows::add(tx, &one.place, signed(more), signed(also)).await?;
                    }
                    granted.push(grant);
                }
                Ok(granted)
            })
        });
        let granted = granted.await.map_err(|error| {
            tracing::warn!(%error, "no part of a quota could be taken");
            Exceeded::unknown()
        })?;
        let now = self.now();
        for (ask, granted) in asks.into_iter().zip(granted) {
            ask.entry.receive(&ask, granted, now, self);
        }
        Ok(())
    }

    fn later(&self, delta: Delta) {
        self.deltas.lock().unwrap_or_else(PoisonError::into_inner).push(delta);
    }

    async fn write_deltas(&self) -> store::Result<()> {
        let mut waiting = std::mem::take(&mut *self.deltas.lock().unwrap_or_else(PoisonError::into_inner));
        // In the order in which parts are taken, so that no two processes wait for each other in a circle.
        waiting.sort_by(|a, b| a.order().cmp(&b.order()));
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(BATCH));
            let batch = waiting.clone();
            let written = self.store.write(move |tx| {
                Box::pin(async move {
                    for delta in batch {
                        rows::add(tx, &delta.place, delta.requests, delta.tokens).await?;
                    }
                    Ok(())
                })
            });
            if let Err(error) = written.await {
                let mut kept = self.deltas.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(waiting.into_iter().chain(rest));
                return Err(error);
            }
            waiting = rest;
        }
        Ok(())
    }

    async fn forget(&self) -> store::Result<()> {
        let now = self.now();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    rows::forget(tx, Window::Minute, now - KEPT_MINUTES).await?;
                    rows::forget(tx, Window::Day, now - 2 * Window::Day.length()).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// What is wanted of one window: how much at least, under which limit.
struct Wanted {
    place: rows::Place,
    requests: Option<(u64, u64)>,
    tokens: Option<(u64, u64)>,
}

impl Wanted {
    fn of(ask: &Ask) -> Self {
        Self { place: ask.place(), requests: ask.requests, tokens: ask.tokens }
    }
}

/// How much is granted of what is `wanted` (need, limit); `None` when less is left than is needed.
fn grant(wanted: Option<(u64, u64)>, taken: u64, exactly: bool) -> Option<u64> {
    let Some((need, limit)) = wanted else { return Some(0) };
    let left = limit.saturating_sub(taken);
    if left < need {
        return None;
    }
    Some(if exactly { need } else { share(limit, left, need) })
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A request's place in its quotas. Dropping it ends the request and keeps the estimate as used.
#[must_use = "dropping a reservation ends the request that it is for"]
pub struct Reservation {
    holds: Vec<Hold>,
    tokens: u64,
    share: f64,
}

/// Shares of the institution, the course, the user and the key, multiplied.
#[expect(clippy::cast_precision_loss, reason = "per cent")]
fn weight(limited: &[home::Limited]) -> f64 {
    limited.iter().filter_map(|(_, limits)| limits.share).map(|share| share as f64 / 100.0).product()
}

impl Reservation {
    /// Share of the workers beside others; 1 is the usual one.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Ends the request with what it really used.
    pub fn settle(self, used_tokens: u64) {
        for hold in &self.holds {
            hold.settle(self.tokens, used_tokens);
        }
    }

    /// Ends a request that was never begun: nothing of it counts.
    pub fn cancel(self) {
        for hold in &self.holds {
            hold.settle(self.tokens, 0);
            hold.give_back_request();
        }
    }

    /// Whether any limit counts it.
    #[must_use]
    pub fn limited(&self) -> bool {
        !self.holds.is_empty()
    }

    /// The tokens that were reserved.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        for hold in &self.holds {
            hold.end();
        }
    }
}

/// Keeps the scope of an entry in one word.
type EntryKey = (QuotaScope, uuid::Uuid);
