//! Rows of `playback_positions`: where a learner left a recording.

use domain::{InstitutionId, LessonId, UserId};

use crate::db::{Tx, args};
use crate::error::Result;

/// Where a user left the recording of a lesson, in seconds; `None` when it was never played.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, user: UserId, lesson: LessonId) -> Result<Option<f64>> {
    let sql = "SELECT seconds FROM playback_positions WHERE institution_id = $1 AND user_id = $2 AND lesson_id = $3";
    tx.row(sql, args![institution, user, lesson]).await?.map(|row| row.real("seconds")).transpose()
}

/// Notes where a user left the recording of a lesson.
///
/// # Errors
/// The database refuses.
pub async fn put(tx: &mut Tx, institution: InstitutionId, user: UserId, lesson: LessonId, seconds: f64) -> Result<()> {
    let sql = format!(
        "INSERT INTO playback_positions (user_id, lesson_id, institution_id, seconds, updated_at) VALUES ($1, $2, $3, $4, {})
         ON CONFLICT (user_id, lesson_id) DO UPDATE SET seconds = EXCLUDED.seconds, updated_at = EXCLUDED.updated_at",
        tx.clock()
    );
    tx.exec(&sql, args![user, lesson, institution, seconds]).await?;
    Ok(())
}
