//! Answers that are the same for the same question: one generation for all who ask it at once, and
//! again from memory for a while.
//!
//! Only requests whose answer is determined are kept: vectors, a temperature of nothing, or a seed.
//! The key holds the institution and the course, so that nobody is answered with another's words;
//! a hit replays the very pieces of the first answer.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use futures::{Stream, StreamExt as _};
use llm_gateway::{Caller, GatewayError};
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Notify, watch};

use super::carry::response;
use super::fault::Fault;

/// How long an answer is good for.
const KEPT: Duration = Duration::from_secs(3_600);
/// Bytes of all answers together.
const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of one answer; a longer one is passed on and not kept.
const MOST_ANSWER: usize = 4 * 1024 * 1024;

type Key = [u8; 32];

/// The head of an answer.
#[derive(Clone)]
struct Head {
    status: StatusCode,
    kind: Option<HeaderValue>,
}

/// How far an answer is.
#[derive(Clone)]
enum Progress {
    /// Nothing came yet.
    Asked,
    /// Some pieces are there.
    Some,
    /// All pieces are there.
    Whole,
    /// It ended before its head.
    Failed(Box<Fault>),
}

/// One answer as it is made, and afterwards.
struct Recording {
    head: Mutex<Option<Head>>,
    pieces: Mutex<Vec<Bytes>>,
    progress: watch::Sender<Progress>,
    readers: AtomicUsize,
    /// Told when the last reader has gone.
    deserted: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is kept is appended only: a panic leaves a shorter list, not a wrong one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Answers of the last hour and those that are being made.
pub(crate) struct Replays {
    known: Cache<Key, Arc<Recording>>,
}

impl Default for Replays {
    fn default() -> Self {
        let weight = |_: &Key, one: &Arc<Recording>| {
            u32::try_from(lock(&one.pieces).iter().map(Bytes::len).sum::<usize>() + 512).unwrap_or(u32::MAX)
        };
        Self { known: Cache::builder().max_capacity(MOST_BYTES).weigher(weight).time_to_live(KEPT).build() }
    }
}

/// Where an answer is kept; none when it must not be.
pub(crate) fn key(headers: &HeaderMap, caller: &Caller, digest: &str, path: &str, body: &[u8]) -> Option<Key> {
    let refused = headers.get(header::CACHE_CONTROL).and_then(|value| value.to_str().ok());
    if refused.is_some_and(|text| text.contains("no-store") || text.contains("no-cache")) {
        return None;
    }
    let mut hash = Sha256::new();
    let institution = caller.institution?;
    hash.update(institution.0.as_bytes());
    hash.update(caller.course.map(|course| course.0).unwrap_or_default().as_bytes());
    // Lengths keep the parts apart.
    for part in [digest.as_bytes(), path.as_bytes(), body] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    Some(hash.finalize().into())
}

impl Replays {
    /// The answer under this key: from memory, together with whoever asks now, or made. The name of
    /// the way it came is `hit`, `joined` or `miss`.
    pub(crate) async fn answer<F>(self: &Arc<Self>, key: Key, make: F) -> (Result<Response, Fault>, &'static str)
    where
        F: Future<Output = Result<Response, Fault>> + Send + 'static,
    {
        let mut fresh = None;
        let recording = self.known.get_with(key, || {
            let recording = Arc::new(Recording {
                head: Mutex::new(None),
                pieces: Mutex::new(Vec::new()),
                progress: watch::Sender::new(Progress::Asked),
                readers: AtomicUsize::new(0),
                deserted: Notify::new(),
            });
            fresh = Some(Arc::clone(&recording));
            recording
        });
        let reader = Reader::of(&recording);
        let way = match (&fresh, &*recording.progress.borrow()) {
            (Some(_), _) => "miss",
            (None, Progress::Whole) => "hit",
            (None, _) => "joined",
        };
        if fresh.is_some() {
            let (this, recording) = (Arc::clone(self), Arc::clone(&recording));
            tokio::spawn(async move {
                let ended = tokio::select! {
                    ended = record(&recording, make) => ended,
                    () = recording.deserted.notified() => Err(GatewayError::WorkerLost.into()),
                };
                // Before anybody reads the end: whoever asks after that must not find what broke off.
                if matches!(ended, Ok(true)) {
                    // Again, so that it is weighed with all its pieces.
                    this.known.insert(key, Arc::clone(&recording));
                } else {
                    this.known.invalidate(&key);
                }
                recording.progress.send_replace(match ended {
                    Ok(_) => Progress::Whole,
                    Err(fault) => Progress::Failed(Box::new(fault)),
                });
            });
        }
        (reader.response(recording).await, way)
    }
}

/// Fills the recording up to its end, which the caller tells; true when it may be kept.
async fn record<F>(recording: &Recording, make: F) -> Result<bool, Fault>
where
    F: Future<Output = Result<Response, Fault>> + Send,
{
    let made = make.await?;
    let status = made.status();
    let kind = made.headers().get(header::CONTENT_TYPE).cloned();
    *lock(&recording.head) = Some(Head { status, kind });
    let mut body = made.into_body().into_data_stream();
    let (mut bytes, mut broken) = (0, false);
    while let Some(piece) = body.next().await {
        let Ok(piece) = piece else {
            broken = true;
            break;
        };
        bytes += piece.len();
        broken |= piece.windows(9).any(|window| window == b"{\"error\":");
        lock(&recording.pieces).push(piece);
        recording.progress.send_replace(Progress::Some);
    }
    Ok(status == StatusCode::OK && !broken && bytes <= MOST_ANSWER)
}

/// Counts itself among the readers of a recording.
struct Reader {
    recording: Arc<Recording>,
}

impl Reader {
    fn of(recording: &Arc<Recording>) -> Self {
        recording.readers.fetch_add(1, Ordering::SeqCst);
        Self { recording: Arc::clone(recording) }
    }

    async fn response(self, recording: Arc<Recording>) -> Result<Response, Fault> {
        let mut progress = recording.progress.subscribe();
        loop {
            match &*progress.borrow_and_update() {
                Progress::Failed(fault) => return Err((**fault).clone()),
                Progress::Asked => {}
                Progress::Some | Progress::Whole => break,
            }
            if progress.changed().await.is_err() {
                return Err(GatewayError::WorkerLost.into());
            }
        }
        let head = lock(&recording.head).clone();
        let Some(head) = head else { return Err(GatewayError::WorkerLost.into()) };
        // An answer in one piece has a length.
        if let (Progress::Whole, [one]) = (&*progress.borrow(), &lock(&recording.pieces)[..]) {
            return Ok(response(head.status, head.kind, Body::from(one.clone())));
        }
        let pieces = Pieces { waiting: Box::pin(next(self, progress, 0)) };
        Ok(response(head.status, head.kind, Body::from_stream(pieces)))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.recording.readers.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.recording.deserted.notify_one();
        }
    }
}

type Next = Option<(Bytes, Reader, watch::Receiver<Progress>, usize)>;

async fn next(reader: Reader, mut progress: watch::Receiver<Progress>, at: usize) -> Next {
    loop {
        let piece = lock(&reader.recording.pieces).get(at).cloned();
        if let Some(piece) = piece {
            return Some((piece, reader, progress, at + 1));
        }
        if matches!(&*progress.borrow_and_update(), Progress::Whole | Progress::Failed(_)) {
            return None;
        }
        if progress.changed().await.is_err() {
            return None;
        }
    }
}

/// The pieces of a recording, as they were and as they come.
struct Pieces {
    waiting: Pin<Box<dyn Future<Output = Next> + Send>>,
}

impl Stream for Pieces {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.waiting.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => {
                self.waiting = Box::pin(std::future::ready(None));
                Poll::Ready(None)
            }
            Poll::Ready(Some((piece, reader, progress, at))) => {
                self.waiting = Box::pin(next(reader, progress, at));
                Poll::Ready(Some(Ok(piece)))
            }
        }
    }
}
