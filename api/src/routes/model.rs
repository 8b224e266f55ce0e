//! The models that workers serve.

use axum::extract::State;
use axum::response::Response;
use domain::policy::{Action, Subject};
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, many};
use crate::error::ApiResult;
use crate::extract::Caller;

/// A model.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ModelAttributes {
    /// `embed`, `chat` and so on.
    task: String,
    /// The backend that runs it.
    backend: String,
    /// Length of its vectors.
    dimension: Option<usize>,
    /// Workers that serve it.
    workers: usize,
}

pub(super) async fn list(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    school::access::known(&caller.actor, Action::PlatformConfig, &Subject::institution(caller.actor.institution))?;
    let models = app.ports.gateway.models();
    let page = Page { limit: i64::try_from(models.len()).unwrap_or_default(), ..Page::default() };
    let resources = models
        .into_iter()
        .map(|status| {
            let attributes = ModelAttributes {
                task: format!("{:?}", status.model.task).to_lowercase(),
                backend: status.model.backend,
                dimension: status.model.dimension,
                workers: status.workers,
            };
            Resource::new("models", status.model.id, attributes)
        })
        .collect();
    Ok(many("/api/v1/models", resources, &page))
}

/// The gateway's figures in Prometheus' text format. Names of requests follow OpenTelemetry's
/// conventions for generative AI; no user, course or institution is a label.
pub(super) fn metrics(gateway: &llm_gateway::Gateway, text: &mut String) {
    use std::fmt::Write as _;
    let counters = gateway.counters();
    text.push_str("# TYPE lyceum_model_requests_total counter\n");
    for (class, one) in &counters {
        for (outcome, count) in [
            ("accepted", one.accepted),
            ("completed", one.completed),
            ("failed", one.failed),
            ("deadline", one.deadline),
            ("cancelled", one.cancelled),
            ("worker_lost", one.lost),
            ("retried", one.retried),
            ("overloaded", one.overloaded),
            ("no_model", one.no_model),
        ] {
            let class = class.name();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "lyceum_model_requests_total{{class=\"{class}\",outcome=\"{outcome}\"}} {count}");
        }
    }
    for (name, of) in [("gen_ai_server_request_duration_seconds", true), ("lyceum_model_queue_time_seconds", false)] {
        let _ = writeln!(text, "# TYPE {name} summary");
        for (class, one) in &counters {
            let (class, sum) = (class.name(), if of { one.busy } else { one.waited });
            let _ = writeln!(text, "{name}_sum{{class=\"{class}\"}} {}", sum.as_secs_f64());
            let _ = writeln!(text, "{name}_count{{class=\"{class}\"}} {}", one.completed);
        }
    }
    text.push_str("# TYPE lyceum_model_requests gauge\n");
    for (class, one) in &counters {
        let class = class.name();
        let _ = writeln!(text, "lyceum_model_requests{{class=\"{class}\",state=\"waiting\"}} {}", one.queued);
        let _ = writeln!(text, "lyceum_model_requests{{class=\"{class}\",state=\"running\"}} {}", one.running);
    }
    let workers = gateway.workers();
    let (slots, loads): (u32, u64) =
        (workers.iter().map(|one| one.slots).sum(), workers.iter().map(|one| one.loads).sum());
    let healthy = workers.iter().filter(|one| one.health == "ok").count();
    let _ = writeln!(text, "# TYPE lyceum_model_workers gauge\nlyceum_model_workers {}", workers.len());
    let _ = writeln!(text, "# TYPE lyceum_model_workers_healthy gauge\nlyceum_model_workers_healthy {healthy}");
    let _ = writeln!(text, "# TYPE lyceum_model_slots gauge\nlyceum_model_slots {slots}");
    let _ = writeln!(text, "# TYPE lyceum_model_loads_total counter\nlyceum_model_loads_total {loads}");
}
