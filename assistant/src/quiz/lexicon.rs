//! What a course's words are: how often a term stands where, what is stressed, what belongs to an example.

use std::collections::{HashMap, HashSet};

use domain::text;

use super::Passage;
use super::words::{bare, code, lower_first, plural};

/// A term without case, article and plural.
pub(super) fn fold(term: &str) -> String {
    text::terms(term).join(" ")
}

/// Where the words of a course stand: how many documents hold a term, which terms its author stressed.
pub(super) struct Lexicon {
    documents: HashMap<String, usize>,
    written: HashMap<String, usize>,
    pub(super) nouns: Vec<Noun>,
    stressed: HashSet<String>,
    headings: HashSet<String>,
    declared: HashSet<String>,
    cases: HashMap<String, (usize, usize)>,
    count: usize,
}

/// Words after which code gives a name to something of its own.
const DECLARING: &[&str] = &[
    "struct",
    "enum",
    "fn",
    "trait",
    "mod",
    "let",
    "mut",
    "class",
    "def",
    "function",
    "const",
    "static",
    "var",
    "type",
    "interface",
];

impl Lexicon {
    pub(super) fn new(passages: &[Passage]) -> Self {
        let mut seen: HashMap<String, HashSet<&str>> = HashMap::new();
        let mut written: HashMap<String, HashSet<&str>> = HashMap::new();
        let mut stressed = HashSet::new();
        let mut headings = HashSet::new();
        let mut declared = HashSet::new();
        for passage in passages {
            for block in passage.chunk.text.split("\n\n").filter(|block| block.contains(['{', ';', '='])) {
                let words: Vec<&str> =
                    block.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty()).collect();
                let names = words.windows(2).filter(|pair| pair.first().is_some_and(|word| DECLARING.contains(word)));
                declared.extend(names.filter_map(|pair| pair.get(1)).map(|name| (*name).to_owned()));
            }
            for word in passage.chunk.text.split(|c: char| c.is_whitespace() || ",.;()`\u{201c}\u{201d}".contains(c)) {
                seen.entry(bare(word)).or_default().insert(&passage.source_path);
                let name = word.trim_matches(|c: char| !(c.is_alphanumeric() || c == '_'));
                written.entry(name.to_owned()).or_default().insert(&passage.source_path);
            }
            stressed.extend(passage.stressed.iter().map(|term| fold(term)));
            headings.extend(passage.chunk.heading_path.iter().flat_map(|heading| text::terms(heading)));
        }
        let documents = seen.into_iter().map(|(word, paths)| (word, paths.len())).collect();
        let mut cases: HashMap<String, (usize, usize)> = HashMap::new();
        for passage in passages {
            for sentence in &passage.chunk.sentences {
                let words = passage.chunk.sentence_text(sentence);
                for word in words.split_whitespace().skip(1).filter(|_| words.ends_with('.') && !words.contains('\n')) {
                    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
                    let seen = cases.entry(word.to_lowercase()).or_default();
                    if word.starts_with(char::is_uppercase) { seen.1 += 1 } else { seen.0 += 1 }
                }
            }
        }
        let count = passages.iter().map(|p| &p.source_path).collect::<HashSet<_>>().len();
        let written = written.into_iter().map(|(word, paths)| (word, paths.len())).collect();
        let nouns = nouns(passages);
        Self { documents, written, nouns, stressed, headings, declared, cases, count }
    }

    /// Whether a stem is one of a heading or of several documents.
    pub(super) fn common(&self, stem: &str) -> bool {
        self.headings.contains(stem) || self.documents.get(stem).is_some_and(|count| *count >= 3)
    }

    /// Whether a name belongs to one of the course's own code examples.
    pub(super) fn local(&self, word: &str, named: bool) -> bool {
        let name = word.trim_matches(|c: char| !(c.is_alphanumeric() || c == '_'));
        let looks = named || name.contains('_') || name.chars().next().is_some_and(char::is_uppercase);
        looks && self.declared.contains(name) && !self.stressed.contains(&fold(name)) && self.written(name) < 6
            || name.contains('_') && self.written(name) < 2
    }

    /// A term as it is written within a sentence: names keep their capital.
    pub(super) fn inside(&self, term: &str) -> String {
        let first = term.split_whitespace().next().unwrap_or_default();
        let name = self.cases.get(&bare(first)).is_some_and(|(small, large)| large > small);
        if name || code(first) { term.to_owned() } else { lower_first(term) }
    }

    /// Whether a term is the subject of the whole course: half of its documents name it.
    pub(super) fn everywhere(&self, term: &str) -> bool {
        self.count > 4 && self.documents(term) * 2 > self.count
    }

    /// In how many documents the rarest word of a term stands.
    pub(super) fn documents(&self, term: &str) -> usize {
        term.split_whitespace().map(|word| self.documents.get(&bare(word)).copied().unwrap_or(0)).min().unwrap_or(0)
    }

    fn written(&self, name: &str) -> usize {
        self.written.get(name).copied().unwrap_or(0)
    }

    pub(super) fn stressed(&self, term: &str) -> bool {
        self.stressed.contains(&fold(term))
    }

    pub(super) fn heading(&self, term: &str) -> bool {
        let terms = text::terms(term);
        !terms.is_empty() && terms.iter().all(|term| self.headings.contains(term))
    }
}

/// A stressed term that the course uses as a noun, and a sentence that holds it.
pub(super) struct Noun {
    pub(super) term: String,
    pub(super) plural: bool,
    pub(super) passage: usize,
    pub(super) sentence: String,
}

fn nouns(passages: &[Passage]) -> Vec<Noun> {
    let mut found: Vec<Noun> = Vec::new();
    let mut known = HashSet::new();
    let texts: Vec<String> =
        passages.iter().map(|p| format!(" {} ", p.chunk.text.to_lowercase().replace('\n', " "))).collect();
    for (index, passage) in passages.iter().enumerate() {
        for term in &passage.stressed {
            let lower = term.to_lowercase();
            if lower.split(' ').count() > 3 || lower.len() < 4 || code(term) || !known.insert(fold(term)) {
                continue;
            }
            // Adjectives stand before a noun; what stands before these words is one itself.
            let after =
                [".", ",", " is ", " are ", " of ", " that ", " in ", " and ", " to ", " can ", " has ", " have "];
            let many = plural(term);
            let articles: &[&str] = if many { &["", "the "] } else { &["a ", "an ", "the "] };
            let used = articles.iter().flat_map(|article| after.iter().map(move |end| (*article, *end)));
            let used: Vec<String> = used.map(|(article, end)| format!(" {article}{lower}{end}")).collect();
            let count = texts.iter().filter(|text| used.iter().any(|words| text.contains(words))).count();
            let holding =
                passages.iter().enumerate().skip(index).take_while(|(_, p)| p.source_path == passage.source_path);
            let sentence =
                holding.flat_map(|(_, p)| p.chunk.sentences.iter().map(|s| p.chunk.sentence_text(s))).find(|words| {
                    words.to_lowercase().contains(&lower) && words.ends_with('.') && words.split(' ').count() > 5
                });
            if let (true, Some(sentence)) = (count >= 2, sentence) {
                found.push(Noun { term: lower, plural: many, passage: index, sentence: sentence.to_owned() });
            }
        }
    }
    found
}
