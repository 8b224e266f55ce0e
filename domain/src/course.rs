//! Courses, modules and lessons.

use serde::{Deserialize, Serialize};

use crate::{CourseId, DocumentId, InstitutionId, LessonId, Micros, ModuleId, SourceId, UserId};

/// A course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Course {
    /// Identity.
    pub id: CourseId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Name in addresses, unique in the institution.
    pub slug: String,
    /// Name for people.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// `draft`, `review`, `published` or `archived`.
    pub status: String,
    /// `private`, `institution` or `public`.
    pub visibility: String,
    /// `open`, `invite_only` or `closed`.
    pub enrollment_type: String,
    /// Length in weeks, if planned.
    pub duration_weeks: Option<i64>,
    /// Credit hours, if any.
    pub credit_hours: Option<i64>,
    /// Free JSON of the institution.
    pub metadata: serde_json::Value,
    /// Who made it; `None` for the operator.
    pub created_by: Option<UserId>,
    /// Raised at each change; the `ETag`.
    pub version: i64,
    /// When it was made.
    pub created_at: Micros,
    /// When it was changed.
    pub updated_at: Micros,
}

/// Allowed spellings of `Course::status`.
pub const STATUSES: [&str; 4] = ["draft", "review", "published", "archived"];
/// Allowed spellings of `Course::visibility`.
pub const VISIBILITIES: [&str; 3] = ["private", "institution", "public"];
/// Allowed spellings of `Course::enrollment_type`.
pub const ENROLLMENT_TYPES: [&str; 3] = ["open", "invite_only", "closed"];

/// A module of a course.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Module {
    /// Identity.
    pub id: ModuleId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// The source that made it, if one did.
    pub source_id: Option<SourceId>,
    /// Name.
    pub title: String,
    /// Order in the course.
    pub position: i64,
}

/// A lesson of a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lesson {
    /// Identity.
    pub id: LessonId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// Module.
    pub module_id: ModuleId,
    /// The ingested document that it shows, if any.
    pub document_id: Option<DocumentId>,
    /// Name.
    pub title: String,
    /// `VIDEO`, `DOCUMENT`, `INTERACTIVE`, `QUIZ` or `DISCUSSION`.
    pub kind: String,
    /// Order in the module.
    pub position: i64,
    /// Not shown to learners, and not searched for them.
    pub hidden: bool,
}
