//! What of I7 needs more than SQL: derived ids, hashes and terms of chunks, numbers of vectors, and what the log promised.

use domain::chunk::{Chunk, Sentence};
use domain::{ChunkId, InstitutionId, Locator, LocatorKind, SourceId, VersionId, text};

use super::Finding;
use crate::db::{Row, Tx};
use crate::error::Result;
use crate::sql::{chunk, verify};

const PAGE: i64 = 500;

pub(super) async fn check(tx: &mut Tx, institution: Option<InstitutionId>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let mut after = String::new();
    loop {
        let rows = verify::chunks(tx, institution, &after, PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = last.text("id")?;
        for row in &rows {
            if let Some(message) = broken_chunk(row)? {
                findings.push(Finding::new("I7", format!("chunk {}", row.text("id")?), message));
            }
        }
    }
    let mut place = (String::new(), String::new());
    loop {
        let rows = verify::vectors(tx, institution, (&place.0, &place.1), PAGE).await?;
        let Some(last) = rows.last() else { break };
        place = (last.text("chunk_id")?, last.text("model")?);
        for row in &rows {
            if let Some(message) = broken_vector(row)? {
                findings.push(Finding::new("I7", format!("vector of chunk {}", row.text("chunk_id")?), message));
            }
        }
    }
    for version in verify::ready_versions(tx, institution).await? {
        let id = version.id.to_string();
        let told = version.told.iter().find(|payload| payload.get("versionId").and_then(|v| v.as_str()) == Some(&id));
        match told.and_then(|payload| payload.get("chunks")).and_then(serde_json::Value::as_i64) {
            Some(chunks) if chunks == version.chunks => {}
            Some(chunks) => {
                let message = format!("has {} chunks, and had {chunks} when it became ready", version.chunks);
                findings.push(Finding::new("I7", format!("version {id}"), message));
            }
            None => findings.push(Finding::new("I1", format!("version {id}"), "is ready without its event")),
        }
    }
    Ok(findings)
}

fn broken_chunk(row: &Row) -> Result<Option<String>> {
    let (source, version): (SourceId, VersionId) = (row.id("source_id")?, row.id("version_id")?);
    let position = row.int("position")?;
    if row.id::<ChunkId>("id")? != ChunkId::derived(source, version, position) {
        return Ok(Some(format!("does not have the id of position {position} of its version")));
    }
    let heading_path = serde_json::from_str::<Vec<String>>(&row.text("heading_path")?);
    let spans = serde_json::from_str::<Vec<(usize, usize, i64, i64)>>(&row.text("sentences")?);
    let (Ok(heading_path), Ok(spans)) = (heading_path, spans) else {
        return Ok(Some("has a damaged heading path or damaged sentences".into()));
    };
    let locator = Locator { kind: LocatorKind::Lines, start: 0, end: 0 };
    let chunk = Chunk {
        heading_path,
        text: row.text("text")?,
        locator,
        sentences: spans.into_iter().map(|(start, end, ..)| Sentence { start, end, locator }).collect(),
        flagged: false,
    };
    if chunk.sentences.iter().any(|span| chunk.text.get(span.start..span.end).is_none()) {
        return Ok(Some("has a sentence outside its text".into()));
    }
    if chunk::content_hash(&chunk) != row.text("content_hash")? {
        return Ok(Some("does not have the text that it was hashed with".into()));
    }
    let terms = text::terms(&chunk.indexed_text());
    if usize::try_from(row.int("term_count")?).ok() != Some(terms.len()) || row.text("terms")? != terms.join(" ") {
        return Ok(Some("has other index terms than its text".into()));
    }
    Ok(None)
}

fn broken_vector(row: &Row) -> Result<Option<String>> {
    let vector = row.blob("vector")?;
    let bytes = usize::try_from(row.int("dimension")?).unwrap_or_default() * 4;
    let sentences = row.blob("sentences")?;
    let spans = serde_json::from_str::<Vec<serde_json::Value>>(&row.text("spans")?).map_or(0, |spans| spans.len());
    // One for each sentence and one for the heading path, as `Chunk::embedded_parts` lists them.
    if sentences.len() != bytes * (spans + 1) {
        return Ok(Some(format!("has {} bytes of vectors for {spans} sentences and a heading", sentences.len())));
    }
    let (numbers, _) = vector.as_chunks::<4>();
    let numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
    let (mut finite, mut zero) = (true, true);
    for number in numbers {
        finite &= number.is_finite();
        zero &= number == 0.0;
    }
    if !finite || zero {
        return Ok(Some("is not a usable vector: all zero, or not finite".into()));
    }
    Ok(None)
}
