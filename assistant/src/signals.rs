//! What tells whether a question is about this course: eight numbers, measured on one retrieval.
//!
//! They say whether the course speaks of the subject, not whether the first passage is right.

use serde::{Deserialize, Serialize};

use crate::rank::{Candidate, Ranked};

/// The measured signals. Without a model the cosines are 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signals {
    /// Highest cosine of a passage.
    pub cosine: f64,
    /// Mean of the five highest.
    pub cosine_five: f64,
    /// Highest cosine of a sentence among the first ten.
    pub sentence: f64,
    /// Share of the question's weight that the first passage holds.
    pub coverage: f64,
    /// The best such share among the first five.
    pub coverage_best: f64,
    /// Highest BM25 over the question's weight.
    pub keyword: f64,
    /// Share of the question's weight in words that the course does not have.
    pub unseen: f64,
    /// Share of the ten nearest that are also among the ten best by keyword.
    pub overlap: f64,
}

impl Signals {
    /// Measures them.
    #[must_use]
    pub fn of(candidates: &[Candidate], ranked: &[Ranked], query: &[(String, f64, bool)]) -> Self {
        let total: f64 = query.iter().map(|(_, idf, _)| idf).sum();
        let share = |part: f64| if total > 0.0 { part / total } else { 0.0 };
        let mut cosines: Vec<(f64, usize)> =
            candidates.iter().filter_map(|c| c.cosine.map(|cosine| (cosine, c.key))).collect();
        cosines.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut keywords: Vec<(f64, usize)> =
            candidates.iter().filter(|c| c.keyword > 0.0).map(|c| (c.keyword, c.key)).collect();
        keywords.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let first_keywords: Vec<usize> = keywords.iter().take(10).map(|(_, key)| *key).collect();
        let both = cosines.iter().take(10).filter(|(_, key)| first_keywords.contains(key)).count();
        let five = cosines.len().clamp(1, 5) as f64;
        Self {
            cosine: cosines.first().map_or(0.0, |(cosine, _)| *cosine),
            cosine_five: cosines.iter().take(5).map(|(cosine, _)| cosine).sum::<f64>() / five,
            sentence: ranked.iter().take(10).filter_map(|r| r.candidate.sentence).fold(0.0, f64::max),
            coverage: ranked.first().map_or(0.0, |r| r.candidate.coverage),
            coverage_best: ranked.iter().take(5).map(|r| r.candidate.coverage).fold(0.0, f64::max),
            keyword: share(keywords.first().map_or(0.0, |(score, _)| *score)),
            unseen: share(query.iter().filter(|(.., seen)| !seen).map(|(_, idf, _)| idf).sum()),
            overlap: both as f64 / 10.0,
        }
    }

    /// The numbers for the fit; with keywords alone those that need no model.
    #[must_use]
    pub fn row(&self, with_model: bool) -> Vec<f64> {
        if with_model {
            vec![
                self.cosine,
                self.cosine_five,
                self.sentence,
                self.coverage,
                self.coverage_best,
                self.keyword,
                self.unseen,
                self.overlap,
            ]
        } else {
            vec![self.coverage, self.coverage_best, self.keyword, self.unseen]
        }
    }
}
