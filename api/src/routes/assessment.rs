//! Quizzes, attempts and results.

use axum::extract::State;
use axum::response::Response;
use domain::assessment::{Assessment, Item};
use domain::{AssessmentId, AttemptId, CourseId, Error, LessonId, Micros, QuestionId};
use school::assessment::NewAssessment as New;
use school::attempt::{Feedback, Outcome, Posed, Taking};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, one, rfc3339};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::routes::course::check_limit;

/// A question of a quiz.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ItemAttributes {
    /// Which question.
    question_id: String,
    /// Points for a full answer, above 0.
    points: f64,
}

/// What a quiz is made from.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewAssessment {
    /// In this course.
    course_id: String,
    /// Name for people.
    title: String,
    /// The lesson that it belongs to.
    lesson_id: Option<String>,
    /// Seconds that an attempt may take, 10 to 86400; no limit when missing.
    time_limit_seconds: Option<i64>,
    /// Attempts that a learner has; unlimited when missing.
    attempts_allowed: Option<i64>,
    /// `after_submit` (when missing), `after_close` or `never`.
    feedback: Option<String>,
    /// Not before, RFC 3339.
    opens_at: Option<String>,
    /// Not after, RFC 3339.
    closes_at: Option<String>,
    /// Reviewed questions of the course.
    items: Vec<ItemAttributes>,
}

/// A quiz's card.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AssessmentAttributes {
    /// Name for people.
    title: String,
    /// `draft`, `published` or `closed`.
    state: String,
    /// Seconds that an attempt may take.
    time_limit_seconds: Option<i64>,
    /// Attempts that a learner has.
    attempts_allowed: Option<i64>,
    /// When score and keys are shown.
    feedback: String,
    /// Not before.
    opens_at: Option<String>,
    /// Not after.
    closes_at: Option<String>,
    /// How many questions.
    questions: usize,
    /// Points of all of them.
    points: f64,
}

/// A question as posed; nothing in it tells the key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PosedAttributes {
    /// Id, stem, type, and options, items or blanks.
    #[schema(value_type = Object)]
    asked: domain::question::Asked,
    /// Points for a full answer.
    points: f64,
    /// Number of the answer saved last.
    seq: Option<i64>,
    /// The answer saved last.
    #[schema(value_type = Option<Object>)]
    response: Option<domain::question::Response>,
}

/// An attempt as its taker sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttemptAttributes {
    /// Name of the quiz.
    title: String,
    /// `open` or `submitted`.
    state: String,
    /// An instructor's try, which never counts.
    preview: bool,
    /// When it began.
    started_at: String,
    /// When it ends by itself, by the server's clock.
    deadline: Option<String>,
    /// The server's clock now.
    now: String,
    /// What is asked, in order.
    questions: Vec<PosedAttributes>,
}

/// An answer to save.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewResponse {
    /// Rises with each change, so that a late save never replaces a newer one.
    seq: i64,
    /// `{"type":"choice","option":"a"}`, `choices`, `truth`, `blanks`, `text`, `pairs`, `order` or `number`.
    #[schema(value_type = Object)]
    response: Value,
}

/// What became of a save.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SavedAttributes {
    /// False when a newer answer was there.
    newest: bool,
}

/// What is told of one question after its release.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FeedbackAttributes {
    /// Which question.
    question_id: String,
    /// What was asked.
    stem: String,
    /// What was answered.
    #[schema(value_type = Option<Object>)]
    response: Option<domain::question::Response>,
    /// Share of the points; nothing where a person has to judge.
    fraction: Option<f64>,
    /// Points for a full answer.
    points: f64,
    /// The right answer in words; empty for those who may read grades but no keys.
    key: Vec<String>,
    /// Option ids with why each is right or wrong.
    rationales: Vec<(String, String)>,
    /// The passage that it rests on.
    #[schema(value_type = Option<Object>)]
    source: Option<domain::question::Source>,
}

/// A submitted attempt with what may be told of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResultAttributes {
    /// An instructor's try, which never counts.
    preview: bool,
    /// When it ended.
    submitted_at: Option<String>,
    /// Whether score and feedback are released.
    released: bool,
    /// A person has to judge a part of it.
    needs_person: bool,
    /// Points of what rules could mark.
    score: Option<f64>,
    /// Points of all there is.
    most: Option<f64>,
    /// Empty while not released.
    feedback: Vec<FeedbackAttributes>,
}

/// Query of a course's quizzes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    #[serde(default)]
    limit: i64,
    cursor: Option<AssessmentId>,
}

fn link(id: AssessmentId) -> String {
    format!("/api/v1/assessments/{id}")
}

fn resource(quiz: Assessment) -> Resource<AssessmentAttributes> {
    let attributes = AssessmentAttributes {
        questions: quiz.items.len(),
        points: quiz.most(),
        title: quiz.title,
        state: quiz.state,
        time_limit_seconds: quiz.time_limit_seconds,
        attempts_allowed: quiz.attempts_allowed,
        feedback: quiz.feedback,
        opens_at: quiz.opens_at.map(rfc3339),
        closes_at: quiz.closes_at.map(rfc3339),
    };
    let resource = Resource::new("assessments", quiz.id, attributes)
        .related("course", "courses", quiz.course_id)
        .at(quiz.created_at, quiz.updated_at);
    match quiz.lesson_id {
        Some(lesson) => resource.related("lesson", "content", lesson),
        None => resource,
    }
}

fn attempt(taking: Taking) -> Resource<AttemptAttributes> {
    let posed = |posed: Posed| {
        let (seq, response) = posed.saved.unzip();
        PosedAttributes { asked: posed.asked, points: posed.points, seq, response }
    };
    let attributes = AttemptAttributes {
        title: taking.title,
        state: taking.attempt.state,
        preview: taking.attempt.preview,
        started_at: rfc3339(taking.attempt.started_at),
        deadline: taking.attempt.deadline.map(rfc3339),
        now: rfc3339(taking.now),
        questions: taking.questions.into_iter().map(posed).collect(),
    };
    Resource::new("attempts", taking.attempt.id, attributes).related(
        "assessment",
        "assessments",
        taking.attempt.assessment_id,
    )
}

fn result(outcome: Outcome) -> Resource<ResultAttributes> {
    let told = |one: Feedback| FeedbackAttributes {
        question_id: one.question.to_string(),
        stem: one.stem,
        response: one.response,
        fraction: one.fraction,
        points: one.points,
        key: one.key,
        rationales: one.rationales,
        source: one.source,
    };
    let attributes = ResultAttributes {
        preview: outcome.attempt.preview,
        submitted_at: outcome.attempt.submitted_at.map(rfc3339),
        released: outcome.released,
        needs_person: outcome.attempt.needs_person,
        score: outcome.attempt.score,
        most: outcome.attempt.most,
        feedback: outcome.feedback.into_iter().map(told).collect(),
    };
    Resource::new("results", outcome.attempt.id, attributes)
        .related("assessment", "assessments", outcome.attempt.assessment_id)
        .related("user", "users", outcome.attempt.user_id)
}

fn moment(field: &str, text: Option<String>) -> Result<Option<Micros>, Error> {
    let Some(text) = text else { return Ok(None) };
    let wrong = || Error::invalid(field, "INVALID_FORMAT", format!("\"{text}\" is no RFC 3339 time"));
    let time =
        time::OffsetDateTime::parse(&text, &time::format_description::well_known::Rfc3339).map_err(|_| wrong())?;
    Ok(Some(i64::try_from(time.unix_timestamp_nanos() / 1_000).map_err(|_| wrong())?))
}

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewAssessment>,
) -> ApiResult<Response> {
    let course = new.course_id.parse::<CourseId>()?;
    let item =
        |item: ItemAttributes| Ok(Item { question: item.question_id.parse::<QuestionId>()?, points: item.points });
    let made = New {
        title: new.title,
        lesson: new.lesson_id.map(|id| id.parse::<LessonId>()).transpose()?,
        time_limit_seconds: new.time_limit_seconds,
        attempts_allowed: new.attempts_allowed,
        feedback: new.feedback,
        opens_at: moment("opensAt", new.opens_at)?,
        closes_at: moment("closesAt", new.closes_at)?,
        items: new.items.into_iter().map(item).collect::<Result<_, Error>>()?,
    };
    let quiz = app.ports.school.assessment().create(&caller.actor, course, made).await?;
    Ok(created(link(quiz.id), resource(quiz)))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<AssessmentId>) -> ApiResult<Response> {
    Ok(one(link(id), resource(app.ports.school.assessment().get(&caller.actor, id).await?)))
}

pub(super) async fn of_course(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Query(query): Query<PageQuery>,
) -> ApiResult<Response> {
    let limit = check_limit(query.limit)?;
    let found = app.ports.school.assessment().list(&caller.actor, course, query.cursor, limit).await?;
    let page = Page::of(&found, limit, query.cursor.map(|id| id.to_string()), |one| one.id.to_string());
    Ok(many(&format!("/api/v1/courses/{course}/assessments"), found.into_iter().map(resource).collect(), &page))
}

pub(super) async fn publish(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<AssessmentId>,
) -> ApiResult<Response> {
    Ok(one(link(id), resource(app.ports.school.assessment().publish(&caller.actor, id).await?)))
}

pub(super) async fn close(State(app): State<App>, caller: Caller, Path(id): Path<AssessmentId>) -> ApiResult<Response> {
    Ok(one(link(id), resource(app.ports.school.assessment().close(&caller.actor, id).await?)))
}

pub(super) async fn start(State(app): State<App>, caller: Caller, Path(id): Path<AssessmentId>) -> ApiResult<Response> {
    let taking = app.ports.school.attempt().start(&caller.actor, id).await?;
    Ok(created(format!("/api/v1/attempts/{}", taking.attempt.id), attempt(taking)))
}

pub(super) async fn get_attempt(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<AttemptId>,
) -> ApiResult<Response> {
    Ok(one(format!("/api/v1/attempts/{id}"), attempt(app.ports.school.attempt().get(&caller.actor, id).await?)))
}

pub(super) async fn save(
    State(app): State<App>,
    caller: Caller,
    Path((id, question)): Path<(AttemptId, QuestionId)>,
    Json(new): Json<NewResponse>,
) -> ApiResult<Response> {
    let response = serde_json::from_value(new.response)
        .map_err(|error| Error::invalid("response", "INVALID_FORMAT", error.to_string()))?;
    let newest = app.ports.school.attempt().save(&caller.actor, id, question, new.seq, response).await?;
    let resource = Resource::new("responses", question, SavedAttributes { newest });
    Ok(one(format!("/api/v1/attempts/{id}/responses/{question}"), resource))
}

pub(super) async fn submit(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<AssessmentId>,
) -> ApiResult<Response> {
    let outcome = app.ports.school.attempt().submit(&caller.actor, id).await?;
    Ok(one(format!("/api/v1/assessments/{id}/results"), result(outcome)))
}

pub(super) async fn results(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<AssessmentId>,
) -> ApiResult<Response> {
    let found = app.ports.school.attempt().results(&caller.actor, id).await?;
    let page = Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() };
    Ok(many(&format!("/api/v1/assessments/{id}/results"), found.into_iter().map(result).collect(), &page))
}
