//! A body in pieces: as a stream with a limit and a longest silence, whole, or by lines.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use tokio::time::{Instant, Sleep};

use super::connection::Arriving;
use crate::backend::BackendError;

/// The longest line that is read, in bytes.
const MAX_LINE: usize = 4 * 1024 * 1024;
/// How long the end of a body may take once its last word is there.
const AFTER: Duration = Duration::from_millis(100);

/// The body of an answer.
pub struct Body {
    arriving: Arriving,
    stall: Duration,
    /// Made at the first wait: a body that is already there needs no timer.
    silence: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    left: u64,
}

impl Body {
    pub(super) fn new(arriving: Arriving, stall: Duration, limit: u64) -> Self {
        Self { arriving, stall, silence: None, waiting: false, left: limit }
    }

    /// All of it, if it is not larger than `limit`.
    ///
    /// # Errors
    /// When it is larger, breaks off or stalls.
    pub async fn whole(mut self, limit: u64) -> Result<Bytes, BackendError> {
        self.left = self.left.min(limit);
        let Some(first) = self.next().await.transpose()? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await.transpose()? else { return Ok(first) };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(piece) = self.next().await {
            all.extend_from_slice(&piece?);
        }
        Ok(all.freeze())
    }

    /// Its lines.
    #[must_use]
    pub fn lines(self) -> Lines {
        Lines { body: self, buffer: BytesMut::new(), searched: 0, ended: false }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, BackendError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match this.arriving.poll_frame(context) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => {
                    let cause = super::root(&error);
                    return Poll::Ready(Some(Err(BackendError::backend(format!(
                        "the model server broke off: {cause}"
                    )))));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    this.waiting = false;
                    // Trailers say nothing that is wanted.
                    let Ok(data) = frame.into_data() else { continue };
                    if data.is_empty() {
                        continue;
                    }
                    let Some(left) = this.left.checked_sub(data.len() as u64) else {
                        return Poll::Ready(Some(Err(BackendError::backend("the model server's answer is too large"))));
                    };
                    this.left = left;
                    return Poll::Ready(Some(Ok(data)));
                }
                Poll::Pending => break,
            }
        }
        let silence = this.silence.get_or_insert_with(|| Box::pin(tokio::time::sleep(this.stall)));
        if !this.waiting {
            this.waiting = true;
            silence.as_mut().reset(Instant::now() + this.stall);
        }
        ready!(silence.as_mut().poll(context));
        let message = format!("the model server stalled for {:?}", this.stall);
        Poll::Ready(Some(Err(BackendError::backend(message))))
    }
}

/// A body line by line.
pub struct Lines {
    body: Body,
    buffer: BytesMut,
    /// Bytes at the start of the buffer that hold no end of line.
    searched: usize,
    ended: bool,
}

impl Lines {
    /// Reads on to the end after the last word, so that the connection can serve again. A server that has not ended
    /// its body soon after loses the connection.
    pub async fn finish(mut self) {
        let _ = tokio::time::timeout(AFTER, async { while let Some(Ok(_)) = self.body.next().await {} }).await;
    }

    /// The next line that is not empty, without its end; nothing at the end of the body.
    ///
    /// # Errors
    /// When the body breaks off or stalls, or a line is too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BackendError> {
        loop {
            while let Some(at) = self.buffer.get(self.searched..).and_then(|rest| memchr::memchr(b'\n', rest)) {
                let line = self.buffer.split_to(self.searched + at + 1).freeze();
                self.searched = 0;
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(line.slice_ref(line.trim_ascii())));
                }
            }
            self.searched = self.buffer.len();
            if self.searched > MAX_LINE {
                return Err(BackendError::backend("a line of the model server is too long"));
            }
            match self.body.next().await {
                Some(piece) => self.buffer.extend_from_slice(&piece?),
                None if self.ended => return Ok(None),
                None => {
                    // The last line may lack its end.
                    self.ended = true;
                    let line = self.buffer.split().freeze();
                    self.searched = 0;
                    if !line.trim_ascii().is_empty() {
                        return Ok(Some(line.slice_ref(line.trim_ascii())));
                    }
                    return Ok(None);
                }
            }
        }
    }
}
