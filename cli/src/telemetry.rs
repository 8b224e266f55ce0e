//! Spans of model requests for an OpenTelemetry collector, where the environment names one.
//!
//! A span is made when its request is over, from what the ledger gets: the request itself pays nothing. Names are those
//! of OpenTelemetry's conventions for generative AI. No prompt and no answer is in a span.

use std::time::{Duration, SystemTime};

use llm_gateway::{Class, Used};
use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, SpanKind, Status, Tracer as _, TracerProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

/// The variables that name a collector, as the OpenTelemetry specification has them.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];

/// Sends spans.
#[derive(Clone)]
pub(crate) struct Telemetry {
    tracer: SdkTracer,
    provider: SdkTracerProvider,
}

impl Telemetry {
    /// Nothing where no collector is named; a notice for people where it cannot be used.
    pub(crate) fn open() -> Result<Option<Self>, String> {
        if !ENDPOINTS.iter().any(|name| std::env::var(name).is_ok_and(|value| !value.is_empty())) {
            return Ok(None);
        }
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build();
        let exporter = exporter.map_err(|error| format!("spans are not sent: {error}; check {}", ENDPOINTS.join(" and ")))?;
        let resource = Resource::builder().with_service_name("lyceum").build();
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
        Ok(Some(Self { tracer: provider.tracer("lyceum.gateway"), provider }))
    }

    /// A request that is over.
    pub(crate) fn record(&self, used: &Used) {
        let operation = match used.class {
            Class::Embed => "embeddings",
            Class::Transcribe => "transcribe",
            Class::Chat | Class::Grade | Class::Quiz => "chat",
        };
        let tokens = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let seconds = |time: Duration| time.as_secs_f64();
        let end = SystemTime::now();
        let begin = end.checked_sub(used.waited + used.busy).unwrap_or(end);
        let attributes = vec![
            KeyValue::new("gen_ai.operation.name", operation),
            KeyValue::new("gen_ai.provider.name", "lyceum"),
            KeyValue::new("gen_ai.request.model", used.model.clone()),
            KeyValue::new("gen_ai.usage.input_tokens", tokens(used.prompt_tokens)),
            KeyValue::new("gen_ai.usage.output_tokens", tokens(used.completion_tokens)),
            KeyValue::new("lyceum.class", used.class.name()),
            KeyValue::new("lyceum.feature", used.caller.feature),
            KeyValue::new("lyceum.queue.seconds", seconds(used.waited)),
            KeyValue::new("lyceum.cache.hit", used.cache_hit),
        ];
        let span = self.tracer.span_builder(format!("{operation} {}", used.model));
        let mut span =
            span.with_kind(SpanKind::Client).with_start_time(begin).with_attributes(attributes).start(&self.tracer);
        if !used.ok {
            span.set_attribute(KeyValue::new("error.type", "failed"));
            span.set_status(Status::error("the request failed"));
        }
        span.end_with_timestamp(end);
    }

    /// Sends what is left. Waits for the collector, at most some seconds.
    pub(crate) fn close(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(Duration::from_secs(5)) {
            tracing::warn!(%error, "the last spans were not sent");
        }
    }
}
