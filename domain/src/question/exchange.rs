//! Questions as texts of other programs: what comes in, what goes out, and what is lost on the way.
//!
//! Each format is one file below `exchange/` that turns text into drafts and back. Nothing here opens
//! a file, and nothing that was read is trusted: every draft passes `fault` before it is given out.
//! The lesson, the source, the lint and the origin in a file of our own are claims of that file;
//! whoever stores a draft asks whether the lesson is one of the course and looks at the quote again.

mod csv;
mod gift;
mod html;
mod qti;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Choice, Draft, LONGEST};
use crate::Error;

/// Longest text that is read, in bytes.
pub const LARGEST: usize = 10 * 1024 * 1024;
/// Most questions of one text, good or not; a file of a few bytes per question must not become gigabytes.
pub const MOST_QUESTIONS: usize = 10_000;
/// Most losses that are named one by one.
const MOST_LOSSES: usize = 1_000;
/// Most words in characters, and most pieces of text, of one question.
const MOST_CHARACTERS: usize = 64_000;
const MOST_PIECES: usize = 300;

/// Something that did not survive the conversion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// Where: "line 12" of a text that was read, "question 3: title" of one that was written.
    pub place: String,
    /// What is gone or has become something else, for people.
    pub what: String,
}

/// What a text held.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Its questions, each without a hard flaw.
    pub drafts: Vec<Draft>,
    /// What was left out or changed.
    pub losses: Vec<Loss>,
}

/// Questions as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The text.
    pub text: String,
    /// What a reader of the text does not get.
    pub losses: Vec<Loss>,
}

macro_rules! formats {
    ($($(#[$doc:meta])* $name:ident = $text:literal in $module:ident),* $(,)?) => {
        /// A format of questions that other programs know.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Format {
            $($(#[$doc])* $name,)*
        }

        impl Format {
            /// All formats.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The spelling used in queries and commands.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            fn read(self, text: &str) -> Result<Read, Error> {
                match self { $(Self::$name => $module::read(text),)* }
            }

            fn write(self, drafts: &[Draft]) -> Written {
                match self { $(Self::$name => $module::write(drafts),)* }
            }
        }
    };
}

formats! {
    /// Moodle's text format; our own texts carry in a comment what it has no words for.
    Gift = "gift" in gift,
    /// A table to edit in a spreadsheet, a question per row.
    Csv = "csv" in csv,
    /// 1EdTech's XML of questions: 1.2 and 2.1 are read, 1.2 is written.
    Qti = "qti" in qti,
}

impl Format {
    /// The format of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|format| format.as_str() == text)
    }
}

/// The questions of a text, and what of it is lost.
///
/// # Errors
/// The text is too long, holds too many questions, or is not of this format; the message names the line.
pub fn read(format: Format, text: &str) -> Result<Read, Error> {
    if text.len() > LARGEST {
        let line = lines_until(text, LARGEST);
        let message = format!("line {line}: the text is longer than {} MB", LARGEST / 1024 / 1024);
        return Err(Error::invalid("text", "TOO_LARGE", message));
    }
    if let Some(at) = text.find('\0') {
        return Err(foreign(format, lines_until(text, at), "a zero byte, as only programs write it"));
    }
    format.read(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The questions as text, and what a reader of that text does not get.
#[must_use]
pub fn write(format: Format, drafts: &[Draft]) -> Written {
    let mut written = format.write(drafts);
    if written.text.len() > LARGEST || drafts.len() > MOST_QUESTIONS {
        let what = "this is more than one text may hold to be read back; write it in parts".to_owned();
        written.losses.insert(0, Loss { place: format!("all {} questions", drafts.len()), what });
    }
    written
}

/// The text is not of the format.
fn foreign(format: Format, line: usize, why: &str) -> Error {
    let name = format.as_str().to_uppercase();
    Error::invalid("text", "WRONG_FORMAT", format!("line {line}: this is not {name}: {why}"))
}

/// A text with more questions than are read.
fn too_many(line: usize) -> Error {
    let message = format!("line {line}: the text holds more than {MOST_QUESTIONS} questions");
    Error::invalid("text", "TOO_MANY", message)
}

fn lines_until(text: &str, end: usize) -> usize {
    text.bytes().take(end).filter(|byte| *byte == b'\n').count() + 1
}

/// Why a draft is not given out: a hard flaw, or too much of something.
fn fault(draft: &Draft) -> Option<String> {
    let (mut characters, mut pieces, mut longest) = (0, 0, 0);
    let value = serde_json::to_value(draft).unwrap_or_default();
    let mut open = vec![&value];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                let length = text.chars().count();
                (characters, pieces, longest) = (characters + length, pieces + 1, longest.max(length));
            }
            Value::Array(list) => open.extend(list),
            Value::Object(fields) => open.extend(fields.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    if longest > LONGEST {
        return Some(format!("a text is longer than {LONGEST} characters"));
    }
    if characters > MOST_CHARACTERS || pieces > MOST_PIECES {
        return Some(format!("it has more than {MOST_CHARACTERS} characters or {MOST_PIECES} texts"));
    }
    if draft.difficulty.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
        return Some("its difficulty is not between 0 and 1".into());
    }
    let own = draft.body.flaws(&draft.stem);
    own.iter().chain(&draft.lint).find(|flaw| flaw.hard).map(|flaw| excerpt(&flaw.message))
}

/// The losses of one conversion, no more than people read.
#[derive(Default)]
struct Losses {
    named: Vec<Loss>,
    unnamed: usize,
}

impl Losses {
    fn name(&mut self, place: impl Into<String>, what: impl Into<String>) {
        if self.named.len() < MOST_LOSSES {
            self.named.push(Loss { place: place.into(), what: what.into() });
        } else {
            self.unnamed += 1;
        }
    }

    fn list(mut self) -> Vec<Loss> {
        if self.unnamed > 0 {
            let what = format!("{} more losses, not named one by one", self.unnamed);
            self.named.push(Loss { place: "everywhere".into(), what });
        }
        self.named
    }
}

/// The place of a question that is written.
fn place(at: usize, draft: &Draft) -> String {
    format!("question {}: {}", at + 1, excerpt(&draft.stem))
}

/// The beginning of a text on one line.
fn excerpt(text: &str) -> String {
    const LENGTH: usize = 60;
    let line: String = text.chars().take(LENGTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let more = if text.chars().nth(LENGTH).is_some() { "…" } else { "" };
    format!("{}{more}", line.trim())
}

/// A number without hundreds of digits; it reads back to the same number.
fn number(number: f64) -> String {
    if number == 0.0 || (1e-6..1e15).contains(&number.abs()) { number.to_string() } else { format!("{number:e}") }
}

/// Options with ids in the order of their words: where an option stood must not show in its id,
/// since files put the right one first and the steps of an order in order.
fn labelled(options: Vec<(String, Option<String>)>) -> Vec<Choice> {
    let mut order: Vec<usize> = (0..options.len()).collect();
    order.sort_by_key(|at| options.get(*at).map(|(text, _)| text));
    let mut ids = vec![String::new(); options.len()];
    for (rank, at) in order.into_iter().enumerate() {
        let letter = u8::try_from(rank).ok().filter(|rank| *rank < 26).map(|rank| char::from(b'a' + rank));
        if let Some(id) = ids.get_mut(at) {
            *id = letter.map_or_else(|| format!("o{rank}"), |letter| letter.to_string());
        }
    }
    options.into_iter().zip(ids).map(|((text, rationale), id)| Choice { id, text, rationale }).collect()
}

/// Pairs of texts as a matching: equal partners are one, and a pair without a left is a partner of none.
fn matched(pairs: &[(String, String)]) -> super::Matching {
    let mut partners: Vec<&String> = Vec::new();
    for (_, right) in pairs {
        if !partners.contains(&right) {
            partners.push(right);
        }
    }
    let right = labelled(partners.into_iter().map(|text| (text.clone(), None)).collect());
    let joined = pairs.iter().filter(|(left, _)| !left.trim().is_empty());
    let left = labelled(joined.clone().map(|(left, _)| (left.clone(), None)).collect());
    let partner = |text: &str| right.iter().find(|one| one.text == text).map(|one| one.id.clone());
    let pairs = left.iter().zip(joined).filter_map(|(left, (_, text))| Some((left.id.clone(), partner(text)?)));
    super::Matching { pairs: pairs.collect(), left, right: right.clone() }
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
