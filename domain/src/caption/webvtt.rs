//! Captions as one `WebVTT` file: cues with word times, and the title and chapters of the recording
//! as comments, which players skip and our own parser reads again.

use super::{Cue, clock};
use crate::text::squeeze;

/// A chapter of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chapter {
    /// Where it begins, in milliseconds.
    pub start: i64,
    /// Its title.
    pub title: String,
}

/// What the comments of a caption file say of its recording.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Its title.
    pub title: Option<String>,
    /// Its chapters, in order of time.
    pub chapters: Vec<Chapter>,
}

const TITLE: &str = "NOTE Title: ";
const CHAPTER: &str = "NOTE Chapter ";
/// Chapters of a recording; more are a defect.
const MOST_CHAPTERS: usize = 500;

/// Writes a caption file.
#[must_use]
pub fn write(title: &str, chapters: &[Chapter], cues: &[Cue]) -> String {
    let mut text = format!("WEBVTT\n\n{TITLE}{}\n", comment(title));
    for chapter in chapters.iter().take(MOST_CHAPTERS) {
        text.push_str(&format!("\n{CHAPTER}{} {}\n", stamp(chapter.start), comment(&chapter.title)));
    }
    for cue in cues {
        text.push_str(&format!("\n{} --> {}\n", stamp(cue.start), stamp(cue.end)));
        let (mut from, mut last) = (0, cue.start);
        for (at, time) in &cue.words {
            // A time tag lies within its cue and after the one before it.
            if *time > last && *time < cue.end {
                text.push_str(&escaped(cue.text.get(from..*at).unwrap_or_default()));
                text.push_str(&format!("<{}>", stamp(*time)));
                (from, last) = (*at, *time);
            }
        }
        text.push_str(&escaped(cue.text.get(from..).unwrap_or_default()));
        text.push('\n');
    }
    text
}

/// Title and chapters out of the comments of a caption file.
#[must_use]
pub fn notes(text: &str) -> Notes {
    let mut notes = Notes::default();
    let mut blank = true;
    for line in text.lines() {
        if blank && let Some(title) = line.strip_prefix(TITLE) {
            notes.title = Some(squeeze(title)).filter(|title| !title.is_empty());
        } else if blank
            && let Some((start, title)) = line.strip_prefix(CHAPTER).and_then(|rest| rest.split_once(' '))
            && let Some(start) = clock(start)
            && notes.chapters.len() < MOST_CHAPTERS
        {
            notes.chapters.push(Chapter { start, title: squeeze(title) });
        }
        blank = line.trim().is_empty();
    }
    notes.chapters.retain(|chapter| !chapter.title.is_empty());
    notes.chapters.sort_by_key(|chapter| chapter.start);
    notes
}

fn stamp(ms: i64) -> String {
    format!("{:02}:{:02}:{:02}.{:03}", ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000)
}

/// One line without what ends a comment.
fn comment(text: &str) -> String {
    squeeze(&crate::text::visible(text)).replace("-->", "→")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
