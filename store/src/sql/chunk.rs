//! Chunks: the passages of a source version, with their index terms.
//!
//! Searches see chunks of published versions only; the pipeline reads those of the version it builds.

use std::collections::HashMap;

use domain::chunk::{Chunk, Sentence};
use domain::ingestion::SourceKind;
use domain::{ChunkId, CourseId, DocumentId, InstitutionId, LessonId, Locator, LocatorKind, SourceId, VersionId, text};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bulk;
use crate::Scope;
use crate::db::{Row, Tx, Value, args};
use crate::error::{Error, Result};

/// A chunk as it is kept, with what a citation needs.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredChunk {
    /// Identity.
    pub id: ChunkId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// Source version.
    pub version_id: VersionId,
    /// Document.
    pub document_id: DocumentId,
    /// Number within the version, from 0, in reading order.
    pub position: i64,
    /// The passage.
    pub chunk: Chunk,
    /// What [`content_hash`] says of it.
    pub content_hash: String,
    /// Path of the document within its source.
    pub source_path: String,
    /// Commit of a git source.
    pub commit: Option<String>,
    /// Address of a git source that was read from one.
    pub origin: Option<String>,
    /// The lesson that shows the document, a visible one first.
    pub lesson_id: Option<LessonId>,
    /// Name of that lesson.
    pub lesson_title: Option<String>,
}

impl StoredChunk {
    /// Where the site of the repository shows a place of this document at its commit.
    #[must_use]
    pub fn address(&self, place: Locator) -> Option<String> {
        domain::permalink::permalink(self.origin.as_deref()?, self.commit.as_deref()?, &self.source_path, place)
    }
}

/// Sentences as rows keep them: times stay milliseconds, where the wire has seconds.
#[derive(Serialize, Deserialize)]
struct Span(usize, usize, i64, i64);

/// Chunks `c` that a scope sees: `$1` institution, `$2` course, `$3` sees hidden lessons.
///
/// A document of hidden lessons alone is hidden; one that no lesson shows, or also a visible one, is not.
pub(super) const VISIBLE: &str = "c.institution_id = $1 AND c.course_id = $2
  AND c.version_id IN (SELECT s.current_version_id FROM sources s WHERE s.institution_id = $1 AND s.course_id = $2)
  AND ($3 OR c.document_id NOT IN (
    SELECT h.document_id FROM lessons h
    WHERE h.institution_id = $1 AND h.course_id = $2 AND h.document_id IS NOT NULL
    GROUP BY h.document_id HAVING MIN(CASE WHEN h.hidden THEN 1 ELSE 0 END) = 1))";

/// All of [`StoredChunk`]; `$1` is the institution and `$3` whether hidden lessons are named.
const SELECT: &str =
    "SELECT c.id, c.institution_id, c.course_id, c.version_id, c.document_id, c.position, c.locator_kind,
    c.locator_start, c.locator_end, c.content_hash, c.flagged, c.heading_path, c.text, c.sentences,
    d.path AS source_path, v.commit_id, o.kind AS source_kind, o.origin, l.id AS lesson_id, l.title AS lesson_title
  FROM chunks c
  JOIN documents d ON d.id = c.document_id
  JOIN source_versions v ON v.id = c.version_id
  JOIN sources o ON o.id = v.source_id
  LEFT JOIN lessons l ON l.id = (
    SELECT x.id FROM lessons x
    WHERE x.document_id = c.document_id AND x.institution_id = $1 AND ($3 OR NOT x.hidden)
    ORDER BY x.hidden, x.position, x.id LIMIT 1)";

/// Most ids of one statement.
const IDS: usize = 500;

/// The hash by which equal passages share vectors: sha256 of the indexed text and the bounds of its sentences.
#[must_use]
pub fn content_hash(chunk: &Chunk) -> String {
    let mut hash = Sha256::new();
    hash.update(chunk.indexed_text());
    for sentence in &chunk.sentences {
        hash.update(format!("\0{}-{}", sentence.start, sentence.end));
    }
    hex::encode(hash.finalize())
}

/// Writes chunks of a document; `first_position` is the number of the first within the version.
///
/// A chunk that is there already stays as it is, so that a repeated step writes nothing twice.
///
/// # Errors
/// The version, document or course is not there.
#[expect(clippy::too_many_arguments, reason = "a row's owners, each of its own type")]
pub async fn insert_many(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    source: SourceId,
    version: VersionId,
    document: DocumentId,
    first_position: i64,
    chunks: &[Chunk],
) -> Result<()> {
    let owned = tx
        .row(
            "SELECT d.id FROM documents d JOIN source_versions v ON v.id = d.version_id JOIN sources s ON s.id = v.source_id
             WHERE d.id = $1 AND d.version_id = $2 AND s.id = $3 AND d.course_id = $4 AND s.course_id = $4
               AND d.institution_id = $5 AND s.institution_id = $5",
            args![document, version, source, course, institution],
        )
        .await?;
    if owned.is_none() {
        return Err(domain::Error::not_found("document", document).into());
    }
    let mut rows = Vec::with_capacity(chunks.len());
    for (position, chunk) in (first_position..).zip(chunks) {
        let terms = text::terms(&chunk.indexed_text());
        let spans: Vec<Span> = chunk
            .sentences
            .iter()
            .map(|sentence| Span(sentence.start, sentence.end, sentence.locator.start, sentence.locator.end))
            .collect();
        rows.push(args![
            ChunkId::derived(source, version, position),
            institution,
            course,
            version,
            document,
            position,
            chunk.locator.kind.as_str(),
            chunk.locator.start,
            chunk.locator.end,
            content_hash(chunk),
            chunk.flagged,
            i64::try_from(terms.len()).unwrap_or(i64::MAX),
            terms.join(" "),
            crate::db::json(&chunk.heading_path)?,
            &chunk.text,
            crate::db::json(&spans)?,
        ]);
    }
    bulk::insert(
        tx,
        "INSERT INTO chunks (id, institution_id, course_id, version_id, document_id, position, locator_kind, locator_start,
           locator_end, content_hash, flagged, term_count, terms, heading_path, text, sentences)",
        16,
        rows,
        "ON CONFLICT (id) DO NOTHING",
    )
    .await?;
    Ok(())
}

/// The chunks of these ids that the scope sees, in the order of the ids.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn by_ids(tx: &mut Tx, scope: &Scope, ids: &[ChunkId]) -> Result<Vec<StoredChunk>> {
    let mut found = HashMap::with_capacity(ids.len());
    for some in ids.chunks(IDS) {
        let sql = format!("{SELECT} WHERE {VISIBLE} AND c.id IN ({})", bulk::places(4, some.len()));
        let mut binds = args![scope.institution, scope.course, scope.hidden];
        binds.extend(some.iter().map(|id| Value::from(*id)));
        for row in tx.rows(&sql, binds).await? {
            let chunk = stored(&row)?;
            found.insert(chunk.id, chunk);
        }
    }
    Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
}

/// Where a chunk stands among the others of its course: what orders equal scores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path of the document within its source.
    pub path: String,
    /// Start of the chunk's locator.
    pub start: i64,
    /// Number within the version.
    pub position: i64,
}

/// Which of these ids the scope sees, and where they stand.
///
/// # Errors
/// The database refuses.
pub async fn visible(tx: &mut Tx, scope: &Scope, ids: &[ChunkId]) -> Result<HashMap<ChunkId, Place>> {
    let mut seen = HashMap::with_capacity(ids.len());
    for some in ids.chunks(IDS) {
        let sql = format!(
            "SELECT c.id, c.locator_start, c.position, d.path FROM chunks c JOIN documents d ON d.id = c.document_id
             WHERE {VISIBLE} AND c.id IN ({})",
            bulk::places(4, some.len())
        );
        let mut binds = args![scope.institution, scope.course, scope.hidden];
        binds.extend(some.iter().map(|id| Value::from(*id)));
        for row in tx.rows(&sql, binds).await? {
            let place =
                Place { path: row.text("path")?, start: row.int("locator_start")?, position: row.int("position")? };
            seen.insert(row.id("id")?, place);
        }
    }
    Ok(seen)
}

/// Every chunk that the scope sees, by path and place.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn in_course(tx: &mut Tx, scope: &Scope) -> Result<Vec<StoredChunk>> {
    let rows =
        tx.rows(&format!("{SELECT} WHERE {VISIBLE}"), args![scope.institution, scope.course, scope.hidden]).await?;
    let mut chunks = rows.iter().map(stored).collect::<Result<Vec<_>>>()?;
    // Here and not in the query: databases order text by their own collations.
    chunks.sort_by(|a, b| {
        (&a.source_path, a.chunk.locator.start, a.position, a.id).cmp(&(
            &b.source_path,
            b.chunk.locator.start,
            b.position,
            b.id,
        ))
    });
    Ok(chunks)
}

/// The chunks of a document, built or published, in reading order.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn of_document(tx: &mut Tx, institution: InstitutionId, document: DocumentId) -> Result<Vec<StoredChunk>> {
    let sql = format!("{SELECT} WHERE c.institution_id = $1 AND c.document_id = $2 AND $3 ORDER BY c.position");
    tx.rows(&sql, args![institution, document, true]).await?.iter().map(stored).collect()
}

/// Up to `limit` chunks of a version, built or published, that have no vector of `model`, in reading order.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn without_vector(
    tx: &mut Tx,
    institution: InstitutionId,
    version: VersionId,
    model: &str,
    limit: i64,
) -> Result<Vec<StoredChunk>> {
    let sql = format!(
        "{SELECT} WHERE c.institution_id = $1 AND c.version_id = $2
           AND NOT EXISTS (SELECT 1 FROM embeddings e WHERE e.chunk_id = c.id AND e.model = $4)
         ORDER BY c.position LIMIT $5"
    );
    tx.rows(&sql, args![institution, version, true, model, limit]).await?.iter().map(stored).collect()
}

/// How many chunks a version has.
///
/// # Errors
/// The database refuses.
pub async fn count(tx: &mut Tx, institution: InstitutionId, version: VersionId) -> Result<i64> {
    tx.row(
        "SELECT COUNT(*) AS n FROM chunks WHERE institution_id = $1 AND version_id = $2",
        args![institution, version],
    )
    .await?
    .map_or(Ok(0), |row| row.int("n"))
}

fn stored(row: &Row) -> Result<StoredChunk> {
    let kind = row.text("locator_kind")?;
    let kind = LocatorKind::parse(&kind)
        .ok_or_else(|| Error::Damaged { column: "locator_kind".into(), reason: format!("\"{kind}\" is no kind") })?;
    let spans: Vec<Span> = row.json("sentences")?;
    Ok(StoredChunk {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        course_id: row.id("course_id")?,
        version_id: row.id("version_id")?,
        document_id: row.id("document_id")?,
        position: row.int("position")?,
        chunk: Chunk {
            heading_path: row.json("heading_path")?,
            text: row.text("text")?,
            locator: Locator::new(kind, row.int("locator_start")?, row.int("locator_end")?),
            sentences: spans
                .into_iter()
                .map(|Span(start, end, from, to)| Sentence { start, end, locator: Locator::new(kind, from, to) })
                .collect(),
            flagged: row.flag("flagged")?,
        },
        content_hash: row.text("content_hash")?,
        source_path: row.text("source_path")?,
        commit: row.text_opt("commit_id")?,
        origin: (row.text("source_kind")? == SourceKind::Git.as_str())
            .then(|| row.text("origin"))
            .transpose()?
            .filter(|origin| origin.starts_with("https://")),
        lesson_id: row.id_opt("lesson_id")?,
        lesson_title: row.text_opt("lesson_title")?,
    })
}
