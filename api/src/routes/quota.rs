//! Limits of model use.

use axum::extract::State;
use axum::response::Response;
use domain::quota::{Limits, QuotaScope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, many, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Query};
use crate::routes::course::institution;

/// The limits of one scope; what is missing is not limited.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct QuotaChange {
    /// `institution`, `course`, `user` or `key`.
    #[schema(value_type = String)]
    scope: QuotaScope,
    /// Its id; `*` for every course, user or key without limits of its own; not needed for the institution.
    #[serde(default)]
    scope_id: String,
    /// Requests of a minute.
    requests_minute: Option<u64>,
    /// Requests of a day, UTC.
    requests_day: Option<u64>,
    /// Tokens of a minute.
    tokens_minute: Option<u64>,
    /// Tokens of a day, UTC.
    tokens_day: Option<u64>,
    /// Requests at the same time, in one gateway.
    concurrent: Option<u64>,
    /// Share of the workers beside others, in per cent of the usual one.
    share: Option<u64>,
}

/// The limits of one scope.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuotaAttributes {
    /// `institution`, `course`, `user` or `key`.
    #[schema(value_type = String)]
    scope: QuotaScope,
    /// Its id, or `*`.
    scope_id: String,
    /// Requests of a minute.
    requests_minute: Option<u64>,
    /// Requests of a day, UTC.
    requests_day: Option<u64>,
    /// Tokens of a minute.
    tokens_minute: Option<u64>,
    /// Tokens of a day, UTC.
    tokens_day: Option<u64>,
    /// Requests at the same time, in one gateway.
    concurrent: Option<u64>,
    /// Share of the workers beside others, in per cent of the usual one.
    share: Option<u64>,
}

/// Query of both.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QuotaQuery {
    institution: Option<String>,
}

/// Names of that query, for the description.
pub(super) const QUERY: &[(&str, &str)] = &[("institution", "Slug; one's own when missing")];

fn resource(scope: QuotaScope, scope_id: String, limits: Limits) -> Resource<QuotaAttributes> {
    let id = format!("{}/{scope_id}", scope.as_str());
    let attributes = QuotaAttributes {
        scope,
        scope_id,
        requests_minute: limits.requests_minute,
        requests_day: limits.requests_day,
        tokens_minute: limits.tokens_minute,
        tokens_day: limits.tokens_day,
        concurrent: limits.concurrent,
        share: limits.share,
    };
    Resource::new("quotas", id, attributes)
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<QuotaQuery>,
) -> ApiResult<Response> {
    let school = &app.ports.school;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    let found = school.quota().list(&caller.actor, institution).await?;
    let page = Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() };
    let all =
        found.into_iter().map(|one| resource(one.scope, one.scope_id, one.limits).at(one.changed_at, one.changed_at));
    Ok(many("/api/v1/quotas", all.collect(), &page))
}

pub(super) async fn set(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<QuotaQuery>,
    Json(change): Json<QuotaChange>,
) -> ApiResult<Response> {
    let school = &app.ports.school;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    let limits = Limits {
        requests_minute: change.requests_minute,
        requests_day: change.requests_day,
        tokens_minute: change.tokens_minute,
        tokens_day: change.tokens_day,
        concurrent: change.concurrent,
        share: change.share,
    };
    school.quota().set(&caller.actor, institution, change.scope, &change.scope_id, limits).await?;
    let whole = change.scope == QuotaScope::Institution;
    let scope_id = if whole { institution.to_string() } else { change.scope_id };
    Ok(one("/api/v1/quotas", resource(change.scope, scope_id, limits)))
}
