//! Logins.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::policy;
use school::session::Tokens;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Resource, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Json};
use crate::routes::user::GrantAttributes;

/// Name and password.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Login {
    /// Slug of the institution; not needed where there is only one.
    institution: Option<String>,
    /// Login name.
    username: String,
    /// Password.
    password: String,
}

/// A refresh token.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Secret {
    /// As the last login or refresh gave it.
    refresh_token: String,
}

/// What a login yields. The tokens are shown once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenAttributes {
    /// For `Authorization: Bearer`.
    access_token: String,
    /// Exchanged once for the next pair.
    refresh_token: String,
    /// `Bearer`.
    token_type: &'static str,
    /// Seconds until the access token ends.
    expires_in: i64,
}

/// Who one is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SessionAttributes {
    /// Login name.
    username: String,
    /// Roles and where they hold.
    roles: Vec<GrantAttributes>,
    /// Spellings of actions; for display, it authorises nothing.
    permissions: Vec<String>,
    /// The password was given a short time ago.
    fresh: bool,
}

fn answer(tokens: Tokens) -> Response {
    let attributes = TokenAttributes {
        access_token: tokens.access,
        refresh_token: tokens.refresh,
        token_type: "Bearer",
        expires_in: tokens.access_seconds,
    };
    let user = tokens.user;
    let resource = Resource::new("sessions", user.id, attributes).related("user", "users", user.id).related(
        "institution",
        "institutions",
        user.institution_id,
    );
    one("/api/v1/auth/session", resource)
}

pub(super) async fn login(State(app): State<App>, caller: Caller, Json(login): Json<Login>) -> ApiResult<Response> {
    let sessions = app.ports.school.session();
    let client = caller.client();
    let tokens = sessions.login(login.institution.as_deref(), &login.username, &login.password, &client).await?;
    Ok(answer(tokens))
}

pub(super) async fn refresh(State(app): State<App>, caller: Caller, Json(secret): Json<Secret>) -> ApiResult<Response> {
    Ok(answer(app.ports.school.session().refresh(&secret.refresh_token, &caller.client()).await?))
}

pub(super) async fn own(caller: Caller) -> ApiResult<Response> {
    let actor = caller.actor;
    let id = actor.user_id.ok_or_else(school::access::log_in)?;
    let mut permissions: Vec<String> = policy::permissions(&actor.grants).into_iter().map(|one| one.action).collect();
    permissions.sort();
    permissions.dedup();
    let attributes = SessionAttributes {
        username: actor.username,
        roles: actor.grants.iter().map(GrantAttributes::of).collect(),
        permissions,
        fresh: actor.fresh,
    };
    let resource = Resource::new("sessions", id, attributes).related("user", "users", id).related(
        "institution",
        "institutions",
        actor.institution,
    );
    Ok(one("/api/v1/auth/session", resource))
}

pub(super) async fn logout(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    if let Some(token) = &caller.token {
        app.ports.school.session().logout(token).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
