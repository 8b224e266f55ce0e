//! `Idempotency-Key`: what is asked twice is done once.
//!
//! This layer only names the request; the receipt is written by the school in the transaction of the effect.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{Method, header};
use domain::policy::{Action, Idempotency};
use domain::{Error, ErrorKind};
use sha2::{Digest as _, Sha256};

use crate::error::{ApiError, TOO_LARGE};
use crate::extract::Caller;

/// Header that carries the key.
const KEY: &str = "idempotency-key";

/// Puts the key and the hash of the request where the school finds them.
pub(crate) async fn named(request: Request, action: Action, limit: usize) -> Result<Request, ApiError> {
    // A login is never stored: its answer holds secrets.
    let wanted = request.method() == Method::POST && !matches!(action, Action::Login | Action::OwnSession);
    let Some(key) = request.headers().get(KEY).filter(|_| wanted) else { return Ok(request) };
    let key = key.to_str().map(str::trim).unwrap_or_default().to_owned();
    if key.is_empty() || key.len() > 200 || key.chars().any(char::is_control) {
        return Err(
            Error::invalid("Idempotency-Key", "INVALID_FORMAT", "the key is 1 to 200 printable characters").into()
        );
    }
    let (mut parts, body) = request.into_parts();
    let upload = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("multipart/"));
    let mut hash = Sha256::new();
    hash.update(parts.uri.path().as_bytes());
    let body = if upload {
        // An upload is not held in memory; its length and the key tell it apart.
        let length = parts.headers.get(header::CONTENT_LENGTH).map(|value| value.as_bytes().to_vec());
        hash.update(length.unwrap_or_default());
        body
    } else {
        let bytes = to_bytes(body, limit)
            .await
            .map_err(|_| ApiError::new(ErrorKind::ValidationError, TOO_LARGE, "the body is too large"))?;
        hash.update(b"\n");
        hash.update(&bytes);
        Body::from(bytes)
    };
    if let Some(caller) = parts.extensions.get_mut::<Caller>() {
        caller.actor.idempotency = Some(Idempotency { key, request_hash: hex::encode(hash.finalize()) });
    }
    Ok(Request::from_parts(parts, body))
}
