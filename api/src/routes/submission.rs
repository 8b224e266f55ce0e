//! What learners handed in: their own view, with what of a grade is released.

use axum::extract::State;
use axum::response::Response;
use domain::appeal::Appeal;
use domain::grade::{Evidence, Grade};
use domain::rubric::Level;
use domain::submission::State as Stand;
use domain::{AssessmentId, CourseId, Error, QuestionId, SubmissionId};
use school::submission::HandedIn;
use serde::{Deserialize, Serialize};
use store::sql::submission::Wanted;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, one, rfc3339};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::routes::course::check_limit;

/// A text to hand in, for a quiz that asks for this one text.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewSubmission {
    /// The quiz.
    assessment_id: String,
    /// Its question.
    question_id: String,
    /// At most 20000 characters.
    text: String,
}

/// A criterion with what was given for it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReleasedMark {
    /// Name within the rubric.
    criterion: String,
    /// For people.
    title: String,
    /// What is looked at.
    description: String,
    /// Its weight beside the others.
    weight: f64,
    /// Name of the level that was given.
    level: String,
    /// That level's share of the weight.
    share: f64,
    /// All levels.
    #[schema(value_type = Vec<Object>)]
    levels: Vec<Level>,
    /// Byte offsets in the text with the words between.
    #[schema(value_type = Vec<Object>)]
    evidence: Vec<Evidence>,
    /// To the learner.
    comment: Option<String>,
}

/// A released grade as its learner sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReleasedGrade {
    /// Points given.
    points: f64,
    /// Points of a full answer.
    most: f64,
    /// How often it was graded.
    version: i64,
    /// To the learner.
    comment: Option<String>,
    /// When a person released it.
    released_at: Option<String>,
    /// By criterion.
    criteria: Vec<ReleasedMark>,
}

/// An appeal.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AppealAttributes {
    /// Its id.
    id: String,
    /// Against which criterion; the whole when missing.
    criterion: Option<String>,
    /// Why the grade is wrong.
    text: String,
    /// `open`, `upheld` or `changed`.
    outcome: String,
    /// The answer to the learner.
    answer: Option<String>,
    /// When it was opened.
    created_at: String,
    /// By when it is to be answered.
    due_at: String,
    /// When it was answered.
    answered_at: Option<String>,
}

impl From<Appeal> for AppealAttributes {
    fn from(appeal: Appeal) -> Self {
        Self {
            id: appeal.id.to_string(),
            criterion: appeal.criterion,
            text: appeal.text,
            outcome: appeal.outcome.as_str().into(),
            answer: appeal.answer,
            created_at: rfc3339(appeal.created_at),
            due_at: rfc3339(appeal.due_at),
            answered_at: appeal.answered_at.map(rfc3339),
        }
    }
}

/// A submission with what is released of its grade.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubmissionAttributes {
    /// What was asked.
    stem: String,
    /// What was handed in, to the byte.
    text: String,
    /// `waiting` or `released`.
    state: String,
    /// Points of a full answer.
    most: f64,
    /// When it came.
    submitted_at: String,
    /// The grade that was released last.
    grade: Option<ReleasedGrade>,
    /// Oldest first.
    appeals: Vec<AppealAttributes>,
}

/// Query of a course's submissions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    #[serde(default)]
    limit: i64,
    cursor: Option<SubmissionId>,
    question: Option<QuestionId>,
}

/// Names of that query, for the description.
pub(super) const LIST_QUERY: &[(&str, &str)] = &[
    ("limit", "1 to 200, 50 when missing"),
    ("cursor", "the last id of the page before"),
    ("question", "only answers to this question"),
];

fn released(found: &mut HandedIn, grade: Grade) -> ReleasedGrade {
    let criteria = grade.marks.into_iter().map(|mark| {
        let shown = found.criteria.iter().find(|one| one.id == mark.criterion).cloned();
        let (title, description, weight, levels) = shown.map_or_else(
            || (mark.criterion.clone(), String::new(), 0.0, Vec::new()),
            |one| (one.title, one.description, one.points, one.levels),
        );
        ReleasedMark {
            criterion: mark.criterion,
            title,
            description,
            weight,
            level: mark.level,
            share: mark.share,
            levels,
            evidence: mark.evidence,
            comment: mark.comment,
        }
    });
    ReleasedGrade {
        points: grade.points,
        most: grade.most,
        version: grade.version,
        comment: grade.comment,
        released_at: grade.released.map(|(_, at)| rfc3339(at)),
        criteria: criteria.collect(),
    }
}

fn resource(mut found: HandedIn) -> Resource<SubmissionAttributes> {
    let grade = found.grade.take().map(|grade| released(&mut found, grade));
    let submission = found.submission;
    let state = if submission.state == Stand::Released { Stand::Released } else { Stand::Waiting };
    let attributes = SubmissionAttributes {
        stem: found.stem,
        text: submission.text,
        state: state.as_str().into(),
        most: submission.most,
        submitted_at: rfc3339(submission.submitted_at),
        grade,
        appeals: found.appeals.into_iter().map(AppealAttributes::from).collect(),
    };
    Resource::new("submissions", submission.id, attributes)
        .related("course", "courses", submission.course_id)
        .related("question", "questions", submission.question_id)
        .related("user", "users", submission.user_id)
}

fn link(id: SubmissionId) -> String {
    format!("/api/v1/submissions/{id}")
}

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewSubmission>,
) -> ApiResult<Response> {
    let (assessment, question) = (new.assessment_id.parse::<AssessmentId>()?, new.question_id.parse::<QuestionId>()?);
    let handed = app.ports.school.attempt().hand_in(&caller.actor, assessment, question, new.text).await?;
    let Some(id) = handed else {
        let message = "nothing waits for a person: the text is empty, a preview, or one of the accepted answers";
        return Err(Error::invalid("text", "NOTHING_TO_JUDGE", message).into());
    };
    Ok(created(link(id), resource(app.ports.school.submission().get(&caller.actor, id).await?)))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<SubmissionId>) -> ApiResult<Response> {
    Ok(one(link(id), resource(app.ports.school.submission().get(&caller.actor, id).await?)))
}

pub(super) async fn of_course(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Response> {
    let limit = check_limit(query.limit)?;
    let wanted = Wanted { question: query.question, after: query.cursor, limit, ..Wanted::default() };
    let found = app.ports.school.submission().list(&caller.actor, course, wanted).await?;
    let current = query.cursor.map(|id| id.to_string());
    let page = Page::of(&found, limit, current, |one| one.submission.id.to_string());
    Ok(many(&format!("/api/v1/courses/{course}/submissions"), found.into_iter().map(resource).collect(), &page))
}
