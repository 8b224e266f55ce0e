//! Cuts a document into chunks: passages of at most 200 words under one heading path, each with its
//! sentences and their places.

use domain::chunk::{Chunk, Sentence};
use domain::document::{Block, BlockKind, Document, DocumentKind};
use domain::{Locator, injection};

/// Words of a chunk.
const MOST_WORDS: usize = 200;
/// Estimated word pieces of a chunk with its heading path; the embedding model reads 256.
const MOST_PIECES: usize = 230;
/// A code block below this many words is never split.
const WHOLE_CODE: usize = 300;
/// A last chunk of a section below this many words joins the one before, if that fits.
const SHORT_TAIL: usize = 40;
/// Word pieces that a chunk with a joined tail may reach.
const MOST_PIECES_JOINED: usize = 244;
/// A window of speech may end after this, at a sentence.
const WINDOW_MS: i64 = 45_000;
/// A window of speech ends before this.
const LONGEST_WINDOW_MS: i64 = 75_000;
/// Windows of speech overlap by about this.
const OVERLAP_MS: i64 = 10_000;

/// A sentence, list item, table row or code block, on its way into a chunk.
#[derive(Debug, Clone)]
struct Unit {
    text: String,
    /// Bytes before the sentence proper, such as a list marker.
    lead: usize,
    locator: Locator,
    words: usize,
    pieces: usize,
    /// What stands between this unit and the one before it in the same chunk.
    glue: &'static str,
    /// May not be parted from the unit before.
    block: usize,
}

/// The chunks of a document, in order. `prefix` is what stands above the document: its chapter.
#[must_use]
pub fn chunks(document: &Document, prefix: &[String]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut stack: Vec<(u8, String)> = Vec::new();
    let mut section: Vec<&Block> = Vec::new();
    let spoken = matches!(document.kind, DocumentKind::Transcript | DocumentKind::Video);
    let mut close = |section: &mut Vec<&Block>, stack: &[(u8, String)]| {
        let path = heading_path(prefix, &document.title, stack);
        let blocks = std::mem::take(section);
        let units: Vec<Unit> = blocks.iter().enumerate().flat_map(|(index, block)| units(index, block)).collect();
        if units.is_empty() {
            return;
        }
        let budget = MOST_PIECES.saturating_sub(pieces(&path.join(" > ")) + 1).max(60);
        let groups = if spoken { windows(units, budget) } else { pack(units, budget) };
        chunks.extend(groups.into_iter().map(|group| chunk(&path, &group)));
    };
    for block in &document.blocks {
        if let BlockKind::Heading(level) = block.kind {
            close(&mut section, &stack);
            stack.retain(|(above, _)| *above < level);
            stack.push((level, block.text.clone()));
        } else {
            section.push(block);
        }
    }
    close(&mut section, &stack);
    chunks
}

/// Chapter, title, sections; a step that repeats the one above it is left out.
fn heading_path(prefix: &[String], title: &str, stack: &[(u8, String)]) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    let steps = prefix
        .iter()
        .map(String::as_str)
        .chain(std::iter::once(title))
        .chain(stack.iter().map(|(_, text)| text.as_str()));
    for step in steps {
        let same = |above: &String| above.to_lowercase() == step.to_lowercase();
        if !step.trim().is_empty() && !path.last().is_some_and(same) {
            path.push(step.trim().to_owned());
        }
    }
    path
}

fn word_count(text: &str) -> usize {
    text.split_whitespace().count()
}

/// A cautious estimate of the word pieces of a text: letters in runs of about six, digits in threes,
/// each mark by itself, each ideograph by itself.
#[must_use]
pub fn pieces(text: &str) -> usize {
    let mut count = 0;
    let (mut latin, mut other, mut digits) = (0_usize, 0_usize, 0_usize);
    let close = |latin: &mut usize, other: &mut usize, digits: &mut usize| {
        // Common words up to eight letters are one piece; longer ones break about every five.
        let run = match *latin {
            0 => 0,
            1..=7 => 1,
            length => 1 + (length - 3) / 5,
        };
        let pieces = run + other.div_ceil(2) + digits.div_ceil(3);
        (*latin, *other, *digits) = (0, 0, 0);
        pieces
    };
    for c in text.chars() {
        if c.is_ascii_alphabetic() {
            latin += 1;
        } else if c.is_ascii_digit() {
            digits += 1;
        } else if matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
        {
            count += 1 + close(&mut latin, &mut other, &mut digits);
        } else if c.is_alphanumeric() {
            other += 1;
        } else {
            count += close(&mut latin, &mut other, &mut digits) + usize::from(!c.is_whitespace());
        }
    }
    count + close(&mut latin, &mut other, &mut digits)
}

/// The units of a block.
fn units(index: usize, block: &Block) -> Vec<Unit> {
    let unit = |from: usize, to: usize, lead: usize, glue: &'static str| {
        let text = block.text.get(from..to).unwrap_or_default().to_owned();
        Unit {
            lead,
            locator: block.place(from + lead, to),
            words: word_count(&text),
            pieces: pieces(&text),
            glue,
            block: index,
            text,
        }
    };
    let mut units = match block.kind {
        BlockKind::Heading(_) => Vec::new(),
        BlockKind::Code if word_count(&block.text) < WHOLE_CODE => {
            vec![Unit { locator: block.locator, ..unit(0, block.text.len(), 0, "\n\n") }]
        }
        BlockKind::Code => split_code(&block.text).into_iter().map(|(from, to)| unit(from, to, 0, "\n")).collect(),
        BlockKind::List | BlockKind::Table => lines(&block.text)
            .into_iter()
            .flat_map(|(from, to)| line_units(&block.text, from, to))
            .map(|(from, to, lead, glue)| unit(from, to, lead, glue))
            .collect(),
        BlockKind::Paragraph | BlockKind::Quote | BlockKind::Cue => domain::text::sentences(&block.text)
            .into_iter()
            .flat_map(|(from, to)| split_long(&block.text, from, to))
            .map(|(from, to)| {
                let broken =
                    block.text.get(..from).is_some_and(|before| before.trim_end_matches([' ', '\t']).ends_with('\n'));
                unit(from, to, 0, if broken { "\n" } else { " " })
            })
            .collect::<Vec<Unit>>(),
    };
    if let Some(first) = units.first_mut() {
        first.glue = if block.kind == BlockKind::Cue { " " } else { "\n\n" };
    }
    units
}

fn lines(text: &str) -> Vec<(usize, usize)> {
    let mut at = 0;
    text.split_inclusive('\n')
        .map(|line| {
            let span = (at, at + line.trim_end().len());
            at += line.len();
            span
        })
        .filter(|(from, to)| from < to)
        .collect()
}

/// A list item or table row as one unit, or as its sentences when it is long.
fn line_units(text: &str, from: usize, to: usize) -> Vec<(usize, usize, usize, &'static str)> {
    let line = text.get(from..to).unwrap_or_default();
    let blank = line.len() - line.trim_start().len();
    let rest = line.get(blank..).unwrap_or_default();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let marker = if rest.starts_with("- ") {
        2
    } else if digits > 0 && rest.get(digits..).is_some_and(|rest| rest.starts_with(". ")) {
        digits + 2
    } else {
        0
    };
    let lead = blank + marker;
    if word_count(line) <= 60 && pieces(line) <= MOST_PIECES / 2 {
        return vec![(from, to, lead, "\n")];
    }
    let body = from + lead;
    let inner = text.get(body..to).unwrap_or_default();
    let spans = domain::text::sentences(inner).into_iter().flat_map(|(a, b)| split_long(text, body + a, body + b));
    spans.enumerate().map(|(index, (a, b))| if index == 0 { (from, b, lead, "\n") } else { (a, b, 0, " ") }).collect()
}

/// A sentence that would not fit a chunk, cut between words.
fn split_long(text: &str, from: usize, to: usize) -> Vec<(usize, usize)> {
    let slice = text.get(from..to).unwrap_or_default();
    if word_count(slice) <= MOST_WORDS / 2 && pieces(slice) <= MOST_PIECES / 2 {
        return vec![(from, to)];
    }
    let mut spans = Vec::new();
    let (mut start, mut end, mut count) = (from, from, 0);
    let mut at = from;
    for word in slice.split_inclusive(char::is_whitespace) {
        let cost = pieces(word);
        if cost > MOST_PIECES / 3 {
            // One "word" of hundreds of letters (a script without spaces, or data): cut by characters.
            if end > start {
                spans.push((start, end));
            }
            let mut cut = at;
            for (offset, _) in word.char_indices().step_by(60).skip(1) {
                spans.push((cut, at + offset));
                cut = at + offset;
            }
            (start, end, count) = (cut, at + word.trim_end().len(), 20);
        } else {
            if count + cost > MOST_PIECES / 2 && end > start {
                spans.push((start, end));
                (start, count) = (at, 0);
            }
            count += cost;
            end = at + word.trim_end().len();
        }
        at += word.len();
    }
    if end > start {
        spans.push((start, end));
    }
    spans
}

/// A code block of 300 words or more, cut at lines, at blank ones where it can be.
fn split_code(text: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let (mut start, mut words, mut at) = (0, 0, 0);
    let mut last_end = 0;
    for line in text.split_inclusive('\n') {
        let count = word_count(line);
        let blank = count == 0;
        if last_end > start && (words + count > 150 || (blank && words > 90)) {
            spans.push((start, last_end));
            (start, words) = (at, 0);
        }
        words += count;
        if !blank {
            if words == count {
                start = at;
            }
            last_end = at + line.trim_end().len();
        }
        at += line.len();
    }
    if last_end > start {
        spans.push((start, last_end));
    }
    spans
}

fn fits(words: usize, pieces: usize, unit: &[Unit], budget: usize) -> bool {
    words + unit.iter().map(|unit| unit.words).sum::<usize>() <= MOST_WORDS
        && pieces + unit.iter().map(|unit| unit.pieces).sum::<usize>() <= budget
}

/// Packs the units of a section: whole blocks where they fit, sentences where one block is too large.
fn pack(units: Vec<Unit>, budget: usize) -> Vec<Vec<Unit>> {
    let mut groups: Vec<Vec<Unit>> = Vec::new();
    let mut open: Vec<Unit> = Vec::new();
    let size = |group: &[Unit]| {
        (group.iter().map(|unit| unit.words).sum::<usize>(), group.iter().map(|unit| unit.pieces).sum::<usize>())
    };
    for block in units.chunk_by(|a, b| a.block == b.block) {
        let (words, pieces) = size(&open);
        if fits(words, pieces, block, budget) {
            open.extend_from_slice(block);
        } else if fits(0, 0, block, budget) && words >= SHORT_TAIL {
            groups.push(std::mem::replace(&mut open, block.to_vec()));
        } else {
            for unit in block {
                let (words, pieces) = size(&open);
                if !open.is_empty() && !fits(words, pieces, std::slice::from_ref(unit), budget) {
                    groups.push(std::mem::take(&mut open));
                }
                open.push(unit.clone());
            }
        }
    }
    if let (true, Some(last)) = (size(&open).0 < SHORT_TAIL, groups.last_mut()) {
        let ((words, pieces), (tail_words, tail_pieces)) = (size(last), size(&open));
        let joined = budget + MOST_PIECES_JOINED - MOST_PIECES;
        if words + tail_words <= MOST_WORDS + SHORT_TAIL && pieces + tail_pieces <= joined {
            last.append(&mut open);
        } else {
            // Too much to join: sentences move over until the tail stands on its own.
            while size(&open).0 < SHORT_TAIL
                && last.len() > 1
                && last
                    .last()
                    .is_some_and(|unit| fits(size(&open).0, size(&open).1, std::slice::from_ref(unit), budget))
            {
                let Some(unit) = last.pop() else { break };
                open.insert(0, unit);
            }
        }
    }
    if !open.is_empty() {
        groups.push(open);
    }
    groups
}

/// Windows of speech of 45 to 75 seconds that end at a sentence and overlap by about 10 seconds.
fn windows(units: Vec<Unit>, budget: usize) -> Vec<Vec<Unit>> {
    let mut groups = Vec::new();
    let mut first = 0;
    while first < units.len() {
        let rest = units.get(first..).unwrap_or_default();
        let start = rest.first().map_or(0, |unit| unit.locator.start);
        let (mut words, mut pieces) = (0, 0);
        let mut count = 0;
        for unit in rest {
            let length = unit.locator.end - start;
            if count > 0
                && (length > LONGEST_WINDOW_MS || words + unit.words > MOST_WORDS || pieces + unit.pieces > budget)
            {
                break;
            }
            (words, pieces, count) = (words + unit.words, pieces + unit.pieces, count + 1);
            if length >= WINDOW_MS {
                break;
            }
        }
        // A remainder too short to be a window of its own belongs to this one.
        let tail = rest.get(count..).unwrap_or_default();
        let tail_ms =
            tail.last().map_or(0, |unit| unit.locator.end) - tail.first().map_or(0, |unit| unit.locator.start);
        if !tail.is_empty()
            && tail_ms < OVERLAP_MS
            && fits(words, pieces, tail, budget)
            && tail.last().is_some_and(|unit| unit.locator.end - start <= LONGEST_WINDOW_MS)
        {
            count = rest.len();
        }
        groups.push(rest.get(..count).unwrap_or_default().to_vec());
        if first + count >= units.len() {
            break;
        }
        let end = rest.get(count - 1).map_or(0, |unit| unit.locator.end);
        let back = rest
            .get(1..count)
            .unwrap_or_default()
            .iter()
            .rev()
            .take_while(|unit| unit.locator.start >= end - OVERLAP_MS)
            .count();
        first += count - back;
    }
    groups
}

fn chunk(path: &[String], units: &[Unit]) -> Chunk {
    let mut text = String::new();
    let mut sentences = Vec::with_capacity(units.len());
    let mut place: Option<Locator> = None;
    for unit in units {
        if !text.is_empty() {
            text.push_str(unit.glue);
        }
        let start = text.len() + unit.lead.min(unit.text.len());
        text.push_str(&unit.text);
        sentences.push(Sentence { start, end: text.len(), locator: unit.locator });
        place = Some(place.map_or(unit.locator, |place| place.union(unit.locator)));
    }
    let flagged = units.iter().any(|unit| injection::instruction_like(&unit.text).is_some())
        || injection::instruction_like(&text).is_some();
    let locator = place.unwrap_or_else(|| Locator::new(domain::LocatorKind::Section, 1, 1));
    Chunk { heading_path: path.to_vec(), text, locator, sentences, flagged }
}
