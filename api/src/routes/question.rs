//! The question bank, for those who may see keys, and hints for those who may not.

use axum::extract::State;
use axum::response::Response;
use domain::question::{Draft, Question};
use domain::{CourseId, Error, QuestionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::sql::question::Wanted;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::routes::course::check_limit;

pub(super) const LIST_QUERY: &[(&str, &str)] = &[
    ("state", "draft, reviewed, live or retired"),
    ("limit", "At most so many, 1 to 200"),
    ("cursor", "Where the last page ended"),
];

/// A question for a course's bank; it begins as a draft.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewQuestion {
    /// In the bank of this course.
    course_id: String,
    /// `stem`, `body` (with its `type` and key), and what is known of it besides.
    #[schema(value_type = Object)]
    question: Value,
}

/// New content of a question; it is a draft again.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct QuestionChange {
    /// The version that was read.
    version: i64,
    /// As when making one.
    #[schema(value_type = Object)]
    question: Value,
}

/// The state that a question is to have.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct StateChange {
    /// `reviewed`, `draft` or `retired`.
    state: String,
}

/// A question with its key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuestionAttributes {
    /// `draft`, `reviewed`, `live` or `retired`.
    state: String,
    /// Raised by each change.
    version: i64,
    /// The right answer in words.
    key: Vec<String>,
    /// Stem, body, source, lint, hints and origin.
    #[schema(value_type = Object)]
    question: Draft,
}

/// A rung of the ladder of hints.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HintAttributes {
    /// 0 a nudge, 1 the place, 2 a worked part, 3 the answer.
    rung: i64,
    /// The hint.
    text: String,
}

/// Query of a course's bank.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BankQuery {
    state: Option<String>,
    #[serde(default)]
    limit: i64,
    cursor: Option<QuestionId>,
}

fn link(id: QuestionId) -> String {
    format!("/api/v1/questions/{id}")
}

pub(super) fn resource(question: Question) -> Resource<QuestionAttributes> {
    let attributes = QuestionAttributes {
        state: question.state.as_str().into(),
        version: question.version,
        key: question.draft.body.key(),
        question: question.draft,
    };
    Resource::new("questions", question.id, attributes).related("course", "courses", question.course)
}

fn parse(question: Value) -> Result<Draft, Error> {
    serde_json::from_value(question).map_err(|error| Error::invalid("question", "INVALID_FORMAT", error.to_string()))
}

fn state(text: &str) -> Result<domain::question::State, Error> {
    domain::question::State::parse(text).ok_or_else(|| {
        Error::invalid("state", "INVALID_FORMAT", format!("\"{text}\" is none of draft, reviewed, live, retired"))
    })
}

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewQuestion>,
) -> ApiResult<Response> {
    let course = new.course_id.parse::<CourseId>()?;
    let made = app.ports.school.question().create(&caller.actor, course, vec![parse(new.question)?]).await?;
    let question = made.into_iter().next().ok_or_else(|| Error::not_found("question", course))?;
    Ok(created(link(question.id), resource(question)))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<QuestionId>) -> ApiResult<Response> {
    Ok(one(link(id), resource(app.ports.school.question().get(&caller.actor, id).await?)))
}

pub(super) async fn update(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<QuestionId>,
    Json(change): Json<QuestionChange>,
) -> ApiResult<Response> {
    let draft = parse(change.question)?;
    Ok(one(link(id), resource(app.ports.school.question().update(&caller.actor, id, change.version, draft).await?)))
}

pub(super) async fn set_state(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<QuestionId>,
    Json(change): Json<StateChange>,
) -> ApiResult<Response> {
    let next = state(&change.state)?;
    Ok(one(link(id), resource(app.ports.school.question().set_state(&caller.actor, id, next).await?)))
}

pub(super) async fn of_course(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Query(query): Query<BankQuery>,
) -> ApiResult<Response> {
    let limit = check_limit(query.limit)?;
    let wanted = Wanted { state: query.state.as_deref().map(state).transpose()?, after: query.cursor, limit };
    let found = app.ports.school.question().list(&caller.actor, course, wanted).await?;
    let page = Page::of(&found, limit, query.cursor.map(|id| id.to_string()), |one| one.id.to_string());
    Ok(many(&format!("/api/v1/courses/{course}/questions"), found.into_iter().map(resource).collect(), &page))
}

pub(super) async fn hint(State(app): State<App>, caller: Caller, Path(id): Path<QuestionId>) -> ApiResult<Response> {
    let hint = app.ports.school.attempt().hint(&caller.actor, id).await?;
    let attributes = HintAttributes { rung: hint.rung, text: hint.text };
    Ok(one(format!("/api/v1/questions/{id}/hint"), Resource::new("hints", id, attributes)))
}
