//! What to learn next and why, mastery, prerequisites.

use axum::extract::State;
use axum::response::Response;
use domain::recommendation::{Item, Mastery, Prerequisite};
use domain::{CourseId, Error, LessonId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::sql::learning::Edit;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, many, one, rfc3339};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};

pub(super) const QUERY: &[(&str, &str)] =
    &[("user", "Id of a learner; oneself when missing"), ("limit", "At most so many, 1 to 50")];
pub(super) const USER_QUERY: &[(&str, &str)] = &[("user", "Id of a learner; oneself when missing")];

/// Query of recommendations.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NextQuery {
    user: Option<UserId>,
    limit: Option<usize>,
}

/// Query of mastery.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UserQuery {
    user: Option<UserId>,
}

/// A recommended lesson.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecommendationAttributes {
    /// From 1.
    rank: usize,
    /// Name of the lesson.
    title: String,
    /// Why.
    reason: ReasonShape,
    /// What it was ranked by.
    score: f64,
}

/// The evidence for a recommendation.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReasonShape {
    /// `start_here`, `next_in_path`, `due_review`, `weak_concept`, `similar` or, for those who teach, `class_needs`.
    code: &'static str,
    /// The figures that the rule looked at.
    #[schema(value_type = Object)]
    numbers: Value,
    /// One sentence with those figures.
    text: String,
}

/// How well one concept is mastered.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MasteryAttributes {
    /// A term of the lesson, or the lesson's name.
    concept: String,
    /// Whether the concept is the lesson as a whole.
    whole_lesson: bool,
    /// Probability that it is mastered, 0 to 1.
    mastery: f64,
    /// `prior`, `bkt` or `logistic`.
    #[schema(value_type = String)]
    model: Value,
    /// Answers that were seen.
    answers: usize,
    /// Right ones among them.
    correct: usize,
    /// When the last one was given.
    last_answered_at: Option<String>,
}

/// One lesson that another one needs.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PrerequisiteAttributes {
    /// `instructor`, `link` or `term`.
    #[schema(value_type = String)]
    origin: Value,
    /// The linked words, or the terms.
    evidence: Vec<String>,
    /// False where an instructor took a suggestion away.
    required: bool,
}

/// An instructor's word on a prerequisite.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PrerequisiteEdit {
    /// The lesson.
    lesson_id: String,
    /// What it needs.
    needs_id: String,
    /// False takes it away; true when missing.
    required: Option<bool>,
}

fn item(rank: usize, item: Item) -> Resource<RecommendationAttributes> {
    let reason = ReasonShape {
        code: item.reason.code.as_str(),
        numbers: serde_json::json!(item.reason.numbers),
        text: item.reason.text,
    };
    let attributes = RecommendationAttributes { rank, title: item.title, reason, score: item.score };
    Resource::new("recommendations", item.lesson, attributes).related("content", "content", item.lesson)
}

fn mastered(mastery: Mastery) -> Resource<MasteryAttributes> {
    let id = format!("{}:{}", mastery.lesson, if mastery.whole_lesson { "" } else { &mastery.concept });
    let attributes = MasteryAttributes {
        concept: mastery.concept,
        whole_lesson: mastery.whole_lesson,
        mastery: mastery.mastery,
        model: serde_json::json!(mastery.model),
        answers: mastery.answers,
        correct: mastery.correct,
        last_answered_at: mastery.last_answered_at.map(rfc3339),
    };
    Resource::new("masteries", id, attributes).related("content", "content", mastery.lesson)
}

fn prerequisite(one: Prerequisite) -> Resource<PrerequisiteAttributes> {
    let attributes = PrerequisiteAttributes {
        origin: serde_json::json!(one.origin),
        evidence: one.evidence,
        required: one.required,
    };
    Resource::new("prerequisites", format!("{}:{}", one.lesson, one.needs), attributes)
        .related("content", "content", one.lesson)
        .related("needs", "content", one.needs)
}

fn whole<T>(found: &[T]) -> Page {
    Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() }
}

pub(super) async fn next(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Query(query): Query<NextQuery>,
) -> ApiResult<Response> {
    let limit = query.limit.unwrap_or(5);
    if !(1..=50).contains(&limit) {
        return Err(Error::invalid("limit", "OUT_OF_RANGE", "\"limit\" is 1 to 50").into());
    }
    let found = app.ports.recommender.recommend(&caller.actor, course, query.user, limit).await?;
    let page = Page { limit: i64::try_from(limit).unwrap_or_default(), ..Page::default() };
    let resources = (1..).zip(found.items).map(|(rank, one)| item(rank, one)).collect();
    Ok(many(&format!("/api/v1/courses/{course}/recommendations"), resources, &page))
}

pub(super) async fn mastery(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Query(query): Query<UserQuery>,
) -> ApiResult<Response> {
    let found = app.ports.recommender.mastery(&caller.actor, course, query.user).await?;
    let page = whole(&found);
    Ok(many(&format!("/api/v1/courses/{course}/mastery"), found.into_iter().map(mastered).collect(), &page))
}

pub(super) async fn prerequisites(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
) -> ApiResult<Response> {
    let found = app.ports.recommender.prerequisites(&caller.actor, course).await?;
    let page = whole(&found);
    Ok(many(&format!("/api/v1/courses/{course}/prerequisites"), found.into_iter().map(prerequisite).collect(), &page))
}

pub(super) async fn set_prerequisite(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Json(edit): Json<PrerequisiteEdit>,
) -> ApiResult<Response> {
    let id = |field: &str, text: &str| {
        let odd = || Error::invalid(field, "INVALID_FORMAT", format!("\"{field}\" is not an id"));
        text.parse::<LessonId>().map_err(|_| odd())
    };
    let edit = Edit {
        lesson: id("lessonId", &edit.lesson_id)?,
        needs: id("needsId", &edit.needs_id)?,
        required: edit.required.unwrap_or(true),
    };
    let edit = app.ports.school.learning().set_prerequisite(&caller.actor, course, edit).await?;
    let made = Prerequisite {
        lesson: edit.lesson,
        needs: edit.needs,
        origin: domain::recommendation::PrerequisiteOrigin::Instructor,
        evidence: Vec::new(),
        required: edit.required,
    };
    Ok(one(format!("/api/v1/courses/{course}/prerequisites"), prerequisite(made)))
}
