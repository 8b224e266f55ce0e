//! One question of a GIFT text, as any program may have written it.

use super::answers::{self, Gap};
use super::marks::{Mark, find, from, halves, marks, plain, raw, starts, trim, until};
use super::{FILL, GAP, excerpt};
use crate::question::exchange::html;
use crate::question::{Body, Cloze, Draft, Origin, OriginKind};

/// How a text is marked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Markup {
    /// As it stands.
    Plain,
    /// With tags.
    Html,
}

impl Markup {
    /// The markup of that name; Moodle's own and Markdown are read as they stand.
    fn parse(name: &str) -> Option<Self> {
        match name {
            "html" => Some(Self::Html),
            "moodle" | "plain" | "markdown" => Some(Self::Plain),
            _ => None,
        }
    }
}

/// What is lost while a question is read.
pub(super) struct Notes {
    /// How the question itself is marked up; its answers are too unless they say otherwise.
    markup: Markup,
    losses: Vec<String>,
}

impl Notes {
    /// The words of an answer or of what is said about it, which may have a markup of their own.
    pub(super) fn text(&mut self, marks: &[Mark]) -> String {
        let (markup, marks) = split_markup(trim(marks));
        self.words(marks, markup.unwrap_or(self.markup))
    }

    /// The words of a side of the question, whose markup is known.
    fn side(&mut self, marks: &[Mark]) -> String {
        self.words(marks, self.markup)
    }

    fn words(&mut self, marks: &[Mark], markup: Markup) -> String {
        let text = plain(marks);
        if markup == Markup::Plain {
            return text;
        }
        let (text, lost) = html::text(&text);
        if lost {
            self.lose(format!("pictures, links or layout of \"{}\"", excerpt(&text)));
        }
        text
    }

    /// Names something that is lost, once.
    pub(super) fn lose(&mut self, what: impl Into<String>) {
        let what = what.into();
        if !self.losses.contains(&what) {
            self.losses.push(what);
        }
    }
}

/// The marker of the markup, when the text has one, and the text after it.
fn split_markup(marks: &[Mark]) -> (Option<Markup>, &[Mark]) {
    if !starts(marks, "[") {
        return (None, marks);
    }
    let Some((name, rest)) = halves(from(marks, 1), "]") else { return (None, marks) };
    match Markup::parse(&raw(name)) {
        Some(markup) => (Some(markup), rest),
        None => (None, marks),
    }
}

/// The question and what of it is lost, or why it is none.
pub(super) fn question(block: &str) -> Result<(Draft, Vec<String>), String> {
    let marks = marks(block);
    let mut rest = trim(&marks);
    let mut title = None;
    if starts(rest, "::")
        && let Some((name, after)) = halves(from(rest, 2), "::")
    {
        title = Some(plain(name));
        rest = trim(after);
    }
    let (markup, rest) = split_markup(rest);
    let mut notes = Notes { markup: markup.unwrap_or(Markup::Plain), losses: Vec::new() };
    let Some(open) = find(rest, "{") else {
        return Err(format!("\"{}\" has no answers in braces, not even empty ones", excerpt(&plain(rest))));
    };
    let before = until(rest, open);
    let Some((inner, after)) = halves(from(rest, open + 1), "}").filter(|_| find(before, "}").is_none()) else {
        return Err(format!("the braces of \"{}\" do not match", excerpt(&plain(before))));
    };
    if find(after, "{").is_some() {
        notes.lose("more than one pair of braces: all but the first are kept as text");
    }
    let asked = notes.side(before);
    // A title that repeats how the question begins says nothing: Moodle makes them so.
    if let Some(title) = title
        && !asked.starts_with(title.trim_end_matches(['.', '…', ' ']))
    {
        notes.lose(format!("the title \"{}\"", excerpt(&title)));
    }
    let answers = answers::read(inner, &mut notes)?;
    let (stem, body) = match answers.gap {
        _ if trim(after).is_empty() => {
            notes.losses.extend(answers.losses);
            (asked, answers.body)
        }
        Some(gap) => (FILL.to_owned(), cloze(before, after, gap, &mut notes)),
        None => {
            let more = notes.side(after);
            notes.losses.extend(answers.losses);
            (format!("{asked} {GAP} {more}").trim().to_owned(), answers.body)
        }
    };
    let draft = Draft {
        lesson: None,
        stem,
        body,
        source: None,
        bloom: None,
        difficulty: None,
        origin: Origin::of(OriginKind::Imported),
        lint: Vec::new(),
        hints: Vec::new(),
    };
    Ok((draft, notes.losses))
}

/// A text with the answers in its middle; white space around the gap is kept.
fn cloze(before: &[Mark], after: &[Mark], gap: Gap, notes: &mut Notes) -> Body {
    for what in gap.losses {
        notes.lose(what);
    }
    let space = |beside: bool| if beside { " " } else { "" };
    let start = space(raw(after).starts_with(char::is_whitespace));
    let end = space(raw(before).ends_with(char::is_whitespace));
    let first = notes.side(before);
    // The beginning of the text has no white space before it.
    let end = if first.is_empty() { "" } else { end };
    let parts = vec![format!("{first}{end}"), format!("{start}{}", notes.side(after))];
    Body::Cloze(Cloze { parts, blanks: vec![gap.accepted], options: gap.options })
}
