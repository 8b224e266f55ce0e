//! The permanent event log: appending inside the transaction of the change, and reading it in order.
//!
//! Rows are never changed or deleted. Delivering events to consumers is [`crate::bus`].

use domain::event::{self, Event};
use domain::{CourseId, Error as DomainError, ErrorKind, EventId, InstitutionId, UserId};

use crate::db::{Row, Tx, args};
use crate::error::Result;

pub mod consumer;

/// An event about to be appended.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// One of [`domain::event::TYPES`].
    pub event_type: &'static str,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Who acted; `None` for the operator and for jobs.
    pub user_id: Option<UserId>,
    /// The course concerned.
    pub course_id: Option<CourseId>,
    /// Login session.
    pub session_id: Option<String>,
    /// Ties a request, its jobs and its events together.
    pub correlation_id: Option<String>,
    /// Id of the changed thing: its events keep their order.
    pub aggregate_id: String,
    /// Ids and numbers, never personal text.
    pub payload: serde_json::Value,
}

impl NewEvent {
    /// An event of `event_type` about `aggregate`, with an empty payload.
    pub fn new(event_type: &'static str, institution: InstitutionId, aggregate: impl std::fmt::Display) -> Self {
        Self {
            event_type,
            institution_id: institution,
            user_id: None,
            course_id: None,
            session_id: None,
            correlation_id: None,
            aggregate_id: aggregate.to_string(),
            payload: serde_json::json!({}),
        }
    }

    /// The same with the acting user.
    #[must_use]
    pub fn user(mut self, user: Option<UserId>) -> Self {
        self.user_id = user;
        self
    }

    /// The same with the course concerned.
    #[must_use]
    pub fn course(mut self, course: CourseId) -> Self {
        self.course_id = Some(course);
        self
    }

    /// The same with what ties it to its request or job.
    #[must_use]
    pub fn correlation(mut self, correlation: impl std::fmt::Display) -> Self {
        self.correlation_id = Some(correlation.to_string());
        self
    }

    /// The same with a payload.
    #[must_use]
    pub fn payload(mut self, payload: serde_json::Value) -> Self {
        self.payload = payload;
        self
    }
}

/// Appends an event and yields its id; consumers see it after the commit.
///
/// # Errors
/// The type is not registered, or the database refuses.
pub async fn append(tx: &mut Tx, new: &NewEvent) -> Result<EventId> {
    let topic = event::topic(new.event_type).ok_or_else(|| {
        DomainError::new(ErrorKind::Internal, format!("event type \"{}\" is not registered", new.event_type))
    })?;
    if !tx.sqlite() {
        // Takes the transaction's number before the row takes its place: a reader that trusts
        // "older than the oldest running transaction" never passes a place that is still to be filled.
        tx.rows("SELECT CAST(pg_current_xact_id() AS TEXT) AS xid", args![]).await?;
    }
    let id = EventId::fresh();
    let sql = format!(
        "INSERT INTO events (event_id, event_type, topic, partition_no, aggregate_id, institution_id, user_id, course_id,
           session_id, correlation_id, source_service, payload, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, {})",
        tx.clock()
    );
    tx.exec(
        &sql,
        args![
            id,
            new.event_type,
            topic,
            event::partition(&new.aggregate_id),
            &new.aggregate_id,
            new.institution_id,
            new.user_id,
            new.course_id,
            new.session_id.clone(),
            new.correlation_id.clone(),
            "lyceum",
            &new.payload
        ],
    )
    .await?;
    tx.wake_consumers();
    Ok(id)
}

const COLUMNS: &str = "seq, event_id, event_type, created_at, source_service, institution_id, user_id, course_id, session_id, \
                       correlation_id, aggregate_id, payload";

/// Up to `limit` events after place `seq`, in order, with their places; `None` is every institution or partition.
///
/// On PostgreSQL only events older than the oldest running transaction are seen, so that none
/// appears later below a place already passed.
///
/// # Errors
/// The database refuses.
pub async fn after(
    tx: &mut Tx,
    institution: Option<InstitutionId>,
    partition: Option<i64>,
    seq: i64,
    limit: i64,
) -> Result<Vec<(i64, Event)>> {
    // Written apart from the other case so that a partition is read along its own index.
    let place = if partition.is_some() { "partition_no = $3" } else { "CAST($3 AS BIGINT) IS NULL" };
    let sql = format!(
        "SELECT {COLUMNS} FROM events
         WHERE seq > $1 AND (CAST($2 AS TEXT) IS NULL OR institution_id = $2) AND {place}{}
         ORDER BY seq LIMIT $4",
        settled(tx)
    );
    tx.rows(&sql, args![seq, institution, partition, limit]).await?.iter().map(event).collect()
}

/// Up to `limit` events that share a correlation id, after place `seq`: what a progress stream shows and resumes from.
///
/// # Errors
/// The database refuses.
pub async fn correlated(
    tx: &mut Tx,
    institution: InstitutionId,
    correlation: &str,
    seq: i64,
    limit: i64,
) -> Result<Vec<(i64, Event)>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM events
         WHERE institution_id = $1 AND correlation_id = $2 AND seq > $3{}
         ORDER BY seq LIMIT $4",
        settled(tx)
    );
    tx.rows(&sql, args![institution, correlation, seq, limit]).await?.iter().map(event).collect()
}

/// One event.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: EventId) -> Result<Option<Event>> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE institution_id = $1 AND event_id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(|row| Ok(event(row)?.1)).transpose()
}

fn settled(tx: &Tx) -> &'static str {
    if tx.sqlite() { "" } else { " AND xid < pg_snapshot_xmin(pg_current_snapshot())" }
}

fn event(row: &Row) -> Result<(i64, Event)> {
    Ok((
        row.int("seq")?,
        Event {
            event_id: row.id("event_id")?,
            event_type: row.text("event_type")?,
            timestamp: row.int("created_at")?,
            source_service: row.text("source_service")?,
            institution_id: row.id("institution_id")?,
            user_id: row.id_opt("user_id")?,
            course_id: row.id_opt("course_id")?,
            session_id: row.text_opt("session_id")?,
            correlation_id: row.text_opt("correlation_id")?,
            aggregate_id: row.text("aggregate_id")?,
            payload: row.json("payload")?,
        },
    ))
}
