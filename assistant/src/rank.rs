//! The order of passages for a question: vectors, the best sentence, words and headings summed, a
//! bonus for pages with several good passages, one passage a section.
//!
//! Pure arithmetic on candidates in document order; live questions and calibration rank through
//! here. Nothing is scaled by what else was found, so a score does not depend on the candidates.
//! The weights were chosen on three books of different fields; docs/decisions tells how.

use std::collections::{HashMap, HashSet};

/// Weight of the best sentence beside the passage.
const SENTENCE: f64 = 0.5;
/// Weight of the words.
const WORDS: f64 = 0.3;
/// Weight of the heading path.
const HEADING: f64 = 0.2;
/// Weight of the page.
const PAGE: f64 = 0.3;
/// Passages that speak for their page.
const OF_PAGE: usize = 3;
/// A passage without a sentence to compare counts as having one a little worse than itself.
const NO_SENTENCE: f64 = 0.1;
/// No sentence is worse than unrelated.
const LEAST_SENTENCE: f64 = -0.1;

/// How a passage compares with the question by vectors.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Likeness {
    /// Cosine of the passage.
    pub passage: f64,
    /// Highest cosine of one of its prose sentences.
    pub sentence: Option<f64>,
    /// Cosine of its heading path, when that has a vector.
    pub heading: Option<f64>,
}

/// A passage that keywords or vectors found. Candidates come in order of path and place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The caller's name for it.
    pub key: usize,
    /// Passages of one section share this.
    pub section: usize,
    /// Passages of one document share this.
    pub page: usize,
    /// BM25 over the weight of the question's words; 0 when none matched.
    pub words: f64,
    /// By vectors, when a model took part.
    pub likeness: Option<Likeness>,
}

/// A ranked passage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// The candidate's key.
    pub key: usize,
    /// What it was ordered by; comparable within one search.
    pub score: f64,
}

/// Best first, one passage a section, ties in document order.
#[must_use]
pub fn rank(candidates: &[Candidate]) -> Vec<Ranked> {
    let measured = candidates.iter().any(|c| c.likeness.is_some());
    let mut scores: Vec<f64> = candidates.iter().map(|c| if measured { hybrid(c) } else { c.words }).collect();
    if measured {
        let mut pages: HashMap<usize, Vec<f64>> = HashMap::new();
        for (candidate, score) in candidates.iter().zip(&scores) {
            pages.entry(candidate.page).or_default().push(*score);
        }
        let bonus: HashMap<usize, f64> = pages
            .into_iter()
            .map(|(page, mut scores)| {
                scores.sort_by(|a, b| b.total_cmp(a));
                (page, scores.iter().take(OF_PAGE).sum::<f64>() / OF_PAGE as f64)
            })
            .collect();
        for (candidate, score) in candidates.iter().zip(&mut scores) {
            *score += PAGE * bonus.get(&candidate.page).copied().unwrap_or_default();
        }
    }
    let mut order: Vec<(usize, f64)> = scores.into_iter().map(rounded).enumerate().collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut sections = HashSet::new();
    order
        .into_iter()
        .filter_map(|(at, score)| candidates.get(at).map(|c| (c, score)))
        .filter(|(c, _)| sections.insert(c.section))
        .map(|(c, score)| Ranked { key: c.key, score })
        .collect()
}

fn hybrid(candidate: &Candidate) -> f64 {
    let Some(likeness) = candidate.likeness else { return WORDS * candidate.words };
    let sentence = likeness.sentence.map_or(likeness.passage - NO_SENTENCE, |s| s.max(LEAST_SENTENCE));
    likeness.passage + SENTENCE * sentence + WORDS * candidate.words + HEADING * likeness.heading.unwrap_or_default()
}

/// Vectors differ in their last bits between batches; order must not.
fn rounded(score: f64) -> f64 {
    (score * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(key: usize, section: usize, words: f64, passage: Option<f64>) -> Candidate {
        let likeness = passage.map(|passage| Likeness { passage, sentence: Some(passage), heading: None });
        Candidate { key, section, page: section, words, likeness }
    }

    #[test]
    fn one_passage_a_section_and_ties_in_document_order() {
        let ranked = rank(&[
            candidate(0, 0, 2.0, None),
            candidate(1, 1, 2.0, None),
            candidate(2, 1, 3.0, None),
            candidate(3, 2, 2.0, None),
        ]);
        assert_eq!(ranked.iter().map(|r| r.key).collect::<Vec<_>>(), [2, 0, 3]);
    }

    #[test]
    fn vectors_weigh_more_than_words() {
        let ranked = rank(&[candidate(0, 0, 0.6, Some(0.1)), candidate(1, 1, 0.0, Some(0.6))]);
        assert_eq!(ranked.first().map(|r| r.key), Some(1));
    }

    #[test]
    fn a_page_with_several_good_passages_lifts_each_of_them() {
        let mut candidates: Vec<Candidate> = (0..4).map(|i| candidate(i, i, 0.0, Some(0.5))).collect();
        for c in candidates.iter_mut().skip(1) {
            c.page = 9;
        }
        assert_eq!(rank(&candidates).first().map(|r| r.key), Some(1));
    }
}
