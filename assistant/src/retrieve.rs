//! Finding passages for a question: keywords and vectors within a scope, fused and reranked.
//!
//! Works with keywords alone while no embedding model answers, says so, and tries the model again
//! on the next question.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use domain::{ChunkId, text};
use serde::Serialize;
use store::Scope;
use store::sql::chunk::{self, StoredChunk};
use store::sql::search::{self, Keywords};
use store::vector::{CourseVectors, VectorIndex as _};

use crate::extract::{Passage, is_prose};
use crate::rank::{Candidate, Likeness, rank};
use crate::signals::{self, Signals};
use crate::{Assistant, Error, Result};

/// Passages that keywords and vectors each propose.
pub(crate) const PROPOSED: usize = 100;
/// Longest question, in characters.
const MOST_QUESTION: usize = 4_000;

/// Why a question was answered by keywords alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Degraded {
    /// No embedding model is there.
    NoModel,
    /// The embedding model did not answer.
    ModelFailed,
    /// The vectors of the course could not be read.
    IndexFailed,
    /// The course has no vectors of this model yet.
    NotEmbedded,
}

/// What was found for a question.
#[derive(Debug, Clone)]
pub struct Retrieval {
    /// Passages, best first, one a section.
    pub passages: Vec<Passage>,
    /// What the gate decides by.
    pub signals: Signals,
    /// The question's terms, their weight, and whether the course has them.
    pub terms: Vec<(String, f64, bool)>,
    /// The embedding model that took part.
    pub model: Option<String>,
    /// Set when none did.
    pub degraded: Option<Degraded>,
    pub(crate) dense: Option<Dense>,
}

/// One row of a search, as interfaces show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchResult {
    /// From 1.
    pub rank: usize,
    /// 0 to 1, comparable within one search only.
    pub score: f64,
    /// The passage without its heading path.
    pub text: String,
    /// Path within the source.
    pub source_path: String,
    /// Chapter, section, subsection.
    pub heading_path: Vec<String>,
    /// Place of the passage.
    pub locator: domain::Locator,
    /// The passage's id.
    pub chunk_id: String,
    /// The lesson that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lesson_id: Option<String>,
    /// Commit of a git source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Where the site of its repository shows the passage at that commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// The vectors of a course as seen from one question.
#[derive(Debug, Clone)]
pub(crate) struct Dense {
    model: String,
    vectors: Arc<CourseVectors>,
    position: Arc<HashMap<ChunkId, usize>>,
    query: Vec<f32>,
}

impl Retrieval {
    /// The model and the question's vector, when one took part.
    #[must_use]
    pub fn query(&self) -> Option<(&str, &[f32])> {
        self.dense.as_ref().map(|dense| (dense.model.as_str(), dense.query.as_slice()))
    }
}

impl Dense {
    pub(crate) fn new(model: String, vectors: Arc<CourseVectors>, query: &[f32]) -> Self {
        let position = Arc::new(vectors.ids().iter().copied().zip(0..).collect());
        Self { model, vectors, position, query: unit(query) }
    }

    /// The same course from another question.
    pub(crate) fn asked(&self, query: &[f32]) -> Self {
        Self { query: unit(query), ..self.clone() }
    }

    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// Cosine of each sentence of a passage with any vector.
    pub(crate) fn sentence_cosines(&self, chunk: &StoredChunk, vector: &[f32]) -> Vec<f32> {
        let Some(index) = self.position.get(&chunk.id) else { return Vec::new() };
        let vector = unit(vector);
        // After the sentences comes the heading path.
        self.vectors.sentences(*index).take(chunk.chunk.sentences.len()).map(|s| dot(s, &vector)).collect()
    }

    /// How a passage compares with the question, and the cosines of its prose sentences.
    pub(crate) fn likeness(&self, chunk: &StoredChunk) -> Option<(Likeness, Vec<f64>)> {
        let index = *self.position.get(&chunk.id)?;
        let count = chunk.chunk.sentences.len();
        let mut prose = Vec::with_capacity(count);
        let mut heading = None;
        for (at, vector) in self.vectors.sentences(index).enumerate() {
            match chunk.chunk.sentences.get(at) {
                Some(sentence) if is_prose(chunk.chunk.sentence_text(sentence)) => {
                    prose.push(f64::from(dot(vector, &self.query)))
                }
                Some(_) => {}
                None => heading = Some(f64::from(dot(vector, &self.query))),
            }
        }
        let passage = f64::from(dot(self.vectors.vector(index), &self.query));
        Some((Likeness { passage, sentence: prose.iter().copied().reduce(f64::max), heading }, prose))
    }

    /// Passages that hold the sentences nearest to the question.
    fn by_sentence(&self, limit: usize) -> Vec<ChunkId> {
        let mut best: Vec<(f32, usize)> = (0..self.vectors.len())
            .filter_map(|index| {
                self.vectors
                    .sentences(index)
                    .map(|s| dot(s, &self.query))
                    .reduce(f32::max)
                    .map(|cosine| (cosine, index))
            })
            .collect();
        best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        best.iter().take(limit).filter_map(|(_, index)| self.vectors.ids().get(*index).copied()).collect()
    }
}

/// The same direction with length 1.
pub(crate) fn unit(vector: &[f32]) -> Vec<f32> {
    let length = dot(vector, vector).sqrt();
    vector.iter().map(|x| if length > 0.0 { x / length } else { 0.0 }).collect()
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

impl Assistant {
    /// Finds up to `limit` passages for a question.
    ///
    /// # Errors
    /// The question is empty or far too long, or the rows cannot be read.
    pub async fn retrieve(&self, scope: &Scope, question: &str, limit: usize) -> Result<Retrieval> {
        let question = question.trim();
        if question.is_empty() {
            return Err(Error::Domain(domain::Error::invalid("question", "EMPTY", "the question is empty")));
        }
        if question.chars().count() > MOST_QUESTION {
            return Err(Error::Domain(domain::Error::invalid(
                "question",
                "TOO_LONG",
                format!("the question has more than {MOST_QUESTION} characters"),
            )));
        }
        let keywords = self.keywords(scope, question).await?;
        let (dense, nearest, degraded) = match self.dense(scope, question).await {
            Ok((dense, nearest)) => (Some(dense), nearest, None),
            Err(degraded) => (None, Vec::new(), Some(degraded)),
        };
        let mut ids: Vec<ChunkId> = keywords.hits.iter().map(|hit| hit.chunk_id).collect();
        let mut known: HashSet<ChunkId> = ids.iter().copied().collect();
        ids.extend(nearest.into_iter().filter(|id| known.insert(*id)));
        let mut chunks = self.chunks(scope, ids).await?;
        in_document_order(&mut chunks);
        let words: HashMap<ChunkId, f64> = keywords.hits.iter().map(|hit| (hit.chunk_id, hit.score)).collect();
        let weight = weight(&keywords.query);
        let outline = outline(&chunks);
        let mut sentences = Vec::new();
        let mut cosine = 0.0_f64;
        let candidates: Vec<Candidate> = chunks
            .iter()
            .zip(outline)
            .enumerate()
            .map(|(key, (chunk, (section, page)))| {
                let likeness = dense.as_ref().and_then(|dense| dense.likeness(chunk)).map(|(likeness, prose)| {
                    sentences.extend(prose);
                    cosine = cosine.max(likeness.passage);
                    likeness
                });
                Candidate {
                    key,
                    section,
                    page,
                    words: words.get(&chunk.id).copied().unwrap_or_default() / weight,
                    likeness,
                }
            })
            .collect();
        let ranked = rank(&candidates);
        let best: Vec<HashSet<String>> = ranked
            .iter()
            .take(signals::KNOWING)
            .filter_map(|r| chunks.get(r.key))
            .map(|c| text::terms(&c.chunk.indexed_text()).into_iter().collect())
            .collect();
        let signals = signals::measure(question, &keywords.query, &best, sentences, cosine, keywords.documents);
        let passages = ranked
            .into_iter()
            .take(limit)
            .filter_map(|ranked| {
                let chunk = chunks.get(ranked.key)?.clone();
                let sentences = dense.as_ref().map(|d| d.sentence_cosines(&chunk, &d.query)).unwrap_or_default();
                let next = chunks.iter().find(|c| follows(&chunk, c)).cloned().map(Box::new);
                Some(Passage { chunk, score: ranked.score, sentences, next })
            })
            .collect();
        let model = dense.as_ref().map(|dense| dense.model.clone());
        Ok(Retrieval { passages, signals, terms: keywords.query, model, degraded, dense })
    }

    /// The passages for a query, as interfaces show them.
    ///
    /// # Errors
    /// As for [`Assistant::retrieve`].
    pub async fn search(&self, scope: &Scope, query: &str, limit: usize) -> Result<Vec<SearchResult>> {
        let retrieval = self.retrieve(scope, query, limit).await?;
        Ok((1..)
            .zip(retrieval.passages)
            .map(|(rank, passage)| SearchResult {
                rank,
                score: passage.score,
                address: passage.chunk.address(passage.chunk.chunk.locator),
                text: passage.chunk.chunk.text,
                source_path: passage.chunk.source_path,
                heading_path: passage.chunk.chunk.heading_path,
                locator: passage.chunk.chunk.locator,
                chunk_id: passage.chunk.id.to_string(),
                lesson_id: passage.chunk.lesson_id.map(|id| id.to_string()),
                commit: passage.chunk.commit,
            })
            .collect())
    }

    async fn keywords(&self, scope: &Scope, question: &str) -> Result<Keywords> {
        let (scope, question) = (*scope, question.to_owned());
        Ok(self
            .store
            .read(|tx| Box::pin(async move { search::keyword(tx, &scope, &question, PROPOSED).await }))
            .await?)
    }

    pub(crate) async fn chunks(&self, scope: &Scope, ids: Vec<ChunkId>) -> Result<Vec<StoredChunk>> {
        let scope = *scope;
        Ok(self.store.read(|tx| Box::pin(async move { chunk::by_ids(tx, &scope, &ids).await })).await?)
    }

    /// Vectors and the nearest passages, or why there are none this time.
    async fn dense(&self, scope: &Scope, question: &str) -> Result<(Dense, Vec<ChunkId>), Degraded> {
        let model = self.models.embedding_model().ok_or(Degraded::NoModel)?;
        let vectors = self.scan.course_vectors(scope, &model).await.map_err(|error| {
            tracing::warn!(%error, "vectors could not be read; answering by keywords");
            Degraded::IndexFailed
        })?;
        if vectors.is_empty() {
            return Err(Degraded::NotEmbedded);
        }
        let mut query = self.models.embed(&model, vec![question.to_owned()]).await.map_err(|error| {
            tracing::warn!(%error, "the embedding model failed; answering by keywords");
            Degraded::ModelFailed
        })?;
        let query = query.pop().filter(|query| query.len() == vectors.dimension()).ok_or(Degraded::ModelFailed)?;
        let nearest = match self.index.search(scope, &model, &query, PROPOSED).await {
            Ok(hits) => hits,
            // The rows are the truth and at hand; an index that fails costs time, not the answer.
            Err(error) => {
                tracing::warn!(index = self.index.name(), %error, "the vector index failed; scanning the rows");
                self.scan.search(scope, &model, &query, PROPOSED).await.map_err(|_| Degraded::IndexFailed)?
            }
        };
        let mut nearest: Vec<ChunkId> = nearest.into_iter().map(|hit| hit.chunk_id).collect();
        let dense = Dense::new(model, vectors, &query);
        // A scan of thousands of sentences is no work for a thread that serves requests.
        let scanned = tokio::task::spawn_blocking(move || (dense.by_sentence(PROPOSED), dense)).await;
        let (by_sentence, dense) = scanned.map_err(|_| Degraded::IndexFailed)?;
        nearest.extend(by_sentence);
        Ok((dense, nearest))
    }
}

/// By path, then place.
pub(crate) fn in_document_order(chunks: &mut [StoredChunk]) {
    chunks.sort_by(|a, b| {
        let place = |c: &StoredChunk| (c.chunk.locator.start, c.position, c.id);
        a.source_path.cmp(&b.source_path).then_with(|| place(a).cmp(&place(b)))
    });
}

/// Whether a chunk is the next one of the same section.
fn follows(chunk: &StoredChunk, next: &StoredChunk) -> bool {
    next.document_id == chunk.document_id
        && next.position == chunk.position + 1
        && next.chunk.heading_path == chunk.chunk.heading_path
}

/// The weight of all of a question's words; 1 when it has none.
pub(crate) fn weight(query: &[(String, f64, bool)]) -> f64 {
    let total: f64 = query.iter().map(|(_, idf, _)| idf).sum();
    if total > 0.0 { total } else { 1.0 }
}

/// Numbers of the section (same document, same heading path) and of the document of each chunk.
pub(crate) fn outline(chunks: &[StoredChunk]) -> Vec<(usize, usize)> {
    let (mut sections, mut pages) = (HashMap::new(), HashMap::new());
    chunks
        .iter()
        .map(|c| {
            let (section, page) = (sections.len(), pages.len());
            let section = *sections.entry((c.document_id, c.chunk.heading_path.as_slice())).or_insert(section);
            (section, *pages.entry(c.document_id).or_insert(page))
        })
        .collect()
}
