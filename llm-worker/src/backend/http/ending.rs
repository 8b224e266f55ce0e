//! A body that is passed on as it comes, and whose last words are checked on the way.
//!
//! A server that dies in the middle of a stream often leaves a body that ends as if all were well.
//! Each dialect has a last word; without it the stream ends with an error.

use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use domain::wire::Usage;
use futures::Stream;
use serde::Deserialize;

use super::{Body, said};
use crate::backend::BackendError;

/// Bytes of the end that are kept, where the last word is short.
const TAIL: usize = 4 * 1024;
/// Bytes of a last line that are kept; that of `/api/generate` holds the whole context.
const LINE: usize = 4 * 1024 * 1024;

/// How a body has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With `data: [DONE]`.
    Sse,
    /// With a line that says `"done":true`.
    Ndjson,
    /// With the brace of a JSON object.
    Json,
    /// As one JSON object that says `"done":true`.
    JsonDone,
}

impl Ending {
    fn by_line(self) -> bool {
        matches!(self, Self::Ndjson | Self::JsonDone)
    }
}

/// A body with a check at its end.
pub struct Checked {
    body: Body,
    ending: Ending,
    /// The end of what has come: the last line, or the last few thousand bytes.
    tail: Vec<u8>,
    /// Whether the last line has its end, so that the next byte begins another.
    closed: bool,
    over: bool,
    /// Where the tokens go that the server counted, as long as somebody wants to know.
    usage: Weak<OnceLock<Usage>>,
}

impl Checked {
    /// Checks `body`; the tokens that the server counted are put into `usage` at the end, if it is still there.
    #[must_use]
    pub fn new(body: Body, ending: Ending, usage: &Arc<OnceLock<Usage>>) -> Self {
        let usage = Arc::downgrade(usage);
        Self { body, ending, tail: Vec::new(), closed: false, over: false, usage }
    }

    fn keep(&mut self, piece: &[u8]) {
        if !self.ending.by_line() {
            let piece = piece.get(piece.len().saturating_sub(TAIL)..).unwrap_or(piece);
            if self.tail.len() + piece.len() > 2 * TAIL {
                self.tail.drain(..self.tail.len().saturating_sub(TAIL));
            }
            self.tail.extend_from_slice(piece);
            return;
        }
        let whole = piece.trim_ascii_end();
        let closes = self.ending == Ending::Ndjson
            && memchr::memchr(b'\n', piece.get(whole.len()..).unwrap_or_default()).is_some();
        let begin = match (self.ending, memchr::memrchr(b'\n', whole)) {
            (Ending::Ndjson, Some(at)) => Some(at + 1),
            _ if self.closed && !whole.is_empty() => Some(0),
            _ => None,
        };
        if let Some(begin) = begin {
            self.tail.clear();
            self.tail.extend_from_slice(whole.get(begin..).unwrap_or_default());
        } else if self.tail.len() + piece.len() <= LINE {
            self.tail.extend_from_slice(if closes { whole } else { piece });
        }
        if !whole.is_empty() || closes {
            self.closed = closes;
        }
    }

    fn finished(&self) -> Result<(), BackendError> {
        let tail = self.tail.trim_ascii_end();
        match self.ending {
            Ending::Sse => {
                self.count(tail);
                let line = memchr::memrchr(b'\n', tail).map_or(tail, |at| tail.get(at + 1..).unwrap_or_default());
                match line.strip_prefix(b"data:").map(<[u8]>::trim_ascii) {
                    Some(b"[DONE]") => Ok(()),
                    Some(data) if data.starts_with(b"{\"error\"") => Err(cut(&said(data))),
                    _ => Err(cut("its stream ends without [DONE]")),
                }
            }
            // So Ollama's `/v1` answers when its runner gave up. Inside a text the quotes are escaped.
            Ending::Json if memchr::memmem::find(tail, b"\"finish_reason\":null").is_some() => {
                Err(cut("it names no reason for its end"))
            }
            Ending::Json if tail.ends_with(b"}") || tail.ends_with(b"]") => {
                self.count(tail);
                Ok(())
            }
            Ending::Json => Err(cut("its answer is no whole JSON")),
            Ending::Ndjson | Ending::JsonDone => {
                let last: Last = serde_json::from_slice(tail).map_err(|_| cut("its last line is no JSON"))?;
                if last.error.is_some() {
                    return Err(cut(&said(tail)));
                }
                if !last.done {
                    return Err(cut("it ends without \"done\":true"));
                }
                if let (Some(prompt_tokens), Some(completion_tokens)) = (last.prompt_eval_count, last.eval_count) {
                    self.counted(Usage { prompt_tokens, completion_tokens });
                }
                Ok(())
            }
        }
    }

    /// Takes the tokens from the last `"usage": {…}`. Inside a text its quotes would be escaped.
    fn count(&self, tail: &[u8]) {
        const KEY: &[u8] = b"\"usage\":";
        if self.usage.strong_count() == 0 {
            return;
        }
        let Some(at) = memchr::memmem::rfind(tail, KEY) else { return };
        let Some(rest) = tail.get(at + KEY.len()..) else { return };
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<Option<Counted>>();
        if let Some(Ok(Some(counted))) = values.next() {
            self.counted(counted.into());
        }
    }

    fn counted(&self, usage: Usage) {
        if let Some(cell) = self.usage.upgrade() {
            // Set once: nobody else has the cell for writing.
            let _ = cell.set(usage);
        }
    }
}

fn cut(why: &str) -> BackendError {
    BackendError::backend(format!("the model server did not finish: {why}"))
}

/// The last line of Ollama's dialect.
#[derive(Deserialize)]
struct Last {
    #[serde(default)]
    done: bool,
    error: Option<serde::de::IgnoredAny>,
    prompt_eval_count: Option<u32>,
    eval_count: Option<u32>,
}

/// Tokens as the OpenAI dialect counts them.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Counted {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
}

impl From<Counted> for Usage {
    fn from(counted: Counted) -> Self {
        Self { prompt_tokens: counted.prompt_tokens, completion_tokens: counted.completion_tokens }
    }
}

impl Stream for Checked {
    type Item = Result<Bytes, BackendError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        match ready!(Pin::new(&mut this.body).poll_next(context)) {
            Some(Ok(piece)) => {
                this.keep(&piece);
                Poll::Ready(Some(Ok(piece)))
            }
            Some(Err(error)) => {
                this.over = true;
                Poll::Ready(Some(Err(error)))
            }
            None => {
                this.over = true;
                Poll::Ready(this.finished().err().map(Err))
            }
        }
    }
}
