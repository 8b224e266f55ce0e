//! A request as its caller holds it.

use std::sync::Arc;

use domain::wire::{Reply, RequestId, Usage};

use super::Shared;
use crate::error::GatewayError;
use crate::state::State;

/// Takes a request back when its caller lets go.
pub(crate) struct Guard {
    shared: Arc<Shared>,
    id: RequestId,
}

impl Guard {
    pub(super) fn new(shared: Arc<Shared>, id: RequestId) -> Self {
        Self { shared, id }
    }

    pub(crate) fn expire(&self) {
        self.shared.with(|state| state.abandon(self.id, true));
    }

    pub(crate) fn look(&self) {
        self.shared.with(State::look);
    }

    pub(crate) fn position(&self) -> Option<usize> {
        self.shared.with(|state| state.position(self.id))
    }

    pub(crate) fn place(&self) -> Place {
        Place { shared: Arc::clone(&self.shared), id: self.id }
    }

    pub(crate) fn began(&self) {
        self.shared.with(|state| state.began(self.id));
    }

    pub(crate) fn used(&self, usage: Usage) {
        self.shared.with(|state| state.used(self.id, usage));
    }

    pub(crate) fn failed(&self, error: GatewayError) -> bool {
        self.shared.with(|state| state.direct_failed(self.id, error))
    }

    pub(crate) fn ended(&self, error: Option<GatewayError>) {
        let outcome = error.map_or(Ok(Reply::Forward { usage: None }), Err);
        self.shared.with(|state| state.end(self.id, outcome));
    }
}

/// Where a request stands in the queue. Dropping it changes nothing.
#[derive(Clone)]
pub struct Place {
    shared: Arc<Shared>,
    id: RequestId,
}

impl Place {
    /// Requests that are ahead of it in its class; none once a worker has it.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.shared.with(|state| state.position(self.id))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.with(|state| state.abandon(self.id, false));
    }
}
