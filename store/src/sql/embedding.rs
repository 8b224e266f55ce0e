//! Embeddings: vectors as rows, the truth that every vector index is filled from.
//!
//! Vectors of two models never meet: the model is part of every key and every query.

use std::collections::HashSet;

use domain::{ChunkId, CourseId, InstitutionId, VersionId};

use super::bulk;
use super::chunk::VISIBLE;
use crate::Scope;
use crate::db::{Tx, Value, args};
use crate::error::{Error, Result};

/// Vectors of a chunk and of its sentences, about to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEmbedding {
    /// Which chunk.
    pub chunk_id: ChunkId,
    /// The chunk's content hash.
    pub content_hash: String,
    /// Vector of the whole passage.
    pub vector: Vec<f32>,
    /// Vector of each sentence in order.
    pub sentences: Vec<Vec<f32>>,
}

/// A chunk's vector as it is kept, for filling an index.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredVector {
    /// Which chunk.
    pub chunk_id: ChunkId,
    /// Course.
    pub course_id: CourseId,
    /// Source version.
    pub version_id: VersionId,
    /// Vector of the whole passage.
    pub vector: Vec<f32>,
}

/// Little-endian bytes of a vector.
pub(crate) fn pack(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Appends the numbers of little-endian bytes; what is left over of a damaged length is refused.
pub(crate) fn unpack(bytes: &[u8], into: &mut Vec<f32>) -> Result<()> {
    let (words, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(Error::Damaged {
            column: "vector".into(),
            reason: format!("{} bytes are no numbers", bytes.len()),
        });
    }
    into.extend(words.iter().map(|word| f32::from_le_bytes(*word)));
    Ok(())
}

/// Writes vectors of chunks of a version; one that is there already stays.
///
/// # Errors
/// A chunk is not of this version (it may have been superseded), or a vector is not usable.
pub async fn insert_many(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    version: VersionId,
    model: &str,
    embeddings: &[NewEmbedding],
) -> Result<()> {
    let ids: HashSet<ChunkId> = embeddings.iter().map(|embedding| embedding.chunk_id).collect();
    let ids: Vec<ChunkId> = ids.into_iter().collect();
    let mut known = 0;
    for some in ids.chunks(500) {
        let sql = format!(
            "SELECT COUNT(*) AS n FROM chunks
             WHERE institution_id = $1 AND course_id = $2 AND version_id = $3 AND id IN ({})",
            bulk::places(4, some.len())
        );
        let mut binds = args![institution, course, version];
        binds.extend(some.iter().map(|id| Value::from(*id)));
        known += tx.row(&sql, binds).await?.map_or(Ok(0), |row| row.int("n"))?;
    }
    if usize::try_from(known).ok() != Some(ids.len()) {
        return Err(Error::Conflict(format!(
            "version \"{version}\" does not have these chunks, it may have been superseded"
        )));
    }
    let now = tx.now().await?;
    let mut rows = Vec::with_capacity(embeddings.len());
    for embedding in embeddings {
        let dimension = embedding.vector.len();
        let usable = |vector: &[f32]| vector.len() == dimension && vector.iter().all(|value| value.is_finite());
        if dimension == 0 || !usable(&embedding.vector) || !embedding.sentences.iter().all(|vector| usable(vector)) {
            let message = format!("vectors of chunk \"{}\" differ in length or are not finite", embedding.chunk_id);
            return Err(domain::Error::new(domain::ErrorKind::Internal, message).into());
        }
        rows.push(args![
            embedding.chunk_id,
            model,
            institution,
            course,
            version,
            &embedding.content_hash,
            i64::try_from(dimension).unwrap_or(i64::MAX),
            pack(&embedding.vector),
            embedding.sentences.iter().flat_map(|vector| pack(vector)).collect::<Vec<u8>>(),
            now,
        ]);
    }
    bulk::insert(
        tx,
        "INSERT INTO embeddings (chunk_id, model, institution_id, course_id, version_id, content_hash, dimension, vector,
           sentences, created_at)",
        10,
        rows,
        "ON CONFLICT (chunk_id, model) DO NOTHING",
    )
    .await?;
    Ok(())
}

/// Gives chunks of this version the vectors that equal passages of the institution already have, and counts them.
///
/// # Errors
/// The database refuses.
pub async fn copy_known(tx: &mut Tx, institution: InstitutionId, version: VersionId, model: &str) -> Result<i64> {
    let now = tx.now().await?;
    let copied = tx
        .exec(
            "INSERT INTO embeddings (chunk_id, model, institution_id, course_id, version_id, content_hash, dimension, vector,
               sentences, created_at)
             SELECT c.id, e.model, c.institution_id, c.course_id, c.version_id, c.content_hash, e.dimension, e.vector,
               e.sentences, $4
             FROM chunks c JOIN embeddings e ON e.model = $3 AND e.institution_id = $1 AND e.chunk_id = (
               SELECT MIN(o.chunk_id) FROM embeddings o
               WHERE o.institution_id = $1 AND o.model = $3 AND o.content_hash = c.content_hash)
             WHERE c.institution_id = $1 AND c.version_id = $2
               AND NOT EXISTS (SELECT 1 FROM embeddings k WHERE k.chunk_id = c.id AND k.model = $3)",
            args![institution, version, model, now],
        )
        .await?;
    Ok(i64::try_from(copied).unwrap_or(i64::MAX))
}

/// How many chunks of a version have a vector of `model`.
///
/// # Errors
/// The database refuses.
pub async fn count(tx: &mut Tx, institution: InstitutionId, version: VersionId, model: &str) -> Result<i64> {
    tx.row(
        "SELECT COUNT(*) AS n FROM embeddings WHERE version_id = $2 AND model = $3 AND institution_id = $1",
        args![institution, version, model],
    )
    .await?
    .map_or(Ok(0), |row| row.int("n"))
}

/// How many passages that the scope sees have a vector of `model`.
///
/// # Errors
/// The database refuses.
pub async fn count_visible(tx: &mut Tx, scope: &Scope, model: &str) -> Result<i64> {
    let sql = format!(
        "SELECT COUNT(*) AS n FROM chunks c JOIN embeddings e ON e.chunk_id = c.id AND e.model = $4 WHERE {VISIBLE}"
    );
    tx.row(&sql, args![scope.institution, scope.course, scope.hidden, model]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// The models that an institution has vectors of, each with its dimension.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn models(tx: &mut Tx, institution: InstitutionId) -> Result<Vec<(String, usize)>> {
    tx.rows(
        "SELECT DISTINCT model, dimension FROM embeddings WHERE institution_id = $1 ORDER BY model, dimension",
        args![institution],
    )
    .await?
    .iter()
    .map(|row| Ok((row.text("model")?, usize::try_from(row.int("dimension")?).unwrap_or_default())))
    .collect()
}

/// A page of the institution's vectors of `model` and `dimension`, by chunk id, after `after`.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn page(
    tx: &mut Tx,
    institution: InstitutionId,
    model: &str,
    dimension: usize,
    after: Option<ChunkId>,
    limit: i64,
) -> Result<Vec<StoredVector>> {
    let after = after.map_or_else(String::new, |id| id.to_string());
    let rows = tx
        .rows(
            "SELECT chunk_id, course_id, version_id, vector FROM embeddings
             WHERE institution_id = $1 AND model = $2 AND dimension = $3 AND chunk_id > $4 ORDER BY chunk_id LIMIT $5",
            args![institution, model, i64::try_from(dimension).unwrap_or(i64::MAX), after, limit],
        )
        .await?;
    rows.iter()
        .map(|row| {
            let mut vector = Vec::with_capacity(dimension);
            unpack(&row.blob("vector")?, &mut vector)?;
            Ok(StoredVector {
                chunk_id: row.id("chunk_id")?,
                course_id: row.id("course_id")?,
                version_id: row.id("version_id")?,
                vector,
            })
        })
        .collect()
}
