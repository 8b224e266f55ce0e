//! What the gateway tells of itself.

use std::time::Duration;

use domain::wire::{Class, Model};
use serde::Serialize;

/// A model that live workers serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelStatus {
    /// The model.
    pub model: Model,
    /// Workers that serve it.
    pub workers: usize,
    /// Requests those workers would take at once, right now.
    pub credits: u32,
    /// Workers that have it loaded.
    pub loaded: usize,
}

/// What happened to the requests of one class since the start, and what is there now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassCounters {
    /// Taken in.
    pub accepted: u64,
    /// Ended well.
    pub completed: u64,
    /// Ended with an error of the model.
    pub failed: u64,
    /// Ran out of time.
    pub deadline: u64,
    /// Taken back by the caller.
    pub cancelled: u64,
    /// Ended because the worker went away.
    pub lost: u64,
    /// Given to a second worker or model.
    pub retried: u64,
    /// Refused because the queue was full or too slow for the deadline.
    pub overloaded: u64,
    /// Refused because no worker serves the model.
    pub no_model: u64,
    /// Time that workers spent on completed requests.
    pub busy: Duration,
    /// Time that completed requests waited.
    pub waited: Duration,
    /// Waiting now.
    pub queued: usize,
    /// With a worker now.
    pub running: usize,
}

/// One worker, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerStatus {
    /// Number on this gateway.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Models that it serves.
    pub models: Vec<String>,
    /// Models that it has loaded.
    pub loaded: Vec<String>,
    /// Requests at once.
    pub slots: u32,
    /// Requests that it has now.
    pub running: u32,
    /// Requests that ended well.
    pub completed: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Times that a model was loaded.
    pub loads: u64,
    /// Tokens written a second of work; none before there was any.
    pub tokens_per_second: Option<u64>,
    /// `ok`, `draining`, or `broken` with the models whose circuit is open.
    pub health: String,
    /// Seconds since it registered.
    pub seconds: u64,
    /// Milliseconds since it was heard.
    pub silent_ms: u64,
}

/// One waiting request, without its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueStatus {
    /// Number on this gateway.
    pub id: u64,
    /// How urgent.
    pub class: Class,
    /// The model that it waits for.
    pub model: String,
    /// Tenant.
    pub institution: Option<domain::InstitutionId>,
    /// Course.
    pub course: Option<domain::CourseId>,
    /// Whose.
    pub user: Option<domain::UserId>,
    /// What it is for.
    pub feature: &'static str,
    /// Milliseconds so far.
    pub waited_ms: u64,
    /// Milliseconds until nobody waits for it any longer.
    pub left_ms: u64,
    /// Tokens that it is expected to read and write.
    pub tokens: u64,
}
