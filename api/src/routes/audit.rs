//! The audit trail.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, many};
use crate::error::ApiResult;
use crate::extract::{Caller, Query};
use crate::routes::course::{check_limit, institution};

/// One entry.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EntryAttributes {
    /// Who.
    actor: String,
    /// Did what.
    action: String,
    /// To what.
    subject: String,
    /// Why, where that had to be said.
    reason: Option<String>,
}

/// Query of the trail.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditQuery {
    institution: Option<String>,
    #[serde(default)]
    limit: i64,
    cursor: Option<String>,
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<AuditQuery>,
) -> ApiResult<Response> {
    let school = &app.ports.school;
    let limit = check_limit(query.limit)?;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    let found = school.audit().list(&caller.actor, institution, query.cursor.clone(), limit).await?;
    let page = Page::of(&found, limit, query.cursor, |entry| entry.id.clone());
    let resources = found
        .into_iter()
        .map(|entry| {
            let attributes = EntryAttributes {
                actor: entry.actor,
                action: entry.action,
                subject: entry.subject,
                reason: entry.reason,
            };
            Resource::new("audit", entry.id, attributes)
                .related("institution", "institutions", entry.institution_id)
                .at(entry.created_at, entry.created_at)
        })
        .collect();
    Ok(many("/api/v1/audit", resources, &page))
}
