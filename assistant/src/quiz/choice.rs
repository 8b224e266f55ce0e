//! Multiple choice: the term for a definition, and the definition of a term.

use std::collections::HashSet;

use super::course::Course;
use super::fact::{Fact, Form};
use super::lexicon::fold;
use super::words::{bare, upper_first};
use super::{Choice, Kind, Made, mix};

/// Wrong options of a question.
const WRONG: usize = 3;
/// Fewest that make a question.
const FEWEST: usize = 2;
/// Verbs that say what something is like rather than what it does.
const PASSIVE: &[&str] = &[
    "has", "have", "needs", "need", "contains", "contain", "means", "mean", "consists", "consist", "depends", "depend",
    "refers", "refer", "belongs", "belong", "requires", "require", "expects", "expect", "works", "work", "becomes",
    "become",
];
/// Facts worth less are not asked for.
const LEAST: f64 = 0.9;

pub(super) fn make(course: &Course<'_>) -> Vec<Made> {
    let facts = course.facts.iter().filter(|fact| fact.worth >= LEAST && !course.lexicon.everywhere(&fact.term));
    facts.flat_map(|fact| [term(course, fact), definition(course, fact)]).flatten().collect()
}

/// The question that asks for the term of a fact.
pub(super) fn asked(fact: &Fact) -> String {
    let (verb, predicate) = (&fact.verb, &fact.predicate);
    match (fact.form, fact.class.as_str()) {
        (Form::Called, _) => format!("What {verb} {predicate} called?"),
        (Form::Is | Form::Does, "") => format!("Which of these {verb} {predicate}?"),
        (Form::Is | Form::Does, class) => format!("Which {class} {verb} {predicate}?"),
    }
}

/// Whether words of the term stand in what is said of it: then the stem gives it away.
pub(super) fn gives_away(fact: &Fact) -> bool {
    let said: HashSet<String> = fold(&fact.predicate).split(' ').map(str::to_owned).collect();
    fold(&fact.term).split(' ').any(|stem| said.contains(stem))
        || fact.predicate.split_whitespace().any(|word| bare(word) == bare(&fact.term))
}

fn term(course: &Course<'_>, fact: &Fact) -> Option<Made> {
    if gives_away(fact)
        || fact.predicate.split(' ').count() < 5 && fact.form != Form::Called
        || fact.form == Form::Is && fact.class.is_empty() && fact.predicate.starts_with("used")
    {
        return None;
    }
    let mut options = vec![Choice {
        text: course.name(fact),
        right: true,
        why: format!("\u{201c}{}\u{201d}", fact.sentence(course.passages)),
    }];
    for other in course.rivals(fact) {
        if options.len() > WRONG {
            break;
        }
        let words = |text: &str| text.split_whitespace().count();
        if course.could_be(&other.term, &fact.predicate)
            || words(&other.term).abs_diff(words(&fact.term)) > 1
            || fact.predicate.to_lowercase().contains(&other.term.to_lowercase())
        {
            continue;
        }
        let why = format!("The course says: \u{201c}{}\u{201d}", other.sentence);
        options.push(Choice { text: other.term, right: false, why });
    }
    finish(course, fact, asked(fact), options, fact.worth)
}

fn definition(course: &Course<'_>, fact: &Fact) -> Option<Made> {
    if fact.form == Form::Called {
        return None;
    }
    let length = |text: &str| text.chars().count() as f64;
    let own = length(&fact.predicate);
    let said = |fact: &Fact| match fact.form {
        Form::Is if fact.class.is_empty() => upper_first(&fact.predicate),
        _ if fact.plural => format!("They {} {}", fact.verb, fact.predicate),
        _ => format!("It {} {}", fact.verb, fact.predicate),
    };
    let mut options = vec![Choice {
        text: said(fact),
        right: true,
        why: format!("\u{201c}{}\u{201d}", fact.sentence(course.passages)),
    }];
    let mut longest = false;
    for other in course.siblings(fact) {
        if options.len() > WRONG {
            break;
        }
        let theirs = length(&other.predicate);
        let shared = fold(&other.predicate).split(' ').any(|stem| fold(&fact.term).split(' ').any(|own| own == stem));
        if other.form != fact.form
            || shared
            || !(0.5..=1.9).contains(&(theirs / own))
            || course.could_be(&fact.term, &other.predicate)
            || gives_away(other)
        {
            continue;
        }
        longest |= theirs >= own;
        options.push(Choice {
            text: said(other),
            right: false,
            why: format!("That is said of {}.", course.inside(other)),
        });
    }
    if !longest || gives_away(fact) {
        return None;
    }
    let subject = course.inside(fact);
    let stem = match (fact.form, fact.plural) {
        (Form::Is, _) if fact.class.is_empty() => format!("What {} {subject}?", fact.verb),
        (Form::Does, false) if !PASSIVE.contains(&fact.verb.as_str()) => format!("What does {subject} do?"),
        (Form::Does, true) if !PASSIVE.contains(&fact.verb.as_str()) => format!("What do {subject} do?"),
        _ => format!("Which of these is true of {subject}?"),
    };
    finish(course, fact, stem, options, fact.worth - 0.15)
}

fn finish(course: &Course<'_>, fact: &Fact, stem: String, mut options: Vec<Choice>, worth: f64) -> Option<Made> {
    if options.len() <= FEWEST {
        return None;
    }
    options.sort_by_key(|option| mix(course.seed, &format!("{stem}{}", option.text)));
    Some(Made {
        stem,
        kind: Kind::One(options),
        about: fold(&fact.term),
        passage: fact.passage,
        span: fact.span.clone(),
        worth,
        bloom: None,
        generated: false,
    })
}
