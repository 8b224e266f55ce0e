//! Words of a short answer as they are compared: stems, slips of spelling, negation, opposites, numbers.

use std::collections::BTreeSet;

use domain::text::{is_stop_word, terms, words};

/// Words that turn a statement round, and what [`words`] leaves of contractions.
const NEGATIONS: &[&str] = &[
    "aren", "arent", "barely", "cannot", "cant", "couldn", "couldnt", "didn", "didnt", "doesn", "doesnt", "don",
    "dont", "fail", "failed", "fails", "hadn", "hardly", "hasn", "haven", "isn", "isnt", "neither", "never", "no",
    "none", "nor", "not", "nothing", "rarely", "scarcely", "shouldn", "unable", "wasn", "weren", "without", "won",
    "wont", "wouldn", "wouldnt",
];
/// Stems of words that exclude each other in one and the same place.
const OPPOSITES: &[(&str, &str)] = &[
    ("same", "different"),
    ("open", "close"),
    ("positive", "negative"),
    ("increase", "decrease"),
    ("more", "less"),
    ("more", "fewer"),
    ("most", "least"),
    ("higher", "lower"),
    ("high", "low"),
    ("hot", "cold"),
    ("warm", "cool"),
    ("warmer", "cooler"),
    ("hotter", "colder"),
    ("fast", "slow"),
    ("faster", "slower"),
    ("large", "small"),
    ("larger", "smaller"),
    ("bigger", "smaller"),
    ("long", "short"),
    ("longer", "shorter"),
    ("heavy", "light"),
    ("heavier", "lighter"),
    ("up", "down"),
    ("before", "after"),
    ("inside", "outside"),
    ("above", "below"),
    ("connected", "separated"),
    ("connected", "disconnected"),
    ("together", "apart"),
    ("gain", "lose"),
    ("rise", "fall"),
    ("start", "stop"),
    ("begin", "end"),
    ("first", "last"),
    ("left", "right"),
    ("north", "south"),
    ("east", "west"),
    ("true", "false"),
    ("always", "never"),
    ("all", "none"),
    ("with", "without"),
    ("hard", "soft"),
    ("harder", "softer"),
    ("wet", "dry"),
    ("strong", "weak"),
    ("stronger", "weaker"),
    ("expand", "contract"),
    ("attract", "repel"),
    ("absorb", "release"),
    ("solid", "liquid"),
    ("push", "pull"),
    ("on", "off"),
    ("full", "empty"),
    ("near", "far"),
    ("closer", "farther"),
    ("thick", "thin"),
    ("rough", "smooth"),
    ("parallel", "series"),
    ("input", "output"),
    ("many", "few"),
    ("maximum", "minimum"),
    ("appear", "disappear"),
    ("grow", "shrink"),
    ("alive", "dead"),
    ("early", "late"),
    ("earlier", "later"),
    ("old", "new"),
    ("win", "lose"),
    ("possible", "impossible"),
    ("valid", "invalid"),
    ("internal", "external"),
    ("lender", "borrower"),
    ("buyer", "seller"),
    ("mutable", "immutable"),
];
const NUMBERS: &[&str] =
    &["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
/// Words after a negation that it turns, stop words not counted.
const REACH: usize = 3;
/// Shorter words are not taken for others that are nearly the same.
const LEAST_SLIP: usize = 5;

/// One word.
#[derive(Debug, Clone)]
pub(super) struct Token {
    /// Lower case, as written.
    pub(super) word: String,
    /// What it is compared by.
    pub(super) stem: String,
    /// Whether it carries a topic.
    pub(super) topic: bool,
}

/// The words of a text, in order.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    words(text)
        .into_iter()
        .map(|word| {
            let topic = !is_stop_word(&word);
            let stem = match NUMBERS.iter().position(|number| *number == word) {
                Some(number) => number.to_string(),
                None => terms(&word).into_iter().next().unwrap_or_else(|| word.clone()),
            };
            Token { word, stem, topic }
        })
        .collect()
}

/// Stems that carry a topic.
pub(super) fn topics(tokens: &[Token]) -> BTreeSet<&str> {
    tokens.iter().filter(|token| token.topic).map(|token| token.stem.as_str()).collect()
}

/// Takes a word that is one letter away from a known one for that one: learners misspell.
pub(super) fn forgive(tokens: &mut [Token], known: &BTreeSet<String>) {
    for token in tokens.iter_mut().filter(|token| token.word.len() >= LEAST_SLIP && !known.contains(&token.stem)) {
        let meant = known.iter().find(|other| other.len() + 1 >= LEAST_SLIP && one_slip(&token.stem, other));
        if let Some(meant) = meant {
            token.stem.clone_from(meant);
        }
    }
}

/// Whether two words with the same first letter differ by one letter put in, left out, changed, or swapped with the next.
fn one_slip(a: &str, b: &str) -> bool {
    let (mut a, mut b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len() < b.len() {
        std::mem::swap(&mut a, &mut b);
    }
    let same = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    if same == 0 || a.len() > b.len() + 1 {
        return false;
    }
    let rest = |word: &[char], from: usize| word.get(from..).unwrap_or_default().to_vec();
    if a.len() > b.len() {
        return rest(&a, same + 1) == rest(&b, same);
    }
    let swapped = a.get(same) == b.get(same + 1) && a.get(same + 1) == b.get(same);
    rest(&a, same + 1) == rest(&b, same + 1) || swapped && rest(&a, same + 2) == rest(&b, same + 2)
}

/// Whether a text says "not" anywhere.
pub(super) fn negated(tokens: &[Token]) -> bool {
    tokens.iter().any(|token| NEGATIONS.binary_search(&token.word.as_str()).is_ok())
}

/// Topics with whether a negation shortly before turns them.
pub(super) fn turned(tokens: &[Token]) -> BTreeSet<(&str, bool)> {
    let (mut left, mut found) = (0, BTreeSet::new());
    for token in tokens {
        if NEGATIONS.binary_search(&token.word.as_str()).is_ok() {
            left = REACH + 1;
        } else if token.topic {
            found.insert((token.stem.as_str(), left > 0));
            left = left.saturating_sub(1);
        }
    }
    found
}

/// Whether one text has a word where the other has its opposite.
pub(super) fn opposed(ours: &BTreeSet<&str>, theirs: &BTreeSet<&str>) -> bool {
    OPPOSITES.iter().flat_map(|(a, b)| [(a, b), (b, a)]).any(|(a, b)| {
        let (a, b) = (stem(a), stem(b));
        ours.contains(a.as_str())
            && !theirs.contains(a.as_str())
            && theirs.contains(b.as_str())
            && !ours.contains(b.as_str())
    })
}

fn stem(word: &str) -> String {
    terms(word).into_iter().next().unwrap_or_else(|| word.to_owned())
}

/// The numbers of a text, in digits.
pub(super) fn numbers(tokens: &[Token]) -> BTreeSet<&str> {
    tokens.iter().map(|token| token.stem.as_str()).filter(|stem| stem.chars().all(|c| c.is_ascii_digit())).collect()
}

/// Length of the longest sequence of stems that both have in the same order.
pub(super) fn in_order(a: &[Token], b: &[Token]) -> usize {
    let mut row = vec![0_usize; b.len() + 1];
    for x in a {
        let mut before = 0;
        for (y, at) in b.iter().zip(1..) {
            let above = row.get(at).copied().unwrap_or_default();
            let left = row.get(at - 1).copied().unwrap_or_default();
            if let Some(cell) = row.get_mut(at) {
                *cell = if x.stem == y.stem { before + 1 } else { above.max(left) };
            }
            before = above;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negations_are_sorted_for_the_search() {
        assert!(NEGATIONS.is_sorted());
    }

    #[test]
    fn a_slip_of_one_letter_is_forgiven_and_another_word_is_not() {
        for (a, b) in [("seper", "separ"), ("closd", "close"), ("batery", "battery"), ("curretn", "current")] {
            assert!(one_slip(a, b), "{a} {b}");
        }
        assert!(!one_slip("mitosi", "meiosi") && !one_slip("affect", "effect"));
    }

    #[test]
    fn order_counts_what_stands_in_the_same_sequence() {
        assert_eq!(in_order(&tokens("the owner frees memory"), &tokens("memory: the new owner frees it")), 3);
        assert_eq!(in_order(&tokens(""), &tokens("x")), 0);
    }

    #[test]
    fn a_negation_turns_the_next_topics() {
        let said = tokens("The terminals are not connected");
        assert!(turned(&said).contains(&("connect", true)) && turned(&said).contains(&("termin", false)));
    }
}
