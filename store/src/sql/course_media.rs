//! Rows of `course_media`: courses whose recordings are protected; a course without a row has none that are.

use domain::{CourseId, InstitutionId, UserId};

use crate::db::{Tx, args};
use crate::error::Result;

/// Whether recordings of a course are protected.
///
/// # Errors
/// The database refuses.
pub async fn protected(tx: &mut Tx, institution: InstitutionId, course: CourseId) -> Result<bool> {
    let sql = "SELECT protected FROM course_media WHERE institution_id = $1 AND course_id = $2";
    tx.row(sql, args![institution, course]).await?.map_or(Ok(false), |row| row.flag("protected"))
}

/// Protects the recordings of a course, or no longer.
///
/// # Errors
/// The database refuses.
pub async fn set(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    protected: bool,
    by: Option<UserId>,
) -> Result<()> {
    let sql = format!(
        "INSERT INTO course_media (course_id, institution_id, protected, changed_by, changed_at) VALUES ($1, $2, $3, $4, {})
         ON CONFLICT (course_id) DO UPDATE SET protected = EXCLUDED.protected, changed_by = EXCLUDED.changed_by,
           changed_at = EXCLUDED.changed_at",
        tx.clock()
    );
    tx.exec(&sql, args![course, institution, protected, by]).await?;
    Ok(())
}
