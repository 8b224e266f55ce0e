//! Durable requests to models.

use axum::extract::State;
use axum::response::Response;
use domain::ModelRequestId;
use domain::model_request::ModelRequest;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Resource, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Path};

/// A durable request.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelRequestAttributes {
    /// `queued`, `running`, `done`, `failed` or `cancelled`.
    state: &'static str,
    /// How urgent: `chat`, `grade`, `quiz`, `embed` or `transcribe`.
    class: &'static str,
    /// Where it was sent.
    endpoint: String,
    /// The caller's own name for it.
    idempotency_key: String,
    /// Status of the answer.
    status: Option<u16>,
    /// The answer: JSON, or text where it is none.
    #[schema(value_type = Option<Object>)]
    response: Option<Value>,
    /// Why there is none.
    error: Option<String>,
}

fn answer(request: ModelRequest) -> Response {
    let response = request.response.map(|bytes| {
        serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes).into_owned()))
    });
    let attributes = ModelRequestAttributes {
        state: request.state.as_str(),
        class: request.class.name(),
        endpoint: request.endpoint,
        idempotency_key: request.idempotency_key,
        status: request.status,
        response,
        error: request.error,
    };
    let resource = Resource::new("model-requests", request.id, attributes)
        .at(request.created_at, request.finished_at.unwrap_or(request.created_at));
    one(format!("/api/v1/model-requests/{}", request.id), resource)
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<ModelRequestId>) -> ApiResult<Response> {
    Ok(answer(app.ports.school.model_request().get(&caller.actor, id).await?))
}

pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ModelRequestId>,
) -> ApiResult<Response> {
    Ok(answer(app.ports.school.model_request().cancel(&caller.actor, id).await?))
}
