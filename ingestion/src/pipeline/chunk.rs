//! Stage `chunk`: documents to blocks to chunks, each document with its own outcome.

mod spoken;

use std::collections::HashMap;
use std::time::Instant;

use domain::chunk::Chunk;
use domain::document::{Document, DocumentKind, Notes, Warning};
use domain::ingestion::{Failure, Stage, failure};
use domain::transcript::Edited;
use serde_json::{Map, Value, json};
use store::queue::{Completion, JobError};
use store::sql::document::Document as Row;
use store::{blob, sql};

use super::Request;
use super::reuse::{Earlier, chapters};
use super::run::{CHECKPOINT_CHUNKS, CHECKPOINT_SECONDS, Outcomes, Run};
use crate::parse::markdown::Files;
use crate::parse::{self, Format};
use crate::sandbox::Input;

/// Documents parsed by one child process before their chunks are written.
const AT_ONCE: usize = 16;

struct Included(HashMap<String, String>);

impl Files for Included {
    fn read(&self, path: &str) -> Option<String> {
        self.0.get(path).cloned()
    }
}

/// A parsed document on its way into rows.
struct Parsed {
    row: Row,
    outcome: Result<Read, Failure>,
}

/// What a document gave.
pub(super) struct Read {
    pub(super) title: String,
    pub(super) warnings: Vec<Warning>,
    pub(super) notes: Notes,
    pub(super) facts: Map<String, Value>,
    pub(super) chunks: Vec<Chunk>,
}

impl Run<'_> {
    pub(super) async fn chunk(&self) -> Outcomes<Completion> {
        if let Ok(request) = serde_json::from_value::<Request>(self.ingestion.request.clone()) {
            request.uploads.iter().for_each(|path| super::fetch::remove_upload(path));
        }
        let (_, outline) = self.outline().await?;
        let chapters = chapters(&outline);
        let earlier = self.earlier().await?;
        let documents = self.documents().await?;
        let total = i64::try_from(documents.len()).unwrap_or(i64::MAX);
        let waiting: Vec<Row> = documents.iter().filter(|document| document.state == "fetched").cloned().collect();
        let mut done = total - i64::try_from(waiting.len()).unwrap_or(0);
        if waiting.iter().any(|row| hostile(row) && earlier.of(row, &chapters).is_none()) {
            let (institution, id) = (self.ingestion.institution_id, self.ingestion.id);
            if let Some(reduced) = self.reduced().await {
                self.parts
                    .store
                    .write(move |tx| {
                        Box::pin(async move { sql::ingestion::add_warnings(tx, institution, id, &[reduced]).await })
                    })
                    .await?;
            }
        }
        let mut batch = Batch { since: Instant::now(), parsed: Vec::new(), chunks: 0 };
        for group in waiting.chunks(AT_ONCE) {
            for parsed in self.parse(group, &chapters, &earlier).await? {
                self.check_stopping()?;
                batch.chunks += parsed.outcome.as_ref().map_or(0, |read| read.chunks.len());
                batch.parsed.push(parsed);
                done += 1;
                if batch.chunks >= CHECKPOINT_CHUNKS || batch.since.elapsed().as_secs_f64() >= CHECKPOINT_SECONDS {
                    self.write(&mut batch, done, total).await?;
                }
            }
        }
        self.write(&mut batch, total, total).await?;
        let documents = self.documents().await?;
        if documents.iter().all(|document| document.state == "failed") {
            let only = documents.into_iter().next().and_then(|document| document.error);
            let first = only.or_else(|| outline.failures.into_iter().next().map(|(_, failure)| failure));
            return Err(first
                .unwrap_or_else(|| Failure::new(failure::EMPTY, "the source has no document that could be read"))
                .into());
        }
        let outcome = if documents.iter().any(|document| document.state == "failed") { "partial" } else { "succeeded" };
        Ok(self.next(Stage::Publish, outcome, json!({})))
    }

    /// Parses a group of documents: the hostile formats in one child, the others here; equal ones are taken over.
    async fn parse(
        &self,
        group: &[Row],
        chapters: &HashMap<String, String>,
        earlier: &Earlier,
    ) -> Outcomes<Vec<Parsed>> {
        let mut taken: HashMap<usize, Read> = HashMap::new();
        let mut plain: HashMap<usize, Result<Document, Failure>> = HashMap::new();
        let mut facts: HashMap<usize, Map<String, Value>> = HashMap::new();
        let mut inputs = Vec::new();
        let mut places = Vec::new();
        for (index, row) in group.iter().enumerate() {
            // A transcript may have been corrected since.
            let spoken = format(row) == Some(Format::Captions);
            if !spoken && let Some(old) = earlier.of(row, chapters) {
                taken.insert(index, self.take_over(old).await?);
                continue;
            }
            let bytes =
                match blob::fetch(&self.parts.store, self.parts.blobs.as_ref(), row.institution_id, &row.blob_sha256)
                    .await
                {
                    Ok(bytes) => bytes,
                    Err(error) => return Err(JobError::from(error).into()),
                };
            match format(row) {
                Some(format) if format.hostile() => {
                    inputs.push(Input { format, path: row.path.clone(), bytes: bytes.to_vec() });
                    places.push(index);
                }
                Some(Format::Captions) => {
                    let edited = self.edited(&row.path).await?;
                    let row = row.clone();
                    let read = crate::source::blocking(move || spoken::read(&row, &bytes, edited.as_ref()));
                    let read = read.await.map(|(document, found)| {
                        facts.insert(index, found);
                        document
                    });
                    plain.insert(index, read);
                }
                Some(format) => {
                    let included = self.included(row).await?;
                    let path = row.path.clone();
                    let parsed = crate::source::blocking(move || match format {
                        Format::Markdown if parse::code::language(&path).is_some() => {
                            parse::code::parse(&path, &parse::text(&path, &bytes)?)
                        }
                        Format::Markdown => parse::markdown::parse(&path, &parse::text(&path, &bytes)?, &included),
                        other => parse::document(other, &path, &bytes),
                    });
                    plain.insert(index, parsed.await);
                }
                None => {
                    let message = format!("\"{}\" is not a format that we read", row.path);
                    plain.insert(index, Err(Failure::new(failure::UNSUPPORTED_FORMAT, message)));
                }
            }
        }
        for (index, outcome) in places.into_iter().zip(self.parts.sandbox.parse(inputs).await) {
            plain.insert(index, outcome);
        }
        let mut parsed = Vec::with_capacity(group.len());
        for (index, row) in group.iter().enumerate() {
            if let Some(read) = taken.remove(&index) {
                parsed.push(Parsed { row: row.clone(), outcome: Ok(read) });
                continue;
            }
            let outcome = plain
                .remove(&index)
                .unwrap_or_else(|| Err(Failure::new(failure::INTERNAL, "the parser gave no answer")));
            let prefix: Vec<String> = chapters.get(&row.path).cloned().into_iter().collect();
            let kind = row.kind;
            let cut = crate::source::blocking(move || {
                let mut document = outcome?;
                document.kind = kind;
                let chunks = crate::chunk::chunks(&document, &prefix);
                Ok((document, chunks))
            });
            let outcome = cut.await.map(|(document, chunks)| {
                let warnings = warnings(&document, &chunks);
                let facts = facts.remove(&index).unwrap_or_default();
                Read { title: document.title, warnings, notes: document.notes, facts, chunks }
            });
            parsed.push(Parsed { row: row.clone(), outcome });
        }
        Ok(parsed)
    }

    /// The corrections of a transcript of this source.
    pub(super) async fn edited(&self, path: &str) -> Outcomes<Option<Edited>> {
        let (institution, source, path) = (self.ingestion.institution_id, self.ingestion.source_id, path.to_owned());
        let found = self
            .parts
            .store
            .read(|tx| Box::pin(async move { sql::transcript::get(tx, institution, source, &path).await }));
        Ok(found.await?)
    }

    /// The files that a document includes, as the fetch kept them.
    async fn included(&self, row: &Row) -> Outcomes<Included> {
        let mut files = HashMap::new();
        for (path, sha256) in row.extra.get("includes").and_then(|files| files.as_object()).into_iter().flatten() {
            let Some(sha256) = sha256.as_str() else { continue };
            // One that was collected meanwhile is an include without a file, which is counted.
            if let Ok(bytes) =
                blob::fetch(&self.parts.store, self.parts.blobs.as_ref(), row.institution_id, sha256).await
                && let Ok(text) = parse::text(path, &bytes)
            {
                files.insert(path.clone(), text);
            }
        }
        Ok(Included(files))
    }

    /// Commits what was parsed. A document is written whole, so that its chunks are numbered without
    /// gaps wherever a kill falls; writing even a long one takes far less than a checkpoint may cost.
    async fn write(&self, batch: &mut Batch, done: i64, total: i64) -> Outcomes<()> {
        let run = &self.ingestion;
        let (institution, course, source, version, id) =
            (run.institution_id, run.course_id, run.source_id, self.version()?, run.id);
        let parsed = std::mem::take(&mut batch.parsed);
        self.lease
            .checkpoint(move |tx| {
                Box::pin(async move {
                    let mut all = Vec::new();
                    for Parsed { row, outcome } in parsed {
                        match outcome {
                            Ok(Read { title, warnings, notes, facts, chunks }) => {
                                let first = sql::chunk::count(tx, institution, version).await?;
                                let inserted = sql::chunk::insert_many(
                                    tx,
                                    institution,
                                    course,
                                    source,
                                    version,
                                    row.id,
                                    first,
                                    &chunks,
                                );
                                inserted.await?;
                                sql::document::set_chunked(tx, institution, row.id, &title, &warnings).await?;
                                sql::document::set_facts(tx, &row, &notes, facts).await?;
                                all.extend(warnings);
                            }
                            Err(failure) => sql::document::set_failed(tx, institution, row.id, &failure).await?,
                        }
                    }
                    sql::ingestion::add_warnings(tx, institution, id, &all).await?;
                    sql::ingestion::progress(tx, institution, id, Stage::Chunk, done, total).await
                })
            })
            .await?;
        (batch.since, batch.chunks) = (Instant::now(), 0);
        Ok(())
    }
}

struct Batch {
    since: Instant,
    parsed: Vec<Parsed>,
    chunks: usize,
}

fn format(row: &Row) -> Option<Format> {
    match row.kind {
        DocumentKind::Markdown => Some(Format::Markdown),
        DocumentKind::Html | DocumentKind::Scorm => Some(Format::Html),
        DocumentKind::Pdf => Some(Format::Pdf),
        DocumentKind::Transcript | DocumentKind::Video => Some(Format::Captions),
        DocumentKind::Docx => Some(Format::Docx),
        DocumentKind::Pptx => Some(Format::Pptx),
        DocumentKind::Notebook => Some(Format::Notebook),
        DocumentKind::Csv => Some(Format::Csv),
    }
}

fn hostile(row: &Row) -> bool {
    format(row).is_some_and(Format::hostile)
}

/// The document's own warnings, and one for instruction-like text in it.
fn warnings(document: &Document, chunks: &[Chunk]) -> Vec<Warning> {
    let mut warnings = document.warnings.clone();
    let flagged: Vec<&Chunk> = chunks.iter().filter(|chunk| chunk.flagged).collect();
    if let Some(first) = flagged.first() {
        let noun = if flagged.len() == 1 { "passage reads" } else { "passages read" };
        let message =
            format!("{} {noun} like an instruction to a model; it is shown as text and has no effect", flagged.len());
        let place = Some(format!("{}, {}", document.path, first.locator));
        warnings.push(Warning { code: "INSTRUCTION_LIKE_TEXT".into(), message, place });
    }
    warnings
}
