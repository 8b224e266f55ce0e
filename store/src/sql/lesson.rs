//! Rows of `modules` and `lessons` as a reader sees them. Publishing a source version writes them.

use domain::course::{Lesson, Module};
use domain::{CourseId, InstitutionId, LessonId, Locator, LocatorKind};

use crate::db::{Row, Tx, args};
use crate::error::{Error, Result};

/// Modules of a course, in order.
///
/// # Errors
/// The database refuses.
pub async fn modules(tx: &mut Tx, institution: InstitutionId, course: CourseId) -> Result<Vec<Module>> {
    let sql = "SELECT id, institution_id, course_id, source_id, title, position FROM modules \
               WHERE institution_id = $1 AND course_id = $2 ORDER BY position, id";
    let rows = tx.rows(sql, args![institution, course]).await?;
    rows.iter()
        .map(|row| {
            Ok(Module {
                id: row.id("id")?,
                institution_id: row.id("institution_id")?,
                course_id: row.id("course_id")?,
                source_id: row.id_opt("source_id")?,
                title: row.text("title")?,
                position: row.int("position")?,
            })
        })
        .collect()
}

const LESSON: &str =
    "l.id, l.institution_id, l.course_id, l.module_id, l.document_id, l.title, l.kind, l.position, l.hidden";

fn read(row: &Row) -> Result<Lesson> {
    Ok(Lesson {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        course_id: row.id("course_id")?,
        module_id: row.id("module_id")?,
        document_id: row.id_opt("document_id")?,
        title: row.text("title")?,
        kind: row.text("kind")?,
        position: row.int("position")?,
        hidden: row.flag("hidden")?,
    })
}

/// Lessons of a course in the order of the course; hidden ones only when asked for.
///
/// # Errors
/// The database refuses.
pub async fn in_course(tx: &mut Tx, institution: InstitutionId, course: CourseId, hidden: bool) -> Result<Vec<Lesson>> {
    let sql = format!(
        "SELECT {LESSON} FROM lessons l JOIN modules m ON m.id = l.module_id \
         WHERE l.institution_id = $1 AND l.course_id = $2 AND (l.hidden = $3 OR l.hidden = $4) \
         ORDER BY m.position, m.id, l.position, l.id"
    );
    tx.rows(&sql, args![institution, course, false, hidden]).await?.iter().map(read).collect()
}

/// The lesson of that id.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: LessonId) -> Result<Option<Lesson>> {
    let sql = format!("SELECT {LESSON} FROM lessons l WHERE l.institution_id = $1 AND l.id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// The document that a lesson shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Path within the source.
    pub path: String,
    /// Title of the document.
    pub title: String,
    /// Kind of document.
    pub kind: String,
    /// Its bytes.
    pub blob_sha256: String,
    /// What the source knows beside it: media, captions.
    pub extra: serde_json::Value,
}

/// The document of a lesson; `None` when it shows none.
///
/// # Errors
/// The database refuses.
pub async fn shown(tx: &mut Tx, institution: InstitutionId, id: LessonId) -> Result<Option<Shown>> {
    let sql = "SELECT d.path, d.title, d.kind, d.blob_sha256, d.extra FROM lessons l \
               JOIN documents d ON d.id = l.document_id AND d.institution_id = l.institution_id \
               WHERE l.institution_id = $1 AND l.id = $2";
    let row = tx.row(sql, args![institution, id]).await?;
    row.map(|row| {
        Ok(Shown {
            path: row.text("path")?,
            title: row.text("title")?,
            kind: row.text("kind")?,
            blob_sha256: row.text("blob_sha256")?,
            extra: row.json("extra")?,
        })
    })
    .transpose()
}

/// A passage of a lesson in reading order.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Chapter, section, subsection.
    pub heading_path: Vec<String>,
    /// The words.
    pub text: String,
    /// The exact place.
    pub locator: Locator,
}

/// The text of a lesson, passage by passage.
///
/// # Errors
/// The database refuses.
pub async fn passages(tx: &mut Tx, institution: InstitutionId, id: LessonId) -> Result<Vec<Passage>> {
    let sql = "SELECT c.heading_path, c.text, c.locator_kind, c.locator_start, c.locator_end FROM lessons l \
               JOIN chunks c ON c.document_id = l.document_id AND c.institution_id = l.institution_id \
               WHERE l.institution_id = $1 AND l.id = $2 ORDER BY c.position";
    let rows = tx.rows(sql, args![institution, id]).await?;
    rows.iter()
        .map(|row| {
            let kind = row.text("locator_kind")?;
            let kind = LocatorKind::parse(&kind).ok_or_else(|| Error::Damaged {
                column: "locator_kind".into(),
                reason: format!("\"{kind}\" is not a kind of place"),
            })?;
            Ok(Passage {
                heading_path: row.json("heading_path")?,
                text: row.text("text")?,
                locator: Locator::new(kind, row.int("locator_start")?, row.int("locator_end")?),
            })
        })
        .collect()
}
