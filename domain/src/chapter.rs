//! Chapters of a recording: as its author gave them, or where its speech turns to another topic.
//!
//! Topic shifts are found by lexical cohesion between neighbouring stretches of speech (Hearst,
//! "`TextTiling`", Computational Linguistics 23(1), 1997); titles are the phrase that tells a stretch
//! from the others. A model may write better titles; nothing here calls one.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::caption::Cue;
use crate::text;

/// Who says where chapters begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChapterOrigin {
    /// The site that shows the recording.
    Site,
    /// The container of the recording.
    Container,
    /// A file of chapters, or comments of the caption file.
    File,
    /// Shifts of topic in the transcript.
    Topics,
}

/// A chapter; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapter {
    /// Where it begins.
    pub start: i64,
    /// Where it ends: as the next begins, or with the recording.
    pub end: i64,
    /// Its title.
    pub title: String,
}

/// The chapters of a recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chapters {
    /// Who says so.
    pub origin: ChapterOrigin,
    /// In order of time.
    pub list: Vec<Chapter>,
}

/// Most chapters of a recording; more are a defect of its file.
pub const MOST: usize = 500;
/// Longest title in characters.
const LONGEST_TITLE: usize = 200;
/// Speech shorter than this has no topics to tell apart.
const SHORTEST_SPEECH_MS: i64 = 4 * 60_000;
/// A chapter by topic is at least this long.
const SHORTEST_CHAPTER_MS: i64 = 90_000;
/// Terms of a stretch: Hearst's token sequences of about 20.
const STRETCH: usize = 20;
/// Stretches on each side of a gap.
const BLOCK: usize = 6;

impl Chapters {
    /// Chapters from their starts and titles, put in order and closed; `None` when none is left.
    #[must_use]
    pub fn new(origin: ChapterOrigin, starts: Vec<(i64, String)>, end: i64) -> Option<Self> {
        let mut starts: Vec<(i64, String)> = starts
            .into_iter()
            .map(|(start, title)| (start, text::squeeze(&text::visible(&title))))
            .map(|(start, title)| (start, title.chars().take(LONGEST_TITLE).collect::<String>()))
            .filter(|(start, title)| (0..=crate::caption::LAST_MS).contains(start) && !title.is_empty())
            .take(MOST)
            .collect();
        starts.sort_by_key(|(start, _)| *start);
        starts.dedup_by_key(|(start, _)| *start);
        let ends: Vec<i64> = starts.iter().skip(1).map(|(start, _)| *start).chain([end]).collect();
        let list: Vec<Chapter> = starts
            .into_iter()
            .zip(ends)
            .map(|((start, title), end)| Chapter { start, end: end.max(start), title })
            .collect();
        (!list.is_empty()).then_some(Self { origin, list })
    }
}

/// A stretch of speech of about [`STRETCH`] terms that ends with a cue.
struct Stretch {
    start: i64,
    counts: HashMap<String, f64>,
}

fn stretches(cues: &[Cue]) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    let mut open: Option<(Stretch, usize)> = None;
    for cue in cues {
        let (stretch, count) = open.get_or_insert_with(|| (Stretch { start: cue.start, counts: HashMap::new() }, 0));
        for term in text::terms(&cue.text) {
            *stretch.counts.entry(term).or_default() += 1.0;
            *count += 1;
        }
        if *count >= STRETCH {
            all.extend(open.take().map(|(stretch, _)| stretch));
        }
    }
    all.extend(open.map(|(stretch, _)| stretch));
    all
}

fn sum(stretches: &[Stretch]) -> HashMap<&str, f64> {
    let mut counts: HashMap<&str, f64> = HashMap::new();
    for (term, count) in stretches.iter().flat_map(|stretch| &stretch.counts) {
        *counts.entry(term).or_default() += count;
    }
    counts
}

fn cosine(a: &HashMap<&str, f64>, b: &HashMap<&str, f64>) -> f64 {
    let dot: f64 = a.iter().filter_map(|(term, x)| Some(x * b.get(term)?)).sum();
    let norm = |counts: &HashMap<&str, f64>| counts.values().map(|x| x * x).sum::<f64>().sqrt();
    let length = norm(a) * norm(b);
    if length > 0.0 { dot / length } else { 0.0 }
}

/// How deep the cohesion falls at each gap between stretches, by the peaks on both sides.
fn depths(cohesion: &[f64]) -> Vec<f64> {
    let climb = |at: usize, step: isize| {
        let mut peak = cohesion.get(at).copied().unwrap_or_default();
        let mut next = at.checked_add_signed(step);
        while let Some(value) = next.and_then(|next| cohesion.get(next)) {
            if *value < peak {
                break;
            }
            peak = *value;
            next = next.and_then(|next| next.checked_add_signed(step));
        }
        peak
    };
    cohesion.iter().enumerate().map(|(at, value)| climb(at, -1) + climb(at, 1) - 2.0 * value).collect()
}

/// Chapters where the speech turns to another topic; `None` where it is short or keeps to one.
#[must_use]
pub fn by_topic(cues: &[Cue], end: i64) -> Option<Chapters> {
    let first = cues.first()?.start;
    let end = end.max(cues.last()?.end);
    if end - first < SHORTEST_SPEECH_MS {
        return None;
    }
    let all = stretches(cues);
    let cohesion: Vec<f64> = (1..all.len())
        .map(|gap| {
            let before = all.get(gap.saturating_sub(BLOCK)..gap).unwrap_or_default();
            let after = all.get(gap..(gap + BLOCK).min(all.len())).unwrap_or_default();
            cosine(&sum(before), &sum(after))
        })
        .collect();
    let depths = depths(&cohesion);
    #[expect(clippy::cast_precision_loss, reason = "gaps are few")]
    let count = depths.len().max(1) as f64;
    let mean = depths.iter().sum::<f64>() / count;
    let deviation = (depths.iter().map(|depth| (depth - mean).powi(2)).sum::<f64>() / count).sqrt();
    // Hearst's cautious cut-off: only clear valleys.
    let least = (mean + deviation / 2.0).max(0.1);
    let mut deep: Vec<(f64, i64)> = depths
        .iter()
        .zip(all.iter().skip(1))
        .filter(|(depth, _)| **depth > least)
        .map(|(depth, stretch)| (*depth, stretch.start))
        .collect();
    deep.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut bounds = vec![0];
    for (_, start) in deep {
        let far = bounds.iter().chain([&end]).all(|bound| (start - bound).abs() >= SHORTEST_CHAPTER_MS);
        if far && bounds.len() < MOST {
            bounds.push(start);
        }
    }
    if bounds.len() < 2 {
        return None;
    }
    bounds.sort_unstable();
    let ends: Vec<i64> = bounds.iter().skip(1).copied().chain([i64::MAX]).collect();
    let parts: Vec<Vec<&Cue>> = bounds
        .iter()
        .zip(&ends)
        .map(|(from, to)| cues.iter().filter(|cue| cue.start >= *from && cue.start < *to).collect())
        .collect();
    let titles = titles(&parts);
    Chapters::new(ChapterOrigin::Topics, bounds.into_iter().zip(titles).collect(), end)
}

/// For each part the phrase of one or two words that it uses and the others do not, as it is written there.
fn titles(parts: &[Vec<&Cue>]) -> Vec<String> {
    let phrases: Vec<HashMap<String, (f64, String)>> = parts.iter().map(|part| phrases(part)).collect();
    let mut spread: HashMap<&str, f64> = HashMap::new();
    for phrase in phrases.iter().flat_map(HashMap::keys) {
        *spread.entry(phrase).or_default() += 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "parts are few")]
    let all = parts.len() as f64;
    let mut taken: HashSet<String> = HashSet::new();
    phrases
        .iter()
        .enumerate()
        .map(|(number, own)| {
            let weight = |phrase: &str, count: f64| {
                let rare = (1.0 + all / spread.get(phrase).copied().unwrap_or(1.0)).ln();
                // Two words that come again say more than one of them.
                count * rare * if phrase.contains(' ') && count > 1.0 { 1.9 } else { 1.0 }
            };
            let mut best: Vec<(f64, &String, &String)> = own
                .iter()
                .filter(|(phrase, _)| !taken.contains(*phrase))
                .map(|(phrase, (count, shown))| (weight(phrase, *count), phrase, shown))
                .collect();
            best.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
            let Some((_, phrase, shown)) = best.first() else { return format!("Part {}", number + 1) };
            taken.insert((*phrase).clone());
            let mut letters = shown.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        })
        .collect()
}

/// Words and pairs of words that carry a topic: by their stems, how often, and how they are written first.
fn phrases(cues: &[&Cue]) -> HashMap<String, (f64, String)> {
    let mut found: HashMap<String, (f64, String)> = HashMap::new();
    let mut add = |key: String, shown: String| found.entry(key).or_insert((0.0, shown)).0 += 1.0;
    for cue in cues {
        let mut before: Option<(String, &str)> = None;
        for word in cue.text.split_whitespace() {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            let lower = bare.to_lowercase();
            let topical =
                bare.chars().count() > 2 && !text::is_stop_word(&lower) && bare.chars().any(char::is_alphabetic);
            let stem = text::terms(bare).into_iter().next().filter(|_| topical);
            if let Some(stem) = &stem {
                add(stem.clone(), lower.clone());
                if let Some((first, shown)) = before.take() {
                    add(format!("{first} {stem}"), format!("{} {lower}", shown.to_lowercase()));
                }
            }
            let ended = word.ends_with(['.', ',', ';', ':', '!', '?']);
            before = stem.filter(|_| !ended).map(|stem| (stem, bare));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cue(start: i64, text: &str) -> Cue {
        Cue { start, end: start + 5_000, text: text.into(), words: Vec::new() }
    }

    fn lecture(parts: &[&[&str]], each_ms: i64) -> Vec<Cue> {
        let mut cues = Vec::new();
        for (number, part) in (0_i64..).zip(parts) {
            for line in 0..each_ms / 5_000 {
                let text = part[usize::try_from(line).unwrap() % part.len()];
                cues.push(cue(number * each_ms + line * 5_000, text));
            }
        }
        cues
    }

    const SAILS: &[&str] = &[
        "The mainsail is trimmed so that the wind flows along the canvas.",
        "A sail that flaps has lost the wind, so the crew hauls the sheet of the mainsail.",
        "The jib in front of the mainsail bends the wind around the mast.",
    ];
    const BREAD: &[&str] = &[
        "Sourdough starter is flour and water in which yeast and bacteria live.",
        "The baker feeds the sourdough starter with flour each morning.",
        "An oven with steam gives the sourdough loaf its crust and the flour its taste.",
    ];
    const STARS: &[&str] = &[
        "A telescope gathers light of distant galaxies on a mirror.",
        "The mirror of a telescope has to be polished to a fraction of a wavelength of light.",
        "Astronomers point the telescope at galaxies through the night.",
    ];

    #[test]
    fn a_lecture_of_three_topics_has_three_chapters_with_their_words() {
        let each = 150_000;
        let found = by_topic(&lecture(&[SAILS, BREAD, STARS], each), 3 * each).unwrap();
        assert_eq!(found.origin, ChapterOrigin::Topics);
        let starts: Vec<i64> = found.list.iter().map(|chapter| chapter.start).collect();
        assert_eq!((starts.len(), starts[0]), (3, 0), "{found:?}");
        for (start, wanted) in starts.iter().zip([0, each, 2 * each]) {
            assert!((start - wanted).abs() <= 15_000, "{starts:?}");
        }
        for (chapter, words) in
            found.list.iter().zip([["mainsail", "wind"], ["sourdough", "flour"], ["telescope", "galax"]])
        {
            let title = chapter.title.to_lowercase();
            assert!(words.iter().any(|word| title.contains(word)), "{found:?}");
        }
        assert_eq!(found.list[0].end, found.list[1].start);
        assert_eq!(found.list[2].end, 3 * each);
    }

    #[test]
    fn one_topic_or_little_speech_has_no_chapters() {
        assert_eq!(by_topic(&lecture(&[SAILS, BREAD], 60_000), 120_000), None);
        assert_eq!(by_topic(&[], 1_000_000), None);
    }

    #[test]
    fn given_chapters_are_put_in_order_and_closed() {
        let given = vec![
            (60_000, " The\u{202e} sea ".to_owned()),
            (0, "Start".to_owned()),
            (60_000, "Twice".to_owned()),
            (5, String::new()),
        ];
        let found = Chapters::new(ChapterOrigin::Container, given, 90_000).unwrap();
        let shown: Vec<(i64, i64, &str)> =
            found.list.iter().map(|one| (one.start, one.end, one.title.as_str())).collect();
        assert_eq!(shown, [(0, 60_000, "Start"), (60_000, 90_000, "The sea")]);
        assert_eq!(Chapters::new(ChapterOrigin::File, Vec::new(), 1), None);
    }
}
