//! One owner of a data directory: while a server runs, commands on the same directory are sent to
//! it over a local socket and run there; what they say comes back frame by frame.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

use crate::exit::{FAILED, Failure, Result};
use crate::node::Node;
use crate::out::{Frame, Out, Terminal};

/// Largest request or frame, in bytes.
const LIMIT: usize = 32 * 1024 * 1024;

/// A command as the asking process got it.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    arguments: Vec<String>,
    directory: PathBuf,
    input: Option<String>,
}

fn framed(stream: UnixStream) -> Framed<UnixStream, LengthDelimitedCodec> {
    LengthDelimitedCodec::builder().max_frame_length(LIMIT).new_framed(stream)
}

/// Runs this process's command in the owner of the data directory and shows what it says.
pub(crate) async fn ask(socket: &Path, arguments: Vec<String>, input: Option<String>) -> Result<u8> {
    let gone = |error: &dyn std::fmt::Display| {
        Failure::new(crate::exit::TRY_LATER, format!("the running server did not answer: {error}; try again"))
    };
    let stream = UnixStream::connect(socket).await.map_err(|error| gone(&error))?;
    let mut stream = framed(stream);
    let request = Request { arguments, directory: std::env::current_dir()?, input };
    let bytes = serde_json::to_vec(&request).map_err(|error| Failure::new(FAILED, error.to_string()))?;
    stream.send(bytes::Bytes::from(bytes)).await.map_err(|error| gone(&error))?;
    let mut terminal = Terminal::new();
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(|error| gone(&error))?;
        let frame: Frame = serde_json::from_slice(&bytes).map_err(|error| gone(&error))?;
        if let Some(code) = terminal.show(frame) {
            return Ok(code);
        }
    }
    terminal.clear();
    Err(gone(&"it closed the connection"))
}

/// Answers forwarded commands until shutdown.
pub(crate) async fn answer(listener: UnixListener, node: Arc<Node>, shutdown: CancellationToken) {
    loop {
        let stream = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a forwarded command");
                    continue;
                }
            },
        };
        let node = node.clone();
        node.tasks.clone().spawn(async move {
            if let Err(error) = serve_one(stream, node).await {
                tracing::debug!(error = %error.message, "a forwarded command ended early");
            }
        });
    }
}

async fn serve_one(stream: UnixStream, node: Arc<Node>) -> Result<()> {
    let lost = |error: &dyn std::fmt::Display| Failure::new(FAILED, error.to_string());
    let mut stream = framed(stream);
    let Some(bytes) = stream.next().await else { return Ok(()) };
    let request: Request = serde_json::from_slice(&bytes.map_err(|e| lost(&e))?).map_err(|e| lost(&e))?;
    let (out, mut frames) = Out::new(request.arguments.iter().any(|argument| argument == "--json"));
    let work = tokio::spawn(async move {
        crate::command::run_forwarded(&node, &request.arguments, &request.directory, request.input, &out).await;
    });
    while let Some(frame) = frames.recv().await {
        let last = matches!(frame, Frame::Exit(_));
        let bytes = serde_json::to_vec(&frame).map_err(|e| lost(&e))?;
        if stream.send(bytes::Bytes::from(bytes)).await.is_err() {
            // The terminal went away: durable work goes on by itself, the rest stops here.
            work.abort();
            return Ok(());
        }
        if last {
            break;
        }
    }
    Ok(())
}
