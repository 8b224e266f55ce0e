//! One request: where its vectors gather until the last one is there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// What a request is answered with.
pub(super) type Answer = Result<Vec<Vec<f32>>, String>;

/// One request on its way.
pub(super) struct Run {
    abandoned: AtomicBool,
    gathered: Mutex<Gathered>,
}

struct Gathered {
    vectors: Vec<Vec<f32>>,
    left: usize,
    sender: Option<oneshot::Sender<Answer>>,
}

impl Run {
    pub(super) fn new(count: usize, sender: oneshot::Sender<Answer>) -> Self {
        let gathered = Gathered { vectors: vec![Vec::new(); count], left: count, sender: Some(sender) };
        Self { abandoned: AtomicBool::new(false), gathered: Mutex::new(gathered) }
    }

    /// Nobody waits for the answer any more.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }

    pub(super) fn abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Puts a vector in its place; the last one ends the request.
    pub(super) fn put(&self, place: usize, vector: Vec<f32>) {
        let mut gathered = self.lock();
        if let Some(slot) = gathered.vectors.get_mut(place) {
            *slot = vector;
        }
        gathered.left = gathered.left.saturating_sub(1);
        if gathered.left == 0 {
            let vectors = std::mem::take(&mut gathered.vectors);
            gathered.answer(Ok(vectors));
        }
    }

    /// Ends the request with what went wrong.
    pub(super) fn fail(&self, reason: &str) {
        self.abandon();
        self.lock().answer(Err(reason.to_owned()));
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    fn answer(&mut self, answer: Answer) {
        if let Some(sender) = self.sender.take() {
            // The caller may have let go meanwhile.
            drop(sender.send(answer));
        }
    }
}
