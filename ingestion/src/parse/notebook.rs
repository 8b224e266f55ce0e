//! Jupyter notebooks (nbformat 3 and 4) to blocks: Markdown and code cells in order, outputs dropped and counted.
//!
//! Places are cells.

use domain::document::{Block, BlockKind, Document, DocumentKind, Notes};
use domain::ingestion::{Failure, failure};
use domain::{Locator, LocatorKind};
use serde_json::Value;

use super::{markdown, title_of_path, visible, warning};

/// A longer notebook is a log, not a lesson.
const MOST_CELLS: usize = 20_000;

/// Parses a notebook.
///
/// # Errors
/// `BAD_DOCUMENT`, `TOO_LARGE` or `EMPTY`.
pub fn parse(path: &str, text: &str) -> Result<Document, Failure> {
    let broken = |why: String| {
        let message = format!("\"{path}\" is not a readable notebook ({why}); open it in Jupyter and save it again");
        Failure::new(failure::BAD_DOCUMENT, message)
    };
    let notebook: Value = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
    let cells = notebook.get("cells").or_else(|| notebook.pointer("/worksheets/0/cells"));
    let cells = cells.and_then(Value::as_array).ok_or_else(|| broken("it has no cells".into()))?;
    if cells.len() > MOST_CELLS {
        let message = format!("\"{path}\" has {} cells; split it into parts of at most {MOST_CELLS}", cells.len());
        return Err(Failure::new(failure::TOO_LARGE, message));
    }
    let (mut blocks, mut warnings, mut notes) = (Vec::new(), Vec::new(), Notes::default());
    let (mut outputs, mut raw) = (0, 0);
    for (number, cell) in (1_i64..).zip(cells) {
        let place = Locator::new(LocatorKind::Cell, number, number);
        let source = lines(cell.get("source").or_else(|| cell.get("input")));
        outputs += cell.get("outputs").and_then(Value::as_array).map_or(0, Vec::len);
        match cell.get("cell_type").and_then(Value::as_str).unwrap_or_default() {
            "markdown" | "heading" => {
                let level = cell.get("level").and_then(Value::as_u64).and_then(|level| usize::try_from(level).ok());
                let source =
                    level.map_or_else(|| source.clone(), |level| format!("{} {source}", "#".repeat(level.clamp(1, 6))));
                let document = markdown::parse(path, &source, &markdown::NoFiles)?;
                blocks.extend(document.blocks.into_iter().map(|block| Block {
                    locator: place,
                    marks: Vec::new(),
                    ..block
                }));
                warnings.extend(document.warnings);
                notes.links.extend(document.notes.links);
                notes.terms.extend(document.notes.terms);
            }
            "code" => {
                let text = visible(&source);
                if !text.trim().is_empty() {
                    let text = text.trim_end().to_owned();
                    blocks.push(Block { kind: BlockKind::Code, text, locator: place, marks: Vec::new() });
                }
            }
            _ => raw += usize::from(!source.trim().is_empty()),
        }
    }
    if blocks.is_empty() {
        return Err(Failure::new(failure::EMPTY, format!("\"{path}\" has no Markdown and no code")));
    }
    if outputs > 0 {
        let message = format!("{outputs} outputs of code cells were dropped; their text is not searched");
        warnings.push(warning("OUTPUTS_DROPPED", message, path));
    }
    if raw > 0 {
        warnings.push(warning(
            "RAW_CELLS_DROPPED",
            format!("{raw} raw cells are for other programs and were dropped"),
            path,
        ));
    }
    let title = blocks.iter().find(|block| block.kind == BlockKind::Heading(1)).map(|block| block.text.clone());
    Ok(Document {
        path: path.to_owned(),
        title: title.unwrap_or_else(|| title_of_path(path)),
        kind: DocumentKind::Notebook,
        blocks,
        warnings,
        notes,
    })
}

/// Text that is written as one string or as a list of lines.
fn lines(source: Option<&Value>) -> String {
    match source {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}
