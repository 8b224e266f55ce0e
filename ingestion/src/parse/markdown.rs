//! Markdown to blocks: `CommonMark` with tables and footnotes, front matter, template tags, raw HTML.
//!
//! Places are lines of the file as it is stored, whatever was removed or included.

use std::ops::Range;

use domain::document::{Block, BlockKind, Document, DocumentKind, Mark};
use domain::ingestion::Failure;
use domain::{Locator, LocatorKind};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::raw_html::{attribute, pieces};
use super::{front_matter, notes, squeeze, template, title_of_path, visible, warning};

/// The other files of a source, for includes.
pub trait Files: Sync {
    /// The text of a file of the source, by its path from the root.
    fn read(&self, path: &str) -> Option<String>;
}

/// A source of one file.
pub struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _path: &str) -> Option<String> {
        None
    }
}

/// Parses Markdown.
///
/// # Errors
/// None today; the signature is that of every parser.
pub fn parse(path: &str, text: &str, files: &dyn Files) -> Result<Document, Failure> {
    let (skip, front_title) = front_matter::read(text);
    let expanded = template::expand(path, text, skip, files);
    let mut source = String::with_capacity(text.len());
    let mut starts = Vec::with_capacity(expanded.lines.len());
    for (number, line) in &expanded.lines {
        starts.push((source.len(), *number));
        source.push_str(line);
        source.push('\n');
    }
    let mut reader = Reader::new(&starts);
    let mut notes = notes::Reader::new(path);
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_DEFINITION_LIST;
    for (event, range) in Parser::new_ext(&source, options).into_offset_iter() {
        notes.take(&event);
        reader.take(event, &range);
    }
    let notes = notes.finish();
    let blocks = reader.finish();
    let first = blocks.iter().find(|block| matches!(block.kind, BlockKind::Heading(_))).map(|block| block.text.clone());
    let mut warnings = Vec::new();
    if !expanded.unresolved.is_empty() {
        let count = expanded.unresolved.len();
        let example = expanded.unresolved.first().cloned().unwrap_or_default();
        let noun = if count == 1 { "include names a file" } else { "includes name files" };
        warnings.push(warning(
            "UNRESOLVED_INCLUDE",
            format!("{count} {noun} outside this source, such as \"{example}\""),
            path,
        ));
    }
    let title = front_title.or(first).unwrap_or_else(|| title_of_path(path));
    Ok(Document { path: path.to_owned(), title, kind: DocumentKind::Markdown, blocks, warnings, notes })
}

/// Text under way, with the line of each part.
#[derive(Default)]
struct Run {
    text: String,
    marks: Vec<(usize, i64, i64)>,
}

impl Run {
    fn push(&mut self, text: &str, lines: (i64, i64)) {
        if !text.is_empty() {
            if self.marks.last().is_none_or(|last| (last.1, last.2) != lines) {
                self.marks.push((self.text.len(), lines.0, lines.1));
            }
            self.text.push_str(text);
        }
    }
}

struct Reader<'s> {
    starts: &'s [(usize, i64)],
    blocks: Vec<Block>,
    run: Run,
    /// Where the block under way began.
    lines: Option<(i64, i64)>,
    /// Open lists: the next number of an ordered one.
    lists: Vec<Option<u64>>,
    /// The marker that the next text of a list item takes.
    marker: Option<String>,
    quotes: usize,
    heading: Option<u8>,
    code: bool,
    html: Option<String>,
    image: usize,
    cell: usize,
    table: bool,
    /// The heading in force outside each open quotation, to return to after it.
    outer: Vec<Option<Block>>,
    /// A heading to repeat when text follows a quotation that had headings of its own.
    resume: Option<Block>,
}

impl<'s> Reader<'s> {
    fn new(starts: &'s [(usize, i64)]) -> Self {
        Self {
            starts,
            blocks: Vec::new(),
            run: Run::default(),
            lines: None,
            lists: Vec::new(),
            marker: None,
            quotes: 0,
            heading: None,
            code: false,
            html: None,
            image: 0,
            cell: 0,
            table: false,
            outer: Vec::new(),
            resume: None,
        }
    }

    fn line_at(&self, offset: usize) -> i64 {
        let index = self.starts.partition_point(|(start, _)| *start <= offset);
        index.checked_sub(1).and_then(|index| self.starts.get(index)).map_or(1, |(_, number)| *number)
    }

    fn lines_of(&self, range: &Range<usize>) -> (i64, i64) {
        // Block ranges end after the line break; the break belongs to the line before it.
        (self.line_at(range.start), self.line_at(range.end.saturating_sub(1).max(range.start)))
    }

    fn take(&mut self, event: Event<'_>, range: &Range<usize>) {
        match event {
            Event::Start(tag) => self.open(tag, range),
            Event::End(tag) => self.close(tag, range),
            Event::Text(text) => self.text(&text, range),
            Event::Code(text) => self.text(&text, range),
            Event::SoftBreak | Event::HardBreak => {
                let gap = if self.lists.is_empty() && self.heading.is_none() && event == Event::HardBreak && !self.table
                {
                    "\n"
                } else {
                    " "
                };
                self.text(gap, range);
            }
            Event::Html(html) => self.html.get_or_insert_default().push_str(&html),
            Event::InlineHtml(html) => {
                if generic_parameter(&html) {
                    self.text(&html, range);
                } else if html.starts_with("<br") {
                    self.text(" ", range);
                } else if let Some(alt) = attribute(&html, "alt").filter(|_| html.starts_with("<img")) {
                    self.text(&alt, range);
                }
            }
            Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text, range),
            Event::TaskListMarker(_) | Event::FootnoteReference(_) | Event::Rule => {}
        }
    }

    fn text(&mut self, text: &str, range: &Range<usize>) {
        if let Some(html) = &mut self.html {
            html.push_str(text);
            return;
        }
        let lines = self.lines_of(range);
        if self.code {
            // A code block arrives in pieces of one line or many; each keeps its own lines.
            for (index, line) in text.split_inclusive('\n').enumerate() {
                let number = if lines.0 == lines.1 { lines.0 } else { self.line_of_piece(range, text, index) };
                self.run.push(line, (number, number));
            }
            return;
        }
        if let Some(marker) = self.marker.take() {
            self.run.push(&marker, lines);
        }
        let text = visible(text);
        let text = if self.cell > 0 { text.replace('|', "/") } else { text };
        self.run.push(&text, lines);
        self.lines.get_or_insert(lines);
    }

    fn line_of_piece(&self, range: &Range<usize>, text: &str, index: usize) -> i64 {
        let before: usize = text.split_inclusive('\n').take(index).map(str::len).sum();
        self.line_at(range.start + before)
    }

    fn open(&mut self, tag: Tag<'_>, range: &Range<usize>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.flush();
                self.heading = Some(level as u8);
                self.lines = Some(self.lines_of(range));
            }
            Tag::CodeBlock(kind) => {
                self.flush();
                self.code = true;
                let (first, last) = self.lines_of(range);
                let fenced = matches!(kind, CodeBlockKind::Fenced(_));
                self.lines = Some((first, if fenced { last } else { last.max(first) }));
            }
            Tag::List(first) => {
                if self.lists.is_empty() {
                    self.flush();
                }
                self.lists.push(first);
            }
            Tag::Item => {
                self.end_line();
                let depth = self.lists.len().saturating_sub(1);
                let marker = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "- ".to_owned(),
                };
                self.marker = Some(format!("{}{marker}", "  ".repeat(depth)));
            }
            Tag::Paragraph => {
                if self.lists.is_empty() && self.quotes == 0 {
                    self.flush();
                } else {
                    self.end_line();
                }
            }
            Tag::BlockQuote(_) => {
                if self.lists.is_empty() {
                    self.flush();
                }
                self.quotes += 1;
                self.outer
                    .push(self.blocks.iter().rev().find(|block| matches!(block.kind, BlockKind::Heading(_))).cloned());
            }
            Tag::Table(_) => {
                self.flush();
                self.table = true;
            }
            Tag::TableHead | Tag::TableRow => {
                self.end_line();
                self.cell = 0;
            }
            Tag::TableCell => {
                if self.cell > 0 {
                    let lines = self.lines_of(range);
                    self.run.push(" | ", lines);
                }
                self.cell += 1;
            }
            Tag::HtmlBlock => {
                self.flush();
                self.html = Some(String::new());
                self.lines = Some(self.lines_of(range));
            }
            Tag::DefinitionListTitle | Tag::DefinitionListDefinition | Tag::FootnoteDefinition(_) => self.flush(),
            Tag::Image { .. } => self.image += 1,
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd, range: &Range<usize>) {
        match tag {
            TagEnd::Heading(_) | TagEnd::CodeBlock | TagEnd::HtmlBlock => {
                let (first, last) = self.lines.unwrap_or_else(|| self.lines_of(range));
                self.lines = Some((first, last));
                self.flush();
            }
            TagEnd::Paragraph if self.lists.is_empty() => self.flush(),
            TagEnd::Item => {
                self.marker = None;
                self.end_line();
            }
            TagEnd::List(_) => {
                if self.lists.len() == 1 {
                    self.flush();
                }
                self.lists.pop();
            }
            TagEnd::BlockQuote(_) => {
                if self.lists.is_empty() {
                    self.flush();
                }
                self.quotes = self.quotes.saturating_sub(1);
                let before = self.outer.pop().flatten();
                let now = self.blocks.iter().rev().find(|block| matches!(block.kind, BlockKind::Heading(_)));
                if let (Some(before), Some(now)) = (before, now)
                    && before != *now
                {
                    self.resume = Some(before);
                }
            }
            TagEnd::Table => {
                self.flush();
                self.table = false;
                self.cell = 0;
            }
            TagEnd::DefinitionListTitle | TagEnd::DefinitionListDefinition | TagEnd::FootnoteDefinition => self.flush(),
            TagEnd::Image => self.image = self.image.saturating_sub(1),
            _ => {}
        }
    }

    /// Ends a line of a list, table or quotation.
    fn end_line(&mut self) {
        if !self.run.text.is_empty() && !self.run.text.ends_with('\n') {
            let lines = self.run.marks.last().map_or((1, 1), |mark| (mark.1, mark.2));
            self.run.push("\n", lines);
        }
    }

    /// Ends the block under way.
    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        let lines = self.lines.take();
        if let Some(html) = self.html.take() {
            self.raw_html(&html, lines.unwrap_or((1, 1)));
            return;
        }
        let kind = match (self.heading.take(), std::mem::take(&mut self.code)) {
            (Some(level), _) => BlockKind::Heading(level),
            (_, true) => BlockKind::Code,
            _ if self.table => BlockKind::Table,
            _ if !self.lists.is_empty() => BlockKind::List,
            _ if self.quotes > 0 => BlockKind::Quote,
            _ => BlockKind::Paragraph,
        };
        self.push(kind, run, lines);
    }

    fn push(&mut self, kind: BlockKind, run: Run, lines: Option<(i64, i64)>) {
        let is_heading = matches!(kind, BlockKind::Heading(_));
        let trimmed = if kind == BlockKind::Code { run.text.trim_matches('\n').trim_end() } else { run.text.trim() };
        if trimmed.trim().is_empty() {
            return;
        }
        let lead = run.text.find(trimmed).unwrap_or(0);
        let text = if is_heading { heading_text(trimmed) } else { trimmed.to_owned() };
        if text.is_empty() {
            return;
        }
        let place = |from, to| Locator::new(LocatorKind::Lines, from, to);
        let marks: Vec<Mark> = if is_heading {
            Vec::new()
        } else {
            run.marks
                .iter()
                .map(|(at, from, to)| Mark { at: at.saturating_sub(lead), locator: place(*from, *to) })
                .collect()
        };
        let spread = marks.iter().map(|mark| mark.locator).reduce(Locator::union);
        let own = lines.map(|(from, to)| place(from, to));
        // A fence's own lines belong to its place; of other blocks only the lines with text do.
        let locator = match (own, spread) {
            (Some(own), Some(spread)) => own.union(spread),
            (own, spread) => own.or(spread).unwrap_or_else(|| place(1, 1)),
        };
        if is_heading {
            self.resume = None;
        } else if let Some(heading) = self.resume.take() {
            self.blocks.push(heading);
        }
        self.blocks.push(Block { kind, text, locator, marks });
    }

    /// Text of a raw HTML block: tags and comments dropped, captions and headings kept.
    fn raw_html(&mut self, html: &str, lines: (i64, i64)) {
        for (level, text) in pieces(html) {
            let text = visible(&text);
            let kind = level.map_or(BlockKind::Paragraph, BlockKind::Heading);
            let mut run = Run::default();
            run.push(&text, lines);
            self.push(kind, run, Some(lines));
        }
    }

    fn finish(mut self) -> Vec<Block> {
        self.flush();
        self.blocks
    }
}

/// A heading without attribute lists, closing marks and template leftovers.
fn heading_text(text: &str) -> String {
    let mut text = squeeze(text);
    loop {
        let before = text.len();
        text = text.trim_end_matches(['#', ' ']).to_owned();
        // `{#id .class key=value}` and kramdown's `{: ...}`.
        if text.ends_with('}')
            && let Some(open) = text.rfind('{')
            && text.get(open + 1..).is_some_and(|list| list.starts_with(['#', '.', ':', '-']) || list.contains('='))
        {
            text.truncate(open);
        }
        // MyST `(label)=` stands before a heading and Pelican's pilcrow after one.
        text = text.trim_end_matches(['¶', ' ']).to_owned();
        if text.len() == before {
            return if text.is_empty() { String::new() } else { text };
        }
    }
}

/// `<T>` or `<Item>` written without backticks is a generic parameter, not a tag.
fn generic_parameter(html: &str) -> bool {
    html.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}
