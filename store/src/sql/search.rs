//! Keyword search: each database finds the candidates, the score is one BM25 computed here.
//!
//! PostgreSQL's own rank knows no document frequency and SQLite's counts other tenants' rows, so
//! neither is used: both databases rank alike, to the last bit.

use domain::{ChunkId, text};

use super::chunk::VISIBLE;
use crate::Scope;
use crate::db::{Tx, args};
use crate::error::{Error, Result};

/// Saturation of a repeated term (Robertson and Zaragoza, 2009).
const K1: f64 = 1.2;
/// How much a long passage is discounted.
const B: f64 = 0.75;
/// Most different terms of a question that are looked up.
const MOST_TERMS: usize = 64;

/// A passage found by its words.
#[derive(Debug, Clone, PartialEq)]
pub struct KeywordHit {
    /// Which.
    pub chunk_id: ChunkId,
    /// BM25.
    pub score: f64,
    /// The question's terms that it holds.
    pub matched: Vec<String>,
}

/// What a keyword search found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Keywords {
    /// Best first; equal scores by path, then place.
    pub hits: Vec<KeywordHit>,
    /// Passages that the scope sees.
    pub documents: i64,
    /// The question's terms, each with its inverse document frequency and whether the scope has it.
    /// A term that the scope lacks has the greatest frequency that there can be.
    pub query: Vec<(String, f64, bool)>,
}

struct Candidate {
    id: ChunkId,
    path: String,
    start: i64,
    position: i64,
    length: i64,
    terms: String,
}

/// The passages of the scope that share a term with the question, ranked by BM25.
///
/// # Errors
/// The database refuses.
pub async fn keyword(tx: &mut Tx, scope: &Scope, question: &str, limit: usize) -> Result<Keywords> {
    let mut terms: Vec<String> = Vec::new();
    for term in text::terms(question) {
        if terms.len() < MOST_TERMS && !terms.contains(&term) {
            terms.push(term);
        }
    }
    let binds = || args![scope.institution, scope.course, scope.hidden];
    let totals = tx
        .row(
            &format!(
                "SELECT COUNT(*) AS n, CAST(COALESCE(SUM(c.term_count), 0) AS BIGINT) AS length FROM chunks c WHERE {VISIBLE}"
            ),
            binds(),
        )
        .await?;
    let (documents, length) =
        totals.map(|row| -> Result<_> { Ok((row.int("n")?, row.int("length")?)) }).transpose()?.unwrap_or_default();
    if terms.is_empty() {
        return Ok(Keywords { documents, ..Keywords::default() });
    }
    let (matches, words) = if tx.sqlite() {
        let any: Vec<String> = terms.iter().map(|term| format!("\"{}\"", term.replace('"', "\"\""))).collect();
        (
            "c.seq IN (SELECT rowid FROM chunk_terms WHERE chunk_terms MATCH $4)",
            format!("course : \"c{}\" AND terms : ({})", scope.course.0.simple(), any.join(" OR ")),
        )
    } else {
        ("string_to_array(c.terms, ' ') && string_to_array($4, ' ')", terms.join(" "))
    };
    let sql = format!(
        "SELECT c.id, c.terms, c.term_count, c.locator_start, c.position, d.path
         FROM chunks c JOIN documents d ON d.id = c.document_id
         WHERE {VISIBLE} AND {matches}"
    );
    let mut all = binds();
    all.push(words.into());
    let mut candidates = Vec::new();
    for row in tx.rows(&sql, all).await? {
        candidates.push(Candidate {
            id: row.id("id")?,
            path: row.text("path")?,
            start: row.int("locator_start")?,
            position: row.int("position")?,
            length: row.int("term_count")?,
            terms: row.text("terms")?,
        });
    }
    tokio::task::spawn_blocking(move || rank(terms, candidates, documents, length, limit))
        .await
        .map_err(|error| Error::Unavailable(format!("ranking stopped: {error}")))
}

/// BM25 of every candidate. All passages that hold any term are candidates, so counting them is exact.
fn rank(terms: Vec<String>, candidates: Vec<Candidate>, documents: i64, length: i64, limit: usize) -> Keywords {
    let mut counts: Vec<u32> = vec![0; candidates.len() * terms.len()];
    let mut holders = vec![0_u32; terms.len()];
    for (candidate, counts) in candidates.iter().zip(counts.chunks_mut(terms.len())) {
        for word in candidate.terms.split(' ') {
            for (term, count) in terms.iter().zip(counts.iter_mut()) {
                *count += u32::from(term == word);
            }
        }
        for (holders, count) in holders.iter_mut().zip(counts.iter()) {
            *holders += u32::from(*count > 0);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of passages and terms fit 53 bits")]
    let (total, length) = (documents as f64, length as f64);
    let average = if total > 0.0 { (length / total).max(1.0) } else { 1.0 };
    let weights: Vec<f64> = holders
        .iter()
        .map(|holders| {
            let holders = f64::from(*holders);
            (1.0 + (total - holders + 0.5) / (holders + 0.5)).ln()
        })
        .collect();
    let mut scored: Vec<(f64, usize)> = candidates
        .iter()
        .zip(counts.chunks(terms.len()))
        .map(|(candidate, counts)| {
            #[expect(clippy::cast_precision_loss, reason = "terms of a passage fit 53 bits")]
            let norm = K1 * (1.0 - B + B * candidate.length as f64 / average);
            counts
                .iter()
                .zip(&weights)
                .map(|(count, weight)| {
                    let count = f64::from(*count);
                    weight * count * (K1 + 1.0) / (count + norm)
                })
                .sum()
        })
        .zip(0..)
        .filter(|(score, _)| *score > 0.0)
        .collect();
    let place = |index: usize| candidates.get(index).map(|c| (&c.path, c.start, c.position, c.id));
    scored.sort_by(|(a, left), (b, right)| b.total_cmp(a).then_with(|| place(*left).cmp(&place(*right))));
    scored.truncate(limit);
    let hits = scored
        .into_iter()
        .filter_map(|(score, index)| {
            let counts = counts.chunks(terms.len()).nth(index)?;
            let matched =
                terms.iter().zip(counts).filter(|(_, count)| **count > 0).map(|(term, _)| term.clone()).collect();
            Some(KeywordHit { chunk_id: candidates.get(index)?.id, score, matched })
        })
        .collect();
    let query = terms
        .into_iter()
        .zip(weights)
        .zip(holders)
        .map(|((term, weight), holders)| (term, weight, holders > 0))
        .collect();
    Keywords { hits, documents, query }
}
