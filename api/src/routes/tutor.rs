//! Asking the tutor: at once, or as a stream that can be taken up again.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::response::sse::Event;
use domain::CourseId;
use domain::policy::Action;
use domain::tutor::{Answer, Citation};
use domain::{Error, Locator};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Resource, created};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query, asking};
use crate::routes::content::Place;
use crate::routes::search::check_question;
use crate::stream::{self, WAITING, tutor};

pub(super) const STREAM_QUERY: &[(&str, &str)] =
    &[("question", "What is asked; not needed with Last-Event-ID of an answer of the last five minutes")];

/// A question.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Question {
    /// At most 2000 characters.
    question: String,
}

/// Query of the stream.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    question: Option<String>,
}

/// An answer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AnswerAttributes {
    /// `answered`, `closest`, `declined` or, for a question of an open quiz, `hint`.
    #[schema(value_type = String)]
    outcome: domain::tutor::Outcome,
    /// `extract` or `generated`.
    #[schema(value_type = String)]
    mode: domain::tutor::Mode,
    /// The whole answer as shown.
    answer: String,
    /// The same by sentence.
    sentences: Vec<SentenceAttributes>,
    /// What the sentences cite.
    citations: Vec<CitationAttributes>,
    /// Nearest or further passages.
    nearest: Vec<CitationAttributes>,
    /// What a reader must know.
    notices: Vec<String>,
    /// How sure it is that the course covers the question, 0 to 1; not whether the answer is right.
    coverage: f64,
    /// Made for somebody of the same course who asked the same; its citations were checked again.
    cached: bool,
}

/// One sentence and what carries it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SentenceAttributes {
    /// The words.
    text: String,
    /// Places in `citations`, from 0.
    citations: Vec<usize>,
}

/// A place of the course, with the words that stand there.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CitationAttributes {
    /// Path within the source.
    source_path: String,
    /// Chapter, section, subsection.
    heading_path: Vec<String>,
    /// The exact place.
    #[schema(value_type = Place)]
    locator: Locator,
    /// The words, verbatim.
    quote: String,
    /// Commit of a git source.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// Where the site of its repository shows the place at that commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// The lesson that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    lesson_id: Option<String>,
}

impl From<Citation> for CitationAttributes {
    fn from(one: Citation) -> Self {
        Self {
            source_path: one.source_path,
            heading_path: one.heading_path,
            locator: one.locator,
            quote: one.quote,
            commit: one.commit,
            address: one.address,
            lesson_id: one.lesson_id,
        }
    }
}

impl From<Answer> for AnswerAttributes {
    fn from(answer: Answer) -> Self {
        let places = |all: Vec<Citation>| all.into_iter().map(CitationAttributes::from).collect();
        Self {
            outcome: answer.outcome,
            mode: answer.mode,
            answer: answer.answer,
            sentences: answer
                .sentences
                .into_iter()
                .map(|one| SentenceAttributes { text: one.text, citations: one.citations })
                .collect(),
            citations: places(answer.citations),
            nearest: places(answer.nearest),
            notices: answer.notices,
            coverage: answer.coverage,
            cached: answer.cached,
        }
    }
}

fn wants_stream(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kinds| kinds.contains("text/event-stream"))
}

pub(super) async fn ask(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<CourseId>,
    headers: HeaderMap,
    Json(question): Json<Question>,
) -> ApiResult<Response> {
    let scope = app.ports.school.scope_for(&caller.actor, id, Action::TutorChat).await?;
    check_question("question", &question.question)?;
    if wants_stream(&headers) {
        let made = app.streams.begin(&app, &caller.actor, scope, question.question)?;
        return Ok(streamed(&app, caller, made, 0));
    }
    let tutor = app.ports.school.tutor();
    let answer = match tutor.answered(&caller.actor).await? {
        Some(answer) => answer,
        None => {
            let answer = app
                .ports
                .assistant
                .by(asking(&caller.actor, Some(id), "tutor"))
                .ask(&scope, &question.question)
                .await?;
            let answer = tutor.hinted(&caller.actor, answer).await?;
            tutor.record(&caller.actor, id, answer).await?
        }
    };
    let message = uuid::Uuid::now_v7();
    let link = format!("/api/v1/courses/{id}/tutor/messages");
    let resource =
        Resource::new("tutorMessages", message, AnswerAttributes::from(answer)).related("course", "courses", id);
    Ok(created(link, resource))
}

pub(super) async fn stream(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<CourseId>,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
) -> ApiResult<Response> {
    let scope = app.ports.school.scope_for(&caller.actor, id, Action::TutorChat).await?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    if let Some((made, next)) = last.and_then(|last| app.streams.resume(&caller.actor, id, last)) {
        return Ok(streamed(&app, caller, made, next));
    }
    let Some(question) = query.question else {
        return Err(Error::invalid("question", "REQUIRED", "this answer is not kept any more; ask again").into());
    };
    check_question("question", &question)?;
    let made = app.streams.begin(&app, &caller.actor, scope, question)?;
    Ok(streamed(&app, caller, made, 0))
}

fn streamed(app: &App, caller: Caller, made: std::sync::Arc<tutor::Made>, next: usize) -> Response {
    let (out, events) = mpsc::channel::<Event>(WAITING);
    tokio::spawn(tutor::send(app.clone(), caller, made, next, out));
    stream::answer(app, events)
}
