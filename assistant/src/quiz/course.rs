//! A course as questions are made from it: what could be taken for a term, and what is not said of it.

use std::collections::HashSet;

use domain::text;

use super::Passage;
use super::fact::{Fact, Form};
use super::lexicon::{Lexicon, fold};
use super::words::code;

/// What could stand beside the right term of a question.
pub(super) struct Sibling {
    pub term: String,
    /// What the course says of it.
    pub sentence: String,
}

/// A course as questions are made from it.
pub(super) struct Course<'a> {
    pub passages: &'a [Passage],
    pub lexicon: &'a Lexicon,
    pub facts: &'a [Fact],
    pub seed: u64,
    /// Number of each passage's document, in order.
    documents: Vec<usize>,
    /// Stems of every sentence.
    sentences: Vec<HashSet<String>>,
}

/// Facts worth less lend no wrong options.
const WORTH_NAMING: f64 = 0.6;
/// Documents between two facts that could be mistaken for each other.
const NEAR: usize = 2;
/// Share of a stem's words that one sentence about another term may hold before that term could be right too.
const COULD_BE: f64 = 0.5;

impl<'a> Course<'a> {
    pub(super) fn new(passages: &'a [Passage], lexicon: &'a Lexicon, facts: &'a [Fact], seed: u64) -> Self {
        let mut paths: Vec<&str> = Vec::new();
        let documents = passages
            .iter()
            .map(|p| {
                paths.iter().position(|path| *path == p.source_path).unwrap_or_else(|| {
                    paths.push(&p.source_path);
                    paths.len() - 1
                })
            })
            .collect();
        let texts = passages.iter().flat_map(|p| p.chunk.sentences.iter().map(|s| p.chunk.sentence_text(s)));
        let sentences = texts.map(|words| text::terms(words).into_iter().collect()).collect();
        Self { passages, lexicon, facts, seed, documents, sentences }
    }

    /// How many documents lie between two passages.
    fn apart(&self, a: usize, b: usize) -> usize {
        let at = |index: usize| self.documents.get(index).copied().unwrap_or_default();
        at(a).abs_diff(at(b))
    }

    /// Whether two facts stand close enough that one could be mistaken for the other.
    pub(super) fn near(&self, one: &Fact, other: &Fact) -> bool {
        self.apart(one.passage, other.passage) <= NEAR
    }

    /// Whether a sentence of the course says of `term` what `said` says.
    pub(super) fn could_be(&self, term: &str, said: &str) -> bool {
        let term: Vec<String> = text::terms(term);
        let said: HashSet<String> = text::terms(said).into_iter().filter(|stem| !term.contains(stem)).collect();
        if term.is_empty() || said.is_empty() {
            return true;
        }
        self.sentences.iter().any(|held| {
            term.iter().all(|stem| held.contains(stem))
                && said.iter().filter(|stem| held.contains(*stem)).count() as f64 >= COULD_BE * said.len() as f64
        })
    }

    /// Other facts of the same kind as `fact`, the nearest in content and place first.
    pub(super) fn siblings(&self, fact: &Fact) -> Vec<&'a Fact> {
        let own: HashSet<String> = text::terms(&fact.predicate).into_iter().collect();
        let term: HashSet<String> = text::terms(&fact.term).into_iter().collect();
        let mut found: Vec<(f64, &Fact)> = self
            .facts
            .iter()
            .filter(|other| {
                let same = other.class == fact.class
                    && other.plural == fact.plural
                    && (!fact.class.is_empty() || (other.form == Form::Does) == (fact.form == Form::Does));
                let stems: HashSet<String> = text::terms(&other.term).into_iter().collect();
                same && other.worth >= WORTH_NAMING
                    && !stems.is_empty()
                    && stems.is_disjoint(&term)
                    && code(&other.term) == code(&fact.term)
                    && !self.lexicon.everywhere(&other.term)
            })
            .map(|other| {
                let theirs: HashSet<String> = text::terms(&other.predicate).into_iter().collect();
                let union = own.union(&theirs).count().max(1) as f64;
                let alike = own.intersection(&theirs).count() as f64 / union;
                let near = 1.0 / (1.0 + self.apart(fact.passage, other.passage) as f64);
                let chance = (super::mix(self.seed, &format!("{}{}", fact.term, other.term)) % 1000) as f64 / 5000.0;
                (2.0 * alike + near + chance + 0.2 * other.worth, other)
            })
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.term.cmp(&b.1.term)));
        let mut terms = HashSet::new();
        found.into_iter().map(|(_, other)| other).filter(|other| terms.insert(fold(&other.term))).collect()
    }

    /// Terms that could be taken for that of `fact`, and are not: those of facts, and what the author stressed nearby.
    pub(super) fn rivals(&self, fact: &Fact) -> Vec<Sibling> {
        let term: HashSet<String> = text::terms(&fact.term).into_iter().collect();
        let mut rivals: Vec<(f64, Sibling)> = self
            .siblings(fact)
            .into_iter()
            .enumerate()
            .map(|(at, other)| {
                let near = 1.0 / (1.0 + self.apart(fact.passage, other.passage) as f64);
                let sentence = other.sentence(self.passages).to_owned();
                (near + 0.9 - 0.05 * at as f64, Sibling { term: self.name(other), sentence })
            })
            .collect();
        if fact.class.is_empty() && !code(&fact.term) {
            let nouns = self.lexicon.nouns.iter().filter(|noun| {
                noun.plural == fact.plural
                    && text::terms(&noun.term).iter().all(|stem| !term.contains(stem))
                    && !self.lexicon.everywhere(&noun.term)
                    // A word that is only stressed somewhere is no concept that could be mistaken for another.
                    && (self.lexicon.heading(&noun.term)
                        || self.facts.iter().any(|fact| fold(&fact.term) == fold(&noun.term)))
            });
            rivals.extend(nouns.map(|noun| {
                let near = 1.0 / (1.0 + self.apart(fact.passage, noun.passage) as f64);
                let chance = (super::mix(self.seed, &format!("{}{}", fact.term, noun.term)) % 1000) as f64 / 4000.0;
                (near + 0.3 + chance, Sibling { term: noun.term.clone(), sentence: noun.sentence.clone() })
            }));
        }
        rivals.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.term.cmp(&b.1.term)));
        let mut terms = HashSet::new();
        rivals.into_iter().map(|(_, rival)| rival).filter(|rival| terms.insert(fold(&rival.term))).collect()
    }

    /// The term of a fact as an option shows it.
    pub(super) fn name(&self, fact: &Fact) -> String {
        let opens = fact.subject.starts_with(&fact.term) && fact.form != Form::Called;
        if opens { self.lexicon.inside(&fact.term) } else { fact.term.clone() }
    }

    /// The subject of a fact as it stands within a sentence: "the cmp method", "a package".
    pub(super) fn inside(&self, fact: &Fact) -> String {
        match fact.subject.split_once(' ') {
            Some((article @ ("A" | "An" | "The"), rest)) => format!("{} {rest}", article.to_lowercase()),
            _ => self.lexicon.inside(&fact.subject),
        }
    }
}
