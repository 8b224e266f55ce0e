//! Playing recordings: addresses for players, their files, where a learner left, and protection.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use domain::media::protect::Wanted;
use domain::media::{CAPTIONS, MASTER};
use domain::policy::Actor;
use domain::{CourseId, Error, InstitutionId, LessonId};
use school::lesson::StreamFile;
use school::playback::RECORDING;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Resource, one, rfc3339};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::media;

/// Addresses that a player asks without a login of its own; they stand for the caller until they expire.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StreamingAttributes {
    /// Where the streams begin (HLS); nothing until the recording is transcoded.
    hls_url: Option<String>,
    /// The recording itself, by range; nothing where it is protected.
    media_url: Option<String>,
    /// MIME type of the recording itself.
    media_type: Option<String>,
    /// Its captions as `WebVTT`.
    captions_url: Option<String>,
    /// A still picture.
    poster_url: Option<String>,
    /// `WebVTT` that says which part of which picture shows which second.
    thumbnails_url: Option<String>,
    /// The streams are encrypted.
    protected: bool,
    /// From here on the addresses are void; ask again.
    expires_at: String,
}

/// Where a learner is in a recording.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PositionChange {
    /// Seconds from its start.
    seconds: f64,
}

/// How recordings of a course are played, as it should be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CourseMediaChange {
    /// Encrypted, and not given out as files.
    protected: bool,
}

/// How recordings of a course are played.
#[derive(Serialize, ToSchema)]
pub(crate) struct CourseMediaAttributes {
    /// Encrypted, and not given out as files.
    protected: bool,
}

/// Query of a player's page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlayerQuery {
    /// Second at which it begins.
    #[serde(default)]
    start: u32,
}

pub(super) const PLAYER_QUERY: &[(&str, &str)] = &[("start", "second at which it begins")];

pub(super) async fn begin(State(app): State<App>, caller: Caller, Path(id): Path<LessonId>) -> ApiResult<Response> {
    let begun = app.ports.school.playback().begin(&caller.actor, id).await?;
    let at = |file: &str| format!("/api/v1/streams/{}/{file}", begun.ticket);
    let streams = begun.content.streams.as_ref();
    let attributes = StreamingAttributes {
        hls_url: streams.map(|_| at(MASTER)),
        media_url: begun.by_range.then(|| at(RECORDING)),
        media_type: begun.content.media().and_then(|(_, media_type)| media_type).filter(|_| begun.by_range),
        captions_url: begun.content.captions().map(|_| at(CAPTIONS)),
        poster_url: streams.and_then(|streams| streams.poster.as_deref()).map(at),
        thumbnails_url: streams.and_then(|streams| streams.thumbnails.as_deref()).map(at),
        protected: begun.content.protected,
        expires_at: rfc3339(begun.expires_at),
    };
    let resource = Resource::new("streaming-urls", id, attributes).related("content", "content", id);
    Ok(one(format!("/api/v1/content/{id}/streaming-url"), resource))
}

pub(super) async fn file(
    State(app): State<App>,
    Path((ticket, file)): Path<(String, String)>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let (actor, id, institution, found) = app.ports.school.playback().file(&ticket, &file).await?;
    let found = found.ok_or_else(|| Error::not_found("stream", &file))?;
    answer(&app, &actor, id, institution, (&file, found), &headers).await
}

/// A file of a lesson's streams as an answer.
pub(super) async fn answer(
    app: &App,
    actor: &Actor,
    id: LessonId,
    institution: InstitutionId,
    (name, file): (&str, StreamFile),
    headers: &HeaderMap,
) -> ApiResult<Response> {
    let blobs = &app.ports.blobs;
    match file {
        StreamFile::Playlist { text, tag } => Ok(media::playlist(text, &tag, headers)),
        StreamFile::Blob(blob) if name == RECORDING => media::serve(blobs, institution, &blob, headers).await,
        StreamFile::Blob(blob) => media::serve_made(blobs, institution, &blob, headers).await,
        StreamFile::Captions => {
            let text = app.ports.school.transcript(blobs.as_ref()).captions(actor, id).await?;
            Ok(media::text(text, "text/vtt; charset=utf-8", headers))
        }
        StreamFile::Key(key) => Ok(media::key(key)),
        StreamFile::Protected { playlist, data, key } => {
            let wanted = Wanted::parse(name).ok_or_else(|| Error::not_found("stream", name))?;
            media::protected(blobs, institution, wanted, (&playlist, &data), &key, headers).await
        }
    }
}

pub(super) async fn pause(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LessonId>,
    Json(change): Json<PositionChange>,
) -> ApiResult<Response> {
    app.ports.school.playback().pause(&caller.actor, id, change.seconds).await?;
    Ok(axum::http::StatusCode::NO_CONTENT.into_response())
}

fn protection(course: CourseId, protected: bool) -> Response {
    let resource = Resource::new("course-media", course, CourseMediaAttributes { protected });
    one(format!("/api/v1/courses/{course}/media"), resource.related("course", "courses", course))
}

pub(super) async fn protected(State(app): State<App>, caller: Caller, Path(id): Path<CourseId>) -> ApiResult<Response> {
    Ok(protection(id, app.ports.school.playback().protected(&caller.actor, id).await?))
}

pub(super) async fn protect(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<CourseId>,
    Json(change): Json<CourseMediaChange>,
) -> ApiResult<Response> {
    app.ports.school.playback().protect(&caller.actor, id, change.protected).await?;
    Ok(protection(id, change.protected))
}

/// The page around the player of a video's site: the one page that may frame another host. It knows no
/// learner, and the site hears of nobody before somebody opens it.
const PLAYER_CSP: &str = "default-src 'none'; frame-src https://www.youtube-nocookie.com; base-uri 'none'; \
                          form-action 'none'; frame-ancestors 'self'; style-src 'self'";

pub(super) async fn youtube(Path(video): Path<String>, Query(query): Query<PlayerQuery>) -> ApiResult<Response> {
    domain::youtube::Target::video(&video).map_err(|_| Error::not_found("video", &video))?;
    // The id is 11 letters, digits, `-` and `_`: nothing to escape. The site plays for pages that say who they are.
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Player</title>\
         <link rel=\"stylesheet\" href=\"/app/player.css\"></head><body>\
         <iframe title=\"Video\" src=\"https://www.youtube-nocookie.com/embed/{video}?start={}&amp;autoplay=1&amp;rel=0\" \
         allow=\"autoplay; encrypted-media; fullscreen; picture-in-picture\" allowfullscreen \
         referrerpolicy=\"strict-origin-when-cross-origin\"></iframe></body></html>",
        query.start
    );
    let mut response = Html(page).into_response();
    let out = response.headers_mut();
    out.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PLAYER_CSP));
    out.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("SAMEORIGIN"));
    let allowed = "camera=(), microphone=(), geolocation=(), autoplay=(self \"https://www.youtube-nocookie.com\"), \
                   fullscreen=(self \"https://www.youtube-nocookie.com\")";
    out.insert(HeaderName::from_static("permissions-policy"), HeaderValue::from_static(allowed));
    Ok(response)
}
