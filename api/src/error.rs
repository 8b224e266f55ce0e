//! The error envelope: one shape for every failure, whoever noticed it.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::ingestion::failure;
use domain::{Error, ErrorKind};
use serde_json::{Value, json};

use crate::envelope;

/// A version that nobody serves.
pub(crate) const UNSUPPORTED_VERSION: &str = "UNSUPPORTED_VERSION";
/// The method is not one of this route's.
pub(crate) const METHOD_NOT_ALLOWED: &str = "METHOD_NOT_ALLOWED";
/// The body is larger than it may be.
pub(crate) const TOO_LARGE: &str = "PAYLOAD_TOO_LARGE";
/// The body is not of a kind that is read here.
pub(crate) const UNSUPPORTED_MEDIA_TYPE: &str = "UNSUPPORTED_MEDIA_TYPE";
/// A header that must be there is not.
pub(crate) const PRECONDITION_REQUIRED: &str = "PRECONDITION_REQUIRED";
/// Somebody else is at it right now.
pub(crate) const LOCKED: &str = "LOCKED";
/// It took too long.
pub(crate) const TIMEOUT: &str = "TIMEOUT";
/// A part that cannot be served was asked for.
pub(crate) const BAD_RANGE: &str = "RANGE_NOT_SATISFIABLE";

/// A failure on its way out; rendered by the outermost layer, which knows the trace.
#[derive(Debug, Clone)]
pub(crate) struct ApiError(pub(crate) Error);

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<assistant::Error> for ApiError {
    fn from(error: assistant::Error) -> Self {
        Self(error.into())
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        Self(error.into())
    }
}

impl ApiError {
    pub(crate) fn new(kind: ErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self(Error::new(kind, message).with_code(code))
    }

    fn status(&self) -> StatusCode {
        match self.0.code.as_str() {
            UNSUPPORTED_VERSION => return StatusCode::BAD_REQUEST,
            METHOD_NOT_ALLOWED => return StatusCode::METHOD_NOT_ALLOWED,
            TOO_LARGE => return StatusCode::PAYLOAD_TOO_LARGE,
            UNSUPPORTED_MEDIA_TYPE => return StatusCode::UNSUPPORTED_MEDIA_TYPE,
            PRECONDITION_REQUIRED => return StatusCode::PRECONDITION_REQUIRED,
            school::course::PRECONDITION_FAILED => return StatusCode::PRECONDITION_FAILED,
            LOCKED => return StatusCode::LOCKED,
            failure::DISK_FULL => return StatusCode::INSUFFICIENT_STORAGE,
            BAD_RANGE => return StatusCode::RANGE_NOT_SATISFIABLE,
            _ => {}
        }
        match self.0.kind {
            ErrorKind::ValidationError => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What a caller may read. Causes go to the log.
    fn message(&self) -> &str {
        match self.0.kind {
            ErrorKind::Internal => "something broke here; the trace id finds it in the log",
            ErrorKind::Unavailable if self.0.message.starts_with("database") => {
                "the database is not there for the moment; try again"
            }
            ErrorKind::Conflict if self.0.message.starts_with("conflict with what is stored") => {
                "this conflicts with what is stored already"
            }
            _ => &self.0.message,
        }
    }

    /// The whole answer.
    pub(crate) fn render(&self, trace_id: &str) -> Response {
        if self.0.kind == ErrorKind::Internal {
            tracing::error!(trace.id = trace_id, error = %self.0.message, "request failed");
        }
        let mut body = json!({ "error": {
            "code": self.0.code,
            "message": self.message(),
            "details": self.0.details,
            "traceId": trace_id,
            "timestamp": envelope::now(),
        }});
        if self.0.code == UNSUPPORTED_VERSION
            && let Some(error) = body.get_mut("error").and_then(Value::as_object_mut)
        {
            error.insert("supportedVersions".into(), json!(["1"]));
        }
        let status = self.status();
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let wait = match status {
            StatusCode::TOO_MANY_REQUESTS => Some("60"),
            StatusCode::SERVICE_UNAVAILABLE => Some("5"),
            _ => None,
        };
        if let Some(wait) = wait {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(wait));
        }
        response
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The failure behind an answer that was not made by a handler: no route, wrong method, too large.
pub(crate) fn of_status(status: StatusCode) -> ApiError {
    let (kind, code, message) = match status {
        StatusCode::NOT_FOUND => (ErrorKind::NotFound, "NOT_FOUND", "there is nothing at this address"),
        StatusCode::METHOD_NOT_ALLOWED => {
            (ErrorKind::ValidationError, METHOD_NOT_ALLOWED, "this address does not take that method")
        }
        StatusCode::PAYLOAD_TOO_LARGE => (ErrorKind::ValidationError, TOO_LARGE, "the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            (ErrorKind::ValidationError, UNSUPPORTED_MEDIA_TYPE, "the body must be application/json")
        }
        status if status.is_client_error() => {
            (ErrorKind::ValidationError, "VALIDATION_ERROR", "the request is malformed")
        }
        _ => (ErrorKind::Internal, "INTERNAL", "something broke here"),
    };
    ApiError::new(kind, code, message)
}
