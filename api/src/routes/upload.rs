//! Files that come in pieces and may be broken off: tus 1.0.0 with creation, expiration and termination
//! (<https://tus.io/protocols/resumable-upload>). A whole one is ingested by its id.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{CourseId, Error, ErrorKind, Micros, UploadId};
use school::upload::Upload;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Resource, created, one, rfc3339};
use crate::error::{ApiError, ApiResult, TOO_LARGE, UNSUPPORTED_MEDIA_TYPE};
use crate::extract::{Caller, Path};
use crate::upload::{self, Piece};

/// The version of the protocol.
const VERSION: &str = "1.0.0";
/// What of it is served beside its core.
const EXTENSIONS: &str = "creation,expiration,termination";
/// Most bytes of a file.
const MOST: i64 = 64 * 1024 * 1024 * 1024;
/// What a piece says that it is.
const PIECE: &str = "application/offset+octet-stream";

/// A file that comes in pieces.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UploadAttributes {
    /// What its sender calls it.
    name: String,
    /// Bytes of the whole file.
    length: i64,
    /// Bytes that are here; the next piece begins there.
    offset: i64,
    /// When it is given up unless it is ingested.
    expires_at: String,
}

/// Whether a path is one of these routes': their answers name the protocol.
pub(crate) fn speaks(path: &str) -> bool {
    path.starts_with("/api/v1/uploads/") || (path.starts_with("/api/v1/courses/") && path.ends_with("/uploads"))
}

/// Names the protocol on an answer.
pub(crate) fn name_protocol(headers: &mut HeaderMap) {
    for (name, value) in [("tus-resumable", VERSION), ("tus-version", VERSION), ("tus-extension", EXTENSIONS)] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(HeaderName::from_static("tus-max-size"), HeaderValue::from(MOST));
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn number(headers: &HeaderMap, name: &str) -> Result<i64, Error> {
    text(headers, name)
        .and_then(|text| text.parse().ok())
        .filter(|number| *number >= 0)
        .ok_or_else(|| Error::invalid(name, "REQUIRED", format!("the header \"{name}\" is a number of bytes")))
}

/// Clients of another version are refused; one that names none is taken for one of ours.
fn check_version(headers: &HeaderMap) -> Result<(), ApiError> {
    if text(headers, "tus-resumable").is_none_or(|version| version == VERSION) {
        return Ok(());
    }
    let message = format!("uploads speak version {VERSION} of the tus protocol");
    Err(ApiError::new(ErrorKind::ValidationError, school::course::PRECONDITION_FAILED, message))
}

/// The value of a key in `Upload-Metadata`.
fn metadata(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let pairs = text(headers, "upload-metadata")?.split(',');
    let value = pairs.filter_map(|pair| pair.trim().split_once(' ')).find(|(key, _)| *key == wanted)?.1;
    String::from_utf8(STANDARD.decode(value.trim()).ok()?).ok()
}

/// As HTTP writes dates (RFC 9110).
fn http_date(at: Micros) -> Option<HeaderValue> {
    let text = OffsetDateTime::from_unix_timestamp(at / 1_000_000).ok()?.format(&Rfc2822).ok()?;
    HeaderValue::from_str(&text.replace("+0000", "GMT")).ok()
}

fn resource(upload: &Upload, offset: i64) -> Resource<UploadAttributes> {
    let attributes = UploadAttributes {
        name: upload.name.clone(),
        length: upload.length,
        offset,
        expires_at: rfc3339(upload.expires_at),
    };
    Resource::new("uploads", upload.id, attributes).related("course", "courses", upload.course_id).related(
        "user",
        "users",
        upload.user_id,
    )
}

fn link(id: UploadId) -> String {
    format!("/api/v1/uploads/{id}")
}

fn told(mut response: Response, upload: &Upload, offset: i64) -> Response {
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("upload-offset"), HeaderValue::from(offset));
    headers.insert(HeaderName::from_static("upload-length"), HeaderValue::from(upload.length));
    if let Ok(name) = HeaderValue::from_str(&format!("filename {}", STANDARD.encode(&upload.name))) {
        headers.insert(HeaderName::from_static("upload-metadata"), name);
    }
    if let Some(expires) = http_date(upload.expires_at) {
        headers.insert(HeaderName::from_static("upload-expires"), expires);
    }
    response
}

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(course): Path<CourseId>,
    headers: HeaderMap,
) -> ApiResult<Response> {
    check_version(&headers)?;
    let length = number(&headers, "upload-length")?;
    if length > MOST {
        return Err(ApiError::new(ErrorKind::ValidationError, TOO_LARGE, format!("a file has at most {MOST} bytes")));
    }
    let name = upload::display_name(&metadata(&headers, "filename").unwrap_or_default());
    let begun = app.ports.school.upload().begin(&caller.actor, course, name, length).await?;
    for id in begun.expired {
        upload::discard(&upload::folder(&app.ports.upload_dir, id)).await;
    }
    let offset = upload::begin(&upload::path(&app.ports.upload_dir, &begun.upload)).await?;
    let response = created(link(begun.upload.id), resource(&begun.upload, offset));
    Ok(told(response, &begun.upload, offset))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<UploadId>) -> ApiResult<Response> {
    let found = app.ports.school.upload().get(&caller.actor, id).await?;
    let offset = upload::arrived(&upload::path(&app.ports.upload_dir, &found)).await?;
    Ok(told(one(link(id), resource(&found, offset)), &found, offset))
}

pub(super) async fn append(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<UploadId>,
    request: Request<Body>,
) -> ApiResult<Response> {
    let headers = request.headers();
    check_version(headers)?;
    let found = app.ports.school.upload().get(&caller.actor, id).await?;
    if text(headers, header::CONTENT_TYPE.as_str()) != Some(PIECE) {
        let message = format!("a piece of a file is sent as \"{PIECE}\"");
        return Err(ApiError::new(ErrorKind::ValidationError, UNSUPPORTED_MEDIA_TYPE, message));
    }
    let piece = Piece { offset: number(headers, "upload-offset")?, length: found.length };
    let path = upload::path(&app.ports.upload_dir, &found);
    let offset = piece.append(&path, request.into_body().into_data_stream()).await?;
    Ok(told(StatusCode::NO_CONTENT.into_response(), &found, offset))
}

pub(super) async fn end(State(app): State<App>, caller: Caller, Path(id): Path<UploadId>) -> ApiResult<Response> {
    app.ports.school.upload().end(&caller.actor, id).await?;
    upload::discard(&upload::folder(&app.ports.upload_dir, id)).await;
    Ok(StatusCode::NO_CONTENT.into_response())
}
