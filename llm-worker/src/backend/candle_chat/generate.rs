//! One generation after another, on the thread that owns the network.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use domain::wire::{Failure, Finish, Usage};
use rayon::ThreadPool;
use tokio::sync::{mpsc, oneshot};

use super::constrain::Constraint;
use super::landing::Landing;
use super::network::Network;
use super::reply::Reply;
use super::sample::Sampler;
use crate::backend::{BackendError, ChatEnd};

/// A reply to be made.
pub(super) struct Work {
    pub(super) prompt: Vec<u32>,
    /// Tokens of the reply at most.
    pub(super) limit: usize,
    pub(super) sampler: Sampler,
    pub(super) reply: Reply,
    pub(super) constraint: Option<Constraint>,
    /// Whether what the last request left behind may serve this one. Not where a seed was given:
    /// the same scores come out of other sums, which are not the same to the last bit.
    pub(super) reuse: bool,
    pub(super) until: Instant,
    pub(super) cancelled: Arc<AtomicBool>,
    /// Holds a piece for every token, so that the network never waits for a reader.
    pub(super) pieces: mpsc::Sender<String>,
    pub(super) done: oneshot::Sender<Result<ChatEnd, BackendError>>,
}

/// What the network's thread owns.
pub(super) struct Generator {
    pub(super) network: Network,
    pub(super) threads: ThreadPool,
    /// What each token writes.
    pub(super) words: Arc<Vec<Vec<u8>>>,
    pub(super) ends: Vec<u32>,
}

impl Generator {
    /// Works until nobody can send work any longer.
    pub(super) fn run(mut self, work: &Receiver<Work>) {
        while let Ok(mut next) = work.recv() {
            // A panic of candle fails one request: what the network remembers is thrown away.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.generate(&mut next)))
                .unwrap_or_else(|_| Err(BackendError::backend("the network panicked")));
            if outcome.is_err() {
                self.network.forget();
            }
            // The caller may have let go meanwhile.
            drop(next.done.send(outcome));
        }
    }

    fn generate(&mut self, work: &mut Work) -> Result<ChatEnd, BackendError> {
        going_on(work)?;
        let mut landing = work.constraint.as_ref().map(|constraint| Landing::planned(constraint, work.limit));
        if let Some(Err(needed)) = &landing {
            let message = format!("a reply to this schema takes {needed} tokens, and {} are allowed", work.limit);
            return Err(BackendError::Failed(Failure::Invalid { message }));
        }
        let mut scores = self.read_prompt(work)?;
        let mut written = 0;
        let finish = loop {
            going_on(work)?;
            let left = work.limit - written;
            let Some(constraint) = &mut work.constraint else {
                if left == 0 {
                    break Finish::Length;
                }
                let token = work.sampler.choose(&scores, |id| (id as usize) < self.words.len());
                let token = token.ok_or_else(|| BackendError::backend("the network gave no scores"))?;
                if self.ends.contains(&token) {
                    break Finish::Stop;
                }
                written += 1;
                if say(work, self.word(token))? {
                    break Finish::Stop;
                }
                scores = self.read(&[token])?;
                continue;
            };
            if left == 0 {
                break if constraint.whole() { Finish::Stop } else { Finish::Length };
            }
            let Some(allowed) = constraint.allowed().map_err(BackendError::backend)? else { break Finish::Stop };
            let token = work.sampler.choose(&scores, |id| allowed.is_allowed(id));
            let token = token.ok_or_else(|| BackendError::backend("no token leads on to a valid reply"))?;
            if self.ends.contains(&token) {
                break Finish::Stop;
            }
            let end = match &mut landing {
                Some(Ok(landing)) => landing.due(constraint, token, self.word(token), left),
                _ => constraint.take(token).map(|()| None),
            };
            if let Some(end) = end.map_err(BackendError::backend)? {
                written += end.len();
                let bytes: Vec<u8> = end.iter().flat_map(|token| self.word(*token)).copied().collect();
                say(work, &bytes)?;
                break Finish::Stop;
            }
            written += 1;
            say(work, self.word(token))?;
            scores = self.read(&[token])?;
        };
        let rest = work.reply.rest();
        send(work, rest)?;
        let count = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
        let usage = Usage { prompt_tokens: count(work.prompt.len()), completion_tokens: count(written) };
        Ok(ChatEnd { finish, usage: Some(usage) })
    }

    fn read_prompt(&mut self, work: &Work) -> Result<Vec<f32>, BackendError> {
        let mut at = self.network.begin(&work.prompt, work.reuse);
        let mut scores = Vec::new();
        while let Some(left) = work.prompt.get(at..).filter(|left| !left.is_empty()) {
            going_on(work)?;
            let step = Network::step(at, left.len());
            scores = self.read(left.get(..step).unwrap_or(left))?;
            at += step;
        }
        Ok(scores)
    }

    fn read(&mut self, tokens: &[u32]) -> Result<Vec<f32>, BackendError> {
        let network = &mut self.network;
        self.threads.install(|| network.read(tokens)).map_err(BackendError::backend)
    }

    fn word(&self, token: u32) -> &[u8] {
        self.words.get(token as usize).map_or(&[], Vec::as_slice)
    }
}

/// Whether somebody still waits, and there is time.
fn going_on(work: &Work) -> Result<(), BackendError> {
    if work.cancelled.load(Ordering::Relaxed) || work.pieces.is_closed() {
        return Err(BackendError::Failed(Failure::Cancelled));
    }
    if Instant::now() >= work.until {
        return Err(BackendError::Failed(Failure::Deadline));
    }
    Ok(())
}

fn say(work: &mut Work, bytes: &[u8]) -> Result<bool, BackendError> {
    let (text, stopped) = work.reply.add(bytes);
    send(work, text)?;
    Ok(stopped)
}

fn send(work: &Work, text: String) -> Result<(), BackendError> {
    if text.is_empty() {
        return Ok(());
    }
    work.pieces.try_send(text).map_err(|_| BackendError::Failed(Failure::Cancelled))
}
