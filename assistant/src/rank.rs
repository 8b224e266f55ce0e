//! The order of passages for a question: fused keyword and vector scores, one passage a section,
//! the first ten weighed again by their best sentence.
//!
//! Pure arithmetic on candidates that are already in document order; live questions, calibration
//! and the evaluation all rank through here.

/// Share of the vector score in the fusion.
const DENSE: f64 = 0.7;
/// Share of the best sentence in the final order of the first [`RERANKED`].
const SENTENCE: f64 = 0.2;
/// How many passages are weighed again.
pub const RERANKED: usize = 10;

/// A passage that keywords or vectors found. Candidates come in order of path and place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The caller's name for it.
    pub key: usize,
    /// Passages of one section share this.
    pub section: usize,
    /// Share of the question's weight that its matched words carry.
    pub coverage: f64,
    /// BM25; 0 when no word matched.
    pub keyword: f64,
    /// Cosine of the passage, when a model measured it.
    pub cosine: Option<f64>,
    /// Highest cosine of one of its sentences.
    pub sentence: Option<f64>,
}

/// A ranked passage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The candidate.
    pub candidate: Candidate,
    /// What it was ordered by, 0 to 1.
    pub score: f64,
}

/// Best first, one passage a section, ties in document order.
#[must_use]
pub fn rank(candidates: &[Candidate]) -> Vec<Ranked> {
    let keyword = Scale::of(candidates.iter().map(|c| c.keyword).chain([0.0]));
    let dense = Scale::of(candidates.iter().filter_map(|c| c.cosine));
    let measured = candidates.iter().any(|c| c.cosine.is_some());
    let mut ranked: Vec<(usize, Ranked)> = candidates
        .iter()
        .enumerate()
        .map(|(order, candidate)| {
            let words = keyword.place(candidate.keyword);
            let score = if measured {
                DENSE * candidate.cosine.map_or(0.0, |c| dense.place(c)) + (1.0 - DENSE) * words
            } else {
                words
            };
            (order, Ranked { candidate: *candidate, score })
        })
        .collect();
    sort(&mut ranked);
    let mut sections = std::collections::HashSet::new();
    ranked.retain(|(_, r)| sections.insert(r.candidate.section));

    if measured {
        let best = Scale::of(ranked.iter().take(RERANKED).filter_map(|(_, r)| r.candidate.sentence));
        for (_, r) in ranked.iter_mut().take(RERANKED) {
            let sentence = r.candidate.sentence.map_or(0.0, |s| best.place(s));
            r.score = (1.0 - SENTENCE) * r.score + SENTENCE * sentence;
        }
        let tail = ranked.split_off(ranked.len().min(RERANKED));
        sort(&mut ranked);
        ranked.extend(tail);
    }
    ranked.into_iter().map(|(_, ranked)| ranked).collect()
}

fn sort(ranked: &mut [(usize, Ranked)]) {
    ranked.sort_by(|(a, left), (b, right)| right.score.total_cmp(&left.score).then(a.cmp(b)));
}

/// Min-max scale of what was found for one question.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        Self { low, high }
    }

    fn place(&self, value: f64) -> f64 {
        let span = self.high - self.low;
        if span > 1e-12 { (value - self.low) / span } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(key: usize, section: usize, keyword: f64, cosine: Option<f64>) -> Candidate {
        Candidate { key, section, coverage: 0.0, keyword, cosine, sentence: cosine }
    }

    #[test]
    fn one_passage_a_section_and_ties_in_document_order() {
        let ranked = rank(&[
            candidate(0, 0, 2.0, None),
            candidate(1, 1, 2.0, None),
            candidate(2, 1, 3.0, None),
            candidate(3, 2, 2.0, None),
        ]);
        assert_eq!(ranked.iter().map(|r| r.candidate.key).collect::<Vec<_>>(), [2, 0, 3]);
    }

    #[test]
    fn vectors_weigh_more_than_words() {
        let ranked = rank(&[candidate(0, 0, 5.0, Some(0.1)), candidate(1, 1, 0.0, Some(0.6))]);
        assert_eq!(ranked.first().map(|r| r.candidate.key), Some(1));
    }
}
