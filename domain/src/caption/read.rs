//! Captions (`WebVTT`, `SubRip`) as cues: tags stripped, times of words kept, rolling repeats removed.

use crate::text::visible;

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
    #[must_use]
    pub fn begins(&self, byte: usize) -> i64 {
        if self.words.is_empty() {
            return self.share(byte);
        }
        let known = self.words.iter().rev().find(|(at, _)| *at <= byte);
        known.map_or(self.start, |(_, time)| (*time).clamp(self.start, self.end))
    }

    /// When the word before this byte ends: as the next one begins.
    #[must_use]
    pub fn ends(&self, byte: usize) -> i64 {
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
pub struct Words {
    /// The words so far.
    pub text: String,
    /// Bytes of `text` where a word begins whose time is known, and that time.
    pub words: Vec<(usize, i64)>,
    space: bool,
}

impl Words {
    /// Adds a piece that is said at `time`, where that is known.
    pub fn push(&mut self, piece: &str, time: Option<i64>) {
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

/// A cue further than this from the start is a defect of the file (100 hours).
pub const LAST_MS: i64 = 360_000_000;

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

fn times(line: &str) -> Option<(i64, i64)> {
    let (from, to) = line.split_once("-->")?;
    let to = to.split_whitespace().next()?;
    Some((clock(from.trim())?, clock(to)?))
}

/// `[hh:]mm:ss.mmm`, with a comma in `SubRip`.
#[must_use]
pub fn clock(text: &str) -> Option<i64> {
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
#[must_use]
pub fn unroll(cues: Vec<Cue>) -> Vec<Cue> {
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
