//! Counters of the interface in Prometheus' text format. No user, course or institution is a label.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};

/// Upper bounds of the duration's buckets, in seconds.
const BOUNDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0];

#[derive(Debug, Default, Clone)]
struct Histogram {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    seconds: f64,
}

/// What the requests did since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    active: AtomicI64,
    durations: Mutex<BTreeMap<(String, &'static str, u16), Histogram>>,
}

/// A request that is being answered.
#[must_use]
pub(crate) struct Running(());

impl Metrics {
    pub(crate) fn begin(&self) -> Running {
        self.active.fetch_add(1, Ordering::Relaxed);
        Running(())
    }

    pub(crate) fn end(&self, _: Running, method: &Method, route: &'static str, status: StatusCode, took: Duration) {
        self.active.fetch_sub(1, Ordering::Relaxed);
        let method = match *method {
            Method::GET | Method::POST | Method::PUT | Method::DELETE | Method::PATCH | Method::HEAD => method.as_str(),
            _ => "other",
        };
        let mut durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        let one = durations.entry((method.to_owned(), route, status.as_u16())).or_default();
        let seconds = took.as_secs_f64();
        for (bucket, bound) in one.buckets.iter_mut().zip(BOUNDS) {
            if seconds <= bound {
                *bucket += 1;
            }
        }
        one.count += 1;
        one.seconds += seconds;
    }

    /// The text that a scraper reads.
    pub(crate) fn text(&self) -> String {
        let mut out = String::from("# TYPE http_server_active_requests gauge\n");
        // Writing to a string cannot fail.
        let _ = writeln!(out, "http_server_active_requests {}", self.active.load(Ordering::Relaxed));
        out.push_str("# TYPE http_server_request_duration_seconds histogram\n");
        let durations = self.durations.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((method, route, status), one) in durations {
            let labels = format!(
                "http_request_method=\"{method}\",http_route=\"{route}\",http_response_status_code=\"{status}\""
            );
            for (bucket, bound) in one.buckets.iter().zip(BOUNDS) {
                let _ =
                    writeln!(out, "http_server_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {bucket}");
            }
            let _ = writeln!(out, "http_server_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {}", one.count);
            let _ = writeln!(out, "http_server_request_duration_seconds_sum{{{labels}}} {}", one.seconds);
            let _ = writeln!(out, "http_server_request_duration_seconds_count{{{labels}}} {}", one.count);
        }
        out
    }
}
