//! Captions (`WebVTT`, `SubRip`) to spoken sentences with their times.

use domain::caption::webvtt::{self, Chapter};
pub use domain::caption::{Cue, cues};
use domain::document::{Block, BlockKind, Document, DocumentKind, Notes};
use domain::ingestion::{Failure, failure};
use domain::{Locator, LocatorKind};

use super::title_of_path;

/// A cue may begin this much before the chapter that it belongs to.
const CHAPTER_SLACK_MS: i64 = 300;
/// A pause of this many milliseconds ends a sentence in captions without punctuation.
const PAUSE_MS: i64 = 900;
/// Words after which captions without punctuation are cut.
const LONGEST_SENTENCE: usize = 40;

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
    Ok(document(path, notes.title, cues, &notes.chapters))
}

/// The document of cues under the chapters that their author gave.
#[must_use]
pub fn document(path: &str, title: Option<String>, cues: Vec<Cue>, chapters: &[Chapter]) -> Document {
    Document {
        path: path.to_owned(),
        title: title.unwrap_or_else(|| title_of_path(path)),
        kind: DocumentKind::Transcript,
        blocks: blocks(cues, chapters),
        warnings: Vec::new(),
        notes: Notes::default(),
    }
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
