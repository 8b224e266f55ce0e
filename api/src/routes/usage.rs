//! What models were used for.

use axum::extract::State;
use axum::response::Response;
use domain::usage::{GroupBy, UsageLine, parse_day};
use domain::{CourseId, Error, Micros};
use school::usage::UsageFilter;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, many};
use crate::error::ApiResult;
use crate::extract::{Caller, Query};
use crate::routes::course::{check_limit, institution};

/// One line of the report.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsageAttributes {
    /// Id of the group, a name, or a day; empty is use that belongs to none.
    group: String,
    /// Its name for people.
    name: Option<String>,
    /// Requests, failed ones among them.
    requests: u64,
    /// Requests without an answer.
    failed: u64,
    /// Tokens read.
    prompt_tokens: u64,
    /// Tokens written.
    completion_tokens: u64,
    /// Milliseconds before a worker began.
    waited_ms: u64,
    /// Milliseconds that a worker was busy: what it cost.
    busy_ms: u64,
    /// Requests that a cache answered.
    cache_hits: u64,
}

/// Query of the report.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UsageQuery {
    institution: Option<String>,
    #[serde(default)]
    by: GroupBy,
    from: Option<String>,
    to: Option<String>,
    course: Option<CourseId>,
    #[serde(default)]
    limit: i64,
}

/// Names of that query, for the description.
pub(super) const QUERY: &[(&str, &str)] = &[
    ("by", "`institution`, `course`, `user`, `feature`, `model` or `day` (the default)"),
    ("from", "First day, as 2026-11-21"),
    ("to", "Last day, as 2026-11-21"),
    ("course", "Id of the course whose use alone is shown"),
    ("institution", "Slug; one's own when missing"),
    ("limit", "At most so many lines, 1 to 200"),
];

fn day(field: &str, text: Option<&str>) -> ApiResult<Option<Micros>> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || Error::invalid(field, "INVALID_FORMAT", format!("\"{text}\" is no day; write it as 2026-11-21"));
    Ok(Some(parse_day(text).ok_or_else(wrong)?))
}

fn resource(line: UsageLine) -> Resource<UsageAttributes> {
    let sums = line.sums;
    let attributes = UsageAttributes {
        group: line.group.clone(),
        name: line.name,
        requests: sums.requests,
        failed: sums.failed,
        prompt_tokens: sums.prompt_tokens,
        completion_tokens: sums.completion_tokens,
        waited_ms: sums.waited_ms,
        busy_ms: sums.busy_ms,
        cache_hits: sums.cache_hits,
    };
    Resource::new("usage", line.group, attributes)
}

pub(super) async fn report(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<UsageQuery>,
) -> ApiResult<Response> {
    let school = &app.ports.school;
    let limit = check_limit(query.limit)?;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    let (from, to) = (day("from", query.from.as_deref())?, day("to", query.to.as_deref())?);
    let filter = UsageFilter { by: query.by, from, to, course: query.course, limit };
    let found = school.usage().report(&caller.actor, institution, filter).await?;
    let page = Page { limit, ..Page::default() };
    Ok(many("/api/v1/usage", found.into_iter().map(resource).collect(), &page))
}
