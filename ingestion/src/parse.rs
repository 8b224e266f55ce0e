//! Parsers: bytes of one document to blocks with places. No parser opens a file or a socket.

pub mod archive;
pub mod captions;
pub mod cartridge;
pub mod cmi5;
pub mod code;
pub mod csv;
pub mod docx;
pub mod epub;
mod front_matter;
pub mod h5p;
pub mod html;
pub mod json3;
pub mod manifest;
pub mod markdown;
pub mod notebook;
mod notes;
mod office;
pub mod package;
pub mod pdf;
mod pdf_layout;
pub mod pptx;
pub mod qti;
mod raw_html;
mod template;

use domain::document::{Document, DocumentKind, Warning};
use domain::ingestion::{Failure, failure};
pub(crate) use domain::text::{squeeze, visible};
use serde::{Deserialize, Serialize};

/// The formats that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Markdown, and plain text as its simplest case.
    Markdown,
    /// HTML and XHTML.
    Html,
    /// PDF.
    Pdf,
    /// `WebVTT` and `SubRip`.
    Captions,
    /// Text documents of word processors.
    Docx,
    /// Presentations.
    Pptx,
    /// Jupyter notebooks.
    Notebook,
    /// Tables of values.
    Csv,
}

impl Format {
    /// The format of a path, by its extension.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "md" | "markdown" | "mdx" | "mkd" | "qmd" | "txt" => Some(Self::Markdown),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "pdf" => Some(Self::Pdf),
            "vtt" | "srt" => Some(Self::Captions),
            "docx" => Some(Self::Docx),
            "pptx" => Some(Self::Pptx),
            "ipynb" => Some(Self::Notebook),
            "csv" | "tsv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// Whether documents of this format are parsed in a child process.
    #[must_use]
    pub fn hostile(self) -> bool {
        matches!(self, Self::Html | Self::Pdf | Self::Docx | Self::Pptx)
    }

    /// What a document of this format is.
    #[must_use]
    pub fn kind(self) -> DocumentKind {
        match self {
            Self::Markdown => DocumentKind::Markdown,
            Self::Html => DocumentKind::Html,
            Self::Pdf => DocumentKind::Pdf,
            Self::Captions => DocumentKind::Transcript,
            Self::Docx => DocumentKind::Docx,
            Self::Pptx => DocumentKind::Pptx,
            Self::Notebook => DocumentKind::Notebook,
            Self::Csv => DocumentKind::Csv,
        }
    }

    /// Whether its bytes are no text, so that a document of it may be large.
    #[must_use]
    pub fn binary(self) -> bool {
        matches!(self, Self::Pdf | Self::Docx | Self::Pptx)
    }
}

/// Parses `bytes` as `format`; call it for a hostile format only inside the sandbox.
///
/// # Errors
/// A typed failure that says what to do.
pub fn document(format: Format, path: &str, bytes: &[u8]) -> Result<Document, Failure> {
    match format {
        Format::Markdown => markdown::parse(path, &text(path, bytes)?, &markdown::NoFiles),
        Format::Html => html::parse(path, &text(path, bytes)?),
        Format::Pdf => pdf::parse(path, bytes),
        Format::Captions => captions::parse(path, &text(path, bytes)?),
        Format::Docx => docx::parse(path, bytes),
        Format::Pptx => pptx::parse(path, bytes),
        Format::Notebook => notebook::parse(path, &text(path, bytes)?),
        Format::Csv => csv::parse(path, &text(path, bytes)?),
    }
}

/// The text of a file: UTF-8, or UTF-16 with its mark, or Windows-1252 as browsers read unmarked text.
///
/// # Errors
/// `BAD_DOCUMENT` when the bytes are no text.
pub fn text(path: &str, bytes: &[u8]) -> Result<String, Failure> {
    let utf16 = |bytes: &[u8], read: fn([u8; 2]) -> u16| {
        let units = bytes
            .chunks_exact(2)
            .map(|pair| read([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)]));
        char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}')).collect::<String>()
    };
    if let Some(rest) = bytes.strip_prefix(&[0xff, 0xfe]) {
        return Ok(utf16(rest, u16::from_le_bytes));
    }
    if let Some(rest) = bytes.strip_prefix(&[0xfe, 0xff]) {
        return Ok(utf16(rest, u16::from_be_bytes));
    }
    if bytes.contains(&0) {
        let message = format!("\"{path}\" holds binary data where text was expected; export it again as UTF-8 text");
        return Err(Failure::new(failure::BAD_DOCUMENT, message));
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    Ok(std::str::from_utf8(bytes)
        .map_or_else(|_| bytes.iter().map(|byte| windows_1252(*byte)).collect(), str::to_owned))
}

fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}', '‘',
        '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    HIGH.get(usize::from(byte.wrapping_sub(0x80))).copied().unwrap_or_else(|| char::from(byte))
}

/// A title from a file name: the stem, with `-` and `_` as spaces and order numbers dropped.
#[must_use]
pub fn title_of_path(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let words = squeeze(&stem.replace(['-', '_'], " "));
    let trimmed = words.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ' ' | '.'));
    let kept = if trimmed.is_empty() { words.as_str() } else { trimmed };
    let mut chars = kept.chars();
    chars.next().map_or_else(|| name.to_owned(), |first| first.to_uppercase().chain(chars).collect())
}

/// A warning about `path`.
#[must_use]
pub fn warning(code: &str, message: impl Into<String>, place: &str) -> Warning {
    Warning { code: code.into(), message: message.into(), place: Some(place.to_owned()) }
}

/// The paths of the source that a Markdown text includes, found or not.
#[must_use]
pub fn include_targets(path: &str, text: &str) -> Vec<String> {
    template::targets(path, text)
}

/// A path within a tree, without `.` and `..`; none leads out of it.
pub(crate) fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}
