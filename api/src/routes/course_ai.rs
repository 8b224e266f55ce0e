//! The AI switch of a course.

use axum::extract::State;
use axum::response::Response;
use domain::CourseId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Resource, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path};

/// The switch, as it should stand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CourseAiChange {
    /// Whether the AI is on.
    enabled: bool,
}

/// The switch, as it stands.
#[derive(Serialize, ToSchema)]
pub(crate) struct CourseAiAttributes {
    /// Whether the AI is on.
    enabled: bool,
}

fn answer(course: CourseId, enabled: bool) -> Response {
    let resource = Resource::new("course-ai", course, CourseAiAttributes { enabled });
    one(format!("/api/v1/courses/{course}/ai"), resource.related("course", "courses", course))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<CourseId>) -> ApiResult<Response> {
    Ok(answer(id, app.ports.school.course_ai().get(&caller.actor, id).await?))
}

pub(super) async fn set(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<CourseId>,
    Json(change): Json<CourseAiChange>,
) -> ApiResult<Response> {
    app.ports.school.course_ai().set(&caller.actor, id, change.enabled).await?;
    Ok(answer(id, change.enabled))
}
