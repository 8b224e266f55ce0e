//! Calibration of the scope gate: how this course answers to questions of other subjects.
//!
//! Needs no labels and takes seconds: words are searched in memory, and the vectors of the
//! negatives are kept for each model. Headings of the course were tried as positives and do not
//! follow its questions; they are not used.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use domain::tutor::Outcome;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use store::Scope;
use store::sql::chunk::{self, StoredChunk};
use store::sql::{gate as gates, source};

use crate::bm25::Bm25;
use crate::gate::{Calibration, VERSION};
use crate::rank::{Candidate, rank};
use crate::retrieve::{Dense, in_document_order, outline, weight};
use crate::signals::{self, KNOWING, Signals};
use crate::{Assistant, Result};

/// Questions and headings of other subjects, written for this purpose.
const NEGATIVES: &str = include_str!("../data/negatives.jsonl");
/// A course with fewer sentences is too small to say.
const FEWEST: usize = 50;

#[derive(Deserialize)]
struct Negative {
    text: String,
    style: String,
}

fn negatives() -> Vec<String> {
    NEGATIVES
        .lines()
        .filter_map(|line| serde_json::from_str::<Negative>(line).ok())
        .map(|negative| if negative.style == "heading" { as_question(&negative.text) } else { negative.text })
        .collect()
}

/// A heading as somebody would type it: its first letter small.
fn as_question(heading: &str) -> String {
    let mut chars = heading.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
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
        let sentences: usize = chunks.iter().map(|chunk| chunk.chunk.sentences.len()).sum();
        if sentences < FEWEST {
            return Ok(Calibration::fixed(model));
        }
        let mut dense = None;
        if !model.is_empty() {
            let queries = match self.negative_vectors(model).await {
                Ok(queries) => queries,
                Err(error) => {
                    // Not kept: the next question tries again.
                    tracing::warn!(%error, "the scope gate could not be calibrated; fixed thresholds are used");
                    return Ok(Calibration::fixed(model));
                }
            };
            let vectors = self.scan.course_vectors(&scope, model).await?;
            dense = Some((Dense::new(model.to_owned(), vectors, &[]), queries));
        }
        let name = model.to_owned();
        let calibrated = tokio::task::spawn_blocking(move || {
            let course = Course::new(chunks);
            let signals: Vec<Signals> = negatives()
                .iter()
                .enumerate()
                .map(|(i, text)| {
                    course.measure(
                        text,
                        dense
                            .as_ref()
                            .and_then(|(dense, queries)| queries.get(i).map(|query| dense.asked(query)))
                            .as_ref(),
                    )
                })
                .collect();
            Calibration::on(&name, &signals)
        });
        let calibration =
            calibrated.await.map_err(|error| store::Error::Unavailable(format!("calibration stopped: {error}")))?;
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

    async fn negative_vectors(&self, model: &str) -> Result<crate::Vectors, llm_gateway::GatewayError> {
        let mut kept = self.negatives.lock().await;
        if let Some(vectors) = kept.get(model) {
            return Ok(Arc::clone(vectors));
        }
        let vectors = Arc::new(self.models.embed_many(model, &negatives()).await?);
        kept.insert(model.to_owned(), Arc::clone(&vectors));
        Ok(vectors)
    }
}

/// The gate is the course's, the same for everybody who asks.
fn whole(scope: &Scope) -> Scope {
    Scope { hidden: true, ..*scope }
}

/// A course in memory: asked hundreds of questions in a row.
struct Course {
    chunks: Vec<StoredChunk>,
    terms: Vec<HashSet<String>>,
    outline: Vec<(usize, usize)>,
    index: Bm25,
}

impl Course {
    fn new(chunks: Vec<StoredChunk>) -> Self {
        let texts: Vec<String> = chunks.iter().map(|c| c.chunk.indexed_text()).collect();
        Self {
            index: Bm25::new(texts.iter().map(String::as_str)),
            terms: texts.iter().map(|text| domain::text::terms(text).into_iter().collect()).collect(),
            outline: outline(&chunks),
            chunks,
        }
    }

    /// The signals of one question, as a live one would have them.
    fn measure(&self, question: &str, dense: Option<&Dense>) -> Signals {
        let found = self.index.search(question);
        let weight = weight(&found.query);
        let words: HashMap<usize, f64> = found.hits.into_iter().collect();
        let (mut sentences, mut cosine) = (Vec::new(), 0.0_f64);
        let candidates: Vec<Candidate> = self
            .chunks
            .iter()
            .zip(&self.outline)
            .enumerate()
            .map(|(key, (chunk, (section, page)))| {
                let likeness = dense.and_then(|dense| dense.likeness(chunk)).map(|(likeness, prose)| {
                    sentences.extend(prose);
                    cosine = cosine.max(likeness.passage);
                    likeness
                });
                let words = words.get(&key).copied().unwrap_or_default() / weight;
                Candidate { key, section: *section, page: *page, words, likeness }
            })
            // A live question ranks what it found.
            .filter(|c| c.likeness.is_some() || c.words > 0.0)
            .collect();
        let best: Vec<HashSet<String>> =
            rank(&candidates).iter().take(KNOWING).filter_map(|r| self.terms.get(r.key)).cloned().collect();
        let documents = i64::try_from(self.chunks.len()).unwrap_or(i64::MAX);
        signals::measure(question, &found.query, &best, sentences, cosine, documents)
    }
}

/// Whether a judgement keeps a question.
#[must_use]
pub fn kept(outcome: Outcome) -> bool {
    outcome != Outcome::Declined
}
