//! Lessons: their text and their media.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::media::{CAPTIONS, MASTER};
use domain::{CourseId, Error, LessonId, Locator};
use school::lesson::StreamFile;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, many, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Path};
use crate::media;

/// A lesson in the list of a course.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LessonAttributes {
    /// Name.
    title: String,
    /// `VIDEO`, `DOCUMENT`, `INTERACTIVE`, `QUIZ` or `DISCUSSION`.
    kind: String,
    /// Place in its module.
    position: i64,
    /// Not shown to learners; only those who may read hidden lessons see this one at all.
    hidden: bool,
}

/// A lesson with its text.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContentAttributes {
    /// Name.
    title: String,
    /// `VIDEO`, `DOCUMENT`, `INTERACTIVE`, `QUIZ` or `DISCUSSION`.
    kind: String,
    /// Not shown to learners.
    hidden: bool,
    /// The document behind it.
    document: Option<DocumentAttributes>,
    /// Its text in reading order.
    passages: Vec<PassageAttributes>,
    /// Where its recording or document is served.
    media_url: Option<String>,
    /// Where the streams of its recording begin (HLS); nothing until it is transcoded.
    hls_url: Option<String>,
    /// Its captions as `WebVTT`.
    captions_url: Option<String>,
}

/// The document behind a lesson.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DocumentAttributes {
    /// Path within its source.
    path: String,
    /// Title.
    title: String,
    /// `markdown`, `html`, `pdf`, `transcript`, `video`, `scorm`, `docx`, `pptx`, `notebook` or `csv`.
    kind: String,
}

/// A passage of a lesson.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PassageAttributes {
    /// Chapter, section, subsection.
    heading_path: Vec<String>,
    /// The words.
    text: String,
    /// The exact place.
    #[schema(value_type = Place)]
    locator: Locator,
}

/// An exact place in a source.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Place {
    /// `lines`, `page`, `time`, `section`, `slide` or `cell`.
    kind: String,
    /// First line, page, section, slide or cell, or seconds.
    start: f64,
    /// Last line, page, section, slide or cell, or seconds.
    end: f64,
}

pub(super) async fn of_course(State(app): State<App>, caller: Caller, Path(id): Path<CourseId>) -> ApiResult<Response> {
    let outline = app.ports.school.lesson().outline(&caller.actor, id).await?;
    let resources: Vec<_> = outline
        .modules
        .into_iter()
        .flat_map(|(_, lessons)| lessons)
        .map(|lesson| {
            let attributes = LessonAttributes {
                title: lesson.title,
                kind: lesson.kind,
                position: lesson.position,
                hidden: lesson.hidden,
            };
            Resource::new("content", lesson.id, attributes).related("course", "courses", id).related(
                "module",
                "modules",
                lesson.module_id,
            )
        })
        .collect();
    let page = Page { limit: i64::try_from(resources.len()).unwrap_or_default(), ..Page::default() };
    Ok(many(&format!("/api/v1/courses/{id}/content"), resources, &page))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<LessonId>) -> ApiResult<Response> {
    let content = app.ports.school.lesson().get(&caller.actor, id).await?;
    let link = format!("/api/v1/content/{id}");
    let media_url = content.media().map(|_| format!("{link}/media"));
    let hls_url = content.streams.as_ref().map(|_| format!("{link}/hls/{MASTER}"));
    let captions_url = content.captions().map(|_| format!("{link}/hls/{CAPTIONS}"));
    let lesson = content.lesson;
    let attributes = ContentAttributes {
        title: lesson.title,
        kind: lesson.kind,
        hidden: lesson.hidden,
        document: content.shown.map(|shown| DocumentAttributes {
            path: shown.path,
            title: shown.title,
            kind: shown.kind,
        }),
        passages: content
            .passages
            .into_iter()
            .map(|passage| PassageAttributes {
                heading_path: passage.heading_path,
                text: passage.text,
                locator: passage.locator,
            })
            .collect(),
        media_url,
        hls_url,
        captions_url,
    };
    let resource = Resource::new("content", id, attributes).related("course", "courses", lesson.course_id).related(
        "module",
        "modules",
        lesson.module_id,
    );
    Ok(one(link, resource))
}

pub(super) async fn media(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LessonId>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (institution, blob) = app.ports.school.lesson().media(&caller.actor, id).await?;
    let blob = blob.ok_or_else(|| Error::not_found("media of content", id))?;
    media::serve(&app.ports.blobs, institution, &blob, &headers).await
}

pub(super) async fn stream(
    State(app): State<App>,
    caller: Caller,
    Path((id, file)): Path<(LessonId, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (institution, found) = app.ports.school.lesson().stream(&caller.actor, id, &file).await?;
    match found.ok_or_else(|| Error::not_found("stream of content", id))? {
        StreamFile::Playlist { text, tag } => Ok(media::playlist(text, &tag, &headers)),
        StreamFile::Blob(blob) => media::serve_made(&app.ports.blobs, institution, &blob, &headers).await,
    }
}

pub(super) async fn source(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LessonId>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (institution, blob) = app.ports.school.lesson().source(&caller.actor, id).await?;
    let blob = blob.ok_or_else(|| Error::not_found("source of content", id))?;
    media::serve(&app.ports.blobs, institution, &blob, &headers).await
}
