//! Stage `embed`: vectors of the chunks that have none, with those of their sentences and headings.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::document::Warning;
use domain::ingestion::Stage;
use domain::wire::{Class, MAX_EMBED_TEXTS};
use llm_gateway::{Caller, GatewayError};
use serde_json::json;
use store::queue::{Completion, JobError};
use store::sql;
use store::sql::chunk::StoredChunk;
use store::sql::embedding::NewEmbedding;

use super::run::{CHECKPOINT_CHUNKS, Outcomes, Run};

/// Longest call to the model.
const DEADLINE: Duration = Duration::from_secs(120);
/// A call should take about this long: half of what a checkpoint may cost, so that a slow one still fits.
const AIM_SECONDS: f64 = 2.5;
/// Chunks of the first call, before the speed is known.
const FIRST: usize = 4;

/// The warning of a school without an embedding model.
pub(super) fn unavailable() -> Warning {
    let message = "no embedding model is available, so search is by keyword only; fetch one with \"lyceum model pull\" and ingest again";
    Warning { code: "EMBEDDING_UNAVAILABLE".into(), message: message.into(), place: None }
}

impl Run<'_> {
    pub(super) async fn embed(&self) -> Outcomes<Completion> {
        let superseded = self.job.payload.get("superseded").cloned().unwrap_or_default();
        let Some(model) = self.parts.gateway.embedding_model() else {
            let (institution, id) = (self.ingestion.institution_id, self.ingestion.id);
            self.parts
                .store
                .write(move |tx| {
                    Box::pin(async move { sql::ingestion::add_warnings(tx, institution, id, &[unavailable()]).await })
                })
                .await?;
            return Ok(self.next(Stage::Index, "skipped", json!({ "superseded": superseded })));
        };
        let (institution, version) = (self.ingestion.institution_id, self.version()?);
        let (id, name) = (self.ingestion.id, model.clone());
        // No checkpoint: only vectors are progress that starts the count of tries again.
        let total = self
            .parts
            .store
            .write(move |tx| {
                Box::pin(async move {
                    sql::embedding::copy_known(tx, institution, version, &name).await?;
                    let total = sql::chunk::count(tx, institution, version).await?;
                    let done = sql::embedding::count(tx, institution, version, &name).await?;
                    sql::ingestion::progress(tx, institution, id, Stage::Embed, done, total).await?;
                    Ok(total)
                })
            })
            .await?;
        let mut size = FIRST;
        // Made and not yet written: the model is at work on the next ones while these are.
        let mut made: Vec<NewEmbedding> = Vec::new();
        loop {
            if let Err(stop) = self.check_stopping() {
                self.keep_vectors(&model, made, total).await?;
                return Err(stop);
            }
            let (name, limit) = (model.clone(), i64::try_from(size + made.len()).unwrap_or(1));
            let mut batch = self
                .parts
                .store
                .read(|tx| {
                    Box::pin(async move { sql::chunk::without_vector(tx, institution, version, &name, limit).await })
                })
                .await?;
            batch.retain(|stored| made.iter().all(|new| new.chunk_id != stored.id));
            if batch.is_empty() {
                break;
            }
            let began = Instant::now();
            let keeping = self.keep_vectors(&model, std::mem::take(&mut made), total);
            let (kept, vectors) = tokio::join!(keeping, self.vectors(&model, &batch));
            kept?;
            made = vectors?;
            #[expect(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a small positive count"
            )]
            let fitting = (batch.len() as f64 * AIM_SECONDS / began.elapsed().as_secs_f64().max(0.01)) as usize;
            size = fitting.clamp(1, CHECKPOINT_CHUNKS).min(size * 2);
        }
        self.keep_vectors(&model, made, total).await?;
        Ok(self.next(Stage::Index, "succeeded", json!({ "superseded": superseded, "model": model })))
    }

    /// Vectors of chunks and of their parts; a text that occurs twice is embedded once.
    async fn vectors(&self, model: &str, batch: &[StoredChunk]) -> Outcomes<Vec<NewEmbedding>> {
        let mut texts: Vec<String> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut number = |text: String| {
            *known.entry(text).or_insert_with_key(|text| {
                texts.push(text.clone());
                texts.len() - 1
            })
        };
        let wanted: Vec<(usize, Vec<usize>)> = batch
            .iter()
            .map(|stored| {
                (
                    number(stored.chunk.indexed_text()),
                    stored.chunk.embedded_parts().into_iter().map(&mut number).collect(),
                )
            })
            .collect();
        let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(texts.len());
        let caller = Caller {
            institution: Some(self.ingestion.institution_id),
            course: Some(self.ingestion.course_id),
            feature: "index",
            ..Caller::default()
        };
        let gateway = self.parts.gateway.by(caller);
        for some in texts.chunks(MAX_EMBED_TEXTS.min(512)) {
            vectors.extend(gateway.embed(Class::Embed, model, some.to_vec(), DEADLINE).await.map_err(trouble)?);
        }
        let vector = |index: &usize| {
            vectors.get(*index).cloned().ok_or_else(|| JobError::retryable("the model gave too few vectors"))
        };
        batch
            .iter()
            .zip(&wanted)
            .map(|(stored, (whole, parts))| {
                Ok(NewEmbedding {
                    chunk_id: stored.id,
                    content_hash: stored.content_hash.clone(),
                    vector: vector(whole)?,
                    sentences: parts.iter().map(vector).collect::<Result<_, _>>()?,
                })
            })
            .collect()
    }

    /// Writes vectors where there are some, then tells the index.
    async fn keep_vectors(&self, model: &str, vectors: Vec<NewEmbedding>, total: i64) -> Outcomes<()> {
        if vectors.is_empty() {
            return Ok(());
        }
        let mirrored: Vec<_> = vectors.iter().map(|new| (new.chunk_id, new.vector.clone())).collect();
        self.write_vectors(model, vectors, total).await?;
        self.mirror(model, &mirrored).await;
        Ok(())
    }

    async fn write_vectors(&self, model: &str, vectors: Vec<NewEmbedding>, total: i64) -> Outcomes<()> {
        let run = &self.ingestion;
        let (institution, course, id, version, model) =
            (run.institution_id, run.course_id, run.id, self.version()?, model.to_owned());
        let written = self.lease.checkpoint(move |tx| {
            Box::pin(async move {
                sql::embedding::insert_many(tx, institution, course, version, &model, &vectors).await?;
                sql::ingestion::add_embedded(tx, institution, id, i64::try_from(vectors.len()).unwrap_or(0)).await?;
                let done = sql::embedding::count(tx, institution, version, &model).await?;
                sql::ingestion::progress(tx, institution, id, Stage::Embed, done, total).await
            })
        });
        Ok(written.await?)
    }

    /// Fills a networked index as rows are made; what it misses now, the next stage reconciles.
    async fn mirror(&self, model: &str, vectors: &[(domain::ChunkId, Vec<f32>)]) {
        let run = &self.ingestion;
        let Some(version) = run.version_id else { return };
        if let Err(error) = self.parts.index.upsert(run.institution_id, run.course_id, version, model, vectors).await {
            tracing::warn!(%error, ingestion.id = %run.id, "the vector index did not take vectors; they are reconciled later");
        }
    }
}

fn trouble(error: GatewayError) -> JobError {
    match error {
        GatewayError::Overloaded { retry_after } => JobError::overload(error.to_string(), Some(retry_after)),
        GatewayError::Invalid(_) => JobError::permanent(error.to_string()),
        _ => JobError::retryable(error.to_string()),
    }
}
