//! A rough transcript by CMU Pocketsphinx: good enough to search in, never to be read as captions.
//!
//! Debian's `pocketsphinx_batch` with its English model. The live program of the same package
//! normalises as it goes and errs twice as often; the batch program reads each piece whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::wire::{Abilities, Failure, Model, Segment, Task, TranscribeRequest, Transcript, Word};
use tokio::sync::Semaphore;

use super::audio::{self, Audio};
use super::child::{self, Limits};
use super::{Backend, BackendError};

/// The model's id and label.
pub const MODEL: &str = "pocketsphinx (rough)";
/// Frames a second, as the program counts.
const FRAMES: f64 = 100.0;
/// A piece without a silence is cut at this length: the program's memory grows with it.
const LONGEST_PIECE: f64 = 30.0;
const SHORTEST_PIECE: f64 = 0.3;
/// Hypotheses that are compared for the confidence of a word.
const HYPOTHESES: usize = 12;
/// Natural logarithm of a point of the program's scores: base 1.0001, shifted by ten bits, and
/// its own scale of acoustic scores for confidences (`-ascale 20`).
const SCORE: f64 = 1.024e-1 / 20.0;

/// Which programs are used, and how long a recording may be.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PocketsphinxSettings {
    /// The program.
    pub program: PathBuf,
    /// The folder of its model: `en-us/`, `en-us.lm.bin` and `cmudict-en-us.dict`.
    pub model: PathBuf,
    /// ffmpeg.
    pub ffmpeg: PathBuf,
    /// Longest recording, in minutes.
    pub max_minutes: u32,
    /// Recordings at once; each takes one core.
    pub at_once: usize,
}

impl Default for PocketsphinxSettings {
    fn default() -> Self {
        Self {
            program: PathBuf::from("pocketsphinx_batch"),
            model: PathBuf::from("/usr/share/pocketsphinx/model/en-us"),
            ffmpeg: PathBuf::from("ffmpeg"),
            max_minutes: 120,
            at_once: 1,
        }
    }
}

/// Writes speech down by calling the program.
pub struct Pocketsphinx {
    settings: PocketsphinxSettings,
    turns: Semaphore,
}

/// The backend where its programs are there; otherwise how to get them.
///
/// # Errors
/// A notice for people: what is missing, and the command that brings it.
pub fn open_pocketsphinx(settings: &PocketsphinxSettings) -> Result<Arc<Pocketsphinx>, String> {
    let missing = |what: &str, packages: &str| {
        format!("no rough transcripts: {what} is missing (sudo apt-get install {packages})")
    };
    if !child::found(&settings.program) {
        return Err(missing(&format!("\"{}\"", settings.program.display()), "pocketsphinx pocketsphinx-en-us"));
    }
    if !settings.model.join("en-us.lm.bin").is_file() {
        return Err(missing(&format!("the model in \"{}\"", settings.model.display()), "pocketsphinx-en-us"));
    }
    if !child::found(&settings.ffmpeg) {
        return Err(missing(&format!("\"{}\"", settings.ffmpeg.display()), "ffmpeg"));
    }
    Ok(Arc::new(Pocketsphinx { settings: settings.clone(), turns: Semaphore::new(settings.at_once.max(1)) }))
}

#[async_trait]
impl Backend for Pocketsphinx {
    fn models(&self) -> Vec<Model> {
        let version = Some("pocketsphinx en-us".to_owned());
        vec![Model {
            abilities: Abilities { version, ..Abilities::default() },
            ..Model::new(MODEL, Task::Transcribe, "pocketsphinx")
        }]
    }

    async fn transcribe(&self, request: TranscribeRequest) -> Result<Transcript, BackendError> {
        if let Some(language) = request.language.as_deref().filter(|language| !language.starts_with("en")) {
            let language: String = language.chars().take(8).collect();
            let message = format!("\"{MODEL}\" knows English alone, not \"{language}\"");
            return Err(BackendError::Failed(Failure::Invalid { message }));
        }
        let _turn = self.turns.acquire().await.map_err(BackendError::backend)?;
        let seconds = self.settings.max_minutes.saturating_mul(60);
        let audio = audio::decode(&self.settings.ffmpeg, request.audio.0, seconds).await?;
        let segments = self.listen(&audio).await?;
        Ok(Transcript { language: Some("en".to_owned()), duration: audio.seconds(), segments })
    }
}

impl Pocketsphinx {
    async fn listen(&self, audio: &Audio) -> Result<Vec<Segment>, BackendError> {
        let pieces = pieces(audio);
        let folder = tempfile::tempdir().map_err(BackendError::backend)?;
        let samples = Bytes::from_iter(audio.samples.iter().flat_map(|sample| sample.to_le_bytes()));
        let list: String = pieces
            .iter()
            .enumerate()
            .map(|(number, (start, end))| {
                format!("speech {:.0} {:.0} piece{number}\n", (start * FRAMES).round(), (end * FRAMES).round())
            })
            .collect();
        let place = folder.path().to_owned();
        let write = move || {
            std::fs::write(place.join("speech.raw"), samples)?;
            std::fs::write(place.join("list"), list)?;
            std::fs::create_dir(place.join("best"))
        };
        blocking(write).await?;
        let limits = Limits {
            time: Duration::from_secs(60) + Duration::from_secs_f64(audio.seconds() * 5.0),
            stdout: 1024 * 1024,
        };
        let arguments = self.arguments(folder.path());
        let output = child::run(&self.settings.program, arguments, Bytes::new(), &limits).await?;
        if !output.success {
            let said = String::from_utf8_lossy(&output.stderr);
            let reason = said.lines().rev().find(|line| line.contains("ERROR") || line.contains("FATAL"));
            let reason: String = reason.unwrap_or("it failed").chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(BackendError::backend(format!("pocketsphinx: {reason}")));
        }
        let place = folder.path().to_owned();
        let read = move || {
            let words = std::fs::read_to_string(place.join("words"))?;
            let best = |number: usize| {
                // A piece in which nothing was heard has no such file.
                std::fs::read_to_string(place.join("best").join(format!("piece{number}.hyp"))).unwrap_or_default()
            };
            let heard = heard(&words);
            let segment = |(number, (start, _)): (usize, &(f64, f64))| {
                let words = heard.get(&format!("piece{number}"))?;
                segment(*start, words, &best(number))
            };
            Ok(pieces.iter().enumerate().filter_map(segment).collect())
        };
        blocking(read).await
    }

    fn arguments(&self, folder: &Path) -> Vec<std::ffi::OsString> {
        let model = &self.settings.model;
        let paths = [
            ("-hmm", model.join("en-us")),
            ("-lm", model.join("en-us.lm.bin")),
            ("-dict", model.join("cmudict-en-us.dict")),
            ("-ctl", folder.join("list")),
            ("-cepdir", folder.to_owned()),
            ("-hypseg", folder.join("words")),
            ("-nbestdir", folder.join("best")),
            ("-logfn", PathBuf::from("/dev/stderr")),
        ];
        let hypotheses = HYPOTHESES.to_string();
        let mut arguments: Vec<std::ffi::OsString> =
            ["-adcin", "yes", "-cepext", ".raw", "-samprate", "16000", "-nbest", &hypotheses].map(Into::into).to_vec();
        for (name, path) in paths {
            arguments.extend([name.into(), path.into_os_string()]);
        }
        arguments
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, BackendError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(BackendError::backend)?
        .map_err(|error| BackendError::backend(format!("cannot use a temporary folder: {error}")))
}

/// Begin and end of what is heard at once: cut in the middle of silences.
fn pieces(audio: &Audio) -> Vec<(f64, f64)> {
    let end = audio.seconds();
    let middles = audio.silences.iter().map(|(start, end)| f64::midpoint(*start, *end));
    let cuts = middles.filter(|cut| *cut > 0.0 && *cut < end).chain([end]);
    let mut pieces = Vec::new();
    let mut start = 0.0;
    for cut in cuts {
        while cut - start > LONGEST_PIECE {
            pieces.push((start, start + LONGEST_PIECE));
            start += LONGEST_PIECE;
        }
        // What is too short to be a word goes with the next.
        if cut - start >= SHORTEST_PIECE {
            pieces.push((start, cut));
            start = cut;
        }
    }
    pieces
}

/// Words of each piece with their first and last frame.
fn heard(lines: &str) -> BTreeMap<String, Vec<(String, f64, f64)>> {
    lines
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // "piece0 S 0 T -1 A -2 L -3", then frame, two scores and word for each, then the end.
            let (name, rest) = (fields.first()?, fields.get(9..)?);
            let mut words = Vec::new();
            let (entries, last) = rest.as_chunks::<4>();
            let last: f64 = last.first()?.parse().ok()?;
            let frames: Vec<f64> = entries.iter().filter_map(|[frame, ..]| frame.parse().ok()).collect();
            for (at, [_, _, _, word]) in entries.iter().enumerate() {
                let end = frames.get(at + 1).map_or(last, |next| next - 1.0);
                words.push(((*word).to_owned(), *frames.get(at)?, end));
            }
            Some(((*name).to_owned(), words))
        })
        .collect()
}

/// A word as it is written: without the number of its pronunciation; nothing for noises.
fn spoken(word: &str) -> Option<&str> {
    let word = word.split('(').next().unwrap_or(word);
    (!word.is_empty() && !word.starts_with(['<', '[', '+'])).then_some(word)
}

fn segment(offset: f64, words: &[(String, f64, f64)], best: &str) -> Option<Segment> {
    let mut kept: Vec<Word> = words
        .iter()
        .filter_map(|(word, start, end)| {
            let text = spoken(word)?.to_owned();
            Some(Word { start: offset + start / FRAMES, end: offset + (end + 1.0) / FRAMES, text, confidence: None })
        })
        .collect();
    let texts: Vec<&str> = kept.iter().map(|word| word.text.as_str()).collect();
    let confidences = confidences(&texts, best);
    let text = texts.join(" ");
    for (word, confidence) in kept.iter_mut().zip(&confidences) {
        word.confidence = Some(*confidence);
    }
    let confidence = confidences.iter().sum::<f64>() / confidences.len().max(1) as f64;
    let (start, end) = (kept.first()?.start, kept.last()?.end);
    Some(Segment { start, end, text, confidence: Some(confidence), words: kept })
}

/// How likely each word is: the share of the best hypotheses, weighed by their scores, in which it
/// stands at its place.
fn confidences(words: &[&str], best: &str) -> Vec<f64> {
    let hypotheses: Vec<(Vec<&str>, f64)> = best
        .lines()
        .filter_map(|line| {
            let (text, score) = line.rsplit_once(' ')?;
            Some((text.split_whitespace().filter_map(spoken).collect(), score.parse().ok()?))
        })
        .collect();
    let top = hypotheses.iter().map(|(_, score)| *score).fold(f64::MIN, f64::max);
    let mut sums = vec![0.0; words.len()];
    let mut total = 0.0;
    for (hypothesis, score) in &hypotheses {
        let weight = ((score - top) * SCORE).exp();
        total += weight;
        for at in common(words, hypothesis) {
            if let Some(sum) = sums.get_mut(at) {
                *sum += weight;
            }
        }
    }
    // Without other hypotheses nothing speaks against a word, and little for it.
    sums.iter().map(|sum| if total > 0.0 { f64::min(sum / total, 1.0) } else { 0.5 }).collect()
}

/// Places of `left` in the longest common subsequence with `right`.
fn common(left: &[&str], right: &[&str]) -> Vec<usize> {
    let width = right.len() + 1;
    let mut lengths = vec![0_usize; (left.len() + 1) * width];
    let at = |lengths: &[usize], i: usize, j: usize| lengths.get(i * width + j).copied().unwrap_or(0);
    for (i, a) in left.iter().enumerate().rev() {
        for (j, b) in right.iter().enumerate().rev() {
            let length = if a == b {
                at(&lengths, i + 1, j + 1) + 1
            } else {
                at(&lengths, i + 1, j).max(at(&lengths, i, j + 1))
            };
            if let Some(slot) = lengths.get_mut(i * width + j) {
                *slot = length;
            }
        }
    }
    let (mut i, mut j, mut places) = (0, 0, Vec::new());
    while let (Some(a), Some(b)) = (left.get(i), right.get(j)) {
        if a == b {
            places.push(i);
            (i, j) = (i + 1, j + 1);
        } else if at(&lengths, i + 1, j) >= at(&lengths, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_cut_in_silences_and_never_too_long() {
        let audio = Audio { samples: vec![0; audio::RATE * 70], silences: vec![(0.0, 0.2), (9.0, 11.0), (69.9, 70.0)] };
        assert_eq!(pieces(&audio), [(0.0, 10.0), (10.0, 40.0), (40.0, 69.95)]);
    }

    #[test]
    fn words_have_times_and_confidences() {
        let lines =
            "piece0 S 0 T -9 A -8 L -1 0 -5 0 <s> 3 -5 -2 the(2) 20 -5 -4 sun 60 -5 0 [SPEECH] 70 -5 0 </s> 75\n";
        let words = &heard(lines)["piece0"];
        let best = "the sun -100\nthis sun -100\nthe son -100000\n";
        let segment = segment(2.0, words, best).unwrap();
        assert_eq!(segment.text, "the sun");
        let times: Vec<(f64, f64)> = segment.words.iter().map(|word| (word.start, word.end)).collect();
        assert_eq!(times, [(2.03, 2.2), (2.2, 2.6)]);
        assert!((segment.words[0].confidence.unwrap() - 0.5).abs() < 1e-6);
        assert!((segment.words[1].confidence.unwrap() - 1.0).abs() < 1e-6);
    }
}
