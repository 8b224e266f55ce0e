//! What an operator asks of the queue: depth, dead letters, retry, drop, cancel, statistics.

use std::time::Duration;

use domain::job::Job;
use domain::{InstitutionId, JobId, Micros};
use serde::Serialize;

use super::{COLUMNS, job};
use crate::db::{Tx, args};
use crate::error::Result;

/// A job that gave up, as an operator sees it: hash, error and trace, not the content.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadJob {
    /// Identity.
    pub id: JobId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Which handler.
    pub kind: String,
    /// Key of the work.
    pub idem_key: String,
    /// Claims since the last checkpoint.
    pub attempts: i64,
    /// Crashes in a row.
    pub crashes: i64,
    /// Why it gave up.
    pub last_error: Option<String>,
    /// SHA-256 of the payload.
    pub payload_hash: String,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
    /// When it was made.
    pub created_at: Micros,
    /// When it died.
    pub died_at: Micros,
}

/// Dead jobs of an institution, newest first, from before `before` when given.
///
/// # Errors
/// The database refuses.
pub async fn dead(tx: &mut Tx, institution: InstitutionId, before: Option<JobId>, limit: i64) -> Result<Vec<DeadJob>> {
    let rows = tx
        .rows(
            "SELECT id, institution_id, kind, idem_key, attempts, crashes, last_error, payload_hash, traceparent, created_at, updated_at
             FROM jobs WHERE state = 'dead' AND institution_id = $1 AND (CAST($2 AS TEXT) IS NULL OR id < $2)
             ORDER BY id DESC LIMIT $3",
            args![institution, before, limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(DeadJob {
                id: row.id("id")?,
                institution_id: row.id("institution_id")?,
                kind: row.text("kind")?,
                idem_key: row.text("idem_key")?,
                attempts: row.int("attempts")?,
                crashes: row.int("crashes")?,
                last_error: row.text_opt("last_error")?,
                payload_hash: row.text("payload_hash")?,
                traceparent: row.text_opt("traceparent")?,
                created_at: row.int("created_at")?,
                died_at: row.int("updated_at")?,
            })
        })
        .collect()
}

/// One job of an institution.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: JobId) -> Result<Option<Job>> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE institution_id = $1 AND id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(job).transpose()
}

/// The job of a key.
///
/// # Errors
/// The database refuses.
pub async fn of_key(tx: &mut Tx, institution: InstitutionId, kind: &str, idem_key: &str) -> Result<Option<Job>> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE institution_id = $1 AND kind = $2 AND idem_key = $3");
    tx.row(&sql, args![institution, kind, idem_key]).await?.as_ref().map(job).transpose()
}

/// Starts a dead job again with fresh counts; false when there is no such dead job.
///
/// # Errors
/// The database refuses.
pub async fn retry(tx: &mut Tx, institution: InstitutionId, id: JobId) -> Result<bool> {
    let clock = tx.clock();
    let sql = format!(
        "UPDATE jobs SET state = 'ready', attempts = 0, crashes = 0, deadline = NULL, run_at = {clock}, updated_at = {clock}
         WHERE institution_id = $1 AND id = $2 AND state = 'dead'"
    );
    let retried = tx.exec(&sql, args![institution, id]).await? > 0;
    if retried {
        tx.wake_workers();
    }
    Ok(retried)
}

/// Gives a dead job up for good: it is cancelled and keeps its hash and error; false when there is no such dead job.
///
/// # Errors
/// The database refuses.
pub async fn drop_dead(tx: &mut Tx, institution: InstitutionId, id: JobId) -> Result<bool> {
    let sql = format!(
        "UPDATE jobs SET state = 'cancelled', updated_at = {} WHERE institution_id = $1 AND id = $2 AND state = 'dead'",
        tx.clock()
    );
    Ok(tx.exec(&sql, args![institution, id]).await? > 0)
}

/// Calls a job off, also while it runs: its worker's next write is fenced. False when it had ended.
///
/// # Errors
/// The database refuses.
pub async fn cancel(tx: &mut Tx, institution: InstitutionId, kind: &str, idem_key: &str) -> Result<bool> {
    let sql = format!(
        "UPDATE jobs SET state = 'cancelled', updated_at = {}, {}
         WHERE institution_id = $1 AND kind = $2 AND idem_key = $3 AND state IN ('ready', 'backoff', 'leased')",
        tx.clock(),
        super::NO_LEASE
    );
    Ok(tx.exec(&sql, args![institution, kind, idem_key]).await? > 0)
}

/// Makes the job of a key ready again with fresh counts where it gave up or was called off; what it carries stays.
/// False when there is none such.
///
/// # Errors
/// The database refuses.
pub async fn revive(tx: &mut Tx, institution: InstitutionId, kind: &str, idem_key: &str) -> Result<bool> {
    let clock = tx.clock();
    let sql = format!(
        "UPDATE jobs SET state = 'ready', attempts = 0, crashes = 0, deadline = NULL, last_error = NULL, run_at = {clock},
           updated_at = {clock}
         WHERE institution_id = $1 AND kind = $2 AND idem_key = $3 AND state IN ('dead', 'cancelled')"
    );
    let revived = tx.exec(&sql, args![institution, kind, idem_key]).await? > 0;
    if revived {
        tx.wake_workers();
    }
    Ok(revived)
}

/// Deletes the job of a key that has ended; its key may then be used again.
///
/// # Errors
/// The database refuses.
pub async fn remove(tx: &mut Tx, institution: InstitutionId, kind: &str, idem_key: &str) -> Result<()> {
    tx.exec(
        "DELETE FROM jobs WHERE institution_id = $1 AND kind = $2 AND idem_key = $3
           AND state IN ('done', 'cancelled', 'dead')",
        args![institution, kind, idem_key],
    )
    .await
    .map(|_| ())
}

/// Jobs of a kind that wait or run in an institution, counted no further than `most`.
pub(super) async fn depth(tx: &mut Tx, institution: InstitutionId, kind: &str, most: i64) -> Result<i64> {
    let row = tx
        .row(
            "SELECT COUNT(*) AS depth FROM (SELECT 1 AS one FROM jobs
             WHERE state IN ('ready', 'backoff', 'leased') AND institution_id = $1 AND kind = $2 LIMIT $3) waiting",
            args![institution, kind, most],
        )
        .await?;
    row.map_or(Ok(0), |row| row.int("depth"))
}

/// How long until a twentieth of a full queue has drained, at the rate of the last minute.
pub(super) async fn retry_after(tx: &mut Tx, institution: InstitutionId, kind: &str, depth: i64) -> Result<Duration> {
    let sql = format!(
        "SELECT COUNT(*) AS finished FROM jobs
         WHERE state = 'done' AND institution_id = $1 AND kind = $2 AND updated_at > {} - 60000000",
        tx.clock()
    );
    let finished = tx.row(&sql, args![institution, kind]).await?.map_or(Ok(0), |row| row.int("finished"))?;
    let places = (depth / 20).max(1);
    let seconds = if finished == 0 { 60 } else { (places * 60 + finished - 1) / finished };
    Ok(Duration::from_secs(u64::try_from(seconds.clamp(1, 600)).unwrap_or(1)))
}

/// One kind of job in one institution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindStats {
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Which handler.
    pub kind: String,
    /// Waiting.
    pub ready: i64,
    /// Being worked on.
    pub leased: i64,
    /// Waiting for the next try.
    pub backoff: i64,
    /// Gave up.
    pub dead: i64,
    /// Finished.
    pub done: i64,
    /// Age of the oldest job that waits or runs, in microseconds.
    pub oldest_age_us: i64,
}

/// Depth and age per institution and kind; `None` is every institution.
///
/// # Errors
/// The database refuses.
pub async fn stats(tx: &mut Tx, institution: Option<InstitutionId>) -> Result<Vec<KindStats>> {
    let count = |state: &str| format!("CAST(SUM(CASE WHEN state = '{state}' THEN 1 ELSE 0 END) AS BIGINT) AS {state}");
    let sql = format!(
        "SELECT institution_id, kind, {}, {}, {}, {}, {},
           CAST(COALESCE({} - MIN(CASE WHEN state IN ('ready', 'leased', 'backoff') THEN created_at END), 0) AS BIGINT) AS oldest
         FROM jobs WHERE (CAST($1 AS TEXT) IS NULL OR institution_id = $1)
         GROUP BY institution_id, kind ORDER BY institution_id, kind",
        count("ready"),
        count("leased"),
        count("backoff"),
        count("dead"),
        count("done"),
        tx.clock()
    );
    let rows = tx.rows(&sql, args![institution]).await?;
    rows.iter()
        .map(|row| {
            Ok(KindStats {
                institution_id: row.id("institution_id")?,
                kind: row.text("kind")?,
                ready: row.int("ready")?,
                leased: row.int("leased")?,
                backoff: row.int("backoff")?,
                dead: row.int("dead")?,
                done: row.int("done")?,
                oldest_age_us: row.int("oldest")?,
            })
        })
        .collect()
}
