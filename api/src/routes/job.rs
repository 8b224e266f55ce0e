//! Jobs that gave up.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::JobId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, many};
use crate::error::ApiResult;
use crate::extract::{Caller, Path, Query};
use crate::routes::course::{check_limit, institution};

/// A dead job: what failed and why, not what it worked on.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeadAttributes {
    /// Which handler.
    kind: String,
    /// Claims since the last checkpoint.
    attempts: i64,
    /// Crashes in a row.
    crashes: i64,
    /// Why it gave up.
    last_error: Option<String>,
    /// SHA-256 of its input.
    payload_hash: String,
}

/// Query of the list and of what is done to one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobQuery {
    institution: Option<String>,
    #[serde(default)]
    limit: i64,
    cursor: Option<JobId>,
}

pub(super) async fn dead(State(app): State<App>, caller: Caller, Query(query): Query<JobQuery>) -> ApiResult<Response> {
    let school = &app.ports.school;
    let limit = check_limit(query.limit)?;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    let found = school.job().dead(&caller.actor, institution, query.cursor, limit).await?;
    let page = Page::of(&found, limit, query.cursor.map(|id| id.to_string()), |job| job.id.to_string());
    let resources = found
        .into_iter()
        .map(|job| {
            let attributes = DeadAttributes {
                kind: job.kind,
                attempts: job.attempts,
                crashes: job.crashes,
                last_error: job.last_error,
                payload_hash: job.payload_hash,
            };
            Resource::new("jobs", job.id, attributes)
                .related("institution", "institutions", job.institution_id)
                .at(job.created_at, job.died_at)
        })
        .collect();
    Ok(many("/api/v1/jobs/dead", resources, &page))
}

pub(super) async fn retry(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<JobId>,
    Query(query): Query<JobQuery>,
) -> ApiResult<Response> {
    let school = &app.ports.school;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    school.job().retry(&caller.actor, institution, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn drop(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<JobId>,
    Query(query): Query<JobQuery>,
) -> ApiResult<Response> {
    let school = &app.ports.school;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    school.job().drop(&caller.actor, institution, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
