//! Whether the parts that requests need are there: asked at most every two seconds, never for long.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::ApiState;

/// How long an answer is good for.
const FRESH: Duration = Duration::from_secs(2);
/// How long a part may take to answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// What is missing. Names of parts, no hosts, no versions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    /// Without these nothing works.
    pub(crate) broken: Vec<&'static str>,
    /// Without these something is less good.
    pub(crate) degraded: Vec<&'static str>,
}

/// The last answer.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    last: Mutex<Option<(Instant, Health)>>,
}

impl Probe {
    pub(crate) async fn health(&self, ports: &ApiState) -> Health {
        let mut last = self.last.lock().await;
        if let Some((at, health)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            tracing::trace!(age_ms = at.elapsed().as_millis(), "health from the last probe");
            return health.clone();
        }
        let mut health = Health::default();
        let database = ports.school.store().read(|tx| Box::pin(async move { tx.now().await }));
        if !matches!(tokio::time::timeout(PATIENCE, database).await, Ok(Ok(_))) {
            health.broken.push("database");
        }
        if !matches!(tokio::time::timeout(PATIENCE, ports.index.healthy()).await, Ok(true)) {
            health.degraded.push("vectors");
        }
        if ports.gateway.embedding_model().is_none() {
            health.degraded.push("embedding model");
        }
        *last = Some((Instant::now(), health.clone()));
        health
    }
}
