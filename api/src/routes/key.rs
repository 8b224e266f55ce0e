//! API keys.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::api_key::ApiKey;
use domain::{ApiKeyId, CourseId, UserId};
use school::api_key::NewApiKey;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, rfc3339};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::routes::course::{check_limit, institution};

/// A key to be made.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewKey {
    /// What one calls it, at most 100 characters.
    #[serde(default)]
    name: String,
    /// The course whose use it is; one's own when missing.
    #[schema(value_type = Option<String>)]
    course_id: Option<CourseId>,
    /// Seconds until it ends by itself; never when missing.
    expires_seconds: Option<i64>,
}

/// A key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyAttributes {
    /// What its owner calls it.
    name: String,
    /// Its beginning, to know it again.
    prefix: String,
    /// The key itself, only in the answer that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// When it ends by itself.
    expires_at: Option<String>,
    /// When it was ended.
    revoked_at: Option<String>,
    /// When it was used last, to the minute.
    last_used_at: Option<String>,
}

/// Query of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    institution: Option<String>,
    user: Option<UserId>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    limit: i64,
    cursor: Option<ApiKeyId>,
}

/// Names of that query, for the description.
pub(super) const LIST_QUERY: &[(&str, &str)] = &[
    ("user", "Id of the owner; oneself when missing"),
    ("all", "`true` lists everybody's, for administrators"),
    ("institution", "Slug; one's own when missing"),
    ("limit", "At most so many, 1 to 200"),
    ("cursor", "Where the last page ended"),
];

fn resource(key: ApiKey, secret: Option<String>) -> Resource<KeyAttributes> {
    let attributes = KeyAttributes {
        name: key.name,
        prefix: key.prefix,
        key: secret,
        expires_at: key.expires_at.map(rfc3339),
        revoked_at: key.revoked_at.map(rfc3339),
        last_used_at: key.last_used_at.map(rfc3339),
    };
    let resource = Resource::new("keys", key.id, attributes).related("user", "users", key.user_id);
    let resource = resource.at(key.created_at, key.revoked_at.unwrap_or(key.created_at));
    match key.course_id {
        Some(course) => resource.related("course", "courses", course),
        None => resource,
    }
}

pub(super) async fn create(State(app): State<App>, caller: Caller, Json(new): Json<NewKey>) -> ApiResult<Response> {
    let new = NewApiKey { user: None, course: new.course_id, name: new.name, expires_seconds: new.expires_seconds };
    let made = app.ports.school.api_key().create(&caller.actor, new).await?;
    Ok(created(format!("/api/v1/keys/{}", made.key.id), resource(made.key, Some(made.secret))))
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> ApiResult<Response> {
    let school = &app.ports.school;
    let limit = check_limit(query.limit)?;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    let user = if query.all { None } else { query.user.or(caller.actor.user_id) };
    let found = school.api_key().list(&caller.actor, institution, user, query.cursor, limit).await?;
    let page = Page::of(&found, limit, query.cursor.map(|id| id.to_string()), |key| key.id.to_string());
    Ok(many("/api/v1/keys", found.into_iter().map(|key| resource(key, None)).collect(), &page))
}

pub(super) async fn revoke(State(app): State<App>, caller: Caller, Path(id): Path<ApiKeyId>) -> ApiResult<Response> {
    app.ports.school.api_key().revoke(&caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
