//! `SUMMARY.md` of mdBook: prefix chapters, numbered chapters with their sub-chapters, suffix chapters.

use pulldown_cmark::{Event, HeadingLevel, Parser, Tag, TagEnd};

/// A chapter; a draft has no path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) title: String,
    pub(super) path: Option<String>,
}

/// Chapters that become one module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) title: String,
    pub(super) chapter: bool,
    pub(super) entries: Vec<Entry>,
}

/// The parts of a summary: prefix chapters together, each numbered chapter with its children, suffix
/// chapters together.
pub(super) fn parse(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut depth = 0_usize;
    let mut numbered = false;
    let mut link: Option<(String, Option<String>)> = None;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::List(_)) => depth += 1,
            Event::End(TagEnd::List(_)) => depth = depth.saturating_sub(1),
            Event::Start(Tag::Heading { level, .. }) if level != HeadingLevel::H1 => {}
            Event::Start(Tag::Link { dest_url, .. }) => {
                let path = dest_url.split(['#', '?']).next().unwrap_or_default().replace("%20", " ");
                link = Some((String::new(), Some(path).filter(|path| !path.is_empty())));
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some((title, _)) = &mut link {
                    title.push_str(&text);
                }
            }
            Event::SoftBreak => {
                if let Some((title, _)) = &mut link {
                    title.push(' ');
                }
            }
            Event::End(TagEnd::Link) => {
                let Some((title, path)) = link.take() else { continue };
                let entry = Entry { title: crate::parse::squeeze(&title), path };
                match (depth, parts.last_mut()) {
                    (0, Some(part)) if !part.chapter => part.entries.push(entry),
                    (0, _) => {
                        let title = if numbered { "Closing pages" } else { "Introduction" };
                        parts.push(Part { title: title.into(), chapter: false, entries: vec![entry] });
                    }
                    (2.., Some(part)) if part.chapter => part.entries.push(entry),
                    _ => {
                        numbered = true;
                        parts.push(Part { title: entry.title.clone(), chapter: true, entries: vec![entry] });
                    }
                }
            }
            _ => {}
        }
    }
    parts
}
