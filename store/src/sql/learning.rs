//! What recommendations are made from: the pages of a course, an instructor's prerequisites, one learner's events.

use std::fmt::Write as _;

use domain::document::Notes;
use domain::{ChunkId, CourseId, DocumentId, InstitutionId, LessonId, Micros, SourceId, UserId};
use serde_json::Value;

use super::chunk::VISIBLE;
use crate::Scope;
use crate::db::{Tx, args};
use crate::error::Result;

/// The document behind a lesson.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The lesson that shows it.
    pub lesson: LessonId,
    /// The document.
    pub document: DocumentId,
    /// Its source; paths are within it.
    pub source: SourceId,
    /// Path within the source.
    pub path: String,
    /// What its author points at and stresses.
    pub notes: Notes,
}

/// The documents that the visible lessons of a course show.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn pages(tx: &mut Tx, scope: &Scope) -> Result<Vec<Page>> {
    let sql = "SELECT l.id, d.id AS document_id, v.source_id, d.path, d.extra FROM lessons l
               JOIN documents d ON d.id = l.document_id AND d.institution_id = l.institution_id
               JOIN source_versions v ON v.id = d.version_id
               WHERE l.institution_id = $1 AND l.course_id = $2 AND (l.hidden = $3 OR l.hidden = $4)
               ORDER BY l.id";
    tx.rows(sql, args![scope.institution, scope.course, false, scope.hidden])
        .await?
        .iter()
        .map(|row| {
            let extra: Value = row.json("extra")?;
            // A document that was read before notes were kept has none.
            let notes = extra.get("notes").cloned().and_then(|notes| serde_json::from_value(notes).ok());
            Ok(Page {
                lesson: row.id("id")?,
                document: row.id("document_id")?,
                source: row.id("source_id")?,
                path: row.text("path")?,
                notes: notes.unwrap_or_default(),
            })
        })
        .collect()
}

/// The index terms of a passage.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The passage.
    pub chunk: ChunkId,
    /// Its document.
    pub document: DocumentId,
    /// Its stems without stop words, in order, separated by spaces.
    pub terms: String,
}

/// The index terms of every passage that the scope sees.
///
/// # Errors
/// The database refuses.
pub async fn terms(tx: &mut Tx, scope: &Scope) -> Result<Vec<Terms>> {
    let sql = format!("SELECT c.id, c.document_id, c.terms, c.position FROM chunks c WHERE {VISIBLE}");
    let mut rows = tx
        .rows(&sql, args![scope.institution, scope.course, scope.hidden])
        .await?
        .iter()
        .map(|row| {
            let terms = Terms { chunk: row.id("id")?, document: row.id("document_id")?, terms: row.text("terms")? };
            Ok((terms.document, row.int("position")?, terms))
        })
        .collect::<Result<Vec<_>>>()?;
    rows.sort_by_key(|(document, position, _)| (*document, *position));
    Ok(rows.into_iter().map(|(_, _, terms)| terms).collect())
}

/// The embedding model of the course's published versions; `None` when they have no vectors.
///
/// # Errors
/// The database refuses.
pub async fn model(tx: &mut Tx, institution: InstitutionId, course: CourseId) -> Result<Option<String>> {
    let sql = "SELECT v.model, COUNT(*) AS n FROM sources s
               JOIN source_versions v ON v.id = s.current_version_id AND v.institution_id = s.institution_id
               WHERE s.institution_id = $1 AND s.course_id = $2 AND v.model IS NOT NULL
               GROUP BY v.model ORDER BY n DESC, v.model LIMIT 1";
    tx.row(sql, args![institution, course]).await?.map(|row| row.text("model")).transpose()
}

/// A text that changes whenever the pages, lessons or vectors of a course do.
///
/// # Errors
/// The database refuses.
pub async fn stamp(tx: &mut Tx, scope: &Scope) -> Result<String> {
    let mut text = String::new();
    let versions = "SELECT s.current_version_id, v.model FROM sources s
                    JOIN source_versions v ON v.id = s.current_version_id AND v.institution_id = s.institution_id
                    WHERE s.institution_id = $1 AND s.course_id = $2 ORDER BY s.current_version_id";
    for row in tx.rows(versions, args![scope.institution, scope.course]).await? {
        // Writing to a string cannot fail.
        let _ = write!(text, "{} {:?};", row.text("current_version_id")?, row.text_opt("model")?);
    }
    let lessons = "SELECT COUNT(*) AS n, COALESCE(SUM(CASE WHEN hidden THEN 1 ELSE 0 END), 0) AS hidden FROM lessons
                   WHERE institution_id = $1 AND course_id = $2";
    for row in tx.rows(lessons, args![scope.institution, scope.course]).await? {
        let _ = write!(text, "{} {} {}", row.int("n")?, row.int("hidden")?, scope.hidden);
    }
    Ok(text)
}

/// One instructor's word on a prerequisite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The lesson.
    pub lesson: LessonId,
    /// What it needs, or does not.
    pub needs: LessonId,
    /// False where a suggestion is taken away.
    pub required: bool,
}

/// What instructors said of a course's prerequisites.
///
/// # Errors
/// The database refuses.
pub async fn edits(tx: &mut Tx, institution: InstitutionId, course: CourseId) -> Result<Vec<Edit>> {
    let sql = "SELECT lesson_id, needs_id, required FROM prerequisites
               WHERE institution_id = $1 AND course_id = $2 ORDER BY lesson_id, needs_id";
    tx.rows(sql, args![institution, course])
        .await?
        .iter()
        .map(|row| {
            Ok(Edit { lesson: row.id("lesson_id")?, needs: row.id("needs_id")?, required: row.flag("required")? })
        })
        .collect()
}

/// Keeps an instructor's word in place of an earlier one on the same pair.
///
/// # Errors
/// The database refuses.
pub async fn put_edit(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    edit: &Edit,
    by: Option<UserId>,
) -> Result<()> {
    let now = tx.now().await?;
    tx.exec(
        "INSERT INTO prerequisites (institution_id, course_id, lesson_id, needs_id, required, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (lesson_id, needs_id) DO UPDATE SET
           required = excluded.required, created_by = excluded.created_by, created_at = excluded.created_at",
        args![institution, course, edit.lesson, edit.needs, edit.required, by, now],
    )
    .await?;
    Ok(())
}

/// One thing that a learner did, from the permanent log.
#[derive(Debug, Clone, PartialEq)]
pub struct Deed {
    /// Type of the event.
    pub event_type: String,
    /// The course concerned.
    pub course: Option<CourseId>,
    /// What it was about: for an answer, the question.
    pub aggregate: String,
    /// Ids and numbers.
    pub payload: Value,
    /// When.
    pub at: Micros,
}

/// A learner's events of these types, oldest first; `None` is every course.
///
/// # Errors
/// The database refuses.
pub async fn deeds(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    course: Option<CourseId>,
    types: &[&str],
) -> Result<Vec<Deed>> {
    let mut deeds = Vec::new();
    for event_type in types {
        let sql = "SELECT seq, course_id, aggregate_id, payload, created_at FROM events
                   WHERE institution_id = $1 AND user_id = $2 AND event_type = $3
                     AND (CAST($4 AS TEXT) IS NULL OR course_id = $4) ORDER BY seq";
        for row in tx.rows(sql, args![institution, user, *event_type, course]).await? {
            let deed = Deed {
                event_type: (*event_type).to_owned(),
                course: row.id_opt("course_id")?,
                aggregate: row.text("aggregate_id")?,
                payload: row.json("payload")?,
                at: row.int("created_at")?,
            };
            deeds.push((row.int("seq")?, deed));
        }
    }
    deeds.sort_by_key(|(seq, _)| *seq);
    Ok(deeds.into_iter().map(|(_, deed)| deed).collect())
}
