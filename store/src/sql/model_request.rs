//! Rows of `model_requests`: each is answered by its job, in the transaction that marks the job done.

use domain::model_request::{self, ModelRequest, RequestState};
use domain::{InstitutionId, JobId, Micros, ModelRequestId, UserId};
use serde_json::json;

use crate::db::{Row, Tx, args};
use crate::error::{Error, Result};
use crate::sql::event::{self, NewEvent};
use crate::sql::job::admin;

const COLUMNS: &str = "id, institution_id, user_id, key_id, course_id, idempotency_key, request_hash, class, endpoint, body, \
                       state, status, response, error, created_at, finished_at";

fn read(row: &Row) -> Result<ModelRequest> {
    let damaged = |column: &str, text: &str| Error::Damaged { column: column.into(), reason: format!("\"{text}\"") };
    let (class, state) = (row.text("class")?, row.text("state")?);
    Ok(ModelRequest {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        user_id: row.id("user_id")?,
        key_id: row.id_opt("key_id")?,
        course_id: row.id_opt("course_id")?,
        idempotency_key: row.text("idempotency_key")?,
        request_hash: row.text("request_hash")?,
        class: model_request::class(&class).ok_or_else(|| damaged("model_requests.class", &class))?,
        endpoint: row.text("endpoint")?,
        body: row.blob("body")?,
        state: RequestState::ALL
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or_else(|| damaged("model_requests.state", &state))?,
        status: row.int_opt("status")?.map(|status| u16::try_from(status).unwrap_or(500)),
        response: row.blob_opt("response")?,
        error: row.text_opt("error")?,
        created_at: row.int("created_at")?,
        finished_at: row.int_opt("finished_at")?,
    })
}

/// Adds a request; false when its user has used the idempotency key before.
///
/// # Errors
/// The database refuses.
pub async fn insert(tx: &mut Tx, request: &ModelRequest) -> Result<bool> {
    let added = tx
        .exec(
            "INSERT INTO model_requests (id, institution_id, user_id, key_id, course_id, idempotency_key, request_hash, class,
               endpoint, body, state, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'queued', $11)
             ON CONFLICT (institution_id, user_id, idempotency_key) DO NOTHING",
            args![
                request.id,
                request.institution_id,
                request.user_id,
                request.key_id,
                request.course_id,
                &request.idempotency_key,
                &request.request_hash,
                request.class.name(),
                &request.endpoint,
                request.body.clone(),
                request.created_at,
            ],
        )
        .await?;
    Ok(added > 0)
}

/// The request of that id.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: ModelRequestId) -> Result<Option<ModelRequest>> {
    let sql = format!("SELECT {COLUMNS} FROM model_requests WHERE institution_id = $1 AND id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// The request of a user's idempotency key.
///
/// # Errors
/// The database refuses.
pub async fn by_key(tx: &mut Tx, institution: InstitutionId, user: UserId, key: &str) -> Result<Option<ModelRequest>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM model_requests WHERE institution_id = $1 AND user_id = $2 AND idempotency_key = $3"
    );
    tx.row(&sql, args![institution, user, key]).await?.as_ref().map(read).transpose()
}

/// Marks a request as begun, while its job is held under `lease_token`; false when it is not, or has ended.
///
/// A failed one begins again: a person started its job once more.
///
/// # Errors
/// The database refuses.
pub async fn begin(tx: &mut Tx, request: &ModelRequest, job: JobId, lease_token: &str) -> Result<bool> {
    let begun = tx
        .exec(
            "UPDATE model_requests SET state = 'running', finished_at = NULL, error = NULL
             WHERE institution_id = $1 AND id = $2 AND state IN ('queued', 'running', 'failed')
               AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = $3 AND j.lease_token = $4)",
            args![request.institution_id, request.id, job, lease_token],
        )
        .await?
        > 0;
    if begun && request.state != RequestState::Running {
        announce(tx, request, "llm.processing_started", json!({})).await?;
    }
    Ok(begun)
}

/// How a request ended.
#[derive(Debug, Clone)]
pub enum End {
    /// With an answer of this status.
    Done(u16, Vec<u8>),
    /// Without one.
    Failed(String),
    /// Called off.
    Cancelled,
}

/// Writes down how an open request ended; false when it had ended already.
///
/// # Errors
/// The database refuses.
pub async fn finish(tx: &mut Tx, request: &ModelRequest, end: End) -> Result<bool> {
    let (state, event, status, response, error) = match end {
        End::Done(status, response) => {
            ("done", "llm.processing_completed", Some(i64::from(status)), Some(response), None)
        }
        End::Failed(error) => {
            ("failed", "llm.processing_failed", None, None, Some(error.chars().take(2000).collect::<String>()))
        }
        End::Cancelled => ("cancelled", "llm.processing_cancelled", None, None, None),
    };
    let sql = format!(
        "UPDATE model_requests SET state = $3, status = $4, response = $5, error = $6, finished_at = {}
         WHERE institution_id = $1 AND id = $2 AND state IN ('queued', 'running')",
        tx.clock()
    );
    let values = args![request.institution_id, request.id, state, status, response, error];
    let ended = tx.exec(&sql, values).await? > 0;
    if ended {
        announce(tx, request, event, json!({ "status": status })).await?;
    }
    Ok(ended)
}

/// Calls a request and its job off; false when it had ended.
///
/// # Errors
/// The database refuses.
pub async fn cancel(tx: &mut Tx, request: &ModelRequest) -> Result<bool> {
    // The job first, as its completion does: the two never wait for each other in a circle. Of an ended request
    // the job has ended too.
    admin::cancel(tx, request.institution_id, model_request::JOB, &request.id.to_string()).await?;
    finish(tx, request, End::Cancelled).await
}

/// Deletes requests that ended before `before` (microseconds), each with its job, `most` at a time; yields how many.
///
/// # Errors
/// The database refuses.
pub async fn forget(tx: &mut Tx, institution: InstitutionId, before: Micros, most: i64) -> Result<usize> {
    let sql = format!(
        "SELECT {COLUMNS} FROM model_requests WHERE institution_id = $1 AND finished_at < $2 ORDER BY finished_at LIMIT $3"
    );
    let rows = tx.rows(&sql, args![institution, before, most]).await?;
    for row in &rows {
        let request = read(row)?;
        admin::remove(tx, institution, model_request::JOB, &request.id.to_string()).await?;
        tx.exec("DELETE FROM model_requests WHERE institution_id = $1 AND id = $2", args![institution, request.id])
            .await?;
        announce(tx, &request, "llm.processing_forgotten", json!({ "createdAt": request.created_at })).await?;
    }
    Ok(rows.len())
}

/// Ends requests whose jobs gave up; called wherever a job may have died, in the same transaction.
///
/// # Errors
/// The database refuses.
pub(crate) async fn follow_dead(tx: &mut Tx) -> Result<()> {
    let columns = COLUMNS.split(", ").map(|column| format!("r.{column}")).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT {columns}, j.last_error FROM model_requests r
         JOIN jobs j ON j.institution_id = r.institution_id AND j.kind = $1 AND j.idem_key = r.id
         WHERE r.state IN ('queued', 'running') AND j.state IN ('dead', 'cancelled')"
    );
    for row in tx.rows(&sql, args![model_request::JOB]).await? {
        let reason = row.text_opt("last_error")?.unwrap_or_else(|| "its job gave up".into());
        finish(tx, &read(&row)?, End::Failed(reason)).await?;
    }
    Ok(())
}

async fn announce(tx: &mut Tx, request: &ModelRequest, what: &'static str, payload: serde_json::Value) -> Result<()> {
    let mut new = NewEvent::new(what, request.institution_id, request.id).user(Some(request.user_id));
    new.course_id = request.course_id;
    event::append(tx, &new.payload(payload)).await?;
    Ok(())
}
