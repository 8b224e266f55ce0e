//! Whether the process lives and is ready; metrics.

use std::fmt::Write as _;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::policy::{Action, Subject};
use serde_json::json;

use crate::App;
use crate::error::ApiResult;
use crate::extract::Caller;

pub(super) async fn live() -> Response {
    Json(json!({ "status": "live" })).into_response()
}

pub(super) async fn ready(State(app): State<App>) -> Response {
    let health = app.probe.health(&app.ports).await;
    let (status, word) = match (health.broken.is_empty(), health.degraded.is_empty()) {
        _ if app.shutdown.is_cancelled() => (StatusCode::SERVICE_UNAVAILABLE, "draining"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        (true, false) => (StatusCode::OK, "degraded"),
        (true, true) => (StatusCode::OK, "ready"),
    };
    (status, Json(json!({ "status": word, "degraded": health.degraded, "unavailable": health.broken }))).into_response()
}

pub(super) async fn metrics(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    if !caller.scraper {
        let subject = Subject::institution(caller.actor.institution);
        school::access::known(&caller.actor, Action::PlatformConfig, &subject)?;
    }
    let mut text = app.metrics.text();
    let store = app.ports.school.store();
    let stats = store.read(|tx| Box::pin(store::sql::job::admin::stats(tx, None))).await?;
    // Summed over institutions: none is a label.
    let mut kinds = std::collections::BTreeMap::<String, [i64; 5]>::new();
    for one in stats {
        let sums = kinds.entry(one.kind).or_default();
        for (sum, value) in sums.iter_mut().zip([one.ready, one.leased, one.backoff, one.dead]) {
            *sum += value;
        }
        if let Some(oldest) = sums.last_mut() {
            *oldest = (*oldest).max(one.oldest_age_us);
        }
    }
    for (name, index) in [("ready", 0), ("leased", 1), ("backoff", 2), ("dead", 3)] {
        let _ = writeln!(text, "# TYPE lyceum_queue_{name} gauge");
        for (kind, sums) in &kinds {
            let _ = writeln!(
                text,
                "lyceum_queue_{name}{{kind=\"{kind}\"}} {}",
                sums.get(index).copied().unwrap_or_default()
            );
        }
    }
    text.push_str("# TYPE lyceum_queue_oldest_age_seconds gauge\n");
    for (kind, sums) in &kinds {
        let seconds = sums.last().copied().unwrap_or_default() / 1_000_000;
        let _ = writeln!(text, "lyceum_queue_oldest_age_seconds{{kind=\"{kind}\"}} {seconds}");
    }
    super::model::metrics(&app.ports.gateway, &mut text);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
