//! The gateway's books: quotas, the AI switch and the ledger of the school.

use std::sync::Arc;

use async_trait::async_trait;
use domain::ApiKeyId;
use domain::quota::Payer;
use domain::usage::{Sums, UsageRow};
use llm_gateway::{Caller, GatewayError, Held, Meter, Used};
use school::School;
use school::quota::{Quotas, Reservation};
use school::usage::Usage;

use crate::telemetry::Telemetry;

/// What the installation does for a course whose models are switched off all the same: making content
/// findable generates nothing.
const INDEX: &str = "index";

/// Keeps the books of a school.
pub(crate) struct SchoolMeter {
    school: School,
    quotas: Quotas,
    usage: Usage,
    telemetry: Option<Telemetry>,
}

impl SchoolMeter {
    pub(crate) fn new(school: School, quotas: Quotas, usage: Usage, telemetry: Option<Telemetry>) -> Arc<Self> {
        Arc::new(Self { school, quotas, usage, telemetry })
    }
}

fn payer(caller: &Caller) -> Option<Payer> {
    caller.institution.map(|institution| Payer {
        institution,
        course: caller.course,
        user: caller.user,
        key: caller.key.map(ApiKeyId),
    })
}

#[async_trait]
impl Meter for SchoolMeter {
    async fn reserve(&self, caller: &Caller, tokens: u64) -> Result<Box<dyn Held>, GatewayError> {
        let Some(payer) = payer(caller) else { return Ok(Box::new(Taken(None))) };
        if let Some(course) = payer.course.filter(|_| caller.feature != INDEX) {
            match self.school.course_ai().enabled(payer.institution, course).await {
                Ok(true) => {}
                Ok(false) => return Err(GatewayError::SwitchedOff),
                Err(error) => return Err(GatewayError::Backend(format!("the AI switch cannot be read: {error}"))),
            }
        }
        let reserved = self.quotas.reserve(&payer, tokens).await;
        let taken = reserved.map_err(|hit| GatewayError::Quota {
            limit: format!("{} {}", hit.scope.as_str(), hit.limit.as_str()),
            retry_after: hit.retry_after,
        })?;
        Ok(Box::new(Taken(Some(taken))))
    }

    fn record(&self, used: Used) {
        if let Some(telemetry) = &self.telemetry {
            telemetry.record(&used);
        }
        let Some(payer) = payer(&used.caller) else { return };
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let sums = Sums {
            requests: 1,
            failed: u64::from(!used.ok),
            prompt_tokens: used.prompt_tokens,
            completion_tokens: used.completion_tokens,
            waited_ms: millis(used.waited),
            busy_ms: millis(used.busy),
            cache_hits: u64::from(used.cache_hit),
        };
        self.usage.record(UsageRow { payer, feature: used.caller.feature.to_owned(), model: used.model, sums });
    }
}

struct Taken(Option<Reservation>);

impl Held for Taken {
    fn share(&self) -> f64 {
        self.0.as_ref().map_or(1.0, Reservation::share)
    }

    fn settle(self: Box<Self>, tokens: u64) {
        match self.0 {
            Some(reservation) if tokens == 0 => reservation.cancel(),
            Some(reservation) => reservation.settle(tokens),
            None => {}
        }
    }
}
