//! Appeals: a learner says that a released grade is wrong, a person answers in time.

use serde::{Deserialize, Serialize};

use crate::{AppealId, CourseId, GradeId, InstitutionId, Micros, SubmissionId, UserId};

/// Within how long an appeal is to be answered.
pub const DUE_MICROS: Micros = 7 * 24 * 3600 * 1_000_000;

/// What became of an appeal; told by the grades, not claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Nobody answered yet.
    Open,
    /// The points stayed.
    Upheld,
    /// A grade with other points was released since.
    Changed,
}

impl Outcome {
    /// The spelling used in rows and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Upheld => "upheld",
            Self::Changed => "changed",
        }
    }

    /// The outcome of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Open, Self::Upheld, Self::Changed].into_iter().find(|one| one.as_str() == text)
    }
}

/// An appeal against a released grade.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Appeal {
    /// Identity.
    pub id: AppealId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// Of which submission.
    pub submission_id: SubmissionId,
    /// Against which grade.
    pub grade_id: GradeId,
    /// Against which criterion; the whole when missing.
    pub criterion: Option<String>,
    /// The learner.
    pub user_id: UserId,
    /// Why the grade is wrong.
    pub text: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The answer to the learner.
    pub answer: Option<String>,
    /// When it was opened.
    pub created_at: Micros,
    /// By when it is to be answered.
    pub due_at: Micros,
    /// When it was answered.
    pub answered_at: Option<Micros>,
}
