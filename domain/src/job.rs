//! Jobs of the durable queue: their states and what a failure means for the next try.

use serde::{Deserialize, Serialize};

use crate::{InstitutionId, JobId, Micros};

/// The state of a job; it is in exactly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Waiting to be claimed.
    Ready,
    /// Claimed by a worker until its lease ends.
    Leased,
    /// Failed and waiting for its next try.
    Backoff,
    /// Completed.
    Done,
    /// Gave up; a person may retry it.
    Dead,
    /// Called off.
    Cancelled,
}

impl JobState {
    /// The spelling used in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Leased => "leased",
            Self::Backoff => "backoff",
            Self::Done => "done",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How a handler's failure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FailureClass {
    /// Try again with full jitter, base 2 s, cap 10 min.
    Retryable,
    /// Never try again.
    Permanent,
    /// The other side is full: wait as it says, and do not burn an attempt.
    Overload,
}

/// A claimed job, as its handler sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Job {
    /// Identity.
    pub id: JobId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Which handler: a verb and a noun, such as `embed_chunks`.
    pub kind: String,
    /// The handler's input.
    pub payload: serde_json::Value,
    /// Makes enqueueing the same work twice one job.
    pub idem_key: String,
    /// State when it was read.
    pub state: JobState,
    /// Claims so far since the last committed checkpoint.
    pub attempts: i64,
    /// Claims allowed.
    pub max_attempts: i64,
    /// Fencing token of the current claim.
    pub lease_token: Option<String>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: Micros,
}
