//! BM25 over the passages of one course in memory, with the numbers of the store's keyword search.
//!
//! Calibration asks hundreds of questions of one course; going to the database for each would
//! take minutes. Live questions never come here.

use std::collections::HashMap;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// An inverted index of passages by their position.
pub(crate) struct Bm25 {
    lengths: Vec<f64>,
    average: f64,
    postings: HashMap<String, Vec<(usize, f64)>>,
}

/// What a question finds.
pub(crate) struct Found {
    /// Score of each passage that holds at least one term, best first.
    pub hits: Vec<(usize, f64)>,
    /// Distinct terms of the question: term, idf, whether the course has it.
    pub query: Vec<(String, f64, bool)>,
}

impl Bm25 {
    pub(crate) fn new<'a>(passages: impl IntoIterator<Item = &'a str>) -> Self {
        let mut postings: HashMap<String, Vec<(usize, f64)>> = HashMap::new();
        let mut lengths = Vec::new();
        for (position, text) in passages.into_iter().enumerate() {
            let terms = domain::text::terms(text);
            lengths.push(terms.len() as f64);
            let mut counts: HashMap<String, f64> = HashMap::new();
            for term in terms {
                *counts.entry(term).or_default() += 1.0;
            }
            for (term, count) in counts {
                postings.entry(term).or_default().push((position, count));
            }
        }
        let average = lengths.iter().sum::<f64>() / (lengths.len().max(1) as f64);
        Self { lengths, average: average.max(1.0), postings }
    }

    fn idf(&self, holders: usize) -> f64 {
        let (n, df) = (self.lengths.len() as f64, holders as f64);
        (1.0 + (n - df + 0.5) / (df + 0.5)).ln()
    }

    /// Passages by score, best first; ties by position.
    pub(crate) fn search(&self, question: &str) -> Found {
        let mut distinct: Vec<String> = domain::text::terms(question);
        distinct.sort_unstable();
        distinct.dedup();
        let mut scores: HashMap<usize, f64> = HashMap::new();
        let mut query = Vec::new();
        for term in distinct {
            let holders = self.postings.get(&term).map_or(&[][..], Vec::as_slice);
            let idf = self.idf(holders.len());
            for (position, count) in holders {
                let length = self.lengths.get(*position).copied().unwrap_or_default();
                let weight = idf * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / self.average));
                *scores.entry(*position).or_default() += weight;
            }
            query.push((term, idf, !holders.is_empty()));
        }
        let mut hits: Vec<(usize, f64)> = scores.into_iter().collect();
        hits.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Found { hits, query }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rarer_word_decides_and_unseen_words_are_named() {
        let index = Bm25::new(["a loop repeats work", "a slice borrows work", "work and rest"]);
        let found = index.search("which slice does work in zebras");
        assert_eq!(found.hits.first().map(|hit| hit.0), Some(1));
        assert!(found.query.iter().any(|(term, _, seen)| term.starts_with("zebra") && !seen));
    }
}
