//! Questions without options: short answers, gaps and numbers.

use domain::text;

use super::choice::gives_away;
use super::course::Course;
use super::fact::{Fact, Form};
use super::lexicon::fold;
use super::words::{bare, code, stands_alone, upper_first};
use super::{Kind, Made};

/// Facts worth less are not asked for.
const LEAST: f64 = 1.2;

pub(super) fn make(course: &Course<'_>) -> Vec<Made> {
    let facts = course.facts.iter().filter(|fact| {
        fact.worth >= LEAST && !gives_away(fact) && !course.lexicon.everywhere(&fact.term) && !code(&fact.term)
    });
    let mut made: Vec<Made> = facts.flat_map(|fact| [short(course, fact), cloze(course, fact)]).flatten().collect();
    made.extend(numbers(course));
    made
}

/// The term and the same in the other number.
fn accepted(term: &str) -> Vec<String> {
    let mut all = vec![term.to_owned()];
    match term.strip_suffix('s') {
        Some(one) if !one.ends_with('s') => all.push(one.to_owned()),
        _ => all.push(format!("{term}s")),
    }
    all
}

fn short(course: &Course<'_>, fact: &Fact) -> Option<Made> {
    let stem = match (fact.form, fact.class.as_str()) {
        (Form::Called, _) => format!("What {} {} called?", fact.verb, fact.predicate),
        (Form::Is, "") => format!("Which term does the course use for {}?", fact.predicate),
        (Form::Does, "") => return None,
        _ if fact.plural => return None,
        (Form::Is | Form::Does, class) => format!("Which {class} {} {}? Give its name.", fact.verb, fact.predicate),
    };
    if fact.form == Form::Is && fact.predicate.split_whitespace().count() < 6 {
        return None;
    }
    // Without options there must be one name for it.
    if fact.form == Form::Does && fact.predicate.split_whitespace().count() < 6 {
        return None;
    }
    let term = course.name(fact);
    Some(Made {
        stem,
        kind: Kind::Short { accepted: if fact.class.is_empty() { accepted(&term) } else { vec![term] } },
        about: fold(&fact.term),
        passage: fact.passage,
        span: fact.span.clone(),
        worth: fact.worth - if fact.form == Form::Does { 0.3 } else { 0.1 },
        bloom: None,
        generated: false,
    })
}

fn cloze(course: &Course<'_>, fact: &Fact) -> Option<Made> {
    if fact.form == Form::Is && fact.predicate.split_whitespace().count() < 6 {
        return None;
    }
    let term = course.name(fact);
    let (before, after) = match (fact.form, fact.class.as_str()) {
        (Form::Called, _) => (format!("{} {} called ", fact.subject, fact.verb), ".".to_owned()),
        (Form::Is, "") if fact.subject == fact.term => (String::new(), format!(" {} {}.", fact.verb, fact.predicate)),
        (Form::Is, "") => {
            let article = if fact.subject.starts_with("The ") { "The" } else { "A(n)" };
            (format!("{article} "), format!(" {} {}.", fact.verb, fact.predicate))
        }
        (Form::Does, "") => return None,
        (Form::Is | Form::Does, class) => ("The ".to_owned(), format!(" {class} {} {}.", fact.verb, fact.predicate)),
    };
    Some(Made {
        stem: "Fill the gap with the term that the course uses.".into(),
        kind: Kind::Cloze {
            before: upper_first(&before),
            after,
            accepted: if fact.class.is_empty() { accepted(&term) } else { vec![term] },
        },
        about: fold(&fact.term),
        passage: fact.passage,
        span: fact.span.clone(),
        worth: fact.worth - 0.2,
        bloom: None,
        generated: false,
    })
}

const UNITS: &[&str] = &[
    "bit",
    "bits",
    "byte",
    "bytes",
    "kilobytes",
    "percent",
    "hz",
    "hertz",
    "khz",
    "kilohertz",
    "ms",
    "milliseconds",
    "seconds",
    "minutes",
    "hours",
    "days",
    "weeks",
    "degrees",
    "grams",
    "metres",
    "meters",
    "centimetres",
    "decibels",
    "db",
    "semitones",
    "octaves",
    "cents",
    "litres",
    "kilometres",
    "people",
    "samples",
    "channels",
];

/// "A char is 4 bytes in size": the number, where one sentence stands for itself.
fn numbers(course: &Course<'_>) -> Vec<Made> {
    let mut made = Vec::new();
    for (index, passage) in course.passages.iter().enumerate().filter(|(_, p)| !p.chunk.flagged) {
        for sentence in &passage.chunk.sentences {
            let words = passage.chunk.sentence_text(sentence);
            let count = words.split_whitespace().count();
            if !(6..=28).contains(&count)
                || !words.ends_with('.')
                || !stands_alone(words)
                || words.contains(['{', '=', '"'])
            {
                continue;
            }
            let tokens: Vec<&str> = words.split(' ').collect();
            let numbers = tokens.iter().filter(|token| token.chars().any(|c| c.is_ascii_digit())).count();
            let found = tokens.iter().enumerate().find_map(|(at, token)| {
                let value: f64 = token.replace(',', "").parse().ok()?;
                let unit = bare(tokens.get(at + 1)?);
                UNITS.contains(&unit.as_str()).then_some((at, value))
            });
            let Some((at, value)) = found.filter(|_| numbers == 1) else { continue };
            // A number in the first words belongs to a case at hand.
            if at < 2 || tokens.iter().take(at).any(|token| code(token.trim_end_matches([',', '.']))) {
                continue;
            }
            let mut gap: Vec<&str> = tokens.clone();
            if let Some(slot) = gap.get_mut(at) {
                *slot = "____";
            }
            made.push(Made {
                stem: format!("Which number belongs in the gap? {}", gap.join(" ")),
                kind: Kind::Numeric { value },
                about: text::terms(words).into_iter().take(4).collect::<Vec<_>>().join(" "),
                passage: index,
                span: sentence.start..sentence.end,
                worth: 1.6,
                bloom: None,
                generated: false,
            });
        }
    }
    made
}
