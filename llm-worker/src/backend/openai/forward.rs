//! Requests that are carried over byte by byte, and the check of what comes back.

use std::sync::{Arc, OnceLock};

use domain::wire::{Failure, ForwardRequest};
use futures::StreamExt;

use crate::backend::http::{Answer, Checked, Ending, Http, is_json, media_type};
use crate::backend::{BackendError, Forwarded};

/// The path on a server, if requests to it are carried over.
pub(crate) fn openai_path(path: &str) -> Option<&'static str> {
    ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"].into_iter().find(|known| *known == path)
}

/// Carries a request over; without a path it is refused.
pub(crate) async fn carry(
    http: &Http,
    path: Option<&'static str>,
    request: ForwardRequest,
) -> Result<Forwarded, BackendError> {
    let Some(path) = path else {
        let message = format!("requests of {:?} to \"{}\" are not carried over", request.dialect, request.path);
        return Err(BackendError::Failed(Failure::Invalid { message }));
    };
    let timing = http.timing();
    let wait = if request.stream { timing.first_byte } else { timing.answer };
    let answer = http.post(path, request.body.0, wait).await?;
    let usage = Arc::new(OnceLock::new());
    let status = answer.status.as_u16();
    let ending = ending_of(path, request.stream, &answer)?;
    let Answer { content_type, body, .. } = answer;
    let body = match ending {
        Some(ending) => Checked::new(body, ending, &usage).boxed(),
        None => body.boxed(),
    };
    Ok(Forwarded { status, content_type, body, usage })
}

/// How the body must end. An answer of failure is passed on as it is.
fn ending_of(path: &str, stream: bool, answer: &Answer) -> Result<Option<Ending>, BackendError> {
    if !answer.status.is_success() {
        return Ok(None);
    }
    let content_type = answer.content_type.as_str();
    let generates = path.starts_with("/api/") && !path.starts_with("/api/embed");
    if media_type(content_type).eq_ignore_ascii_case("text/event-stream") {
        return Ok(Some(Ending::Sse));
    }
    if media_type(content_type).eq_ignore_ascii_case("application/x-ndjson") {
        return Ok(Some(Ending::Ndjson));
    }
    // Whoever asked for a stream would take a whole answer for a broken one.
    if is_json(content_type) && !stream {
        return Ok(Some(if generates { Ending::JsonDone } else { Ending::Json }));
    }
    Err(BackendError::backend(format!("the model server answers with \"{}\"", media_type(content_type))))
}
