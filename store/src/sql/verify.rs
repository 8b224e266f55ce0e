//! Statements that look for broken invariants: each yields the broken rows, so a healthy store yields nothing.
//!
//! What needs more than SQL (hashes, derived ids, files) is in [`crate::verify`].

use domain::{InstitutionId, SourceId, VersionId};

use crate::db::{Row, Tx, args};
use crate::error::Result;
use crate::verify::Finding;

mod content;
mod gateway;
mod grading;
mod jobs;
mod log;
mod receipts;
mod tenancy;

/// One look: `sql` yields `institution_id`, `subject` and `message` of each broken row.
pub(crate) struct Check {
    pub(crate) invariant: &'static str,
    pub(crate) sql: String,
}

impl Check {
    fn new(invariant: &'static str, sql: impl Into<String>) -> Self {
        Self { invariant, sql: sql.into() }
    }
}

/// Findings of one check that are told; a broken table would else drown the rest.
const MOST: i64 = 200;

/// Every check of this database.
pub(crate) fn checks(tx: &Tx) -> Vec<Check> {
    let mut checks = receipts::checks();
    checks.extend(log::checks());
    checks.extend(content::checks(tx.sqlite()));
    checks.extend(jobs::checks(tx.clock()));
    checks.extend(grading::checks());
    checks.extend(gateway::checks());
    checks.extend(tenancy::checks());
    checks
}

/// Runs a check.
pub(crate) async fn run(tx: &mut Tx, check: &Check, institution: Option<InstitutionId>) -> Result<Vec<Finding>> {
    let sql = format!(
        "SELECT subject, message FROM ({}) found
         WHERE (CAST($1 AS TEXT) IS NULL OR institution_id = $1) ORDER BY subject LIMIT {MOST}",
        check.sql
    );
    let rows = tx.rows(&sql, args![institution]).await?;
    rows.iter().map(|row| Ok(Finding::new(check.invariant, row.text("subject")?, row.text("message")?))).collect()
}

/// A page of chunks in the order of their ids, with everything that is derived from them.
pub(crate) async fn chunks(
    tx: &mut Tx,
    institution: Option<InstitutionId>,
    after: &str,
    limit: i64,
) -> Result<Vec<Row>> {
    tx.rows(
        "SELECT c.id, c.version_id, v.source_id, c.position, c.heading_path, c.text, c.sentences, c.content_hash, c.terms,
           c.term_count
         FROM chunks c JOIN source_versions v ON v.id = c.version_id
         WHERE c.id > $2 AND (CAST($1 AS TEXT) IS NULL OR c.institution_id = $1) ORDER BY c.id LIMIT $3",
        args![institution, after, limit],
    )
    .await
}

/// A page of vectors in the order of their chunks and models.
pub(crate) async fn vectors(
    tx: &mut Tx,
    institution: Option<InstitutionId>,
    (chunk, model): (&str, &str),
    limit: i64,
) -> Result<Vec<Row>> {
    tx.rows(
        "SELECT e.chunk_id, e.model, e.dimension, e.vector, e.sentences, c.sentences AS spans
         FROM embeddings e JOIN chunks c ON c.id = e.chunk_id
         WHERE (e.chunk_id > $2 OR (e.chunk_id = $2 AND e.model > $3))
           AND (CAST($1 AS TEXT) IS NULL OR e.institution_id = $1) ORDER BY e.chunk_id, e.model LIMIT $4",
        args![institution, chunk, model, limit],
    )
    .await
}

/// A page of the log: place, partition, aggregate, type and topic.
pub(crate) async fn events(
    tx: &mut Tx,
    institution: Option<InstitutionId>,
    after: i64,
    limit: i64,
) -> Result<Vec<Row>> {
    tx.rows(
        "SELECT seq, event_id, event_type, topic, partition_no, aggregate_id, payload FROM events
         WHERE seq > $2 AND (CAST($1 AS TEXT) IS NULL OR institution_id = $1) ORDER BY seq LIMIT $3",
        args![institution, after, limit],
    )
    .await
}

/// A page of jobs with their payloads.
pub(crate) async fn jobs(tx: &mut Tx, institution: Option<InstitutionId>, after: &str, limit: i64) -> Result<Vec<Row>> {
    tx.rows(
        "SELECT id, payload, payload_hash FROM jobs
         WHERE id > $2 AND (CAST($1 AS TEXT) IS NULL OR institution_id = $1) ORDER BY id LIMIT $3",
        args![institution, after, limit],
    )
    .await
}

/// Stored answers of idempotency keys.
pub(crate) async fn answers(tx: &mut Tx, institution: Option<InstitutionId>) -> Result<Vec<Row>> {
    tx.rows(
        "SELECT idem_key, response FROM idempotency WHERE (CAST($1 AS TEXT) IS NULL OR institution_id = $1)",
        args![institution],
    )
    .await
}

/// Every blob row.
pub(crate) async fn blobs(tx: &mut Tx, institution: Option<InstitutionId>) -> Result<Vec<Row>> {
    tx.rows(
        "SELECT institution_id, sha256, storage_key, size FROM blobs
         WHERE (CAST($1 AS TEXT) IS NULL OR institution_id = $1) ORDER BY institution_id, sha256",
        args![institution],
    )
    .await
}

/// Institutions to look at.
pub(crate) async fn institutions(tx: &mut Tx, institution: Option<InstitutionId>) -> Result<Vec<InstitutionId>> {
    let rows = tx
        .rows("SELECT id FROM institutions WHERE (CAST($1 AS TEXT) IS NULL OR id = $1) ORDER BY id", args![institution])
        .await?;
    rows.iter().map(|row| row.id("id")).collect()
}

/// A ready version: how many chunks it has, and how many its event says.
pub(crate) struct ReadyVersion {
    pub(crate) id: VersionId,
    pub(crate) chunks: i64,
    /// Payloads of `content.chunks_embedded` of its source, newest first.
    pub(crate) told: Vec<serde_json::Value>,
}

/// Ready versions with what the log says of them.
pub(crate) async fn ready_versions(tx: &mut Tx, institution: Option<InstitutionId>) -> Result<Vec<ReadyVersion>> {
    let rows = tx
        .rows(
            "SELECT v.id, v.source_id, (SELECT COUNT(*) FROM chunks c WHERE c.version_id = v.id) AS chunks
             FROM source_versions v WHERE v.state = 'ready' AND (CAST($1 AS TEXT) IS NULL OR v.institution_id = $1)",
            args![institution],
        )
        .await?;
    let mut versions = Vec::with_capacity(rows.len());
    for row in rows {
        let source: SourceId = row.id("source_id")?;
        let told = tx
            .rows(
                "SELECT payload FROM events WHERE event_type = 'content.chunks_embedded' AND aggregate_id = $1
                 AND partition_no = $2 ORDER BY seq DESC",
                args![source, domain::event::partition(&source.to_string())],
            )
            .await?;
        let told = told.iter().map(|row| row.json("payload")).collect::<Result<_>>()?;
        versions.push(ReadyVersion { id: row.id("id")?, chunks: row.int("chunks")?, told });
    }
    Ok(versions)
}

/// Lets SQLite's full-text index compare itself with its content; an error says that it is damaged.
pub(crate) async fn full_text_integrity(tx: &mut Tx) -> Result<()> {
    if tx.sqlite() {
        tx.exec("INSERT INTO chunk_terms (chunk_terms) VALUES ('integrity-check')", args![]).await?;
    }
    Ok(())
}
