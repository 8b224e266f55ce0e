//! Where each consumer of the log is: one offset and one lease per partition, and what it has processed.

use std::time::Duration;

use domain::event::{Event, PARTITIONS};
use domain::{EventId, InstitutionId, Micros};
use serde::Serialize;

use crate::db::{Tx, args};
use crate::error::{Error, Result};
use crate::sql::job::micros;

/// Makes the consumer's offsets when they are not there; a new consumer starts at the beginning of the log.
pub(crate) async fn register(tx: &mut Tx, consumer: &str) -> Result<()> {
    for partition in 0..PARTITIONS {
        tx.exec(
            "INSERT INTO consumer_offsets (consumer, partition_no, seq) VALUES ($1, $2, 0)
             ON CONFLICT (consumer, partition_no) DO NOTHING",
            args![consumer, partition],
        )
        .await?;
    }
    Ok(())
}

/// Takes or keeps every partition whose lease is free, and yields those with their offsets.
pub(crate) async fn take(tx: &mut Tx, consumer: &str, owner: &str, lease: Duration) -> Result<Vec<(i64, i64)>> {
    let clock = tx.clock();
    let sql = format!(
        "UPDATE consumer_offsets SET lease_owner = $2, lease_until = {clock} + $3
         WHERE consumer = $1 AND (lease_owner IS NULL OR lease_owner = $2 OR lease_until < {clock})
         RETURNING partition_no, seq"
    );
    let rows = tx.rows(&sql, args![consumer, owner, micros(lease)]).await?;
    rows.iter().map(|row| Ok((row.int("partition_no")?, row.int("seq")?))).collect()
}

/// Gives every partition of `owner` back.
pub(crate) async fn release(tx: &mut Tx, consumer: &str, owner: &str) -> Result<()> {
    tx.exec(
        "UPDATE consumer_offsets SET lease_owner = NULL, lease_until = NULL WHERE consumer = $1 AND lease_owner = $2",
        args![consumer, owner],
    )
    .await?;
    Ok(())
}

/// Gives back the partitions of the dead processes of `node`.
pub(crate) async fn release_node(tx: &mut Tx, node: &str, alive: &str) -> Result<()> {
    let dead = if tx.sqlite() { "CAST($2 AS TEXT) IS NOT NULL" } else { "lease_owner LIKE $2 || '/%'" };
    let sql = format!(
        "UPDATE consumer_offsets SET lease_owner = NULL, lease_until = NULL WHERE lease_owner <> $1 AND {dead}"
    );
    tx.exec(&sql, args![alive, node]).await?;
    Ok(())
}

/// One step of a consumer through a partition.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) consumer: String,
    pub(crate) owner: String,
    pub(crate) partition: i64,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Moves the offset over one event and notes the event; false when it was processed before.
///
/// # Errors
/// [`Error::Fenced`] when another process holds the partition or has moved on.
pub(crate) async fn advance(tx: &mut Tx, step: &Step, event: &Event, error: Option<&str>) -> Result<bool> {
    let moved = tx
        .exec(
            "UPDATE consumer_offsets SET seq = $5
             WHERE consumer = $1 AND partition_no = $2 AND lease_owner = $3 AND seq = $4",
            args![&step.consumer, step.partition, &step.owner, step.from, step.to],
        )
        .await?;
    if moved == 0 {
        return Err(Error::Fenced);
    }
    let sql = format!(
        "INSERT INTO processed_events (consumer, event_id, institution_id, outcome, error, processed_at)
         VALUES ($1, $2, $3, $4, $5, {}) ON CONFLICT (consumer, event_id) DO NOTHING",
        tx.clock()
    );
    let outcome = if error.is_some() { "dead" } else { "done" };
    let error: Option<String> = error.map(|error| error.chars().take(2000).collect());
    Ok(tx.exec(&sql, args![&step.consumer, event.event_id, event.institution_id, outcome, error]).await? > 0)
}

/// An event that a consumer gave up on.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadEvent {
    /// Who gave up.
    pub consumer: String,
    /// On what.
    pub event_id: EventId,
    /// Its type.
    pub event_type: String,
    /// Why.
    pub error: Option<String>,
    /// When.
    pub died_at: Micros,
}

/// Events of an institution that consumers gave up on, oldest first.
///
/// # Errors
/// The database refuses.
pub async fn dead(tx: &mut Tx, institution: InstitutionId, limit: i64) -> Result<Vec<DeadEvent>> {
    let rows = tx
        .rows(
            "SELECT p.consumer, p.event_id, e.event_type, p.error, p.processed_at
             FROM processed_events p JOIN events e ON e.event_id = p.event_id
             WHERE p.institution_id = $1 AND p.outcome = 'dead' ORDER BY p.processed_at, p.event_id LIMIT $2",
            args![institution, limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(DeadEvent {
                consumer: row.text("consumer")?,
                event_id: row.id("event_id")?,
                event_type: row.text("event_type")?,
                error: row.text_opt("error")?,
                died_at: row.int("processed_at")?,
            })
        })
        .collect()
}

/// Marks a dead event of a consumer as done; false when it is not dead. The caller repeats its effects in this transaction.
pub(crate) async fn revive(tx: &mut Tx, institution: InstitutionId, consumer: &str, event: EventId) -> Result<bool> {
    let sql = format!(
        "UPDATE processed_events SET outcome = 'done', error = NULL, processed_at = {}
         WHERE institution_id = $1 AND consumer = $2 AND event_id = $3 AND outcome = 'dead'",
        tx.clock()
    );
    Ok(tx.exec(&sql, args![institution, consumer, event]).await? > 0)
}
