//! Turned meaning: negations, opposites, and a single word put in another's place.

use std::collections::HashSet;

use domain::text::{is_stop_word, terms};

use super::{Refused, plain_words};

const NEGATORS: &[&str] = &[
    "not", "no", "never", "none", "neither", "nor", "cannot", "without", "nothing", "nobody", "nowhere", "hardly",
    "rarely", "isnt", "dont", "cant", "wont", "doesnt",
];

/// Words that turn a sentence when one stands for the other.
const OPPOSITES: &[(&str, &str)] = &[
    ("always", "never"),
    ("all", "none"),
    ("all", "some"),
    ("before", "after"),
    ("more", "less"),
    ("more", "fewer"),
    ("most", "least"),
    ("must", "may"),
    ("must", "can"),
    ("must", "should"),
    ("increase", "decrease"),
    ("increases", "decreases"),
    ("increased", "decreased"),
    ("true", "false"),
    ("allow", "forbid"),
    ("allows", "forbids"),
    ("allow", "prevent"),
    ("allows", "prevents"),
    ("allowed", "forbidden"),
    ("required", "optional"),
    ("same", "different"),
    ("faster", "slower"),
    ("fast", "slow"),
    ("larger", "smaller"),
    ("large", "small"),
    ("higher", "lower"),
    ("high", "low"),
    ("above", "below"),
    ("first", "last"),
    ("begin", "end"),
    ("begins", "ends"),
    ("start", "end"),
    ("start", "stop"),
    ("starts", "stops"),
    ("open", "close"),
    ("opens", "closes"),
    ("enable", "disable"),
    ("enables", "disables"),
    ("enabled", "disabled"),
    ("add", "remove"),
    ("adds", "removes"),
    ("added", "removed"),
    ("push", "pop"),
    ("success", "failure"),
    ("succeeds", "fails"),
    ("succeed", "fail"),
    ("public", "private"),
    ("left", "right"),
    ("up", "down"),
    ("inside", "outside"),
    ("with", "without"),
    ("include", "exclude"),
    ("includes", "excludes"),
    ("accept", "reject"),
    ("accepts", "rejects"),
    ("read", "write"),
    ("reads", "writes"),
    ("input", "output"),
    ("stack", "heap"),
    ("static", "dynamic"),
    ("strong", "weak"),
    ("early", "late"),
    ("easy", "hard"),
    ("good", "bad"),
    ("better", "worse"),
    ("best", "worst"),
    ("gain", "lose"),
    ("positive", "negative"),
    ("minimum", "maximum"),
    ("any", "no"),
    ("every", "no"),
    ("each", "no"),
    ("only", "also"),
    ("shared", "exclusive"),
    ("parent", "child"),
    ("caller", "callee"),
    ("client", "server"),
    ("ignore", "follow"),
];

const PREFIXES: &[&str] = &["un", "im", "in", "non", "dis", "ir", "il", "mis", "de", "anti"];

/// A negation or opposite that the source does not have, or one of the source that went missing.
pub(super) fn turned(claim: &str, window: &str, whole: &str) -> Result<(), Refused> {
    let claimed = plain_words(claim);
    let carried = plain_words(window);
    let known: HashSet<String> = plain_words(whole).into_iter().collect();
    let ours: HashSet<&String> = claimed.iter().collect();
    let theirs: HashSet<&String> = carried.iter().collect();
    for (one, other) in OPPOSITES {
        for (a, b) in [(one, other), (other, one)] {
            let has = |set: &HashSet<&String>, word: &str| set.contains(&word.to_owned());
            if has(&ours, a) && !has(&theirs, a) && has(&theirs, b) && !has(&ours, b) {
                return Err(Refused::Turned);
            }
        }
    }
    for word in ours.iter().filter(|word| !known.contains(**word)) {
        let opposed = PREFIXES.iter().any(|prefix| {
            word.strip_prefix(prefix).is_some_and(|rest| rest.len() > 3 && known.contains(rest))
                || known.contains(&format!("{prefix}{word}"))
        });
        if opposed && word.len() > 3 {
            return Err(Refused::Turned);
        }
    }
    let source = negations(&carried);
    let mut said = negations(&claimed);
    said.narrow(&source);
    if said.count > 0 && source.count == 0 || said.count == 0 && source.count > 0 && touches(&claimed, &source.negated)
    {
        return Err(Refused::Turned);
    }
    let plain: HashSet<String> =
        claimed.iter().filter(|word| !is_stop_word(word)).flat_map(|word| terms(word)).collect();
    let everywhere: HashSet<String> = terms(window).into_iter().collect();
    let wrongly_said = said.negated.iter().any(|term| everywhere.contains(term) && !source.negated.contains(term));
    let dropped = source
        .negated
        .iter()
        .any(|term| plain.contains(term) && !said.negated.contains(term) && !source.affirmed.contains(term));
    if wrongly_said || dropped { Err(Refused::Turned) } else { Ok(()) }
}

#[derive(Default)]
struct Negations {
    count: usize,
    negated: HashSet<String>,
    affirmed: HashSet<String>,
    /// The terms that follow each negator, further than its reach.
    following: Vec<Vec<String>>,
}

impl Negations {
    /// Where a negator of ours is followed by the very terms that one of theirs negates, with words set in between,
    /// it negates those terms and not the words in between.
    fn narrow(&mut self, theirs: &Self) {
        let plain = |ours: &&Vec<String>| theirs.following.iter().all(|pair| pair.get(..REACH) != ours.get(..REACH));
        for ours in self.following.iter().filter(plain) {
            for pair in theirs.following.iter().filter_map(|terms| terms.get(..REACH)) {
                let mut rest = ours.iter();
                // The word right after the negator is the same: only what follows it was set apart.
                if ours.first() == pair.first() && pair.iter().all(|term| rest.any(|other| other == term)) {
                    for between in ours.iter().take(REACH).filter(|term| !pair.contains(term)) {
                        self.negated.remove(between);
                    }
                    self.negated.extend(pair.iter().cloned());
                }
            }
        }
    }
}

/// Terms that a negator reaches: "not be dropped", "no garbage collector".
const REACH: usize = 2;
/// Terms after a negator among which those that it negates are looked for.
const NEAR: usize = 4;

/// The terms that follow a negator closely, and those that do not.
fn negations(words: &[String]) -> Negations {
    let mut found = Negations::default();
    let mut reach = 0;
    for (i, word) in words.iter().enumerate() {
        let only = words.get(i + 1).is_some_and(|next| matches!(next.as_str(), "only" | "just" | "merely"));
        if NEGATORS.contains(&word.as_str()) && !only {
            found.count += 1;
            let after = words.get(i + 1..).unwrap_or_default();
            let after = after.iter().take_while(|word| !NEGATORS.contains(&word.as_str()));
            found.following.push(after.flat_map(|word| terms(word)).take(NEAR).collect());
            reach = REACH;
            continue;
        }
        for term in terms(word) {
            if reach > 0 {
                found.negated.insert(term);
                reach -= 1;
            } else {
                found.affirmed.insert(term);
            }
        }
    }
    found
}

fn touches(words: &[String], negated: &HashSet<String>) -> bool {
    words.iter().flat_map(|word| terms(word)).any(|term| negated.contains(&term))
}

/// Words that give what stands before and after them different parts to play.
const PIVOTS: &[&str] = &["than", "before", "after", "to"];
/// Terms after a pivot that belong to it.
const SIDE: usize = 3;

/// The two sides of a comparison, an order in time or a way "from ... to ..." change places.
pub(super) fn swapped(claim: &str, whole: &str) -> Result<(), Refused> {
    for (pivot, before, after) in sides(claim) {
        for (_, was_before, was_after) in whole.lines().flat_map(sides).filter(|(other, _, _)| *other == pivot) {
            let moved = |here: &[String], there: &[String], not: &[String]| {
                here.iter().any(|term| there.contains(term) && !not.contains(term))
            };
            if moved(&after, &was_before, &was_after) && moved(&before, &was_after, &was_before) {
                return Err(Refused::Turned);
            }
        }
    }
    Ok(())
}

/// Each pivot of a sentence with the terms before it and those close after it; "to" counts after "from" alone.
fn sides(sentence: &str) -> Vec<(&'static str, Vec<String>, Vec<String>)> {
    let words = plain_words(sentence);
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Some(pivot) = PIVOTS.iter().find(|pivot| *pivot == word) else { continue };
        let before = words.get(..at).unwrap_or_default();
        if *pivot == "to" && !before.iter().rev().take(4).any(|word| word == "from") {
            continue;
        }
        let before = before.iter().flat_map(|word| terms(word)).collect();
        let after = words.get(at + 1..).unwrap_or_default().iter().flat_map(|word| terms(word)).take(SIDE).collect();
        found.push((*pivot, before, after));
    }
    found
}

/// One word between the same neighbours as in the source, but another word.
pub(super) fn replaced(claim: &str, whole: &str) -> Result<(), Refused> {
    let ours = terms(claim);
    let known: HashSet<String> = terms(whole).into_iter().collect();
    let sentences: Vec<Vec<String>> = whole.lines().map(terms).collect();
    for (i, term) in ours.iter().enumerate() {
        let before = i.checked_sub(1).and_then(|at| ours.get(at));
        let after = ours.get(i + 1);
        if before.is_none() && after.is_none() {
            continue;
        }
        // At the edges the two neighbours on one side stand for both.
        let replaced = sentences.iter().any(|sentence| {
            !sentence.contains(term)
                && sentence.iter().enumerate().any(|(j, other)| {
                    let left = j.checked_sub(1).and_then(|at| sentence.get(at));
                    let right = sentence.get(j + 1);
                    // A word that the claim has elsewhere was moved, not replaced.
                    other != term
                        && !ours.contains(other)
                        && match (before, after) {
                            (Some(b), Some(a)) => left == Some(b) && right == Some(a),
                            (Some(b), None) => {
                                left == Some(b)
                                    && right.is_none()
                                    && i.checked_sub(2).and_then(|at| ours.get(at))
                                        == j.checked_sub(2).and_then(|at| sentence.get(at))
                            }
                            (None, Some(a)) => {
                                right == Some(a) && left.is_none() && ours.get(i + 2) == sentence.get(j + 2)
                            }
                            (None, None) => false,
                        }
                })
        });
        // The same claim may be the plain words of another sentence of the source.
        let said_elsewhere = sentences
            .iter()
            .any(|sentence| sentence.windows(2).any(|pair| pair.first() == before && pair.get(1) == Some(term)))
            && known.contains(term)
            && before.is_some();
        if replaced && !said_elsewhere {
            return Err(Refused::Replaced);
        }
    }
    Ok(())
}
