//! Users, their roles, and where a role holds.

use serde::{Deserialize, Serialize};

use crate::{CourseId, InstitutionId, Micros, UserId};

/// A person or service account; belongs to one institution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Identity.
    pub id: UserId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Login name, unique in the institution.
    pub username: String,
    /// Address, unique in the institution.
    pub email: Option<String>,
    /// Name for people.
    pub display_name: String,
    /// `active`, `inactive` or `suspended`.
    pub status: String,
    /// Raised whenever rights change; tokens older than it are re-read.
    pub authz_epoch: i64,
    /// When it was made.
    pub created_at: Micros,
}

/// A role, as SAFETY's access matrix names them; the first version hands out five.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// GA: the whole installation.
    GlobalAdmin,
    /// IA: one institution.
    InstitutionAdmin,
    /// CC: makes courses and owns those that it made.
    CourseCreator,
    /// IN: teaches a course.
    Instructor,
    /// TA: helps to teach a course.
    TeachingAssistant,
    /// GT: tutors groups of a course.
    GroupTutor,
    /// LE: takes a course.
    Learner,
    /// OB: watches one learner.
    Observer,
    /// AU: reads an institution.
    Auditor,
    /// GU: not logged in, or no role.
    Guest,
    /// SV: a key with named scopes.
    Service,
}

impl Role {
    /// Every role, in the order of the matrix's columns.
    pub const ALL: [Self; 11] = [
        Self::GlobalAdmin,
        Self::InstitutionAdmin,
        Self::CourseCreator,
        Self::Instructor,
        Self::TeachingAssistant,
        Self::GroupTutor,
        Self::Learner,
        Self::Observer,
        Self::Auditor,
        Self::Guest,
        Self::Service,
    ];

    /// The spelling used in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GlobalAdmin => "global_admin",
            Self::InstitutionAdmin => "institution_admin",
            Self::CourseCreator => "course_creator",
            Self::Instructor => "instructor",
            Self::TeachingAssistant => "teaching_assistant",
            Self::GroupTutor => "group_tutor",
            Self::Learner => "learner",
            Self::Observer => "observer",
            Self::Auditor => "auditor",
            Self::Guest => "guest",
            Self::Service => "service",
        }
    }

    /// The role of a stored or asked-for name; `student`, `admin` and `creator` are the short names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "student" => Some(Self::Learner),
            "admin" => Some(Self::InstitutionAdmin),
            "creator" => Some(Self::CourseCreator),
            _ => Self::ALL.into_iter().find(|role| role.as_str() == text),
        }
    }
}

/// Where a grant holds; it inherits downward, never sideways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "id")]
pub enum Scope {
    /// Everywhere.
    Global,
    /// One institution.
    Institution(InstitutionId),
    /// One course.
    Course(CourseId),
}

/// One row of `user_roles`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// What the user is.
    pub role: Role,
    /// Where.
    pub scope: Scope,
}
