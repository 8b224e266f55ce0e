//! Requests that a model server takes as they are: its answer goes back byte by byte.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::wire::{Blob, ForwardRequest, Usage};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::error::GatewayError;
use crate::gateway::{Guard, Place};

/// How often a waiting request makes the gateway look again whether it can be given out.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// A model server in this process's reach: forwarded requests run in the task of whoever asked,
/// without a hop through the worker's stream.
#[async_trait]
pub trait Direct: Send + Sync + 'static {
    /// The server's answer from its head on. Dropping the body takes the request back.
    async fn forward(&self, request: ForwardRequest) -> Result<Forwarded, GatewayError>;
}

/// What a server answers.
pub struct Forwarded {
    /// HTTP status.
    pub status: u16,
    /// Content type.
    pub content_type: String,
    /// The body as it comes; a stream that broke off ends with an error.
    pub body: BoxStream<'static, Result<Bytes, GatewayError>>,
}

/// What a forwarded request costs and is like, as its reader found it.
#[derive(Debug, Clone, Default)]
pub struct Weight {
    /// Tokens of the prompt, estimated.
    pub prompt_tokens: u32,
    /// Most tokens of the reply, where it says so.
    pub max_tokens: Option<u32>,
    /// Chained hashes of the prompt's beginning, block by block.
    pub prefix: Vec<u64>,
    /// Where the model's name stands in the body, with its quotes, so that a fallback can take its place.
    pub model_at: Option<Range<usize>>,
}

/// To a waiting forwarded request. A channel that takes memory for what is sent, which is nearly always one grant.
pub(crate) type Grants = futures::channel::mpsc::Sender<Grant>;

/// What the gateway tells a waiting forwarded request.
pub(crate) enum Grant {
    Direct { model: Arc<str>, server: Arc<dyn Direct> },
    Head { status: u16, content_type: String, body: mpsc::Receiver<Result<Bytes, GatewayError>> },
    Failed(GatewayError),
}

/// A forwarded request on its way. Dropping it takes the request back.
pub struct Forwarding {
    pub(crate) guard: Guard,
    pub(crate) grants: futures::channel::mpsc::Receiver<Grant>,
    pub(crate) request: ForwardRequest,
    pub(crate) model_at: Option<Range<usize>>,
    pub(crate) deadline: Instant,
}

impl std::fmt::Debug for Forwarding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarding").field("model", &self.request.model).finish_non_exhaustive()
    }
}

impl Forwarding {
    /// Requests that are ahead of it in its class; none once a worker has it.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.guard.position()
    }

    /// The same, to be asked while [`Forwarding::answer`] is awaited.
    #[must_use]
    pub fn place(&self) -> Place {
        self.guard.place()
    }

    /// The answer from its head on.
    ///
    /// # Errors
    /// As its variants say; nothing was answered then.
    pub async fn answer(mut self) -> Result<Answer, GatewayError> {
        let deadline = self.deadline;
        match tokio::time::timeout_at(deadline, self.granted()).await {
            Ok(Ok((status, content_type, body))) => Ok(Answer {
                status,
                content_type,
                body: AnswerBody {
                    body,
                    deadline: Box::pin(tokio::time::sleep_until(deadline)),
                    guard: self.guard,
                    over: false,
                    refused: (!(200..300).contains(&status)).then(|| {
                        // What the request is at fault for says nothing of the server.
                        let message = format!("the model server answered {status}");
                        if status < 500 { GatewayError::Invalid(message) } else { GatewayError::Backend(message) }
                    }),
                },
            }),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                self.guard.expire();
                Err(GatewayError::Deadline)
            }
        }
    }

    async fn granted(&mut self) -> Result<(u16, String, Source), GatewayError> {
        loop {
            let grant = match self.grants.try_recv() {
                Ok(grant) => grant,
                Err(_) => tokio::select! {
                    grant = self.grants.next() => grant.ok_or(GatewayError::WorkerLost)?,
                    () = tokio::time::sleep(LOOK) => { self.guard.look(); continue }
                },
            };
            match grant {
                Grant::Direct { model, server } => match server.forward(self.request_for(&model)).await {
                    // A server that is full or broken says so in the head; another may do better.
                    Ok(answer) if answer.status >= 500 || answer.status == 429 => {
                        let message = format!("the model server answered {}", answer.status);
                        let again = self.guard.failed(GatewayError::Backend(message));
                        if !again {
                            return Ok((answer.status, answer.content_type, Source::Direct(answer.body)));
                        }
                    }
                    Ok(answer) => {
                        self.guard.began();
                        return Ok((answer.status, answer.content_type, Source::Direct(answer.body)));
                    }
                    Err(error) => {
                        if !self.guard.failed(error.clone()) {
                            return Err(error);
                        }
                    }
                },
                Grant::Head { status, content_type, body } => {
                    return Ok((status, content_type, Source::Remote(body)));
                }
                Grant::Failed(error) => return Err(error),
            }
        }
    }

    fn request_for(&self, model: &str) -> ForwardRequest {
        let mut request = self.request.clone();
        if request.model != model {
            request.body = renamed(&request.body, self.model_at.as_ref(), model);
            request.model = model.to_owned();
        }
        request
    }
}

/// The body with another model's name in its place.
pub(crate) fn renamed(body: &Blob, at: Option<&Range<usize>>, model: &str) -> Blob {
    let Some((head, tail)) = at.and_then(|at| Some((body.0.get(..at.start)?, body.0.get(at.end..)?))) else {
        return body.clone();
    };
    let name = serde_json::to_string(model).unwrap_or_default();
    Blob([head, name.as_bytes(), tail].concat().into())
}

enum Source {
    Direct(BoxStream<'static, Result<Bytes, GatewayError>>),
    Remote(mpsc::Receiver<Result<Bytes, GatewayError>>),
}

/// An answer whose head is there.
pub struct Answer {
    /// HTTP status of the server.
    pub status: u16,
    /// Content type of the server.
    pub content_type: String,
    /// The body as it comes.
    pub body: AnswerBody,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// A body on its way. A broken one ends with an error. Dropping it takes the request back.
pub struct AnswerBody {
    body: Source,
    deadline: Pin<Box<tokio::time::Sleep>>,
    guard: Guard,
    over: bool,
    refused: Option<GatewayError>,
}

impl AnswerBody {
    /// Says how many tokens it was, once the body told; else the estimate stands.
    pub fn used(&mut self, usage: Usage) {
        self.guard.used(usage);
    }
}

impl Stream for AnswerBody {
    type Item = Result<Bytes, GatewayError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let next = match &mut self.body {
            Source::Direct(body) => body.as_mut().poll_next(context),
            Source::Remote(body) => body.poll_recv(context),
        };
        match next {
            Poll::Ready(Some(Ok(piece))) => Poll::Ready(Some(Ok(piece))),
            Poll::Ready(Some(Err(error))) => {
                self.over = true;
                self.guard.ended(Some(error.clone()));
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                self.over = true;
                let refused = self.refused.take();
                self.guard.ended(refused);
                Poll::Ready(None)
            }
            Poll::Pending => {
                if self.deadline.as_mut().poll(context).is_ready() {
                    self.over = true;
                    self.guard.expire();
                    return Poll::Ready(Some(Err(GatewayError::Deadline)));
                }
                Poll::Pending
            }
        }
    }
}
