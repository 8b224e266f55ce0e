//! True or false: what a sentence says, or the same with one word changed that turns it.

use std::collections::HashSet;

use domain::text;

use super::course::Course;
use super::fact::{Fact, Form};
use super::lexicon::fold;
use super::words::{bare, stands_alone, upper_first, verb};
use super::{Kind, Made, mix};

/// Facts worth less are not asked for.
const LEAST: f64 = 1.0;

/// Words that make a sentence false when one stands for the other.
const TURNED: &[(&str, &str)] = &[
    ("stack", "heap"),
    ("mutable", "immutable"),
    ("static", "dynamic"),
    ("statically", "dynamically"),
    ("before", "after"),
    ("public", "private"),
    ("strong", "weak"),
    ("increases", "decreases"),
    ("increase", "decrease"),
    ("higher", "lower"),
    ("faster", "slower"),
    ("larger", "smaller"),
    ("longer", "shorter"),
    ("cannot", "can"),
    ("can't", "can"),
    ("doesn't need", "needs"),
    ("don't need", "need"),
    ("runtime", "compile time"),
    ("at least", "at most"),
    ("synchronous", "asynchronous"),
    ("recoverable", "unrecoverable"),
    ("louder", "quieter"),
    ("warm", "cold"),
    ("wet", "dry"),
    ("internal", "external"),
    ("input", "output"),
    ("succeeds", "fails"),
    ("minimum", "maximum"),
    ("sequential", "concurrent"),
];

/// Words of a sentence that states a rule rather than what happens once.
const RULING: &[&str] = &["must", "cannot", "can't", "only", "always", "never", "can", "every", "all", "any"];

const COUNTS: &[&str] = &["one", "two", "three", "four", "five", "six", "seven"];

pub(super) fn make(course: &Course<'_>) -> Vec<Made> {
    let mut made: Vec<Made> = course
        .facts
        .iter()
        .filter(|f| f.worth >= LEAST && f.form != Form::Called)
        .filter_map(|f| of_fact(course, f))
        .collect();
    made.extend(of_rules(course));
    made
}

fn statement(said: &str) -> String {
    format!("{}.", upper_first(said.trim_end_matches('.')))
}

fn whole(fact: &Fact, subject: &str) -> String {
    format!("{subject} {} {}", fact.verb, fact.predicate)
}

fn of_fact(course: &Course<'_>, fact: &Fact) -> Option<Made> {
    let original = whole(fact, &fact.subject);
    let quote = fact.sentence(course.passages);
    let holds = mix(course.seed, &original).is_multiple_of(2);
    let said = if holds {
        original
    } else if let Some(turned) = turn(&original) {
        turned
    } else if course.lexicon.everywhere(&fact.term) {
        return None;
    } else {
        let other = course.siblings(fact).into_iter().find(|other| {
            other.class == fact.class
                && course.near(fact, other)
                && !course.could_be(&other.term, &fact.predicate)
                && fact.form == other.form
                && !fact.predicate.contains(other.term.as_str())
        })?;
        let subject = upper_first(&other.subject);
        whole(fact, &subject)
    };
    Some(Made {
        stem: statement(&said),
        kind: Kind::Truth { holds, why: format!("The course says: \u{201c}{quote}\u{201d}") },
        about: fold(&fact.term),
        passage: fact.passage,
        span: fact.span.clone(),
        worth: fact.worth - if holds { 0.25 } else { 0.2 },
        bloom: None,
        generated: false,
    })
}

/// The sentence with one word turned; `None` when none or several could be.
fn turn(sentence: &str) -> Option<String> {
    let padded = format!(" {} ", sentence.trim_end_matches('.'));
    let pairs = TURNED.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]).filter(|(from, _)| *from != "can");
    let mut found = pairs.filter(|(from, to)| {
        padded.matches(&format!(" {from} ")).count() == 1
            && !padded.contains(&format!(" {to} "))
            && !padded.contains(" not ")
    });
    let (from, to) = found.next().or_else(|| {
        let at = COUNTS.iter().position(|count| padded.matches(&format!(" {count} ")).count() == 1)?;
        // One and two are also no numbers: "one of", "the two".
        let counted = [" has ", " have ", " takes "]
            .iter()
            .any(|verb| padded.contains(&format!("{verb}{} ", COUNTS.get(at).unwrap_or(&""))));
        counted.then_some((*COUNTS.get(at)?, *COUNTS.get(at + 1).or_else(|| COUNTS.get(at.checked_sub(1)?))?))
    })?;
    Some(padded.replacen(&format!(" {from} "), &format!(" {to} "), 1).trim().to_owned())
}

/// Rules: sentences that stand alone, say what must or cannot be, and can be turned by a word.
fn of_rules(course: &Course<'_>) -> Vec<Made> {
    let known: HashSet<(usize, usize)> = course.facts.iter().map(|fact| (fact.passage, fact.span.start)).collect();
    let mut made = Vec::new();
    for (index, passage) in course.passages.iter().enumerate().filter(|(_, p)| !p.chunk.flagged) {
        for sentence in &passage.chunk.sentences {
            let words = passage.chunk.sentence_text(sentence);
            let count = words.split_whitespace().count();
            let first = words.split_whitespace().next().map(bare).unwrap_or_default();
            if !(7..=24).contains(&count)
                || !words.ends_with('.')
                || !stands_alone(words)
                || words.contains(['(', ':', ';', '\u{201c}', '=', '\u{2014}', '{', '|'])
                || known.contains(&(index, sentence.start))
                || first.ends_with("ing")
                || verb(&first) == Some(true)
                || words.starts_with("The first ")
                || !words.split(' ').any(|w| RULING.contains(&bare(w).as_str()))
                || words.split_whitespace().any(|w| {
                    matches!(
                        bare(w).as_str(),
                        "you" | "your" | "might" | "probably" | "instead" | "me" | "my" | "would"
                    )
                })
                || course.facts.is_empty()
                || words.split_whitespace().any(|w| course.lexicon.local(w, false))
            {
                continue;
            }
            let Some(turned) = turn(words) else { continue };
            let holds = mix(course.seed, words).is_multiple_of(2);
            let stems = text::terms(words);
            let known_words = stems.iter().filter(|stem| course.lexicon.common(stem)).count();
            if known_words * 2 < stems.len() {
                continue;
            }
            made.push(Made {
                stem: statement(if holds { words } else { &turned }),
                kind: Kind::Truth { holds, why: format!("The course says: \u{201c}{words}\u{201d}") },
                about: stems.into_iter().take(3).collect::<Vec<_>>().join(" "),
                passage: index,
                span: sentence.start..sentence.end,
                worth: 1.05,
                bloom: None,
                generated: false,
            });
        }
    }
    made
}
