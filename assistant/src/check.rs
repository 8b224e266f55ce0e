//! The check of one drafted sentence against the passages that it cites.
//!
//! A filter for what must never be shown: sources that do not exist or do not carry the sentence,
//! numbers, names, quotes or links that do not stand there, and turned negations. It reads words,
//! not meaning: a sentence that passes is made of the source's words in the source's sense as far
//! as words can tell, and its citation quotes them beside it. Refusing a good sentence costs a
//! retry or the extract; that is the cheap mistake.

mod against;
mod tokens;
mod turn;

pub(crate) use against::{contradicts, other_number};

use std::collections::HashSet;

use domain::text::{terms, words};

use crate::reply::Claim;

/// What a claim is held against: one passage as the model was shown it.
#[derive(Debug, Clone)]
pub struct Source {
    /// `Chapter > Section`.
    pub heading: String,
    /// Its quotable sentences: index within the passage, words.
    pub sentences: Vec<(usize, String)>,
}

/// Why a sentence may not be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It names no source.
    #[error("a sentence cites no source")]
    Uncited,
    /// It names a source that was not given.
    #[error("a sentence cites a source that does not exist")]
    UnknownSource,
    /// Markup, links or invisible characters that the source does not have.
    #[error("a sentence holds markup or a link that its source does not have")]
    Markup,
    /// A number that the source does not have.
    #[error("a sentence holds a number that its source does not have")]
    Number,
    /// A name or identifier that the source does not have.
    #[error("a sentence holds a name that its source does not have")]
    Name,
    /// Words in quotation marks that the source does not have.
    #[error("a sentence quotes words that its source does not have")]
    Quote,
    /// A negation or opposite where the source has none, or the other way round.
    #[error("a sentence turns what its source says into its opposite")]
    Turned,
    /// A word of the source was replaced by another.
    #[error("a sentence replaces a word of its source")]
    Replaced,
    /// Too few of its words stand in the source.
    #[error("a sentence is not carried by its source")]
    Unsupported,
    /// Another source says it, the cited one does not.
    #[error("a sentence cites another source than the one that says it")]
    Misplaced,
}

/// Share of a sentence's words that its best passages must hold when meaning is compared too.
const SUPPORT: f64 = 0.5;
/// The same with words alone.
const SUPPORT_BY_WORDS: f64 = 0.67;
/// Cosine to the cited sentences below which a sentence is about something else.
const COSINE: f32 = 0.45;
/// Share that each single cited source must carry.
const SHARE_OF_EACH: f64 = 0.34;
/// By how much an uncited source may carry more than the cited ones.
const BETTER_ELSEWHERE: f64 = 0.2;
/// Stems that say nothing by themselves. Any other word that stands neither in the cited passages
/// nor in the question is refused: one swapped word is enough for a false sentence.
const GLUE: &[&str] = &[
    "mean", "way", "exampl", "call", "refer", "therefor", "thus", "howev", "thing", "explain", "describ", "say",
    "show", "known", "term",
];

/// Turns of phrase that only join clauses.
const JOINTS: &[&str] = &[" by the time ", " in order to ", " as a result ", " in this way ", " in other words "];
/// Inflections that the stemmer does not know: the form and its verb.
const IRREGULAR: &[(&str, &str)] = &[
    ("heard", "hear"),
    ("made", "make"),
    ("found", "find"),
    ("kept", "keep"),
    ("lost", "lose"),
    ("sent", "send"),
    ("built", "build"),
    ("held", "hold"),
    ("taken", "take"),
    ("took", "take"),
    ("given", "give"),
    ("gave", "give"),
    ("written", "write"),
    ("chosen", "choos"),
    ("broken", "break"),
    ("began", "begin"),
    ("begun", "begin"),
    ("told", "tell"),
    ("meant", "mean"),
    ("drawn", "draw"),
    ("grew", "grow"),
    ("grown", "grow"),
    ("shown", "show"),
];

/// Checks one claim; yields for each cited source its number and the sentences that carry the claim.
///
/// `cosine` is the highest similarity of the claim to a sentence of the cited sources, when a model
/// measured it.
///
/// # Errors
/// The first reason why it may not be shown.
pub fn check(
    claim: &Claim,
    sources: &[Source],
    question: &str,
    cosine: Option<f32>,
) -> Result<Vec<(usize, Vec<usize>)>, Refused> {
    if claim.cites.is_empty() {
        return Err(Refused::Uncited);
    }
    let mut cited = Vec::new();
    for number in &claim.cites {
        let source = number.checked_sub(1).and_then(|i| sources.get(i)).ok_or(Refused::UnknownSource)?;
        cited.push((*number, source));
    }
    let whole: String = cited.iter().map(|(_, source)| source.text()).collect::<Vec<_>>().join("\n");
    tokens::markup(&claim.text, &whole)?;
    tokens::quotes(&claim.text, &whole)?;
    tokens::numbers(&claim.text, &whole)?;
    tokens::names(&claim.text, &whole, question)?;

    let joined = JOINTS.iter().fold(claim.text.clone(), |text, joint| text.replace(joint, " when "));
    let said: HashSet<String> = terms(&joined).into_iter().collect();
    // Words that say nothing need no support, and give none; a sentence of nothing else is not carried.
    let claimed: HashSet<String> = said.iter().filter(|term| !GLUE.contains(&term.as_str())).cloned().collect();
    if claimed.is_empty() {
        return Err(Refused::Unsupported);
    }
    let mut carried: HashSet<&String> = HashSet::new();
    let mut carriers = Vec::new();
    let mut window = String::new();
    for (number, source) in &cited {
        let (share, at) = source.best_window(&claimed);
        if share < SHARE_OF_EACH {
            return Err(Refused::Unsupported);
        }
        let mut text = String::new();
        let mut indices = Vec::new();
        for (index, sentence) in source.sentences.get(at).unwrap_or_default() {
            text.push_str(sentence);
            text.push('\n');
            indices.push(*index);
        }
        let held: HashSet<String> = terms(&text).into_iter().chain(terms(&source.heading)).collect();
        carried.extend(claimed.iter().filter(|term| held.contains(*term)));
        window.push_str(&text);
        carriers.push((*number, indices));
    }
    let share = carried.len() as f64 / claimed.len() as f64;
    if share < cosine.map_or(SUPPORT_BY_WORDS, |_| SUPPORT) || cosine.is_some_and(|cosine| cosine < COSINE) {
        return Err(Refused::Unsupported);
    }
    let elsewhere = sources
        .iter()
        .enumerate()
        .filter(|(i, _)| !claim.cites.contains(&(i + 1)))
        .map(|(_, source)| source.best_window(&claimed).0)
        .fold(0.0, f64::max);
    if elsewhere > share + BETTER_ELSEWHERE {
        return Err(Refused::Misplaced);
    }
    turn::turned(&claim.text, &window, &whole)?;
    turn::swapped(&claim.text, &whole)?;
    turn::replaced(&claim.text, &whole)?;
    let known: HashSet<String> = terms(&whole).into_iter().chain(terms(question)).collect();
    let inflected = |term: &str| {
        IRREGULAR
            .iter()
            .any(|(form, verb)| (*form == term && known.contains(*verb)) || (*verb == term && known.contains(*form)))
    };
    if claimed.iter().any(|term| !known.contains(term) && !inflected(term)) {
        return Err(Refused::Unsupported);
    }
    Ok(carriers)
}

impl Source {
    fn text(&self) -> String {
        let mut text = self.heading.clone();
        for (_, sentence) in &self.sentences {
            text.push('\n');
            text.push_str(sentence);
        }
        text
    }

    /// The one to three following sentences that hold most of the terms, and their share.
    fn best_window(&self, claimed: &HashSet<String>) -> (f64, std::ops::Range<usize>) {
        let heading: HashSet<String> = terms(&self.heading).into_iter().collect();
        let held: Vec<HashSet<String>> =
            self.sentences.iter().map(|(_, text)| terms(text).into_iter().collect()).collect();
        let mut best = (0.0, 0..0);
        for width in 1..=3 {
            for (start, sentences) in held.windows(width).enumerate() {
                let inside = claimed.iter().filter(|term| sentences.iter().any(|held| held.contains(*term))).count();
                let above = claimed
                    .iter()
                    .filter(|term| heading.contains(*term) && !sentences.iter().any(|held| held.contains(*term)))
                    .count();
                // A heading names the subject; the sentences must carry the rest.
                let share = if inside == 0 { 0.0 } else { (inside + above) as f64 / claimed.len().max(1) as f64 };
                // A wider window must earn its width.
                let worth = share - 0.05 * (width - 1) as f64;
                if worth > best.0 {
                    best = (worth, start..start + width);
                }
            }
        }
        let width = best.1.len().saturating_sub(1);
        (best.0 + 0.05 * width as f64, best.1)
    }
}

/// Lower-case words with `n't` kept as a word `not`.
fn plain_words(text: &str) -> Vec<String> {
    let mut plain: Vec<String> = Vec::new();
    for word in words(text) {
        let negated =
            word == "t" && plain.last().is_some_and(|last| last.ends_with('n') && last != "in" && last != "on");
        if negated { plain.push("not".into()) } else { plain.push(word) }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Vec<Source> {
        let source = |heading: &str, sentences: &[&str]| Source {
            heading: heading.into(),
            sentences: sentences.iter().enumerate().map(|(i, s)| (i, (*s).to_owned())).collect(),
        };
        vec![
            source(
                "Ownership > Rules",
                &[
                    "Each value in Rust has an owner.",
                    "There can only be one owner at a time.",
                    "When the owner goes out of scope, the value will be dropped.",
                    "A mutable reference does not copy the value it points to.",
                ],
            ),
            source(
                "Threads > Joining",
                &[
                    "Call join on the handle returned by thread::spawn to wait for the spawned thread to finish.",
                    "Blocking the main thread for 10 milliseconds is shown in the \u{201c}first example\u{201d}.",
                ],
            ),
        ]
    }

    fn verdict(text: &str, cites: &[usize]) -> Result<(), Refused> {
        check(&Claim { text: text.into(), cites: cites.to_vec() }, &sources(), "Who owns a value?", None).map(|_| ())
    }

    #[test]
    fn what_the_source_says_passes() {
        for (text, cites) in [
            ("Each value in Rust has an owner.", &[1][..]),
            ("When its owner goes out of scope, a value is dropped.", &[1]),
            ("There can be only one owner at a time.", &[1]),
            ("Calling join on the handle returned by thread::spawn waits for the spawned thread.", &[2]),
            ("A mutable reference doesn't copy the value.", &[1]),
            ("This means that each value in Rust has an owner.", &[1]),
        ] {
            assert_eq!(verdict(text, cites), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_the_source_does_not_say_is_refused_by_name() {
        for (text, cites, reason) in [
            ("Each value in Rust has an owner.", &[][..], Refused::Uncited),
            ("Each value in Rust has an owner.", &[3], Refused::UnknownSource),
            ("Each value in Rust has an owner.", &[0], Refused::UnknownSource),
            ("Each value has an owner.", &[2], Refused::Unsupported),
            ("There can only be two owners at a time.", &[1], Refused::Number),
            ("Blocking the main thread for 100 milliseconds is shown.", &[2], Refused::Number),
            ("At 12:54 each value in Rust has an owner.", &[1], Refused::Number),
            ("Call thread::park on the handle returned to wait for the spawned thread to finish.", &[2], Refused::Name),
            ("Each value in Rust <b>has</b> an owner.", &[1], Refused::Markup),
            ("Each value in Rust has an owner, see https://evil.example/x.", &[1], Refused::Markup),
            ("Each value in Rust has an owner [here](evil).", &[1], Refused::Markup),
            ("Blocking the main thread is shown in the \u{201c}second example\u{201d}.", &[2], Refused::Quote),
            ("When the owner goes out of scope, the value will not be dropped.", &[1], Refused::Turned),
            ("A mutable reference does copy the value it points to.", &[1], Refused::Turned),
            ("An immutable reference does not copy the value it points to.", &[1], Refused::Turned),
            ("When the owner goes out of scope, the thread will be dropped.", &[1], Refused::Replaced),
            ("Each value in Rust has an owner and a lawyer.", &[1], Refused::Unsupported),
        ] {
            assert_eq!(verdict(text, cites), Err(reason), "{text}");
        }
    }
}
