//! Whether a sentence says the opposite of what a reference says in nearly the same words.
//!
//! Only sentences that share most of their terms with the reference are looked at: what is said in other words
//! cannot be judged by words.

use std::collections::HashSet;

use domain::text::{sentences, terms};

use super::turn;

/// Share of a sentence's terms that the reference must have.
const SHARED: f64 = 0.6;
/// Likewise for a clause whose subject changed, and for a sentence whose number changed.
const SUBJECT: f64 = 0.5;
const NUMBERED: f64 = 0.3;
/// Units, and what they measure a thousand times or a thousandth of: a number with another one is another number.
const UNITS: &[(&str, &[&str])] = &[
    ("mm", &["millimetre", "millimetres", "millimeter", "millimeters"]),
    ("cm", &["centimetre", "centimetres", "centimeter", "centimeters"]),
    ("m", &["metre", "metres", "meter", "meters"]),
    ("km", &["kilometre", "kilometres", "kilometer", "kilometers"]),
    ("mg", &["milligram", "milligrams"]),
    ("g", &["gram", "grams"]),
    ("kg", &["kilogram", "kilograms", "kilo", "kilos"]),
    ("ms", &["millisecond", "milliseconds"]),
    ("s", &["second", "seconds"]),
    ("min", &["minute", "minutes"]),
    ("h", &["hour", "hours"]),
    ("hz", &["hertz"]),
    ("khz", &["kilohertz"]),
    ("mhz", &["megahertz"]),
];

/// Whether a sentence of `said` contradicts `reference`.
pub(crate) fn contradicts(said: &str, reference: &str) -> bool {
    sentences(said).into_iter().filter_map(|(start, end)| said.get(start..end)).any(|sentence| {
        unit_changed(sentence, reference)
            || close(sentence, reference)
                && (turn::turned(sentence, reference, reference).is_err()
                    || turn::swapped(sentence, reference).is_err()
                    || clauses(sentence).iter().any(|clause| subject_swapped(clause, reference)))
    })
}

/// Whether a sentence that shares words with the reference has a number in digits that the reference does not have,
/// where the reference has one that the sentence does not have.
pub(crate) fn other_number(sentence: &str, reference: &str) -> bool {
    let (ours, theirs) = (digits(sentence), digits(reference));
    share(&set(sentence), &set(reference)) >= NUMBERED && !theirs.is_subset(&ours) && !ours.is_subset(&theirs)
}

fn digits(text: &str) -> HashSet<String> {
    let word = |word: &str| word.trim_matches(|c: char| !c.is_ascii_digit()).replace(',', "");
    text.split_whitespace().map(word).filter(|word| !word.is_empty()).collect()
}

fn set(text: &str) -> HashSet<String> {
    terms(text).into_iter().collect()
}

#[expect(clippy::cast_precision_loss, reason = "terms of a sentence are few")]
fn share(of: &HashSet<String>, held: &HashSet<String>) -> f64 {
    if of.is_empty() { 0.0 } else { of.intersection(held).count() as f64 / of.len() as f64 }
}

fn close(sentence: &str, reference: &str) -> bool {
    share(&set(sentence), &set(reference)) >= SHARED
}

fn clauses(text: &str) -> Vec<&str> {
    text.split([';', ',', '.', ':']).map(str::trim).filter(|clause| !clause.is_empty()).collect()
}

/// The clause says of one thing what the reference says of another: its subject stands in another clause there.
fn subject_swapped(clause: &str, reference: &str) -> bool {
    let said = set(clause);
    let Some(subject) = terms(clause).into_iter().next() else { return false };
    let theirs: Vec<HashSet<String>> = clauses(reference).into_iter().map(set).collect();
    let best = theirs.iter().max_by(|a, b| share(&said, a).total_cmp(&share(&said, b)));
    best.is_some_and(|best| {
        said.len() >= 3
            && share(&said, best) >= SUBJECT
            && !best.contains(&subject)
            && theirs.iter().any(|other| other.contains(&subject))
    })
}

/// The reference's number with a unit that measures something else.
fn unit_changed(sentence: &str, reference: &str) -> bool {
    let theirs = measured(reference);
    measured(sentence).iter().any(|(number, unit)| {
        let same: Vec<&str> = theirs.iter().filter(|(other, _)| other == number).map(|(_, unit)| *unit).collect();
        !same.is_empty() && !same.contains(unit)
    })
}

/// Numbers with their units.
fn measured(text: &str) -> Vec<(String, &'static str)> {
    let words: Vec<String> = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()).replace(',', "").to_lowercase())
        .collect();
    let unit = |word: &str| UNITS.iter().find(|(short, long)| *short == word || long.contains(&word)).map(|one| one.0);
    words
        .windows(2)
        .filter_map(|pair| {
            let (number, next) = (pair.first()?, pair.get(1)?);
            let digits = number.chars().next().is_some_and(|c| c.is_ascii_digit());
            Some((number.clone(), unit(next)?)).filter(|_| digits)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opposite_in_the_same_words_is_seen_and_other_words_are_not() {
        let moves = "The assignment moves ownership to the new variable; the old one can no longer be used.";
        let compass =
            "Variation comes from the difference between magnetic and true north; deviation comes from iron on board.";
        let sound = "Sound travels about 340 metres in a second, so five seconds mean about 1,700 metres.";
        for (said, reference) in [
            ("Ownership does not move to the new variable.", moves),
            ("Deviation comes from the difference between magnetic and true north.", compass),
            ("Five of those make 1,700 km.", sound),
        ] {
            assert!(contradicts(said, reference), "{said}");
        }
        for (said, reference) in [
            ("The new variable owns the text and the old one cannot be used.", moves),
            ("My own name for the text is dead, hers is the only one that works.", moves),
            ("Variation comes from the difference between magnetic and true north.", compass),
            ("That is 1,700 m away, no more.", sound),
        ] {
            assert!(!contradicts(said, reference), "{said}");
        }
    }
}
