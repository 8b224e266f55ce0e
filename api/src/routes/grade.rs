//! Grading: the queue, the bench, proposals, grades, their release, calibration, regrade.

use axum::extract::State;
use axum::response::Response;
use domain::calibration::{Allows, Calibration};
use domain::grade::{Grade, Mark, Proposal};
use domain::rubric::Criterion;
use domain::submission::State as Stand;
use domain::{CourseId, Error, QuestionId, SubmissionId};
use school::Actor;
use school::grade::{NewGrade, Regraded};
use school::submission::{Bench, Queued};
use serde::{Deserialize, Serialize};
use store::sql::grade::Proposed;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, one, rfc3339};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query, asking};
use crate::routes::submission::AppealAttributes;

/// A proposal: not a grade.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProposalAttributes {
    /// Its id.
    id: String,
    /// When it was made.
    created_at: String,
    /// SHA-256 of what it was made from.
    inputs_hash: String,
    /// `rubricVersion`, `origin`, `criteria` with level, evidence, confidence and flags, `share`, `confidence`, `flags`.
    #[schema(value_type = Object)]
    proposal: Proposal,
}

impl From<Proposed> for ProposalAttributes {
    fn from(one: Proposed) -> Self {
        Self {
            id: one.id.to_string(),
            created_at: rfc3339(one.created_at),
            inputs_hash: one.inputs_hash,
            proposal: one.proposal,
        }
    }
}

/// An entry of the history of grades.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GradeAttributes {
    /// 1 for the first; the highest is the current one.
    version: i64,
    /// The rubric's version.
    rubric_version: i64,
    /// Points given.
    points: f64,
    /// Points of a full answer.
    most: f64,
    /// By criterion.
    #[schema(value_type = Vec<Object>)]
    marks: Vec<Mark>,
    /// To the learner.
    comment: Option<String>,
    /// Why it differs from the proposal or from the grade before.
    reason: Option<String>,
    /// Id of the person.
    graded_by: String,
    /// When.
    graded_at: String,
    /// When a person released it.
    released_at: Option<String>,
}

impl From<Grade> for GradeAttributes {
    fn from(grade: Grade) -> Self {
        Self {
            version: grade.version,
            rubric_version: grade.rubric_version,
            points: grade.points,
            most: grade.most,
            marks: grade.marks,
            comment: grade.comment,
            reason: grade.reason,
            graded_by: grade.graded_by.to_string(),
            graded_at: rfc3339(grade.graded_at),
            released_at: grade.released.map(|(_, at)| rfc3339(at)),
        }
    }
}

/// A submission as those see it who grade; its learner is not named.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BenchAttributes {
    /// What was asked.
    stem: String,
    /// A full answer.
    key: Vec<String>,
    /// What was handed in, to the byte.
    text: String,
    /// `waiting`, `graded` or `released`.
    state: String,
    /// Points of a full answer.
    most: f64,
    /// When it came.
    submitted_at: String,
    /// The rubric's version, 0 for what the question implies.
    rubric_version: i64,
    /// What it is judged by.
    #[schema(value_type = Vec<Object>)]
    criteria: Vec<Criterion>,
    /// The newest proposal.
    proposal: Option<ProposalAttributes>,
    /// Every grade, oldest first.
    history: Vec<GradeAttributes>,
    /// Oldest first.
    appeals: Vec<AppealAttributes>,
}

/// A line of the queue; its learner is not named.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueuedAttributes {
    /// What was asked.
    stem: String,
    /// The beginning of the text.
    excerpt: String,
    /// `waiting`, `graded` or `released`.
    state: String,
    /// Points of a full answer.
    most: f64,
    /// When it came.
    submitted_at: String,
    /// Points that are proposed; nothing when not every criterion was judged.
    proposed: Option<f64>,
    /// How sure the proposal is, 0 to 1.
    confidence: Option<f64>,
    /// Why a person should look.
    #[schema(value_type = Vec<String>)]
    flags: Vec<domain::grade::Flag>,
    /// Points of the current grade.
    points: Option<f64>,
    /// By when the open appeal is to be answered.
    appeal_due_at: Option<String>,
}

/// A grade to set.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct GradeChange {
    /// One for each criterion: `{"criterion","level","comment"}`.
    #[schema(value_type = Vec<Object>)]
    marks: Vec<school::grade::NewMark>,
    /// To the learner.
    comment: Option<String>,
    /// Why it differs from the proposal or from the grade before; needed when it does.
    reason: Option<String>,
}

/// Agreement of proposals with people.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CalibrationAttributes {
    /// `rubricVersion`, `graded`, `kappa`, `error`, `weak`, `overscore`, `interval`.
    #[schema(value_type = Object)]
    agreement: Calibration,
    /// `batch`, `one_by_one` or `nothing`.
    #[schema(value_type = String)]
    allows: Allows,
}

/// What a batch did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchAttributes {
    /// Submissions that have a proposal now.
    proposed: usize,
}

/// Whether a regrade writes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Regrade {
    /// True only shows what would change.
    dry_run: bool,
}

/// What a regrade changes.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegradedAttributes {
    /// The rubric's version of the current grade.
    from: i64,
    /// Points of the current grade.
    before: f64,
    /// Points by the newest rubric; nothing where a person has to judge again.
    after: Option<f64>,
    /// Points of a full answer.
    most: f64,
    /// Criteria that a person has to judge again.
    open: Vec<String>,
}

/// A released grade as a line of an export.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExportAttributes {
    /// Login name of the learner.
    username: String,
    /// What was asked.
    stem: String,
    /// Points given.
    points: f64,
    /// Points of a full answer.
    most: f64,
    /// How often it was graded.
    version: i64,
    /// When it was released.
    released_at: String,
}

/// Query of the queue.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueueQuery {
    state: Option<String>,
}

/// Names of that query, for the description.
pub(super) const QUEUE_QUERY: &[(&str, &str)] = &[("state", "`waiting`, `graded` or `released`; all when missing")];

async fn propose_one(app: &App, actor: &Actor, id: SubmissionId) -> Result<(), Error> {
    let grades = app.ports.school.grade();
    let work = grades.ground(actor, id).await?;
    let assistant = app.ports.assistant.by(asking(actor, work.course, "grade"));
    let made = assistant.proposal(&work).await.map_err(Error::from)?;
    grades.propose(actor, id, made.proposal, made.inputs_hash).await?;
    Ok(())
}

fn link(id: SubmissionId) -> String {
    format!("/api/v1/submissions/{id}/grading")
}

fn bench(found: Bench) -> Resource<BenchAttributes> {
    let submission = found.submission;
    let attributes = BenchAttributes {
        stem: found.stem,
        key: found.key,
        text: submission.text,
        state: submission.state.as_str().into(),
        most: submission.most,
        submitted_at: rfc3339(submission.submitted_at),
        rubric_version: found.rubric.version,
        criteria: found.rubric.criteria,
        proposal: found.proposal.map(ProposalAttributes::from),
        history: found.history.into_iter().map(GradeAttributes::from).collect(),
        appeals: found.appeals.into_iter().map(AppealAttributes::from).collect(),
    };
    Resource::new("gradings", submission.id, attributes).related("course", "courses", submission.course_id).related(
        "question",
        "questions",
        submission.question_id,
    )
}

fn queued(found: Queued) -> Resource<QueuedAttributes> {
    let most = found.submission.most;
    let proposal = found.proposal.map(|one| one.proposal);
    let attributes = QueuedAttributes {
        stem: found.stem,
        excerpt: found.submission.text.chars().take(160).collect(),
        state: found.submission.state.as_str().into(),
        most,
        submitted_at: rfc3339(found.submission.submitted_at),
        proposed: proposal.as_ref().and_then(|one| one.share).map(|share| domain::grade::points(share, most)),
        confidence: proposal.as_ref().map(|one| one.confidence),
        flags: proposal.map(|one| one.flags).unwrap_or_default(),
        points: found.grade.map(|grade| grade.points),
        appeal_due_at: found.appeal.map(|appeal| rfc3339(appeal.due_at)),
    };
    Resource::new("gradings", found.submission.id, attributes).related(
        "question",
        "questions",
        found.submission.question_id,
    )
}

pub(super) async fn queue(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Query(query): Query<QueueQuery>,
) -> ApiResult<Response> {
    let state = match query.state.as_deref() {
        None => None,
        Some(text) => Some(
            Stand::parse(text)
                .ok_or_else(|| Error::invalid("state", "INVALID_VALUE", "\"state\" is waiting, graded or released"))?,
        ),
    };
    let found = app.ports.school.submission().queue(&caller.actor, course, state).await?;
    let page = Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() };
    Ok(many(&format!("/api/v1/courses/{course}/grading"), found.into_iter().map(queued).collect(), &page))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<SubmissionId>) -> ApiResult<Response> {
    Ok(one(link(id), bench(app.ports.school.submission().bench(&caller.actor, id).await?)))
}

pub(super) async fn propose(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<SubmissionId>,
) -> ApiResult<Response> {
    propose_one(&app, &caller.actor, id).await?;
    Ok(created(link(id), bench(app.ports.school.submission().bench(&caller.actor, id).await?)))
}

pub(super) async fn set(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<SubmissionId>,
    Json(new): Json<GradeChange>,
) -> ApiResult<Response> {
    let new = NewGrade { marks: new.marks, comment: new.comment, reason: new.reason };
    let grade = app.ports.school.grade().set(&caller.actor, id, new).await?;
    Ok(one(link(id), grade_resource(grade)))
}

pub(super) async fn release(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<SubmissionId>,
) -> ApiResult<Response> {
    Ok(one(link(id), grade_resource(app.ports.school.grade().release(&caller.actor, id).await?)))
}

fn grade_resource(grade: Grade) -> Resource<GradeAttributes> {
    let submission = grade.submission_id;
    Resource::new("grades", grade.id, GradeAttributes::from(grade)).related("submission", "submissions", submission)
}

pub(super) async fn calibration(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<QuestionId>,
) -> ApiResult<Response> {
    let agreement = app.ports.school.grade().calibration(&caller.actor, id).await?;
    let attributes = CalibrationAttributes { allows: agreement.allows(), agreement };
    Ok(one(format!("/api/v1/questions/{id}/calibration"), Resource::new("calibrations", id, attributes)))
}

pub(super) async fn batch(State(app): State<App>, caller: Caller, Path(id): Path<QuestionId>) -> ApiResult<Response> {
    let waiting = app.ports.school.grade().batch(&caller.actor, id).await?;
    let actor = Actor { idempotency: None, ..caller.actor.clone() };
    for submission in &waiting {
        propose_one(&app, &actor, *submission).await?;
    }
    let attributes = BatchAttributes { proposed: waiting.len() };
    let link = format!("/api/v1/questions/{id}/calibration");
    Ok(created(link, Resource::new("proposalSets", uuid::Uuid::now_v7(), attributes)))
}

pub(super) async fn regrade(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<QuestionId>,
    Json(wanted): Json<Regrade>,
) -> ApiResult<Response> {
    let found = app.ports.school.grade().regrade(&caller.actor, id, wanted.dry_run).await?;
    let line = |one: Regraded| {
        let attributes =
            RegradedAttributes { from: one.from, before: one.before, after: one.after, most: one.most, open: one.open };
        Resource::new("regrades", one.submission, attributes)
    };
    let page = Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() };
    Ok(many(&format!("/api/v1/questions/{id}/regrade"), found.into_iter().map(line).collect(), &page))
}

pub(super) async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
) -> ApiResult<Response> {
    let found = app.ports.school.grade().export(&caller.actor, course).await?;
    let page = Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() };
    let line = |one: school::grade::Line| {
        let attributes = ExportAttributes {
            username: one.username,
            stem: one.stem,
            points: one.points,
            most: one.most,
            version: one.version,
            released_at: rfc3339(one.released_at),
        };
        Resource::new("grades", one.submission, attributes)
    };
    Ok(many(&format!("/api/v1/courses/{course}/grades"), found.into_iter().map(line).collect(), &page))
}
