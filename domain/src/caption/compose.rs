//! Words to cues that people can read: two lines of 42 characters, ended where sentences end.

use std::fmt::Write as _;

use super::Cue;
use crate::wire::{Segment, Word};

/// Characters of a line (BBC and Netflix agree on about this for Latin scripts).
const LINE: usize = 42;
/// Longest time of a cue.
const LONGEST: f64 = 7.0;
/// Shortest time in which a cue can be read.
const SHORTEST: f64 = 1.0;
/// A pause that ends a cue.
const PAUSE: f64 = 0.8;
/// A sentence of fewer characters waits for the next, so that cues do not flicker.
const SHORT: usize = 24;

/// The cues of what a model heard.
#[must_use]
pub fn compose(segments: &[Segment]) -> Vec<Cue> {
    let words: Vec<Word> = segments.iter().flat_map(words).collect();
    let mut cues: Vec<Cue> = Vec::new();
    let mut open: Vec<&Word> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        open.push(word);
        let next = words.get(at + 1);
        if next.is_none_or(|next| ends(&open, next)) {
            close(&mut cues, &mut open, next.is_none());
        }
    }
    // A cue stays as long as it takes to read, unless the next one comes.
    for at in 0..cues.len() {
        let next = cues.get(at + 1).map_or(i64::MAX, |next| next.start);
        if let Some(cue) = cues.get_mut(at) {
            cue.end = cue.end.max(cue.start + milliseconds(SHORTEST)).min(next.max(cue.start + 1));
        }
    }
    cues
}

/// Whether a cue of these words ends before `next`.
fn ends(open: &[&Word], next: &Word) -> bool {
    let (Some(first), Some(last)) = (open.first(), open.last()) else { return false };
    let text = joined(open);
    let full = lines(&format!("{text} {}", next.text)).len() > 2 || next.end - first.start > LONGEST;
    let sentence = last.text.ends_with(['.', '!', '?', '…', '。', '？', '！']) && text.chars().count() >= SHORT;
    full || sentence || next.start - last.end >= PAUSE
}

/// Makes a cue of the open words; a full one without an end of a sentence gives back what follows its last comma.
fn close(cues: &mut Vec<Cue>, open: &mut Vec<&Word>, last: bool) {
    let ended =
        open.last().is_some_and(|word| word.text.ends_with(['.', '!', '?', '…', '。', '？', '！', ',', ';', ':']));
    let comma = open.iter().rposition(|word| word.text.ends_with([',', ';', ':', '.', '!', '?']));
    let kept = match comma {
        Some(at) if !ended && !last && at + 1 < open.len() && at + 1 >= open.len() / 2 => at + 1,
        _ => open.len(),
    };
    let rest = open.split_off(kept);
    if let (Some(first), Some(end)) = (open.first(), open.last()) {
        cues.push(Cue {
            start: milliseconds(first.start),
            end: milliseconds(end.end),
            text: joined(open),
            words: Vec::new(),
        });
    }
    *open = rest;
}

fn joined(words: &[&Word]) -> String {
    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
}

/// The words of a segment with their times; a model that tells none spoke evenly.
fn words(segment: &Segment) -> Vec<Word> {
    if !segment.words.is_empty() {
        let shown = |word: &Word| Word { text: word.text.trim().to_owned(), ..word.clone() };
        return segment.words.iter().map(shown).filter(|word| !word.text.is_empty()).collect();
    }
    let texts: Vec<&str> = segment.text.split_whitespace().collect();
    let letters = |text: &str| f64::from(u32::try_from(text.chars().count() + 1).unwrap_or(u32::MAX));
    let all: f64 = texts.iter().map(|text| letters(text)).sum();
    let mut at = segment.start;
    texts
        .into_iter()
        .map(|text| {
            let start = at;
            at += (segment.end - segment.start).max(0.0) * letters(text) / all;
            Word { start, end: at, text: text.to_owned(), confidence: segment.confidence }
        })
        .collect()
}

fn milliseconds(seconds: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a day")]
    let milliseconds = (seconds.clamp(0.0, 360_000.0) * 1000.0).round() as i64;
    milliseconds
}

/// A text in lines of at most 42 characters where its words allow; two lines are made about even.
fn lines(text: &str) -> Vec<String> {
    let count = |text: &str| text.chars().count();
    if count(text) <= LINE {
        return vec![text.to_owned()];
    }
    // Two lines that fit: as even as can be, better after a comma than in the middle of a phrase.
    let best = text
        .match_indices(' ')
        .filter_map(|(at, _)| {
            let (first, second) = (text.get(..at)?, text.get(at + 1..)?);
            let fits = count(first) <= LINE && count(second) <= LINE;
            let comma = first.ends_with([',', ';', ':', '.', '!', '?']);
            fits.then(|| (count(first).abs_diff(count(second)).saturating_sub(if comma { 14 } else { 0 }), at))
        })
        .min();
    if let Some((_, at)) = best {
        return [text.get(..at), text.get(at + 1..)].into_iter().flatten().map(str::to_owned).collect();
    }
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if count(line) + 1 + count(word) <= LINE => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Cues as `WebVTT`; `note` says where they come from.
#[must_use]
pub fn vtt(cues: &[Cue], note: Option<&str>) -> String {
    let mut text = String::from("WEBVTT\n");
    if let Some(note) = note {
        let _ = write!(text, "\nNOTE {}\n", note.replace("-->", "").replace('\n', " "));
    }
    for cue in cues {
        let shown = lines(&cue.text).join("\n");
        let shown = shown.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = write!(text, "\n{} --> {}\n{shown}\n", clock(cue.start), clock(cue.end));
    }
    text
}

fn clock(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    format!("{:02}:{:02}:{:02}.{:03}", seconds / 3600, seconds / 60 % 60, seconds % 60, milliseconds % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(start: f64, end: f64, text: &str) -> Segment {
        Segment { start, end, text: text.into(), ..Segment::default() }
    }

    fn shown(cues: &[Cue]) -> Vec<String> {
        cues.iter().map(|cue| format!("{}-{} {}", cue.start, cue.end, cue.text)).collect()
    }

    #[test]
    fn a_cue_ends_with_its_sentence() {
        let cues = compose(&[segment(
            1.0,
            9.0,
            "Today we talk about sails and the wind. A sail is a wing that stands upright. Yes. It pulls the boat along.",
        )]);
        let texts: Vec<&str> = cues.iter().map(|cue| cue.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "Today we talk about sails and the wind.",
                "A sail is a wing that stands upright.",
                "Yes. It pulls the boat along."
            ]
        );
        assert!(cues.windows(2).all(|pair| pair[0].end <= pair[1].start), "{cues:?}");
        assert_eq!((cues[0].start, cues[2].end), (1000, 9000));
    }

    #[test]
    fn no_line_is_longer_than_can_be_read_and_no_cue_has_three() {
        let text = "so the first thing that you have to know about a harbour is that the water in it, however still it \
            looks, is never quite still and moves with the tide and with the wind and with every ship that comes in";
        let cues = compose(&[segment(0.0, 20.0, text)]);
        assert_eq!(
            cues.iter().map(|cue| cue.text.clone()).collect::<Vec<_>>().join(" "),
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        );
        for cue in &cues {
            let lines = lines(&cue.text);
            assert!(lines.len() <= 2 && lines.iter().all(|line| line.chars().count() <= LINE), "{lines:?}");
            assert!(cue.end - cue.start <= 7000, "{cue:?}");
        }
    }

    #[test]
    fn a_pause_ends_a_cue_and_a_short_one_stays_to_be_read() {
        let cues = compose(&[segment(0.0, 0.3, "yes"), segment(5.0, 5.2, "and no"), segment(5.3, 5.5, "maybe")]);
        assert_eq!(shown(&cues), ["0-1000 yes", "5000-6000 and no maybe"]);
    }

    #[test]
    fn times_of_words_are_used_where_a_model_tells_them() {
        let word = |start, end, text: &str| Word { start, end, text: text.into(), confidence: None };
        let told =
            Segment { words: vec![word(2.0, 2.4, " the"), word(2.5, 3.4, " sun")], ..segment(0.0, 9.0, "the sun") };
        assert_eq!(shown(&compose(&[told])), ["2000-3400 the sun"]);
    }

    #[test]
    fn webvtt_is_escaped_and_wrapped_and_read_back() {
        let cue = Cue {
            start: 3_661_500,
            end: 3_663_000,
            text: "if a < b & c > d then we go, and otherwise we all stay".into(),
            words: Vec::new(),
        };
        let text = vtt(std::slice::from_ref(&cue), Some("written by a --> model"));
        assert_eq!(
            text,
            "WEBVTT\n\nNOTE written by a  model\n\n01:01:01.500 --> 01:01:03.000\n\
             if a &lt; b &amp; c &gt; d then we go,\nand otherwise we all stay\n"
        );
        assert_eq!(crate::caption::cues(&text), [cue]);
    }
}
