//! Documents that the published version has already: same path, bytes, includes, chapter and parsers, so
//! that their passages are taken over and nothing is parsed again.

use std::collections::HashMap;

use domain::document::Notes;
use serde_json::{Value, json};
use store::sql;
use store::sql::document::Document as Row;

use super::chunk::{Read, chapters};
use super::run::{Outcomes, Run};
use crate::source::{Outline, PARSERS};

/// The name under which a document says which parsers read it.
pub(super) const READ_BY: &str = "parsers";

/// What is known of the published version.
#[derive(Default)]
pub(super) struct Known {
    documents: HashMap<String, Row>,
    chapters: HashMap<String, String>,
}

impl Known {
    /// The published document that a fetched one equals.
    pub(super) fn of(&self, row: &Row, chapter: Option<&String>) -> Option<&Row> {
        let known = self.documents.get(&row.path)?;
        let included = |row: &Row| row.extra.get("includes").cloned().unwrap_or_default();
        let parsers = |row: &Row| row.extra.get(READ_BY).and_then(Value::as_u64);
        let same = known.blob_sha256 == row.blob_sha256
            && known.kind == row.kind
            && included(known) == included(row)
            && parsers(known) == Some(u64::from(PARSERS))
            && self.chapters.get(&row.path) == chapter;
        same.then_some(known)
    }
}

impl Run<'_> {
    /// The documents that the published version of this source has read.
    pub(super) async fn published(&self) -> Outcomes<Known> {
        let (institution, source) = (self.ingestion.institution_id, self.ingestion.source_id);
        let found = self
            .parts
            .store
            .read(|tx| {
                Box::pin(async move {
                    let Some(current) = sql::version::current(tx, institution, source).await? else { return Ok(None) };
                    let documents = sql::document::list(tx, institution, current.id).await?;
                    Ok(Some((current.outline, documents)))
                })
            })
            .await?;
        let Some((outline, documents)) = found else { return Ok(Known::default()) };
        // An outline of another release is no reason to fail: then everything is parsed.
        let Ok(outline) = serde_json::from_value::<Outline>(outline) else { return Ok(Known::default()) };
        let read = documents.into_iter().filter(|document| document.state == "chunked");
        let documents = read.map(|document| (document.path.clone(), document)).collect();
        Ok(Known { documents, chapters: chapters(&outline) })
    }

    /// What the pipeline once made of a document.
    pub(super) async fn taken_over(&self, known: &Row) -> Outcomes<Read> {
        let (institution, id) = (known.institution_id, known.id);
        let chunks = self
            .parts
            .store
            .read(|tx| Box::pin(async move { sql::chunk::of_document(tx, institution, id).await }))
            .await?;
        let notes = known.extra.get("notes").cloned().unwrap_or_else(|| json!({}));
        let notes: Notes = serde_json::from_value(notes).unwrap_or_default();
        Ok(Read { title: known.title.clone(), warnings: known.warnings.clone(), notes, chunks })
    }
}
