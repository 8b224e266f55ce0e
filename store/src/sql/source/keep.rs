//! Keeping sources up to date: schedules, what vanished, what is stored, removal.

use domain::{InstitutionId, LessonId, Micros, SourceId, VersionId};

use super::{SELECT, Source, source};
use crate::db::{Tx, args};
use crate::error::Result;
use crate::sql::version;

/// Sets or ends the schedule of a source; its failures are forgotten. False when it is not there.
///
/// # Errors
/// The database refuses.
pub async fn set_schedule(
    tx: &mut Tx,
    institution: InstitutionId,
    id: SourceId,
    schedule: Option<(&str, Micros)>,
) -> Result<bool> {
    let changed = tx
        .exec(
            "UPDATE sources SET cron = $3, next_at = $4, failures = 0, schedule_note = NULL
             WHERE institution_id = $1 AND id = $2 AND removed_at IS NULL",
            args![institution, id, schedule.map(|(cron, _)| cron.to_owned()), schedule.map(|(_, next)| next)],
        )
        .await?;
    Ok(changed > 0)
}

/// Sources of every institution whose time has come, the longest waiting first, with the time.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn due(tx: &mut Tx, limit: i64) -> Result<Vec<(Source, Micros)>> {
    let now = tx.now().await?;
    let sql = format!("{SELECT} WHERE next_at <= $1 AND removed_at IS NULL ORDER BY next_at, id LIMIT $2");
    tx.rows(&sql, args![now, limit]).await?.iter().map(|row| Ok((source(row)?, now))).collect()
}

/// Takes the turn of a source: of several nodes that see it due, one gets it. The caller starts the run in the
/// same transaction, so that a turn is never taken without its run.
///
/// # Errors
/// The database refuses.
pub async fn take_turn(
    tx: &mut Tx,
    seen: &Source,
    next: Option<Micros>,
    failures: i64,
    note: Option<&str>,
) -> Result<bool> {
    let taken = tx
        .exec(
            "UPDATE sources SET next_at = $4, failures = $5, schedule_note = $6
             WHERE institution_id = $1 AND id = $2 AND next_at = $3 AND removed_at IS NULL",
            args![seen.institution_id, seen.id, seen.next_at, next, failures, note],
        )
        .await?;
    Ok(taken > 0)
}

/// A lesson whose document vanished from its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// The lesson.
    pub lesson: LessonId,
    /// Its title.
    pub title: String,
    /// Since when.
    pub since: Micros,
    /// Why it is hidden.
    pub reason: String,
}

/// Lessons whose documents vanished from a source.
///
/// # Errors
/// The database refuses.
pub async fn gone(tx: &mut Tx, institution: InstitutionId, id: SourceId) -> Result<Vec<Gone>> {
    let rows = tx
        .rows(
            "SELECT l.id, l.title, l.gone_at, l.gone_reason FROM lessons l JOIN modules m ON m.id = l.module_id
             WHERE l.institution_id = $1 AND m.source_id = $2 AND l.gone_at IS NOT NULL ORDER BY l.gone_at, l.title, l.id",
            args![institution, id],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Gone {
                lesson: row.id("id")?,
                title: row.text("title")?,
                since: row.int("gone_at")?,
                reason: row.text_opt("gone_reason")?.unwrap_or_default(),
            })
        })
        .collect()
}

/// What a source has in its course now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Modules.
    pub modules: i64,
    /// Lessons that show something.
    pub lessons: i64,
    /// Documents that were read.
    pub documents: i64,
    /// Documents that could not be read.
    pub failed: i64,
    /// Passages.
    pub chunks: i64,
    /// Bytes of its documents, recordings and packages.
    pub bytes: i64,
}

/// Counts what the published version of a source has.
///
/// # Errors
/// The database refuses.
pub async fn counts(tx: &mut Tx, institution: InstitutionId, id: SourceId) -> Result<Counts> {
    let row = tx
        .row(
            "SELECT
               (SELECT COUNT(*) FROM modules m WHERE m.institution_id = $1 AND m.source_id = s.id
                 AND (EXISTS (SELECT 1 FROM lessons o WHERE o.module_id = m.id AND o.gone_at IS NULL)
                   OR NOT EXISTS (SELECT 1 FROM lessons o WHERE o.module_id = m.id))) AS modules,
               (SELECT COUNT(*) FROM lessons l JOIN modules m ON m.id = l.module_id
                 WHERE l.institution_id = $1 AND m.source_id = s.id AND l.gone_at IS NULL) AS lessons,
               (SELECT COUNT(*) FROM documents d WHERE d.version_id = s.current_version_id AND d.state = 'chunked') AS documents,
               (SELECT COUNT(*) FROM documents d WHERE d.version_id = s.current_version_id AND d.state = 'failed') AS failed,
               (SELECT COUNT(*) FROM chunks c WHERE c.version_id = s.current_version_id) AS chunks,
               (SELECT CAST(COALESCE(SUM(b.size), 0) AS BIGINT) FROM blobs b WHERE b.institution_id = $1 AND (
                 b.sha256 IN (SELECT d.blob_sha256 FROM documents d WHERE d.version_id = s.current_version_id)
                 OR b.sha256 IN (SELECT x.blob_sha256 FROM document_blobs x JOIN documents d ON d.id = x.document_id
                   WHERE d.version_id = s.current_version_id))) AS bytes
             FROM sources s WHERE s.institution_id = $1 AND s.id = $2",
            args![institution, id],
        )
        .await?;
    row.map_or_else(
        || Ok(Counts::default()),
        |row| {
            Ok(Counts {
                modules: row.int("modules")?,
                lessons: row.int("lessons")?,
                documents: row.int("documents")?,
                failed: row.int("failed")?,
                chunks: row.int("chunks")?,
                bytes: row.int("bytes")?,
            })
        },
    )
}

/// Takes a source out of its course: modules, lessons, passages and vectors go, its row and its runs stay. Blobs
/// that nothing needs any more are collected later. Yields the version that was published.
///
/// # Errors
/// Not found when it is not the institution's.
pub async fn remove(tx: &mut Tx, institution: InstitutionId, id: SourceId) -> Result<Option<VersionId>> {
    let found = super::get(tx, institution, id)
        .await?
        .filter(|found| found.removed_at.is_none())
        .ok_or_else(|| domain::Error::not_found("source", id))?;
    version::remove_all(tx, institution, found.course_id, id).await?;
    let now = tx.now().await?;
    tx.exec(
        "UPDATE sources SET removed_at = $3, cron = NULL, next_at = NULL, failures = 0, schedule_note = NULL
         WHERE institution_id = $1 AND id = $2",
        args![institution, id, now],
    )
    .await?;
    Ok(found.current_version_id)
}

/// States of the questions of the course's bank that rest on a document of the source.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn questions(tx: &mut Tx, institution: InstitutionId, source: &Source) -> Result<Vec<String>> {
    let Some(version) = source.current_version_id else { return Ok(Vec::new()) };
    let paths: std::collections::HashSet<String> = tx
        .rows("SELECT path FROM documents WHERE institution_id = $1 AND version_id = $2", args![institution, version])
        .await?
        .iter()
        .map(|row| row.text("path"))
        .collect::<Result<_>>()?;
    let rows = tx
        .rows(
            "SELECT state, draft FROM questions WHERE institution_id = $1 AND course_id = $2 ORDER BY id",
            args![institution, source.course_id],
        )
        .await?;
    let mut states = Vec::new();
    for row in &rows {
        let draft: serde_json::Value = row.json("draft")?;
        let path = draft.pointer("/source/sourcePath").and_then(serde_json::Value::as_str);
        if path.is_some_and(|path| paths.contains(path)) {
            states.push(row.text("state")?);
        }
    }
    Ok(states)
}
