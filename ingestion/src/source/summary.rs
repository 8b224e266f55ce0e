//! `SUMMARY.md` of mdBook: prefix chapters, part titles, numbered chapters with their sub-chapters, suffix chapters.

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

/// The parts of a summary: prefix chapters together, each titled part with all its chapters or, outside
/// of titled parts, each numbered chapter with its children, suffix chapters together.
///
/// As in mdBook, a heading before anything else is the book's own title and not a part's.
pub(super) fn parse(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut depth = 0_usize;
    let mut numbered = false;
    let mut began = false;
    let mut heading: Option<String> = None;
    let mut named = false;
    let mut link: Option<(String, Option<String>)> = None;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::List(_)) => depth += 1,
            Event::End(TagEnd::List(_)) => depth = depth.saturating_sub(1),
            Event::Start(Tag::Heading { level: HeadingLevel::H1, .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(HeadingLevel::H1)) => {
                let title = heading.take().map(|title| crate::parse::squeeze(&title)).unwrap_or_default();
                if began && !title.is_empty() {
                    named = true;
                    parts.push(Part { title, chapter: true, entries: Vec::new() });
                }
                began = true;
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                let path = dest_url.split(['#', '?']).next().unwrap_or_default().replace("%20", " ");
                link = Some((String::new(), Some(path).filter(|path| !path.is_empty())));
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(title) = link.as_mut().map(|(title, _)| title).or(heading.as_mut()) {
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
                began = true;
                match (depth, parts.last_mut()) {
                    (1.., Some(part)) if named => {
                        numbered = true;
                        part.entries.push(entry);
                    }
                    (0, Some(part)) if !part.chapter => part.entries.push(entry),
                    (0, _) => {
                        named = false;
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
    parts.retain(|part| !part.entries.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_titled_part_is_one_module_and_a_chapter_outside_of_parts_is_its_own() {
        let text = "# The book\n\n[Preface](preface.md)\n\n- [One](1.md)\n  - [One one](1-1.md)\n\n\
            # Basics of `x`\n\n- [Two](2.md)\n  - [Two one](2-1.md)\n- [Three](3.md)\n\n---\n\n\
            # Practice\n\n- [Four](4.md)\n\n[Index](index.md)\n";
        let parts: Vec<(String, Vec<String>)> = parse(text)
            .into_iter()
            .map(|part| (part.title, part.entries.into_iter().map(|entry| entry.title).collect()))
            .collect();
        let expected = [
            ("Introduction", vec!["Preface"]),
            ("One", vec!["One", "One one"]),
            ("Basics of x", vec!["Two", "Two one", "Three"]),
            ("Practice", vec!["Four"]),
            ("Closing pages", vec!["Index"]),
        ];
        let expected: Vec<(String, Vec<String>)> = expected
            .into_iter()
            .map(|(title, entries)| (title.to_owned(), entries.into_iter().map(str::to_owned).collect()))
            .collect();
        assert_eq!(parts, expected);
    }
}
