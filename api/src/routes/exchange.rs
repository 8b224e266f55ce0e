//! The question bank as a file, out and in; what a format cannot hold is named.

use axum::extract::State;
use axum::response::Response;
use domain::question::Draft;
use domain::question::exchange::{self, Format, Loss};
use domain::{CourseId, Error};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::App;
use crate::envelope::{Resource, created, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};

/// What was lost on the way.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LossAttributes {
    /// Where: a line or a question.
    place: String,
    /// What.
    what: String,
}

impl From<Loss> for LossAttributes {
    fn from(loss: Loss) -> Self {
        Self { place: loss.place, what: loss.what }
    }
}

/// A bank as a file.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FileAttributes {
    /// `gift`, `csv` or `qti`.
    format: String,
    /// The file.
    text: String,
    /// How many questions it holds.
    questions: usize,
    /// What it does not hold.
    losses: Vec<LossAttributes>,
}

/// Questions to read into a bank.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewFile {
    /// `gift`, `csv` or `qti`.
    format: String,
    /// The file, at most as large as a request may be.
    text: String,
}

/// What came in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImportedAttributes {
    /// Ids of the drafts.
    ids: Vec<String>,
    /// What did not come in.
    losses: Vec<LossAttributes>,
}

/// Query of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportQuery {
    format: Option<String>,
}

/// Names of that query, for the description.
pub(super) const QUERY: &[(&str, &str)] = &[("format", "`gift` (when missing), `csv` or `qti`")];

fn format(text: &str) -> Result<Format, Error> {
    Format::parse(text).ok_or_else(|| Error::invalid("format", "INVALID_VALUE", "\"format\" is gift, csv or qti"))
}

pub(super) async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Query(query): Query<ExportQuery>,
) -> ApiResult<Response> {
    let format = format(query.format.as_deref().unwrap_or("gift"))?;
    let bank = app.ports.school.question().bank(&caller.actor, course, None).await?;
    let drafts: Vec<Draft> = bank.into_iter().map(|question| question.draft).collect();
    let written = exchange::write(format, &drafts);
    let attributes = FileAttributes {
        format: format.as_str().into(),
        text: written.text,
        questions: drafts.len(),
        losses: written.losses.into_iter().map(LossAttributes::from).collect(),
    };
    let link = format!("/api/v1/courses/{course}/questions/export");
    Ok(one(link, Resource::new("questionFiles", course, attributes).related("course", "courses", course)))
}

pub(super) async fn import(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    Json(new): Json<NewFile>,
) -> ApiResult<Response> {
    let read = exchange::read(format(&new.format)?, &new.text)?;
    let mut losses: Vec<LossAttributes> = read.losses.into_iter().map(LossAttributes::from).collect();
    let (made, elsewhere) = app.ports.school.question().import(&caller.actor, course, read.drafts).await?;
    if elsewhere > 0 {
        let what = format!("{elsewhere} questions named a lesson that this course does not have");
        losses.push(LossAttributes { place: "the file".into(), what });
    }
    let ids = made.into_iter().map(|question| question.id.to_string()).collect();
    let link = format!("/api/v1/courses/{course}/questions");
    let resource = Resource::new("questionFiles", Uuid::now_v7(), ImportedAttributes { ids, losses });
    Ok(created(link, resource.related("course", "courses", course)))
}
