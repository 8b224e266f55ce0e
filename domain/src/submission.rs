//! Submissions: what a learner handed in and a person has to judge.

use serde::{Deserialize, Serialize};

use crate::{AttemptId, CourseId, InstitutionId, Micros, QuestionId, SubmissionId, UserId};

/// Where a submission stands; told by its grades and releases, never stored beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nobody judged it yet: it has no points, which is not the same as 0 points.
    Waiting,
    /// A person set a grade that is not released.
    Graded,
    /// The current grade is released.
    Released,
}

impl State {
    /// The spelling used in queries and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Graded => "graded",
            Self::Released => "released",
        }
    }

    /// The state of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Waiting, Self::Graded, Self::Released].into_iter().find(|state| state.as_str() == text)
    }
}

/// A text that was handed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Submission {
    /// Identity.
    pub id: SubmissionId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// What was asked.
    pub question_id: QuestionId,
    /// In which version.
    pub question_version: i64,
    /// In which attempt.
    pub attempt_id: AttemptId,
    /// Whose.
    pub user_id: UserId,
    /// To the byte as it came.
    pub text: String,
    /// Points of a full answer.
    pub most: f64,
    /// When it came.
    pub submitted_at: Micros,
    /// Where it stands.
    pub state: State,
}
