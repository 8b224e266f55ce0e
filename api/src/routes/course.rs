//! Courses and their modules.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use domain::course::Course;
use domain::{CourseId, Error, InstitutionId};
use school::School;
use school::course::CourseQuery;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, one};
use crate::error::{ApiError, ApiResult, PRECONDITION_REQUIRED};
use crate::extract::{Caller, Json, Path, Query};

pub(super) const PAGE_QUERY: &[(&str, &str)] =
    &[("limit", "At most so many, 1 to 200"), ("cursor", "Where the last page ended")];
pub(super) const INSTITUTION_QUERY: &[(&str, &str)] = &[
    ("institution", "Slug; one's own when missing"),
    ("limit", "At most so many, 1 to 200"),
    ("cursor", "Where the last page ended"),
];
pub(super) const LIST_QUERY: &[(&str, &str)] = &[
    ("status", "draft, review, published or archived"),
    ("institution", "Slug; one's own, or the only one, when missing"),
    ("limit", "At most so many, 1 to 200"),
    ("cursor", "Where the last page ended"),
];

/// What a course is made from.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewCourse {
    /// Slug of the institution; one's own when missing.
    institution: Option<String>,
    /// Name in addresses; made from the title when missing.
    slug: Option<String>,
    /// Name for people.
    title: String,
    /// What it is about.
    #[serde(default)]
    description: String,
    /// `draft` when missing.
    status: Option<String>,
    /// `institution` when missing.
    visibility: Option<String>,
    /// `open` when missing.
    enrollment_type: Option<String>,
    /// Length in weeks.
    duration_weeks: Option<i64>,
    /// Credit hours.
    credit_hours: Option<i64>,
    /// Free JSON object.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// What may be changed; what is missing stays.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct CourseChange {
    /// Name for people.
    title: Option<String>,
    /// What it is about.
    description: Option<String>,
    /// `draft`, `review`, `published` or `archived`.
    status: Option<String>,
    /// `private`, `institution` or `public`.
    visibility: Option<String>,
    /// `open`, `invite_only` or `closed`.
    enrollment_type: Option<String>,
    /// Length in weeks.
    duration_weeks: Option<i64>,
    /// Credit hours.
    credit_hours: Option<i64>,
    /// Free JSON object.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
}

/// A course's card.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CourseAttributes {
    /// Name in addresses.
    slug: String,
    /// Name for people.
    title: String,
    /// What it is about.
    description: String,
    /// `draft`, `review`, `published` or `archived`.
    status: String,
    /// `private`, `institution` or `public`.
    visibility: String,
    /// `open`, `invite_only` or `closed`.
    enrollment_type: String,
    /// Length in weeks.
    duration_weeks: Option<i64>,
    /// Credit hours.
    credit_hours: Option<i64>,
    /// Free JSON of the institution.
    #[schema(value_type = Object)]
    metadata: Value,
}

/// A module with its lessons.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModuleAttributes {
    /// Name.
    title: String,
    /// Place in the course.
    position: i64,
    /// Its lessons, in order.
    lessons: Vec<LessonSummary>,
}

/// A lesson in a list.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LessonSummary {
    /// Identity.
    id: String,
    /// Name.
    title: String,
    /// `VIDEO`, `DOCUMENT`, `INTERACTIVE`, `QUIZ` or `DISCUSSION`.
    kind: String,
}

/// Query of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    status: Option<String>,
    institution: Option<String>,
    #[serde(default)]
    limit: i64,
    cursor: Option<CourseId>,
}

fn resource(course: Course) -> Resource<CourseAttributes> {
    let attributes = CourseAttributes {
        slug: course.slug,
        title: course.title,
        description: course.description,
        status: course.status,
        visibility: course.visibility,
        enrollment_type: course.enrollment_type,
        duration_weeks: course.duration_weeks,
        credit_hours: course.credit_hours,
        metadata: course.metadata,
    };
    Resource::new("courses", course.id, attributes)
        .related("institution", "institutions", course.institution_id)
        .at(course.created_at, course.updated_at)
        .note("version", course.version)
}

fn tagged(mut response: Response, version: i64) -> Response {
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// The institution that a request means: the named one, one's own, or the only one.
pub(super) async fn institution(school: &School, caller: &Caller, slug: Option<&str>) -> ApiResult<InstitutionId> {
    if slug.is_none() && !caller.actor.is_guest() {
        return Ok(caller.actor.institution);
    }
    Ok(school.institution().resolve(slug).await?.id)
}

pub(super) fn check_limit(limit: i64) -> ApiResult<i64> {
    match limit {
        0 => Ok(50),
        1..=200 => Ok(limit),
        _ => Err(Error::invalid("limit", "OUT_OF_RANGE", "\"limit\" is 1 to 200").into()),
    }
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> ApiResult<Response> {
    let school = &app.ports.school;
    let limit = check_limit(query.limit)?;
    let institution = institution(school, &caller, query.institution.as_deref()).await?;
    let wanted = CourseQuery { status: query.status, after: query.cursor, limit };
    let found = school.course().list(&caller.actor, institution, wanted).await?;
    let page = Page::of(&found, limit, query.cursor.map(|id| id.to_string()), |course| course.id.to_string());
    Ok(many("/api/v1/courses", found.into_iter().map(resource).collect(), &page))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<CourseId>) -> ApiResult<Response> {
    let course = app.ports.school.course().get(&caller.actor, id).await?;
    let version = course.version;
    Ok(tagged(one(format!("/api/v1/courses/{id}"), resource(course)), version))
}

pub(super) async fn create(State(app): State<App>, caller: Caller, Json(new): Json<NewCourse>) -> ApiResult<Response> {
    let school = &app.ports.school;
    let institution = institution(school, &caller, new.institution.as_deref()).await?;
    let new = school::course::NewCourse {
        slug: new.slug,
        title: new.title,
        description: new.description,
        status: new.status,
        visibility: new.visibility,
        enrollment_type: new.enrollment_type,
        duration_weeks: new.duration_weeks,
        credit_hours: new.credit_hours,
        metadata: new.metadata,
    };
    let course = school.course().create(&caller.actor, institution, new).await?;
    let version = course.version;
    Ok(tagged(created(format!("/api/v1/courses/{}", course.id), resource(course)), version))
}

pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<CourseId>,
    headers: HeaderMap,
    Json(change): Json<CourseChange>,
) -> ApiResult<Response> {
    let courses = app.ports.school.course();
    // Who may not see the course learns nothing from the missing header.
    let current = courses.get(&caller.actor, id).await;
    let expected = match (headers.get(header::IF_MATCH), current.is_ok()) {
        (None, true) => {
            let message = "send \"If-Match\" with the ETag of the course as it was read";
            return Err(ApiError::new(domain::ErrorKind::ValidationError, PRECONDITION_REQUIRED, message));
        }
        (None, false) => None,
        (Some(tag), _) if tag.as_bytes() == b"*" => None,
        // A tag that is none of ours matches no version.
        (Some(tag), _) => Some(tag.to_str().ok().and_then(|tag| tag.trim_matches('"').parse().ok()).unwrap_or(-1)),
    };
    let change = school::course::CourseChange {
        title: change.title,
        description: change.description,
        status: change.status,
        visibility: change.visibility,
        enrollment_type: change.enrollment_type,
        duration_weeks: change.duration_weeks,
        credit_hours: change.credit_hours,
        metadata: change.metadata,
    };
    let course = courses.update(&caller.actor, id, change, expected).await?;
    let version = course.version;
    Ok(tagged(one(format!("/api/v1/courses/{id}"), resource(course)), version))
}

pub(super) async fn modules(State(app): State<App>, caller: Caller, Path(id): Path<CourseId>) -> ApiResult<Response> {
    let outline = app.ports.school.lesson().outline(&caller.actor, id).await?;
    let page = Page { limit: i64::try_from(outline.modules.len()).unwrap_or_default(), ..Page::default() };
    let resources = outline
        .modules
        .into_iter()
        .map(|(module, lessons)| {
            let lessons: Vec<LessonSummary> = lessons
                .into_iter()
                .map(|lesson| LessonSummary { id: lesson.id.to_string(), title: lesson.title, kind: lesson.kind })
                .collect();
            let count = json!(lessons.len());
            let attributes = ModuleAttributes { title: module.title, position: module.position, lessons };
            Resource::new("modules", module.id, attributes).related("course", "courses", id).note("lessonCount", count)
        })
        .collect();
    Ok(many(&format!("/api/v1/courses/{id}/modules"), resources, &page))
}
