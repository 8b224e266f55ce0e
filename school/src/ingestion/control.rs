//! Operating runs: how far one is and what is left, and holding, resuming, calling off, trying again.

use domain::ingestion::estimate::{Estimate, Rates, Work};
use domain::ingestion::{Failure, Stage, failure};
use domain::job::JobState;
use domain::policy::{Action, Actor};
use domain::{CourseId, Error, ErrorKind, IngestionId, InstitutionId, Micros};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::queue::NewJob;
use store::sql::ingestion::{Ingestion, control};
use store::sql::institution::Owned;
use store::{Tx, sql};

use super::Ingestions;
use crate::unit::record;
use crate::{Result, access};

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Stable code.
    pub code: String,
    /// Why, and what to do.
    pub message: String,
    /// When it is tried again by itself; `None` when a person must act.
    pub until: Option<Micros>,
}

/// A run as an operator sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The run.
    pub run: Ingestion,
    /// Seconds of work so far.
    pub elapsed_seconds: f64,
    /// What is left, while it is not over and its size is known.
    pub left: Option<Estimate>,
    /// Why it does not move.
    pub waiting: Option<Waiting>,
    /// What can be done with it: `pause`, `resume`, `retry`, `cancel`.
    pub actions: Vec<&'static str>,
    /// Documents that could not be read; only of one run, not in a list.
    pub failed: Vec<(String, Failure)>,
}

/// A changed run: which one goes on, and what was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Changed {
    /// The run; of a retry the new one.
    pub id: IngestionId,
    /// What happened, for people.
    pub message: String,
}

/// A job that gave up under a run that is not over.
const DEAD_LETTER: &str = "DEAD_LETTER";

impl Ingestions<'_> {
    /// A run with what is left of it and what it waits for.
    ///
    /// # Errors
    /// Not found when the caller may not ingest into that course.
    pub async fn status(&self, actor: &Actor, id: IngestionId) -> Result<Status> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let run = found(tx, &acting, id).await?;
                    let rates = rates(tx, run.institution_id).await?;
                    let failed = failed(tx, &run).await?;
                    Ok(Status { failed, ..status(tx, run, &rates).await? })
                })
            })
            .await
    }

    /// The latest runs of a course with what is left of them, newest first.
    ///
    /// # Errors
    /// As [`Self::status`].
    pub async fn statuses(&self, actor: &Actor, course: CourseId) -> Result<Vec<Status>> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, &acting, Action::Ingest, course).await?;
                    let rates = rates(tx, course.institution_id).await?;
                    let mut all = Vec::new();
                    for run in sql::ingestion::list(tx, course.institution_id, course.id).await? {
                        all.push(status(tx, run, &rates).await?);
                    }
                    Ok(all)
                })
            })
            .await
    }

    /// Holds a run: it starts nothing new, and what it does now ends at its next checkpoint.
    ///
    /// # Errors
    /// Conflict `NOT_RUNNING` when it is over, `ALREADY_PAUSED` when it is held.
    pub async fn pause(&self, actor: &Actor, id: IngestionId) -> Result<Changed> {
        self.change(actor, id, "ingestion.pause", |tx, actor, run| {
            Box::pin(async move {
                must_run(&run)?;
                let why = Failure::new(failure::PAUSED, format!("paused by {}", actor.username));
                if !control::hold(tx, run.institution_id, run.id, &why, actor.user_id).await? {
                    return Err(conflict("ALREADY_PAUSED", format!("run \"{}\" is paused already", run.id)).into());
                }
                let message = format!(
                    "paused in stage \"{}\", {} of {} done; nothing is lost",
                    run.stage.as_str(),
                    run.done,
                    run.total
                );
                Ok(Changed { id: run.id, message })
            })
        })
        .await
    }

    /// Lets a held run go on from its last checkpoint.
    ///
    /// # Errors
    /// Conflict `NOT_RUNNING` when it is over, `NOT_PAUSED` when it is not held.
    pub async fn resume(&self, actor: &Actor, id: IngestionId) -> Result<Changed> {
        self.change(actor, id, "ingestion.resume", |tx, actor, run| {
            Box::pin(async move {
                must_run(&run)?;
                if !control::release(tx, run.institution_id, run.id, actor.user_id).await? {
                    return Err(conflict("NOT_PAUSED", format!("run \"{}\" is not paused", run.id)).into());
                }
                let message =
                    format!("goes on with stage \"{}\", {} of {} done", run.stage.as_str(), run.done, run.total);
                Ok(Changed { id: run.id, message })
            })
        })
        .await
    }

    /// Calls a run off. The course keeps what it had before; text that this run has published stays.
    ///
    /// # Errors
    /// Conflict `NOT_RUNNING` when it is over.
    pub async fn cancel(&self, actor: &Actor, id: IngestionId) -> Result<Changed> {
        self.change(actor, id, "ingestion.cancel", |tx, actor, run| {
            Box::pin(async move {
                must_run(&run)?;
                let message = call_off(tx, &run, &actor.username).await?;
                Ok(Changed { id: run.id, message })
            })
        })
        .await
    }

    /// Does again what failed, and only that: the stage that failed, or the documents that could not be read.
    /// A run that is not over and whose job gave up goes on; of an ended one a new run begins.
    ///
    /// # Errors
    /// Conflict `NOTHING_FAILED`, `RUNNING`, `PAUSED`, `NOT_THE_LATEST`, `SOURCE_REMOVED` or `UPLOAD_GONE`.
    pub async fn retry(&self, actor: &Actor, id: IngestionId) -> Result<Changed> {
        self.change(actor, id, "ingestion.retry", |tx, actor, run| {
            Box::pin(async move {
                let id = run.id;
                if run.held.is_some() {
                    let message = format!("run \"{id}\" is paused: resume it instead");
                    return Err(conflict("PAUSED", message).into());
                }
                if run.state == "running" {
                    if !control::revive(tx, &run).await? {
                        return Err(conflict("RUNNING", format!("run \"{id}\" is at work: nothing failed yet")).into());
                    }
                    let message = format!("stage \"{}\" is tried again from its last checkpoint", run.stage.as_str());
                    return Ok(Changed { id, message });
                }
                if run.state == "succeeded" {
                    let message =
                        format!("run \"{id}\" succeeded: nothing failed; to fetch the source again refresh it");
                    return Err(conflict("NOTHING_FAILED", message).into());
                }
                let (stage, message) = first_stage(tx, &run).await?;
                let new = begin_again(tx, &run, stage, actor).await?;
                Ok(Changed { id: new, message })
            })
        })
        .await
    }

    async fn change<F>(&self, actor: &Actor, id: IngestionId, action: &'static str, work: F) -> Result<Changed>
    where
        F: for<'t> FnOnce(&'t mut Tx, &'t Actor, Ingestion) -> futures::future::BoxFuture<'t, store::Result<Changed>>
            + Send
            + 'static,
    {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let run = found(tx, actor, id).await?;
                    let institution = run.institution_id;
                    let changed = work(tx, actor, run).await?;
                    record(tx, actor, institution, action, &format!("ingestion:{id}")).await?;
                    Ok(changed)
                })
            })
            .await
    }
}

fn conflict(code: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Conflict, message).with_code(code)
}

fn must_run(run: &Ingestion) -> Result<()> {
    if run.state == "running" {
        return Ok(());
    }
    Err(conflict("NOT_RUNNING", format!("run \"{}\" is over: it {}", run.id, ended(run))))
}

fn ended(run: &Ingestion) -> &'static str {
    match run.shown_state() {
        "succeeded" => "succeeded",
        "partial" => "succeeded in part",
        "cancelled" => "was cancelled",
        _ => "failed",
    }
}

/// The run, if the caller may ingest into its course.
async fn found(tx: &mut Tx, actor: &Actor, id: IngestionId) -> store::Result<Ingestion> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("ingestion", id) };
    let institution = sql::institution::of(tx, Owned::Ingestion(id)).await?.ok_or_else(missing)?;
    let found = sql::ingestion::get(tx, institution, id).await?.ok_or_else(missing)?;
    let course = sql::course::get(tx, institution, found.course_id).await?.ok_or_else(missing)?;
    access::hidden(actor, Action::Ingest, &crate::course::subject(&course), missing)?;
    Ok(found)
}

/// Calls a run off and says what was kept.
pub(crate) async fn call_off(tx: &mut Tx, run: &Ingestion, by: &str) -> store::Result<String> {
    let (institution, source) = (run.institution_id, run.source_id);
    let published = run.stage >= Stage::Embed;
    let counts = sql::source::keep::counts(tx, institution, source).await?;
    let kept = match (published, counts.lessons) {
        (true, lessons) => {
            format!("its {lessons} lessons are published and stay; vectors that are missing are made by the next run")
        }
        (false, 0) => "nothing of it was published; fetched files that nothing needs are collected within a day".into(),
        (false, lessons) => format!("the earlier version of the source stays as it was, with {lessons} lessons"),
    };
    let message = format!("cancelled by {by} in stage \"{}\": {kept}", run.stage.as_str());
    control::call_off(tx, institution, run.id, &Failure::new(failure::CANCELLED, message.clone())).await?;
    Ok(message)
}

/// Where a retry begins, and what it says.
async fn first_stage(tx: &mut Tx, run: &Ingestion) -> store::Result<(Stage, String)> {
    let source = sql::source::get(tx, run.institution_id, run.source_id).await?;
    let source = source.filter(|source| source.removed_at.is_none());
    let Some(source) = source else {
        return Err(conflict("SOURCE_REMOVED", "the source of this run was removed: ingest it anew").into());
    };
    let current = run.version_id.is_some() && source.current_version_id == run.version_id;
    let code = run.error.as_ref().map_or("", |error| error.code.as_str());
    let (stage, message) = match code {
        failure::EMBEDDING_FAILED | failure::CANCELLED if current => (Stage::Embed, "the missing vectors are made"),
        failure::TRANSCODE_FAILED if current => (Stage::Transcode, "the missing streams are made"),
        _ => (Stage::Fetch, "the source is looked at again; what was read and embedded before is not done twice"),
    };
    if stage == Stage::Fetch && uploaded(&run.request) && !uploads_are_there(&run.request) {
        let message = "the uploaded file is not kept once it was read: upload it again";
        return Err(conflict("UPLOAD_GONE", message).into());
    }
    Ok((stage, message.into()))
}

/// Begins a run with the request of an earlier one of the same source.
async fn begin_again(tx: &mut Tx, run: &Ingestion, stage: Stage, actor: &Actor) -> store::Result<IngestionId> {
    let latest = sql::ingestion::latest(tx, run.institution_id, run.source_id).await?;
    if let Some(latest) = latest.filter(|latest| latest.id != run.id) {
        let message = format!("run \"{}\" of the same source came after this one: look at that", latest.id);
        return Err(conflict("NOT_THE_LATEST", message).into());
    }
    let institution = run.institution_id;
    let id = start(tx, run, stage, actor.user_id).await?;
    if let (true, Some(version)) = (stage > Stage::Fetch, run.version_id) {
        sql::ingestion::set_version(tx, institution, id, version).await?;
        control::set_size(tx, institution, id, run.documents, run.bytes).await?;
        for skipped in Stage::ALL.into_iter().filter(|earlier| *earlier < stage) {
            sql::ingestion::stage_done(tx, institution, id, skipped, "skipped", 0.0).await?;
        }
        sql::ingestion::progress(tx, institution, id, stage, 0, 0).await?;
    }
    Ok(id)
}

/// A new run of the same request, with its first job.
pub(crate) async fn start(
    tx: &mut Tx,
    run: &Ingestion,
    stage: Stage,
    by: Option<domain::UserId>,
) -> store::Result<IngestionId> {
    let institution = run.institution_id;
    let id = sql::ingestion::create(tx, institution, run.course_id, run.source_id, &run.request, by).await?;
    let job = NewJob::new(institution, stage.job(), stage.job_key(id), json!({ "ingestionId": id }));
    store::queue::enqueue(tx, job).await?;
    Ok(id)
}

/// Whether a request names uploaded files.
pub(crate) fn uploaded(request: &Value) -> bool {
    request.get("uploads").and_then(Value::as_array).is_some_and(|uploads| !uploads.is_empty())
}

/// Whether a request names a source that came with a pack.
pub(crate) fn packed(request: &Value) -> bool {
    request.get("packed").is_some_and(Value::is_string)
}

fn uploads_are_there(request: &Value) -> bool {
    let uploads = request.get("uploads").and_then(Value::as_array).into_iter().flatten();
    uploads.filter_map(Value::as_str).all(|path| std::path::Path::new(path).is_file())
}

/// The speeds that this institution has seen.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn rates(tx: &mut Tx, institution: InstitutionId) -> store::Result<Rates> {
    let mut rates = Rates::default();
    for past in control::past(tx, institution).await? {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let work = Work { bytes: past.bytes as f64, chunks: past.chunks as f64, embeds: past.embedded as f64 };
        let done = past.stages.iter().filter(|stage| stage.outcome != "skipped" && stage.outcome != "failed");
        rates.add(&work, done.filter_map(|stage| Some((Stage::parse(&stage.name)?, stage.seconds))));
    }
    Ok(rates)
}

async fn status(tx: &mut Tx, run: Ingestion, rates: &Rates) -> store::Result<Status> {
    let mut waiting =
        run.held.as_ref().map(|held| Waiting { code: held.code.clone(), message: held.message.clone(), until: None });
    let going = run.state == "running" && run.held.is_none();
    let mut dead = false;
    if going && let Some((job, run_at)) = control::job(tx, &run).await? {
        let why = job.last_error.unwrap_or_default();
        waiting = match job.state {
            JobState::Backoff => Some(Waiting { code: code_of(&why), message: why, until: Some(run_at) }),
            JobState::Dead | JobState::Cancelled => {
                dead = true;
                let message = format!("its job gave up: {why}; retry the run to go on from its last checkpoint");
                Some(Waiting { code: DEAD_LETTER.into(), message, until: None })
            }
            _ => None,
        };
    }
    let now = tx.now().await?;
    let actions = match (run.state.as_str(), run.held.is_some(), dead) {
        ("running", true, _) => vec!["resume", "cancel"],
        ("running", false, true) => vec!["retry", "cancel"],
        ("running", false, false) => vec!["pause", "cancel"],
        ("succeeded", ..) => Vec::new(),
        _ => vec!["retry"],
    };
    let left = (run.state == "running").then(|| left(&run, rates, now)).flatten();
    let elapsed_seconds =
        run.stages.iter().map(|stage| stage.seconds).sum::<f64>() + if going { since(run.stage_at, now) } else { 0.0 };
    Ok(Status { run, elapsed_seconds, left, waiting, actions, failed: Vec::new() })
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn since(from: Micros, now: Micros) -> f64 {
    (now - from).max(0) as f64 / 1e6
}

/// The code in front of a message, as `RUNS_LIMIT: 2 runs are at work`.
fn code_of(message: &str) -> String {
    let code = message
        .split_once(": ")
        .map(|(code, _)| code)
        .filter(|code| !code.is_empty() && code.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    code.unwrap_or("TRYING_AGAIN").to_owned()
}

/// What is left: this stage by its own speed once it has one, the later ones by those of earlier runs.
#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn left(run: &Ingestion, rates: &Rates, now: Micros) -> Option<Estimate> {
    if run.bytes == 0 {
        return None;
    }
    let bytes = run.bytes as f64;
    let chunks = if run.stage == Stage::Embed && run.total > 0 { run.total as f64 } else { rates.chunks(bytes) };
    let work = Work { bytes, chunks, embeds: chunks };
    let later = Stage::ALL.into_iter().filter(|stage| *stage > run.stage && *stage != Stage::Transcode);
    let mut estimate = rates.all(later, &work);
    let (done, total) = (run.done as f64, run.total as f64);
    let moved = (run.done - run.stage_from) as f64;
    if moved > 0.0 && total > done {
        estimate.seconds += since(run.stage_at, now) / moved * (total - done);
        estimate.basis = format!("the speed of this run; later stages {}", estimate.basis);
    } else {
        let share = if total > 0.0 { (total - done) / total } else { 1.0 };
        estimate.seconds += rates.stage(run.stage, &work).0 * share.max(0.0);
    }
    Some(estimate)
}

/// Documents of the run's version that could not be fetched or read.
async fn failed(tx: &mut Tx, run: &Ingestion) -> store::Result<Vec<(String, Failure)>> {
    let Some(version) = run.version_id else { return Ok(Vec::new()) };
    let Some(version) = sql::version::get(tx, run.institution_id, version).await? else { return Ok(Vec::new()) };
    let outline: Option<Vec<(String, Failure)>> =
        version.outline.get("failures").and_then(|failures| serde_json::from_value(failures.clone()).ok());
    let mut all = outline.unwrap_or_default();
    let documents = sql::document::list(tx, run.institution_id, version.id).await?;
    all.extend(documents.into_iter().filter_map(|document| Some((document.path, document.error?))));
    Ok(all)
}
