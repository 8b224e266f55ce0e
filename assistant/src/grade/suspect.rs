//! What of an answer a person must see, whatever it scores: attacks, and the reference's words in another sense.
//!
//! Looked for before any points are computed and without them. A finding takes nothing away; it says where to look.

use std::collections::BTreeSet;

use domain::grade::Flag;
use domain::injection::{instruction_like, speaks_to_grader};
use domain::text::{invisible, is_stop_word, sentences, terms, words};

use super::Item;
use super::features::part;
use super::language::{in_order, negated, tokens};
use crate::check::{contradicts, other_number};

/// Words about grading, in the languages in which attacks were seen; an answer that uses two of them, or one beside a
/// number, speaks about its own grade. What question and reference say themselves does not count.
const GRADING: &[&str] = &[
    "assessor",
    "award",
    "bewerte",
    "calificacion",
    "correcteur",
    "correctness",
    "corrige",
    "credit",
    "examiner",
    "evaluation",
    "full",
    "grade",
    "graded",
    "grader",
    "grading",
    "mark",
    "marker",
    "markers",
    "marking",
    "marks",
    "maximum",
    "musterlosung",
    "note",
    "points",
    "punkte",
    "punktzahl",
    "puntos",
    "rate",
    "rated",
    "rubric",
    "score",
    "submission",
    "teacher",
    "verdict",
];
/// Marks of markup, templates and data that no sentence needs.
const MARKUP: &[&str] = &["<!--", "</", "/>", "```", "###", "{\"", "<|", "style="];
/// An unbroken run of letters and digits this long is no word.
const LONGEST_WORD: usize = 28;
const LEAST_HEX: usize = 6;
/// Shares of the reference's terms, and of them in its order, between which a list of key words is suspected.
const LISTED: f64 = 0.7;
const ORDERED: f64 = 0.55;
/// Less than this beyond the question is a repetition of it.
const REPEATED: f64 = 0.4;
/// Sentences from which an answer is searched for terms that stand far apart, and neighbours that should hold most.
const LONG: usize = 5;
const NEIGHBOURS: usize = 2;
const TOGETHER: f64 = 0.7;

/// Every reason to look, in the order of weight.
pub(super) fn flags(item: &Item) -> Vec<Flag> {
    let said = words(&item.answer);
    if said.is_empty() {
        return vec![Flag::Empty];
    }
    let references: Vec<&str> = item.reference_answers().collect();
    let tests = [
        (Flag::Instruction, instruction(item, &said)),
        (Flag::HiddenText, hidden(item)),
        (Flag::CopiedQuestion, copied_question(item, &references)),
        (Flag::CopiedReference, references.iter().any(|reference| copied(&said, &words(reference)))),
        (
            Flag::KeywordList,
            listed(&said)
                || references
                    .iter()
                    .any(|reference| shuffled(&item.answer, reference) || scattered(&item.answer, reference)),
        ),
        (Flag::Contradiction, references.iter().all(|reference| contradicts(&item.answer, reference))),
        (Flag::Negation, turned(item, &references)),
        (Flag::Numbers, references.iter().all(|reference| numbers_differ(&item.answer, reference))),
    ];
    tests.into_iter().filter(|(_, found)| *found).map(|(flag, _)| flag).collect()
}

/// Whether a flag is of an attack rather than of a doubt: nothing others were given lifts such an answer.
pub(super) fn attack(flag: Flag) -> bool {
    matches!(flag, Flag::Instruction | Flag::HiddenText | Flag::CopiedQuestion | Flag::KeywordList | Flag::Empty)
}

/// Speaks to whoever grades, in words or in code.
fn instruction(item: &Item, said: &[String]) -> bool {
    let asked: String =
        std::iter::once(item.question.as_str()).chain(item.reference_answers()).collect::<Vec<_>>().join("\n");
    let known: BTreeSet<String> = words(&asked).into_iter().collect();
    let about: BTreeSet<&String> =
        said.iter().filter(|word| GRADING.contains(&word.as_str()) && !known.contains(*word)).collect();
    let number = said.iter().any(|word| word.chars().all(|c| c.is_ascii_digit()) && !known.contains(word));
    about.len() >= 2
        || about.len() == 1 && number
        || instruction_like(&item.answer).is_some()
        || speaks_to_grader(&item.answer, &asked).is_some()
        || encoded(&item.answer, &asked)
}

/// Long runs that are no word, bytes in hexadecimal, or another script than the question's.
fn encoded(answer: &str, asked: &str) -> bool {
    let run = |part: &str| {
        part.len() >= LONGEST_WORD && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))
    };
    let hex = |part: &&str| part.len() == 2 && part.chars().all(|c| c.is_ascii_hexdigit());
    let foreign = |text: &str| text.chars().any(|c| c.is_alphabetic() && c > '\u{2fff}');
    answer.split_whitespace().any(|part| run(part) && !asked.contains(part))
        || answer.split_whitespace().filter(hex).count() >= LEAST_HEX
        || foreign(answer) && !foreign(asked)
}

fn hidden(item: &Item) -> bool {
    let asks = |mark: &str| item.question.contains(mark) || item.reference_answers().any(|text| text.contains(mark));
    item.answer.chars().any(invisible) || MARKUP.iter().any(|mark| item.answer.contains(mark) && !asks(mark))
}

/// Says little beyond the question, and not by way of a reference that does the same.
fn copied_question(item: &Item, references: &[&str]) -> bool {
    let set = |text: &str| -> BTreeSet<String> { terms(text).into_iter().collect() };
    let (given, asked) = (set(&item.answer), set(&item.question));
    let beyond: BTreeSet<&String> = given.difference(&asked).collect();
    let needed = references.iter().any(|reference| {
        let wanted = set(reference);
        let new: Vec<&String> = wanted.difference(&asked).collect();
        new.is_empty() || new.iter().any(|term| beyond.contains(term))
    });
    given.len() >= 3 && part(beyond.len(), given.len()) < REPEATED && !needed
}

fn copied(said: &[String], reference: &[String]) -> bool {
    said.len() >= 4 && reference.len() >= 4 && said.windows(reference.len()).any(|window| window == reference)
}

/// Hardly a word that joins others.
fn listed(said: &[String]) -> bool {
    let plain = said.iter().filter(|word| is_stop_word(word)).count();
    said.len() >= 6 && part(plain, said.len()) < 0.15
}

/// Most of the reference's terms, in another order than any sentence would have them.
fn shuffled(answer: &str, reference: &str) -> bool {
    let topics = |text: &str| tokens(text).into_iter().filter(|token| token.topic).collect::<Vec<_>>();
    let theirs = topics(reference);
    let known: BTreeSet<&str> = theirs.iter().map(|token| token.stem.as_str()).collect();
    let mut seen = BTreeSet::new();
    let ours: Vec<_> = topics(answer)
        .into_iter()
        .filter(|token| known.contains(token.stem.as_str()) && seen.insert(token.stem.clone()))
        .collect();
    ours.len() >= 6 && part(ours.len(), known.len()) >= LISTED && part(in_order(&ours, &theirs), ours.len()) < ORDERED
}

/// The reference's terms lie about in a long text, and no neighbouring sentences say what it says.
fn scattered(answer: &str, reference: &str) -> bool {
    let wanted: BTreeSet<String> = terms(reference).into_iter().collect();
    let held: Vec<BTreeSet<String>> = sentences(answer)
        .into_iter()
        .filter_map(|(start, end)| answer.get(start..end))
        .map(|sentence| terms(sentence).into_iter().filter(|term| wanted.contains(term)).collect())
        .collect();
    let count = |held: &[BTreeSet<String>]| held.iter().flatten().collect::<BTreeSet<_>>().len();
    let all = count(&held);
    let most = held.windows(NEIGHBOURS).map(count).max().unwrap_or(all);
    held.len() >= LONG && all >= 4 && part(most, all) < TOGETHER
}

/// Negated where no reference is, or not where all are, in words that are mostly theirs.
fn turned(item: &Item, references: &[&str]) -> bool {
    let ours = negated(&tokens(&item.answer));
    references.iter().all(|reference| negated(&tokens(reference)) != ours)
}

/// Lacks a number of the reference, or has another one in the same words.
fn numbers_differ(answer: &str, reference: &str) -> bool {
    let digits = |text: &str| -> BTreeSet<String> {
        words(text).into_iter().filter(|word| word.chars().all(|c| c.is_ascii_digit())).collect()
    };
    !digits(reference).is_subset(&digits(answer)) || other_number(answer, reference) || units_differ(answer, reference)
}

/// Another unit of time than the reference's.
fn units_differ(answer: &str, reference: &str) -> bool {
    const TIMES: &[&str] = &["second", "minut", "hour", "day", "week", "month", "year", "decad", "centuri"];
    let units = |text: &str| -> BTreeSet<String> {
        terms(text).into_iter().filter(|term| TIMES.contains(&term.as_str())).collect()
    };
    let (ours, theirs) = (units(answer), units(reference));
    !theirs.is_subset(&ours) && !ours.is_subset(&theirs)
}
