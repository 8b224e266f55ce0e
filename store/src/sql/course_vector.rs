//! What the scan over a course reads: its vectors, and a stamp that changes whenever they do.

use std::collections::HashMap;
use std::fmt::Write as _;

use domain::ChunkId;

use super::bulk;
use super::chunk::VISIBLE;
use crate::Scope;
use crate::db::{Tx, Value, args};
use crate::error::Result;

/// Rows read at once.
pub(crate) const BATCH: usize = 256;

/// The state of a course's vectors, cheap to read: versions, how many vectors, when the last came,
/// and what is hidden.
pub(crate) struct Stamp {
    pub(crate) text: String,
    /// Something is hidden.
    pub(crate) hides: bool,
}

/// Packed vectors of a chunk.
pub(crate) struct Packed {
    pub(crate) chunk_id: ChunkId,
    pub(crate) dimension: usize,
    pub(crate) vector: Vec<u8>,
    pub(crate) sentences: Vec<u8>,
}

pub(crate) async fn stamp(tx: &mut Tx, scope: &Scope, model: &str) -> Result<Stamp> {
    let mut text = String::new();
    for row in tx
        .rows(
            "SELECT s.current_version_id, COUNT(e.created_at) AS n, MAX(e.created_at) AS last
             FROM sources s LEFT JOIN embeddings e ON e.version_id = s.current_version_id AND e.model = $3
             WHERE s.institution_id = $1 AND s.course_id = $2 AND s.current_version_id IS NOT NULL
             GROUP BY s.current_version_id ORDER BY s.current_version_id",
            args![scope.institution, scope.course, model],
        )
        .await?
    {
        // Writing to a string cannot fail.
        let _ = write!(text, "{} {} {:?};", row.text("current_version_id")?, row.int("n")?, row.int_opt("last")?);
    }
    let mut hidden = tx
        .rows(
            "SELECT h.document_id FROM lessons h
             WHERE h.institution_id = $1 AND h.course_id = $2 AND h.document_id IS NOT NULL
             GROUP BY h.document_id HAVING MIN(CASE WHEN h.hidden THEN 1 ELSE 0 END) = 1",
            args![scope.institution, scope.course],
        )
        .await?
        .iter()
        .map(|row| row.text("document_id"))
        .collect::<Result<Vec<_>>>()?;
    hidden.sort();
    text.push_str(&hidden.join(" "));
    Ok(Stamp { text, hides: !hidden.is_empty() })
}

/// The chunks that the scope sees and that have a vector of `model`, by path and place.
pub(crate) async fn ids(tx: &mut Tx, scope: &Scope, model: &str) -> Result<Vec<ChunkId>> {
    let sql = format!(
        "SELECT c.id, c.locator_start, c.position, d.path
         FROM chunks c JOIN documents d ON d.id = c.document_id
         JOIN embeddings e ON e.chunk_id = c.id AND e.model = $4
         WHERE {VISIBLE}"
    );
    let mut found = tx
        .rows(&sql, args![scope.institution, scope.course, scope.hidden, model])
        .await?
        .iter()
        .map(|row| Ok((row.text("path")?, row.int("locator_start")?, row.int("position")?, row.id("id")?)))
        .collect::<Result<Vec<(String, i64, i64, ChunkId)>>>()?;
    found.sort();
    Ok(found.into_iter().map(|(_, _, _, id)| id).collect())
}

/// The vectors of these chunks, in the order of the ids.
pub(crate) async fn packed(tx: &mut Tx, scope: &Scope, model: &str, ids: &[ChunkId]) -> Result<Vec<Packed>> {
    let sql = format!(
        "SELECT chunk_id, dimension, vector, sentences FROM embeddings
         WHERE institution_id = $1 AND course_id = $2 AND model = $3 AND chunk_id IN ({})",
        bulk::places(4, ids.len())
    );
    let mut binds = args![scope.institution, scope.course, model];
    binds.extend(ids.iter().map(|id| Value::from(*id)));
    let mut found = HashMap::with_capacity(ids.len());
    for row in tx.rows(&sql, binds).await? {
        let chunk_id = row.id("chunk_id")?;
        let dimension = usize::try_from(row.int("dimension")?).unwrap_or_default();
        found.insert(
            chunk_id,
            Packed { chunk_id, dimension, vector: row.blob("vector")?, sentences: row.blob("sentences")? },
        );
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}
