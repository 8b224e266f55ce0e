//! A model server that behaves as badly as it is told to: it reads a request and sends fixed bytes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// One thing that it does after it has read a request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Sends these bytes.
    Send(String),
    /// Waits.
    Wait(Duration),
    /// Sends this for as long as somebody reads.
    Flood(String),
    /// Says nothing more, and tells when the other side has closed the connection.
    Hang,
    /// Closes the connection.
    Close,
}

/// What it answers to a path; the last entry that fits is taken.
type Script = Vec<(String, Vec<Step>)>;

pub(crate) struct FakeServer {
    pub(crate) url: String,
    script: Arc<Mutex<Script>>,
    requests: Arc<Mutex<Vec<(String, String)>>>,
    /// Connections so far, and those of them that are open.
    accepted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    /// When a connection was closed by the other side while the server hung.
    pub(crate) closed: mpsc::UnboundedReceiver<Instant>,
    /// A request has been read and the server hangs.
    pub(crate) hanging: mpsc::UnboundedReceiver<()>,
}

impl FakeServer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (script, requests) = (Arc::new(Mutex::new(Script::new())), Arc::new(Mutex::new(Vec::new())));
        let (tell_closed, closed) = mpsc::unbounded_channel();
        let (tell_hanging, hanging) = mpsc::unbounded_channel();
        let (accepted, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let server = Self {
            url,
            script: Arc::clone(&script),
            requests: Arc::clone(&requests),
            accepted: Arc::clone(&accepted),
            open: Arc::clone(&open),
            closed,
            hanging,
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                open.fetch_add(1, Ordering::SeqCst);
                let open = Arc::clone(&open);
                let (script, requests) = (Arc::clone(&script), Arc::clone(&requests));
                let (tell_closed, tell_hanging) = (tell_closed.clone(), tell_hanging.clone());
                tokio::spawn(async move {
                    Box::pin(serve(stream, &script, &requests, &tell_closed, &tell_hanging)).await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// From now on `path` is answered by these steps.
    pub(crate) fn on(&self, path: &str, steps: Vec<Step>) -> &Self {
        self.script.lock().unwrap().push((path.to_owned(), steps));
        self
    }

    /// From now on `path` is answered with 200, this type and this body.
    pub(crate) fn json(&self, path: &str, body: &str) -> &Self {
        self.on(path, vec![answer(200, "application/json", body)])
    }

    /// Connections so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Bodies of the requests to a path.
    pub(crate) fn bodies(&self, path: &str) -> Vec<String> {
        self.requests.lock().unwrap().iter().filter(|(to, _)| to == path).map(|(_, body)| body.clone()).collect()
    }
}

/// A whole answer with its length.
pub(crate) fn answer(status: u16, content_type: &str, body: &str) -> Step {
    let length = body.len();
    Step::Send(format!("HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n{body}"))
}

/// The head of an answer that comes in pieces.
pub(crate) fn head(content_type: &str) -> Step {
    Step::Send(format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"))
}

/// One piece.
pub(crate) fn piece(data: &str) -> Step {
    Step::Send(format!("{:x}\r\n{data}\r\n", data.len()))
}

/// The regular end of an answer in pieces.
pub(crate) fn end() -> Step {
    Step::Send("0\r\n\r\n".to_owned())
}

async fn serve(
    mut stream: TcpStream,
    script: &Mutex<Script>,
    requests: &Mutex<Vec<(String, String)>>,
    closed: &mpsc::UnboundedSender<Instant>,
    hanging: &mpsc::UnboundedSender<()>,
) {
    let mut buffer = Vec::new();
    while let Some((path, body)) = Box::pin(read(&mut stream, &mut buffer)).await {
        requests.lock().unwrap().push((path.clone(), body));
        let steps = script.lock().unwrap().iter().rev().find(|(to, _)| *to == path).map(|(_, steps)| steps.clone());
        for step in steps.unwrap_or_else(|| vec![answer(404, "application/json", r#"{"error":"no such page"}"#)]) {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(bytes.as_bytes()).await.is_err() {
                        return;
                    }
                }
                Step::Wait(time) => tokio::time::sleep(time).await,
                Step::Flood(bytes) => while stream.write_all(bytes.as_bytes()).await.is_ok() {},
                Step::Hang => {
                    let _ = hanging.send(());
                    let mut rest = [0; 64];
                    while !matches!(stream.read(&mut rest).await, Ok(0) | Err(_)) {}
                    let _ = closed.send(Instant::now());
                    return;
                }
                Step::Close => return,
            }
        }
    }
}

async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, String)> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            let length: usize = length.unwrap_or(0);
            if body.len() >= length {
                let path = head.split(' ').nth(1)?.to_owned();
                buffer.clear();
                return Some((path, body.to_owned()));
            }
        }
        let mut more = [0; 16 * 1024];
        match stream.read(&mut more).await {
            Ok(count) if count > 0 => buffer.extend_from_slice(&more[..count]),
            _ => return None,
        }
    }
}
