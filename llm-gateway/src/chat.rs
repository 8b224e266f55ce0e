//! A reply that arrives in pieces.

use std::pin::Pin;
use std::task::{Context, Poll};

use domain::wire::Finish;
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::Interval;

use crate::error::GatewayError;
use crate::gateway::{Guard, Place};

/// One piece of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatDelta {
    /// The text of this piece; may be empty in the last one.
    pub text: String,
    /// Set in the last piece only.
    pub finish: Option<Finish>,
}

/// A reply as a stream: pieces, then one with `finish`, or an error and then the end.
///
/// Dropping it takes the request back from the worker.
pub struct ChatStream {
    pub(crate) deltas: mpsc::Receiver<Result<ChatDelta, GatewayError>>,
    pub(crate) deadline: Pin<Box<tokio::time::Sleep>>,
    /// While it waits for a worker, the gateway looks again from time to time.
    pub(crate) looks: Option<Interval>,
    pub(crate) guard: Guard,
    pub(crate) over: bool,
}

impl std::fmt::Debug for ChatStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatStream").field("over", &self.over).finish_non_exhaustive()
    }
}

impl ChatStream {
    /// The reply to its end, of at most `most` bytes, and why it ended.
    ///
    /// # Errors
    /// As the stream's own; [`GatewayError::Backend`] when it is longer.
    pub async fn whole(mut self, most: usize) -> Result<(String, Finish), GatewayError> {
        let mut text = String::new();
        while let Some(delta) = self.next().await {
            let delta = delta?;
            text.push_str(&delta.text);
            if text.len() > most {
                return Err(GatewayError::Backend("the reply is too long".into()));
            }
            if let Some(finish) = delta.finish {
                return Ok((text, finish));
            }
        }
        Err(GatewayError::WorkerLost)
    }

    /// Requests that are ahead of it in its class; none once a worker has it.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.guard.position()
    }

    /// The same, to be asked while the stream is read.
    #[must_use]
    pub fn place(&self) -> Place {
        self.guard.place()
    }
}

impl Stream for ChatStream {
    type Item = Result<ChatDelta, GatewayError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        if self.deadline.as_mut().poll(context).is_ready() {
            self.over = true;
            self.guard.expire();
            return Poll::Ready(Some(Err(GatewayError::Deadline)));
        }
        while let Some(looks) = &mut self.looks {
            if looks.poll_tick(context).is_pending() {
                break;
            }
            if self.guard.position().is_none() {
                self.looks = None;
            } else {
                self.guard.look();
            }
        }
        match self.deltas.poll_recv(context) {
            Poll::Ready(Some(item)) => {
                self.over = !matches!(&item, Ok(ChatDelta { finish: None, .. }));
                Poll::Ready(Some(item))
            }
            // The gateway let go without a last word.
            Poll::Ready(None) => {
                self.over = true;
                Poll::Ready(Some(Err(GatewayError::WorkerLost)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
