//! What tells whether a question is about this course, measured on one retrieval.
//!
//! The signals say whether the course speaks of the subject, not whether the first passage is right.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use domain::text;
use serde::{Deserialize, Serialize};

/// Sentences whose likeness counts.
const SENTENCES: usize = 5;
/// Passages that may know a word of the question.
pub(crate) const KNOWING: usize = 5;
/// Passages that cover its words, when there is no model.
const COVERING: usize = 3;
/// A word that the course has, though not in the best passages, is new by this much at most.
const KNOWN_ELSEWHERE: f64 = 0.75;
/// More new words than this change nothing.
const MOST_NOVEL: f64 = 2.0;

/// The measured signals.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Signals {
    /// Mean of the five highest cosines of a sentence of the course; 0 without a model.
    pub support: f64,
    /// Highest cosine of a passage; 0 without a model.
    pub cosine: f64,
    /// How much of the question is in rare words that the best passages do not hold, 0 to 2.
    pub novelty: f64,
    /// Share of the weight of the question's words that the three best passages hold.
    pub coverage: f64,
    /// Whether anything was found.
    pub found: bool,
}

/// The question's words: term, weight (idf), whether the course has it.
pub(crate) type Terms = [(String, f64, bool)];

/// Measures novelty and coverage on the terms of the best passages, best first.
#[must_use]
pub(crate) fn measure(
    question: &str,
    query: &Terms,
    best: &[HashSet<String>],
    mut sentences: Vec<f64>,
    cosine: f64,
    documents: i64,
) -> Signals {
    sentences.sort_by(|a, b| b.total_cmp(a));
    sentences.truncate(SENTENCES);
    let support = if sentences.is_empty() { 0.0 } else { sentences.iter().sum::<f64>() / sentences.len() as f64 };
    let total: f64 = query.iter().map(|(_, idf, _)| idf).sum();
    let held = |term: &str| best.iter().take(COVERING).any(|terms| terms.contains(term));
    let covered: f64 = query.iter().filter(|(term, ..)| held(term)).map(|(_, idf, _)| idf).sum();
    Signals {
        support,
        cosine,
        novelty: novelty(question, query, best, documents),
        coverage: if total > 0.0 { covered / total } else { 0.0 },
        found: !best.is_empty(),
    }
}

fn novelty(question: &str, query: &Terms, best: &[HashSet<String>], documents: i64) -> f64 {
    let weights: HashMap<&str, (f64, bool)> =
        query.iter().map(|(term, idf, seen)| (term.as_str(), (*idf, *seen))).collect();
    let most = (documents.max(0) as f64 + 1.5).ln().max(1e-9);
    let mut sum = 0.0;
    let mut before = "";
    for (start, word) in tokens(question) {
        let opens = {
            before = question.get(..start).unwrap_or(before).trim_end();
            before.is_empty() || before.ends_with(['.', '?', '!', ':'])
        };
        let lower = word.to_lowercase();
        if text::is_stop_word(&lower) || word.chars().all(|c| c.is_ascii_digit()) {
            continue;
        }
        let Some(term) = text::terms(word).into_iter().next() else { continue };
        if best.iter().take(KNOWING).any(|terms| terms.contains(&term)) {
            continue;
        }
        let rarity = if proper(word, opens) { 1.0 } else { rarity(&lower) };
        let unknown = match weights.get(term.as_str()) {
            Some((idf, true)) => KNOWN_ELSEWHERE * idf / most,
            _ => 1.0,
        };
        sum += rarity * unknown;
    }
    sum.min(MOST_NOVEL)
}

/// Words with their first byte: letters and digits, joined by single underscores.
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        match (c.is_alphanumeric() || c == '_', start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                let word = text.get(from..at).unwrap_or_default();
                let lead = word.len() - word.trim_start_matches('_').len();
                let bare = word.trim_matches('_');
                if !bare.is_empty() {
                    found.push((from + lead, bare));
                }
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// A name: capitals, digits or `_` inside, or a capital where no sentence begins.
fn proper(word: &str, opens: bool) -> bool {
    let mut chars = word.chars();
    let first = chars.next().is_some_and(char::is_uppercase);
    let rest = chars.as_str();
    !rest.is_empty()
        && (rest.contains(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_') || first && !opens)
}

/// 0 for a common English word, 1 for a rare one.
fn rarity(lower: &str) -> f64 {
    RANKS.get(lower).map_or(1.0, |rank| ((f64::from(*rank) - 6_000.0) / 14_000.0).clamp(0.0, 1.0))
}

/// Words by how common they are; the first line has rank 1000.
static RANKS: LazyLock<HashMap<&'static str, u32>> = LazyLock::new(|| {
    include_str!("../data/word-ranks.txt").lines().zip(1_000..).filter(|(word, _)| !word.is_empty()).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_name_is_novel_and_common_words_are_not() {
        let query =
            [("python".to_owned(), 6.0, false), ("decor".to_owned(), 6.0, false), ("work".to_owned(), 2.0, true)];
        let best = [HashSet::from(["work".to_owned()])];
        let novelty = |question| measure(question, &query, &best, vec![0.5], 0.5, 400).novelty;
        assert!(novelty("How do decorators work in Python?") > 1.0);
        assert!(novelty("How does it work?") < 1e-9);
        assert!(rarity("house") < 1e-9 && rarity("kubernetes") > 0.99);
    }

    #[test]
    fn names_are_known_by_their_letters() {
        assert!(proper("sqlx2", true) && proper("GPU", true) && proper("Go", false));
        assert!(!proper("Why", true) && !proper("I", false) && !proper("loop", false));
    }
}
