//! Enrolments and progress.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use domain::enrollment::Enrollment;
use domain::{CourseId, EnrollmentId, Error, LessonId, UserId};
use school::enrollment::Report;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, many, one, with_links};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::routes::course::check_limit;

/// Who is enrolled in what.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewEnrollment {
    /// In this course.
    course_id: String,
    /// Oneself when missing.
    user_id: Option<String>,
}

/// Who is enrolled in the course of the address.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewCourseEnrollment {
    /// Oneself when missing.
    user_id: Option<String>,
    /// All of them or nobody; at most 100.
    user_ids: Option<Vec<String>>,
}

/// What was done in a lesson: one of the three measures.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ProgressReport {
    /// In this lesson.
    lesson_id: String,
    /// How far into it, per cent.
    position: Option<f64>,
    /// Last page seen.
    page: Option<i64>,
    /// Seconds of the recording watched.
    seconds_watched: Option<f64>,
}

/// An enrolment.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EnrollmentAttributes {
    /// `enrolled`, `completed`, `dropped` or `suspended`.
    status: String,
    /// Per cent, as the server computed it.
    progress: f64,
}

/// Query of a course's enrolments.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    #[serde(default)]
    limit: i64,
    cursor: Option<EnrollmentId>,
}

pub(super) fn resource(one: Enrollment) -> Resource<EnrollmentAttributes> {
    let attributes = EnrollmentAttributes { status: one.status, progress: one.progress };
    Resource::new("enrollments", one.id, attributes)
        .related("user", "users", one.user_id)
        .related("course", "courses", one.course_id)
        .at(one.created_at, one.updated_at)
}

fn link(id: EnrollmentId) -> String {
    format!("/api/v1/enrollments/{id}")
}

/// 201 with links to itself and the course.
fn enrolled(enrollment: Enrollment) -> Response {
    let links = [("self", link(enrollment.id)), ("course", format!("/api/v1/courses/{}", enrollment.course_id))];
    let location = links.first().and_then(|(_, to)| to.parse().ok());
    let mut response = with_links(StatusCode::CREATED, resource(enrollment), &links);
    if let Some(location) = location {
        response.headers_mut().insert(axum::http::header::LOCATION, location);
    }
    response
}

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewEnrollment>,
) -> ApiResult<Response> {
    let course = new.course_id.parse::<CourseId>()?;
    let user = new.user_id.map(|id| id.parse::<UserId>()).transpose()?;
    Ok(enrolled(app.ports.school.enrollment().enrol(&caller.actor, course, user).await?))
}

pub(super) async fn create_in_course(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Json(new): Json<NewCourseEnrollment>,
) -> ApiResult<Response> {
    let enrollments = app.ports.school.enrollment();
    let Some(ids) = new.user_ids else {
        let user = new.user_id.map(|id| id.parse::<UserId>()).transpose()?;
        return Ok(enrolled(enrollments.enrol(&caller.actor, course, user).await?));
    };
    if new.user_id.is_some() || ids.is_empty() || ids.len() > 100 {
        let message = "send \"userId\" or 1 to 100 \"userIds\"";
        return Err(Error::invalid("userIds", "INVALID_FORMAT", message).into());
    }
    let users = ids.iter().map(|id| id.parse::<UserId>()).collect::<Result<Vec<_>, _>>()?;
    let found = enrollments.enrol_all(&caller.actor, course, users).await?;
    let page = Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() };
    let mut response =
        many(&format!("/api/v1/courses/{course}/enrollments"), found.into_iter().map(resource).collect(), &page);
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<EnrollmentId>) -> ApiResult<Response> {
    Ok(one(link(id), resource(app.ports.school.enrollment().get(&caller.actor, id).await?)))
}

pub(super) async fn drop(State(app): State<App>, caller: Caller, Path(id): Path<EnrollmentId>) -> ApiResult<Response> {
    Ok(one(link(id), resource(app.ports.school.enrollment().drop(&caller.actor, id).await?)))
}

pub(super) async fn of_course(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Query(query): Query<PageQuery>,
) -> ApiResult<Response> {
    let limit = check_limit(query.limit)?;
    let found = app.ports.school.enrollment().in_course(&caller.actor, course, query.cursor, limit).await?;
    let page = Page::of(&found, limit, query.cursor.map(|id| id.to_string()), |one| one.id.to_string());
    Ok(many(&format!("/api/v1/courses/{course}/enrollments"), found.into_iter().map(resource).collect(), &page))
}

pub(super) async fn report(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<EnrollmentId>,
    Json(report): Json<ProgressReport>,
) -> ApiResult<Response> {
    let report = Report {
        lesson_id: report.lesson_id.parse::<LessonId>()?,
        position: report.position,
        page: report.page,
        seconds_watched: report.seconds_watched,
    };
    Ok(one(link(id), resource(app.ports.school.enrollment().report(&caller.actor, id, report).await?)))
}
