//! What the author of a Markdown document points at and stresses: links within the source, words in emphasis.

use std::collections::HashSet;

use domain::document::{Link, Notes};
use pulldown_cmark::{Event, Tag, TagEnd};

use super::squeeze;

/// Most links and most terms of one document; a page with more is an index.
const MOST: usize = 300;
/// A longer emphasis is a sentence, not a term.
const TERM_WORDS: usize = 4;
const TERM_CHARS: usize = 40;

/// Reads the events of one document.
pub(super) struct Reader<'p> {
    path: &'p str,
    notes: Notes,
    seen: HashSet<String>,
    link: Option<Link>,
    emphasis: Option<String>,
}

impl<'p> Reader<'p> {
    pub(super) fn new(path: &'p str) -> Self {
        Self { path, notes: Notes::default(), seen: HashSet::new(), link: None, emphasis: None }
    }

    pub(super) fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                self.link = target(self.path, dest_url).map(|to| Link { to, text: String::new() });
            }
            Event::End(TagEnd::Link) => {
                if let Some(link) = self.link.take().filter(|_| self.notes.links.len() < MOST) {
                    self.notes.links.push(Link { text: squeeze(&link.text), ..link });
                }
            }
            Event::Start(Tag::Emphasis | Tag::Strong) => {
                self.emphasis.get_or_insert_default();
            }
            Event::End(TagEnd::Emphasis | TagEnd::Strong) => self.end_emphasis(),
            Event::Text(text) | Event::Code(text) => self.text(text),
            Event::SoftBreak | Event::HardBreak => self.text(" "),
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        for open in [self.link.as_mut().map(|link| &mut link.text), self.emphasis.as_mut()].into_iter().flatten() {
            open.push_str(text);
        }
    }

    fn end_emphasis(&mut self) {
        let Some(text) = self.emphasis.take() else { return };
        let term = squeeze(text.trim_matches(|c: char| !c.is_alphanumeric()));
        let (words, chars) = (term.split(' ').count(), term.chars().count());
        let named = term.chars().filter(|c| c.is_alphabetic()).count() >= 3;
        // "Note:" and the like are labels.
        let label = text.trim_end().ends_with(':');
        if named && !label && words <= TERM_WORDS && chars <= TERM_CHARS && self.notes.terms.len() < MOST {
            let folded = term.to_lowercase();
            if !domain::text::is_stop_word(&folded) && self.seen.insert(folded) {
                self.notes.terms.push(term);
            }
        }
    }

    pub(super) fn finish(self) -> Notes {
        self.notes
    }
}

/// The path within the source that a link of the document at `path` names; `None` for any other link.
fn target(path: &str, link: &str) -> Option<String> {
    let link = link.split(['#', '?']).next().unwrap_or_default().replace("%20", " ");
    if link.is_empty() || link.contains(':') || link.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    let to = parts.join("/");
    (to != path && !to.is_empty()).then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::markdown::{NoFiles, parse};

    #[test]
    fn links_within_the_source_and_terms_in_emphasis_are_noted() {
        let text = "# A\n\nThe _alias_ of a [tone](../b/tone.md#high) and **anti-aliasing filter**.\n\n\
                    **Note:** see [elsewhere](https://example.org/x.md), [here](#a), the _alias_ and [[ref]][r].\n\n\
                    [r]: c.html#x\n";
        let notes = parse("a/one.md", text, &NoFiles).map(|document| document.notes).unwrap_or_default();
        let links: Vec<(&str, &str)> = notes.links.iter().map(|link| (link.to.as_str(), link.text.as_str())).collect();
        assert_eq!(links, [("b/tone.md", "tone"), ("a/c.html", "[ref]")]);
        assert_eq!(notes.terms, ["alias", "anti-aliasing filter"]);
    }

    #[test]
    fn a_link_never_leaves_the_source() {
        assert_eq!(target("a/b.md", "../../etc/passwd"), None);
        assert_eq!(target("a/b.md", "/etc/passwd"), None);
        assert_eq!(target("b.md", "mailto:a@b"), None);
        assert_eq!(target("a/b.md", "b.md"), None);
        assert_eq!(target("a/b.md", "./c/"), Some("a/c".into()));
    }
}
