//! Durable requests to models: accepted once, answered once, kept until they are fetched.

use serde::{Deserialize, Serialize};

use crate::wire::Class;
use crate::{ApiKeyId, CourseId, InstitutionId, Micros, ModelRequestId, UserId};

/// The kind of job that runs them.
pub const JOB: &str = "run_model_request";
/// The largest body that is taken, in bytes.
pub const MOST_BODY: usize = 8 * 1024 * 1024;
/// The longest key that a caller may give.
pub const MOST_KEY: usize = 200;

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestState {
    /// Waits for a worker.
    Queued,
    /// Was begun; a crash begins it again.
    Running,
    /// Has its answer.
    Done,
    /// Has none and will have none, unless a person starts its job again.
    Failed,
    /// Was called off.
    Cancelled,
}

impl RequestState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Cancelled];

    /// The spelling used in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it is still to be answered.
    #[must_use]
    pub fn open(self) -> bool {
        matches!(self, Self::Queued | Self::Running)
    }
}

/// A durable request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRequest {
    /// Identity.
    pub id: ModelRequestId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Who asked.
    pub user_id: UserId,
    /// With which key.
    pub key_id: Option<ApiKeyId>,
    /// The course that it is for.
    pub course_id: Option<CourseId>,
    /// The caller's own name for it.
    pub idempotency_key: String,
    /// Hash of class, endpoint, course and body.
    pub request_hash: String,
    /// How urgent.
    pub class: Class,
    /// The path that it was sent to, such as `/v1/chat/completions`.
    pub endpoint: String,
    /// The body, to the byte.
    pub body: Vec<u8>,
    /// Where it stands.
    pub state: RequestState,
    /// Status of the answer.
    pub status: Option<u16>,
    /// The answer, to the byte.
    pub response: Option<Vec<u8>>,
    /// Why there is none.
    pub error: Option<String>,
    /// When it was accepted.
    pub created_at: Micros,
    /// When it ended.
    pub finished_at: Option<Micros>,
}

/// The class of that name.
#[must_use]
pub fn class(name: &str) -> Option<Class> {
    Class::ALL.into_iter().find(|class| class.name() == name)
}

/// The priority of its job: the order of service, an interactive class highest.
#[must_use]
pub fn priority(class: Class) -> i64 {
    i64::try_from(Class::ALL.len() - class.rank()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_first_has_the_higher_priority() {
        let order: Vec<i64> = Class::ALL.into_iter().map(priority).collect();
        assert!(order.windows(2).all(|pair| pair[0] > pair[1]), "{order:?}");
        assert!(Class::ALL.into_iter().all(|each| class(each.name()) == Some(each)));
    }
}
