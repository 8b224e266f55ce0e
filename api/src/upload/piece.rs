//! A file that comes in pieces: its length on the disk is how much of it is here.

use std::path::Path;
use std::time::Duration;

use axum::body::Bytes;
use domain::ErrorKind;
use futures::{Stream, StreamExt as _};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;

use super::broken_disk;
use crate::error::{ApiError, ApiResult, LOCKED, TIMEOUT, TOO_LARGE};

/// A sender that is silent for so long is gone.
const QUIET: Duration = Duration::from_secs(30);
/// The piece begins elsewhere than where the file ends.
const WRONG_OFFSET: &str = "WRONG_OFFSET";

/// Makes the file unless it is there, and says how much of it is.
pub(crate) async fn begin(path: &Path) -> ApiResult<i64> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(broken_disk)?;
    }
    let file = OpenOptions::new().append(true).create(true).open(path).await.map_err(broken_disk)?;
    length(&file).await
}

/// Bytes of the file that are here.
pub(crate) async fn arrived(path: &Path) -> ApiResult<i64> {
    match tokio::fs::metadata(path).await {
        Ok(found) => Ok(i64::try_from(found.len()).unwrap_or(i64::MAX)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(gone()),
        Err(error) => Err(broken_disk(error)),
    }
}

async fn length(file: &File) -> ApiResult<i64> {
    let found = file.metadata().await.map_err(broken_disk)?;
    Ok(i64::try_from(found.len()).unwrap_or(i64::MAX))
}

fn gone() -> ApiError {
    ApiError::new(ErrorKind::NotFound, "NOT_FOUND", "the bytes of this upload are gone; begin it anew")
}

/// A piece on its way in.
pub(crate) struct Piece {
    /// Where it begins.
    pub(crate) offset: i64,
    /// Bytes that the whole file will have.
    pub(crate) length: i64,
}

impl Piece {
    /// Appends the piece and says how much is here then. What came before a failure is kept.
    pub(crate) async fn append<E>(
        self,
        path: &Path,
        mut body: impl Stream<Item = Result<Bytes, E>> + Unpin,
    ) -> ApiResult<i64> {
        let file = match OpenOptions::new().append(true).open(path).await {
            Ok(file) => file.into_std().await,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(gone()),
            Err(error) => return Err(broken_disk(error)),
        };
        if let Err(std::fs::TryLockError::WouldBlock) = file.try_lock() {
            let message = "another piece of this file is being taken; ask for its offset in a moment";
            return Err(ApiError::new(ErrorKind::Conflict, LOCKED, message));
        }
        let mut file = File::from_std(file);
        let mut here = length(&file).await?;
        if here != self.offset {
            let message = format!("{here} bytes of the file are here; the piece begins at {}", self.offset);
            return Err(ApiError::new(ErrorKind::Conflict, WRONG_OFFSET, message));
        }
        let taken = loop {
            let bytes = match tokio::time::timeout(QUIET, body.next()).await {
                Ok(Some(Ok(bytes))) => bytes,
                Ok(None) => break Ok(()),
                Ok(Some(Err(_))) => break Err(broken_off("the piece broke off")),
                Err(_) => break Err(broken_off("nothing came for 30 s")),
            };
            let more = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
            if more > self.length.saturating_sub(here) {
                let message = format!("the file has {} bytes; the piece goes beyond", self.length);
                break Err(ApiError::new(ErrorKind::ValidationError, TOO_LARGE, message));
            }
            if let Err(error) = file.write_all(&bytes).await {
                break Err(broken_disk(error));
            }
            here += more;
        };
        // Whatever is answered, the offset that is told next is on the disk.
        let kept = match file.flush().await {
            Ok(()) => file.sync_data().await,
            error => error,
        };
        taken?;
        kept.map_err(broken_disk)?;
        Ok(here)
    }
}

fn broken_off(why: &str) -> ApiError {
    let message = format!("{why}: what came is kept, the upload goes on where it stopped");
    ApiError::new(ErrorKind::Unavailable, TIMEOUT, message)
}
