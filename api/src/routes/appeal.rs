//! Appeals against released grades.

use axum::extract::State;
use axum::response::Response;
use domain::appeal::{Appeal, Outcome};
use domain::{AppealId, CourseId, Error, SubmissionId};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::routes::submission::AppealAttributes;

/// An appeal to open.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewAppeal {
    /// Against which criterion; the whole when missing.
    criterion: Option<String>,
    /// Why the grade is wrong, at most 4000 characters.
    text: String,
}

/// The answer to an appeal.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AppealAnswer {
    /// To the learner. Whether the points changed is read from the grades.
    text: String,
}

/// Query of a course's appeals.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    outcome: Option<String>,
}

/// Names of that query, for the description.
pub(super) const LIST_QUERY: &[(&str, &str)] = &[("outcome", "`open`, `upheld` or `changed`; all when missing")];

fn resource(appeal: Appeal) -> Resource<AppealAttributes> {
    let submission = appeal.submission_id;
    Resource::new("appeals", appeal.id, AppealAttributes::from(appeal)).related("submission", "submissions", submission)
}

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<SubmissionId>,
    Json(new): Json<NewAppeal>,
) -> ApiResult<Response> {
    let appeal = app.ports.school.appeal().open(&caller.actor, id, new.criterion, new.text).await?;
    Ok(created(format!("/api/v1/submissions/{id}"), resource(appeal)))
}

pub(super) async fn answer(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<AppealId>,
    Json(answer): Json<AppealAnswer>,
) -> ApiResult<Response> {
    let appeal = app.ports.school.appeal().answer(&caller.actor, id, answer.text).await?;
    Ok(one(format!("/api/v1/submissions/{}", appeal.submission_id), resource(appeal)))
}

pub(super) async fn of_course(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Response> {
    let outcome = match query.outcome.as_deref() {
        None => None,
        Some(text) => Some(
            Outcome::parse(text)
                .ok_or_else(|| Error::invalid("outcome", "INVALID_VALUE", "\"outcome\" is open, upheld or changed"))?,
        ),
    };
    let found = app.ports.school.appeal().list(&caller.actor, course, outcome).await?;
    let page = Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() };
    Ok(many(&format!("/api/v1/courses/{course}/appeals"), found.into_iter().map(resource).collect(), &page))
}
