//! What was made of a recording: streams for players, or a transcript; once for the same bytes.

use domain::InstitutionId;
use serde_json::Value;

use crate::blob::BlobRef;
use crate::db::{Tx, args};
use crate::error::Result;

/// What is made of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Streams with poster and thumbnails.
    Hls,
    /// Captions that a machine wrote.
    Transcript,
}

impl Kind {
    /// The spelling used in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hls => "hls",
            Self::Transcript => "transcript",
        }
    }
}

/// A file of what was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its name, as playlists call it.
    pub name: String,
    /// The blob with its bytes.
    pub blob_sha256: String,
    /// MIME type.
    pub media_type: String,
}

/// Notes what was made of a recording, in place of what was there.
///
/// # Errors
/// The database refuses.
pub async fn put(
    tx: &mut Tx,
    institution: InstitutionId,
    recording: &str,
    kind: Kind,
    manifest: &Value,
    files: &[File],
) -> Result<()> {
    let now = tx.now().await?;
    tx.exec(
        "INSERT INTO renditions (institution_id, recording_sha256, kind, manifest, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (institution_id, recording_sha256, kind)
         DO UPDATE SET manifest = EXCLUDED.manifest, created_at = EXCLUDED.created_at",
        args![institution, recording, kind.as_str(), manifest, now],
    )
    .await?;
    tx.exec(
        "DELETE FROM rendition_files WHERE institution_id = $1 AND recording_sha256 = $2 AND kind = $3",
        args![institution, recording, kind.as_str()],
    )
    .await?;
    for file in files {
        tx.exec(
            "INSERT INTO rendition_files (institution_id, recording_sha256, kind, name, blob_sha256, media_type)
             VALUES ($1, $2, $3, $4, $5, $6)",
            args![institution, recording, kind.as_str(), &file.name, &file.blob_sha256, &file.media_type],
        )
        .await?;
    }
    Ok(())
}

/// What was made of a recording; `None` when nothing was.
///
/// # Errors
/// The database refuses.
pub async fn manifest(tx: &mut Tx, institution: InstitutionId, recording: &str, kind: Kind) -> Result<Option<Value>> {
    let row = tx
        .row(
            "SELECT manifest FROM renditions WHERE institution_id = $1 AND recording_sha256 = $2 AND kind = $3",
            args![institution, recording, kind.as_str()],
        )
        .await?;
    row.map(|row| row.json("manifest")).transpose()
}

/// One file of what was made, as a blob with the file's own type.
///
/// # Errors
/// The database refuses.
pub async fn file(
    tx: &mut Tx,
    institution: InstitutionId,
    recording: &str,
    kind: Kind,
    name: &str,
) -> Result<Option<BlobRef>> {
    let row = tx
        .row(
            "SELECT b.sha256, b.storage_key, b.size, f.media_type FROM rendition_files f
             JOIN blobs b ON b.institution_id = f.institution_id AND b.sha256 = f.blob_sha256
             WHERE f.institution_id = $1 AND f.recording_sha256 = $2 AND f.kind = $3 AND f.name = $4",
            args![institution, recording, kind.as_str(), name],
        )
        .await?;
    row.as_ref().map(super::blob::read).transpose()
}

/// Forgets what was made of recordings that no document has any more; the files go with the next collection.
///
/// # Errors
/// The database refuses.
pub(crate) async fn forget_orphans(tx: &mut Tx, institution: InstitutionId, age_micros: i64) -> Result<()> {
    let orphans = format!(
        "SELECT r.recording_sha256 FROM renditions r WHERE r.institution_id = $1 AND r.created_at <= {} - $2
           AND NOT EXISTS (SELECT 1 FROM document_blobs d
             WHERE d.institution_id = r.institution_id AND d.blob_sha256 = r.recording_sha256)
           AND NOT EXISTS (SELECT 1 FROM documents d
             WHERE d.institution_id = r.institution_id AND d.blob_sha256 = r.recording_sha256)",
        tx.clock()
    );
    for table in ["rendition_files", "renditions"] {
        let sql = format!("DELETE FROM {table} WHERE institution_id = $1 AND recording_sha256 IN ({orphans})");
        tx.exec(&sql, args![institution, age_micros]).await?;
    }
    Ok(())
}
