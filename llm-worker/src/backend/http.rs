//! One pooled HTTP client for one model server, made to cost next to nothing.
//!
//! Connections are kept, bodies travel as they are, and a timer is only set where something is
//! waited for. It knows no protocol of models and tries nothing twice that a server may have begun
//! to read: whether a request may be repeated is for the gateway to say, which knows what was sent on.

mod body;
mod connection;
mod ending;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::wire::Failure;
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use serde::de::DeserializeOwned;

pub use body::{Body, Lines};
pub(crate) use ending::Counted;
pub use ending::{Checked, Ending};

use crate::backend::BackendError;
use crate::error::Error;
use connection::{Broken, Connections};

/// The largest body that is carried over or read, in bytes.
const MAX_BODY: u64 = 256 * 1024 * 1024;
/// The largest body that is read whole, in bytes; a full batch of vectors as JSON has 20 MiB.
const MAX_WHOLE: u64 = 64 * 1024 * 1024;
/// The most of an error's body that is read, in bytes.
const MAX_ERROR: u64 = 64 * 1024;
/// The most characters of a server's own words in a failure.
const MAX_WORDS: usize = 300;

/// How long is waited for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For a connection.
    pub connect: Duration,
    /// For the head of a streamed answer; a model may have to be loaded first.
    pub first_byte: Duration,
    /// Between two pieces.
    pub stall: Duration,
    /// For the head of an answer that comes whole: all of it is generated before.
    pub answer: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            first_byte: Duration::from_secs(120),
            stall: Duration::from_secs(15),
            answer: Duration::from_secs(600),
        }
    }
}

/// A model server.
pub struct Http {
    connections: Arc<Connections>,
    /// The header, written once: hyper would write it anew for each request.
    host: HeaderValue,
    /// What stands before every path; usually nothing.
    prefix: String,
    authorization: Option<HeaderValue>,
    timing: Timing,
}

/// An answer whose body has yet to come.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The content type, empty without one.
    pub content_type: String,
    /// The body.
    pub body: Body,
}

impl Http {
    /// A client for the server at `url`. It opens no connection yet.
    ///
    /// # Errors
    /// When the address is not one of http or https, or the key is no text for a header.
    pub fn open(url: &str, key: Option<&str>, timing: Timing) -> Result<Self, Error> {
        let refused = |reason: String| Error::Connection(format!("cannot use \"{url}\" as a model server: {reason}"));
        let uri: Uri = url.parse().map_err(|error| refused(format!("{error}")))?;
        let (Some(scheme), Some(authority)) = (uri.scheme().cloned(), uri.authority().cloned()) else {
            return Err(refused("it needs a scheme and a host".to_owned()));
        };
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(refused(format!("\"{scheme}\" is neither http nor https")));
        }
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(refused("a user or a query does not belong there; give the key by itself".to_owned()));
        }
        let authorization = match key {
            None => None,
            Some(key) => {
                let mut value = HeaderValue::try_from(format!("Bearer {}", key.trim()))
                    .map_err(|_| refused("its key is not one line of text".to_owned()))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timing.connect));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust(&scheme).map_err(|error| refused(error.to_string()))?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let prefix = uri.path().trim_end_matches('/').to_owned();
        let usual = if scheme == Scheme::HTTP { 80 } else { 443 };
        let bare = authority.port_u16().is_none_or(|port| port == usual);
        let host = HeaderValue::try_from(if bare { authority.host() } else { authority.as_str() })
            .map_err(|error| refused(error.to_string()))?;
        let connections = Connections::new(connector, uri);
        Ok(Self { connections, host, prefix, authorization, timing })
    }

    /// The times that it keeps.
    #[must_use]
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// Asks for `path`, and waits `wait` for the head.
    ///
    /// # Errors
    /// When the server cannot be reached or does not answer in time.
    pub async fn get(&self, path: &'static str, wait: Duration) -> Result<Answer, BackendError> {
        self.send(Method::GET, path, None, Bytes::new(), wait).await
    }

    /// Sends a JSON body to `path`, and waits `wait` for the head.
    ///
    /// # Errors
    /// When the server cannot be reached or does not answer in time.
    pub async fn post(&self, path: &'static str, body: Bytes, wait: Duration) -> Result<Answer, BackendError> {
        self.send(Method::POST, path, Some(HeaderValue::from_static("application/json")), body, wait).await
    }

    /// Sends a body of another type.
    ///
    /// # Errors
    /// When the server cannot be reached or does not answer in time.
    pub async fn post_as(
        &self,
        path: &'static str,
        content_type: &str,
        body: Bytes,
        wait: Duration,
    ) -> Result<Answer, BackendError> {
        let content_type = HeaderValue::try_from(content_type).map_err(BackendError::backend)?;
        self.send(Method::POST, path, Some(content_type), body, wait).await
    }

    async fn send(
        &self,
        method: Method,
        path: &'static str,
        content_type: Option<HeaderValue>,
        body: Bytes,
        wait: Duration,
    ) -> Result<Answer, BackendError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri(path)?;
        let headers = request.headers_mut();
        headers.insert(HOST, self.host.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, content_type);
        }
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let answer = match tokio::time::timeout(wait, self.connections.send(request)).await {
            Err(_) => return Err(BackendError::backend(format!("the model server said nothing for {wait:?}"))),
            Ok(Err(Broken::Connect(error))) => {
                return Err(BackendError::backend(format!("cannot reach the model server: {}", root(&*error))));
            }
            Ok(Err(Broken::Off(error))) => {
                return Err(BackendError::backend(format!("the model server broke off: {}", root(&error))));
            }
            Ok(Ok(answer)) => answer,
        };
        let (head, arriving) = answer.into_parts();
        let content_type =
            head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        Ok(Answer { status: head.status, content_type, body: Body::new(arriving, self.timing.stall, MAX_BODY) })
    }

    fn uri(&self, path: &'static str) -> Result<Uri, BackendError> {
        // A server is asked for a path alone; whose it is says the header.
        if self.prefix.is_empty() {
            return Ok(PathAndQuery::from_static(path).into());
        }
        Ok(PathAndQuery::try_from(format!("{}{path}", self.prefix)).map_err(BackendError::backend)?.into())
    }
}

impl Answer {
    /// The answer, if its status is one of success; else what the server said of `model`.
    ///
    /// # Errors
    /// When the status is another.
    pub async fn successful(self, model: &str) -> Result<Self, BackendError> {
        if self.status.is_success() {
            return Ok(self);
        }
        let status = self.status;
        // A body that breaks off changes nothing: the status has said it.
        let body = self.body.whole(MAX_ERROR).await.unwrap_or_default();
        Err(BackendError::Failed(refusal(status, &body, model)))
    }

    /// The whole body as a value.
    ///
    /// # Errors
    /// When it breaks off, is too large, or is something else.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, BackendError> {
        if !self.content_type.is_empty() && !is_json(&self.content_type) {
            let content_type = bounded(&self.content_type);
            return Err(BackendError::backend(format!("the model server answers with \"{content_type}\"")));
        }
        let body = self.body.whole(MAX_WHOLE).await?;
        serde_json::from_slice(&body)
            .map_err(|error| BackendError::backend(format!("the model server's answer cannot be read: {error}")))
    }
}

/// What a status of failure means for the request.
fn refusal(status: StatusCode, body: &[u8], model: &str) -> Failure {
    let words = said(body);
    match status.as_u16() {
        404 => Failure::NoModel { model: model.to_owned() },
        400 | 413 | 415 | 422 => Failure::Invalid { message: format!("the model server refuses it: {words}") },
        _ => Failure::Backend { message: format!("the model server answers {}: {words}", status.as_u16()) },
    }
}

/// What the body of an error says: `{"error": …}` in either dialect, else its beginning.
pub(crate) fn said(body: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let error = value.get("error").or_else(|| value.get("detail"));
    let words = error
        .and_then(|error| error.as_str().or_else(|| error.get("message")?.as_str()))
        .or_else(|| value.get("message")?.as_str())
        .map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    bounded(&words)
}

/// One line of limited length.
fn bounded(words: &str) -> String {
    words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect::<String>().trim().to_owned()
}

/// The media type before its parameters.
pub(crate) fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

pub(crate) fn is_json(content_type: &str) -> bool {
    media_type(content_type).eq_ignore_ascii_case("application/json")
}

/// The innermost cause: the outer ones only say that a request failed.
fn root(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// Who is trusted with a connection: what the system trusts, and nobody where nothing is encrypted.
fn trust(scheme: &Scheme) -> Result<rustls::ClientConfig, rustls::Error> {
    use hyper_rustls::ConfigBuilderExt;
    // Named here, since two providers are linked and rustls then picks none.
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(if *scheme == Scheme::HTTPS {
        builder.try_with_platform_verifier()?.with_no_client_auth()
    } else {
        builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
    })
}
