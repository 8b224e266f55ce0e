//! What the published version made of equal documents is taken over: a retry or a refresh parses only what is new.

use std::collections::HashMap;

use domain::document::Notes;
use serde_json::{Map, Value};
use store::sql::document::Document as Row;
use store::{Tx, sql};

use super::chunk::Read;
use super::run::{Outcomes, Run};
use crate::source::{Outline, PARSED_BY, PARSERS};

/// Documents of the published version that were read by the parsers of this build, by path.
#[derive(Default)]
pub(super) struct Earlier {
    documents: HashMap<String, Row>,
    chapters: HashMap<String, String>,
}

/// The titles that stand above the headings of lessons, by path.
pub(super) fn chapters(outline: &Outline) -> HashMap<String, String> {
    let mut chapters: HashMap<String, String> = HashMap::new();
    for module in outline.modules.iter().filter(|module| module.chapter) {
        for lesson in &module.lessons {
            chapters.extend(module.title.clone().map(|title| (lesson.path.clone(), title)));
        }
    }
    chapters
}

impl Earlier {
    /// The published document that a fetched one equals.
    pub(super) fn of(&self, row: &Row, chapters: &HashMap<String, String>) -> Option<&Row> {
        let same = |old: &&Row| {
            old.kind == row.kind
                && old.blob_sha256 == row.blob_sha256
                && old.extra.get("includes") == row.extra.get("includes")
                && self.chapters.get(&row.path) == chapters.get(&row.path)
        };
        self.documents.get(&row.path).filter(same)
    }
}

impl Run<'_> {
    /// What can be taken over at all.
    pub(super) async fn earlier(&self) -> Outcomes<Earlier> {
        let (institution, source) = (self.ingestion.institution_id, self.ingestion.source_id);
        let found =
            self.parts.store.read(|tx| Box::pin(async move { published(tx, institution, source).await })).await?;
        let Some((version, documents)) = found else { return Ok(Earlier::default()) };
        let parsers = version.outline.get(PARSED_BY).and_then(Value::as_u64);
        let Ok(outline) = serde_json::from_value::<Outline>(version.outline.clone()) else {
            return Ok(Earlier::default());
        };
        if parsers != Some(u64::from(PARSERS)) {
            return Ok(Earlier::default());
        }
        let read = documents.into_iter().filter(|document| document.state == "chunked");
        Ok(Earlier {
            documents: read.map(|document| (document.path.clone(), document)).collect(),
            chapters: chapters(&outline),
        })
    }

    /// What an equal document became.
    pub(super) async fn take_over(&self, old: &Row) -> Outcomes<Read> {
        let (institution, id) = (old.institution_id, old.id);
        let stored = self
            .parts
            .store
            .read(|tx| Box::pin(async move { sql::chunk::of_document(tx, institution, id).await }))
            .await?;
        let notes: Notes =
            old.extra.get("notes").and_then(|notes| serde_json::from_value(notes.clone()).ok()).unwrap_or_default();
        Ok(Read {
            title: old.title.clone(),
            warnings: old.warnings.clone(),
            notes,
            facts: Map::new(),
            chunks: stored.into_iter().map(|stored| stored.chunk).collect(),
        })
    }
}

async fn published(
    tx: &mut Tx,
    institution: domain::InstitutionId,
    source: domain::SourceId,
) -> store::Result<Option<(sql::version::Version, Vec<Row>)>> {
    let Some(version) = sql::version::current(tx, institution, source).await? else { return Ok(None) };
    let documents = sql::document::list(tx, institution, version.id).await?;
    Ok(Some((version, documents)))
}
