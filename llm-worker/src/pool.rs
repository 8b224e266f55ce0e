//! Embeds texts on threads of its own, the more urgent class first.
//!
//! A vector must not depend on the batch that it was made in. Texts are therefore grouped only
//! with texts of exactly as many tokens, so that nothing is padded, and only for engines whose
//! kernels give the same bits in every such group; the others get one text a time.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use domain::wire::{Class, EmbedRequest, Model};
use tokio::sync::oneshot;

use crate::backend::{Backend, BackendError};
use crate::error::Error;
use crate::tokenize::Tokens;

/// Computes vectors of texts that have equally many tokens. Each lane owns one.
pub trait Encoder: Send + 'static {
    /// One vector of unit length for each list of ids.
    ///
    /// # Errors
    /// What the engine said.
    fn encode(&mut self, ids: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, String>;
}

/// An embedding model on lanes: threads with an encoder each.
pub struct Pool {
    model: Model,
    tokens: Arc<Tokens>,
    /// Tokens of one group; 0 runs one text a time.
    group_tokens: usize,
    lanes: Arc<Lanes>,
}

struct Lanes {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    groups: BTreeMap<Class, VecDeque<Group>>,
    closed: bool,
}

/// Texts of one length on their way through a lane.
struct Group {
    ids: Vec<Vec<u32>>,
    places: Vec<usize>,
    run: Arc<Run>,
}

/// One request: where its vectors gather until the last group is done.
struct Run {
    abandoned: AtomicBool,
    result: Mutex<Gathered>,
}

struct Gathered {
    vectors: Vec<Vec<f32>>,
    left: usize,
    sender: Option<oneshot::Sender<Result<Vec<Vec<f32>>, String>>>,
}

/// Marks the run when the caller lets go, so that groups that did not start are skipped.
struct Abandon(Arc<Run>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.abandoned.store(true, Ordering::Relaxed);
    }
}

impl Pool {
    /// Starts one thread for each encoder.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start<E: Encoder>(
        model: Model,
        tokens: Tokens,
        group_tokens: usize,
        encoders: Vec<E>,
    ) -> Result<Self, Error> {
        let lanes = Arc::new(Lanes { waiting: Mutex::default(), changed: Condvar::new() });
        for (number, encoder) in encoders.into_iter().enumerate() {
            let lanes = Arc::clone(&lanes);
            std::thread::Builder::new()
                .name(format!("embed-{number}"))
                .spawn(move || lanes.work(encoder))
                .map_err(Error::io("start a thread for", &model.id))?;
        }
        Ok(Self { model, tokens: Arc::new(tokens), group_tokens, lanes })
    }

    /// The vectors of `texts`, in order.
    ///
    /// # Errors
    /// When the tokenizer or the engine fails; the next call starts afresh.
    pub async fn vectors(&self, class: Class, texts: Vec<String>) -> Result<Vec<Vec<f32>>, String> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let (tokens, budget) = (Arc::clone(&self.tokens), self.group_tokens);
        let (sender, receiver) = oneshot::channel();
        let count = texts.len();
        let (run, groups) = tokio::task::spawn_blocking(move || {
            let ids = texts.iter().map(|text| tokens.ids(text)).collect::<Result<Vec<_>, _>>()?;
            let grouped = group(ids, budget);
            let result = Gathered { vectors: vec![Vec::new(); count], left: grouped.len(), sender: Some(sender) };
            let run = Arc::new(Run { abandoned: AtomicBool::new(false), result: Mutex::new(result) });
            let groups: Vec<Group> =
                grouped.into_iter().map(|(places, ids)| Group { ids, places, run: Arc::clone(&run) }).collect();
            Ok::<_, Error>((run, groups))
        })
        .await
        .map_err(|error| format!("the tokenizer stopped: {error}"))?
        .map_err(|error| error.to_string())?;
        let _abandon = Abandon(run);
        self.lanes.push(class, groups);
        receiver.await.unwrap_or_else(|_| Err("the embedding threads have stopped".to_owned()))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.lanes.lock().closed = true;
        self.lanes.changed.notify_all();
    }
}

/// Groups of equal length, longest first: (places in the request, ids).
fn group(ids: Vec<Vec<u32>>, budget: usize) -> Vec<(Vec<usize>, Vec<Vec<u32>>)> {
    let mut sorted: Vec<(usize, Vec<u32>)> = ids.into_iter().enumerate().collect();
    sorted.sort_by(|(at_a, a), (at_b, b)| b.len().cmp(&a.len()).then(at_a.cmp(at_b)));
    let mut groups: Vec<(Vec<usize>, Vec<Vec<u32>>)> = Vec::new();
    for (place, ids) in sorted {
        match groups.last_mut() {
            Some((places, group))
                if group.first().is_some_and(|first| first.len() == ids.len())
                    && (group.len() + 1) * ids.len() <= budget =>
            {
                places.push(place);
                group.push(ids);
            }
            _ => groups.push((vec![place], vec![ids])),
        }
    }
    groups
}

impl Lanes {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, class: Class, groups: Vec<Group>) {
        self.lock().groups.entry(class).or_default().extend(groups);
        self.changed.notify_all();
    }

    fn next(&self) -> Option<Group> {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return None;
            }
            // Classes are ordered by urgency, and the map by class.
            if let Some(group) = waiting.groups.values_mut().find_map(VecDeque::pop_front) {
                return Some(group);
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work<E: Encoder>(&self, mut encoder: E) {
        while let Some(group) = self.next() {
            if group.run.abandoned.load(Ordering::Relaxed) {
                continue;
            }
            // A panic of an engine fails one request, not the lane: nothing of ours is half written.
            let vectors = catch_unwind(AssertUnwindSafe(|| encoder.encode(&group.ids)))
                .unwrap_or_else(|_| Err("the engine panicked".to_owned()))
                .and_then(|vectors| sound(vectors, group.ids.len()));
            group.run.finish(&group.places, vectors);
        }
    }
}

fn sound(vectors: Vec<Vec<f32>>, count: usize) -> Result<Vec<Vec<f32>>, String> {
    let finite = vectors.iter().all(|vector| !vector.is_empty() && vector.iter().all(|x| x.is_finite()));
    if finite && vectors.len() == count { Ok(vectors) } else { Err("the engine gave malformed vectors".to_owned()) }
}

impl Run {
    fn finish(&self, places: &[usize], vectors: Result<Vec<Vec<f32>>, String>) {
        let mut gathered = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        match vectors {
            Ok(vectors) => {
                for (place, vector) in places.iter().zip(vectors) {
                    if let Some(slot) = gathered.vectors.get_mut(*place) {
                        *slot = vector;
                    }
                }
                gathered.left = gathered.left.saturating_sub(1);
                if gathered.left == 0 {
                    let vectors = std::mem::take(&mut gathered.vectors);
                    gathered.answer(Ok(vectors));
                }
            }
            Err(reason) => {
                self.abandoned.store(true, Ordering::Relaxed);
                gathered.answer(Err(reason));
            }
        }
    }
}

impl Gathered {
    fn answer(&mut self, result: Result<Vec<Vec<f32>>, String>) {
        if let Some(sender) = self.sender.take() {
            // The caller may have let go meanwhile.
            drop(sender.send(result));
        }
    }
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

#[cfg(test)]
mod tests {
    use super::group;

    #[test]
    fn groups_hold_one_length_and_keep_to_the_budget() {
        let ids: Vec<Vec<u32>> = [3, 5, 3, 3, 5, 9].iter().map(|length| vec![1; *length]).collect();
        let places = |budget| group(ids.clone(), budget).into_iter().map(|(places, _)| places).collect::<Vec<_>>();
        assert_eq!(places(10), [vec![5], vec![1, 4], vec![0, 2, 3]]);
        assert_eq!(places(6), [vec![5], vec![1], vec![4], vec![0, 2], vec![3]]);
        assert_eq!(places(0).len(), 6);
    }
}
