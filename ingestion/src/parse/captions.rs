//! Captions (`WebVTT`, `SubRip`) to spoken sentences with their times.

use domain::document::{Block, BlockKind, Document, DocumentKind, Notes};
use domain::ingestion::{Failure, failure};
use domain::{Locator, LocatorKind};

use super::webvtt::{self, Chapter};
use super::{title_of_path, visible};

/// One cue: times in milliseconds and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cue {
    /// When it appears.
    pub start: i64,
    /// When it goes.
    pub end: i64,
    /// Its words.
    pub text: String,
    /// Bytes of `text` where a word begins whose time is known, and that time; in order.
    pub words: Vec<(usize, i64)>,
}

impl Cue {
    /// When the word that holds this byte begins; without word times its share of the cue's letters.
    fn begins(&self, byte: usize) -> i64 {
        if self.words.is_empty() {
            return self.share(byte);
        }
        let known = self.words.iter().rev().find(|(at, _)| *at <= byte);
        known.map_or(self.start, |(_, time)| (*time).clamp(self.start, self.end))
    }

    /// When the word before this byte ends: as the next one begins.
    fn ends(&self, byte: usize) -> i64 {
        if self.words.is_empty() {
            return self.share(byte);
        }
        let next = self.words.iter().find(|(at, _)| *at >= byte);
        next.map_or(self.end, |(_, time)| (*time).clamp(self.start, self.end))
    }

    fn share(&self, byte: usize) -> i64 {
        let length = i64::try_from(self.text.len()).unwrap_or(i64::MAX).max(1);
        self.start + (self.end - self.start) * i64::try_from(byte).unwrap_or(0) / length
    }

    /// A noise and no speech: `[Music]`, `(laughter)`, lyrics between notes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let text = self.text.trim_start_matches(['>', '-', ' ']).trim();
        let within = |open: char, close: char| {
            text.strip_prefix(open)
                .and_then(|rest| rest.strip_suffix(close))
                .is_some_and(|rest| !rest.contains([open, close]))
        };
        let note = ['♪', '♫', '🎵'];
        within('[', ']')
            || (within('(', ')') && text.split(' ').count() <= 3)
            || (text.starts_with(note) && text.ends_with(note))
    }
}

/// The words of a cue on their way together: runs of white space as one, times where they are known.
#[derive(Default)]
pub(super) struct Words {
    pub(super) text: String,
    pub(super) words: Vec<(usize, i64)>,
    space: bool,
}

impl Words {
    /// Adds a piece that is said at `time`, where that is known.
    pub(super) fn push(&mut self, piece: &str, time: Option<i64>) {
        let mut time = time;
        for c in visible(piece).chars() {
            if c.is_whitespace() {
                self.space = true;
                continue;
            }
            if self.space && !self.text.is_empty() {
                self.text.push(' ');
            }
            self.space = false;
            if let Some(time) = time.take() {
                self.words.push((self.text.len(), time));
            }
            self.text.push(c);
        }
    }
}

/// A cue may begin this much before the chapter that it belongs to.
const CHAPTER_SLACK_MS: i64 = 300;
/// A pause of this many milliseconds ends a sentence in captions without punctuation.
const PAUSE_MS: i64 = 900;
/// Words after which captions without punctuation are cut.
const LONGEST_SENTENCE: usize = 40;
/// A cue further than this from the start is a defect of the file (100 hours).
pub(super) const LAST_MS: i64 = 360_000_000;

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
    let notes = webvtt::notes(text);
    Ok(Document {
        path: path.to_owned(),
        title: notes.title.unwrap_or_else(|| title_of_path(path)),
        kind: DocumentKind::Transcript,
        blocks: blocks(cues, &notes.chapters),
        warnings: Vec::new(),
        notes: Notes::default(),
    })
}

/// Sentences under their chapters. Noises stay in the captions; they are no text to search or cite.
fn blocks(mut cues: Vec<Cue>, chapters: &[Chapter]) -> Vec<Block> {
    if cues.iter().any(|cue| !cue.is_sound()) {
        cues.retain(|cue| !cue.is_sound());
    }
    let block = |kind, text, start, end| Block {
        kind,
        text,
        locator: Locator::new(LocatorKind::Time, start, end),
        marks: Vec::new(),
    };
    let mut blocks = Vec::new();
    let mut rest = cues.as_slice();
    let bounds = chapters.iter().map(Some).chain(std::iter::once(None));
    let mut open: Option<&Chapter> = None;
    for next in bounds {
        // A cue that begins a little before its chapter was cut by the clock, not by the author.
        let until = next.map_or(i64::MAX, |chapter| chapter.start.saturating_sub(CHAPTER_SLACK_MS));
        let count = rest.iter().take_while(|cue| cue.start < until).count();
        let (spoken, later) = rest.split_at(count);
        rest = later;
        if let Some(last) = spoken.last() {
            blocks.extend(
                open.map(|chapter| block(BlockKind::Heading(2), chapter.title.clone(), chapter.start, last.end)),
            );
        }
        blocks.extend(sentences(spoken).into_iter().map(|cue| block(BlockKind::Cue, cue.text, cue.start, cue.end)));
        open = next;
    }
    blocks
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
        let said = timed(&words);
        if !said.text.is_empty() && end > start && start >= 0 && end <= LAST_MS {
            cues.push(Cue { start, end, text: said.text, words: said.words });
        }
    }
    cues.sort_by_key(|cue| (cue.start, cue.end));
    unroll(cues)
}

/// The words of a cue, with the times that tags such as `<00:01:02.500>` give them.
fn timed(payload: &str) -> Words {
    let mut words = Words::default();
    let (mut piece, mut time) = (String::new(), None);
    let mut rest = payload;
    while let Some((before, after)) = rest.split_once('<') {
        piece.push_str(before);
        let tag = after.split_once('>').and_then(|(tag, after)| Some((clock(tag)?, after)));
        if let Some((at, after)) = tag {
            words.push(&plain(&std::mem::take(&mut piece)), time);
            (time, rest) = (Some(at), after);
        } else {
            piece.push('<');
            rest = after;
        }
    }
    piece.push_str(rest);
    words.push(&plain(&piece), time);
    words
}

pub(super) fn times(line: &str) -> Option<(i64, i64)> {
    let (from, to) = line.split_once("-->")?;
    let to = to.split_whitespace().next()?;
    Some((clock(from.trim())?, clock(to)?))
}

/// `[hh:]mm:ss.mmm`, with a comma in `SubRip`.
pub(super) fn clock(text: &str) -> Option<i64> {
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
pub(super) fn unroll(cues: Vec<Cue>) -> Vec<Cue> {
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
                let cut: usize = words.iter().take(repeated).map(|word| word.len() + 1).sum();
                let rest = cue.text.get(cut..).unwrap_or_default().to_owned();
                if rest.is_empty() {
                    last.end = last.end.max(cue.end);
                    continue;
                }
                cue.start = cue.start.max(last.end.min(cue.end - 1));
                cue.text = rest;
                cue.words = cue.words.iter().filter_map(|(at, time)| Some((at.checked_sub(cut)?, *time))).collect();
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
        let ranges = domain::text::sentences(&cue.text);
        let last = ranges.len().saturating_sub(1);
        for (number, (from, to)) in ranges.into_iter().enumerate() {
            let words = cue.text.get(from..to).unwrap_or_default();
            let piece = open.get_or_insert_with(|| Cue {
                start: cue.begins(from),
                end: cue.ends(to),
                text: String::new(),
                words: Vec::new(),
            });
            if !piece.text.is_empty() {
                piece.text.push(' ');
            }
            piece.text.push_str(words);
            piece.end = if number == last { cue.end } else { cue.ends(to) };
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
