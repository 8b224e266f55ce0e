//! Corrected transcripts: the source is read anew from what was fetched, as a version of its own, so that
//! readers see the old text or the new one. Passages that are equal keep their vectors.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::SourceId;
use domain::ingestion::{Crawl, Stage};
use domain::job::Job;
use serde_json::{Value, json};
use store::queue::{Completion, Handler, JobError, Lease};
use store::sql;

use super::run::enqueue;
use super::{Parts, Request};
use crate::source::Place;

/// How long corrections wait while their source is read.
const WAIT: Duration = Duration::from_secs(1);

/// Has corrected transcripts read.
pub(crate) struct Corrections {
    pub(crate) parts: Arc<Parts>,
}

#[async_trait]
impl Handler for Corrections {
    async fn run(&self, job: &Job, _lease: &Lease) -> Result<Completion, JobError> {
        let source: SourceId = job
            .payload
            .get("sourceId")
            .and_then(Value::as_str)
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| JobError::permanent("the job names no source"))?;
        let institution = job.institution_id;
        let found = self.parts.store.read(|tx| {
            Box::pin(async move {
                let running = !sql::ingestion::running(tx, institution, source).await?.is_empty();
                let Some(current) = sql::version::current(tx, institution, source).await? else { return Ok(None) };
                let documents = sql::document::list(tx, institution, current.id).await?;
                let unread = school::transcript::unread(tx, institution, source, &documents).await?;
                Ok(Some((running, current, unread)))
            })
        });
        let Some((running, current, unread)) = found.await? else { return Ok(Completion::done()) };
        if running {
            return Err(JobError::overload("the source is being read; its corrections come after that", Some(WAIT)));
        }
        if unread == 0 {
            return Ok(Completion::done());
        }
        Ok(Completion::with(move |tx| {
            Box::pin(async move {
                let Some(source) = sql::source::get(tx, institution, current.source_id).await? else { return Ok(()) };
                let version = sql::transcript::copy_version(tx, institution, &current).await?;
                let place = Place {
                    origin: source.origin,
                    name: None,
                    captions: None,
                    local: false,
                    rights: false,
                    crawl: Crawl::default(),
                };
                let request = Request { kind: source.kind, place, uploads: Vec::new(), packed: None };
                let request = serde_json::to_value(&request)
                    .map_err(|error| store::Error::Damaged { column: "request".into(), reason: error.to_string() })?;
                let id = sql::ingestion::create(tx, institution, source.course_id, source.id, &request, None).await?;
                sql::ingestion::set_version(tx, institution, id, version).await?;
                sql::ingestion::stage_done(tx, institution, id, Stage::Fetch, "skipped", 0.0).await?;
                sql::ingestion::progress(tx, institution, id, Stage::Chunk, 0, 0).await?;
                enqueue(tx, institution, id, Stage::Chunk, &json!({})).await
            })
        }))
    }
}
