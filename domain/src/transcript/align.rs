//! A pasted transcript in the times of a rough one.
//!
//! Words are matched between anchors (runs of three words that both texts have once, in one order, as in
//! patience diff), and within them by edit distance (Needleman and Wunsch, 1970). What no word was
//! matched for lies between its neighbours and is named.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Line;
use crate::caption::{Cue, compose};
use crate::text;
use crate::wire::{Segment, Word};

/// Words of a run that anchors both texts.
const ANCHOR: usize = 3;
/// Cells of one table; a longer stretch without an anchor is not matched.
const MOST_CELLS: usize = 6_000_000;
/// Words in a row without a match that are named.
const NAMED: usize = 4;
/// Seconds that a word lasts where nothing tells.
const WORD: f64 = 0.35;

/// A part of one text that the other does not have; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it begins, about.
    pub start: i64,
    /// Where it ends, about.
    pub end: i64,
    /// Its words.
    pub text: String,
}

/// A pasted transcript with times.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Aligned {
    /// Its lines, as captions show them.
    pub lines: Vec<Line>,
    /// Share of its words whose time is known from the same or nearly the same word, 0 to 1.
    pub confidence: f64,
    /// Parts of the paste that are not heard.
    pub unaligned: Vec<Part>,
    /// What is heard and not in the paste.
    pub left_out: Vec<Part>,
}

struct Spoken {
    word: String,
    shown: String,
    start: i64,
    end: i64,
}

/// Gives each word of `paste` a time from the words of `cues`.
#[must_use]
pub fn align(paste: &str, cues: &[Cue]) -> Aligned {
    let spoken = spoken(cues);
    let shown: Vec<&str> = paste.split_whitespace().filter(|word| !folded(word).is_empty()).collect();
    let words: Vec<String> = shown.iter().map(|word| folded(word)).collect();
    let heard: Vec<&str> = spoken.iter().map(|one| one.word.as_str()).collect();
    let pairs = matched(&words.iter().map(String::as_str).collect::<Vec<_>>(), &heard);
    let mut times: Vec<Option<(i64, i64)>> = vec![None; words.len()];
    let mut used = vec![false; spoken.len()];
    for (a, b) in &pairs {
        if let (Some(time), Some(one), Some(used)) = (times.get_mut(*a), spoken.get(*b), used.get_mut(*b)) {
            (*time, *used) = (Some((one.start, one.end)), true);
        }
    }
    let unaligned = gaps(&times.iter().map(Option::is_some).collect::<Vec<_>>())
        .into_iter()
        .map(|run| Part {
            start: run.start.checked_sub(1).and_then(|at| times.get(at).copied().flatten()).map_or(0, |(_, end)| end),
            end: times
                .get(run.end)
                .copied()
                .flatten()
                .or_else(|| spoken.last().map(|one| (one.end, one.end)))
                .map_or(0, |(start, _)| start),
            text: shown.get(run).unwrap_or_default().join(" "),
        })
        .collect();
    let left_out = gaps(&used)
        .into_iter()
        .filter_map(|run| {
            let part = spoken.get(run)?;
            let text = part.iter().map(|one| one.shown.as_str()).collect::<Vec<_>>().join(" ");
            Some(Part { start: part.first()?.start, end: part.last()?.end, text })
        })
        .collect();
    let words = timed(&shown, &times, spoken.first().map_or(0, |one| one.start));
    let segment = Segment {
        start: words.first().map_or(0.0, |word| word.start),
        end: words.last().map_or(0.0, |word| word.end),
        text: shown.join(" "),
        confidence: None,
        words,
    };
    #[expect(clippy::cast_precision_loss, reason = "words of a lecture are few")]
    let confidence = if shown.is_empty() { 0.0 } else { pairs.len() as f64 / shown.len() as f64 };
    let lines = compose(&[segment]).iter().map(Line::from).collect();
    Aligned { lines, confidence, unaligned, left_out }
}

fn folded(word: &str) -> String {
    text::words(&word.replace(['\'', '’'], "")).concat()
}

fn spoken(cues: &[Cue]) -> Vec<Spoken> {
    let mut all = Vec::new();
    for cue in cues.iter().filter(|cue| !cue.is_sound()) {
        let mut at = 0;
        for part in cue.text.split(' ') {
            let (from, to) = (at, at + part.len());
            at = to + 1;
            let word = folded(part);
            if !word.is_empty() {
                all.push(Spoken {
                    word,
                    shown: part.to_owned(),
                    start: cue.begins(from),
                    end: cue.ends(to).max(cue.begins(from)),
                });
            }
        }
    }
    all
}

/// Runs of at least [`NAMED`] places that are not set.
fn gaps(set: &[bool]) -> Vec<std::ops::Range<usize>> {
    let mut runs = Vec::new();
    let mut from = 0;
    for (at, set) in set.iter().chain(std::iter::once(&true)).enumerate() {
        if *set {
            if at - from >= NAMED {
                runs.push(from..at);
            }
            from = at + 1;
        }
    }
    runs
}

/// Pairs of places of words that are the same or nearly so, rising in both texts.
fn matched(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (x, y) in anchors(a, b).into_iter().chain([(a.len(), b.len())]) {
        // Anchors overlap where a long run is common.
        if x < i || y < j {
            continue;
        }
        let between = (a.get(i..x).unwrap_or_default(), b.get(j..y).unwrap_or_default());
        pairs.extend(near(between.0, between.1).into_iter().map(|(p, q)| (i + p, j + q)));
        if x < a.len() {
            pairs.extend((0..ANCHOR).map(|step| (x + step, y + step)));
        }
        (i, j) = (x + ANCHOR, y + ANCHOR);
    }
    pairs
}

/// Places of runs that both have exactly once, in the longest order that both share.
fn anchors(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
    fn once<'t>(words: &'t [&'t str]) -> HashMap<&'t [&'t str], Option<usize>> {
        let mut seen: HashMap<&[&str], Option<usize>> = HashMap::new();
        for (at, run) in words.windows(ANCHOR).enumerate() {
            seen.entry(run).and_modify(|place| *place = None).or_insert(Some(at));
        }
        seen
    }
    let there = once(b);
    let mut both: Vec<(usize, usize)> =
        once(a).into_iter().filter_map(|(run, at)| Some((at?, (*there.get(run)?)?))).collect();
    both.sort_unstable();
    rising(&both)
}

/// The longest part that rises in its second place too.
fn rising(pairs: &[(usize, usize)]) -> Vec<(usize, usize)> {
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    let second = |index: &usize| pairs.get(*index).map_or(0, |(_, second)| *second);
    for (index, (_, value)) in pairs.iter().enumerate() {
        let at = ends.partition_point(|end| second(end) < *value);
        before.push(at.checked_sub(1).and_then(|at| ends.get(at).copied()));
        match ends.get_mut(at) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut chain = Vec::new();
    let mut at = ends.last().copied();
    while let Some(index) = at {
        chain.extend(pairs.get(index).copied());
        at = before.get(index).copied().flatten();
    }
    chain.reverse();
    chain
}

/// Whether two words are likely the same word: equal, or long and off by little.
fn alike(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let longest = a.len().max(b.len());
    if longest < 4 || a.len().abs_diff(b.len()) > longest / 3 {
        return false;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, y) in b.iter().enumerate() {
            let (left, above) = (row.get(j).copied().unwrap_or(longest), row.get(j + 1).copied().unwrap_or(longest));
            let best = (corner + usize::from(x != y)).min(left + 1).min(above + 1);
            corner = above;
            if let Some(cell) = row.get_mut(j + 1) {
                *cell = best;
            }
        }
    }
    row.last().is_some_and(|distance| *distance <= longest / 3)
}

/// Pairs by edit distance: a word for a word like it costs nothing, for another two, one left out one.
fn near(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    if a.is_empty() || b.is_empty() || (a.len() + 1).saturating_mul(width) > MOST_CELLS {
        return Vec::new();
    }
    let mut costs = vec![0_u32; (a.len() + 1) * width];
    let mut like = vec![false; a.len() * b.len()];
    let at = |costs: &[u32], i: usize, j: usize| costs.get(i * width + j).copied().unwrap_or(u32::MAX / 2);
    for i in (0..=a.len()).rev() {
        for j in (0..=b.len()).rev() {
            let best = match (a.get(i), b.get(j)) {
                (None, None) => 0,
                (Some(x), Some(y)) => {
                    let gap = at(&costs, i + 1, j).min(at(&costs, i, j + 1)) + 1;
                    if alike(x, y) {
                        if let Some(cell) = like.get_mut(i * b.len() + j) {
                            *cell = true;
                        }
                        gap.min(at(&costs, i + 1, j + 1))
                    } else {
                        gap
                    }
                }
                (Some(_), None) => at(&costs, i + 1, j) + 1,
                (None, Some(_)) => at(&costs, i, j + 1) + 1,
            };
            if let Some(cell) = costs.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < a.len() && j < b.len() {
        let now = at(&costs, i, j);
        if like.get(i * b.len() + j).copied().unwrap_or_default() && now == at(&costs, i + 1, j + 1) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if now == at(&costs, i + 1, j) + 1 {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Words with times; those without one share the time between their neighbours by their letters.
fn timed(shown: &[&str], times: &[Option<(i64, i64)>], first: i64) -> Vec<Word> {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a recording fit 53 bits")]
    let seconds = |ms: i64| ms as f64 / 1000.0;
    let mut words: Vec<Word> = Vec::with_capacity(shown.len());
    let mut at = 0;
    while at < shown.len() {
        if let Some((start, end)) = times.get(at).copied().flatten() {
            let before = words.last().map_or(0.0, |word| word.end);
            let start = seconds(start).max(before);
            let text = shown.get(at).copied().unwrap_or_default().to_owned();
            words.push(Word { start, end: seconds(end).max(start), text, confidence: None });
            at += 1;
            continue;
        }
        let count = times.get(at..).unwrap_or_default().iter().take_while(|time| time.is_none()).count();
        let run = shown.get(at..at + count).unwrap_or_default();
        let from = words.last().map_or_else(|| seconds(first), |word| word.end);
        #[expect(clippy::cast_precision_loss, reason = "words of a run are few")]
        let guessed = from + run.len() as f64 * WORD;
        let until = times.get(at + count).copied().flatten().map_or(guessed, |(start, _)| seconds(start).max(from));
        let letters = |text: &str| f64::from(u32::try_from(text.chars().count() + 1).unwrap_or(u32::MAX));
        let all: f64 = run.iter().map(|text| letters(text)).sum();
        let mut start = from;
        for text in run {
            let end = start + (until - from) * letters(text) / all;
            words.push(Word { start, end, text: (*text).to_owned(), confidence: None });
            start = end;
        }
        at += count;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rough(texts: &[&str]) -> Vec<Cue> {
        (0_i64..)
            .zip(texts)
            .map(|(n, text)| Cue { start: n * 4_000, end: n * 4_000 + 4_000, text: (*text).into(), words: Vec::new() })
            .collect()
    }

    #[test]
    fn a_clean_text_takes_the_times_of_a_rough_one() {
        let cues = rough(&[
            "the hall keeps the water out",
            "a sale is a wing that stands upright",
            "and the boat turns into the wind",
        ]);
        let found = align(
            "The hull keeps the water out.\n\nA sail is a wing that stands upright, and the boat turns into the wind.",
            &cues,
        );
        assert!(found.confidence > 0.85, "{found:?}");
        assert!(found.unaligned.is_empty() && found.left_out.is_empty(), "{found:?}");
        let second = found.lines.iter().find(|line| line.text.starts_with("A sail")).unwrap();
        assert!((second.start - 4_000).abs() <= 300, "{found:?}");
        let text: Vec<&str> = found.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(
            text.join(" "),
            "The hull keeps the water out. A sail is a wing that stands upright, and the boat turns into the wind."
        );
        assert!(
            found.lines.windows(2).all(|pair| pair[0].start <= pair[1].start && pair[0].end > pair[0].start),
            "{found:?}"
        );
    }

    #[test]
    fn parts_that_only_one_text_has_are_named_with_their_times() {
        let cues = rough(&[
            "welcome to the harbour lecture of today",
            "please turn off all of your telephones now",
            "a keel keeps the boat from drifting sideways",
        ]);
        let found = align(
            "Welcome to the harbour lecture of today. A keel keeps the boat from drifting sideways. Copyright nineteen ninety by nobody at all.",
            &cues,
        );
        assert_eq!(found.left_out.len(), 1, "{found:?}");
        assert_eq!((found.left_out[0].start, found.left_out[0].end), (4_000, 8_000));
        assert!(found.left_out[0].text.contains("telephones"));
        assert_eq!(found.unaligned.len(), 1, "{found:?}");
        assert!(found.unaligned[0].text.starts_with("Copyright") && found.unaligned[0].start >= 11_500, "{found:?}");
    }

    #[test]
    fn another_text_has_no_confidence_and_nothing_is_no_text() {
        let cues = rough(&["the hull keeps the water out"]);
        assert!(align("Sourdough needs flour, patience, salt and an oven.", &cues).confidence < 0.2);
        assert_eq!(align(" . ", &cues), Aligned { left_out: align(" . ", &cues).left_out, ..Aligned::default() });
        assert_eq!(align("a b", &[]).confidence, 0.0);
    }

    #[test]
    fn a_long_lecture_is_aligned_in_a_moment() {
        let words: Vec<String> = (0..2_000).map(|n| format!("{n:x}q{n:b}")).collect();
        let mut state = 7_u64;
        let said: Vec<&str> = (0..20_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                words[usize::try_from(state >> 33).unwrap() % words.len()].as_str()
            })
            .enumerate()
            .map(|(at, word)| if at % 97 == 0 { "unheard" } else { word })
            .collect();
        let cues: Vec<Cue> = (0_i64..)
            .zip(said.chunks(10))
            .map(|(n, some)| Cue { start: n * 3_000, end: n * 3_000 + 3_000, text: some.join(" "), words: Vec::new() })
            .collect();
        let paste: Vec<String> = said
            .iter()
            .enumerate()
            .map(|(at, word)| if at % 50 == 0 { "misprint".to_owned() } else { (*word).to_owned() })
            .collect();
        let found = align(&paste.join(" "), &cues);
        assert!(found.confidence > 0.9, "{}", found.confidence);
    }
}
