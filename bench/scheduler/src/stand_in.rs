//! A pass-through in place of ours, with which the harness itself is tried.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use tokio::task::JoinHandle;

/// A listening pass-through.
pub struct StandIn {
    pub url: String,
    listening: JoinHandle<()>,
}

struct Shared {
    http: reqwest::Client,
    servers: Vec<(String, AtomicUsize)>,
}

impl StandIn {
    /// Listens on a free port in front of servers.
    pub async fn start(servers: &[String]) -> Result<Self> {
        let servers = servers.iter().map(|url| (url.clone(), AtomicUsize::new(0))).collect();
        let shared = Arc::new(Shared { http: reqwest::Client::builder().no_proxy().build()?, servers });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let router = Router::new().fallback(pass).with_state(shared);
        let listening = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the stand-in ended: {error}");
            }
        });
        Ok(Self { url, listening })
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Counts a request at its server until its answer is over.
struct Counted(Arc<Shared>, usize);

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some((_, count)) = self.0.servers.get(self.1) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

async fn pass(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let least = shared.servers.iter().enumerate().min_by_key(|(_, (_, count))| count.load(Ordering::Relaxed));
    let Some((index, (server, count))) = least else { return StatusCode::BAD_GATEWAY.into_response() };
    count.fetch_add(1, Ordering::Relaxed);
    let counted = Counted(Arc::clone(&shared), index);
    let request = shared.http.request(method, format!("{server}{}", uri.path())).body(body);
    let deadline = headers.get("lyceum-deadline-ms").and_then(|value| value.to_str().ok()?.parse().ok());
    let request = match deadline {
        Some(milliseconds) => request.timeout(std::time::Duration::from_millis(milliseconds)),
        None => request,
    };
    match request.send().await {
        Ok(answer) => {
            let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
            let status = answer.status();
            let frames = answer.bytes_stream().map(move |bytes| {
                let _until_the_end = &counted;
                bytes
            });
            let mut response = (status, Body::from_stream(frames)).into_response();
            if let Some(kind) = kind {
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
            }
            response
        }
        Err(error) if error.is_timeout() => StatusCode::GATEWAY_TIMEOUT.into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
