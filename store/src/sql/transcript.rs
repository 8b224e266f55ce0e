//! Rows of `transcript_edits`: transcripts as people corrected them.

use domain::transcript::Edited;
use domain::{DocumentId, InstitutionId, SourceId, UserId, VersionId};
use serde_json::Value;

use super::version::Version;
use crate::db::{Row, Tx, args, json};
use crate::error::{Error, Result};

/// The document of a transcript, and the source that it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Source.
    pub source: SourceId,
    /// Published version of it.
    pub version: VersionId,
    /// Path of the document.
    pub path: String,
    /// Its captions, as they were fetched.
    pub blob_sha256: String,
    /// What its kind needs besides.
    pub extra: Value,
}

/// Where the transcript of a document is kept.
///
/// # Errors
/// The database refuses.
pub async fn place(tx: &mut Tx, institution: InstitutionId, document: DocumentId) -> Result<Option<Place>> {
    let sql = "SELECT v.source_id, d.version_id, d.path, d.blob_sha256, d.extra FROM documents d \
               JOIN source_versions v ON v.id = d.version_id AND v.institution_id = d.institution_id \
               WHERE d.institution_id = $1 AND d.id = $2 AND d.kind IN ('video', 'transcript')";
    let row = tx.row(sql, args![institution, document]).await?;
    row.map(|row| {
        Ok(Place {
            source: row.id("source_id")?,
            version: row.id("version_id")?,
            path: row.text("path")?,
            blob_sha256: row.text("blob_sha256")?,
            extra: row.json("extra")?,
        })
    })
    .transpose()
}

/// The corrections of a document's transcript.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, source: SourceId, path: &str) -> Result<Option<Edited>> {
    let sql = "SELECT path, version, base_sha256, lines, changes FROM transcript_edits \
               WHERE institution_id = $1 AND source_id = $2 AND path = $3";
    tx.row(sql, args![institution, source, path]).await?.map(|row| Ok(edited(&row)?.1)).transpose()
}

/// All corrections of a source's transcripts, with the paths of their documents.
///
/// # Errors
/// The database refuses.
pub async fn of_source(tx: &mut Tx, institution: InstitutionId, source: SourceId) -> Result<Vec<(String, Edited)>> {
    let sql = "SELECT path, version, base_sha256, lines, changes FROM transcript_edits \
               WHERE institution_id = $1 AND source_id = $2 ORDER BY path";
    tx.rows(sql, args![institution, source]).await?.iter().map(edited).collect()
}

/// Keeps corrections that follow those of the version before.
///
/// # Errors
/// Conflict when another correction came first.
pub async fn put(
    tx: &mut Tx,
    institution: InstitutionId,
    source: SourceId,
    path: &str,
    new: &Edited,
    by: Option<UserId>,
) -> Result<()> {
    let (lines, changes) = (json(&new.lines)?, json(&new.changes)?);
    let now = tx.now().await?;
    let written = if new.version == 1 {
        tx.exec(
            "INSERT INTO transcript_edits (source_id, path, institution_id, version, base_sha256, lines, changes, edited_by, \
             updated_at) VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8) ON CONFLICT (source_id, path) DO NOTHING",
            args![source, path, institution, &new.base_sha256, lines, changes, by, now],
        )
        .await?
    } else {
        tx.exec(
            "UPDATE transcript_edits SET version = $4, base_sha256 = $5, lines = $6, changes = $7, edited_by = $8, \
             updated_at = $9 WHERE source_id = $1 AND path = $2 AND institution_id = $3 AND version = $4 - 1",
            args![source, path, institution, new.version, &new.base_sha256, lines, changes, by, now],
        )
        .await?
    };
    if written == 0 {
        Err(Error::Conflict("the transcript was corrected by somebody else meanwhile".into()))
    } else {
        Ok(())
    }
}

fn edited(row: &Row) -> Result<(String, Edited)> {
    let edited = Edited {
        version: row.int("version")?,
        base_sha256: row.text("base_sha256")?,
        lines: row.json("lines")?,
        changes: row.json("changes")?,
    };
    Ok((row.text("path")?, edited))
}

/// Begins a version of a source with the documents of its published one, to be read anew.
///
/// # Errors
/// Conflict when the source is being built.
pub async fn copy_version(tx: &mut Tx, institution: InstitutionId, current: &Version) -> Result<VersionId> {
    let created = super::version::create(
        tx,
        institution,
        current.source_id,
        &current.fingerprint,
        current.commit.as_deref(),
        &current.outline,
    );
    let version = created.await?;
    let Some(source) = super::source::get(tx, institution, current.source_id).await? else {
        return Err(domain::Error::not_found("source", current.source_id).into());
    };
    for document in super::document::list(tx, institution, current.id).await? {
        let new = super::document::NewDocument {
            institution_id: institution,
            course_id: source.course_id,
            version_id: version,
            path: document.path,
            title: document.title,
            kind: document.kind,
            blob_sha256: document.blob_sha256,
            extra: document.extra,
            position: document.position,
        };
        super::document::insert(tx, &new).await?;
    }
    Ok(version)
}
