//! Rubrics of questions.

use axum::extract::State;
use axum::response::Response;
use domain::QuestionId;
use domain::rubric::{Criterion, Rubric};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Resource, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path};

/// The next version of a rubric.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewRubric {
    /// 1 to 30: `{"id","title","description","reference","points","levels":[{"id","title","share"}]}`.
    #[schema(value_type = Vec<Object>)]
    criteria: Vec<Criterion>,
}

/// A rubric in one version.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RubricAttributes {
    /// 0 for what the question itself implies.
    version: i64,
    /// In order.
    #[schema(value_type = Vec<Object>)]
    criteria: Vec<Criterion>,
}

fn resource(rubric: Rubric) -> Resource<RubricAttributes> {
    let attributes = RubricAttributes { version: rubric.version, criteria: rubric.criteria };
    Resource::new("rubrics", rubric.question, attributes).related("question", "questions", rubric.question)
}

fn link(question: QuestionId) -> String {
    format!("/api/v1/questions/{question}/rubric")
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<QuestionId>) -> ApiResult<Response> {
    Ok(one(link(id), resource(app.ports.school.rubric().get(&caller.actor, id).await?)))
}

pub(super) async fn set(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<QuestionId>,
    Json(new): Json<NewRubric>,
) -> ApiResult<Response> {
    Ok(one(link(id), resource(app.ports.school.rubric().set(&caller.actor, id, new.criteria).await?)))
}
