//! CSV and TSV to tables: a passage is some rows with the header above them; places are lines.

use domain::document::{Block, BlockKind, Document, DocumentKind, Mark, Notes};
use domain::ingestion::{Failure, failure};
use domain::{Locator, LocatorKind};

use super::{squeeze, title_of_path, visible};

/// Rows of one block.
const ROWS: usize = 25;
/// A longer table is data, not a lesson.
const MOST_ROWS: usize = 100_000;

/// Parses a table.
///
/// # Errors
/// `BAD_DOCUMENT`, `TOO_LARGE` or `EMPTY`.
pub fn parse(path: &str, text: &str) -> Result<Document, Failure> {
    let first = text.lines().next().unwrap_or_default();
    let count = |sign: u8| first.bytes().filter(|byte| *byte == sign).count();
    let sign = [b',', b';', b'\t'].into_iter().rev().max_by_key(|sign| count(*sign)).unwrap_or(b',');
    let mut reader =
        ::csv::ReaderBuilder::new().flexible(true).has_headers(false).delimiter(sign).from_reader(text.as_bytes());
    let mut rows: Vec<(i64, String)> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            Failure::new(failure::BAD_DOCUMENT, format!("\"{path}\" is not a readable table: {error}; export it again"))
        })?;
        let line = record.position().and_then(|at| i64::try_from(at.line()).ok()).unwrap_or(1);
        let row = record.iter().map(|cell| squeeze(&visible(cell))).collect::<Vec<_>>().join(" | ");
        if row.chars().any(char::is_alphanumeric) {
            rows.push((line, row));
        }
        if rows.len() > MOST_ROWS {
            let message = format!("\"{path}\" has more than {MOST_ROWS} rows; import the part that is taught");
            return Err(Failure::new(failure::TOO_LARGE, message));
        }
    }
    let Some(((head, header), body)) = rows.split_first() else {
        return Err(Failure::new(failure::EMPTY, format!("\"{path}\" has no row with text")));
    };
    let place = |line: i64| Locator::new(LocatorKind::Lines, line, line);
    let mut blocks = Vec::new();
    let alone = [];
    let groups: Vec<&[(i64, String)]> = if body.is_empty() { vec![&alone] } else { body.chunks(ROWS).collect() };
    for group in groups {
        let mut text = header.clone();
        let mut marks = vec![Mark { at: 0, locator: place(*head) }];
        for (line, row) in group {
            text.push('\n');
            marks.push(Mark { at: text.len(), locator: place(*line) });
            text.push_str(row);
        }
        let from = group.first().map_or(*head, |(line, _)| *line);
        let to = group.last().map_or(*head, |(line, _)| *line);
        blocks.push(Block { kind: BlockKind::Table, text, locator: Locator::new(LocatorKind::Lines, from, to), marks });
    }
    Ok(Document {
        path: path.to_owned(),
        title: title_of_path(path),
        kind: DocumentKind::Csv,
        blocks,
        warnings: Vec::new(),
        notes: Notes::default(),
    })
}
