//! The models that workers serve.

use axum::extract::State;
use axum::response::Response;
use domain::policy::{Action, Subject};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, many};
use crate::error::ApiResult;
use crate::extract::Caller;

/// A model.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelAttributes {
    /// `embed`, `chat` and so on.
    task: String,
    /// The backend that runs it.
    backend: String,
    /// Length of its vectors.
    dimension: Option<usize>,
    /// Workers that serve it.
    workers: usize,
}

pub(super) async fn list(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    school::access::known(&caller.actor, Action::PlatformConfig, &Subject::institution(caller.actor.institution))?;
    let models = app.ports.gateway.models();
    let page = Page { limit: i64::try_from(models.len()).unwrap_or_default(), ..Page::default() };
    let resources = models
        .into_iter()
        .map(|status| {
            let attributes = ModelAttributes {
                task: format!("{:?}", status.model.task).to_lowercase(),
                backend: status.model.backend,
                dimension: status.model.dimension,
                workers: status.workers,
            };
            Resource::new("models", status.model.id, attributes)
        })
        .collect();
    Ok(many("/api/v1/models", resources, &page))
}
