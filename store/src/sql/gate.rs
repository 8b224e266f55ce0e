//! Scope gates: when the tutor of a course answers, says what is closest, or declines.

use domain::{CourseId, InstitutionId, Micros};
use serde_json::{Value, json};

use super::event::{self, NewEvent};
use crate::db::{Tx, args};
use crate::error::Result;

/// The calibrated gate of a course under one embedding model.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// Of what it was calibrated on; a course that changed has another.
    pub fingerprint: String,
    /// Thresholds and their error rates.
    pub calibration: Value,
    /// When it was calibrated.
    pub created_at: Micros,
}

/// The gate of a course; the empty model is keywords only.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn get(tx: &mut Tx, institution: InstitutionId, course: CourseId, model: &str) -> Result<Option<Gate>> {
    tx.row(
        "SELECT fingerprint, calibration, created_at FROM scope_gates
         WHERE institution_id = $1 AND course_id = $2 AND model = $3",
        args![institution, course, model],
    )
    .await?
    .map(|row| {
        Ok(Gate {
            fingerprint: row.text("fingerprint")?,
            calibration: row.json("calibration")?,
            created_at: row.int("created_at")?,
        })
    })
    .transpose()
}

/// Keeps the gate of a course in place of its last one.
///
/// # Errors
/// Not found when the course is not the institution's.
pub async fn put(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    model: &str,
    fingerprint: &str,
    calibration: &Value,
) -> Result<()> {
    let now = tx.now().await?;
    let written = tx
        .exec(
            "INSERT INTO scope_gates (course_id, model, institution_id, fingerprint, calibration, created_at)
             SELECT c.id, $3, c.institution_id, $4, $5, $6 FROM courses c WHERE c.institution_id = $1 AND c.id = $2
             ON CONFLICT (course_id, model) DO UPDATE
               SET fingerprint = excluded.fingerprint, calibration = excluded.calibration, created_at = excluded.created_at",
            args![institution, course, model, fingerprint, calibration, now],
        )
        .await?;
    if written == 0 {
        return Err(domain::Error::not_found("course", course).into());
    }
    let event = NewEvent::new("scope.calibrated", institution, course)
        .course(course)
        .payload(json!({ "model": model, "fingerprint": fingerprint }));
    event::append(tx, &event).await?;
    Ok(())
}
