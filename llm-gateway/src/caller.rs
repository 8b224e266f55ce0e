//! Who asks, and who keeps the books of it.

use std::time::Duration;

use async_trait::async_trait;
use domain::wire::{Class, Task};
use domain::{CourseId, InstitutionId, UserId};
use uuid::Uuid;

use crate::error::GatewayError;

/// Who asks a model, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Caller {
    /// Tenant; none for what the installation does for itself.
    pub institution: Option<InstitutionId>,
    /// Course that it is for.
    pub course: Option<CourseId>,
    /// The person, where there is one.
    pub user: Option<UserId>,
    /// The API key that was shown.
    pub key: Option<Uuid>,
    /// What it is for: `tutor`, `quiz`, `grade`, `index`, `api`.
    pub feature: &'static str,
}

impl Caller {
    /// Whose share a request is served from.
    pub(crate) fn flow(&self) -> Flow {
        let institution = self.institution.map(|id| id.0);
        let whose = self.user.map_or(Whose::Feature(self.feature), |id| Whose::Person(id.0));
        Flow { user: (institution, whose), course: self.course.map(|id| id.0) }
    }
}

/// Who is served: a person, else what the installation does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Whose {
    Person(Uuid),
    Feature(&'static str),
}

/// Where a request's share is counted: its user, else what the installation does for the institution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    pub(crate) user: (Option<Uuid>, Whose),
    pub(crate) course: Option<Uuid>,
}

/// What became of one request, for the ledger.
#[derive(Debug, Clone)]
pub struct Used {
    /// Who asked.
    pub caller: Caller,
    /// The model that answered.
    pub model: String,
    /// How urgent it was.
    pub class: Class,
    /// What was asked for.
    pub task: Task,
    /// Whether it ended well.
    pub ok: bool,
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// In the queue.
    pub waited: Duration,
    /// With a worker.
    pub busy: Duration,
    /// Answered from a cache or together with another request.
    pub cache_hit: bool,
}

/// Keeps quotas and the ledger of usage. The gateway asks it before anything waits or loads.
#[async_trait]
pub trait Meter: Send + Sync + 'static {
    /// Takes `tokens` from every limit that holds for this caller.
    ///
    /// # Errors
    /// [`GatewayError::Quota`] names the limit that was hit; [`GatewayError::SwitchedOff`] when the
    /// course uses no models.
    async fn reserve(&self, caller: &Caller, tokens: u64) -> Result<Box<dyn Held>, GatewayError>;

    /// Writes down what became of a request; never waits.
    fn record(&self, used: Used);
}

/// Tokens taken from limits. Dropping it keeps the estimate and frees the concurrency.
pub trait Held: Send + Sync {
    /// How much of the workers whoever asks gets beside others; 1 is the usual share.
    fn share(&self) -> f64 {
        1.0
    }

    /// Replaces the estimate by what was used.
    fn settle(self: Box<Self>, tokens: u64);
}
