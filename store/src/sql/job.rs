//! The rows of the durable queue: enqueue, claim, heartbeat, checkpoint, complete, fail, release.
//!
//! Every change of a claimed job is fenced by its lease token, and every time is the database's.
//! The loop that drives handlers is [`crate::queue`]; what an operator asks is in [`admin`].

use std::time::Duration;

use domain::job::{FailureClass, Job, JobState};
use domain::{InstitutionId, JobId};
use sha2::{Digest as _, Sha256};

use crate::db::{Row, Tx, Value, args};
use crate::error::{Error, Result};
use crate::sql::model_request;

pub mod admin;

/// Work to be done by a handler, once.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Which handler: a verb and a noun.
    pub kind: String,
    /// The handler's input: ids, not content.
    pub payload: serde_json::Value,
    /// Makes enqueueing the same work twice one job.
    pub idem_key: String,
    /// Higher goes first within the institution.
    pub priority: i64,
    /// Claims allowed without progress.
    pub max_attempts: i64,
    /// After this moment (microseconds) the job is not begun any more and is dead.
    pub deadline: Option<i64>,
    /// W3C trace context of the request.
    pub traceparent: Option<String>,
}

impl NewJob {
    /// A job with priority 0 and five attempts.
    pub fn new(
        institution: InstitutionId,
        kind: impl Into<String>,
        idem_key: impl Into<String>,
        payload: serde_json::Value,
    ) -> Self {
        Self {
            institution_id: institution,
            kind: kind.into(),
            payload,
            idem_key: idem_key.into(),
            priority: 0,
            max_attempts: 5,
            deadline: None,
            traceparent: None,
        }
    }
}

/// Most jobs of one kind that wait in one institution.
pub const DEPTH: i64 = 10_000;
/// Crashes in a row, each after [`HELD`] without a checkpoint, that make a job dead.
pub const CRASHES: i64 = 3;
/// A crash counts against a job only when it had held its lease this long without a checkpoint.
pub const HELD: Duration = Duration::from_secs(5);

/// A crash: what the job had been doing since its claim or last checkpoint.
const BEGUN: &str = "COALESCE(checkpoint_at, leased_at)";
const NO_LEASE: &str =
    "lease_token = NULL, lease_until = NULL, leased_at = NULL, checkpoint_at = NULL, worker_instance = NULL";

/// Enqueues; `None` when the same work is already there. A dead or cancelled job of the same key is revived.
///
/// # Errors
/// [`Error::QueueFull`] when [`DEPTH`] jobs of the kind wait in the institution.
pub async fn enqueue(tx: &mut Tx, new: NewJob) -> Result<Option<JobId>> {
    enqueue_within(tx, new, DEPTH).await
}

/// [`enqueue`] with another bound on the depth.
///
/// # Errors
/// [`Error::QueueFull`] when `depth` jobs of the kind wait in the institution.
pub async fn enqueue_within(tx: &mut Tx, new: NewJob, depth: i64) -> Result<Option<JobId>> {
    let known = tx
        .row(
            "SELECT state FROM jobs WHERE institution_id = $1 AND kind = $2 AND idem_key = $3",
            args![new.institution_id, &new.kind, &new.idem_key],
        )
        .await?
        .map(|row| row.text("state"))
        .transpose()?;
    if known.as_deref().is_some_and(|state| state != "dead" && state != "cancelled") {
        return Ok(None);
    }
    if admin::depth(tx, new.institution_id, &new.kind, depth).await? >= depth {
        let retry_after = admin::retry_after(tx, new.institution_id, &new.kind, depth).await?;
        return Err(Error::QueueFull { kind: new.kind, retry_after });
    }
    let payload = new.payload.to_string();
    let hash = hex::encode(Sha256::digest(payload.as_bytes()));
    let clock = tx.clock();
    // The update revives; it never touches a job that is alive or done.
    let sql = format!(
        "INSERT INTO jobs (id, institution_id, kind, payload, idem_key, state, attempts, crashes, max_attempts, run_at, priority,
           traceparent, deadline, payload_hash, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, 'ready', 0, 0, $6, {clock}, $7, $8, $9, $10, {clock}, {clock})
         ON CONFLICT (institution_id, kind, idem_key) DO UPDATE SET state = 'ready', attempts = 0, crashes = 0,
           max_attempts = EXCLUDED.max_attempts, run_at = EXCLUDED.run_at, priority = EXCLUDED.priority,
           payload = EXCLUDED.payload, payload_hash = EXCLUDED.payload_hash, traceparent = EXCLUDED.traceparent,
           deadline = EXCLUDED.deadline, last_error = NULL, updated_at = EXCLUDED.updated_at
           WHERE jobs.state IN ('dead', 'cancelled')
         RETURNING id"
    );
    let row = tx
        .row(
            &sql,
            args![
                JobId::fresh(),
                new.institution_id,
                &new.kind,
                payload,
                &new.idem_key,
                new.max_attempts.max(1),
                new.priority,
                new.traceparent,
                new.deadline,
                hash
            ],
        )
        .await?;
    if row.is_some() {
        tx.wake_workers();
    }
    row.map(|row| row.id("id")).transpose()
}

/// Who claims, what, and how many.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The claiming process.
    pub instance: String,
    /// Kinds that it has handlers for.
    pub kinds: Vec<String>,
    /// Most jobs to take.
    pub limit: i64,
    /// Length of a lease.
    pub lease: Duration,
    /// The institution served last: the turn goes to the one after it.
    pub after: Option<InstitutionId>,
}

/// Claims jobs for `claim.instance`, at most one of each institution and kind in a pass, institutions in turn.
///
/// The same pass first settles what ran out: an expired lease goes back or, out of attempts, dies;
/// a job past its deadline dies; a back-off that is over is ready.
///
/// # Errors
/// The database refuses.
pub async fn claim(tx: &mut Tx, claim: &Claim) -> Result<Vec<Job>> {
    sweep(tx).await?;
    let mut args = args![
        &claim.instance,
        micros(claim.lease),
        claim.after.map(|id| id.to_string()).unwrap_or_default(),
        claim.limit
    ];
    let mut kinds = Vec::new();
    for kind in &claim.kinds {
        args.push(Value::from(kind));
        kinds.push(format!("SELECT ${} AS kind", args.len()));
    }
    if kinds.is_empty() || claim.limit < 1 {
        return Ok(Vec::new());
    }
    let (clock, skip) = (tx.clock(), if tx.sqlite() { "" } else { "FOR UPDATE SKIP LOCKED" });
    let sql = format!(
        "WITH heads AS MATERIALIZED (
           SELECT (SELECT j.id FROM jobs j
                   WHERE j.state = 'ready' AND j.institution_id = i.id AND j.kind = k.kind
                   ORDER BY j.priority DESC, j.run_at, j.id LIMIT 1 {skip}) AS id
           FROM institutions i CROSS JOIN ({kinds}) k),
         turns AS (
           SELECT j.id, j.institution_id,
                  ROW_NUMBER() OVER (PARTITION BY j.institution_id ORDER BY j.priority DESC, j.run_at, j.id) AS turn
           FROM heads JOIN jobs j ON j.id = heads.id)
         UPDATE jobs SET state = 'leased', attempts = attempts + 1, lease_token = id || '/' || {token},
           lease_until = {clock} + $2, leased_at = {clock}, checkpoint_at = NULL, worker_instance = $1, updated_at = {clock}
         WHERE id IN (SELECT id FROM turns
                      ORDER BY turn, CASE WHEN institution_id > $3 THEN 0 ELSE 1 END, institution_id LIMIT $4)
         RETURNING {COLUMNS}",
        kinds = kinds.join(" UNION ALL "),
        token = if tx.sqlite() { "lower(hex(randomblob(16)))" } else { "CAST(gen_random_uuid() AS TEXT)" },
    );
    tx.rows(&sql, args).await?.iter().map(job).collect()
}

/// Settles what ran out, in one statement each; part of every [`claim`]. Yields how many leases had expired.
///
/// # Errors
/// The database refuses.
pub async fn sweep(tx: &mut Tx) -> Result<u64> {
    let clock = tx.clock();
    let (held, skip) = (micros(HELD), if tx.sqlite() { "" } else { "FOR UPDATE SKIP LOCKED" });
    let counts = format!("(CASE WHEN lease_until - {BEGUN} >= {held} THEN 1 ELSE 0 END)");
    let expired = tx
        .exec(
            &format!(
                "UPDATE jobs SET
                   state = CASE WHEN attempts >= max_attempts OR crashes + {counts} >= {CRASHES} THEN 'dead' ELSE 'ready' END,
                   crashes = crashes + {counts}, run_at = {clock}, updated_at = {clock}, {NO_LEASE},
                   last_error = 'the lease expired: its worker crashed or hung'
                 WHERE id IN (SELECT id FROM jobs WHERE state = 'leased' AND lease_until < {clock} {skip})"
            ),
            args![],
        )
        .await?;
    let late = tx
        .exec(
            &format!(
                "UPDATE jobs SET state = 'dead', last_error = 'its deadline passed before it was begun', updated_at = {clock}
                 WHERE id IN (SELECT id FROM jobs WHERE state IN ('ready', 'backoff') AND deadline < {clock} {skip})"
            ),
            args![],
        )
        .await?;
    if expired + late > 0 {
        model_request::follow_dead(tx).await?;
    }
    tx.exec(
        &format!(
            "UPDATE jobs SET state = 'ready', updated_at = {clock}
             WHERE id IN (SELECT id FROM jobs WHERE state = 'backoff' AND run_at <= {clock} {skip})"
        ),
        args![],
    )
    .await?;
    Ok(expired)
}

/// Extends a lease; false when it is lost.
///
/// # Errors
/// The database refuses.
pub async fn heartbeat(tx: &mut Tx, id: JobId, token: &str, lease: Duration) -> Result<bool> {
    let clock = tx.clock();
    let sql =
        format!("UPDATE jobs SET lease_until = {clock} + $3, updated_at = {clock} WHERE id = $1 AND lease_token = $2");
    Ok(tx.exec(&sql, args![id, token, micros(lease)]).await? > 0)
}

/// Notes progress: the counts of attempts and crashes start again and the lease is extended.
///
/// # Errors
/// [`Error::Fenced`] when the lease is lost.
pub async fn checkpoint(tx: &mut Tx, id: JobId, token: &str, lease: Duration) -> Result<()> {
    let clock = tx.clock();
    let sql = format!(
        "UPDATE jobs SET attempts = 0, crashes = 0, checkpoint_at = {clock}, lease_until = {clock} + $3, updated_at = {clock}
         WHERE id = $1 AND lease_token = $2"
    );
    fenced(tx.exec(&sql, args![id, token, micros(lease)]).await?)
}

/// Marks a job done; the caller commits its effects in the same transaction.
///
/// # Errors
/// [`Error::Fenced`] when the lease is lost.
pub async fn complete(tx: &mut Tx, id: JobId, token: &str) -> Result<()> {
    let sql = format!(
        "UPDATE jobs SET state = 'done', crashes = 0, last_error = NULL, updated_at = {}, {NO_LEASE}
         WHERE id = $1 AND lease_token = $2",
        tx.clock()
    );
    fenced(tx.exec(&sql, args![id, token]).await?)
}

/// A failed try: what it was, and how long to wait.
#[derive(Debug, Clone)]
pub struct Failed {
    /// How it counts.
    pub class: FailureClass,
    /// For the operator.
    pub message: String,
    /// Wait before the next try.
    pub wait: Duration,
}

/// Records a failed try and yields the job's new state.
///
/// # Errors
/// [`Error::Fenced`] when the lease is lost.
pub async fn fail(tx: &mut Tx, id: JobId, token: &str, failed: &Failed) -> Result<JobState> {
    let clock = tx.clock();
    let (state, attempts) = match failed.class {
        FailureClass::Retryable => ("CASE WHEN attempts >= max_attempts THEN 'dead' ELSE 'backoff' END", "attempts"),
        FailureClass::Permanent => ("'dead'", "attempts"),
        FailureClass::Overload => ("'backoff'", GIVEN_BACK),
    };
    let sql = format!(
        "UPDATE jobs SET state = {state}, attempts = {attempts}, crashes = 0, run_at = {clock} + $3, last_error = $4,
           updated_at = {clock}, {NO_LEASE}
         WHERE id = $1 AND lease_token = $2 RETURNING state"
    );
    let message: String = failed.message.chars().take(2000).collect();
    let row = tx.row(&sql, args![id, token, micros(failed.wait), message]).await?.ok_or(Error::Fenced)?;
    let state = state_of(&row)?;
    if state == JobState::Dead {
        model_request::follow_dead(tx).await?;
    }
    Ok(state)
}

/// An attempt that does not count.
const GIVEN_BACK: &str = "CASE WHEN attempts > 0 THEN attempts - 1 ELSE 0 END";

/// Gives a job back unharmed, at once: its worker is shutting down.
///
/// # Errors
/// [`Error::Fenced`] when the lease is lost.
pub async fn release(tx: &mut Tx, id: JobId, token: &str) -> Result<()> {
    let clock = tx.clock();
    let sql = format!(
        "UPDATE jobs SET state = 'ready', attempts = {GIVEN_BACK}, run_at = {clock}, updated_at = {clock}, {NO_LEASE}
         WHERE id = $1 AND lease_token = $2"
    );
    fenced(tx.exec(&sql, args![id, token]).await?)?;
    tx.wake_workers();
    Ok(())
}

/// Releases at once the leases of every dead process of `node` (a data directory); `alive` is the one that owns it now.
///
/// A crash counts against a job only when it was seen alive [`HELD`] after its claim or last
/// checkpoint; a younger one gets its attempt back. Yields how many were released.
///
/// # Errors
/// The database refuses.
pub async fn release_node(tx: &mut Tx, node: &str, alive: &str) -> Result<u64> {
    let clock = tx.clock();
    let old = format!("updated_at - {BEGUN} >= {}", micros(HELD));
    // On SQLite the owner of the directory is the only worker there can be, whatever its name.
    let dead = if tx.sqlite() { "CAST($2 AS TEXT) IS NOT NULL" } else { "worker_instance LIKE $2 || '/%'" };
    let sql = format!(
        "UPDATE jobs SET
           state = CASE WHEN {old} AND (attempts >= max_attempts OR crashes + 1 >= {CRASHES}) THEN 'dead' ELSE 'ready' END,
           crashes = CASE WHEN {old} THEN crashes + 1 ELSE crashes END,
           attempts = CASE WHEN {old} THEN attempts ELSE {GIVEN_BACK} END,
           run_at = {clock}, updated_at = {clock}, last_error = 'its worker ended without giving it back', {NO_LEASE}
         WHERE state = 'leased' AND worker_instance <> $1 AND {dead}"
    );
    let released = tx.exec(&sql, args![alive, node]).await?;
    if released > 0 {
        model_request::follow_dead(tx).await?;
    }
    tx.wake_workers();
    Ok(released)
}

fn fenced(rows: u64) -> Result<()> {
    if rows == 0 { Err(Error::Fenced) } else { Ok(()) }
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

const COLUMNS: &str =
    "id, institution_id, kind, payload, idem_key, state, attempts, max_attempts, lease_token, last_error, created_at";

fn job(row: &Row) -> Result<Job> {
    Ok(Job {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        kind: row.text("kind")?,
        payload: row.json("payload")?,
        idem_key: row.text("idem_key")?,
        state: state_of(row)?,
        attempts: row.int("attempts")?,
        max_attempts: row.int("max_attempts")?,
        lease_token: row.text_opt("lease_token")?,
        last_error: row.text_opt("last_error")?,
        created_at: row.int("created_at")?,
    })
}

fn state_of(row: &Row) -> Result<JobState> {
    let text = row.text("state")?;
    [JobState::Ready, JobState::Leased, JobState::Backoff, JobState::Done, JobState::Dead, JobState::Cancelled]
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| Error::Damaged { column: "jobs.state".into(), reason: format!("\"{text}\" is no state") })
}
