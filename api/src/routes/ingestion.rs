//! Ingestions: starting and reading them.

use std::path::PathBuf;

use axum::extract::{FromRequest as _, Multipart, Request, State};
use axum::http::header;
use axum::response::Response;
use domain::ingestion::{Crawl, SourceKind};
use domain::{CourseId, Error, ErrorKind, IngestionId, UploadId};
use school::ingestion::Location;
use school::ingestion::control::{Changed, Status};
use school::upload::UPLOAD_INCOMPLETE;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, one, rfc3339};
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
    /// `git`, `youtube`, `video-page` and `web` by address; `scorm`, `file`, `video`, `cartridge`, `qti`, `h5p` and `cmi5` as uploads.
    kind: String,
    /// An https address on the list of allowed hosts.
    url: Option<String>,
    /// Instead of an address, a whole file that came in pieces.
    #[schema(value_type = Option<String>)]
    upload: Option<UploadId>,
    /// Captions of such a recording, that came in the same way.
    #[schema(value_type = Option<String>)]
    captions: Option<UploadId>,
    /// For `web`: the pages that the first one links to as well.
    #[serde(default)]
    site: bool,
    /// For a site: most pages, up to 1000; 50 unless given.
    max_pages: Option<usize>,
    /// For a site: most links between the first page and the last, up to 10; 3 unless given.
    depth: Option<usize>,
}

/// An ingestion.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IngestionAttributes {
    /// `running`, `paused`, `succeeded`, `partial`, `failed` or `cancelled`.
    state: String,
    /// `fetch`, `chunk`, `publish`, `embed`, `index` or `transcode`.
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
    /// Documents that the source held.
    documents: i64,
    /// Their bytes.
    bytes: i64,
    /// Seconds of work so far.
    elapsed_seconds: f64,
    /// Seconds that are left, while it is not over and its size is known.
    left_seconds: Option<f64>,
    /// What that estimate rests on.
    left_basis: Option<String>,
    /// What it waits for: code, message, and until when, if it goes on by itself.
    #[schema(value_type = Option<Object>)]
    waiting: Option<Value>,
    /// Documents that could not be read, each with code and message; only when one ingestion is read.
    #[schema(value_type = Vec<Object>)]
    failed: Value,
    /// What can be done with it now: `pause`, `resume`, `retry`, `cancel`.
    actions: Vec<&'static str>,
}

/// What was done with an ingestion.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IngestionChange {
    /// What happened, and what was kept.
    message: String,
    /// The run that goes on; of a retry a new one.
    ingestion: String,
}

/// What an ingestion would bring. Nothing was written.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlanAttributes {
    /// Name of the source.
    title: String,
    /// Commit of a git source.
    commit: Option<String>,
    /// Number of documents.
    documents: i64,
    /// Bytes of documents and recordings.
    bytes: i64,
    /// Passages to expect.
    passages: f64,
    /// Questions for the bank of the course.
    questions: i64,
    /// Against what is published: `new`, `changed`, `unchanged`, `again`, `vanished`, and whether `nothing` changes.
    #[schema(value_type = Object)]
    changes: Value,
    /// Time of a run: `seconds`, and the `basis` that it rests on.
    #[schema(value_type = Object)]
    estimate: Value,
    /// Room on the disk, in bytes: `needed`, `free`, `reserve`, and whether it is `enough`.
    #[schema(value_type = Object)]
    disk: Value,
    /// What a reader should know.
    #[schema(value_type = Vec<Object>)]
    warnings: Value,
    /// What could not be read.
    #[schema(value_type = Vec<Object>)]
    failures: Value,
}

/// Query of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    course: CourseId,
}

pub(super) fn attributes(status: &Status) -> IngestionAttributes {
    let one = &status.run;
    let waiting = status.waiting.as_ref().map(
        |waiting| json!({ "code": waiting.code, "message": waiting.message, "until": waiting.until.map(rfc3339) }),
    );
    let failed = status
        .failed
        .iter()
        .map(|(path, failure)| json!({ "path": path, "code": failure.code, "message": failure.message }));
    IngestionAttributes {
        state: one.shown_state().to_owned(),
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
        documents: one.documents,
        bytes: one.bytes,
        elapsed_seconds: status.elapsed_seconds,
        left_seconds: status.left.as_ref().map(|left| left.seconds),
        left_basis: status.left.as_ref().map(|left| left.basis.clone()),
        waiting,
        failed: failed.collect(),
        actions: status.actions.clone(),
    }
}

fn resource(status: &Status) -> Resource<IngestionAttributes> {
    let one = &status.run;
    Resource::new("ingestions", one.id, attributes(status))
        .related("course", "courses", one.course_id)
        .related("source", "sources", one.source_id)
        .at(one.created_at, one.updated_at)
}

fn kind_of(text: &str) -> Result<SourceKind, Error> {
    SourceKind::parse(text).ok_or_else(|| {
        Error::invalid(
            "kind",
            "INVALID_FORMAT",
            format!("\"{text}\" is no kind; it is one of git, scorm, file, video, cartridge, qti, h5p, cmi5, youtube, video-page, web"),
        )
    })
}

/// What JSON asks for: an address, or files that came in pieces.
async fn asked(app: &App, caller: &Caller, new: NewIngestion) -> ApiResult<school::ingestion::NewIngestion> {
    let known = Crawl::default();
    let crawl = Crawl {
        site: new.site,
        max_pages: new.max_pages.unwrap_or(known.max_pages),
        depth: new.depth.unwrap_or(known.depth),
    };
    if !(1..=Crawl::MOST_PAGES).contains(&crawl.max_pages) {
        let message = format!("\"maxPages\" is 1 to {}", Crawl::MOST_PAGES);
        return Err(Error::invalid("maxPages", "OUT_OF_RANGE", message).into());
    }
    if crawl.depth > Crawl::DEEPEST {
        return Err(Error::invalid("depth", "OUT_OF_RANGE", format!("\"depth\" is 0 to {}", Crawl::DEEPEST)).into());
    }
    let (course, kind) = (new.course_id.parse::<CourseId>()?, kind_of(&new.kind)?);
    let uploads: Vec<UploadId> = new.upload.into_iter().chain(new.captions).collect();
    let location = match (new.url, new.upload) {
        (Some(url), None) if new.captions.is_none() => Location::Url(url),
        (None, Some(upload)) => {
            let (path, name) = whole(app, caller, course, upload).await?;
            let captions = match new.captions {
                Some(captions) => Some(whole(app, caller, course, captions).await?.0),
                None => None,
            };
            Location::Upload { path, name, captions }
        }
        _ => {
            let message = "an ingestion is of \"url\" or of \"upload\"; \"captions\" belong to an upload";
            return Err(Error::invalid("url", "REQUIRED", message).into());
        }
    };
    Ok(school::ingestion::NewIngestion { course, kind, location, crawl, uploads })
}

/// A file that came in pieces, once all of them are here.
async fn whole(app: &App, caller: &Caller, course: CourseId, id: UploadId) -> ApiResult<(PathBuf, String)> {
    let found = app.ports.school.upload().get(&caller.actor, id).await?;
    if found.course_id != course {
        let message = "the upload was begun for another course";
        return Err(Error::invalid("upload", "INVALID_FORMAT", message).into());
    }
    let path = upload::path(&app.ports.upload_dir, &found);
    let here = upload::arrived(&path).await?;
    if here != found.length {
        let message = format!("{here} of {} bytes of \"{}\" are here; send the rest first", found.length, found.name);
        return Err(Error::new(ErrorKind::Conflict, message).with_code(UPLOAD_INCOMPLETE).into());
    }
    Ok((path, found.name))
}

pub(super) async fn plan(State(app): State<App>, caller: Caller, Json(new): Json<NewIngestion>) -> ApiResult<Response> {
    let new = asked(&app, &caller, new).await?;
    let plan = app.ports.school.ingestion().plan(&caller.actor, new).await?;
    let id = plan.get("fingerprint").and_then(Value::as_str).unwrap_or_default().to_owned();
    let attributes: PlanAttributes = serde_json::from_value(plan)
        .map_err(|error| Error::new(domain::ErrorKind::Internal, format!("the plan is damaged: {error}")))?;
    Ok(one("/api/v1/ingestions/plan", Resource::new("plans", id, attributes)))
}

fn changed(changed: Changed) -> Response {
    let link = format!("/api/v1/ingestions/{}", changed.id);
    let attributes = IngestionChange { message: changed.message, ingestion: changed.id.to_string() };
    one(link, Resource::new("ingestion-changes", changed.id, attributes))
}

pub(super) async fn pause(State(app): State<App>, caller: Caller, Path(id): Path<IngestionId>) -> ApiResult<Response> {
    Ok(changed(app.ports.school.ingestion().pause(&caller.actor, id).await?))
}

pub(super) async fn resume(State(app): State<App>, caller: Caller, Path(id): Path<IngestionId>) -> ApiResult<Response> {
    Ok(changed(app.ports.school.ingestion().resume(&caller.actor, id).await?))
}

pub(super) async fn retry(State(app): State<App>, caller: Caller, Path(id): Path<IngestionId>) -> ApiResult<Response> {
    Ok(changed(app.ports.school.ingestion().retry(&caller.actor, id).await?))
}

pub(super) async fn cancel(State(app): State<App>, caller: Caller, Path(id): Path<IngestionId>) -> ApiResult<Response> {
    Ok(changed(app.ports.school.ingestion().cancel(&caller.actor, id).await?))
}

async fn begun(app: &App, caller: &Caller, id: IngestionId) -> ApiResult<Response> {
    let status = app.ports.school.ingestion().status(&caller.actor, id).await?;
    Ok(created(format!("/api/v1/ingestions/{id}"), resource(&status)))
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
            Ok((course, kind)) => {
                let (crawl, uploads) = (Crawl::default(), Vec::new());
                (school::ingestion::NewIngestion { course, kind, location, crawl, uploads }, folder)
            }
            Err(error) => {
                if let Some(folder) = folder {
                    upload::discard(&folder).await;
                }
                return Err(error.into());
            }
        }
    } else {
        let Json(new) = Json::<NewIngestion>::from_request(request, &app).await?;
        // An upload is gone once it is ingested, so the first answer is looked for before the upload is.
        if let Some(before) = ingestions.answered(&caller.actor).await? {
            return begun(&app, &caller, before.id).await;
        }
        (asked(&app, &caller, new).await?, None)
    };
    match ingestions.start(&caller.actor, new).await {
        Ok(started) => begun(&app, &caller, started.id).await,
        Err(error) => {
            if let Some(folder) = folder {
                upload::discard(&folder).await;
            }
            Err(error.into())
        }
    }
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<IngestionId>) -> ApiResult<Response> {
    let found = app.ports.school.ingestion().status(&caller.actor, id).await?;
    Ok(one(format!("/api/v1/ingestions/{id}"), resource(&found)))
}

pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> ApiResult<Response> {
    let found = app.ports.school.ingestion().statuses(&caller.actor, query.course).await?;
    let page = Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() };
    Ok(many("/api/v1/ingestions", found.iter().map(resource).collect(), &page))
}
