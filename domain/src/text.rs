//! Text analysis shared by indexing, search and the tutor: terms, stop words, sentences.
//!
//! Both databases index what [`terms`] yields, so that both rank alike.

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;

/// Words that carry no topic, and what is left of contractions ("doesn't"); questions keep none of them.
const STOP_WORDS: &[&str] = &[
    "a", "about", "after", "again", "all", "also", "am", "an", "and", "any", "are", "aren", "as", "at", "be",
    "because", "been", "before", "being", "both", "but", "by", "can", "cannot", "could", "couldn", "did", "didn", "do",
    "does", "doesn", "doing", "don", "done", "down", "during", "each", "few", "for", "from", "further", "get", "gets",
    "got", "had", "hadn", "has", "hasn", "have", "haven", "having", "he", "her", "here", "hers", "him", "his", "how",
    "i", "if", "in", "into", "is", "isn", "it", "its", "itself", "just", "let", "ll", "may", "me", "might", "mine",
    "more", "most", "much", "must", "mustn", "my", "no", "nor", "not", "now", "of", "off", "on", "once", "only", "or",
    "other", "our", "ours", "out", "over", "own", "re", "s", "same", "shall", "she", "should", "shouldn", "so", "some",
    "such", "t", "than", "that", "the", "their", "theirs", "them", "then", "there", "these", "they", "this", "those",
    "through", "to", "too", "under", "until", "up", "us", "ve", "very", "was", "wasn", "we", "were", "weren", "what",
    "when", "where", "which", "while", "who", "whom", "whose", "why", "will", "with", "won", "would", "wouldn", "you",
    "your", "yours",
];

/// Whether `word` (lower case) carries no topic.
#[must_use]
pub fn is_stop_word(word: &str) -> bool {
    STOP_WORDS.binary_search(&word).is_ok()
}

/// Whether a character shows nothing and only hides or splits words: zero-width, direction marks,
/// soft hyphen, tags.
#[must_use]
pub fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Text without invisible characters and control codes; joiners stay inside scripts that need them.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        let joiner =
            matches!(c, '\u{200c}' | '\u{200d}') && clean.chars().next_back().is_some_and(|before| !before.is_ascii());
        if joiner || !(invisible(c) || (c.is_control() && !matches!(c, '\n' | '\t'))) {
            clean.push(c);
        }
    }
    clean
}

/// Runs of white space as one space, ends trimmed.
#[must_use]
pub fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lower-cased words without accents: letters, digits and `_`, in order, stop words included.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    cased_words(text).iter().map(|word| word.to_lowercase()).collect()
}

/// The same as they are written.
fn cased_words(text: &str) -> Vec<String> {
    let folded: String = text.nfd().filter(|c| !unicode_normalization::char::is_combining_mark(*c)).collect();
    folded
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map(|word| word.trim_matches('_'))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The index terms of a text: stemmed words without stop words, in order, with repeats.
/// A word with `_` or with a capital after a small letter is kept whole and also split.
#[must_use]
pub fn terms(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    let mut terms = Vec::new();
    let mut push = |word: &str| {
        let word = word.to_lowercase();
        if !is_stop_word(&word) && word.len() <= 64 {
            terms.push(stemmer.stem(&word).into_owned());
        }
    };
    for word in cased_words(text) {
        push(&word);
        let parts = parts(&word);
        if parts.len() > 1 {
            parts.into_iter().for_each(&mut push);
        }
    }
    terms
}

/// The words inside an identifier: split at `_` and between a small letter or digit and a capital.
fn parts(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    for piece in word.split('_').filter(|piece| !piece.is_empty()) {
        let mut start = 0;
        for ((at, c), before) in piece.char_indices().skip(1).zip(piece.chars()) {
            if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit()) {
                parts.push(piece.get(start..at).unwrap_or_default());
                start = at;
            }
        }
        parts.push(piece.get(start..).unwrap_or_default());
    }
    parts
}

/// Byte ranges of the sentences of a text, in order, without surrounding white space.
///
/// A sentence ends at `.`, `!` or `?` (with closing quotes or brackets) before white space and a
/// capital, digit or quote, or at a line break. Common abbreviations do not end one.
#[must_use]
pub fn sentences(text: &str) -> Vec<(usize, usize)> {
    const ABBREVIATIONS: &[&str] =
        &["e.g.", "i.e.", "etc.", "vs.", "dr.", "mr.", "mrs.", "ms.", "fig.", "no.", "st.", "cf.", "approx.", "prof."];
    let mut ranges = Vec::new();
    let mut start = 0;
    let mut push = |from: usize, to: usize| {
        let slice = text.get(from..to).unwrap_or_default();
        let trimmed = slice.trim();
        if !trimmed.is_empty() {
            let lead = slice.len() - slice.trim_start().len();
            ranges.push((from + lead, from + lead + trimmed.len()));
        }
    };
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let mut i = 0;
    while let Some(&(at, c)) = chars.get(i) {
        if c == '\n' {
            push(start, at);
            start = at + 1;
        } else if matches!(c, '.' | '!' | '?') {
            let mut j = i + 1;
            while chars
                .get(j)
                .is_some_and(|(_, c)| matches!(c, '"' | '\'' | ')' | ']' | '\u{201d}' | '\u{2019}' | '.' | '!' | '?'))
            {
                j += 1;
            }
            let end = chars.get(j).map_or(text.len(), |(at, _)| *at);
            let spaced = chars.get(j).is_some_and(|(_, c)| *c == ' ' || *c == '\t');
            let mut k = j;
            while chars.get(k).is_some_and(|(_, c)| *c == ' ' || *c == '\t') {
                k += 1;
            }
            let opens = chars.get(k).is_some_and(|(_, c)| !c.is_lowercase());
            let word =
                text.get(start..end).and_then(|s| s.split_whitespace().last()).unwrap_or_default().to_lowercase();
            let abbreviated = c == '.'
                && (ABBREVIATIONS.contains(&word.as_str())
                    || (word.len() == 2 && word.starts_with(char::is_alphabetic)));
            if spaced && opens && !abbreviated {
                push(start, end);
                start = end;
                i = j;
                continue;
            }
        }
        i += 1;
    }
    push(start, text.len());
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_sorted_for_the_search() {
        assert!(STOP_WORDS.is_sorted());
    }

    #[test]
    fn sentences_keep_abbreviations_together() {
        let text = "Use a loop, e.g. \u{201c}for\u{201d}. It ends.\nNext line";
        let got: Vec<&str> = sentences(text).into_iter().map(|(a, b)| &text[a..b]).collect();
        assert_eq!(got, ["Use a loop, e.g. \u{201c}for\u{201d}.", "It ends.", "Next line"]);
    }

    #[test]
    fn terms_fold_accents_and_split_identifiers() {
        assert_eq!(terms("a HashMap's don't"), ["hashmap", "hash", "map"]);
        assert_eq!(terms("The naïve read_line functions"), ["naiv", "read_lin", "read", "line", "function"]);
    }
}
