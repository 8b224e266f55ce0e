//! Calibration of the scope gate: the course's own headings against questions of other subjects.
//!
//! Needs no labels and takes seconds: words are searched in memory, and the vectors of the
//! negatives are kept for each model.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use domain::tutor::Outcome;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use store::Scope;
use store::sql::chunk::{self, StoredChunk};
use store::sql::{gate as gates, source};
use store::vector::CourseVectors;

use crate::bm25::Bm25;
use crate::gate::{Calibration, Rule, VERSION};
use crate::logistic::Logistic;
use crate::rank::{Candidate, rank};
use crate::retrieve::{PROPOSED, covered, dot, in_document_order, sections, unit};
use crate::signals::Signals;
use crate::{Assistant, Result};

/// Questions and headings of other subjects, written for this purpose.
const NEGATIVES: &str = include_str!("../data/negatives.jsonl");
/// Fewer headings than this teach nothing.
const FEWEST: usize = 12;
/// More headings than this only cost time.
const MOST: usize = 300;
/// Share of the course's own questions that is kept.
const KEEP: f64 = 0.95;
/// Share that is answered; between the two lies `closest`.
const ANSWER: f64 = 0.80;
/// Parts that the samples are cut into; each is judged by a fit on the others.
const FOLDS: usize = 10;
const RIDGE: f64 = 1.0;

#[derive(Deserialize)]
struct Negative {
    text: String,
}

fn negatives() -> Vec<String> {
    NEGATIVES.lines().filter_map(|line| serde_json::from_str::<Negative>(line).ok()).map(|n| n.text).collect()
}

impl Assistant {
    /// The gate of the scope's course under `model` (empty: keywords alone), made when missing or stale.
    ///
    /// # Errors
    /// The rows cannot be read. A calibration that cannot be stored is used all the same.
    pub async fn gate(&self, scope: &Scope, model: &str) -> Result<Arc<Calibration>> {
        let fingerprint = self.fingerprint(scope, model).await?;
        let key = (scope.institution, scope.course, model.to_owned());
        let known =
            |gates: &super::Gates| gates.get(&key).filter(|(f, _)| *f == fingerprint).map(|(_, c)| Arc::clone(c));
        if let Some(calibration) = known(&*self.gates.lock().await) {
            return Ok(calibration);
        }
        // One calibration at a time: it uses the processor and the model for seconds.
        let mut gates = self.gates.lock().await;
        if let Some(calibration) = known(&gates) {
            return Ok(calibration);
        }
        let (institution, course, name) = (scope.institution, scope.course, model.to_owned());
        let stored =
            self.store.read(|tx| Box::pin(async move { gates::get(tx, institution, course, &name).await })).await?;
        let stored = stored
            .filter(|gate| gate.fingerprint == fingerprint)
            .and_then(|gate| serde_json::from_value::<Calibration>(gate.calibration).ok())
            .filter(|calibration| calibration.version == VERSION);
        let calibration = match stored {
            Some(calibration) => calibration,
            None => self.fit(scope, model, &fingerprint).await?,
        };
        let calibration = Arc::new(calibration);
        gates.insert(key, (fingerprint, Arc::clone(&calibration)));
        Ok(calibration)
    }

    /// Calibrates the gate of the scope's course for the model that answers now, and for keywords alone.
    ///
    /// # Errors
    /// As for [`Assistant::gate`].
    pub async fn calibrate(&self, scope: &Scope) -> Result<Arc<Calibration>> {
        let keywords = self.gate(scope, "").await?;
        match self.models.embedding_model() {
            Some(model) => self.gate(scope, &model).await,
            None => Ok(keywords),
        }
    }

    /// What a calibration was made on: the current versions and how many of their passages have vectors.
    async fn fingerprint(&self, scope: &Scope, model: &str) -> Result<String> {
        let (institution, course) = (scope.institution, scope.course);
        let sources =
            self.store.read(|tx| Box::pin(async move { source::list(tx, institution, course).await })).await?;
        let mut hash = Sha256::new();
        hash.update(VERSION);
        for id in sources.iter().filter_map(|source| source.current_version_id) {
            hash.update(id.to_string());
        }
        if !model.is_empty() {
            // While a new version is being embedded the gate of the part that is there is used.
            let embedded = self.scan.course_vectors(&whole(scope), model).await?.len();
            hash.update(format!("{model} {embedded}"));
        }
        Ok(hex::encode(hash.finalize()))
    }

    async fn fit(&self, scope: &Scope, model: &str, fingerprint: &str) -> Result<Calibration> {
        let scope = whole(scope);
        let mut chunks = self.store.read(|tx| Box::pin(async move { chunk::in_course(tx, &scope).await })).await?;
        in_document_order(&mut chunks);
        let (positives, negatives) = (headings(&chunks), negatives());
        if positives.len() < FEWEST {
            return Ok(Calibration::fixed(model));
        }
        let mut queries = Vec::new();
        let mut vectors = None;
        if !model.is_empty() {
            let embedded = async {
                let mut all = self.models.embed_many(model, &positives).await?;
                all.extend(self.negative_vectors(model, &negatives).await?.iter().cloned());
                Ok::<_, llm_gateway::GatewayError>(all)
            };
            match embedded.await {
                Ok(all) => queries = all,
                Err(error) => {
                    // Not stored: the next question tries again.
                    tracing::warn!(%error, "the scope gate could not be calibrated; fixed thresholds are used");
                    return Ok(Calibration::fixed(model));
                }
            }
            vectors = Some(self.scan.course_vectors(&scope, model).await?);
        }
        let name = model.to_owned();
        let fitted = tokio::task::spawn_blocking(move || {
            fit(&name, &chunks, &positives, &negatives, &queries, vectors.as_deref())
        });
        let calibration =
            fitted.await.map_err(|error| store::Error::Unavailable(format!("calibration stopped: {error}")))?;
        let (institution, course, name) = (scope.institution, scope.course, model.to_owned());
        let (mark, value) = (fingerprint.to_owned(), serde_json::to_value(&calibration).unwrap_or_default());
        let stored = self
            .store
            .write(move |tx| Box::pin(async move { gates::put(tx, institution, course, &name, &mark, &value).await }));
        if let Err(error) = stored.await {
            tracing::warn!(%error, "the scope gate could not be stored");
        }
        Ok(calibration)
    }

    async fn negative_vectors(
        &self,
        model: &str,
        negatives: &[String],
    ) -> Result<Arc<Vec<Vec<f32>>>, llm_gateway::GatewayError> {
        let mut kept = self.negatives.lock().await;
        if let Some(vectors) = kept.get(model) {
            return Ok(Arc::clone(vectors));
        }
        let vectors = Arc::new(self.models.embed_many(model, negatives).await?);
        kept.insert(model.to_owned(), Arc::clone(&vectors));
        Ok(vectors)
    }
}

/// The gate is the course's, the same for everybody who asks.
fn whole(scope: &Scope) -> Scope {
    Scope { hidden: true, ..*scope }
}

/// Headings of the course that say something, each once, evenly picked when there are many.
fn headings(chunks: &[StoredChunk]) -> Vec<String> {
    let mut seen = HashSet::new();
    let all: Vec<String> = chunks
        .iter()
        .filter_map(|c| c.chunk.heading_path.last())
        .filter(|heading| !domain::text::terms(heading).is_empty() && seen.insert(heading.to_lowercase()))
        .cloned()
        .collect();
    let step = all.len().div_ceil(MOST).max(1);
    all.into_iter().step_by(step).collect()
}

fn fit(
    model: &str,
    chunks: &[StoredChunk],
    positives: &[String],
    negatives: &[String],
    queries: &[Vec<f32>],
    vectors: Option<&CourseVectors>,
) -> Calibration {
    let index = Bm25::new(chunks.iter().map(|c| c.chunk.text.as_str()));
    let sections = sections(chunks);
    let position: BTreeMap<_, _> =
        vectors.map(|v| v.ids().iter().copied().zip(0_usize..).collect()).unwrap_or_default();
    let rows: Vec<(Vec<f64>, bool)> = positives
        .iter()
        .map(|text| (text, true))
        .chain(negatives.iter().map(|text| (text, false)))
        .enumerate()
        .map(|(i, (text, label))| {
            let query = queries.get(i).map(|query| unit(query));
            let signals = measure(&index, text, query.as_deref(), chunks, &sections, vectors.zip(Some(&position)));
            (signals.row(!model.is_empty()), label)
        })
        .collect();
    let judged = held_out(&rows);
    let mut own: Vec<f64> = judged.iter().zip(&rows).filter(|(_, (_, label))| *label).map(|(p, _)| *p).collect();
    let others: Vec<f64> = judged.iter().zip(&rows).filter(|(_, (_, label))| !*label).map(|(p, _)| *p).collect();
    own.sort_by(f64::total_cmp);
    let declined_below = quantile(&own, 1.0 - KEEP);
    let share = |n: usize, all: usize| n as f64 / all.max(1) as f64;
    Calibration {
        rule: Rule::Fitted { model: Logistic::fit(&rows, RIDGE) },
        declined_below,
        answered_from: quantile(&own, 1.0 - ANSWER).max(declined_below),
        positives: own.len(),
        negatives: others.len(),
        kept: share(own.iter().filter(|p| **p >= declined_below).count(), own.len()),
        declined: share(others.iter().filter(|p| **p < declined_below).count(), others.len()),
        ..Calibration::fixed(model)
    }
}

/// The signals of one question against the course in memory.
fn measure(
    index: &Bm25,
    text: &str,
    query: Option<&[f32]>,
    chunks: &[StoredChunk],
    sections: &[usize],
    vectors: Option<(&CourseVectors, &BTreeMap<domain::ChunkId, usize>)>,
) -> Signals {
    let found = index.search(text);
    let mut keys: BTreeMap<usize, (f64, f64)> = found
        .hits
        .iter()
        .take(PROPOSED)
        .map(|(key, score, matched)| (*key, (*score, covered(matched, &found.query))))
        .collect();
    let place =
        |key: usize| vectors.zip(chunks.get(key)).and_then(|((v, positions), c)| Some((v, *positions.get(&c.id)?)));
    let mut cosines: Vec<(f64, usize)> = (0..chunks.len())
        .filter_map(|key| place(key).zip(query).map(|((v, at), query)| (f64::from(dot(v.vector(at), query)), key)))
        .collect();
    cosines.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    for (_, key) in cosines.iter().take(PROPOSED) {
        keys.entry(*key).or_default();
    }
    let by_key: BTreeMap<usize, f64> = cosines.into_iter().map(|(cosine, key)| (key, cosine)).collect();
    let candidates: Vec<Candidate> = keys
        .into_iter()
        .map(|(key, (keyword, coverage))| Candidate {
            key,
            section: sections.get(key).copied().unwrap_or(key),
            keyword,
            coverage,
            cosine: by_key.get(&key).copied(),
            sentence: place(key)
                .zip(query)
                .and_then(|((v, at), query)| v.sentences(at).map(|s| f64::from(dot(s, query))).reduce(f64::max)),
        })
        .collect();
    Signals::of(&candidates, &rank(&candidates), &found.query)
}

/// The probability of each row by a fit that has not seen it.
fn held_out(rows: &[(Vec<f64>, bool)]) -> Vec<f64> {
    let models: Vec<Logistic> = (0..FOLDS)
        .map(|fold| {
            let others: Vec<_> =
                rows.iter().enumerate().filter(|(i, _)| i % FOLDS != fold).map(|(_, row)| row.clone()).collect();
            Logistic::fit(&others, RIDGE)
        })
        .collect();
    rows.iter()
        .enumerate()
        .map(|(i, (row, _))| models.get(i % FOLDS).map_or(0.5, |model| model.probability(row)))
        .collect()
}

/// The value below which `share` of the sorted values lie.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * sorted.len() as f64).floor() as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.5)
}

/// Whether a judgement keeps a question.
#[must_use]
pub fn kept(outcome: Outcome) -> bool {
    outcome != Outcome::Declined
}
