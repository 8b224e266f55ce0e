//! Taking a file to ingest: into a folder of its own, under a name of ours.

use std::path::{Path, PathBuf};

use axum::extract::multipart::{Field, Multipart, MultipartError};
use domain::ingestion::failure;
use domain::{Error, ErrorKind, UploadId};
use school::upload::Upload;
use tokio::io::AsyncWriteExt as _;

use crate::error::{ApiError, ApiResult, TOO_LARGE};

mod piece;

pub(crate) use piece::{Piece, arrived, begin};

/// Where an upload in pieces lies.
pub(crate) fn folder(root: &Path, id: UploadId) -> PathBuf {
    root.join(id.to_string())
}

/// The file of an upload in pieces.
pub(crate) fn path(root: &Path, upload: &Upload) -> PathBuf {
    named(&folder(root, upload.id), "content", &upload.name)
}

/// What came in the form.
#[derive(Default)]
pub(crate) struct Form {
    pub(crate) course: Option<String>,
    pub(crate) kind: Option<String>,
    /// Where the file lies, and what its sender called it.
    pub(crate) file: Option<(PathBuf, String)>,
    pub(crate) captions: Option<PathBuf>,
}

fn broken(error: &MultipartError) -> ApiError {
    if error.status() == axum::http::StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::new(ErrorKind::ValidationError, TOO_LARGE, "the upload is too large");
    }
    Error::invalid("body", "INVALID_FORMAT", "the form is broken").into()
}

/// Reads the form; files go to a fresh folder in `root`, which is removed again when this fails.
pub(crate) async fn read(mut multipart: Multipart, root: &Path) -> ApiResult<Form> {
    let folder = root.join(uuid::Uuid::now_v7().to_string());
    let form = fill(&mut multipart, &folder).await;
    if form.is_err() {
        discard(&folder).await;
    }
    form
}

/// Removes the folder of an upload that nothing takes over.
pub(crate) async fn discard(folder: &Path) {
    if let Err(error) = tokio::fs::remove_dir_all(folder).await
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(%error, "an upload that was refused could not be removed");
    }
}

async fn fill(multipart: &mut Multipart, folder: &Path) -> ApiResult<Form> {
    let mut form = Form::default();
    while let Some(field) = multipart.next_field().await.map_err(|error| broken(&error))? {
        match field.name().unwrap_or_default() {
            "courseId" => form.course = Some(text(field).await?),
            "kind" => form.kind = Some(text(field).await?),
            "file" => {
                let name = field.file_name().unwrap_or("upload").to_owned();
                form.file = Some((keep(field, folder, "content", &name).await?, display_name(&name)));
            }
            "captions" => {
                let name = field.file_name().unwrap_or("captions.vtt").to_owned();
                form.captions = Some(keep(field, folder, "captions", &name).await?);
            }
            other => {
                let message = format!("\"{other}\" is not a field of this form");
                return Err(Error::invalid(other, "UNKNOWN_FIELD", message).into());
            }
        }
    }
    Ok(form)
}

async fn text(mut field: Field<'_>) -> ApiResult<String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > 1024 {
            return Err(Error::invalid("body", "TOO_LONG", "a field of the form is too long").into());
        }
    }
    String::from_utf8(bytes)
        .map_err(|_| Error::invalid("body", "INVALID_FORMAT", "a field of the form is no text").into())
}

/// Writes a part to a file. Only the ending of the sender's name is kept: parsers look at it.
async fn keep(mut field: Field<'_>, folder: &Path, stem: &str, name: &str) -> ApiResult<PathBuf> {
    tokio::fs::create_dir_all(folder).await.map_err(broken_disk)?;
    let path = named(folder, stem, name);
    let mut file = tokio::fs::File::create(&path).await.map_err(broken_disk)?;
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        file.write_all(&chunk).await.map_err(broken_disk)?;
    }
    file.sync_all().await.map_err(broken_disk)?;
    Ok(path)
}

fn named(folder: &Path, stem: &str, name: &str) -> PathBuf {
    let ending: String = Path::new(name)
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect::<String>()
        .to_ascii_lowercase();
    folder.join(if ending.is_empty() { stem.to_owned() } else { format!("{stem}.{ending}") })
}

/// Of an upload in pieces what came is kept; one in a single request is sent again.
fn broken_disk(error: std::io::Error) -> ApiError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        let message =
            "the disk of the server is full: make room and send it again; a file in pieces goes on where it stopped";
        return ApiError::new(ErrorKind::Unavailable, failure::DISK_FULL, message);
    }
    ApiError(Error::new(ErrorKind::Unavailable, format!("database of uploads: cannot store the file: {error}")))
}

/// What the sender called the file, fit to be shown.
pub(crate) fn display_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = last.chars().filter(|c| !c.is_control()).take(200).collect();
    if shown.trim().is_empty() { "upload".into() } else { shown }
}
