//! Captions (`WebVTT`, `SubRip`) to spoken sentences with their times.

use domain::document::{Block, BlockKind, Document, DocumentKind, Notes};
use domain::ingestion::{Failure, failure};
use domain::{Locator, LocatorKind};

use super::{squeeze, title_of_path, visible};

/// One cue: times in milliseconds and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    /// When it appears.
    pub start: i64,
    /// When it goes.
    pub end: i64,
    /// Its words.
    pub text: String,
}

/// A pause of this many milliseconds ends a sentence in captions without punctuation.
const PAUSE_MS: i64 = 900;
/// Words after which captions without punctuation are cut.
const LONGEST_SENTENCE: usize = 40;
/// A cue further than this from the start is a defect of the file (100 hours).
const LAST_MS: i64 = 360_000_000;

/// Parses a caption file; each block is a sentence.
///
/// # Errors
/// `BAD_DOCUMENT` when no cue can be read.
pub fn parse(path: &str, text: &str) -> Result<Document, Failure> {
    let cues = cues(text);
    if cues.is_empty() {
        let message = format!(
            "\"{path}\" has no caption with a time; expected WebVTT or SubRip, such as \"00:00:01.000 --> 00:00:04.000\""
        );
        return Err(Failure::new(failure::BAD_DOCUMENT, message));
    }
    let blocks = sentences(&cues)
        .into_iter()
        .map(|cue| Block {
            kind: BlockKind::Cue,
            text: cue.text,
            locator: Locator::new(LocatorKind::Time, cue.start, cue.end),
            marks: Vec::new(),
        })
        .collect();
    Ok(Document {
        path: path.to_owned(),
        title: title_of_path(path),
        kind: DocumentKind::Transcript,
        blocks,
        warnings: Vec::new(),
        notes: Notes::default(),
    })
}

/// The cues in order of time, tags stripped, rolling repeats removed.
#[must_use]
pub fn cues(text: &str) -> Vec<Cue> {
    let mut cues: Vec<Cue> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((start, end)) = times(line) else { continue };
        let mut words = String::new();
        while let Some(next) = lines.peek() {
            if next.trim().is_empty() || times(next).is_some() {
                break;
            }
            words.push_str(next);
            words.push(' ');
            lines.next();
        }
        let text = squeeze(&visible(&plain(&words)));
        if !text.is_empty() && end > start && start >= 0 && end <= LAST_MS {
            cues.push(Cue { start, end, text });
        }
    }
    cues.sort_by_key(|cue| (cue.start, cue.end));
    unroll(cues)
}

fn times(line: &str) -> Option<(i64, i64)> {
    let (from, to) = line.split_once("-->")?;
    let to = to.split_whitespace().next()?;
    Some((clock(from.trim())?, clock(to)?))
}

/// `[hh:]mm:ss.mmm`, with a comma in `SubRip`.
fn clock(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let mut seconds = 0_i64;
    let parts: Vec<&str> = whole.split(':').collect();
    if parts.len() < 2 || parts.len() > 3 {
        return None;
    }
    for part in parts {
        seconds = seconds
            .checked_mul(60)?
            .checked_add(part.parse().ok().filter(|value: &i64| (0..=9999).contains(value))?)?;
    }
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    seconds.checked_mul(1000)?.checked_add(digits.parse().ok().filter(|value: &i64| *value >= 0)?)
}

/// Caption text without `<v Speaker>`, `<c>`, time tags, `{\an8}` and entities.
fn plain(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let inside = match c {
            '<' => rest.split_once('>').map(|(_, after)| after),
            '{' => rest.starts_with("{\\").then(|| rest.split_once('}').map(|(_, after)| after)).flatten(),
            _ => None,
        };
        if let Some(after) = inside {
            rest = after;
        } else {
            kept.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    [("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&lrm;", ""), ("&rlm;", ""), ("&amp;", "&")]
        .iter()
        .fold(kept, |text, (entity, plain)| text.replace(entity, plain))
}

/// Automatic captions roll: each cue repeats the end of the one before. The repeat is removed.
fn unroll(cues: Vec<Cue>) -> Vec<Cue> {
    let mut kept: Vec<Cue> = Vec::with_capacity(cues.len());
    for mut cue in cues {
        if let Some(last) = kept.last_mut() {
            let before: Vec<&str> = last.text.split(' ').collect();
            let words: Vec<&str> = cue.text.split(' ').collect();
            let close = cue.start - last.end < 1000;
            let most = before.len().min(words.len());
            let repeated =
                (1..=most).rev().find(|count| before.get(before.len() - count..) == words.get(..*count)).unwrap_or(0);
            // One shared word is language; three, or a whole cue, is the roll.
            if close && (repeated >= 3 || (repeated > 0 && (repeated == words.len() || repeated == before.len()))) {
                let rest = words.get(repeated..).unwrap_or_default().join(" ");
                if rest.is_empty() {
                    last.end = last.end.max(cue.end);
                    continue;
                }
                cue.start = cue.start.max(last.end.min(cue.end - 1));
                cue.text = rest;
            }
        }
        kept.push(cue);
    }
    kept
}

/// Cues as sentences; the time of a word inside a cue is taken from its share of the cue's letters.
fn sentences(cues: &[Cue]) -> Vec<Cue> {
    let mut sentences: Vec<Cue> = Vec::new();
    let mut open: Option<Cue> = None;
    for (index, cue) in cues.iter().enumerate() {
        let length = i64::try_from(cue.text.len()).unwrap_or(i64::MAX).max(1);
        let at = |byte: usize| cue.start + (cue.end - cue.start) * i64::try_from(byte).unwrap_or(0) / length;
        let ranges = domain::text::sentences(&cue.text);
        let last = ranges.len().saturating_sub(1);
        for (number, (from, to)) in ranges.into_iter().enumerate() {
            let words = cue.text.get(from..to).unwrap_or_default();
            let piece = open.get_or_insert_with(|| Cue { start: at(from), end: at(to), text: String::new() });
            if !piece.text.is_empty() {
                piece.text.push(' ');
            }
            piece.text.push_str(words);
            piece.end = if number == last { cue.end } else { at(to) };
            let ended = words
                .trim_end_matches(['"', '\'', ')', ']', '”', '’'])
                .ends_with(['.', '!', '?', '。', '？', '！', '…']);
            let pause = number == last && cues.get(index + 1).is_none_or(|next| next.start - cue.end >= PAUSE_MS);
            let long = number == last && piece.text.split(' ').count() >= LONGEST_SENTENCE;
            if number < last || ended || pause || long {
                sentences.extend(open.take());
            }
        }
    }
    sentences.extend(open);
    sentences
}
