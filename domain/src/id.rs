//! Typed identifiers: UUID version 7 made by the caller, so that domain code asks no clock.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh, time-ordered id (UUID version 7, RFC 9562).
            #[must_use]
            pub fn fresh() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::Error;
            fn from_str(text: &str) -> Result<Self, crate::Error> {
                Uuid::parse_str(text).map(Self).map_err(|_| crate::Error::invalid(
                    "id", "INVALID_FORMAT", format!("\"{text}\" is not an id")))
            }
        }
    )*};
}

ids! {
    /// A tenant: the school that rows belong to.
    InstitutionId,
    /// A person or service account of one institution.
    UserId,
    /// A course.
    CourseId,
    /// A module (section) of a course.
    ModuleId,
    /// A lesson of a module.
    LessonId,
    /// One enrolment of a user in a course.
    EnrollmentId,
    /// A place that content comes from.
    SourceId,
    /// One fetched state of a source.
    VersionId,
    /// One document of a source version.
    DocumentId,
    /// One retrievable passage.
    ChunkId,
    /// A queued job.
    JobId,
    /// An event of the permanent log.
    EventId,
    /// An access token.
    TokenId,
    /// A run of the ingestion pipeline.
    IngestionId,
    /// A question of a course's bank.
    QuestionId,
    /// A quiz: questions put together to be taken.
    AssessmentId,
    /// One try of a learner at a quiz.
    AttemptId,
    /// A text that a learner handed in and a person has to judge.
    SubmissionId,
    /// A proposal for a submission.
    ProposalId,
    /// A grade of a submission.
    GradeId,
    /// One attempt of a user at an item of a SCORM package.
    ScormAttemptId,
    /// A learner's appeal against a released grade.
    AppealId,
    /// A key that opens the model API.
    ApiKeyId,
    /// A durable request to a model.
    ModelRequestId,
    /// A file that comes in pieces.
    UploadId,
}

impl ChunkId {
    /// The id of chunk number `position` of a source version.
    ///
    /// Derived (UUID version 5), so that writing the same chunk twice is one row and one vector.
    #[must_use]
    pub fn derived(source: SourceId, version: VersionId, position: i64) -> Self {
        Self(Uuid::new_v5(&source.0, format!("{version}/{position}").as_bytes()))
    }

    /// The id of this chunk's vector under `model` in a vector index.
    #[must_use]
    pub fn point(self, model: &str) -> Uuid {
        Uuid::new_v5(&self.0, model.as_bytes())
    }
}
