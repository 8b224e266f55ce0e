//! A parsed document: blocks of text in reading order, each with its place in the source.
//!
//! Parsers make this from Markdown, HTML, PDF or captions; the chunker reads nothing else.

use serde::{Deserialize, Serialize};

use crate::Locator;

/// What a block of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "level")]
pub enum BlockKind {
    /// A heading; the level is 1 for the page's title.
    Heading(u8),
    /// Running text.
    Paragraph,
    /// A list, an item a line.
    List,
    /// A fenced or indented code block; never split below 300 words.
    Code,
    /// A table, a row a line, cells separated by ` | `.
    Table,
    /// A quotation.
    Quote,
    /// A caption cue or spoken passage.
    Cue,
}

/// One block of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// What it is.
    pub kind: BlockKind,
    /// Plain text: inline markup removed, code and identifiers kept.
    pub text: String,
    /// Where it stands in the source.
    pub locator: Locator,
    /// Where its parts stand, in order: each from its byte of `text` to the next; empty when the
    /// whole block has one place.
    #[serde(default)]
    pub marks: Vec<Mark>,
}

/// The place of the part of a block's text that begins at a byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// First byte of the part in the block's text.
    pub at: usize,
    /// Where the part stands in the source.
    pub locator: Locator,
}

impl Block {
    /// The smallest place that covers bytes `start..end` of the text.
    #[must_use]
    pub fn place(&self, start: usize, end: usize) -> Locator {
        let mut found: Option<Locator> = None;
        for (index, mark) in self.marks.iter().enumerate() {
            let until = self.marks.get(index + 1).map_or(usize::MAX, |next| next.at);
            if mark.at < end && start < until {
                found = Some(found.map_or(mark.locator, |place| place.union(mark.locator)));
            }
        }
        found.unwrap_or(self.locator)
    }
}

/// What a document shows a learner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DocumentKind {
    /// Markdown text.
    Markdown,
    /// An HTML page.
    Html,
    /// A PDF.
    Pdf,
    /// A transcript or caption file.
    Transcript,
    /// A recording with its transcript.
    Video,
    /// A page of a SCORM package.
    Scorm,
    /// A text document of a word processor.
    Docx,
    /// A presentation.
    Pptx,
    /// A Jupyter notebook.
    Notebook,
    /// A table of values.
    Csv,
}

impl DocumentKind {
    /// The spelling used in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Pdf => "pdf",
            Self::Transcript => "transcript",
            Self::Video => "video",
            Self::Scorm => "scorm",
            Self::Docx => "docx",
            Self::Pptx => "pptx",
            Self::Notebook => "notebook",
            Self::Csv => "csv",
        }
    }
}

/// Something a reader of the report should know; content was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable code: `UNRESOLVED_INCLUDE`, `DROPPED_ACTIVITY`, `INSTRUCTION_LIKE_TEXT` and so on.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Where: path and place, if known.
    pub place: Option<String>,
}

/// A document as its parser understood it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Path within the source, with `/`, as citations show it.
    pub path: String,
    /// Title: front matter, first heading, or file name.
    pub title: String,
    /// What it is.
    pub kind: DocumentKind,
    /// Blocks in reading order.
    pub blocks: Vec<Block>,
    /// What was odd.
    pub warnings: Vec<Warning>,
    /// What its author points at and stresses.
    #[serde(default)]
    pub notes: Notes,
}

/// What the author of a document points at and stresses: the raw material of prerequisites and concepts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Links to other documents of the same source.
    pub links: Vec<Link>,
    /// Words in emphasis, each once, in the order of their first appearance.
    pub terms: Vec<String>,
}

/// A link to another document of the same source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Path from the root of the source, without place or query.
    pub to: String,
    /// The words that are linked.
    pub text: String,
}
