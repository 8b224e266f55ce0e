//! Documents: what a source version consists of, each with its own outcome.

use domain::document::{DocumentKind, Notes, Warning};
use domain::ingestion::Failure;
use domain::{CourseId, DocumentId, InstitutionId, VersionId};
use serde_json::{Map, Value};

use crate::db::{Row, Tx, args, json};
use crate::error::{Error, Result};

/// A fetched document, about to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDocument {
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// Source version.
    pub version_id: VersionId,
    /// Path within the source.
    pub path: String,
    /// Title, as far as it is known before parsing.
    pub title: String,
    /// What it is.
    pub kind: DocumentKind,
    /// Its bytes.
    pub blob_sha256: String,
    /// What its kind needs besides: captions of a video, launch path of a page.
    pub extra: Value,
    /// Order within the version.
    pub position: i64,
}

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Identity.
    pub id: DocumentId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// Source version.
    pub version_id: VersionId,
    /// Path within the source.
    pub path: String,
    /// Title.
    pub title: String,
    /// What it is.
    pub kind: DocumentKind,
    /// Its bytes.
    pub blob_sha256: String,
    /// `fetched`, `chunked` or `failed`.
    pub state: String,
    /// Why it failed.
    pub error: Option<Failure>,
    /// What was odd.
    pub warnings: Vec<Warning>,
    /// What its kind needs besides.
    pub extra: Value,
    /// Order within the version.
    pub position: i64,
}

const SELECT: &str =
    "SELECT id, institution_id, course_id, version_id, path, title, kind, blob_sha256, state, error, warnings,
  extra, position FROM documents";

/// Writes a document of a version that is being built; the same path again is the same document.
///
/// # Errors
/// Conflict when no such version is being built in this institution and course.
pub async fn insert(tx: &mut Tx, new: &NewDocument) -> Result<DocumentId> {
    tx.exec(
        "INSERT INTO documents (id, institution_id, course_id, version_id, path, title, kind, blob_sha256, state, error,
           warnings, extra, position)
         SELECT $4, v.institution_id, s.course_id, v.id, $5, $6, $7, $8, 'fetched', NULL, '[]', $9, $10
         FROM source_versions v JOIN sources s ON s.id = v.source_id
         WHERE v.id = $1 AND v.institution_id = $2 AND s.course_id = $3 AND v.state = 'building'
         ON CONFLICT (version_id, path) DO NOTHING",
        args![
            new.version_id,
            new.institution_id,
            new.course_id,
            DocumentId::fresh(),
            &new.path,
            &new.title,
            new.kind.as_str(),
            &new.blob_sha256,
            &new.extra,
            new.position,
        ],
    )
    .await?;
    let id = tx
        .row(
            "SELECT id FROM documents WHERE version_id = $1 AND path = $2 AND institution_id = $3",
            args![new.version_id, &new.path, new.institution_id],
        )
        .await?
        .ok_or_else(|| Error::Conflict(format!("version \"{}\" is not being built", new.version_id)))?
        .id("id")?;
    for sha256 in needed(&new.extra) {
        tx.exec(
            "INSERT INTO document_blobs (document_id, blob_sha256, institution_id) VALUES ($1, $2, $3)
             ON CONFLICT (document_id, blob_sha256) DO NOTHING",
            args![id, sha256, new.institution_id],
        )
        .await?;
    }
    Ok(id)
}

/// The blobs that `extra` names: a recording, a package, included files.
fn needed(extra: &Value) -> impl Iterator<Item = &str> {
    let named = ["media", "package"].into_iter().filter_map(|name| extra.get(name)?.as_str());
    let included = extra.get("includes").and_then(Value::as_object).into_iter().flatten();
    named.chain(included.filter_map(|(_, sha256)| sha256.as_str()))
}

/// The documents of a version, in order.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn list(tx: &mut Tx, institution: InstitutionId, version: VersionId) -> Result<Vec<Document>> {
    tx.rows(
        &format!("{SELECT} WHERE institution_id = $1 AND version_id = $2 ORDER BY position, id"),
        args![institution, version],
    )
    .await?
    .iter()
    .map(document)
    .collect()
}

/// A document of the institution.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: DocumentId) -> Result<Option<Document>> {
    tx.row(&format!("{SELECT} WHERE institution_id = $1 AND id = $2"), args![institution, id])
        .await?
        .as_ref()
        .map(document)
        .transpose()
}

/// The document was parsed and its chunks are written.
///
/// # Errors
/// Not found when it is not the institution's.
pub async fn set_chunked(
    tx: &mut Tx,
    institution: InstitutionId,
    id: DocumentId,
    title: &str,
    warnings: &[Warning],
) -> Result<()> {
    let changed = tx
        .exec(
            "UPDATE documents SET state = 'chunked', error = NULL, title = $3, warnings = $4 WHERE institution_id = $1 AND id = $2",
            args![institution, id, title, json(&warnings)?],
        )
        .await?;
    found(changed, id)
}

/// Keeps what its author points at and stresses, and what reading found, beside what the document's kind needs.
///
/// # Errors
/// Not found when it is not the institution's.
pub async fn set_facts(tx: &mut Tx, document: &Document, notes: &Notes, facts: Map<String, Value>) -> Result<()> {
    if *notes == Notes::default() && facts.is_empty() {
        return Ok(());
    }
    let mut extra = document.extra.clone();
    if *notes != Notes::default() {
        extra["notes"] = serde_json::to_value(notes)
            .map_err(|error| Error::Damaged { column: "extra".into(), reason: error.to_string() })?;
    }
    if let Some(extra) = extra.as_object_mut() {
        extra.extend(facts);
    }
    let changed = tx
        .exec(
            "UPDATE documents SET extra = $3 WHERE institution_id = $1 AND id = $2",
            args![document.institution_id, document.id, &extra],
        )
        .await?;
    found(changed, document.id)
}

/// The document could not be read.
///
/// # Errors
/// Not found when it is not the institution's.
pub async fn set_failed(tx: &mut Tx, institution: InstitutionId, id: DocumentId, failure: &Failure) -> Result<()> {
    let changed = tx
        .exec(
            "UPDATE documents SET state = 'failed', error = $3 WHERE institution_id = $1 AND id = $2",
            args![institution, id, json(failure)?],
        )
        .await?;
    found(changed, id)
}

fn found(changed: u64, id: DocumentId) -> Result<()> {
    if changed == 0 { Err(domain::Error::not_found("document", id).into()) } else { Ok(()) }
}

fn document(row: &Row) -> Result<Document> {
    let kind = row.text("kind")?;
    Ok(Document {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        course_id: row.id("course_id")?,
        version_id: row.id("version_id")?,
        path: row.text("path")?,
        title: row.text("title")?,
        kind: serde_json::from_value(Value::String(kind))
            .map_err(|error| Error::Damaged { column: "kind".into(), reason: error.to_string() })?,
        blob_sha256: row.text("blob_sha256")?,
        state: row.text("state")?,
        error: row
            .text_opt("error")?
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| Error::Damaged { column: "error".into(), reason: error.to_string() })?,
        warnings: row.json("warnings")?,
        extra: row.json("extra")?,
        position: row.int("position")?,
    })
}
