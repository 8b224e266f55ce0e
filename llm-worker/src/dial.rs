//! Dials a gateway over TCP, proves the token, and serves until told to stop.

use std::time::Duration;

use bytes::Bytes;
use domain::wire::{self, Down, Hello, PROTOCOL, Up, Welcome};
use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::worker::{Ended, Worker};

/// Time for the connection, the handshake, and each write.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A gateway that says nothing for this long is gone; it speaks at least every five seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// Messages that may wait in either direction.
const DEPTH: usize = 256;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Worker {
    /// Serves the gateway at `address`, dialling again whenever the stream breaks, until `shutdown`.
    ///
    /// # Errors
    /// When the gateway refuses this worker: trying again would not help.
    pub async fn dial(&self, address: &str, token: &str, shutdown: CancellationToken) -> Result<(), Error> {
        let mut pause = FIRST_PAUSE;
        while !shutdown.is_cancelled() {
            match connect(address, token).await {
                Ok(framed) => {
                    pause = FIRST_PAUSE;
                    let ended = self.serve_stream(framed, shutdown.clone()).await;
                    tracing::info!(address, ?ended, "stream to the gateway ended");
                    if ended == Ended::Drained {
                        return Ok(());
                    }
                }
                Err(Dial::Refused(reason)) => return Err(Error::Connection(format!("the gateway refused: {reason}"))),
                Err(Dial::Failed(reason)) => tracing::warn!(address, reason, "cannot reach the gateway; trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shutdown.cancelled() => break,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    async fn serve_stream(
        &self,
        framed: Framed<TcpStream, LengthDelimitedCodec>,
        shutdown: CancellationToken,
    ) -> Ended {
        let (mut sink, mut source) = framed.split();
        let (down, incoming) = mpsc::channel::<Down>(DEPTH);
        let (outgoing, mut up) = mpsc::channel::<Up>(DEPTH);
        let read = async move {
            while let Ok(Some(Ok(frame))) = tokio::time::timeout(SILENCE, source.next()).await {
                let Ok(message) = wire::decode::<Down>(&frame) else { break };
                if down.send(message).await.is_err() {
                    break;
                }
            }
        };
        let write = async move {
            while let Some(message) = up.recv().await {
                if !write(&mut sink, &message).await {
                    break;
                }
            }
        };
        // Either end of the reader or of the worker ends the stream; the writer sends the last words.
        let serve = async {
            tokio::select! {
                ended = self.serve(incoming, outgoing, shutdown) => ended,
                () = read => Ended::Closed,
            }
        };
        let (ended, ()) = tokio::join!(serve, write);
        ended
    }
}

enum Dial {
    Refused(String),
    Failed(String),
}

async fn connect(address: &str, token: &str) -> Result<Framed<TcpStream, LengthDelimitedCodec>, Dial> {
    let failed = |error: &dyn std::fmt::Display| Dial::Failed(error.to_string());
    let attempt = async {
        let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let codec = LengthDelimitedCodec::builder().max_frame_length(wire::MAX_FRAME).new_codec();
        let mut framed = Framed::new(stream, codec);
        let hello = Hello { token: token.to_owned(), protocol: PROTOCOL };
        if !write(&mut framed, &hello).await {
            return Err(Dial::Failed("the gateway closed the stream".to_owned()));
        }
        let Some(Ok(frame)) = framed.next().await else {
            return Err(Dial::Failed("the gateway closed the stream".to_owned()));
        };
        match wire::decode::<Welcome>(&frame).map_err(|error| failed(&error))? {
            Welcome::Accepted { .. } => Ok(framed),
            Welcome::Refused { reason } => Err(Dial::Refused(reason)),
        }
    };
    tokio::time::timeout(TIMEOUT, attempt).await.unwrap_or_else(|_| Err(Dial::Failed("no answer in time".to_owned())))
}

async fn write<S, M>(sink: &mut S, message: &M) -> bool
where
    S: SinkExt<Bytes> + Unpin,
    M: serde::Serialize,
{
    match wire::encode(message) {
        Ok(frame) => matches!(tokio::time::timeout(TIMEOUT, sink.send(Bytes::from(frame))).await, Ok(Ok(()))),
        Err(error) => {
            // The gateway's deadline ends the request whose reply this was.
            tracing::warn!(%error, "a message to the gateway was dropped");
            true
        }
    }
}
