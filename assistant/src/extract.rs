//! The answer in the course's own words: one to three sentences of the best section, in document
//! order, each with its exact place, and where else the course speaks of it.
//!
//! Nothing is composed here. Sentences that read like instructions to a model are left out.

use std::collections::{HashMap, HashSet};

use domain::text;
use domain::tutor::{AnswerSentence, Citation};
use store::sql::chunk::StoredChunk;

use crate::cite;

/// Most sentences that are highlighted, attached code apart.
const MOST: usize = 3;
/// Further sections that are named.
const NEAREST: usize = 3;
/// Weight of shared words beside the cosine of a sentence.
const WORDS: f64 = 0.35;
/// A further sentence must score at least this share of the best one.
const FURTHER: f64 = 0.72;
/// The sentence after the best one must score at least this share of it to be shown for context.
const NEIGHBOUR: f64 = 0.4;

/// A passage with what the question has to do with each of its sentences.
#[derive(Debug, Clone)]
pub struct Passage {
    /// The row.
    pub chunk: StoredChunk,
    /// What it was ranked by.
    pub score: f64,
    /// Cosine of each sentence; empty without a model.
    pub sentences: Vec<f32>,
    /// The next passage of the same section, when it was found as well: what this one announces
    /// with a colon may stand there.
    pub next: Option<Box<StoredChunk>>,
}

/// What was taken out of the course.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extract {
    /// Sentences in document order.
    pub sentences: Vec<AnswerSentence>,
    /// One citation a sentence.
    pub citations: Vec<Citation>,
    /// The best sentence of the next sections.
    pub nearest: Vec<Citation>,
    /// Whether instruction-like text was left out.
    pub flagged: bool,
}

impl Extract {
    /// The sentences as one text; code and what follows a colon stand on lines of their own.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut before = "";
        for sentence in &self.sentences {
            if !text.is_empty() {
                let apart = before.ends_with(':') || is_code(before) || is_code(&sentence.text);
                text.push_str(if apart { "\n" } else { " " });
            }
            text.push_str(&sentence.text);
            before = &sentence.text;
        }
        text
    }
}

/// Whether code is not cut off in the middle of a block.
fn whole(words: &str) -> bool {
    words.matches('{').count() == words.matches('}').count()
}

/// Question terms and what each weighs.
pub(crate) type Weights = HashMap<String, f64>;

/// Takes the answer from the first passage and the pointers from the following ones.
#[must_use]
pub fn extract(passages: &[Passage], weights: &[(String, f64, bool)]) -> Extract {
    let weights: Weights = weights.iter().map(|(term, idf, _)| (term.clone(), *idf)).collect();
    let mut extract = Extract::default();
    let mut rest = passages.iter();
    for passage in rest.by_ref() {
        extract.flagged |= passage.chunk.chunk.flagged;
        let chosen = choose(passage, &weights);
        if chosen.is_empty() {
            continue;
        }
        let last = chosen.last().copied();
        let mut citations: Vec<Citation> =
            chosen.into_iter().filter_map(|index| cite::of_sentence(&passage.chunk, index)).collect();
        let open = citations.last().is_some_and(|c| c.quote.ends_with(':'))
            && last.map(|at| at + 1) == Some(passage.chunk.chunk.sentences.len());
        if let (true, Some(next)) = (open, &passage.next)
            && !flagged(next).contains(&0)
            && next.chunk.sentences.first().is_some_and(|s| whole(next.chunk.sentence_text(s)))
        {
            citations.extend(cite::of_sentence(next, 0));
        }
        for citation in citations {
            extract
                .sentences
                .push(AnswerSentence { text: citation.quote.clone(), citations: vec![extract.citations.len()] });
            extract.citations.push(citation);
        }
        break;
    }
    extract.nearest = nearest(rest, &weights);
    extract
}

/// The best sentence of each of the next sections.
pub(crate) fn nearest<'a>(passages: impl Iterator<Item = &'a Passage>, weights: &Weights) -> Vec<Citation> {
    passages
        .filter_map(|passage| {
            let scores = scores(passage, weights);
            let best = scores
                .iter()
                .enumerate()
                .filter_map(|(i, s)| s.map(|s| (i, s)))
                .max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
            cite::of_sentence(&passage.chunk, best.0)
        })
        .take(NEAREST)
        .collect()
}

/// Indices of sentences of a passage that may be quoted or shown to a model.
#[must_use]
pub fn quotable(chunk: &StoredChunk) -> Vec<usize> {
    let flagged = flagged(chunk);
    (0..chunk.chunk.sentences.len()).filter(|index| !flagged.contains(index)).collect()
}

/// Instruction-like sentences, and those of the same lines: an order often runs over several.
fn flagged(chunk: &StoredChunk) -> HashSet<usize> {
    let passage = &chunk.chunk;
    if !passage.flagged {
        return HashSet::new();
    }
    let bad: Vec<_> = passage
        .sentences
        .iter()
        .filter(|s| domain::injection::instruction_like(passage.sentence_text(s)).is_some())
        .map(|s| s.locator)
        .collect();
    // The whole passage was flagged and no single sentence is: none of it is quoted.
    let whole = bad.is_empty();
    (0..)
        .zip(&passage.sentences)
        .filter(|(_, s)| whole || bad.iter().any(|b| b.start <= s.locator.end && s.locator.start <= b.end))
        .map(|(i, _)| i)
        .collect()
}

/// What each sentence has to do with the question; `None` for what cannot stand alone.
fn scores(passage: &Passage, weights: &Weights) -> Vec<Option<f64>> {
    let chunk = &passage.chunk.chunk;
    let flagged = flagged(&passage.chunk);
    let total: f64 = weights.values().sum();
    chunk
        .sentences
        .iter()
        .enumerate()
        .map(|(index, sentence)| {
            let words = chunk.sentence_text(sentence);
            if flagged.contains(&index) || !stands_alone(words) {
                return None;
            }
            let held: HashSet<String> = text::terms(words).into_iter().collect();
            let covered: f64 = held.iter().filter_map(|term| weights.get(term)).sum();
            let covered = if total > 0.0 { covered / total } else { 0.0 };
            Some(passage.sentences.get(index).map_or(covered, |cosine| f64::from(*cosine) + WORDS * covered))
        })
        .collect()
}

/// Indices of the highlighted sentences, in document order.
fn choose(passage: &Passage, weights: &Weights) -> Vec<usize> {
    let scores = scores(passage, weights);
    let mut order: Vec<(usize, f64)> = scores.iter().enumerate().filter_map(|(i, s)| s.map(|s| (i, s))).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let Some((first, top)) = order.first().copied() else { return Vec::new() };
    let texts: Vec<&str> = passage.chunk.chunk.sentences.iter().map(|s| passage.chunk.chunk.sentence_text(s)).collect();
    let usable = |index: usize| scores.get(index).is_some_and(Option::is_some);
    let leans = |index: usize| texts.get(index).is_some_and(|words| leans_back(words));

    let mut chosen: Vec<usize> = vec![first];
    // "This is why ..." says nothing without the sentence before.
    if leans(first) && first > 0 && usable(first - 1) {
        chosen.push(first - 1);
    }
    for (index, score) in order.iter().skip(1) {
        if chosen.len() >= MOST {
            break;
        }
        if *score >= FURTHER * top
            && !chosen.contains(index)
            && (!leans(*index) || index.checked_sub(1).is_some_and(|before| chosen.contains(&before)))
        {
            chosen.push(*index);
        }
    }
    // What follows the best sentence explains it more often than what is far from it.
    let worth = |index: usize| scores.get(index).copied().flatten().unwrap_or_default();
    if chosen.len() < 2 && worth(first + 1) >= NEIGHBOUR * top {
        chosen.push(first + 1);
    }
    let flagged = flagged(&passage.chunk);
    let count = texts.len();
    for index in chosen.clone() {
        if !texts.get(index).is_some_and(|words| words.ends_with(':')) || index + 1 == count {
            continue;
        }
        // The name of a listing stands between the sentence and what it announces.
        let next = (index + 1..count).find(|next| !texts.get(*next).is_some_and(|words| is_caption(words)));
        let attached =
            next.filter(|next| !flagged.contains(next) && texts.get(*next).is_some_and(|words| whole(words)));
        match attached {
            Some(next) if !chosen.contains(&next) => chosen.push(next),
            Some(_) => {}
            // It announces what cannot be shown.
            None if chosen.len() > 1 => chosen.retain(|other| *other != index),
            None => {}
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

/// Whether a sentence can be read by itself: prose, no caption, no question.
fn stands_alone(words: &str) -> bool {
    is_prose(words) && !is_caption(words) && !words.ends_with('?')
}

fn is_caption(words: &str) -> bool {
    ["Listing ", "Figure ", "Table ", "Filename: ", "Example "].iter().any(|lead| {
        words.strip_prefix(lead).is_some_and(|rest| {
            *lead == "Filename: " || rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains(':')
        })
    })
}

/// Whether this is a sentence of at least four words and not code.
pub(crate) fn is_prose(words: &str) -> bool {
    !is_code(words) && words.split_whitespace().count() >= 4
}

/// Code, as far as its ends tell: prose never holds a line break, a code block does.
fn is_code(words: &str) -> bool {
    words.contains('\n') || words.ends_with(['{', '}', ';']) || words.starts_with("$ ") || words.starts_with("//")
}

/// Whether a sentence needs the one before: by its first word, or by a "this" soon after.
fn leans_back(words: &str) -> bool {
    const LEADS: &[&str] = &[
        "this",
        "that",
        "these",
        "those",
        "it",
        "they",
        "he",
        "she",
        "however",
        "therefore",
        "thus",
        "instead",
        "otherwise",
        "but",
        "also",
        "then",
        "so",
        "and",
        "such",
        "its",
        "their",
        "similarly",
        "likewise",
        "both",
        "neither",
        "here",
        "again",
        "now",
    ];
    const PHRASES: &[&str] = &[
        "because of this",
        "in this case",
        "for example",
        "for instance",
        "in other words",
        "on the other hand",
        "as a result",
        "in that case",
        "in contrast",
        "at that point",
        "at this point",
        "to do this",
        "to do so",
        "to do that",
        "by doing so",
        "we do this",
        "we do so",
        "you do this",
        "you can do this",
        "doing this",
        "doing so",
        "one way to do",
        "that way",
    ];
    let lower = words.to_lowercase();
    let follows =
        |lead: &&str| lower.strip_prefix(lead).is_some_and(|rest| rest.starts_with([' ', ',', '\'', '\u{2019}']));
    LEADS.iter().any(follows) || PHRASES.iter().any(follows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scraps_captions_and_code_do_not_stand_alone() {
        for words in [
            "Listing 4-3: A reference",
            "let x = 5;",
            "What is a crate?",
            "See below",
            "Filename: src/main.rs",
            "$ cargo build --release now",
        ] {
            assert!(!stands_alone(words), "{words}");
        }
        assert!(stands_alone("Listing the files of a folder takes one call."));
    }

    #[test]
    fn a_sentence_that_leans_back_is_known_by_its_first_words() {
        assert!(leans_back("This is why the value is dropped."));
        assert!(leans_back("For example, a loop."));
        assert!(!leans_back("Thistles grow here."));
    }
}
