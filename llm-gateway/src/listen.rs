//! The networked door for workers: token first, then the same stream as in process.
//!
//! The token travels as it is; across machines the stream belongs into a private network or a
//! tunnel. Reading and writing have limits in size and time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::wire::{self, Hello, PROTOCOL, Up, Welcome};
use futures::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::gateway::{Gateway, Shared};
use crate::link;

/// How workers may dial in.
#[derive(Clone)]
pub struct ListenOptions {
    /// The shared secret.
    pub token: String,
    /// Time to prove it, and for each write.
    pub timeout: Duration,
    /// Streams at once, proved or not.
    pub max_connections: usize,
}

impl std::fmt::Debug for ListenOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenOptions").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl ListenOptions {
    /// Five seconds, 64 streams.
    #[must_use]
    pub fn with_token(token: impl Into<String>) -> Self {
        Self { token: token.into(), timeout: Duration::from_secs(5), max_connections: 64 }
    }
}

impl Gateway {
    /// Serves workers that dial in, until `shutdown`; returns when the last stream is closed.
    ///
    /// # Errors
    /// When the token is empty: a door without a lock is never opened.
    pub async fn listen(
        &self,
        listener: TcpListener,
        options: ListenOptions,
        shutdown: CancellationToken,
    ) -> Result<(), crate::GatewayError> {
        if options.token.is_empty() {
            return Err(crate::GatewayError::Invalid("the token for workers is empty".to_owned()));
        }
        let tracker = TaskTracker::new();
        let places = Arc::new(Semaphore::new(options.max_connections));
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = shutdown.cancelled() => break,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, most often: waiting is all that helps.
                    tracing::warn!(%error, "cannot accept a worker");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                tracing::warn!("too many workers; a stream was closed");
                continue;
            };
            let (shared, options, shutdown) = (Arc::clone(&self.shared), options.clone(), shutdown.clone());
            tracker.spawn(async move {
                let _place = place;
                tokio::select! {
                    () = admit(shared, stream, &options) => {}
                    () = shutdown.cancelled() => {}
                }
            });
        }
        tracker.close();
        tracker.wait().await;
        Ok(())
    }
}

async fn admit(shared: Arc<Shared>, stream: TcpStream, options: &ListenOptions) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn off the delay of small writes");
    }
    let codec = LengthDelimitedCodec::builder().max_frame_length(wire::MAX_HELLO_FRAME).new_codec();
    let mut framed = Framed::new(stream, codec);
    let hello = match tokio::time::timeout(options.timeout, framed.next()).await {
        Ok(Some(Ok(frame))) => wire::decode::<Hello>(&frame).ok(),
        _ => None,
    };
    // One answer for a wrong token and for nonsense: a stranger learns nothing from it.
    let refusal = match &hello {
        Some(hello) if wire::same_secret(&hello.token, &options.token) => {
            (hello.protocol != PROTOCOL).then(|| format!("protocol {} is not {PROTOCOL}", hello.protocol))
        }
        _ => Some("not admitted".to_owned()),
    };
    let welcome = match &refusal {
        None => Welcome::Accepted { protocol: PROTOCOL },
        Some(reason) => Welcome::Refused { reason: reason.clone() },
    };
    if !write(&mut framed, &welcome, options.timeout).await {
        return;
    }
    if let Some(reason) = refusal {
        tracing::warn!(reason, "a worker was refused");
        return;
    }
    framed.codec_mut().set_max_frame_length(wire::MAX_FRAME);
    let (ours, theirs) = link::pair();
    let silence = shared.silence;
    tokio::join!(link::serve(shared, ours, Some(silence), None, None), pump(framed, theirs, options.timeout));
}

/// Carries messages between the socket and the link until either closes.
async fn pump(framed: Framed<TcpStream, LengthDelimitedCodec>, theirs: link::WorkerLink, timeout: Duration) {
    let (mut sink, mut source) = framed.split();
    let link::WorkerLink { mut incoming, outgoing } = theirs;
    let read = async {
        while let Some(frame) = source.next().await {
            let message = frame
                .map_err(|error| error.to_string())
                .and_then(|frame| wire::decode::<Up>(&frame).map_err(|error| error.to_string()));
            match message {
                Ok(message) => {
                    if outgoing.send(message).await.is_err() {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(error, "a worker sent a bad frame; closing its stream");
                    break;
                }
            }
        }
    };
    let write = async {
        while let Some(message) = incoming.recv().await {
            if !write(&mut sink, &message, timeout).await {
                break;
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
}

async fn write<S, M>(sink: &mut S, message: &M, timeout: Duration) -> bool
where
    S: SinkExt<Bytes> + Unpin,
    M: serde::Serialize,
{
    let frame = match wire::encode(message) {
        Ok(frame) => Bytes::from(frame),
        Err(error) => {
            tracing::warn!(%error, "a message to a worker was dropped");
            return true;
        }
    };
    matches!(tokio::time::timeout(timeout, sink.send(frame)).await, Ok(Ok(())))
}
