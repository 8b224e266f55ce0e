//! GIFT, Moodle's text format of questions.
//!
//! What GIFT has no words for stands in a comment line before each question, with a hash of the
//! question as other programs see it. Lyceum reads the comment when the question still is what it
//! was; when somebody changed the question, what can be seen counts and the comment does not.
//!
//! The format: <https://docs.moodle.org/en/GIFT_format>.

mod answers;
mod marks;
mod read;
mod write;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Format, Losses, MOST_QUESTIONS, Read, Written, excerpt, fault, foreign, place, too_many};
use crate::Error;
use crate::question::{Body, Draft};

/// How the comment begins.
const COMMENT: &str = "// lyceum:";
/// The version of the comment and of the way in which a question is written.
const VERSION: u32 = 1;
/// Longest question with its answers, in bytes: more than any question without a fault takes.
const LONGEST_BLOCK: usize = 512 * 1024;
/// What a cloze asks when the file says nothing but the text.
const FILL: &str = "Fill the gap.";
/// Shown where something is missing.
const GAP: &str = "_____";

/// What the comment holds.
#[derive(Serialize, Deserialize)]
struct Carried {
    version: u32,
    /// SHA-256 of the question as other programs see it.
    visible: String,
    /// Numbers to the last digit: the JSON reader may be off by one unit there.
    numbers: Vec<String>,
    draft: Draft,
}

impl Carried {
    fn of(draft: &Draft, visible: &str) -> Self {
        let numbers = numbers(&mut draft.clone()).into_iter().map(|number| number.to_string()).collect();
        Self { version: VERSION, visible: hash(visible), numbers, draft: draft.clone() }
    }

    /// The draft, when the question still says what the draft says.
    fn draft(json: &str, visible: &str) -> Result<Draft, &'static str> {
        let Ok(Self { version: VERSION, visible: hashed, numbers: exact, mut draft }) = serde_json::from_str(json)
        else {
            return Err("its comment of Lyceum cannot be read, so that only what can be seen is kept");
        };
        if hashed != hash(visible) {
            return Err("it was changed after Lyceum wrote it: what can be seen counts, and what only the \
                        comment held (type, source, hints and the like) is dropped");
        }
        for (number, exact) in numbers(&mut draft).into_iter().zip(exact) {
            *number = exact.parse().unwrap_or(*number);
        }
        // What is too large is not written again, only left out.
        if fault(&draft).is_some() {
            return Ok(draft);
        }
        // A hash is no proof of who made it: the comment must also say what the question says.
        if normal(&write::question(&draft).text) != visible {
            return Err("its comment of Lyceum says something else than the question; what can be seen counts");
        }
        Ok(draft)
    }
}

fn numbers(draft: &mut Draft) -> Vec<&mut f64> {
    let mut found: Vec<&mut f64> = draft.difficulty.iter_mut().collect();
    if let Body::Numeric(body) = &mut draft.body {
        found.extend([&mut body.value, &mut body.tolerance]);
    }
    found
}

fn hash(visible: &str) -> String {
    hex::encode(Sha256::digest(visible))
}

/// The lines as they count: editors change the white space around them.
fn normal(visible: &str) -> String {
    visible.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The questions as GIFT.
pub(super) fn write(drafts: &[Draft]) -> Written {
    let (mut text, mut losses) = (String::new(), Losses::default());
    for (at, draft) in drafts.iter().enumerate() {
        let visible = write::question(draft);
        let place = place(at, draft);
        match serde_json::to_string(&Carried::of(draft, &normal(&visible.text))) {
            Ok(json) => text.push_str(&format!("{COMMENT} {json}\n")),
            Err(_) => losses.name(&place, "what GIFT has no words for is not carried"),
        }
        text.push_str(&visible.text);
        text.push_str("\n\n");
        for what in visible.losses {
            losses.name(&place, what);
        }
        if let Some(fault) = fault(draft) {
            losses.name(&place, format!("Lyceum will not read it back: {fault}"));
        }
    }
    Written { text, losses: losses.list() }
}

/// The questions of a GIFT text.
pub(super) fn read(text: &str) -> Result<Read, Error> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut reader = Reader::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(json) = line.strip_prefix(COMMENT) {
            reader.close()?;
            reader.orphan();
            reader.comment = Some((number, json.trim().to_owned()));
        } else if let Some(category) = line.strip_prefix("$CATEGORY:") {
            reader.close()?;
            reader.losses.name(format!("line {number}"), format!("the category \"{}\"", excerpt(category)));
            reader.understood = true;
        } else if line.is_empty() {
            reader.close()?;
        } else if !line.starts_with("//") {
            reader.add(number, line);
        }
    }
    reader.close()?;
    reader.orphan();
    if reader.drafts.is_empty() && !reader.understood {
        let (line, why) = reader.first.unwrap_or_else(|| (1, "there is no question in it".into()));
        return Err(foreign(Format::Gift, line, &why));
    }
    Ok(Read { drafts: reader.drafts, losses: reader.losses.list() })
}

#[derive(Default)]
struct Reader {
    drafts: Vec<Draft>,
    losses: Losses,
    /// The comment of ours that waits for its question.
    comment: Option<(usize, String)>,
    /// First line and lines of the question that is being read.
    start: usize,
    block: String,
    /// Questions so far, those that were left out among them.
    count: usize,
    /// Whether anything was a question or a category.
    understood: bool,
    /// The first thing that was not.
    first: Option<(usize, String)>,
}

impl Reader {
    fn add(&mut self, number: usize, line: &str) {
        if self.block.is_empty() {
            self.start = number;
        } else {
            self.block.push('\n');
        }
        self.block.push_str(line);
    }

    /// Takes the lines so far as one question.
    fn close(&mut self) -> Result<(), Error> {
        let block = std::mem::take(&mut self.block);
        if block.is_empty() {
            return Ok(());
        }
        self.count += 1;
        if self.count > MOST_QUESTIONS {
            return Err(too_many(self.start));
        }
        let place = format!("line {}", self.start);
        if block.len() > LONGEST_BLOCK {
            self.comment = None;
            self.refuse(&place, format!("it is longer than {LONGEST_BLOCK} bytes"));
            return Ok(());
        }
        let carried = self.comment.take().map(|(_, json)| Carried::draft(&json, &block));
        let draft = match carried {
            Some(Ok(draft)) => draft,
            other => {
                if let Some(Err(why)) = other {
                    self.losses.name(&place, why);
                }
                match read::question(&block) {
                    Ok((draft, losses)) => {
                        for what in losses {
                            self.losses.name(&place, what);
                        }
                        draft
                    }
                    Err(why) => {
                        self.refuse(&place, why);
                        return Ok(());
                    }
                }
            }
        };
        self.understood = true;
        match fault(&draft) {
            Some(fault) => self.losses.name(place, format!("\"{}\" is left out: {fault}", excerpt(&draft.stem))),
            None => self.drafts.push(draft),
        }
        Ok(())
    }

    fn refuse(&mut self, place: &str, why: String) {
        self.losses.name(place, format!("left out: {why}"));
        self.first.get_or_insert((self.start, why));
    }

    /// Names a comment of ours that no question followed.
    fn orphan(&mut self) {
        if let Some((line, _)) = self.comment.take() {
            self.losses.name(format!("line {line}"), "a comment of Lyceum whose question is gone");
        }
    }
}

#[cfg(test)]
mod tests;
