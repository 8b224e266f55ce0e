//! Transcripts as people correct them: lines with times, what was changed of them, and how changes
//! outlive a transcript that was made anew.

mod align;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::caption::{Cue, LAST_MS};
use crate::{Error, text};

pub use align::{Aligned, Part, align};

/// Most lines of a transcript.
pub const MOST_LINES: usize = 20_000;
/// Most characters of a line.
pub const LONGEST_LINE: usize = 1_000;
/// A changed line is looked for this far from where it stood.
const NEAR_MS: i64 = 120_000;
/// Lines on both sides that are compared one by one; more are taken as one change.
const MOST_COMPARED: usize = 4_000_000;

/// A line of a transcript; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When it begins.
    pub start: i64,
    /// When it ends.
    pub end: i64,
    /// Its words.
    pub text: String,
}

impl From<&Cue> for Line {
    fn from(cue: &Cue) -> Self {
        Self { start: cue.start, end: cue.end, text: cue.text.clone() }
    }
}

/// Some lines in place of others; either side may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What stood there.
    pub before: Vec<Line>,
    /// What stands there now.
    pub after: Vec<Line>,
}

/// A transcript that people corrected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// Counts the corrections.
    pub version: i64,
    /// SHA-256 of the captions that were corrected.
    pub base_sha256: String,
    /// All lines, as they were saved.
    pub lines: Vec<Line>,
    /// What of them differs from those captions.
    pub changes: Vec<Change>,
}

/// A transcript with its corrections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Corrected {
    /// Its lines in order of time.
    pub cues: Vec<Cue>,
    /// Corrections for which the captions have no place any more.
    pub lost: Vec<Change>,
}

impl Edited {
    /// Captions with these corrections. Those of other captions than were corrected take over what still has its place.
    #[must_use]
    pub fn applied(&self, sha256: &str, cues: Vec<Cue>) -> Corrected {
        if sha256 != self.base_sha256 {
            return carry(cues, &self.changes);
        }
        // A line that nobody touched keeps the times of its words.
        let mut rest = cues.into_iter().peekable();
        let cues = self
            .lines
            .iter()
            .map(|line| {
                while rest.next_if(|cue| cue.start < line.start).is_some() {}
                let same = rest.next_if(|cue| Line::from(cue) == *line);
                same.unwrap_or_else(|| cue(line))
            })
            .collect();
        Corrected { cues, lost: Vec::new() }
    }
}

fn cue(line: &Line) -> Cue {
    Cue { start: line.start, end: line.end, text: line.text.clone(), words: Vec::new() }
}

/// Lines as they may be kept: white space squeezed, in order, within bounds.
///
/// # Errors
/// A validation error that names the first line at fault.
pub fn checked(lines: Vec<Line>) -> Result<Vec<Line>, Error> {
    let fault = |number: usize, why: &str| {
        Error::invalid(&format!("cues[{number}]"), "INVALID_FORMAT", format!("line {} {why}", number + 1))
    };
    if lines.is_empty() || lines.len() > MOST_LINES {
        let message = format!("a transcript has 1 to {MOST_LINES} lines");
        return Err(Error::invalid("cues", "OUT_OF_RANGE", message));
    }
    let mut kept: Vec<Line> = Vec::with_capacity(lines.len());
    for (number, line) in lines.into_iter().enumerate() {
        let line = Line { text: text::squeeze(&text::visible(&line.text)), ..line };
        if line.text.is_empty() || line.text.chars().count() > LONGEST_LINE {
            return Err(fault(number, &format!("has 1 to {LONGEST_LINE} characters")));
        }
        if line.start < 0 || line.end <= line.start || line.end > LAST_MS {
            return Err(fault(number, "ends after it begins, within 100 hours"));
        }
        if kept.last().is_some_and(|last| line.start < last.start) {
            return Err(fault(number, "begins before the one above it"));
        }
        kept.push(line);
    }
    Ok(kept)
}

/// What makes `after` of `before`, in order; lines that both have stay out.
#[must_use]
pub fn changes(before: &[Line], after: &[Line]) -> Vec<Change> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let (old, new) = (before.get(head..).unwrap_or_default(), after.get(head..).unwrap_or_default());
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let old = old.get(..old.len() - tail).unwrap_or_default();
    let new = new.get(..new.len() - tail).unwrap_or_default();
    let mut found = Vec::new();
    let (mut i, mut j) = (0, 0);
    let mut add = |old: &[Line], new: &[Line]| {
        if !old.is_empty() || !new.is_empty() {
            found.push(Change { before: old.to_vec(), after: new.to_vec() });
        }
    };
    for (a, b) in common(old, new) {
        add(old.get(i..a).unwrap_or_default(), new.get(j..b).unwrap_or_default());
        (i, j) = (a + 1, b + 1);
    }
    add(old.get(i..).unwrap_or_default(), new.get(j..).unwrap_or_default());
    found
}

/// Places of the longest common subsequence of two short lists.
fn common(old: &[Line], new: &[Line]) -> Vec<(usize, usize)> {
    if old.len().saturating_mul(new.len()) > MOST_COMPARED {
        return Vec::new();
    }
    let width = new.len() + 1;
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    let at = |lengths: &[u32], i: usize, j: usize| lengths.get(i * width + j).copied().unwrap_or_default();
    for (i, a) in old.iter().enumerate().rev() {
        for (j, b) in new.iter().enumerate().rev() {
            let best = if a == b {
                at(&lengths, i + 1, j + 1) + 1
            } else {
                at(&lengths, i + 1, j).max(at(&lengths, i, j + 1))
            };
            if let Some(cell) = lengths.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut places = Vec::new();
    while let (Some(a), Some(b)) = (old.get(i), new.get(j)) {
        if a == b {
            places.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if at(&lengths, i + 1, j) >= at(&lengths, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    places
}

/// Takes changes over to other captions of the same recording: each where its lines still stand, nearest in time.
fn carry(cues: Vec<Cue>, changes: &[Change]) -> Corrected {
    let mut lost = Vec::new();
    let mut taken: Vec<(Range<usize>, Vec<Cue>)> = Vec::new();
    for change in changes {
        let free =
            |range: &Range<usize>| taken.iter().all(|(other, _)| range.end <= other.start || other.end <= range.start);
        match place(&cues, change).filter(|range| free(range)) {
            Some(range) => {
                let moved =
                    change.before.first().zip(cues.get(range.start)).map_or(0, |(was, now)| now.start - was.start);
                let after = change.after.iter().map(|line| {
                    let (start, end) = ((line.start + moved).max(0), (line.end + moved).max(1));
                    Cue { start, end, ..cue(line) }
                });
                taken.push((range, after.collect()));
            }
            None => lost.push(change.clone()),
        }
    }
    taken.sort_by_key(|(range, _)| (range.start, range.end));
    let mut rest = cues.into_iter().enumerate().peekable();
    let mut kept = Vec::new();
    for (range, after) in taken {
        while let Some((_, cue)) = rest.next_if(|(at, _)| *at < range.start) {
            kept.push(cue);
        }
        while rest.next_if(|(at, _)| *at < range.end).is_some() {}
        kept.extend(after);
    }
    kept.extend(rest.map(|(_, cue)| cue));
    kept.sort_by_key(|cue| cue.start);
    Corrected { cues: kept, lost }
}

/// Where the lines that a change replaces stand in other captions.
fn place(cues: &[Cue], change: &Change) -> Option<Range<usize>> {
    let Some(first) = change.before.first() else {
        // Lines that were added go where nothing is said.
        let (start, end) = (change.after.first()?.start, change.after.last()?.end);
        let at = cues.iter().take_while(|cue| cue.start < start).count();
        let silent = cues.iter().all(|cue| cue.end <= start || end <= cue.start);
        return silent.then_some(at..at);
    };
    let same = |a: &str, b: &str| text::words(a) == text::words(b);
    let count = change.before.len();
    (0..(cues.len() + 1).saturating_sub(count))
        .filter(|at| cues.get(*at).is_some_and(|cue| (cue.start - first.start).abs() <= NEAR_MS))
        .filter(|at| {
            let run = cues.get(*at..at + count).unwrap_or_default();
            run.iter().zip(&change.before).all(|(cue, line)| same(&cue.text, &line.text))
        })
        .min_by_key(|at| cues.get(*at).map_or(i64::MAX, |cue| (cue.start - first.start).abs()))
        .map(|at| at..at + count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<Line> {
        (0_i64..)
            .zip(texts)
            .map(|(n, text)| Line { start: n * 1000, end: n * 1000 + 900, text: (*text).into() })
            .collect()
    }

    fn cues(texts: &[&str], late: i64) -> Vec<Cue> {
        let mut all: Vec<Cue> = lines(texts).iter().map(cue).collect();
        for cue in &mut all {
            (cue.start, cue.end) = (cue.start + late, cue.end + late);
        }
        all
    }

    fn shown(cues: &[Cue]) -> Vec<String> {
        cues.iter().map(|cue| format!("{} {}", cue.start, cue.text)).collect()
    }

    fn edited(before: &[&str], after: &[&str]) -> Edited {
        let (before, after) = (lines(before), lines(after));
        Edited { version: 1, base_sha256: "a".into(), changes: changes(&before, &after), lines: after }
    }

    #[test]
    fn only_what_differs_is_a_change() {
        let found = edited(&["a", "b", "c", "d"], &["a", "B", "c", "D"]).changes;
        let pairs: Vec<(usize, usize)> = found.iter().map(|one| (one.before.len(), one.after.len())).collect();
        assert_eq!((pairs, found[1].after[0].text.as_str()), (vec![(1, 1), (1, 1)], "D"));
        assert_eq!(changes(&lines(&["a"]), &lines(&["a"])), []);
    }

    #[test]
    fn a_line_that_nobody_touched_keeps_the_times_of_its_words() {
        let mut base = cues(&["a sail", "a whale"], 0);
        base[0].words = vec![(0, 0), (2, 500)];
        let found = edited(&["a sail", "a whale"], &["a sail", "a whale turns"]).applied("a", base);
        assert_eq!((found.cues[0].words.len(), found.cues[1].text.as_str()), (2, "a whale turns"));
    }

    #[test]
    fn corrections_move_with_their_lines_and_those_without_a_place_are_named() {
        let edit = edited(&["a sail", "the see", "a hull", "gone soon"], &["a sail", "the sea", "a hull", "kept"]);
        let found = edit.applied("b", cues(&["new words", "A sail.", "the see", "a hull", "other"], 250));
        assert_eq!(shown(&found.cues), ["250 new words", "1250 A sail.", "2250 the sea", "3250 a hull", "4250 other"]);
        assert_eq!((found.lost.len(), found.lost[0].after[0].text.as_str()), (1, "kept"));
    }

    #[test]
    fn added_lines_are_carried_into_silence_only() {
        let mut edit = edited(&["a"], &["a"]);
        edit.changes =
            vec![Change { before: Vec::new(), after: vec![Line { start: 5_000, end: 6_000, text: "b".into() }] }];
        assert_eq!(shown(&edit.applied("b", cues(&["a"], 0)).cues), ["0 a", "5000 b"]);
        assert_eq!(edit.applied("b", cues(&["a"], 5_500)).lost.len(), 1);
    }

    #[test]
    fn lines_out_of_order_or_bounds_are_refused_by_number() {
        let line = |start, end, text: &str| Line { start, end, text: text.into() };
        assert_eq!(checked(vec![line(0, 5, " a \n b ")]).unwrap()[0].text, "a b");
        for bad in [
            vec![],
            vec![line(0, 0, "a")],
            vec![line(-1, 1, "a")],
            vec![line(0, 1, " ")],
            vec![line(5, 6, "a"), line(4, 9, "b")],
        ] {
            assert!(checked(bad.clone()).is_err(), "{bad:?}");
        }
    }
}
