//! Ingestions: starting and reading them.

use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::header;
use axum::response::Response;
use domain::ingestion::SourceKind;
use domain::{CourseId, Error, IngestionId};
use school::ingestion::Location;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::sql::ingestion::Ingestion;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::upload;

pub(super) const LIST_QUERY: &[(&str, &str)] = &[("course", "Id of the course")];

/// What is ingested. As multipart/form-data the fields are `courseId`, `kind`, `file` and, for a video, `captions`.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewIngestion {
    /// Into this course.
    course_id: String,
    /// `git` by address; `scorm`, `file`, `video`, `cartridge`, `qti`, `h5p` and `cmi5` as uploads.
    kind: String,
    /// An https address on the list of allowed hosts.
    url: String,
}

/// An ingestion.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IngestionAttributes {
    /// `running`, `succeeded`, `partial` or `failed`.
    state: String,
    /// `fetch`, `chunk`, `publish`, `embed` or `index`.
    stage: &'static str,
    /// Units of the stage that are done.
    done: i64,
    /// Units that the stage has.
    total: i64,
    /// Modules of this source version, once it ended.
    modules: i64,
    /// Lessons of this source version, once it ended.
    lessons: i64,
    /// Chunks of this source version, once it ended.
    chunks: i64,
    /// Chunks embedded by this run.
    embedded: i64,
    /// Why not everything was read: code and message.
    #[schema(value_type = Option<Object>)]
    error: Option<Value>,
    /// What a reader should know; content was kept.
    #[schema(value_type = Vec<Object>)]
    warnings: Value,
    /// Stages that are done, with their times.
    #[schema(value_type = Vec<Object>)]
    stages: Value,
}

/// Query of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    course: CourseId,
}

pub(super) fn attributes(one: &Ingestion) -> IngestionAttributes {
    IngestionAttributes {
        state: one.state.clone(),
        stage: one.stage.as_str(),
        done: one.done,
        total: one.total,
        modules: one.modules,
        lessons: one.lessons,
        chunks: one.chunks,
        embedded: one.embedded,
        error: one.error.as_ref().and_then(|error| serde_json::to_value(error).ok()),
        warnings: serde_json::to_value(&one.warnings).unwrap_or_default(),
        stages: serde_json::to_value(&one.stages).unwrap_or_default(),
    }
}

fn resource(one: &Ingestion) -> Resource<IngestionAttributes> {
    Resource::new("ingestions", one.id, attributes(one))
        .related("course", "courses", one.course_id)
        .at(one.created_at, one.updated_at)
}

fn kind_of(text: &str) -> Result<SourceKind, Error> {
    SourceKind::parse(text).ok_or_else(|| {
        Error::invalid(
            "kind",
            "INVALID_FORMAT",
            format!("\"{text}\" is no kind; it is one of git, scorm, file, video, cartridge, qti, h5p, cmi5, youtube, video-page"),
        )
    })
}

pub(super) async fn create(State(app): State<App>, caller: Caller, request: Request) -> ApiResult<Response> {
    let form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("multipart/form-data"));
    let ingestions = app.ports.school.ingestion();
    let (new, folder) = if form {
        let multipart = Multipart::from_request(request, &app)
            .await
            .map_err(|_| Error::invalid("body", "INVALID_FORMAT", "the form is broken"))?;
        let form = upload::read(multipart, &app.ports.upload_dir).await?;
        let missing = |field: &str| Error::invalid(field, "REQUIRED", format!("the form needs \"{field}\""));
        let (path, name) = form.file.ok_or_else(|| missing("file"))?;
        let folder = path.parent().map(std::path::Path::to_owned);
        let parsed = form
            .course
            .ok_or_else(|| missing("courseId"))
            .and_then(|id| id.parse::<CourseId>())
            .and_then(|course| Ok((course, kind_of(form.kind.as_deref().unwrap_or_default())?)));
        let location = Location::Upload { path, name, captions: form.captions };
        match parsed {
            Ok((course, kind)) => (school::ingestion::NewIngestion { course, kind, location }, folder),
            Err(error) => {
                if let Some(folder) = folder {
                    upload::discard(&folder).await;
                }
                return Err(error.into());
            }
        }
    } else {
        let Json(new) = Json::<NewIngestion>::from_request(request, &app).await?;
        let course = new.course_id.parse::<CourseId>()?;
        let kind = kind_of(&new.kind)?;
        (school::ingestion::NewIngestion { course, kind, location: Location::Url(new.url) }, None)
    };
    match ingestions.start(&caller.actor, new).await {
        Ok(started) => Ok(created(format!("/api/v1/ingestions/{}", started.id), resource(&started))),
        Err(error) => {
            if let Some(folder) = folder {
                upload::discard(&folder).await;
            }
            Err(error.into())
        }
    }
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<IngestionId>) -> ApiResult<Response> {
    let found = app.ports.school.ingestion().get(&caller.actor, id).await?;
    Ok(one(format!("/api/v1/ingestions/{id}"), resource(&found)))
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> ApiResult<Response> {
    let found = app.ports.school.ingestion().list(&caller.actor, query.course).await?;
    let page = Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() };
    Ok(many("/api/v1/ingestions", found.iter().map(resource).collect(), &page))
}
