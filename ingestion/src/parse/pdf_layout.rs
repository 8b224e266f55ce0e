//! Reading order of a PDF page from the places of its text: columns, lines, paragraphs, headings.

use domain::document::{Block, BlockKind};
use domain::{Locator, LocatorKind};

use super::squeeze;

/// A run of text of one font on one line; `y` is the base line and grows upwards, in points.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) size: f32,
    pub(super) bold: bool,
}

impl Piece {
    fn right(&self) -> f32 {
        self.x + self.width
    }
}

#[derive(Debug, Clone)]
struct Line {
    text: String,
    x: f32,
    right: f32,
    y: f32,
    size: f32,
    bold: bool,
}

/// The blocks of all pages.
pub(super) fn blocks(pages: &[Vec<Piece>]) -> Vec<Block> {
    let body = body_size(pages);
    let running = running_lines(pages);
    let mut blocks = Vec::new();
    let mut sizes: Vec<i32> = Vec::new();
    let mut found: Vec<(Block, f32, bool)> = Vec::new();
    for (index, page) in pages.iter().enumerate() {
        let number = i64::try_from(index).unwrap_or(i64::MAX) + 1;
        let place = Locator::new(LocatorKind::Page, number, number);
        let (low, high) = extent(page);
        let lines: Vec<Line> = columns(page)
            .into_iter()
            .flat_map(|column| lines(&column))
            .filter(|line| {
                !(page_number(&line.text) && (line.y <= low + 1.0 || line.y >= high - 1.0))
                    && !running.contains(&line.text)
            })
            .collect();
        for paragraph in paragraphs(&lines, body) {
            let text = join(&paragraph);
            let size = paragraph.iter().map(|line| line.size).fold(0.0, f32::max);
            let bold = paragraph.iter().all(|line| line.bold);
            let words = text.split_whitespace().count();
            let heading = words <= 20
                && text.chars().any(char::is_alphabetic)
                && (size >= body * 1.12
                    || (bold
                        && words <= 12
                        && size >= body * 0.98
                        && !text.ends_with(['.', ',', ';', ':'])
                        && starts_title(&text)));
            if heading {
                sizes.push(tenths(size));
            }
            let kind = if heading { BlockKind::Heading(0) } else { BlockKind::Paragraph };
            found.push((Block { kind, text, locator: place, marks: Vec::new() }, size, heading));
        }
    }
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    sizes.dedup();
    for (mut block, size, heading) in found {
        if heading {
            let level = sizes.iter().position(|known| *known == tenths(size)).unwrap_or(0) + 1;
            block.kind = BlockKind::Heading(u8::try_from(level.min(6)).unwrap_or(6));
        }
        blocks.push(block);
    }
    blocks
}

/// The largest text of the first page, when it is larger than the rest.
pub(super) fn title(pages: &[Vec<Piece>]) -> Option<String> {
    let body = body_size(pages);
    let first = blocks(pages.get(..1)?);
    let largest = pages.first()?.iter().map(|piece| piece.size).fold(0.0, f32::max);
    if largest < body * 1.12 {
        return None;
    }
    first.into_iter().find(|block| block.kind == BlockKind::Heading(1)).map(|block| block.text)
}

fn starts_title(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_uppercase() || c.is_ascii_digit())
}

/// A tenth of a point, so that sizes compare.
#[expect(clippy::cast_possible_truncation, reason = "font sizes are small; a float cast saturates")]
fn tenths(size: f32) -> i32 {
    (size * 2.0).round() as i32
}

/// The size that most letters have.
fn body_size(pages: &[Vec<Piece>]) -> f32 {
    let mut letters: std::collections::HashMap<i32, (usize, f32)> = std::collections::HashMap::new();
    for piece in pages.iter().flatten() {
        let entry = letters.entry(tenths(piece.size)).or_insert((0, piece.size));
        entry.0 += piece.text.chars().count();
    }
    letters.into_values().max_by_key(|(count, _)| *count).map_or(10.0, |(_, size)| size)
}

fn extent(page: &[Piece]) -> (f32, f32) {
    page.iter()
        .filter(|piece| !piece.text.trim().is_empty())
        .fold((f32::MAX, f32::MIN), |(low, high), piece| (low.min(piece.y), high.max(piece.y)))
}

fn page_number(text: &str) -> bool {
    let trimmed = text.trim().trim_start_matches("Page ").trim_matches(['-', '–', ' ']);
    !trimmed.is_empty()
        && trimmed.len() <= 12
        && trimmed
            .split(" of ")
            .all(|part| part.chars().all(|c| c.is_ascii_digit() || matches!(c, 'i' | 'v' | 'x' | '/')))
}

/// Lines that stand at the top or bottom of at least three pages and of half of them.
fn running_lines(pages: &[Vec<Piece>]) -> Vec<String> {
    let mut seen: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    for page in pages {
        let (low, high) = extent(page);
        let edge: Vec<Piece> =
            page.iter().filter(|piece| piece.y <= low + 1.0 || piece.y >= high - 1.0).cloned().collect();
        let texts: std::collections::HashSet<String> = lines(&edge).into_iter().map(|line| line.text).collect();
        for text in texts {
            *seen.entry(text).or_default() += 1;
        }
    }
    seen.into_iter().filter(|(_, count)| *count >= 3 && *count * 2 > pages.len()).map(|(text, _)| text).collect()
}

/// The pieces of a page in columns, in reading order; a piece that crosses the gutter ends the
/// columns above it.
fn columns(page: &[Piece]) -> Vec<Vec<Piece>> {
    let pieces: Vec<Piece> = page.iter().filter(|piece| !piece.text.is_empty()).cloned().collect();
    let Some(gutter) = gutter(&pieces) else { return vec![pieces] };
    let crosses = |piece: &Piece| piece.x < gutter - 1.0 && piece.right() > gutter + 1.0;
    let mut wide: Vec<f32> = pieces.iter().filter(|piece| crosses(piece)).map(|piece| piece.y).collect();
    wide.sort_by(|a, b| b.total_cmp(a));
    let mut columns = Vec::new();
    let mut above = f32::MAX;
    let band = |top: f32, bottom: f32, columns: &mut Vec<Vec<Piece>>| {
        let inside = |piece: &&Piece| piece.y < top && piece.y > bottom && !crosses(piece);
        columns.push(pieces.iter().filter(inside).filter(|piece| piece.x < gutter).cloned().collect());
        columns.push(pieces.iter().filter(inside).filter(|piece| piece.x >= gutter).cloned().collect());
    };
    for y in wide {
        if y < above - 1.0 {
            band(above, y + 1.0, &mut columns);
            columns.push(pieces.iter().filter(|piece| (piece.y - y).abs() <= 1.0).cloned().collect());
            above = y - 1.0;
        }
    }
    band(above, f32::MIN, &mut columns);
    columns.retain(|column| !column.is_empty());
    columns
}

/// The `x` of the white gap between two columns, if the page has two.
fn gutter(pieces: &[Piece]) -> Option<f32> {
    let with_text = || pieces.iter().filter(|piece| !piece.text.trim().is_empty());
    let left = with_text().map(|piece| piece.x).fold(f32::MAX, f32::min);
    let right = with_text().map(Piece::right).fold(f32::MIN, f32::max);
    let rows = lines(pieces);
    if rows.len() < 8 || right - left < 200.0 {
        return None;
    }
    let letters =
        |pieces: &mut dyn Iterator<Item = &Piece>| pieces.map(|piece| piece.text.trim().chars().count()).sum::<usize>();
    let all = letters(&mut with_text()).max(1);
    let mut best: Option<(usize, f32)> = None;
    for step in 0..=60_u8 {
        let x = left + (right - left) * (0.3 + 0.4 * f32::from(step) / 60.0);
        let crossing = letters(&mut with_text().filter(|piece| piece.x < x - 1.0 && piece.right() > x + 1.0));
        let before = letters(&mut with_text().filter(|piece| piece.right() <= x + 1.0));
        let after = letters(&mut with_text().filter(|piece| piece.x >= x - 1.0));
        // Lines of prose on both sides, nearly none across: a table row or a table of contents has
        // short pieces on one side.
        let prose = |side: &dyn Fn(&&Piece) -> bool| {
            let long =
                with_text().filter(|piece| side(piece)).filter(|piece| piece.width > (right - left) * 0.25).count();
            long >= 6
        };
        if crossing * 8 <= all
            && before * 4 >= all
            && after * 8 >= all
            && prose(&|piece| piece.right() <= x + 1.0)
            && prose(&|piece| piece.x >= x - 1.0)
            && best.is_none_or(|(least, _)| crossing < least)
        {
            best = Some((crossing, x));
        }
    }
    best.map(|(_, x)| x)
}

/// Pieces of one column as lines from top to bottom.
fn lines(pieces: &[Piece]) -> Vec<Line> {
    let mut sorted: Vec<&Piece> = pieces.iter().collect();
    sorted.sort_by(|a, b| b.y.total_cmp(&a.y));
    let mut rows: Vec<Vec<&Piece>> = Vec::new();
    for piece in sorted {
        match rows.last_mut() {
            // A base line a little off (superscripts, accents) is the same line.
            Some(row)
                if row.iter().any(|other| (other.y - piece.y).abs() <= 0.45 * other.size.min(piece.size).max(4.0)) =>
            {
                row.push(piece)
            }
            _ => rows.push(vec![piece]),
        }
    }
    rows.into_iter().filter_map(|row| line(row)).collect()
}

fn line(mut row: Vec<&Piece>) -> Option<Line> {
    // Right-to-left text is left in the order of the file; its glyphs are already in reading order.
    let rtl = row.iter().any(|piece| piece.text.chars().any(|c| matches!(c, '\u{590}'..='\u{8ff}')));
    if !rtl {
        row.sort_by(|a, b| a.x.total_cmp(&b.x));
    }
    let mut text = String::new();
    let mut edge: Option<f32> = None;
    for piece in &row {
        let gap = edge.map_or(0.0, |edge| piece.x - edge);
        if !text.is_empty() && !text.ends_with(' ') && (rtl || gap > 0.12 * piece.size) {
            text.push(' ');
        }
        text.push_str(&piece.text);
        edge = Some(piece.right());
    }
    let text = squeeze(&text);
    let first = row.iter().find(|piece| !piece.text.trim().is_empty())?;
    (!text.is_empty()).then(|| Line {
        x: row.iter().map(|piece| piece.x).fold(f32::MAX, f32::min),
        right: row.iter().map(|piece| piece.right()).fold(f32::MIN, f32::max),
        y: first.y,
        size: row.iter().map(|piece| piece.size).fold(0.0, f32::max),
        bold: row.iter().filter(|piece| !piece.text.trim().is_empty()).all(|piece| piece.bold),
        text,
    })
}

/// Lines as paragraphs: a wider gap, another size, or an indented line after a full stop begins one.
fn paragraphs(lines: &[Line], body: f32) -> Vec<Vec<Line>> {
    let mut gaps: Vec<f32> = lines
        .windows(2)
        .filter_map(|pair| pair.first().zip(pair.get(1)).map(|(a, b)| a.y - b.y))
        .filter(|gap| *gap > 0.5 * body && *gap < 3.0 * body)
        .collect();
    gaps.sort_by(f32::total_cmp);
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(1.2 * body);
    let right = lines.iter().map(|line| line.right).fold(f32::MIN, f32::max);
    let mut paragraphs: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        let joins = paragraphs.last().and_then(|paragraph| paragraph.last()).is_some_and(|last| {
            let gap = last.y - line.y;
            let same =
                (last.size - line.size).abs() <= 0.08 * body.max(1.0) && last.bold == line.bold || line.text.len() < 4;
            let ended = last.text.ends_with(['.', '!', '?', ':']);
            let indented = line.x > last.x + 0.7 * body && ended;
            let short = last.right < right - 0.15 * (right - last.x).max(1.0) && ended;
            gap > -0.5 * body && gap <= 1.35 * usual && same && !indented && !short
        });
        // The first lines of the next column continue the paragraph when it had not ended.
        let column = paragraphs.last().and_then(|paragraph| paragraph.last()).is_some_and(|last| {
            line.y > last.y + body
                && (last.size - line.size).abs() <= 0.08 * body
                && !last.text.ends_with(['.', '!', '?', ':'])
        });
        match paragraphs.last_mut() {
            Some(paragraph) if joins || column => paragraph.push(line.clone()),
            _ => paragraphs.push(vec![line.clone()]),
        }
    }
    paragraphs
}

/// The lines of a paragraph with hyphens at line ends undone.
fn join(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let continues = line.text.starts_with(char::is_lowercase);
        let stem =
            text.strip_suffix('-').filter(|stem| stem.ends_with(char::is_alphabetic) && continues).map(str::to_owned);
        if let Some(stem) = stem {
            text = stem;
        } else if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&line.text);
    }
    squeeze(&text)
}
