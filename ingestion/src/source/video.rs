//! A recording with its captions: the text is searched, the recording is kept and served by range.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use domain::document::DocumentKind;
use domain::ingestion::{Failure, SourceKind, failure};
use serde_json::json;

use super::{
    Bytes, Fetched, FetchedDocument, Lesson, Media, Module, Outline, Place, Source, blocking, cannot_open, file_sha256,
    sha256,
};
use crate::parse::{captions, title_of_path, warning};
use crate::sandbox::Sandbox;

/// Largest caption file.
const LARGEST_CAPTIONS: u64 = 16 << 20;
/// Largest recording.
const LARGEST: u64 = 32 << 30;

/// The video source.
pub(super) struct Video;

#[async_trait::async_trait]
impl Source for Video {
    fn kind(&self) -> SourceKind {
        SourceKind::Video
    }

    async fn fetch(&self, place: &Place, _sandbox: &Sandbox, _scratch: &Path) -> Result<Fetched, Failure> {
        let path = place.path()?.to_owned();
        let shown = place.shown().to_owned();
        let name = shown.rsplit(['/', '\\']).next().unwrap_or(&shown).to_owned();
        let wanted = place.captions.clone();
        let checked = {
            let path = path.clone();
            blocking(move || check(&path, &shown, &name, wanted)).await?
        };
        let seconds = match probe(&path, checked.media_type).await {
            Some(seconds) => Some(seconds),
            None => blocking(move || Ok(mp4_seconds(&path))).await?,
        };
        blocking(move || fetched(checked, seconds)).await
    }
}

struct Checked {
    path: PathBuf,
    name: String,
    media_type: &'static str,
    captions: PathBuf,
}

fn check(path: &Path, shown: &str, name: &str, wanted: Option<PathBuf>) -> Result<Checked, Failure> {
    let state = std::fs::metadata(path).map_err(|error| cannot_open(shown, &error))?;
    let unsupported = |why: &str| {
        Failure::new(failure::UNSUPPORTED_FORMAT, format!("\"{name}\" {why}; MP4, WebM and Ogg recordings are read"))
    };
    if !state.is_file() {
        return Err(unsupported("is not a file"));
    }
    if state.len() > LARGEST {
        return Err(Failure::new(failure::TOO_LARGE, format!("\"{name}\" is larger than 32 GiB; split it")));
    }
    let mut head = [0; 16];
    let mut file = std::fs::File::open(path).map_err(|error| cannot_open(shown, &error))?;
    let count = file.read(&mut head).map_err(|error| cannot_open(shown, &error))?;
    let head = head.get(..count).unwrap_or_default();
    // The bytes say what it is: a playlist that is called .mp4 is none.
    let media_type = match head {
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "video/mp4",
        [0x1a, 0x45, 0xdf, 0xa3, ..] => "video/webm",
        [b'O', b'g', b'g', b'S', ..] => "video/ogg",
        [b'I', b'D', b'3', ..] => "audio/mpeg",
        _ => return Err(unsupported("is not a recording")),
    };
    let captions = match wanted {
        Some(captions) => {
            std::fs::metadata(&captions).map_err(|error| cannot_open(&captions.to_string_lossy(), &error))?;
            captions
        }
        None => sidecar(path).ok_or_else(|| {
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            let message = format!("\"{name}\" has no captions; put \"{stem}.vtt\" or \"{stem}.srt\" beside it, or name a file with --captions");
            Failure::new(failure::NO_CAPTIONS, message)
        })?,
    };
    Ok(Checked { path: path.to_owned(), name: name.to_owned(), media_type, captions })
}

/// A caption file of the same stem, with or without a language.
fn sidecar(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    let exact = ["vtt", "srt"].iter().map(|extension| path.with_extension(extension)).find(|file| file.is_file());
    exact.or_else(|| {
        let mut found: Vec<PathBuf> = std::fs::read_dir(path.parent()?)
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .filter(|file| {
                let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                name.starts_with(&format!("{stem}.")) && (name.ends_with(".vtt") || name.ends_with(".srt"))
            })
            .collect();
        found.sort();
        found.into_iter().next()
    })
}

fn fetched(checked: Checked, seconds: Option<f64>) -> Result<Fetched, Failure> {
    let shown = checked.captions.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let size = std::fs::metadata(&checked.captions).map_err(|error| cannot_open(&shown, &error))?.len();
    if size > LARGEST_CAPTIONS {
        return Err(Failure::new(
            failure::TOO_LARGE,
            format!("the captions \"{shown}\" are larger than 16 MiB; they are not captions"),
        ));
    }
    let bytes = std::fs::read(&checked.captions).map_err(|error| cannot_open(&shown, &error))?;
    let text = crate::parse::text(&shown, &bytes)?;
    let cues = captions::cues(&text);
    let Some(last) = cues.iter().map(|cue| cue.end).max() else {
        let message = format!("the captions \"{shown}\" have no cue with a time; expected WebVTT or SubRip");
        return Err(Failure::new(failure::NO_CAPTIONS, message));
    };
    let mut warnings = Vec::new();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a recording fit 53 bits")]
    let spoken = last as f64 / 1000.0;
    match seconds {
        Some(seconds) if spoken > seconds + 2.0 => {
            let message = format!(
                "the captions end at {spoken:.0} s and the recording at {seconds:.0} s; they may be of another one"
            );
            warnings.push(warning("CAPTIONS_TOO_LONG", message, &shown));
        }
        None => {
            warnings.push(warning("UNKNOWN_DURATION", "the length of the recording could not be read", &checked.name))
        }
        _ => {}
    }
    let sha = file_sha256(&checked.path).map_err(|error| cannot_open(&checked.name, &error))?;
    let document = FetchedDocument {
        path: checked.name.clone(),
        kind: DocumentKind::Video,
        sha256: sha256(&bytes),
        bytes: Bytes::Memory(bytes),
        media_type: if shown.to_ascii_lowercase().ends_with(".srt") { "application/x-subrip" } else { "text/vtt" },
        includes: std::collections::BTreeMap::new(),
        media: Some(Media { path: checked.path, sha256: sha, media_type: checked.media_type }),
        extra: json!({ "captionsName": shown, "seconds": seconds }),
    };
    let title = title_of_path(&checked.name);
    let lesson = Lesson { title: Some(title.clone()), kind: "VIDEO".into(), path: checked.name, hidden: false };
    let outline = Outline {
        title: title.clone(),
        modules: vec![Module { title: Some(title), chapter: false, lessons: vec![lesson] }],
        failures: Vec::new(),
        import: None,
        questions: Vec::new(),
    };
    Ok(Fetched { outline, commit: None, documents: vec![document], warnings })
}

/// The length by ffprobe, where it is installed; it may open this one file and nothing else.
async fn probe(path: &Path, media_type: &str) -> Option<f64> {
    // The format is named, so that a playlist is never opened as one.
    let format = match media_type {
        "video/mp4" => "mov",
        "video/webm" => "matroska",
        "video/ogg" => "ogg",
        _ => "mp3",
    };
    let mut child = tokio::process::Command::new("ffprobe");
    child
        .args([
            "-v",
            "error",
            "-protocol_whitelist",
            "file",
            "-f",
            format,
            "-show_entries",
            "format=duration",
            "-of",
            "csv=p=0",
            "-i",
        ])
        .arg(path.canonicalize().ok()?)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(10), child.output()).await.ok()?.ok()?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0)
}

/// The length that `moov/mvhd` of an MP4 states (ISO/IEC 14496-12, 8.2.2).
fn mp4_seconds(path: &Path) -> Option<f64> {
    let mut file = std::fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let moov = atom(&mut file, 0, length, *b"moov")?;
    let mvhd = atom(&mut file, moov.0, moov.1, *b"mvhd")?;
    file.seek(SeekFrom::Start(mvhd.0)).ok()?;
    let mut bytes = [0; 32];
    file.read_exact(&mut bytes).ok()?;
    let number = |from: usize, to: usize| {
        bytes.get(from..to).map(|part| part.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte)))
    };
    let (scale, units) =
        if bytes.first() == Some(&1) { (number(20, 24)?, number(24, 32)?) } else { (number(12, 16)?, number(16, 20)?) };
    #[expect(clippy::cast_precision_loss, reason = "a length in time units of a recording fits 53 bits")]
    let seconds = units as f64 / scale as f64;
    (scale > 0 && seconds.is_finite() && seconds > 0.0).then_some(seconds)
}

/// Start and end of the content of the first atom `name` between two offsets.
fn atom(file: &mut std::fs::File, from: u64, to: u64, name: [u8; 4]) -> Option<(u64, u64)> {
    let mut at = from;
    for _ in 0..4096 {
        if at + 8 > to {
            return None;
        }
        file.seek(SeekFrom::Start(at)).ok()?;
        let mut head = [0; 16];
        let count = file.read(&mut head).ok()?;
        let number = |part: &[u8]| part.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        let (size, start) = match number(head.get(..4)?) {
            0 => (to - at, 8),
            1 if count == 16 => (number(head.get(8..16)?), 16),
            size => (size, 8),
        };
        if size < start || at.checked_add(size)? > to {
            return None;
        }
        if head.get(4..8)? == name {
            return Some((at + start, at + size));
        }
        at += size;
    }
    None
}
