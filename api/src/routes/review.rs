//! Reviews: one's own questions that are due again.

use axum::extract::State;
use axum::response::Response;
use domain::Error;
use domain::QuestionId;
use domain::recommendation::Review;
use recommender::review::Rating;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, many, one, rfc3339};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path};

/// A question that was answered, and when it is due again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReviewAttributes {
    /// When it is due.
    due_at: String,
    /// Probability of recall now, 0 to 1.
    recall: f64,
    /// Days until recall falls to 90 %.
    stability: f64,
    /// 1 easy to 10 hard.
    difficulty: f64,
    /// Times that it was answered.
    answers: usize,
    /// Times that it was answered wrong.
    lapses: usize,
}

/// How well a question was remembered.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Remembered {
    /// `again`, `hard`, `good` or `easy`.
    rating: String,
}

fn resource(review: Review) -> Resource<ReviewAttributes> {
    let attributes = ReviewAttributes {
        due_at: rfc3339(review.due_at),
        recall: review.recall,
        stability: review.stability,
        difficulty: review.difficulty,
        answers: review.answers,
        lapses: review.lapses,
    };
    let resource = Resource::new("reviews", review.question, attributes).related("course", "courses", review.course);
    match review.lesson {
        Some(lesson) => resource.related("content", "content", lesson),
        None => resource,
    }
}

pub(super) async fn due(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    let (due, _) = app.ports.recommender.due(&caller.actor).await?;
    let page = Page { limit: i64::try_from(due.len()).unwrap_or_default(), ..Page::default() };
    Ok(many("/api/v1/reviews/due", due.into_iter().map(resource).collect(), &page))
}

pub(super) async fn answer(
    State(app): State<App>,
    caller: Caller,
    Path(question): Path<QuestionId>,
    Json(remembered): Json<Remembered>,
) -> ApiResult<Response> {
    let odd = || Error::invalid("rating", "INVALID_FORMAT", "\"rating\" is again, hard, good or easy");
    let rating = Rating::parse(&remembered.rating).ok_or_else(odd)?;
    let review = app.ports.recommender.review(&caller.actor, &question.to_string(), rating).await?;
    Ok(one(format!("/api/v1/reviews/{question}"), resource(review)))
}
