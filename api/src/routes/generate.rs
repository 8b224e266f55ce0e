//! Drafting questions from a course: what is offered goes into the bank as drafts, what is not is named.

use axum::extract::State;
use axum::response::Response;
use domain::question::{Draft, Question};
use domain::{CourseId, Error, LessonId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::envelope::{Resource, created};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, asking};

/// Most questions of one request; the command line takes more.
const MOST: usize = 50;

/// What is wanted.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewQuestions {
    /// How many, 1 to 50.
    count: usize,
    /// Only on this lesson.
    #[serde(default)]
    lesson_id: Option<String>,
    /// The same seed and course give the same questions.
    #[serde(default)]
    seed: Option<u64>,
}

/// What came of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfferedAttributes {
    /// Drafts in the bank, with their keys.
    items: Vec<DraftAttributes>,
    /// Why others are not among them.
    rejected: Vec<RejectedAttributes>,
    /// What a reader must know.
    notices: Vec<String>,
}

/// A draft in the bank.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DraftAttributes {
    /// The question's id.
    id: String,
    /// Always `draft`.
    state: String,
    /// The right answer in words.
    key: Vec<String>,
    /// Stem, body, source, lint, hints and origin.
    #[schema(value_type = Object)]
    question: Draft,
}

/// A question that is not offered.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RejectedAttributes {
    /// Why.
    reason: String,
}

impl From<Question> for DraftAttributes {
    fn from(question: Question) -> Self {
        Self {
            id: question.id.to_string(),
            state: question.state.as_str().into(),
            key: question.draft.body.key(),
            question: question.draft,
        }
    }
}

pub(super) async fn generate(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Json(new): Json<NewQuestions>,
) -> ApiResult<Response> {
    let questions = app.ports.school.question();
    let (scope, known) = questions.ground(&caller.actor, course).await?;
    if !(1..=MOST).contains(&new.count) {
        return Err(Error::invalid("count", "OUT_OF_RANGE", format!("ask for 1 to {MOST} questions")).into());
    }
    let lesson = new.lesson_id.as_deref().map(str::parse::<LessonId>).transpose()?;
    let wanted = assistant::quiz::Wanted {
        lesson,
        count: new.count,
        seed: new.seed.unwrap_or(1),
        known,
        // Half of what a request may take: the other half is for the course's own words.
        model_time: app.options.long_timeout / 2,
    };
    let offered = app
        .ports
        .assistant
        .by(asking(&caller.actor, Some(course), "quiz"))
        .questions(&scope, &wanted)
        .await
        .map_err(Error::from)?;
    let items = if offered.items.is_empty() {
        Vec::new()
    } else {
        questions.propose(&caller.actor, course, offered.items).await?
    };
    let attributes = OfferedAttributes {
        items: items.into_iter().map(DraftAttributes::from).collect(),
        rejected: offered.rejected.into_iter().map(|one| RejectedAttributes { reason: one.reason }).collect(),
        notices: offered.notices,
    };
    let link = format!("/api/v1/courses/{course}/questions");
    let resource = Resource::new("questionSets", Uuid::now_v7(), attributes).related("course", "courses", course);
    Ok(created(link, resource))
}
