//! What every stage shares: its job, its clock, and how a run ends.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use domain::document::Warning;
use domain::ingestion::{Failure, Outcome, Stage, failure};
use domain::job::{FailureClass, Job, JobState};
use domain::{IngestionId, InstitutionId};
use serde_json::{Value, json};
use store::queue::{Completion, Handler, JobError, Lease, NewJob};
use store::sql::ingestion::Ingestion;
use store::{Tx, sql};

use super::{Parts, room};

/// Work of one committed checkpoint: so many chunks, or so much time.
pub(super) const CHECKPOINT_CHUNKS: usize = 32;
/// See [`CHECKPOINT_CHUNKS`].
pub(super) const CHECKPOINT_SECONDS: f64 = 5.0;

/// Writes the job of a stage; one that is there and not dead stays as it is.
pub(super) async fn enqueue(
    tx: &mut Tx,
    institution: InstitutionId,
    id: IngestionId,
    stage: Stage,
    more: &Value,
) -> store::Result<()> {
    let mut payload = json!({ "ingestionId": id });
    if let (Some(payload), Some(more)) = (payload.as_object_mut(), more.as_object()) {
        payload.extend(more.clone());
    }
    store::queue::enqueue(tx, NewJob::new(institution, stage.job(), stage.job_key(id), payload)).await?;
    Ok(())
}

/// Ends a run whose job has died, so that nobody waits for it.
pub(super) async fn bury(parts: &Parts, run: &Ingestion) -> store::Result<()> {
    let (institution, id, stage) = (run.institution_id, run.id, run.stage);
    let version = run.version_id;
    parts
        .store
        .write(move |tx| {
            Box::pin(async move {
                let Some(job) = store::queue::of_key(tx, institution, stage.job(), &stage.job_key(id)).await? else {
                    return Ok(());
                };
                if !matches!(job.state, JobState::Dead | JobState::Cancelled) {
                    return Ok(());
                }
                // The job of a held run is called off, and the run is not over.
                if sql::ingestion::get(tx, institution, id).await?.is_none_or(|run| run.held.is_some()) {
                    return Ok(());
                }
                let failure = if job.state == JobState::Cancelled {
                    Failure::new(failure::CANCELLED, "the ingestion was called off; run it again to go on")
                } else {
                    let why = job.last_error.unwrap_or_else(|| "its process died three times".into());
                    Failure::new(
                        failure::INTERNAL,
                        format!("stage \"{}\" gave up: {why}; run the same command again to go on", stage.as_str()),
                    )
                };
                let outcome = if stage < Stage::Embed { Outcome::Failed } else { Outcome::Partial };
                if let Some(version) = version {
                    sql::version::fail(tx, institution, version).await?;
                }
                sql::ingestion::finish(tx, institution, id, outcome, Some(&failure)).await?;
                Ok(())
            })
        })
        .await
}

/// Why a stage did not end well.
pub(super) enum Trouble {
    /// The source is at fault: the run ends.
    Failure(Failure),
    /// The machine is at fault: the queue tries again.
    Job(JobError),
    /// A person must act before it can go on: the run is held.
    Held(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<JobError> for Trouble {
    fn from(error: JobError) -> Self {
        Self::Job(error)
    }
}

impl From<store::Error> for Trouble {
    fn from(error: store::Error) -> Self {
        Self::Job(error.into())
    }
}

pub(super) type Outcomes<T> = Result<T, Trouble>;

/// A stage as a handler of the queue.
pub(crate) struct Step {
    pub(crate) parts: Arc<Parts>,
    pub(crate) stage: Stage,
}

/// One try of a stage.
pub(super) struct Run<'r> {
    pub(super) parts: &'r Parts,
    pub(super) lease: &'r Lease,
    pub(super) job: &'r Job,
    pub(super) ingestion: Ingestion,
    pub(super) stage: Stage,
    pub(super) began: Instant,
}

#[async_trait]
impl Handler for Step {
    async fn run(&self, job: &Job, lease: &Lease) -> Result<Completion, JobError> {
        let id: IngestionId = job
            .payload
            .get("ingestionId")
            .and_then(Value::as_str)
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| JobError::permanent("the job names no ingestion"))?;
        let institution = job.institution_id;
        let found =
            self.parts.store.read(|tx| Box::pin(async move { sql::ingestion::get(tx, institution, id).await })).await?;
        let Some(ingestion) = found.filter(|found| found.state == "running") else { return Ok(Completion::done()) };
        if ingestion.held.is_some() {
            // Its job was called off in the transaction that held it; a claim from before that ends here.
            return Err(JobError::given_back());
        }
        let run = Run { parts: &self.parts, lease, job, ingestion, stage: self.stage, began: Instant::now() };
        if let Err(Trouble::Job(waits)) = run.turn().await {
            return Err(waits);
        }
        let outcome = match self.stage {
            Stage::Fetch => Box::pin(run.fetch()).await,
            Stage::Chunk => Box::pin(run.chunk()).await,
            Stage::Publish => Box::pin(run.publish()).await,
            Stage::Embed => Box::pin(run.embed()).await,
            Stage::Index => Box::pin(run.index()).await,
            Stage::Transcode => Box::pin(run.transcode()).await,
        };
        match outcome {
            Ok(completion) => Ok(completion),
            Err(Trouble::Held(why)) => Err(run.hold(why).await),
            Err(trouble) if room::is_full(&trouble) => Err(run.hold(room::met_full(&self.parts)).await),
            Err(Trouble::Failure(failure)) => Ok(run.fail(failure)),
            Err(Trouble::Job(error)) => run.gave_up(error),
        }
    }
}

impl Run<'_> {
    pub(super) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Ends this stage and writes the job of the next, in the transaction that marks this job done.
    pub(super) fn next(&self, next: Stage, outcome: &'static str, more: Value) -> Completion {
        let (institution, id, stage, seconds) =
            (self.ingestion.institution_id, self.ingestion.id, self.stage, self.seconds());
        Completion::with(move |tx| {
            Box::pin(async move {
                sql::ingestion::stage_done(tx, institution, id, stage, outcome, seconds).await?;
                sql::ingestion::progress(tx, institution, id, next, 0, 0).await?;
                enqueue(tx, institution, id, next, &more).await
            })
        })
    }

    /// Ends the run with nothing imported.
    fn fail(&self, failure: Failure) -> Completion {
        let (institution, id, stage, seconds) =
            (self.ingestion.institution_id, self.ingestion.id, self.stage, self.seconds());
        let source = self.ingestion.source_id;
        let request: Option<super::Request> = serde_json::from_value(self.ingestion.request.clone()).ok();
        request.iter().flat_map(|request| &request.uploads).for_each(|path| super::fetch::remove_upload(path));
        Completion::with(move |tx| {
            Box::pin(async move {
                sql::ingestion::stage_done(tx, institution, id, stage, "failed", seconds).await?;
                if let Some(building) = sql::version::building(tx, institution, source).await? {
                    sql::version::fail(tx, institution, building.id).await?;
                }
                sql::ingestion::finish(tx, institution, id, Outcome::Failed, Some(&failure)).await?;
                Ok(())
            })
        })
    }

    /// The last try of a stage ends the run with a reason; others go back to the queue.
    fn gave_up(&self, error: JobError) -> Result<Completion, JobError> {
        let last = self.job.attempts >= self.job.max_attempts && error.class == FailureClass::Retryable;
        if !last && error.class != FailureClass::Permanent {
            return Err(error);
        }
        if self.stage < Stage::Embed {
            let message = format!("stage \"{}\" failed: {error}; run the same command again", self.stage.as_str());
            return Ok(self.fail(Failure::new(failure::INTERNAL, message)));
        }
        let (code, what) = match self.stage {
            Stage::Embed => (failure::EMBEDDING_FAILED, "by keyword, its vectors are not complete"),
            Stage::Transcode => (failure::TRANSCODE_FAILED, "and the recording is served as it is"),
            _ => (failure::INTERNAL, "by keyword, its vectors are not complete"),
        };
        let message = format!("the text is searchable {what}: {error}; run the same command again");
        Ok(self.close(Outcome::Partial, Some(Failure::new(code, message)), "failed", Vec::new()))
    }

    /// Ends this stage and the run.
    pub(super) fn close(
        &self,
        outcome: Outcome,
        failure: Option<Failure>,
        stage_outcome: &'static str,
        warnings: Vec<Warning>,
    ) -> Completion {
        let (institution, id, stage, seconds) =
            (self.ingestion.institution_id, self.ingestion.id, self.stage, self.seconds());
        Completion::with(move |tx| {
            Box::pin(async move {
                sql::ingestion::add_warnings(tx, institution, id, &warnings).await?;
                sql::ingestion::stage_done(tx, institution, id, stage, stage_outcome, seconds).await?;
                // A run without a recording has nothing to transcode: its report does not mention it.
                for skipped in Stage::ALL.into_iter().filter(|later| *later > stage && *later != Stage::Transcode) {
                    sql::ingestion::stage_done(tx, institution, id, skipped, "skipped", 0.0).await?;
                }
                sql::ingestion::finish(tx, institution, id, outcome, failure.as_ref()).await?;
                Ok(())
            })
        })
    }

    /// Holds the run until a person has made room. Where not even that can be written, whoever waits is told, and
    /// the job is tried again.
    async fn hold(&self, why: Failure) -> JobError {
        let (institution, id, kept) = (self.ingestion.institution_id, self.ingestion.id, why.clone());
        let written = self.parts.store.write(move |tx| {
            Box::pin(async move { sql::ingestion::control::hold(tx, institution, id, &kept, None).await })
        });
        let message = format!("{}: {}", why.code, why.message);
        if let Err(error) = written.await {
            tracing::error!(%error, ingestion.id = %id, code = %why.code, "a run could not be held; its job is tried again");
            if let Ok(mut full) = self.parts.full.lock() {
                full.insert(id, why);
            }
        }
        JobError::overload(message, Some(std::time::Duration::from_secs(30)))
    }

    /// Stops between checkpoints when the worker shuts down.
    pub(super) fn check_stopping(&self) -> Outcomes<()> {
        if self.lease.stopping() { Err(JobError::given_back().into()) } else { Ok(()) }
    }

    pub(super) fn version(&self) -> Outcomes<domain::VersionId> {
        self.ingestion.version_id.ok_or_else(|| JobError::permanent("the run has no version").into())
    }

    /// The version of this run and its outline.
    pub(super) async fn outline(&self) -> Outcomes<(sql::version::Version, crate::source::Outline)> {
        let (institution, id) = (self.ingestion.institution_id, self.version()?);
        let found =
            self.parts.store.read(|tx| Box::pin(async move { sql::version::get(tx, institution, id).await })).await?;
        let version = found.ok_or_else(|| JobError::permanent("the version of the run is gone"))?;
        let outline = serde_json::from_value(version.outline.clone())
            .map_err(|error| JobError::permanent(format!("the outline is damaged: {error}")))?;
        Ok((version, outline))
    }

    pub(super) async fn documents(&self) -> Outcomes<Vec<sql::document::Document>> {
        let (institution, version) = (self.ingestion.institution_id, self.version()?);
        Ok(self
            .parts
            .store
            .read(|tx| Box::pin(async move { sql::document::list(tx, institution, version).await }))
            .await?)
    }
}

/// What a run says of documents that could not be read; `None` when all were.
pub(super) fn partly_read(outline: &crate::source::Outline, documents: &[sql::document::Document]) -> Option<Failure> {
    let mut unread: Vec<String> = outline
        .failures
        .iter()
        .map(|(path, failure)| format!("{path} ({}: {})", failure.code, failure.message))
        .collect();
    unread.extend(documents.iter().filter(|document| document.state == "failed").map(|document| {
        let why =
            document.error.as_ref().map(|failure| format!("{}: {}", failure.code, failure.message)).unwrap_or_default();
        format!("{} ({why})", document.path)
    }));
    let more = unread.len().saturating_sub(5);
    let shown = unread.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    let message = format!(
        "{} of {} documents could not be read: {shown}{rest}",
        unread.len(),
        documents.len() + outline.failures.len()
    );
    (!unread.is_empty()).then(|| Failure::new(failure::PARTLY_READ, message))
}
