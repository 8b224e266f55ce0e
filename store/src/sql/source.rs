//! Sources: the places that a course's content comes from.

use domain::ingestion::SourceKind;
use domain::{CourseId, InstitutionId, Micros, SourceId, VersionId};

use crate::db::{Row, Tx, args};
use crate::error::{Error, Result};

pub mod keep;

/// A source of a course.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Identity.
    pub id: SourceId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// What it is.
    pub kind: SourceKind,
    /// Path or address; with the kind it names the source within its course.
    pub origin: String,
    /// Name for people.
    pub title: String,
    /// The published version.
    pub current_version_id: Option<VersionId>,
    /// When it is fetched again, as five fields of cron in UTC.
    pub cron: Option<String>,
    /// The next scheduled run.
    pub next_at: Option<Micros>,
    /// Scheduled runs in a row that failed.
    pub failures: i64,
    /// What a person should know of the last scheduled turn.
    pub schedule_note: Option<String>,
    /// When it was removed; nothing of its content is left.
    pub removed_at: Option<Micros>,
    /// When it was first asked for.
    pub created_at: Micros,
}

const SELECT: &str =
    "SELECT id, institution_id, course_id, kind, origin, title, current_version_id, cron, next_at, failures, schedule_note,
  removed_at, created_at FROM sources";

/// The course's source of that kind and origin, made when it is not there; a removed one is there again.
///
/// # Errors
/// Not found when the course is not the institution's.
pub async fn find_or_create(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    kind: SourceKind,
    origin: &str,
    title: &str,
) -> Result<SourceId> {
    let now = tx.now().await?;
    // One statement, so that two requests at once make one source; a course of others yields no row. The
    // update that changes nothing makes the second wait until the first has committed what it starts.
    tx.exec(
        "INSERT INTO sources (id, institution_id, course_id, kind, origin, title, current_version_id, created_at)
         SELECT $3, c.institution_id, c.id, $4, $5, $6, NULL, $7 FROM courses c WHERE c.institution_id = $1 AND c.id = $2
         ON CONFLICT (institution_id, course_id, kind, origin) DO UPDATE SET origin = excluded.origin, removed_at = NULL",
        args![institution, course, SourceId::fresh(), kind.as_str(), origin, title, now],
    )
    .await?;
    tx.row(
        "SELECT id FROM sources WHERE institution_id = $1 AND course_id = $2 AND kind = $3 AND origin = $4",
        args![institution, course, kind.as_str(), origin],
    )
    .await?
    .ok_or_else(|| Error::from(domain::Error::not_found("course", course)))?
    .id("id")
}

/// A source of the institution.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: SourceId) -> Result<Option<Source>> {
    tx.row(&format!("{SELECT} WHERE institution_id = $1 AND id = $2"), args![institution, id])
        .await?
        .as_ref()
        .map(source)
        .transpose()
}

/// The sources of a course that were not removed, in the order in which they came.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn list(tx: &mut Tx, institution: InstitutionId, course: CourseId) -> Result<Vec<Source>> {
    tx.rows(
        &format!(
            "{SELECT} WHERE institution_id = $1 AND course_id = $2 AND removed_at IS NULL ORDER BY created_at, id"
        ),
        args![institution, course],
    )
    .await?
    .iter()
    .map(source)
    .collect()
}

fn source(row: &Row) -> Result<Source> {
    let kind = row.text("kind")?;
    Ok(Source {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        course_id: row.id("course_id")?,
        kind: SourceKind::parse(&kind)
            .ok_or_else(|| Error::Damaged { column: "kind".into(), reason: format!("\"{kind}\" is no kind") })?,
        origin: row.text("origin")?,
        title: row.text("title")?,
        current_version_id: row.id_opt("current_version_id")?,
        cron: row.text_opt("cron")?,
        next_at: row.int_opt("next_at")?,
        failures: row.int("failures")?,
        schedule_note: row.text_opt("schedule_note")?,
        removed_at: row.int_opt("removed_at")?,
        created_at: row.int("created_at")?,
    })
}
