//! Lessons: their text and their media.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::chapter::{ChapterOrigin, Chapters};
use domain::media::{CAPTIONS, MASTER};
use domain::{CourseId, Error, LessonId, Locator};
use school::lesson::LessonContent;
use school::playback::Place as Left;
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
    /// Its recording, where it is one.
    video: Option<VideoContent>,
}

/// The recording of a lesson.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VideoContent {
    /// Where a player asks for addresses to play; nothing when the recording stays with another site.
    url: Option<String>,
    /// Seconds, where they are known.
    duration: Option<f64>,
    /// What is said, line by line.
    transcripts: Vec<TrackAttributes>,
    /// The same for players.
    captions: Vec<TrackAttributes>,
    /// In order of time; may be none.
    chapters: Vec<ChapterAttributes>,
    /// Who says where chapters begin: `site`, `container`, `file` or `topics` (shifts of topic in the transcript).
    chapters_by: Option<String>,
    /// The site that shows the recording, where it is not kept here.
    player: Option<PlayerAttributes>,
    /// Seconds at which the caller left it.
    resume_at: Option<f64>,
    /// The caller is a learner, whose place is kept.
    keeps_position: bool,
    /// It is played encrypted and not given out as a file.
    protected: bool,
}

/// A transcript or captions in one language.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrackAttributes {
    /// BCP 47 tag, where it is known.
    language: Option<String>,
    /// Who wrote it: `human`, `automatic` or `rough`; nothing when it is not known.
    kind: Option<String>,
    /// Where it is.
    url: String,
}

/// A chapter of a recording.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChapterAttributes {
    /// Seconds at which it begins.
    start: f64,
    /// Seconds at which it ends.
    end: f64,
    /// Name.
    title: String,
}

/// A site that shows a recording.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PlayerAttributes {
    /// `youtube` or `page`.
    provider: String,
    /// The recording there.
    id: String,
    /// Its page there.
    url: String,
    /// Its owner lets other sites show it; nothing when the site does not say.
    embeddable: Option<bool>,
}

/// Milliseconds as the seconds of an answer.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of a recording fit 53 bits")]
pub(super) fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn origin(chapters: &Chapters) -> String {
    let name = match chapters.origin {
        ChapterOrigin::Site => "site",
        ChapterOrigin::Container => "container",
        ChapterOrigin::File => "file",
        ChapterOrigin::Topics => "topics",
    };
    name.to_owned()
}

fn video(link: &str, content: &LessonContent, place: Option<Left>) -> Option<VideoContent> {
    content.captions()?;
    let text = |value: Option<&serde_json::Value>, name: &str| {
        value.and_then(|value| value.get(name)?.as_str()).map(str::to_owned)
    };
    let captions = content.extra("captions");
    let rough = content.extra("transcript").map(|note| note.get("rough").and_then(serde_json::Value::as_bool));
    let track = |url: String| TrackAttributes {
        language: text(captions, "language")
            .or_else(|| content.extra("language").and_then(serde_json::Value::as_str).map(str::to_owned)),
        kind: text(captions, "kind")
            .or_else(|| rough.map(|rough| if rough == Some(true) { "rough" } else { "automatic" }.to_owned())),
        url,
    };
    let chapters = content.chapters();
    let player = content.extra("player").filter(|_| content.media().is_none());
    Some(VideoContent {
        url: content.media().map(|_| format!("{link}/streaming-url")),
        duration: content.seconds(),
        transcripts: vec![track(format!("{link}/transcript"))],
        captions: vec![track(format!("{link}/hls/{CAPTIONS}"))],
        chapters_by: chapters.as_ref().map(origin),
        chapters: chapters
            .into_iter()
            .flat_map(|chapters| chapters.list)
            .map(|one| ChapterAttributes { start: seconds(one.start), end: seconds(one.end), title: one.title })
            .collect(),
        player: player.and_then(|player| {
            Some(PlayerAttributes {
                provider: text(Some(player), "provider")?,
                id: text(Some(player), "id")?,
                url: text(Some(player), "url")?,
                embeddable: player.get("embeddable").and_then(serde_json::Value::as_bool),
            })
        }),
        resume_at: place.and_then(|place| place.seconds),
        keeps_position: place.is_some(),
        protected: content.protected,
    })
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
    let place = match content.captions() {
        Some(_) => app.ports.school.playback().place(&caller.actor, &content).await?,
        None => None,
    };
    let video = video(&link, &content, place);
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
        video,
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
    let found = found.ok_or_else(|| Error::not_found("stream of content", id))?;
    super::playback::answer(&app, &caller.actor, id, institution, (&file, found), &headers).await
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
