//! The stub upstream: OpenAI's surface with prepared bytes, on one thread, no framework.
//!
//! A word after `mark:` in the prompt changes what it does: `plain`; `pause` rests 2 ms after the
//! first piece; `die` closes in the middle of a stream; `drop` closes before it answers;
//! `drip-N` streams a piece each 5 ms and `hang-N` says nothing, both until the other side goes,
//! and when that was is told at `/control/closed/N`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::message;

const BODY_LIMIT: usize = 4 * 1024 * 1024;
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const DRIP: Duration = Duration::from_millis(5);
const PAUSE: Duration = Duration::from_millis(2);
const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
const STREAM_END: &[u8] = b"0\r\n\r\n";

struct Stub {
    completion: Vec<u8>,
    embedding: Vec<u8>,
    models: Vec<u8>,
    health: Vec<u8>,
    missing: Vec<u8>,
    pieces: Vec<Vec<u8>>,
    usage: Vec<u8>,
    done: Vec<u8>,
    completions: AtomicU64,
    closed: Mutex<HashMap<String, u128>>,
}

/// Binds a free port, prints it, and serves until killed.
pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let numbers = (0..384).map(|index| format!("0.0{:03}", index % 997)).collect::<Vec<_>>().join(",");
    let stub = Arc::new(Stub {
        completion: response("200 OK", &message::completion()),
        embedding: response(
            "200 OK",
            &format!(
                r#"{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":[{numbers}]}}],"model":"{}","usage":{{"prompt_tokens":8,"total_tokens":8}}}}"#,
                message::MODEL
            ),
        ),
        models: response(
            "200 OK",
            &format!(
                r#"{{"object":"list","data":[{{"id":"{}","object":"model","created":1700000000,"owned_by":"stub"}}]}}"#,
                message::MODEL
            ),
        ),
        health: response("200 OK", r#"{"status":"ok"}"#),
        missing: response("404 Not Found", r#"{"error":{"message":"no such path","type":"invalid_request_error"}}"#),
        pieces: message::pieces().iter().map(|piece| chunk(piece)).collect(),
        usage: chunk(&message::usage_piece()),
        done: chunk("data: [DONE]\n\n"),
        completions: AtomicU64::new(0),
        closed: Mutex::new(HashMap::new()),
    });
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let stub = Arc::clone(&stub);
        // A connection that breaks concerns nobody but its own task.
        tokio::spawn(async move { stub.connection(socket).await.ok() });
    }
}

fn response(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

struct Request {
    get: bool,
    path: String,
    body: std::ops::Range<usize>,
    length: usize,
}

impl Stub {
    async fn connection(&self, mut socket: TcpStream) -> Result<()> {
        let mut buffer = Vec::with_capacity(32 * 1024);
        loop {
            let request = loop {
                if let Some(request) = parse(&mut buffer)? {
                    break request;
                }
                anyhow::ensure!(buffer.len() < BODY_LIMIT, "request too large");
                if socket.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
            };
            let body = buffer.get(request.body.clone()).unwrap_or_default();
            let kept = if request.get {
                self.get(&mut socket, &request.path).await?
            } else if request.path.starts_with("/v1/chat/completions") {
                self.completions.fetch_add(1, Ordering::Relaxed);
                self.chat(&mut socket, body).await?
            } else if request.path.starts_with("/v1/embeddings") {
                socket.write_all(&self.embedding).await?;
                true
            } else {
                socket.write_all(&self.missing).await?;
                true
            };
            if !kept {
                return Ok(());
            }
            buffer.drain(..request.length);
        }
    }

    async fn get(&self, socket: &mut TcpStream, path: &str) -> Result<bool> {
        if path == "/v1/models" {
            socket.write_all(&self.models).await?;
        } else if path.starts_with("/health") {
            socket.write_all(&self.health).await?;
        } else if path == "/control/count" {
            let count = self.completions.load(Ordering::Relaxed);
            socket.write_all(&response("200 OK", &count.to_string())).await?;
        } else if let Some(name) = path.strip_prefix("/control/closed/") {
            let at = self.closed.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
            let text = at.map_or("null".to_owned(), |at| at.to_string());
            socket.write_all(&response("200 OK", &text)).await?;
        } else {
            socket.write_all(&self.missing).await?;
        }
        Ok(true)
    }

    /// Answers one completion; `false` when the connection ends with it.
    async fn chat(&self, socket: &mut TcpStream, body: &[u8]) -> Result<bool> {
        let mark = mark(body);
        if let Some(name) = mark.strip_prefix("hang-") {
            self.until_gone(socket, name, false).await;
            return Ok(false);
        }
        if mark == "drop" {
            return Ok(false);
        }
        if !asks(body, b"\"stream\"") {
            socket.write_all(&self.completion).await?;
            return Ok(true);
        }
        socket.write_all(STREAM_HEAD).await?;
        if let Some(name) = mark.strip_prefix("drip-") {
            self.until_gone(socket, name, true).await;
            return Ok(false);
        }
        for (index, piece) in self.pieces.iter().enumerate() {
            if mark == "die" && index == self.pieces.len() / 2 {
                return Ok(false);
            }
            socket.write_all(piece).await?;
            if mark == "pause" && index == 0 {
                tokio::time::sleep(PAUSE).await;
            }
        }
        if asks(body, b"\"include_usage\"") {
            socket.write_all(&self.usage).await?;
        }
        let mut end = self.done.clone();
        end.extend_from_slice(STREAM_END);
        socket.write_all(&end).await?;
        Ok(true)
    }

    /// Waits until the other side closes, dripping pieces meanwhile, and notes the moment.
    async fn until_gone(&self, socket: &mut TcpStream, name: &str, drips: bool) {
        let limit = tokio::time::Instant::now() + LONGEST_WAIT;
        let mut probe = [0_u8; 64];
        while tokio::time::Instant::now() < limit {
            let gone = tokio::select! {
                read = socket.read(&mut probe) => !matches!(read, Ok(count) if count > 0),
                () = tokio::time::sleep(DRIP) => false,
            };
            let piece = self.pieces.get(1).map(Vec::as_slice).unwrap_or_default();
            if gone || (drips && socket.write_all(piece).await.is_err()) {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
                self.closed.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), now);
                return;
            }
        }
    }
}

/// The word after `mark:`.
fn mark(body: &[u8]) -> &str {
    let word = memmem::find(body, message::MARK.as_bytes())
        .and_then(|at| body.get(at + message::MARK.len()..))
        .unwrap_or_default();
    let end = word.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'-').unwrap_or(word.len());
    word.get(..end).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default()
}

/// Whether the field is there and true, whatever the spaces.
fn asks(body: &[u8], field: &[u8]) -> bool {
    memmem::find(body, field).and_then(|at| body.get(at + field.len()..)).is_some_and(|rest| {
        let mut rest = rest.iter().filter(|byte| !byte.is_ascii_whitespace());
        rest.next() == Some(&b':') && rest.next() == Some(&b't')
    })
}

/// One whole request from the front of the buffer; a chunked body is put together in place.
fn parse(buffer: &mut Vec<u8>) -> Result<Option<Request>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(buffer)? else { return Ok(None) };
    let get = request.method == Some("GET");
    let path = request.path.unwrap_or_default().to_owned();
    let mut length = 0_usize;
    let mut chunked = false;
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            length = std::str::from_utf8(header.value)?.trim().parse()?;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = true;
        }
    }
    if !chunked {
        let whole = head + length;
        return Ok((buffer.len() >= whole).then_some(Request { get, path, body: head..whole, length: whole }));
    }
    let mut body = Vec::new();
    let mut at = head;
    loop {
        let rest = buffer.get(at..).unwrap_or_default();
        let size = httparse::parse_chunk_size(rest).map_err(|_| anyhow::anyhow!("invalid chunk size"))?;
        let httparse::Status::Complete((skip, size)) = size else { return Ok(None) };
        let size = usize::try_from(size)?;
        let Some(data) = rest.get(skip..skip + size + 2) else { return Ok(None) };
        at += skip + size + 2;
        if size == 0 {
            break;
        }
        body.extend_from_slice(data.get(..size).unwrap_or_default());
    }
    let length = head + body.len();
    buffer.splice(head..at, body);
    Ok(Some(Request { get, path, body: head..length, length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_put_together_and_the_next_request_stays() {
        let mut buffer =
            b"POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET".to_vec();
        for length in 0..buffer.len() - 3 {
            assert!(parse(&mut buffer[..length].to_vec()).unwrap().is_none(), "{length} bytes");
        }
        let request = parse(&mut buffer).unwrap().unwrap();
        assert_eq!(&buffer[request.body], b"abcde");
        assert_eq!(&buffer[request.length..], b"GET");
    }

    #[test]
    fn fields_are_seen_whatever_the_spaces() {
        assert!(asks(b"{\"stream\" : true}", b"\"stream\""));
        assert!(!asks(b"{\"stream\":false}", b"\"stream\""));
        assert!(!asks(b"{\"stream_options\":{}}", b"\"stream\""));
        assert_eq!(mark(b"... mark:drip-12 question"), "drip-12");
    }
}
