//! PDF to blocks, a page at a time: text in reading order, headings by the size of their letters.

use domain::document::{Document, DocumentKind, Notes};
use domain::ingestion::{Failure, failure};
use pdf_oxide::PdfDocument;

use super::pdf_layout::{Piece, blocks};
use super::{title_of_path, visible, warning};

/// A longer document is split before it is useful.
const MOST_PAGES: usize = 5_000;

/// Parses a PDF.
///
/// # Errors
/// `PASSWORD_PROTECTED`, `NO_TEXT` (scanned pages), `TOO_LARGE`, or `BAD_DOCUMENT`.
pub fn parse(path: &str, bytes: &[u8]) -> Result<Document, Failure> {
    let broken = |reason: String| {
        Failure::new(
            failure::BAD_DOCUMENT,
            format!("\"{path}\" is not a readable PDF ({reason}); open it in a viewer and save it again"),
        )
    };
    if !bytes.get(..1024.min(bytes.len())).unwrap_or_default().windows(5).any(|window| window == b"%PDF-") {
        return Err(broken("no PDF header".into()));
    }
    let pdf = PdfDocument::from_bytes(bytes.to_vec()).map_err(|error| broken(short(&error.to_string())))?;
    if pdf.is_encrypted() && !matches!(pdf.authenticate(b""), Ok(true)) {
        let message = format!("\"{path}\" needs a password; save a copy without one and ingest that");
        return Err(Failure::new(failure::PASSWORD_PROTECTED, message));
    }
    let pages = pdf.page_count().map_err(|error| broken(short(&error.to_string())))?;
    if pages > MOST_PAGES {
        return Err(Failure::new(
            failure::TOO_LARGE,
            format!("\"{path}\" has {pages} pages; split it into parts of at most {MOST_PAGES}"),
        ));
    }
    let mut pieces: Vec<Vec<Piece>> = Vec::with_capacity(pages);
    let mut warnings = Vec::new();
    for page in 0..pages {
        match pdf.extract_spans(page) {
            Ok(spans) => pieces.push(
                spans
                    .into_iter()
                    .map(|span| Piece {
                        text: visible(&span.text),
                        x: span.bbox.x,
                        y: span.bbox.y,
                        width: span.bbox.width,
                        size: span.font_size,
                        bold: span.font_weight.is_bold(),
                    })
                    .filter(|piece| {
                        piece.x.is_finite() && piece.y.is_finite() && piece.width.is_finite() && piece.size.is_finite()
                    })
                    .collect(),
            ),
            Err(error) => {
                warnings.push(warning(
                    "PAGE_UNREADABLE",
                    format!("page {} could not be read: {}", page + 1, short(&error.to_string())),
                    path,
                ));
                pieces.push(Vec::new());
            }
        }
    }
    let blocks = blocks(&pieces);
    if blocks.is_empty() {
        let tail = bytes.get(bytes.len().saturating_sub(2048)..).unwrap_or_default();
        if !tail.windows(5).any(|window| window == b"%%EOF") {
            return Err(broken("its end is missing".into()));
        }
        let message = format!(
            "\"{path}\" has {pages} pages and no text (scanned images?); run OCR on it, for example with ocrmypdf, and ingest the result"
        );
        return Err(Failure::new(failure::NO_TEXT, message));
    }
    let silent = pieces.iter().filter(|page| page.iter().all(|piece| piece.text.trim().is_empty())).count();
    if silent > 0 {
        warnings.push(warning(
            "PAGES_WITHOUT_TEXT",
            format!("{silent} of {pages} pages have no text; OCR would add them"),
            path,
        ));
    }
    let title = super::pdf_layout::title(&pieces).unwrap_or_else(|| title_of_path(path));
    Ok(Document { path: path.to_owned(), title, kind: DocumentKind::Pdf, blocks, warnings, notes: Notes::default() })
}

fn short(message: &str) -> String {
    message.lines().next().unwrap_or_default().chars().take(120).collect()
}
