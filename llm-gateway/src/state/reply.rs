//! Where a reply goes. Sending never waits: a reader that falls behind loses its request.

use bytes::Bytes;
use domain::wire::{Reply, Transcript};
use tokio::sync::{mpsc, oneshot};

use crate::chat::ChatDelta;
use crate::error::GatewayError;
use crate::forward::{Grant, Grants};

/// Pieces of a forwarded body that may wait for a slow reader.
const PIECES: usize = 4_096;

/// The caller's end.
pub(crate) enum ReplyTo {
    Embed { count: usize, sender: oneshot::Sender<Result<Vec<Vec<f32>>, GatewayError>> },
    Chat { sender: mpsc::Sender<Result<ChatDelta, GatewayError>>, begun: bool },
    Transcribe { sender: oneshot::Sender<Result<Transcript, GatewayError>> },
    Forward { grants: Grants, body: Option<mpsc::Sender<Result<Bytes, GatewayError>>>, begun: bool },
}

impl ReplyTo {
    /// Whether the caller has seen anything of the answer.
    pub(crate) fn begun(&self) -> bool {
        match self {
            Self::Chat { begun, .. } | Self::Forward { begun, .. } => *begun,
            Self::Embed { .. } | Self::Transcribe { .. } => false,
        }
    }

    pub(crate) fn has_begun(&mut self) {
        if let Self::Chat { begun, .. } | Self::Forward { begun, .. } = self {
            *begun = true;
        }
    }

    /// The head of a forwarded answer; false when nobody listens.
    pub(crate) fn begin(&mut self, status: u16, content_type: String) -> bool {
        let Self::Forward { grants, body, begun } = self else { return true };
        let (sender, receiver) = mpsc::channel(PIECES);
        *body = Some(sender);
        *begun = true;
        grants.try_send(Grant::Head { status, content_type, body: receiver }).is_ok()
    }

    /// A piece of a forwarded body; false when nobody listens or the reader fell behind.
    pub(crate) fn piece(&mut self, data: Bytes) -> bool {
        match self {
            Self::Forward { body: Some(body), .. } => body.try_send(Ok(data)).is_ok(),
            _ => true,
        }
    }

    /// The last word; whether it was a good one.
    pub(crate) fn close(self, outcome: Result<Reply, GatewayError>) -> bool {
        let unfit = || GatewayError::Backend("the reply does not belong to the request".to_owned());
        match (self, outcome) {
            (Self::Embed { count, sender }, Ok(Reply::Embed { vectors })) => {
                let checked = check_vectors(vectors.0, count);
                let good = checked.is_ok();
                ignore_gone(sender.send(checked));
                good
            }
            (Self::Chat { sender, .. }, Ok(Reply::Chat { finish, .. })) => {
                ignore_gone(sender.try_send(Ok(ChatDelta { text: String::new(), finish: Some(finish) })));
                true
            }
            (Self::Transcribe { sender }, Ok(Reply::Transcribe { transcript })) => {
                ignore_gone(sender.send(Ok(transcript)));
                true
            }
            // Without a head nothing was answered.
            (Self::Forward { begun: true, .. }, Ok(Reply::Forward { .. })) => true,
            (reply, outcome) => {
                reply.fail(outcome.err().unwrap_or_else(unfit));
                false
            }
        }
    }

    fn fail(self, error: GatewayError) {
        match self {
            Self::Embed { sender, .. } => ignore_gone(sender.send(Err(error))),
            Self::Chat { sender, .. } => ignore_gone(sender.try_send(Err(error))),
            Self::Transcribe { sender } => ignore_gone(sender.send(Err(error))),
            Self::Forward { body: Some(body), .. } => ignore_gone(body.try_send(Err(error))),
            Self::Forward { mut grants, .. } => ignore_gone(grants.try_send(Grant::Failed(error))),
        }
    }
}

/// A worker is believed no further than its reply can be checked: as many vectors as texts, all
/// equally long, every number finite.
fn check_vectors(vectors: Vec<Vec<f32>>, count: usize) -> Result<Vec<Vec<f32>>, GatewayError> {
    let length = vectors.first().map_or(0, Vec::len);
    let sound = vectors.len() == count
        && length > 0
        && vectors.iter().all(|vector| vector.len() == length && vector.iter().all(|x| x.is_finite()));
    if sound { Ok(vectors) } else { Err(GatewayError::Backend("the worker sent malformed vectors".to_owned())) }
}

/// The receiver may be gone: nobody is left to be told.
fn ignore_gone<E>(result: Result<(), E>) {
    drop(result);
}
