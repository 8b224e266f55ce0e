//! Where somebody speaks: by energy, against the recording's own noise.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::RATE;

/// Samples of a frame: 20 ms.
const FRAME: usize = RATE / 50;
/// Frames a second.
const FRAMES: usize = 50;
/// A pause shorter than this is part of speech: 0.3 s.
const SHORTEST_SILENCE: usize = 15;
/// A sound shorter than this is a knock, not a word: 0.1 s.
const SHORTEST_SPEECH: usize = 5;
/// What is kept before and after speech, so that soft beginnings of words are heard: 0.2 s.
const MARGIN: usize = 10;
/// A silence longer than this is left out between two pieces: 2 s.
const LONG_SILENCE: usize = 100;
/// Longest piece: what Whisper hears at once.
const LONGEST: usize = 30 * FRAMES;
/// Speech without a pause is cut at its softest moment after this.
const SEARCH_FROM: usize = 20 * FRAMES;
/// Less between noise and speech (decibels) means that one of both is missing.
const LEAST_SPREAD: f32 = 9.0;
/// Softer than this (decibels below full scale) is nobody speaking.
const SOFTEST: f32 = -60.0;

/// A part of a recording, in frames of 20 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// First frame.
    pub from: usize,
    /// Frame after the last.
    pub to: usize,
}

impl Piece {
    /// Seconds from the begin of the recording.
    #[must_use]
    pub fn start(self) -> f64 {
        seconds(self.from)
    }

    /// Seconds from the begin of the recording.
    #[must_use]
    pub fn end(self) -> f64 {
        seconds(self.to)
    }
}

#[expect(clippy::cast_precision_loss, reason = "frames of a day fit 53 bits")]
fn seconds(frames: usize) -> f64 {
    frames as f64 / FRAMES as f64
}

/// Decoded sound in a file.
#[derive(Debug, Clone)]
pub struct Sound {
    path: PathBuf,
    /// Loudness of each frame in decibels below full scale.
    pub levels: Vec<f32>,
}

impl Sound {
    /// Reads the loudness of decoded sound.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let mut file = std::io::BufReader::with_capacity(256 * 1024, std::fs::File::open(path)?);
        let mut levels = Vec::new();
        let mut frame = [0_u8; FRAME * 2];
        loop {
            let mut filled = 0;
            while filled < frame.len() {
                match file.read(frame.get_mut(filled..).unwrap_or_default())? {
                    0 => break,
                    count => filled += count,
                }
            }
            let samples = frame.get(..filled).unwrap_or_default().as_chunks::<2>().0;
            if samples.is_empty() {
                return Ok(Self { path: path.to_owned(), levels });
            }
            levels.push(level(samples));
        }
    }

    /// A piece as a WAV file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn wav(&self, piece: Piece) -> std::io::Result<Vec<u8>> {
        let (from, to) = (piece.from * FRAME * 2, piece.to * FRAME * 2);
        let mut file = std::fs::File::open(&self.path)?;
        file.seek(SeekFrom::Start(from as u64))?;
        let mut samples = Vec::with_capacity(to - from);
        file.take((to - from) as u64).read_to_end(&mut samples)?;
        let length = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        let rate = u32::try_from(RATE).unwrap_or_default();
        let mut wav = Vec::with_capacity(samples.len() + 44);
        wav.extend_from_slice(b"RIFF");
        wav.extend_from_slice(&length.saturating_add(36).to_le_bytes());
        // PCM, one channel, 16 bits.
        wav.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        wav.extend_from_slice(&rate.to_le_bytes());
        wav.extend_from_slice(&(rate * 2).to_le_bytes());
        wav.extend_from_slice(b"\x02\0\x10\0data");
        wav.extend_from_slice(&length.to_le_bytes());
        wav.extend_from_slice(&samples);
        Ok(wav)
    }
}

fn level(samples: &[[u8; 2]]) -> f32 {
    let sum: f64 = samples.iter().map(|sample| f64::from(i16::from_le_bytes(*sample)).powi(2)).sum();
    #[expect(clippy::cast_precision_loss, reason = "at most 320 samples")]
    let mean = (sum / samples.len().max(1) as f64).sqrt() / 32_768.0;
    #[expect(clippy::cast_possible_truncation, reason = "decibels need no more")]
    let decibels = (20.0 * mean.max(1e-5).log10()) as f32;
    decibels
}

/// The pieces in which somebody speaks, each of at most 30 s and cut in pauses; long silences are left out.
#[must_use]
pub fn pieces(levels: &[f32]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for spoken in spoken(levels) {
        match pieces.last_mut() {
            Some(last) if spoken.from < last.to + LONG_SILENCE && spoken.to - last.from <= LONGEST => {
                last.to = spoken.to
            }
            _ => pieces.extend(cut(levels, spoken)),
        }
    }
    pieces
}

/// Stretches of speech with their margins, in order and apart from each other.
fn spoken(levels: &[f32]) -> Vec<Piece> {
    let Some(threshold) = threshold(levels) else { return Vec::new() };
    let mut stretches: Vec<Piece> = Vec::new();
    for (at, level) in levels.iter().enumerate() {
        if *level < threshold {
            continue;
        }
        match stretches.last_mut() {
            Some(last) if at < last.to + SHORTEST_SILENCE => last.to = at + 1,
            _ => stretches.push(Piece { from: at, to: at + 1 }),
        }
    }
    stretches.retain(|stretch| stretch.to - stretch.from >= SHORTEST_SPEECH);
    let mut wide: Vec<Piece> = Vec::with_capacity(stretches.len());
    for stretch in stretches {
        let free = wide.last().map_or(0, |last| last.to);
        wide.push(Piece {
            from: stretch.from.saturating_sub(MARGIN).max(free),
            to: (stretch.to + MARGIN).min(levels.len()),
        });
    }
    wide
}

/// How loud speech is at least; `None` when nobody speaks.
fn threshold(levels: &[f32]) -> Option<f32> {
    let mut sorted = levels.to_vec();
    sorted.sort_by(f32::total_cmp);
    let at = |share: usize| sorted.get((sorted.len() * share / 100).min(sorted.len().saturating_sub(1))).copied();
    let (noise, speech) = (at(10)?.max(SOFTEST - 20.0), at(95)?);
    if speech < SOFTEST {
        return None;
    }
    // Without a contrast all of it may be speech, for instance in a short clip without a pause.
    if speech - noise < LEAST_SPREAD {
        return Some(f32::MIN);
    }
    Some((noise + (speech - noise) * 0.35).max(SOFTEST))
}

/// A stretch as pieces of at most 30 s, cut at its softest moments.
fn cut(levels: &[f32], stretch: Piece) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut from = stretch.from;
    while stretch.to - from > LONGEST {
        let (first, last) = (from + SEARCH_FROM, from + LONGEST);
        // A moment is softest by itself and its neighbours: a single soft frame is inside of a word.
        let around = |at: usize| -> f32 {
            levels.get(at.saturating_sub(3)..(at + 4).min(levels.len())).unwrap_or_default().iter().sum()
        };
        let at = (first..last).min_by(|a, b| around(*a).total_cmp(&around(*b))).unwrap_or(last);
        pieces.push(Piece { from, to: at });
        from = at;
    }
    pieces.push(Piece { from, to: stretch.to });
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels of stretches of so many seconds.
    fn levels(stretches: &[(f32, f64)]) -> Vec<f32> {
        stretches.iter().flat_map(|(level, seconds)| vec![*level; (seconds * 50.0) as usize]).collect()
    }

    fn times(levels: &[f32]) -> Vec<(f64, f64)> {
        pieces(levels).iter().map(|piece| (piece.start(), piece.end())).collect()
    }

    #[test]
    fn pieces_hold_speech_and_leave_long_silences_out() {
        let quiet = (-70.0, 5.0);
        let sound = levels(&[quiet, (-20.0, 3.0), (-65.0, 1.0), (-22.0, 4.0), quiet, (-20.0, 2.0), (-70.0, 1.0)]);
        assert_eq!(times(&sound), [(4.8, 13.2), (17.8, 20.2)]);
    }

    #[test]
    fn noise_is_measured_and_not_fixed() {
        let sound = levels(&[(-38.0, 5.0), (-15.0, 5.0), (-38.0, 5.0)]);
        assert_eq!(times(&sound), [(4.8, 10.2)]);
    }

    #[test]
    fn silence_has_no_pieces_and_a_clip_without_a_pause_is_one() {
        assert!(times(&levels(&[(-80.0, 10.0)])).is_empty());
        assert!(pieces(&[]).is_empty());
        assert_eq!(times(&levels(&[(-20.0, 4.0)])), [(0.0, 4.0)]);
        let knock = levels(&[(-70.0, 3.0), (-10.0, 0.06), (-70.0, 3.0), (-20.0, 1.0), (-70.0, 3.0)]);
        assert_eq!(times(&knock).len(), 1);
    }

    #[test]
    fn no_piece_is_longer_than_thirty_seconds_and_cuts_are_soft() {
        let mut sound = levels(&[(-70.0, 2.0), (-20.0, 25.0), (-32.0, 0.2), (-20.0, 40.0), (-70.0, 2.0)]);
        let all = pieces(&sound);
        assert!(all.iter().all(|piece| piece.to - piece.from <= LONGEST), "{all:?}");
        assert!((26.8..27.4).contains(&all[0].end()), "{all:?}");
        assert_eq!(all.windows(2).filter(|pair| pair[0].to > pair[1].from).count(), 0);
        // Many phrases with short pauses are packed to pieces that a model hears at once.
        sound = levels(&[(-20.0, 2.5), (-60.0, 0.5)].repeat(40));
        let all = pieces(&sound);
        assert!(all.len() <= 5 && all.iter().all(|piece| piece.to - piece.from <= LONGEST), "{all:?}");
    }

    #[test]
    fn a_piece_is_a_wav_file_of_its_samples() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sound.raw");
        let samples: Vec<u8> = (0..RATE as i32).flat_map(|n| ((n % 100) as i16 * 100).to_le_bytes()).collect();
        std::fs::write(&path, &samples).unwrap();
        let sound = Sound::open(&path).unwrap();
        assert_eq!(sound.levels.len(), 50);
        let wav = sound.wav(Piece { from: 10, to: 20 }).unwrap();
        assert_eq!((wav.len(), &wav[..4], &wav[44..]), (44 + 6400, b"RIFF".as_slice(), &samples[6400..12800]));
    }
}
