//! Embeds texts on threads of its own: a lane kept for people who wait, and lanes for the rest.
//!
//! A vector must not depend on the batch that it was made in. Texts are therefore grouped only
//! with texts of exactly as many tokens, so that nothing is padded, and only for engines whose
//! kernels give the same bits in every such group; the others get one text a time. A group may
//! hold texts of several requests, and no group is longer than the budget, so that whoever comes
//! next waits for one small group and not for somebody's whole request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use async_trait::async_trait;
use domain::wire::{Class, EmbedRequest, Model};
use tokio::sync::oneshot;

use crate::backend::{Backend, BackendError};
use crate::error::Error;
use crate::tokenize::Tokens;
use queue::{Group, Queue, Slice, Task};
use run::Run;

mod queue;
mod run;

/// How much the lanes for bulk work step back behind everything else on the machine. A query of 12
/// tokens beside a bulk on both of two cores, fp32, median and 99th percentile: 9.4 and 17.4 ms
/// without it, 5.7 and 9.8 ms with it, and 6.6 and 9.9 ms when idle. On a core that somebody else
/// uses without pause the bulk still gets a tenth.
const BULK_NICENESS: i32 = 10;

/// Computes vectors of texts that have equally many tokens. Each lane owns one.
pub trait Encoder: 'static {
    /// One vector of unit length for each list of ids.
    ///
    /// # Errors
    /// What the engine said.
    fn encode(&mut self, ids: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, String>;
}

/// Opens the encoder of one lane. It is called on the lane's thread, so that threads which the
/// engine starts inherit the lane's priority.
pub type Open<E> = Box<dyn FnOnce() -> Result<E, Error> + Send>;

/// An embedding model on lanes: threads with an encoder each.
pub struct Pool {
    model: Model,
    lanes: Arc<Lanes>,
    threads: Vec<JoinHandle<()>>,
}

/// What the lanes share.
struct Lanes {
    tokens: Tokens,
    queue: Mutex<Queue>,
    query: Condvar,
    bulk: Condvar,
}

/// Whom a lane serves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// People who wait, and nobody else.
    Query,
    /// Everybody, the more urgent first; people who wait only while the lane for them is taken.
    Bulk,
}

/// Takes a request back when the caller lets go, so that what did not start is skipped.
struct Abandon(Arc<Run>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl Pool {
    /// Starts the lane for queries and one lane for each of `bulk`. Groups hold up to
    /// `group_tokens` tokens; 0 runs one text a time.
    ///
    /// # Errors
    /// When the system gives no thread, or an encoder does not open.
    pub fn start<E: Encoder>(
        model: Model,
        tokens: Tokens,
        group_tokens: usize,
        query: Open<E>,
        bulk: Vec<Open<E>>,
    ) -> Result<Self, Error> {
        let queue = Mutex::new(Queue::new(group_tokens));
        let lanes = Arc::new(Lanes { tokens, queue, query: Condvar::new(), bulk: Condvar::new() });
        // Made first: dropped on an error below, it tells the lanes that were started to stop.
        let mut pool = Self { model, lanes, threads: Vec::new() };
        let (opened, outcomes) = mpsc::channel();
        let expected = 1 + bulk.len();
        let all = std::iter::once((Lane::Query, query)).chain(bulk.into_iter().map(|open| (Lane::Bulk, open)));
        for (number, (lane, open)) in all.enumerate() {
            let (lanes, opened) = (Arc::clone(&pool.lanes), opened.clone());
            let thread = std::thread::Builder::new()
                .name(format!("embed-{number}"))
                .spawn(move || run_lane(&lanes, lane, open, opened))
                .map_err(Error::io("start a thread for", &pool.model.id))?;
            pool.threads.push(thread);
        }
        drop(opened);
        let ready = outcomes.iter().collect::<Result<Vec<()>, Error>>()?.len();
        // A thread that died over its encoder has said nothing.
        if ready == expected { Ok(pool) } else { Err(Error::load(&pool.model.id, "the engine panicked")) }
    }

    /// The vectors of `texts`, in order.
    ///
    /// # Errors
    /// When the tokenizer or the engine fails; the next call starts afresh.
    pub async fn vectors(&self, class: Class, texts: Vec<String>) -> Result<Vec<Vec<f32>>, String> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (sender, receiver) = oneshot::channel();
        let run = Arc::new(Run::new(texts.len(), sender));
        let _abandon = Abandon(Arc::clone(&run));
        self.lanes.lock().push(class, run, texts);
        self.lanes.wake(class);
        receiver.await.unwrap_or_else(|_| Err("the embedding threads have stopped".to_owned()))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.lanes.lock().closed = true;
        self.lanes.query.notify_all();
        self.lanes.bulk.notify_all();
        // An engine that is still at work when the process ends uses what its library has already
        // torn down. Each lane finishes one group at most.
        for thread in self.threads.drain(..) {
            // A lane that panicked has nothing left to wait for.
            drop(thread.join());
        }
    }
}

/// A lane's life: opens its encoder, says how that went, and works until the pool is dropped.
fn run_lane<E: Encoder>(lanes: &Lanes, lane: Lane, open: Open<E>, opened: mpsc::Sender<Result<(), Error>>) {
    if lane == Lane::Bulk {
        step_back();
    }
    let (outcome, encoder) = match open() {
        Ok(encoder) => (Ok(()), Some(encoder)),
        Err(error) => (Err(error), None),
    };
    let wanted = opened.send(outcome).is_ok();
    drop(opened);
    if let (true, Some(encoder)) = (wanted, encoder) {
        lanes.work(lane, encoder);
    }
}

/// Lets every other thread on the machine go before this one; on Linux a priority is a thread's own.
fn step_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(BULK_NICENESS) {
        tracing::debug!(%error, "the priority of an embedding thread was not lowered");
    }
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes whoever may serve a class that has something new.
    fn wake(&self, class: Class) {
        if class.interactive() {
            self.query.notify_one();
        }
        self.bulk.notify_all();
    }

    fn next(&self, lane: Lane) -> Option<Task> {
        let mut queue = self.lock();
        if lane == Lane::Query {
            queue.query_busy = false;
        }
        while !queue.closed {
            let relieves = queue.query_busy;
            let task = queue.next(|class| match lane {
                Lane::Query => class.interactive(),
                Lane::Bulk => relieves || !class.interactive(),
            });
            if task.is_some() {
                if lane == Lane::Query {
                    queue.query_busy = true;
                    if queue.waits(Class::interactive) {
                        self.bulk.notify_all();
                    }
                }
                return task;
            }
            let changed = match lane {
                Lane::Query => &self.query,
                Lane::Bulk => &self.bulk,
            };
            queue = changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    fn work<E: Encoder>(&self, lane: Lane, mut encoder: E) {
        while let Some(task) = self.next(lane) {
            match task {
                Task::Tokenize(slice) => self.tokenize(slice),
                Task::Encode(group) => encode(&mut encoder, group),
            }
        }
    }

    fn tokenize(&self, slice: Slice) {
        let Slice { class, run, texts } = slice;
        let ids = guarded(|| {
            texts
                .iter()
                .map(|(place, text)| Ok((*place, self.tokens.ids(text).map_err(|error| error.to_string())?)))
                .collect::<Result<Vec<_>, String>>()
        });
        match ids {
            Ok(ids) => {
                self.lock().tokenized(class, &run, ids);
                self.wake(class);
            }
            Err(reason) => run.fail(&reason),
        }
    }
}

fn encode<E: Encoder>(encoder: &mut E, group: Group) {
    let vectors = guarded(|| encoder.encode(&group.ids)).and_then(|vectors| sound(vectors, group.ids.len()));
    match vectors {
        Ok(vectors) => {
            for ((run, place), vector) in group.owners.into_iter().zip(vectors) {
                run.put(place, vector);
            }
        }
        Err(reason) => {
            let mut parts = group.by_request();
            match parts.as_slice() {
                [one] => one.owners.iter().for_each(|(run, _)| run.fail(&reason)),
                // One request's text must not fail what only shares the group with it.
                _ => parts.drain(..).for_each(|part| encode(encoder, part)),
            }
        }
    }
}

/// A panic of an engine fails one request, not the lane: nothing of ours is half written.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("the engine panicked".to_owned()))
}

fn sound(vectors: Vec<Vec<f32>>, count: usize) -> Result<Vec<Vec<f32>>, String> {
    let finite = vectors.iter().all(|vector| !vector.is_empty() && vector.iter().all(|x| x.is_finite()));
    if finite && vectors.len() == count { Ok(vectors) } else { Err("the engine gave malformed vectors".to_owned()) }
}

#[async_trait]
impl Backend for Pool {
    fn models(&self) -> Vec<Model> {
        vec![self.model.clone()]
    }

    async fn embed(&self, class: Class, request: EmbedRequest) -> Result<Vec<Vec<f32>>, BackendError> {
        self.vectors(class, request.texts).await.map_err(BackendError::backend)
    }
}
