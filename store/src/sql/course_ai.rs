//! Rows of `course_ai`: courses whose AI was switched; a course without a row has it on.

use domain::{CourseId, InstitutionId, UserId};

use crate::db::{Tx, args};
use crate::error::Result;

/// Whether the AI of a course is on.
///
/// # Errors
/// The database refuses.
pub async fn enabled(tx: &mut Tx, institution: InstitutionId, course: CourseId) -> Result<bool> {
    let sql = "SELECT enabled FROM course_ai WHERE institution_id = $1 AND course_id = $2";
    tx.row(sql, args![institution, course]).await?.map_or(Ok(true), |row| row.flag("enabled"))
}

/// Switches the AI of a course.
///
/// # Errors
/// The database refuses.
pub async fn set(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    enabled: bool,
    by: Option<UserId>,
) -> Result<()> {
    let sql = format!(
        "INSERT INTO course_ai (course_id, institution_id, enabled, changed_by, changed_at) VALUES ($1, $2, $3, $4, {})
         ON CONFLICT (course_id) DO UPDATE SET enabled = EXCLUDED.enabled, changed_by = EXCLUDED.changed_by,
           changed_at = EXCLUDED.changed_at",
        tx.clock()
    );
    tx.exec(&sql, args![course, institution, enabled, by]).await?;
    Ok(())
}
