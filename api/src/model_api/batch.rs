//! Requests that nobody waits for: kept as durable jobs, answered whenever a model has time.

use axum::body::{Bytes, to_bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use domain::model_request::ModelRequest;
use domain::wire::Class;
use llm_gateway::{Caller, Gateway};
use school::School;
use school::model_request::{NewModelRequest, RunFailure, RunModel};
use serde_json::json;

use super::fault::{Fault, Style};
use super::key::Asker;
use super::scan::Scan;
use super::{Request, Terms, USUAL_TIME};

/// Most bytes of a stored answer.
const MOST_ANSWER: usize = 8 * 1024 * 1024;

/// Whether the caller asks not to wait (RFC 7240).
pub(crate) fn wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.split(',').any(|preference| preference.trim().eq_ignore_ascii_case("respond-async")))
}

/// Takes a request in for good; the same idempotency key gives the same one again.
pub(crate) async fn accept(
    school: &School,
    asker: &Asker,
    headers: &HeaderMap,
    class: Class,
    path: &str,
    body: &[u8],
) -> Result<Response, Fault> {
    let idempotency_key = match headers.get("idempotency-key").map(|value| value.to_str()) {
        Some(Ok(key)) if (1..=200).contains(&key.len()) => Some(key.to_owned()),
        Some(_) => return Err(Fault::invalid("\"Idempotency-Key\" has 1 to 200 printable characters")),
        None => None,
    };
    let new = NewModelRequest {
        key: asker.caller.key.map(domain::ApiKeyId),
        course: asker.caller.course,
        idempotency_key,
        class,
        endpoint: path.to_owned(),
        body: body.to_vec(),
    };
    let accepted = school.model_request().submit(&asker.resolved.actor, new).await?;
    let place = format!("/api/v1/model-requests/{}", accepted.id);
    let value = json!({ "id": accepted.id, "state": accepted.state, "links": { "self": place } });
    let mut response = (StatusCode::ACCEPTED, axum::Json(value)).into_response();
    if let Ok(place) = place.parse() {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response.headers_mut().insert("preference-applied", header::HeaderValue::from_static("respond-async"));
    Ok(response)
}

/// Runs durable requests through the gateway, under the quotas of whoever sent them.
pub struct ModelRunner {
    gateway: Gateway,
}

impl ModelRunner {
    /// Of this gateway.
    #[must_use]
    pub fn new(gateway: Gateway) -> Self {
        Self { gateway }
    }
}

#[async_trait::async_trait]
impl RunModel for ModelRunner {
    async fn run(&self, request: &ModelRequest) -> Result<(u16, Vec<u8>), RunFailure> {
        let caller = Caller {
            institution: Some(request.institution_id),
            course: request.course_id,
            user: Some(request.user_id),
            key: request.key_id.map(|key| key.0),
            feature: "api",
        };
        let gateway = self.gateway.by(caller);
        let style = if request.endpoint.starts_with("/v1/") { Style::OpenAi } else { Style::Ollama };
        let Some(path) = super::known_path(&request.endpoint) else {
            return Err(RunFailure::Permanent(format!("nothing is served at \"{}\"", request.endpoint)));
        };
        let terms = Terms { class: request.class, deadline: USUAL_TIME };
        let body = Bytes::from(request.body.clone());
        let asked = Request { style, path, body: body.clone(), terms, whole: true };
        let answered = async { asked.run(&gateway, &Scan::of(&body)?).await };
        let answer = match answered.await {
            Ok(answer) => answer,
            Err(fault) => return failed(&fault, style),
        };
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), MOST_ANSWER).await;
        let body = body.map_err(|error| RunFailure::Permanent(format!("the answer cannot be kept: {error}")))?;
        Ok((status, body.to_vec()))
    }
}

fn failed(fault: &Fault, style: Style) -> Result<(u16, Vec<u8>), RunFailure> {
    match fault.code {
        "queue_full" | "quota_exceeded" => Err(RunFailure::Overload(fault.retry_after)),
        // A worker may come; until then it waits.
        "model_not_found" => Err(RunFailure::Overload(None)),
        "deadline" | "worker_lost" | "model_failed" | "unavailable" => {
            Err(RunFailure::Retryable(fault.message.clone()))
        }
        _ => Ok((fault.status.as_u16(), fault.value(style).to_string().into_bytes())),
    }
}
