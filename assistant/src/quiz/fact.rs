//! Facts of a course as its sentences state them: a term and what is said of it, with the place.

use std::collections::HashSet;
use std::ops::Range;

use domain::text;

use super::Passage;
use super::lexicon::Lexicon;
use super::words::{
    bare, code, is_class, is_empty_predicate, is_empty_subject, lower_first, plural, stands_alone, verb,
    verb as verb_of,
};

/// How a sentence states its fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// "A package is a bundle of crates."
    Is,
    /// "The cmp method compares two values."
    Does,
    /// "Global variables are called static variables."
    Called,
}

/// A term and what one sentence says of it.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub form: Form,
    /// The term alone: "package", "cmp", "static variables".
    pub term: String,
    /// The term with its article and class as the sentence has it: "A package", "The cmp method".
    pub subject: String,
    /// "method", "trait"; empty when the sentence names none.
    pub class: String,
    /// "is", "are", "compares".
    pub verb: String,
    /// What is said, without the full stop.
    pub predicate: String,
    pub plural: bool,
    /// Which passage, and the bytes of the sentence in its text.
    pub passage: usize,
    pub span: Range<usize>,
    /// How much the fact promises to be worth asking.
    pub worth: f64,
}

impl Fact {
    pub(super) fn sentence<'p>(&self, passages: &'p [Passage]) -> &'p str {
        passages.get(self.passage).and_then(|p| p.chunk.text.get(self.span.clone())).unwrap_or_default()
    }
}

/// All facts of the passages, in document order.
pub(super) fn facts(passages: &[Passage], lexicon: &Lexicon) -> Vec<Fact> {
    let mut facts = Vec::new();
    for (index, passage) in passages.iter().enumerate() {
        if passage.chunk.flagged {
            continue;
        }
        for sentence in &passage.chunk.sentences {
            let span = sentence.start..sentence.end;
            let words = passage.chunk.text.get(span.clone()).unwrap_or_default();
            let count = words.split_whitespace().count();
            if !(6..=34).contains(&count) || !words.ends_with('.') || words.contains(" | ") {
                continue;
            }
            if !stands_alone(words) || text::sentences(words).len() != 1 {
                continue;
            }
            let found = called(words).or_else(|| is_or_does(words));
            if let Some((form, subject, class, term, verb, predicate, many)) = found {
                let predicate = clause(&predicate).to_owned();
                let mut names = term.split(' ');
                let (head, second) = (names.next().unwrap_or_default(), names.next());
                let subject_of_all = lexicon.everywhere(head)
                    && second.is_some_and(|word| {
                        !class.is_empty() || verb_of(word).is_some() || word.starts_with("install")
                    });
                if subject_of_all || predicate.split_whitespace().count() < 4 {
                    continue;
                }
                if lexicon.local(&term, !class.is_empty())
                    || predicate.split_whitespace().any(|w| lexicon.local(w, false))
                {
                    continue;
                }
                let mut fact = Fact {
                    form,
                    term,
                    subject,
                    class,
                    verb,
                    predicate,
                    plural: many,
                    passage: index,
                    span,
                    worth: 0.0,
                };
                fact.worth = worth(&fact, words, lexicon);
                facts.push(fact);
            }
        }
    }
    facts
}

type Found = (Form, String, String, String, String, String, bool);

/// "SUBJECT is called TERM."
fn called(sentence: &str) -> Option<Found> {
    const LINKS: &[&str] = &[
        " is called ",
        " are called ",
        " is known as ",
        " are known as ",
        " is often called ",
        " are often called ",
        " is also called ",
        " are also called ",
        " is referred to as ",
        " are referred to as ",
        " is commonly called ",
        " are commonly called ",
        " is sometimes called ",
        " are sometimes called ",
    ];
    let (link, at) = LINKS.iter().find_map(|link| sentence.find(link).map(|at| (*link, at)))?;
    let subject = sentence.get(..at)?;
    let rest = sentence.get(at + link.len()..)?;
    let end = rest
        .find([',', ';', '(', '\u{2014}', ':'])
        .or_else(|| {
            [" because ", " and ", " or ", " since ", " as ", " when "].iter().filter_map(|w| rest.find(w)).min()
        })
        .unwrap_or(rest.len());
    let term = rest.get(..end)?.trim().trim_end_matches('.');
    let term = term
        .strip_prefix("a ")
        .or_else(|| term.strip_prefix("an "))
        .or_else(|| term.strip_prefix("the "))
        .unwrap_or(term);
    let term = term.trim_matches(['\u{201c}', '\u{201d}', '"']);
    let (subject_words, term_words) = (subject.split_whitespace().count(), term.split_whitespace().count());
    if !(2..=20).contains(&subject_words) || !(1..=4).contains(&term_words) || subject.contains([',', ';', ':']) {
        return None;
    }
    let bare_subject: Vec<String> = subject.split_whitespace().map(bare).collect();
    let opened = bare_subject.first().is_some_and(|w| matches!(w.as_str(), "a" | "an" | "the"));
    // "The function is called drop" names a thing; it says nothing about what it is.
    if subject_words - usize::from(opened) < 2 || term.contains("the") && term.starts_with("the") {
        return None;
    }
    let verb = link.trim().split(' ').next()?;
    let overlap: HashSet<String> = text::terms(subject).into_iter().collect();
    if text::terms(term).iter().all(|stem| overlap.contains(stem)) || text::terms(term).is_empty() {
        return None;
    }
    Some((Form::Called, subject.into(), String::new(), term.into(), verb.into(), lower_first(subject), verb == "are"))
}

/// "SUBJECT is PREDICATE." or "SUBJECT verb PREDICATE."
fn is_or_does(sentence: &str) -> Option<Found> {
    let tokens: Vec<&str> = sentence.split(' ').collect();
    let opened = matches!(tokens.first().copied(), Some("A" | "An" | "The"));
    let start = usize::from(opened);
    for at in start + 1..=start + 4 {
        let token = *tokens.get(at)?;
        let word = bare(token);
        if token.ends_with([',', ':', ';']) {
            return None;
        }
        let linking = matches!(token, "is" | "are");
        let doing = if linking { None } else { verb(&word).filter(|_| token.chars().all(char::is_lowercase)) };
        if !linking && doing.is_none() {
            continue;
        }
        // "Unit tests are", "Integration tests check": the first of the two is a noun.
        let next = tokens.get(at + 1).map(|next| bare(next)).unwrap_or_default();
        let second = matches!(
            next.as_str(),
            "is" | "are" | "can" | "has" | "have" | "must" | "will" | "of" | "should" | "only" | "also" | "cannot"
        );
        if !linking && (second || token.ends_with('s') && verb(&next) == Some(true) && next != "set") {
            continue;
        }
        let rest = tokens.get(at + 1..)?.join(" ");
        let predicate = rest.trim_end_matches('.').to_owned();
        let names: Vec<&str> = tokens.get(start..at)?.to_vec();
        if names.iter().any(|name| name.ends_with(',')) {
            return None;
        }
        let bare_names: Vec<String> = names.iter().map(|name| bare(name)).collect();
        let classed = names.len() >= 2 && bare_names.last().is_some_and(|last| is_class(last)) && opened;
        let many = if linking { token == "are" } else { doing == Some(true) };
        // A plain noun before a base verb must be plural: "Closures capture", not "The borrow check".
        if !linking && doing == Some(true) && !plural(names.last()?) {
            continue;
        }
        if !linking && doing == Some(false) && plural(names.last()?) && !code(names.last()?) {
            continue;
        }
        let opens = predicate.split(' ').next().unwrap_or_default();
        let outward = predicate.split(' ').take(3).map(bare).any(|word| {
            matches!(word.as_str(), "similar" | "another" | "third" | "other" | "others" | "following" | "certain")
        });
        if outward && !linking {
            return None;
        }
        let perfect =
            matches!(token, "has" | "have") && ["ed", "en"].iter().any(|end| opens.ends_with(end)) && opens != "seven";
        if predicate.split_whitespace().count() < 4 || perfect {
            return None;
        }
        let (term, class) = if classed {
            (names.get(..names.len() - 1)?.join(" "), bare_names.last()?.clone())
        } else {
            (names.join(" "), String::new())
        };
        if is_empty_subject(&bare_names, classed) || term.is_empty() {
            return None;
        }
        let subject = tokens.get(..at)?.join(" ");
        if linking {
            let defining = matches!(opens, "a" | "an" | "the")
                || many
                    && !predicate.contains(" is ")
                    && matches!(
                        bare(opens).as_str(),
                        "values"
                            | "functions"
                            | "types"
                            | "programs"
                            | "pieces"
                            | "data"
                            | "items"
                            | "blocks"
                            | "structures"
                    )
                || classed && matches!(opens, "used" | "similar" | "defined" | "needed");
            if !defining || is_empty_predicate(&predicate) {
                return None;
            }
            // What "the" says of a bare thing is about one case: "The capacity is the total amount".
            return Some((Form::Is, subject, class, term, token.into(), predicate, many));
        }
        // Without a class, only names and things in general: "Cargo builds", "Closures capture", not "The thread waits".
        if !classed && opened && tokens.first() == Some(&"The") {
            return None;
        }
        return Some((Form::Does, subject, class, term, token.into(), predicate, many));
    }
    None
}

/// The first clause of a predicate, when what follows only adds to it.
fn clause(predicate: &str) -> &str {
    const ADDING: &[&str] = &[
        ": ",
        "; ",
        " \u{2014}",
        "\u{2014}",
        ", which ",
        ", so ",
        ", meaning ",
        ", but ",
        ", because ",
        ", and it ",
        ", though ",
        ", where ",
        ", as in ",
        ", and one ",
        ", and the ",
        ", and then ",
        " (",
        ". ",
        ", since ",
        ", whereby ",
    ];
    let cuts = ADDING.iter().filter_map(|mark| predicate.find(mark));
    let cut = cuts.filter(|at| predicate.get(..*at).is_some_and(|head| head.split_whitespace().count() >= 4)).min();
    let cut = cut.and_then(|at| predicate.get(..at)).unwrap_or(predicate);
    // A second clause with a subject of its own says nothing of this one.
    let second = cut.match_indices(", and ").map(|(at, _)| at).find(|at| {
        let rest: Vec<String> = cut.get(at + 6..).unwrap_or_default().split(' ').take(4).map(bare).collect();
        rest.iter().skip(1).any(|word| verb_of(word) == Some(false) || matches!(word.as_str(), "is" | "are"))
    });
    second.and_then(|at| cut.get(..at)).unwrap_or(cut)
}

fn worth(fact: &Fact, sentence: &str, lexicon: &Lexicon) -> f64 {
    let mut worth = match fact.form {
        Form::Is => 1.0,
        Form::Called => 1.2,
        Form::Does => 0.7,
    };
    let documents = lexicon.documents(&fact.term);
    if lexicon.stressed(&fact.term) {
        worth += 0.6;
    }
    if lexicon.heading(&fact.term) {
        worth += 0.3;
    }
    worth += match documents {
        0 | 1 => -0.5,
        2 => 0.0,
        _ => 0.3,
    };
    let count = fact.predicate.split_whitespace().count();
    worth += if (6..=22).contains(&count) { 0.3 } else { -0.3 };
    if sentence.contains(['(', ';', ':', '\u{201c}', '{', '=', '\u{2014}']) {
        worth -= 0.4;
    }
    let codes = fact.predicate.split_whitespace().filter(|word| code(word.trim_matches(['.', ',']))).count();
    worth -= 0.2 * codes as f64;
    let own = lexicon.documents(&fact.predicate) == 0;
    if own {
        worth -= 0.2;
    }
    let opened = fact.subject.starts_with("The ");
    if opened && fact.class.is_empty() && !lexicon.stressed(&fact.term) {
        worth -= 0.5;
    }
    if fact.predicate.split_whitespace().any(|w| matches!(bare(w).as_str(), "your" | "you" | "you'll" | "you're")) {
        worth -= 0.1;
    }
    worth
}
