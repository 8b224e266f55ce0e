//! Enrolment of a user in a course: one for each pair.

use serde::{Deserialize, Serialize};

use crate::{CourseId, EnrollmentId, InstitutionId, Micros, UserId};

/// An enrolment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Enrollment {
    /// Identity.
    pub id: EnrollmentId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Who.
    pub user_id: UserId,
    /// In what.
    pub course_id: CourseId,
    /// `enrolled`, `completed`, `dropped` or `suspended`.
    pub status: String,
    /// Per cent, 0 to 100, computed by the server, never falling.
    pub progress: f64,
    /// When it was made.
    pub created_at: Micros,
    /// When it was changed.
    pub updated_at: Micros,
}
