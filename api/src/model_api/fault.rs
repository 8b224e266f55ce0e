//! What went wrong, in the words of each protocol.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::wire::Dialect;
use domain::{Error, ErrorKind};
use llm_gateway::GatewayError;
use serde_json::{Value, json};

/// Whose protocol is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    OpenAi,
    Ollama,
}

impl Style {
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::OpenAi => Dialect::OpenAi,
            Self::Ollama => Dialect::Ollama,
        }
    }

    /// The content type of an answer in pieces.
    pub(crate) fn stream_type(self) -> &'static str {
        match self {
            Self::OpenAi => "text/event-stream",
            Self::Ollama => "application/x-ndjson",
        }
    }
}

/// A failure that ends a request.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) retry_after: Option<std::time::Duration>,
}

impl Fault {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// The request makes no sense.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", message)
    }

    /// The request is longer than any may be.
    pub(crate) fn too_large(most: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request", format!("a request has at most {most} bytes"))
    }

    /// No key, or one that opens nothing.
    pub(crate) fn no_key() -> Self {
        let message = "send an API key as \"Authorization: Bearer lyk_...\"; make one with: lyceum key create";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
    }

    /// The error as a value of the protocol, for a body or the last event of a stream.
    pub(crate) fn value(&self, style: Style) -> Value {
        match style {
            Style::OpenAi => {
                let kind = match self.status.as_u16() {
                    401 => "authentication_error",
                    403 => "permission_error",
                    404 | 400 | 413 | 422 => "invalid_request_error",
                    429 => "rate_limit_error",
                    _ => "server_error",
                };
                json!({ "error": { "message": self.message, "type": kind, "param": null, "code": self.code } })
            }
            Style::Ollama => json!({ "error": self.message, "code": self.code }),
        }
    }

    /// The last words of a stream that broke off.
    pub(crate) fn event(&self, style: Style) -> String {
        match style {
            // The blank line ends whatever half an event stands before it.
            Style::OpenAi => format!("\n\ndata: {}\n\n", self.value(style)),
            Style::Ollama => format!("\n{}\n", self.value(style)),
        }
    }

    pub(crate) fn render(&self, style: Style) -> Response {
        let mut response = (self.status, axum::Json(self.value(style))).into_response();
        if let Some(after) = self.retry_after {
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl From<GatewayError> for Fault {
    fn from(error: GatewayError) -> Self {
        let message = error.to_string();
        let (status, code, retry_after) = match error {
            GatewayError::NoModel { .. } => (StatusCode::NOT_FOUND, "model_not_found", None),
            GatewayError::Overloaded { retry_after } => {
                (StatusCode::TOO_MANY_REQUESTS, "queue_full", Some(retry_after))
            }
            GatewayError::Quota { retry_after, .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "quota_exceeded", Some(retry_after))
            }
            GatewayError::SwitchedOff => (StatusCode::FORBIDDEN, "models_switched_off", None),
            GatewayError::Deadline => (StatusCode::GATEWAY_TIMEOUT, "deadline", None),
            GatewayError::WorkerLost => (StatusCode::BAD_GATEWAY, "worker_lost", None),
            GatewayError::Backend(_) => (StatusCode::BAD_GATEWAY, "model_failed", None),
            GatewayError::Shape(_) => (StatusCode::BAD_GATEWAY, "reply_unusable", None),
            GatewayError::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid_request", None),
        };
        Self { status, code, message, retry_after }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error.kind {
            ErrorKind::Unauthorized => Self::no_key(),
            ErrorKind::Forbidden => Self::new(StatusCode::FORBIDDEN, "forbidden", error.message),
            ErrorKind::NotFound => Self::new(StatusCode::NOT_FOUND, "not_found", error.message),
            ErrorKind::ValidationError => Self::invalid(error.message),
            ErrorKind::Conflict => Self::new(StatusCode::CONFLICT, "conflict", error.message),
            ErrorKind::RateLimited => Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", error.message),
            ErrorKind::Unavailable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "this is not there for the moment; try again")
            }
            ErrorKind::Internal => {
                tracing::error!(%error, "a model request failed inside");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something broke here; the log says what")
            }
        }
    }
}
