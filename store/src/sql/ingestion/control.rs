//! Holding runs, letting them go on, calling them off; what a run waits for; how long stages took.

use domain::ingestion::{Failure, Outcome, SourceKind, Stage, StageReport};
use domain::job::Job;
use domain::{IngestionId, InstitutionId, UserId};
use serde_json::json;

use super::{Ingestion, finish, get, locked};
use crate::db::{Tx, args};
use crate::error::{Error, Result};
use crate::sql::event::{self, NewEvent};
use crate::sql::job::{NewJob, admin, enqueue};
use crate::sql::version;

/// Holds a running run: its job is called off and its lease is gone, so that its worker writes nothing more.
/// What was committed stays. False when it is held already or has ended.
///
/// # Errors
/// The database refuses.
pub async fn hold(
    tx: &mut Tx,
    institution: InstitutionId,
    id: IngestionId,
    why: &Failure,
    by: Option<UserId>,
) -> Result<bool> {
    // The job's row first, as a stage that ends takes them in that order.
    stop_jobs(tx, institution, id).await?;
    let now = tx.now().await?;
    let held = tx
        .exec(
            "UPDATE ingestions SET held = $3, updated_at = $4
             WHERE institution_id = $1 AND id = $2 AND state = 'running' AND held IS NULL",
            args![institution, id, crate::db::json(why)?, now],
        )
        .await?;
    if held == 0 {
        return Ok(false);
    }
    // The stage may have ended meanwhile: then the job of the next one is new.
    stop_jobs(tx, institution, id).await?;
    let run = known(tx, institution, id).await?;
    announce(tx, "content.ingestion_paused", &run, by, json!({ "code": why.code, "stage": run.stage.as_str() }))
        .await?;
    Ok(true)
}

/// Lets a held run go on where it stood; false when it is not held.
///
/// # Errors
/// The database refuses.
pub async fn release(tx: &mut Tx, institution: InstitutionId, id: IngestionId, by: Option<UserId>) -> Result<bool> {
    let now = tx.now().await?;
    let released = tx
        .exec(
            "UPDATE ingestions SET held = NULL, stage_at = $3, stage_from = done, updated_at = $3
             WHERE institution_id = $1 AND id = $2 AND state = 'running' AND held IS NOT NULL",
            args![institution, id, now],
        )
        .await?;
    if released == 0 {
        return Ok(false);
    }
    let run = known(tx, institution, id).await?;
    revive(tx, &run).await?;
    announce(tx, "content.ingestion_resumed", &run, by, json!({ "stage": run.stage.as_str() })).await?;
    Ok(true)
}

/// Makes the job of the run's stage ready where it was called off, gave up or is not there; what it carries stays.
/// False when it lives.
///
/// # Errors
/// The database refuses.
pub async fn revive(tx: &mut Tx, run: &Ingestion) -> Result<bool> {
    let (kind, key) = (run.stage.job(), run.stage.job_key(run.id));
    if admin::revive(tx, run.institution_id, kind, &key).await? {
        return Ok(true);
    }
    let job = NewJob::new(run.institution_id, kind, key, json!({ "ingestionId": run.id }));
    Ok(enqueue(tx, job).await?.is_some())
}

/// Calls a run off. Before its text is published nothing of it stays; afterwards the text does.
///
/// # Errors
/// Not found when it is not running in this institution.
pub async fn call_off(tx: &mut Tx, institution: InstitutionId, id: IngestionId, why: &Failure) -> Result<Ingestion> {
    stop_jobs(tx, institution, id).await?;
    let run = locked(tx, institution, id).await?;
    stop_jobs(tx, institution, id).await?;
    if let Some(version) = run.version_id {
        version::fail(tx, institution, version).await?;
    }
    let outcome = if run.stage < Stage::Embed { Outcome::Failed } else { Outcome::Partial };
    finish(tx, institution, id, outcome, Some(why)).await?;
    known(tx, institution, id).await
}

/// The job of the run's stage.
///
/// # Errors
/// The database refuses.
pub async fn job(tx: &mut Tx, run: &Ingestion) -> Result<Option<(Job, i64)>> {
    let (kind, key) = (run.stage.job(), run.stage.job_key(run.id));
    let Some(job) = admin::of_key(tx, run.institution_id, kind, &key).await? else { return Ok(None) };
    let row = tx
        .row("SELECT run_at FROM jobs WHERE institution_id = $1 AND id = $2", args![run.institution_id, job.id])
        .await?;
    row.map(|row| Ok((job, row.int("run_at")?))).transpose()
}

/// How many unfinished runs of the institution were asked for before this one and are not held.
///
/// # Errors
/// The database refuses.
pub async fn ahead(tx: &mut Tx, run: &Ingestion) -> Result<i64> {
    tx.row(
        "SELECT COUNT(*) AS n FROM ingestions WHERE institution_id = $1 AND state = 'running' AND held IS NULL
           AND (created_at < $2 OR (created_at = $2 AND id < $3))",
        args![run.institution_id, run.created_at, run.id],
    )
    .await?
    .map_or(Ok(0), |row| row.int("n"))
}

/// Notes what the source held.
///
/// # Errors
/// Not found when the run is not running in this institution.
pub async fn set_size(
    tx: &mut Tx,
    institution: InstitutionId,
    id: IngestionId,
    documents: i64,
    bytes: i64,
) -> Result<()> {
    let changed = tx
        .exec(
            "UPDATE ingestions SET documents = $3, bytes = $4 WHERE institution_id = $1 AND id = $2 AND state = 'running'",
            args![institution, id, documents, bytes],
        )
        .await?;
    super::running_row(changed, id)
}

/// What an ended run did, for estimates.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// Kind of its source.
    pub kind: SourceKind,
    /// Bytes of its documents and recordings.
    pub bytes: i64,
    /// Its passages.
    pub chunks: i64,
    /// Passages that it embedded.
    pub embedded: i64,
    /// Its stages.
    pub stages: Vec<StageReport>,
}

/// Runs measured for estimates.
const MEASURED: i64 = 40;

/// The latest ended runs of the institution that brought something.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn past(tx: &mut Tx, institution: InstitutionId) -> Result<Vec<Past>> {
    let rows = tx
        .rows(
            "SELECT s.kind, i.bytes, i.chunks, i.embedded, i.stages FROM ingestions i JOIN sources s ON s.id = i.source_id
             WHERE i.institution_id = $1 AND i.state IN ('succeeded', 'partial') AND i.bytes > 0
             ORDER BY i.created_at DESC, i.id DESC LIMIT $2",
            args![institution, MEASURED],
        )
        .await?;
    rows.iter()
        .filter_map(|row| {
            let kind = row.text("kind").map(|kind| SourceKind::parse(&kind)).transpose()?;
            Some(kind.and_then(|kind| {
                Ok(Past {
                    kind,
                    bytes: row.int("bytes")?,
                    chunks: row.int("chunks")?,
                    embedded: row.int("embedded")?,
                    stages: row.json("stages")?,
                })
            }))
        })
        .collect()
}

async fn stop_jobs(tx: &mut Tx, institution: InstitutionId, id: IngestionId) -> Result<()> {
    for stage in Stage::ALL {
        admin::cancel(tx, institution, stage.job(), &stage.job_key(id)).await?;
    }
    Ok(())
}

async fn known(tx: &mut Tx, institution: InstitutionId, id: IngestionId) -> Result<Ingestion> {
    get(tx, institution, id).await?.ok_or_else(|| Error::from(domain::Error::not_found("ingestion", id)))
}

async fn announce(
    tx: &mut Tx,
    name: &'static str,
    run: &Ingestion,
    by: Option<UserId>,
    mut payload: serde_json::Value,
) -> Result<()> {
    payload["ingestionId"] = json!(run.id);
    payload["sourceId"] = json!(run.source_id);
    let event = NewEvent::new(name, run.institution_id, run.id)
        .course(run.course_id)
        .user(by)
        .correlation(run.id)
        .payload(payload);
    event::append(tx, &event).await?;
    Ok(())
}
