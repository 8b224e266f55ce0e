//! The words of a piece of XHTML that stands in the tree itself, and the blanks between them.

use crate::xml::{Element, Node};

/// Elements that end a line.
const BREAKS: &[&str] = &[
    "br",
    "p",
    "div",
    "li",
    "tr",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
    "ul",
    "ol",
    "blockquote",
    "table",
    "prompt",
];
/// Elements whose words are not shown.
const DROPPED: &[&str] = &[
    "script",
    "style",
    "stylesheet",
    "rubricBlock",
    "feedbackInline",
    "feedbackBlock",
    "modalFeedback",
    "infoControl",
    "templateInline",
    "templateBlock",
    "hint",
    "solution",
];
/// Elements whose loss nobody notices.
const SILENT: &[&str] = &["br", "p", "div", "span", "prompt", "blockquote"];

/// Words, and between them the blanks.
#[derive(Default)]
pub(super) struct Flow<'e> {
    /// Text around the blanks: one more than there are blanks.
    pub(super) parts: Vec<String>,
    /// The elements that leave a blank.
    pub(super) blanks: Vec<&'e Element>,
    /// Whether something meant more than its words: a picture, a formula, formatting.
    pub(super) lost: bool,
}

impl<'e> Flow<'e> {
    /// The words of `element`; `blank` says what leaves a blank, `apart` what is read elsewhere.
    pub(super) fn of(element: &'e Element, blank: &[&str], apart: &dyn Fn(&Element) -> bool) -> Self {
        let mut flow = Self { parts: vec![String::new()], ..Self::default() };
        flow.walk(element, blank, apart);
        let last = flow.parts.len() - 1;
        for (at, part) in flow.parts.iter_mut().enumerate() {
            let start = if at == 0 { part.trim_start() } else { part.as_str() };
            let kept = if at == last { start.trim_end() } else { start };
            *part = kept.to_owned();
        }
        flow
    }

    /// The words alone.
    pub(super) fn text(self) -> String {
        self.parts.concat()
    }

    fn walk(&mut self, element: &'e Element, blank: &[&str], apart: &dyn Fn(&Element) -> bool) {
        for node in &element.children {
            match node {
                Node::Text(text) => self.words(text),
                Node::Element(inner) if blank.contains(&inner.name.as_str()) => {
                    self.blanks.push(inner);
                    self.parts.push(String::new());
                }
                Node::Element(inner) if DROPPED.contains(&inner.name.as_str()) || apart(inner) => {}
                Node::Element(inner) => {
                    let name = inner.name.as_str();
                    self.lost |= !SILENT.contains(&name);
                    if name == "img" {
                        self.words(&format!(" {} ", inner.attribute("alt").unwrap_or_default()));
                    }
                    self.line(BREAKS.contains(&name));
                    self.walk(inner, blank, apart);
                    self.line(BREAKS.contains(&name));
                    if matches!(name, "td" | "th") {
                        self.words(" ");
                    }
                }
            }
        }
    }

    fn words(&mut self, text: &str) {
        let first = self.parts.len() == 1;
        let Some(part) = self.parts.last_mut() else { return };
        for c in text.chars() {
            if !c.is_whitespace() {
                part.push(c);
            } else if !(part.ends_with([' ', '\n']) || part.is_empty() && first) {
                part.push(' ');
            }
        }
    }

    fn line(&mut self, ends: bool) {
        if let (true, Some(part)) = (ends, self.parts.last_mut()) {
            part.truncate(part.trim_end_matches(' ').len());
            if !part.is_empty() && !part.ends_with('\n') {
                part.push('\n');
            }
        }
    }
}

/// The words of an element, and whether something of it is lost.
pub(super) fn words(element: &Element) -> (String, bool) {
    let flow = Flow::of(element, &[], &|_| false);
    let lost = flow.lost;
    (flow.text(), lost)
}
