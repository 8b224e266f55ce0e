//! Blobs: the port, what it answers, and keeping one copy within an institution.
//!
//! A blob's key is random and lies under its institution; which blob has which content is a row
//! ([`crate::sql::blob`]). Two institutions never share a blob.

use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use domain::{InstitutionId, Micros};
use tokio::io::AsyncRead;

use crate::db::Store;
use crate::error::{Error, Result};
use crate::sql;

mod local;

pub use local::LocalBlobs;

/// A stored blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRef {
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
    /// Where it lies; starts with the institution's id.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// MIME type as given by the writer.
    pub media_type: String,
}

/// Content on its way in.
#[derive(Debug, Clone)]
pub enum Content {
    /// In memory.
    Bytes(Bytes),
    /// In a file, read in pieces; the file stays.
    File(PathBuf),
}

impl From<Bytes> for Content {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<PathBuf> for Content {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

/// A blob being read.
pub struct BlobReader {
    /// Bytes of the whole blob.
    pub size: u64,
    /// The part that `reader` yields.
    pub range: Range<u64>,
    /// The bytes.
    pub reader: Pin<Box<dyn AsyncRead + Send>>,
}

/// One blob of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Where it lies.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// When it was last written.
    pub modified_at: Micros,
}

/// The blob port. Every call names the institution; a key of another one is refused as missing.
#[async_trait::async_trait]
pub trait Blobs: Send + Sync {
    /// Writes content under a fresh key; durable when this returns.
    async fn put(&self, institution: InstitutionId, content: Content, media_type: &str) -> Result<BlobRef>;
    /// The whole content.
    async fn get(&self, institution: InstitutionId, key: &str) -> Result<Bytes>;
    /// A part of the content; a range past the end is cut.
    async fn open_range(&self, institution: InstitutionId, key: &str, range: Option<Range<u64>>) -> Result<BlobReader>;
    /// Whether it is there.
    async fn exists(&self, institution: InstitutionId, key: &str) -> Result<bool>;
    /// Deletes it; one that is not there is no error.
    async fn delete(&self, institution: InstitutionId, key: &str) -> Result<()>;
    /// Every blob of the institution, rows or not.
    async fn list(&self, institution: InstitutionId) -> Result<Vec<Listed>>;
}

/// Stores content once within the institution: the same bytes again yield the blob that is there.
///
/// # Errors
/// The blob or its row cannot be written.
pub async fn keep(
    store: &Store,
    blobs: &dyn Blobs,
    institution: InstitutionId,
    content: impl Into<Content> + Send,
    media_type: &str,
) -> Result<BlobRef> {
    let fresh = blobs.put(institution, content.into(), media_type).await?;
    let row = fresh.clone();
    let kept = store.write(move |tx| Box::pin(async move { sql::blob::insert(tx, institution, &row).await })).await?;
    if kept.key != fresh.key {
        if blobs.exists(institution, &kept.key).await? {
            blobs.delete(institution, &fresh.key).await?;
        } else {
            // The older file was lost: this copy takes its place.
            let row = fresh.clone();
            store.write(move |tx| Box::pin(async move { sql::blob::relocate(tx, institution, &row).await })).await?;
            return Ok(fresh);
        }
    }
    Ok(kept)
}

/// Reads the blob with this content hash.
///
/// # Errors
/// Not found when the institution has no such blob.
pub async fn fetch(store: &Store, blobs: &dyn Blobs, institution: InstitutionId, sha256: &str) -> Result<Bytes> {
    let name = sha256.to_owned();
    let found = store.read(|tx| Box::pin(async move { sql::blob::get(tx, institution, &name).await })).await?;
    match found {
        Some(row) => blobs.get(institution, &row.key).await,
        None => Err(Error::Domain(domain::Error::not_found("blob", sha256))),
    }
}

/// What a collection removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Rows that nothing referenced.
    pub rows: usize,
    /// Files that had no row.
    pub files: usize,
}

/// Removes blobs that nothing has referenced for `age` (24 h in service), and files without a row of that age.
///
/// # Errors
/// The database or the blob store refuses.
pub async fn collect(store: &Store, blobs: &dyn Blobs, institution: InstitutionId, age: Duration) -> Result<Collected> {
    let mut collected = Collected::default();
    let removed = store
        .write(move |tx| Box::pin(async move { sql::blob::delete_unreferenced(tx, institution, age).await }))
        .await?;
    collected.rows = removed.len();
    for key in removed {
        blobs.delete(institution, &key).await?;
    }
    // Listed before the rows are read: a blob stored in between has a row by then or is too young.
    let files = blobs.list(institution).await?;
    let (rows, now) = store
        .read(|tx| Box::pin(async move { Ok((sql::blob::keys(tx, institution).await?, tx.now().await?)) }))
        .await?;
    let oldest = now.saturating_sub(sql::job::micros(age));
    for file in files {
        if file.modified_at <= oldest && !rows.contains(&file.key) {
            blobs.delete(institution, &file.key).await?;
            collected.files += 1;
        }
    }
    Ok(collected)
}
