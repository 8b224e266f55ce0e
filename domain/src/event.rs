//! The permanent event log: envelope, names, topics and partitions.
//!
//! An event is written in the transaction of the change that it reports. Payloads hold ids, never
//! personal text, so that erasure and rebuilding stay possible.

use serde::{Deserialize, Serialize};

use crate::{CourseId, EventId, InstitutionId, Micros, UserId};

/// Number of partitions of the log; an aggregate always falls into the same one.
pub const PARTITIONS: i64 = 16;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Identity.
    pub event_id: EventId,
    /// `noun.verbed`, one of [`TYPES`].
    pub event_type: String,
    /// When.
    pub timestamp: Micros,
    /// Which part of the product wrote it.
    pub source_service: String,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Who acted; `None` for the operator and for jobs.
    pub user_id: Option<UserId>,
    /// The course concerned.
    pub course_id: Option<CourseId>,
    /// Login session.
    pub session_id: Option<String>,
    /// Ties a request, its jobs and its events together.
    pub correlation_id: Option<String>,
    /// What the order is kept for: the id of the changed thing.
    pub aggregate_id: String,
    /// Ids and numbers.
    pub payload: serde_json::Value,
}

/// Event types and the topic of each, as asked for in the contract, and ours beside them.
pub const TYPES: &[(&str, &str)] = &[
    ("institution.created", "lms.users.events"),
    ("user.created", "lms.users.events"),
    ("user.updated", "lms.users.events"),
    ("user.enrolled", "lms.users.events"),
    ("user.deactivated", "lms.users.events"),
    ("role.granted", "lms.users.events"),
    ("role.revoked", "lms.users.events"),
    ("key.created", "lms.users.events"),
    ("key.revoked", "lms.users.events"),
    ("quota.changed", "lms.users.events"),
    ("session.started", "lms.users.events"),
    ("session.ended", "lms.users.events"),
    ("course.created", "lms.courses.events"),
    ("course.updated", "lms.courses.events"),
    ("course.published", "lms.courses.events"),
    ("course.ai_switched", "lms.courses.events"),
    ("course.media_protected", "lms.courses.events"),
    ("module.added", "lms.courses.events"),
    ("content.updated", "lms.courses.events"),
    ("enrollment.created", "lms.enrollments.events"),
    ("enrollment.updated", "lms.enrollments.events"),
    ("progress.initialized", "lms.enrollments.events"),
    ("module.started", "lms.enrollments.events"),
    ("module.completed", "lms.enrollments.events"),
    ("course.completed", "lms.enrollments.events"),
    ("video.paused", "lms.enrollments.events"),
    ("question.created", "lms.assessments.events"),
    ("question.updated", "lms.assessments.events"),
    ("assessment.created", "lms.assessments.events"),
    ("assessment.published", "lms.assessments.events"),
    ("assessment.closed", "lms.assessments.events"),
    ("assessment.started", "lms.assessments.events"),
    ("assessment.submitted", "lms.assessments.events"),
    ("assessment.completed", "lms.assessments.events"),
    ("rubric.updated", "lms.assessments.events"),
    ("submission.created", "lms.assessments.events"),
    ("grade.proposed", "lms.assessments.events"),
    ("grade.set", "lms.assessments.events"),
    ("grade.released", "lms.assessments.events"),
    ("appeal.opened", "lms.assessments.events"),
    ("appeal.answered", "lms.assessments.events"),
    ("quiz.answered", "lms.assessments.events"),
    ("scorm.started", "lms.assessments.events"),
    ("scorm.resumed", "lms.assessments.events"),
    ("scorm.committed", "lms.assessments.events"),
    ("scorm.suspended", "lms.assessments.events"),
    ("scorm.ended", "lms.assessments.events"),
    ("file.upload_begun", "lms.content.events"),
    ("file.uploaded", "lms.content.events"),
    ("file.upload_ended", "lms.content.events"),
    ("content.accessed", "lms.content.events"),
    ("transcript.edited", "lms.content.events"),
    ("content.ingestion_started", "lms.content.events"),
    ("content.stage_completed", "lms.content.events"),
    ("content.text_published", "lms.content.events"),
    ("content.chunks_embedded", "lms.content.events"),
    ("content.ingestion_completed", "lms.content.events"),
    ("content.ingestion_failed", "lms.content.events"),
    ("content.ingestion_paused", "lms.content.events"),
    ("content.ingestion_resumed", "lms.content.events"),
    ("content.source_scheduled", "lms.content.events"),
    ("content.source_skipped", "lms.content.events"),
    ("content.source_removed", "lms.content.events"),
    ("content.limits_changed", "lms.content.events"),
    ("llm.processing_requested", "lms.content.events"),
    ("llm.processing_started", "lms.content.events"),
    ("llm.processing_completed", "lms.content.events"),
    ("llm.processing_failed", "lms.content.events"),
    ("llm.processing_cancelled", "lms.content.events"),
    ("llm.processing_forgotten", "lms.content.events"),
    ("search.performed", "lms.analytics.events"),
    ("tutor.answered", "lms.analytics.events"),
    ("scope.calibrated", "lms.analytics.events"),
    ("review.answered", "lms.enrollments.events"),
    ("prerequisite.changed", "lms.courses.events"),
];

/// The topic of an event type; `None` when the type is not registered.
#[must_use]
pub fn topic(event_type: &str) -> Option<&'static str> {
    TYPES.iter().find(|(name, _)| *name == event_type).map(|(_, topic)| *topic)
}

/// The partition of an aggregate: FNV-1a of its id, modulo [`PARTITIONS`].
#[must_use]
pub fn partition(aggregate_id: &str) -> i64 {
    let hash = aggregate_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    i64::try_from(hash % 16).unwrap_or_default()
}
