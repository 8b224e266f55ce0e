//! Questions as a table to edit in a spreadsheet: a question per row, a column per thing.
//!
//! | column | holds |
//! |---|---|
//! | `type`, `stem` | the type by its name, and what is asked |
//! | `text` | of a cloze: the text, each blank as `[[word\|other word]]` |
//! | `option_1` … | options, words offered, steps in their order, or pairs as `left -> right` |
//! | `right` | numbers of the right options, `true` or `false`, or the number asked for |
//! | `accepted`, `reference` | answers that are right, and a full answer to judge others by |
//! | `tolerance`, `unit`, `least_words` | of a number and of an essay |
//! | `feedback` | why: one for each option in their order, or one |
//! | `source_…`, `bloom`, `difficulty`, `hints` | what is known about the question |
//!
//! Lists are divided by `|`, and white space around an entry is none of it. What a backslash stands
//! before is only itself. Ids, the lesson, the lint and the origin have no column.

mod read;
mod write;

pub(super) use read::read;
pub(super) use write::write;

use super::{labelled, matched};
use crate::question::{Body, Choice, Draft, Matching, MultipleAnswer, MultipleChoice, Ordering, Origin, OriginKind};

/// Columns before the options.
const FIRST: &[&str] = &["type", "stem", "text"];
/// Columns after the options.
const LAST: &[&str] = &[
    "right",
    "accepted",
    "tolerance",
    "unit",
    "least_words",
    "reference",
    "feedback",
    "source_quote",
    "source_path",
    "source_headings",
    "source_place",
    "bloom",
    "difficulty",
    "hints",
];
/// Columns of options that every table has.
const OPTIONS: usize = 6;
/// Most columns of options that are read.
const MOST_OPTIONS: usize = 100;
/// Characters that mean something in a list or a text with blanks.
const SIGNS: &str = "|[]-";

/// A character and whether it is only itself.
type Mark = (char, bool);

/// A spreadsheet must not take a cell for a formula
/// (<https://owasp.org/www-community/attacks/CSV_Injection>).
fn guarded(cell: &str) -> String {
    if cell.starts_with(|c| dangerous(c) || c == '\'') { format!("'{cell}") } else { cell.to_owned() }
}

/// The cell as it was before [`guarded`].
fn unguarded(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| rest.starts_with(|c| dangerous(c) || c == '\'')).unwrap_or(cell)
}

fn dangerous(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠')
}

/// The text with a backslash before these signs.
fn escape(text: &str, signs: impl Fn(char, Option<char>) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let next = rest.peek().copied();
        let ambiguous = c == '\\' && next.is_none_or(|next| next == '\\' || SIGNS.contains(next));
        if ambiguous || signs(c, next) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn marks(text: &str) -> Vec<Mark> {
    let mut found = Vec::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match rest.peek().copied() {
            Some(next) if c == '\\' && (next == '\\' || SIGNS.contains(next)) => {
                rest.next();
                found.push((next, true));
            }
            _ => found.push((c, false)),
        }
    }
    found
}

fn list(entries: &[impl AsRef<str>]) -> String {
    let entry = |entry: &dyn AsRef<str>| escape(entry.as_ref(), |c, _| c == '|');
    entries.iter().map(|one| entry(one)).collect::<Vec<_>>().join(" | ")
}

fn entries(marks: &[Mark]) -> Vec<String> {
    let text = |marks: &[Mark]| marks.iter().map(|(c, _)| *c).collect::<String>().trim().to_owned();
    if text(marks).is_empty() { Vec::new() } else { marks.split(|mark| *mark == ('|', false)).map(text).collect() }
}

/// Text with blanks in double brackets.
fn blanked(parts: &[String], blanks: &[Vec<String>]) -> String {
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        out.push_str(&escape(part, |c, next| c == '[' && next.is_none_or(|next| next == '[')));
        if let Some(accepted) = blanks.get(at) {
            let inner: Vec<String> =
                accepted.iter().map(|text| escape(text, |c, _| matches!(c, '|' | ']' | '['))).collect();
            out.push_str(&format!("[[{}]]", inner.join("|")));
        }
    }
    out
}

/// The text around the blanks, and what each blank accepts.
fn unblanked(text: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let marks = marks(text);
    let (mut parts, mut blanks, mut rest) = (Vec::new(), Vec::new(), marks.as_slice());
    let plain = |marks: &[Mark]| marks.iter().map(|(c, _)| *c).collect::<String>();
    while let Some((before, inner)) = cut(rest, '[', '[') {
        let Some((blank, after)) = cut(inner, ']', ']') else { break };
        parts.push(plain(before));
        blanks.push(entries(blank));
        rest = after;
    }
    parts.push(plain(rest));
    (parts, blanks)
}

/// A pair of a matching.
fn pair(left: &str, right: &str) -> String {
    let side = |text: &str| escape(text, |c, next| c == '-' && next == Some('>'));
    format!("{} -> {}", side(left), side(right)).trim_start().to_owned()
}

fn unpair(cell: &str) -> Option<(String, String)> {
    let marks = marks(cell);
    let (left, right) = cut(&marks, '-', '>')?;
    let text = |marks: &[Mark]| marks.iter().map(|(c, _)| *c).collect::<String>().trim().to_owned();
    Some((text(left), text(right)))
}

/// What stands before and after a sign of two characters.
fn cut(marks: &[Mark], first: char, second: char) -> Option<(&[Mark], &[Mark])> {
    let at = marks.windows(2).position(|pair| pair == [(first, false), (second, false)])?;
    Some((marks.get(..at)?, marks.get(at + 2..)?))
}

/// The draft without what the table has no column for: ids as [`labelled`] gives them, no lesson, no lint.
fn settled(draft: &Draft) -> Draft {
    let again = |choices: &[Choice]| {
        labelled(choices.iter().map(|choice| (choice.text.clone(), choice.rationale.clone())).collect())
    };
    let renamed = |old: &[Choice], new: &[Choice], id: &String| {
        old.iter().zip(new).find(|(old, _)| old.id == *id).map(|(_, new)| new.id.clone()).unwrap_or_default()
    };
    let body = match &draft.body {
        Body::MultipleChoice(body) => {
            let options = again(&body.options);
            Body::MultipleChoice(MultipleChoice { right: renamed(&body.options, &options, &body.right), options })
        }
        Body::MultipleAnswer(body) => {
            let options = again(&body.options);
            let right = body.options.iter().zip(&options).filter(|(old, _)| body.right.contains(&old.id));
            Body::MultipleAnswer(MultipleAnswer { right: right.map(|(_, new)| new.id.clone()).collect(), options })
        }
        Body::Ordering(body) => Body::Ordering(Ordering { items: again(&body.items) }),
        Body::Matching(body) => {
            let mut matching = matched(&pairs(body));
            for (new, old) in matching.left.iter_mut().zip(&body.left) {
                new.rationale.clone_from(&old.rationale);
            }
            Body::Matching(matching)
        }
        other => other.clone(),
    };
    Draft { lesson: None, lint: Vec::new(), origin: Origin::of(OriginKind::Imported), body, ..draft.clone() }
}

/// The pairs in the order of their lefts, then partners of none.
fn pairs(body: &Matching) -> Vec<(String, String)> {
    let partner = |left: &Choice| body.pairs.iter().find(|(id, _)| *id == left.id).map(|(_, right)| right);
    let joined = body.left.iter().map(|left| {
        let right = body.right.iter().find(|right| Some(&right.id) == partner(left));
        (left.text.clone(), right.map(|right| right.text.clone()).unwrap_or_default())
    });
    let alone = body.right.iter().filter(|right| !body.pairs.iter().any(|(_, id)| *id == right.id));
    joined.chain(alone.map(|right| (String::new(), right.text.clone()))).collect()
}

#[cfg(test)]
mod tests;
