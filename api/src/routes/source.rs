//! Sources of a course: what they brought, fetching them again, schedules, removal, limits.

use axum::extract::State;
use axum::response::Response;
use domain::{CourseId, SourceId};
use school::source::{Card, Removed, Scheduled};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::sql::institution::IngestLimits;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, one, rfc3339};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::routes::course::institution;

pub(super) const LIST_QUERY: &[(&str, &str)] = &[("course", "Id of the course")];
pub(super) const LIMITS_QUERY: &[(&str, &str)] = &[("institution", "Slug; one's own when missing")];

/// A source.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SourceAttributes {
    /// What it is: `git`, `web`, `scorm` and so on.
    kind: &'static str,
    /// Path or address.
    origin: String,
    /// Name for people.
    title: String,
    /// Modules in the course.
    modules: i64,
    /// Lessons that show something.
    lessons: i64,
    /// Documents that were read.
    documents: i64,
    /// Documents that could not be read.
    unread: i64,
    /// Passages.
    passages: i64,
    /// Bytes of its documents, recordings and packages.
    bytes: i64,
    /// Its newest run: id, state, when, why not everything was read.
    #[schema(value_type = Option<Object>)]
    last: Option<Value>,
    /// Origin, commit, licences, authors, as far as it says so.
    #[schema(value_type = Object)]
    provenance: Value,
    /// Lessons that are hidden because their documents vanished; only when one source is read.
    #[schema(value_type = Vec<Object>)]
    vanished: Value,
    /// Documents that could not be read, with reasons; only when one source is read.
    #[schema(value_type = Vec<Object>)]
    failed: Value,
    /// When it is fetched again: minute, hour, day, month, weekday, in UTC.
    cron: Option<String>,
    /// The next scheduled run.
    next_at: Option<String>,
    /// Scheduled runs in a row that failed.
    failures: i64,
    /// What a person should know of the last scheduled turn.
    schedule_note: Option<String>,
}

/// A run that fetches a source again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefreshAttributes {
    /// The ingestion to follow.
    ingestion: String,
}

/// A schedule.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScheduleChange {
    /// Minute, hour, day of the month, month, weekday, in UTC, as `0 3 * * *`; null ends the schedule.
    cron: Option<String>,
}

/// A schedule that was set or ended.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScheduleAttributes {
    /// The five fields, UTC.
    cron: Option<String>,
    /// The next run.
    next_at: Option<String>,
}

/// What a removal took away, and what it left.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RemovedAttributes {
    /// Modules that are gone.
    modules: i64,
    /// Lessons that are gone.
    lessons: i64,
    /// Passages that are gone.
    passages: i64,
    /// Questions of the bank that rest on its text and stay: state and number.
    #[schema(value_type = Vec<Object>)]
    questions: Value,
    /// What a person should know.
    message: String,
}

/// Limits of what is stored and run at once; what is missing is not limited.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct IngestLimitsChange {
    /// Most bytes.
    stored_bytes: Option<i64>,
    /// Most runs at work at the same time.
    runs: Option<i64>,
}

/// Limits of what is stored and run at once.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IngestLimitsAttributes {
    /// Most bytes.
    stored_bytes: Option<i64>,
    /// Most runs at work at the same time.
    runs: Option<i64>,
    /// Bytes that are stored now.
    stored_now: i64,
}

/// Query of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    course: CourseId,
}

/// Query of the limits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsQuery {
    institution: Option<String>,
}

fn resource(card: &Card) -> Resource<SourceAttributes> {
    let (source, counts) = (&card.source, &card.counts);
    let last = card.last.as_ref().map(|last| {
        json!({
            "id": last.id, "state": last.shown_state(), "at": rfc3339(last.created_at), "error": last.error,
            "warnings": last.warnings.len(),
        })
    });
    let vanished = card.gone.iter().map(|gone| {
        json!({ "lesson": gone.lesson, "title": gone.title, "since": rfc3339(gone.since), "reason": gone.reason })
    });
    let failed = card
        .failed
        .iter()
        .map(|(path, failure)| json!({ "path": path, "code": failure.code, "message": failure.message }));
    let attributes = SourceAttributes {
        kind: source.kind.as_str(),
        origin: source.origin.clone(),
        title: source.title.clone(),
        modules: counts.modules,
        lessons: counts.lessons,
        documents: counts.documents,
        unread: counts.failed,
        passages: counts.chunks,
        bytes: counts.bytes,
        last,
        provenance: card.provenance.clone(),
        vanished: vanished.collect(),
        failed: failed.collect(),
        cron: source.cron.clone(),
        next_at: source.next_at.map(rfc3339),
        failures: source.failures,
        schedule_note: source.schedule_note.clone(),
    };
    let changed = card.last.as_ref().map_or(source.created_at, |last| last.updated_at);
    Resource::new("sources", source.id, attributes)
        .related("course", "courses", source.course_id)
        .at(source.created_at, changed)
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> ApiResult<Response> {
    let found = app.ports.school.source().list(&caller.actor, query.course).await?;
    let page = Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() };
    Ok(many("/api/v1/sources", found.iter().map(resource).collect(), &page))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<SourceId>) -> ApiResult<Response> {
    let found = app.ports.school.source().get(&caller.actor, id).await?;
    Ok(one(format!("/api/v1/sources/{id}"), resource(&found)))
}

pub(super) async fn refresh(State(app): State<App>, caller: Caller, Path(id): Path<SourceId>) -> ApiResult<Response> {
    let run = app.ports.school.source().refresh(&caller.actor, id).await?;
    let attributes = RefreshAttributes { ingestion: run.to_string() };
    Ok(created(format!("/api/v1/ingestions/{run}"), Resource::new("refreshes", run, attributes)))
}

pub(super) async fn schedule(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<SourceId>,
    Json(change): Json<ScheduleChange>,
) -> ApiResult<Response> {
    let Scheduled { cron, next_at, .. } = app.ports.school.source().schedule(&caller.actor, id, change.cron).await?;
    let attributes = ScheduleAttributes { cron, next_at: next_at.map(rfc3339) };
    Ok(one(format!("/api/v1/sources/{id}"), Resource::new("schedules", id, attributes)))
}

pub(super) async fn remove(State(app): State<App>, caller: Caller, Path(id): Path<SourceId>) -> ApiResult<Response> {
    let removed: Removed = app.ports.school.source().remove(&caller.actor, id).await?;
    let questions = removed.questions.iter().map(|(state, count)| json!({ "state": state, "count": count }));
    let attributes = RemovedAttributes {
        modules: removed.modules,
        lessons: removed.lessons,
        passages: removed.passages,
        questions: questions.collect(),
        message: removed.message,
    };
    Ok(one("/api/v1/sources", Resource::new("removals", id, attributes)))
}

fn limits_of(limits: IngestLimits, stored_now: i64) -> Resource<IngestLimitsAttributes> {
    let attributes = IngestLimitsAttributes { stored_bytes: limits.stored_bytes, runs: limits.runs, stored_now };
    Resource::new("ingestion-limits", "ingestion", attributes)
}

pub(super) async fn limits(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<LimitsQuery>,
) -> ApiResult<Response> {
    let school = &app.ports.school;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    let (limits, stored) = school.source().limits(&caller.actor, institution).await?;
    Ok(one("/api/v1/ingestion-limits", limits_of(limits, stored)))
}

pub(super) async fn set_limits(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<LimitsQuery>,
    Json(change): Json<IngestLimitsChange>,
) -> ApiResult<Response> {
    let school = &app.ports.school;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    let limits = IngestLimits { stored_bytes: change.stored_bytes, runs: change.runs };
    school.source().set_limits(&caller.actor, institution, limits).await?;
    let (limits, stored) = school.source().limits(&caller.actor, institution).await?;
    Ok(one("/api/v1/ingestion-limits", limits_of(limits, stored)))
}
