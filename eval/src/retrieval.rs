//! Ranks of the right section: ours, plain BM25 and plain vectors over the same passages.

use std::collections::BTreeMap;
use std::time::Instant;

use domain::ChunkId;
use serde::Serialize;
use store::sql::{chunk, search};
use store::vector::VectorIndex as _;

use crate::dataset::{Gold, Question};
use crate::run::{Ports, Progress};
use crate::stats::ndcg;
use crate::{Error, Result};

/// How deep a list is read.
const DEPTH: usize = 10;

/// The methods that are compared, ours first.
pub const METHODS: [&str; 3] = ["ours", "bm25", "vectors"];

/// One question's outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// Its id.
    pub id: String,
    /// What was asked.
    pub question: String,
    /// Where the answer stands.
    pub gold: Vec<String>,
    /// By method: ranks at which a gold section first appears.
    pub ranks: BTreeMap<String, Vec<usize>>,
    /// Our first hits.
    pub found: Vec<String>,
    /// Milliseconds of our search.
    pub milliseconds: f64,
    /// Sections that answer it.
    pub golds: usize,
}

impl Sample {
    /// The rank of the first right passage.
    #[must_use]
    pub fn first(&self, method: &str) -> Option<usize> {
        self.ranks.get(method).and_then(|ranks| ranks.first()).copied()
    }

    /// The value of a metric for one method.
    #[must_use]
    pub fn metric(&self, method: &str, metric: &str) -> f64 {
        let first = self.first(method);
        let within = |k: usize| f64::from(u8::from(first.is_some_and(|rank| rank <= k)));
        match metric {
            "recall@1" => within(1),
            "recall@5" => within(5),
            "recall@10" => within(10),
            "mrr" => first.map_or(0.0, |rank| 1.0 / rank as f64),
            _ => ndcg(self.ranks.get(method).map_or(&[], Vec::as_slice), self.golds),
        }
    }
}

/// Metrics of a method.
pub const METRICS: [&str; 5] = ["recall@1", "recall@5", "recall@10", "mrr", "ndcg@10"];

/// Asks every answerable question by every method.
pub(crate) async fn measure(ports: &Ports, questions: &[&Question], progress: Progress<'_>) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    for (done, question) in questions.iter().enumerate() {
        progress("retrieval", done, questions.len());
        let begun = Instant::now();
        let found = ports.assistant.retrieve(&ports.scope, &question.question, DEPTH).await?;
        let milliseconds = begun.elapsed().as_secs_f64() * 1000.0;
        let mut ranks = BTreeMap::new();
        let ours: Vec<(String, Vec<String>)> =
            found.passages.iter().map(|p| (p.chunk.source_path.clone(), p.chunk.chunk.heading_path.clone())).collect();
        ranks.insert("ours".to_owned(), ranks_of(&question.gold, &ours));
        ranks.insert(
            "bm25".to_owned(),
            ranks_of(&question.gold, &places(ports, keyword(ports, &question.question).await?).await?),
        );
        let nearest = match found.query() {
            Some((model, query)) => {
                let hits = ports.scan.search(&ports.scope, model, query, DEPTH).await?;
                places(ports, hits.into_iter().map(|hit| hit.chunk_id).collect()).await?
            }
            None => Vec::new(),
        };
        ranks.insert("vectors".to_owned(), ranks_of(&question.gold, &nearest));
        samples.push(Sample {
            id: question.id.clone(),
            question: question.question.clone(),
            gold: question.gold.iter().map(|gold| format!("{} > {}", gold.source_path, gold.heading)).collect(),
            golds: question.gold.len(),
            ranks,
            found: ours
                .into_iter()
                .take(5)
                .map(|(path, headings)| format!("{path} > {}", headings.join(" > ")))
                .collect(),
            milliseconds,
        });
    }
    if samples.is_empty() {
        Err(Error::Damaged { what: "dataset".into(), reason: "it has no answerable question".into() })
    } else {
        Ok(samples)
    }
}

/// Ranks, from 1, at which a gold section appears for the first time.
fn ranks_of(gold: &[Gold], found: &[(String, Vec<String>)]) -> Vec<usize> {
    let mut open: Vec<&Gold> = gold.iter().collect();
    let mut ranks = Vec::new();
    for (rank, (path, headings)) in (1..).zip(found) {
        let before = open.len();
        open.retain(|gold| !gold.holds(path, headings));
        if open.len() < before {
            ranks.push(rank);
        }
    }
    ranks
}

async fn keyword(ports: &Ports, question: &str) -> Result<Vec<ChunkId>> {
    let (scope, question) = (ports.scope, question.to_owned());
    let found =
        ports.store.read(|tx| Box::pin(async move { search::keyword(tx, &scope, &question, DEPTH).await })).await?;
    Ok(found.hits.into_iter().map(|hit| hit.chunk_id).collect())
}

async fn places(ports: &Ports, ids: Vec<ChunkId>) -> Result<Vec<(String, Vec<String>)>> {
    let scope = ports.scope;
    let chunks = ports.store.read(|tx| Box::pin(async move { chunk::by_ids(tx, &scope, &ids).await })).await?;
    Ok(chunks.into_iter().map(|c| (c.source_path, c.chunk.heading_path)).collect())
}
