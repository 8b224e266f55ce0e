//! One kept-alive connection of the load, with times of microseconds and no framework between.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const REPLY_LIMIT: usize = 8 * 1024 * 1024;
const REPLY_TIME: Duration = Duration::from_secs(30);

/// How a reply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// As its framing promised.
    Whole,
    /// The connection closed before.
    Cut,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// When the first byte of the body was read.
    pub(crate) first: Option<Instant>,
    pub(crate) end: End,
    pub(crate) body: Vec<u8>,
}

enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// A connection that is opened when needed and kept while the server keeps it.
pub(crate) struct Connection {
    port: u16,
    socket: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Opens nothing yet.
    pub(crate) fn new(port: u16) -> Self {
        Self { port, socket: None, buffer: Vec::with_capacity(64 * 1024) }
    }

    /// Sends a request and reads its reply; a kept connection that the server closed meanwhile is opened anew once.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Reply> {
        timeout(REPLY_TIME, async {
            let kept = self.socket.is_some();
            match self.once(request).await {
                Ok(Some(reply)) => Ok(reply),
                Ok(None) | Err(_) if kept => {
                    self.socket = None;
                    self.once(request).await?.context("closed without a reply")
                }
                Ok(None) => anyhow::bail!("closed without a reply"),
                Err(error) => Err(error),
            }
        })
        .await
        .context("no whole reply in time")?
    }

    /// Sends a request and gives the open socket away once the first bytes of a reply came, or after
    /// `patience` where none come.
    pub(crate) async fn abandon(mut self, request: &[u8], patience: Duration) -> Result<TcpStream> {
        self.open().await?.write_all(request).await?;
        let mut socket = self.socket.take().context("no socket")?;
        timeout(patience, socket.read_buf(&mut self.buffer)).await.ok();
        Ok(socket)
    }

    async fn open(&mut self) -> Result<&mut TcpStream> {
        if self.socket.is_none() {
            let socket = TcpStream::connect(("127.0.0.1", self.port)).await?;
            socket.set_nodelay(true)?;
            self.socket = Some(socket);
        }
        self.socket.as_mut().context("no socket")
    }

    /// `None` when the server closed before the first byte.
    async fn once(&mut self, request: &[u8]) -> Result<Option<Reply>> {
        self.buffer.clear();
        self.open().await?.write_all(request).await?;
        let (status, head_length, framing, keeps) = loop {
            if self.more().await? == 0 {
                self.socket = None;
                ensure!(self.buffer.is_empty(), "closed within the head of a reply");
                return Ok(None);
            }
            if let Some(head) = parse_head(&self.buffer)? {
                break head;
            }
        };
        let mut reply = Reply { status, first: None, end: End::Whole, body: Vec::new() };
        let mut at = head_length;
        loop {
            if reply.first.is_none() && self.buffer.len() > at {
                reply.first = Some(Instant::now());
            }
            if take_body(&self.buffer, &mut at, &framing, &mut reply.body)? {
                break;
            }
            ensure!(reply.body.len() < REPLY_LIMIT, "reply too large");
            // A reply that the server cuts off is an outcome to judge, not a failure of the load.
            if self.more().await.unwrap_or(0) == 0 {
                self.socket = None;
                reply.end = if matches!(framing, Framing::UntilClose) { End::Whole } else { End::Cut };
                return Ok(Some(reply));
            }
        }
        if !keeps {
            self.socket = None;
        }
        Ok(Some(reply))
    }

    async fn more(&mut self) -> Result<usize> {
        let socket = self.socket.as_mut().context("no socket")?;
        Ok(socket.read_buf(&mut self.buffer).await?)
    }
}

/// Status, length of the head, framing of the body, whether the connection is kept.
fn parse_head(buffer: &[u8]) -> Result<Option<(u16, usize, Framing, bool)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(length) = response.parse(buffer)? else { return Ok(None) };
    let mut framing = Framing::UntilClose;
    let mut keeps = true;
    for header in response.headers.iter() {
        let value = std::str::from_utf8(header.value).unwrap_or_default().trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            framing = Framing::Length(value.parse()?);
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            framing = Framing::Chunked;
        } else if header.name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
            keeps = false;
        }
    }
    Ok(Some((response.code.unwrap_or(0), length, framing, keeps)))
}

/// Moves what has come into `body`; true when the reply is whole.
fn take_body(buffer: &[u8], at: &mut usize, framing: &Framing, body: &mut Vec<u8>) -> Result<bool> {
    match framing {
        Framing::Length(length) => {
            let rest = buffer.get(*at..).unwrap_or_default();
            body.extend_from_slice(rest);
            *at = buffer.len();
            Ok(body.len() >= *length)
        }
        Framing::UntilClose => {
            body.extend_from_slice(buffer.get(*at..).unwrap_or_default());
            *at = buffer.len();
            Ok(false)
        }
        Framing::Chunked => loop {
            let rest = buffer.get(*at..).unwrap_or_default();
            let size = httparse::parse_chunk_size(rest).map_err(|_| anyhow::anyhow!("invalid chunk size"))?;
            let httparse::Status::Complete((skip, size)) = size else { return Ok(false) };
            let size = usize::try_from(size)?;
            let Some(data) = rest.get(skip..skip + size + 2) else { return Ok(false) };
            *at += skip + size + 2;
            if size == 0 {
                return Ok(true);
            }
            body.extend_from_slice(data.get(..size).unwrap_or_default());
        },
    }
}
