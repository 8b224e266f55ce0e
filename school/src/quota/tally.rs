//! The counting of one scope: what is held of its windows, what of that is used, and what is lacking.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::quota::{Exceeded, Limit, Limits, QuotaScope, Window};
use domain::{InstitutionId, Micros};
use store::sql::quota::Place;
use uuid::Uuid;

use super::home::Limited;
use super::{EntryKey, Inner, signed};

/// A part that nobody used for so long goes back.
const IDLE: Micros = 10_000_000;
/// How long a refusal of the database is believed: other processes may give something back.
const BELIEVED: Micros = 1_000_000;
/// What to wait for when too many requests run.
const NEXT: Duration = Duration::from_secs(1);

/// One scope that is counted.
pub(super) struct Entry {
    institution: InstitutionId,
    scope: QuotaScope,
    id: Uuid,
    state: Mutex<State>,
    /// One takes parts, the others wait for it.
    pub(super) leasing: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct State {
    running: u64,
    used_at: Micros,
    day: Bucket,
    minute: Bucket,
}

/// One window.
#[derive(Default, Clone, Copy)]
struct Bucket {
    starts_at: Micros,
    requests: Tally,
    tokens: Tally,
}

#[derive(Default, Clone, Copy)]
struct Tally {
    /// Taken from the row.
    held: u64,
    used: u64,
    /// So much could not be had, and until when that is believed.
    refused: Option<(u64, Micros)>,
}

impl Tally {
    /// How much is lacking for `need`.
    fn lacks(&self, need: u64) -> u64 {
        self.used.saturating_add(need).saturating_sub(self.held)
    }

    /// Takes out what is not used; negative is what was used beyond what was held.
    fn unused(&mut self) -> i64 {
        let unused = signed(self.held) - signed(self.used);
        self.held = self.used;
        self.refused = None;
        unused
    }
}

/// A change to be written of a window.
#[derive(Clone)]
pub(super) struct Delta {
    pub(super) place: Place,
    pub(super) requests: i64,
    pub(super) tokens: i64,
}

impl Delta {
    /// The order in which rows are locked.
    pub(super) fn order(&self) -> (QuotaScope, &str, bool, Micros) {
        (self.place.scope, &self.place.scope_id, self.place.window != Window::Day, self.place.starts_at)
    }
}

/// A part of one window to be taken: (at least, limit) of requests and tokens.
pub(super) struct Ask {
    pub(super) entry: Arc<Entry>,
    pub(super) window: Window,
    pub(super) starts_at: Micros,
    pub(super) requests: Option<(u64, u64)>,
    pub(super) tokens: Option<(u64, u64)>,
}

impl Ask {
    pub(super) fn place(&self) -> Place {
        self.entry.place(self.window, self.starts_at)
    }
}

/// What was had; `None` when there was not enough.
pub(super) struct Granted {
    pub(super) requests: Option<u64>,
    pub(super) tokens: Option<u64>,
}

/// A running request in one scope: in which windows it was counted.
pub(super) struct Hold {
    entry: Arc<Entry>,
    day: Counted,
    minute: Counted,
}

/// What was counted in one window.
#[derive(Clone, Copy)]
struct Counted {
    starts_at: Micros,
    requests: bool,
    tokens: bool,
}

pub(super) enum Taken {
    All(Vec<Hold>),
    Hit(Exceeded),
    Lacking(Vec<Arc<Entry>>),
}

impl State {
    fn bucket(&mut self, window: Window) -> &mut Bucket {
        match window {
            Window::Day => &mut self.day,
            Window::Minute => &mut self.minute,
        }
    }
}

impl Entry {
    pub(super) fn new(institution: InstitutionId, (scope, id): EntryKey) -> Self {
        Self { institution, scope, id, state: Mutex::default(), leasing: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, window: Window, starts_at: Micros) -> Place {
        Place { institution: self.institution, scope: self.scope, scope_id: self.id.to_string(), window, starts_at }
    }

    /// Takes in what was granted. A window that ended meanwhile gets it back.
    pub(super) fn receive(&self, ask: &Ask, granted: Granted, now: Micros, inner: &Inner) {
        let mut state = self.lock();
        let bucket = state.bucket(ask.window);
        if bucket.starts_at != ask.starts_at {
            let back = |granted: Option<u64>| -signed(granted.unwrap_or(0));
            let (requests, tokens) = (back(granted.requests), back(granted.tokens));
            inner.later(Delta { place: ask.place(), requests, tokens });
        } else {
            for (tally, wanted, granted) in [
                (&mut bucket.requests, ask.requests, granted.requests),
                (&mut bucket.tokens, ask.tokens, granted.tokens),
            ] {
                match granted {
                    Some(more) => tally.held = tally.held.saturating_add(more),
                    None => tally.refused = wanted.map(|(need, _)| (need, now + BELIEVED)),
                }
            }
        }
    }

    /// Gives back all that is not used.
    pub(super) fn give_back(&self, inner: &Inner) {
        let mut state = self.lock();
        for window in Window::ALL {
            self.put_back(state.bucket(window), window, inner);
        }
    }

    fn put_back(&self, bucket: &mut Bucket, window: Window, inner: &Inner) {
        let (requests, tokens) = (-bucket.requests.unused(), -bucket.tokens.unused());
        if requests != 0 || tokens != 0 {
            inner.later(Delta { place: self.place(window, bucket.starts_at), requests, tokens });
        }
    }

    /// Begins the next window when it is time. A clock that steps back keeps the window.
    fn roll(&self, bucket: &mut Bucket, window: Window, now: Micros, inner: &Inner) {
        let starts_at = window.start(now);
        if starts_at > bucket.starts_at {
            self.put_back(bucket, window, inner);
            *bucket = Bucket { starts_at, ..Bucket::default() };
        }
    }

    /// Notes debts, and what is to go back.
    pub(super) fn sweep(&self, now: Micros, all: bool, inner: &Inner) {
        let mut state = self.lock();
        let idle = all || now - state.used_at >= IDLE;
        for window in Window::ALL {
            let bucket = state.bucket(window);
            let debt = bucket.requests.used > bucket.requests.held || bucket.tokens.used > bucket.tokens.held;
            if idle || debt || window.start(now) > bucket.starts_at {
                self.put_back(bucket, window, inner);
            }
        }
    }

    /// Whether nothing of it needs to be remembered.
    pub(super) fn idle(&self, now: Micros) -> bool {
        let mut state = self.lock();
        let clean = |tally: &Tally| tally.held == tally.used;
        let (running, used_at) = (state.running, state.used_at);
        running == 0
            && now - used_at >= IDLE
            && Window::ALL.into_iter().all(|window| {
                let bucket = state.bucket(window);
                clean(&bucket.requests) && clean(&bucket.tokens)
            })
    }
}

/// Takes one request of `tokens` out of what is held of every window, or nothing at all.
pub(super) fn take(limited: &[Limited], tokens: u64, now: Micros, inner: &Inner) -> Taken {
    let mut states: Vec<MutexGuard<'_, State>> = limited.iter().map(|(entry, _)| entry.lock()).collect();
    let mut hit: Option<Exceeded> = None;
    let mut lacking: Vec<Arc<Entry>> = Vec::new();
    for ((entry, limits), state) in limited.iter().zip(&mut states) {
        if limits.concurrent.is_some_and(|most| state.running >= most) {
            let exceeded = |allowed| exceeded(entry.scope, Limit::Concurrent, NEXT, allowed, 1);
            worse(&mut hit, limits.concurrent.map(exceeded));
        }
        for window in Window::ALL {
            entry.roll(state.bucket(window), window, now, inner);
            let look = look(state.bucket(window), entry.scope, limits, window, tokens, now);
            worse(&mut hit, look.hit);
            if (look.requests.is_some() || look.tokens.is_some())
                && !lacking.last().is_some_and(|last| Arc::ptr_eq(last, entry))
            {
                lacking.push(entry.clone());
            }
        }
    }
    if let Some(exceeded) = hit {
        return Taken::Hit(exceeded);
    }
    if !lacking.is_empty() {
        return Taken::Lacking(lacking);
    }
    let mut holds = Vec::with_capacity(limited.len());
    for ((entry, limits), state) in limited.iter().zip(&mut states) {
        state.running += 1;
        state.used_at = now;
        let mut counted = |window: Window| {
            let (requests, limited_tokens) = limits.of(window);
            let bucket = state.bucket(window);
            if requests.is_some() {
                bucket.requests.used += 1;
            }
            if limited_tokens.is_some() {
                bucket.tokens.used = bucket.tokens.used.saturating_add(tokens);
            }
            Counted { starts_at: bucket.starts_at, requests: requests.is_some(), tokens: limited_tokens.is_some() }
        };
        let (day, minute) = (counted(Window::Day), counted(Window::Minute));
        holds.push(Hold { entry: entry.clone(), day, minute });
    }
    Taken::All(holds)
}

/// What is to be taken for a request; only of the scopes in `locked`, where nobody else takes now.
pub(super) fn asks(limited: &[Limited], tokens: u64, now: Micros, inner: &Inner, locked: &[Arc<Entry>]) -> Vec<Ask> {
    let mut asks = Vec::new();
    for (entry, limits) in limited {
        if !locked.iter().any(|one| Arc::ptr_eq(one, entry)) {
            continue;
        }
        let mut state = entry.lock();
        for window in Window::ALL {
            let bucket = state.bucket(window);
            entry.roll(bucket, window, now, inner);
            let look = look(bucket, entry.scope, limits, window, tokens, now);
            if look.hit.is_none() && (look.requests.is_some() || look.tokens.is_some()) {
                let (starts_at, entry) = (bucket.starts_at, entry.clone());
                asks.push(Ask { entry, window, starts_at, requests: look.requests, tokens: look.tokens });
            }
        }
    }
    asks
}

/// What one window says of a request: a limit that it hits, and what it lacks of requests and tokens (lack, limit).
#[derive(Default)]
struct Look {
    hit: Option<Exceeded>,
    requests: Option<(u64, u64)>,
    tokens: Option<(u64, u64)>,
}

fn look(bucket: &Bucket, scope: QuotaScope, limits: &Limits, window: Window, tokens: u64, now: Micros) -> Look {
    let (most_requests, most_tokens) = limits.of(window);
    let names = match window {
        Window::Minute => (Limit::RequestsMinute, Limit::TokensMinute),
        Window::Day => (Limit::RequestsDay, Limit::TokensDay),
    };
    let mut look = Look::default();
    let mut lacks = |name, tally: &Tally, most: Option<u64>, need: u64| {
        let most = most?;
        let lack = tally.lacks(need);
        let refused = tally.refused.is_some_and(|(least, until)| lack >= least && now < until);
        if need > most || (lack > 0 && (refused || tally.used.saturating_add(need) > most)) {
            worse(&mut look.hit, Some(exceeded(scope, name, window.left(now), most, need)));
            return None;
        }
        (lack > 0).then_some((lack, most))
    };
    let requests = lacks(names.0, &bucket.requests, most_requests, 1);
    let tokens = lacks(names.1, &bucket.tokens, most_tokens, tokens);
    Look { requests, tokens, ..look }
}

fn exceeded(scope: QuotaScope, limit: Limit, retry_after: Duration, allowed: u64, needed: u64) -> Exceeded {
    Exceeded { scope, limit, retry_after, allowed, needed }
}

/// Of several limits the one is told that is to be waited for longest; else the wait would not be true.
fn worse(hit: &mut Option<Exceeded>, other: Option<Exceeded>) {
    if let Some(other) = other
        && hit.is_none_or(|known| other.retry_after > known.retry_after)
    {
        *hit = Some(other);
    }
}

impl Hold {
    fn counted(&self, window: Window) -> Counted {
        match window {
            Window::Day => self.day,
            Window::Minute => self.minute,
        }
    }

    /// Replaces the estimate by what was used, in windows that are not over.
    pub(super) fn settle(&self, estimate: u64, used: u64) {
        let mut state = self.entry.lock();
        for window in Window::ALL {
            let counted = self.counted(window);
            let bucket = state.bucket(window);
            if counted.tokens && counted.starts_at == bucket.starts_at {
                bucket.tokens.used = bucket.tokens.used.saturating_sub(estimate).saturating_add(used);
            }
        }
    }

    /// The request was never begun.
    pub(super) fn give_back_request(&self) {
        let mut state = self.entry.lock();
        for window in Window::ALL {
            let counted = self.counted(window);
            let bucket = state.bucket(window);
            if counted.requests && counted.starts_at == bucket.starts_at {
                bucket.requests.used = bucket.requests.used.saturating_sub(1);
            }
        }
    }

    /// The request runs no more.
    pub(super) fn end(&self) {
        let mut state = self.entry.lock();
        state.running = state.running.saturating_sub(1);
    }
}
