//! A recording with its captions: the text is searched, the recording is kept and served by range.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use domain::chapter::{ChapterOrigin, Chapters};
use domain::document::DocumentKind;
use domain::ingestion::{Failure, SourceKind, failure};
use domain::media::CAPTIONS;
use serde_json::json;

use super::{
    Bytes, Fetched, FetchedDocument, Lesson, Media, Module, Outline, Place, Source, blocking, cannot_open, file_sha256,
    sha256,
};
use crate::media::{self, Container, Tools};
use crate::parse::{captions, title_of_path, warning};
use crate::sandbox::Sandbox;
use crate::speech;

/// Largest caption file.
const LARGEST_CAPTIONS: u64 = 16 << 20;
/// What the name of a file of chapters ends in.
const CHAPTERS: &str = ".chapters.vtt";
/// Largest recording.
const LARGEST: u64 = 32 << 30;

/// The video source.
pub(super) struct Video;

#[async_trait::async_trait]
impl Source for Video {
    fn kind(&self) -> SourceKind {
        SourceKind::Video
    }

    async fn fetch(&self, place: &Place, sandbox: &Sandbox, _scratch: &Path) -> Result<Fetched, Failure> {
        let path = place.path()?.to_owned();
        let shown = place.shown().to_owned();
        let name = shown.rsplit(['/', '\\']).next().unwrap_or(&shown).to_owned();
        let wanted = place.captions.clone();
        let checked = {
            let path = path.clone();
            blocking(move || check(&path, &shown, &name, wanted)).await?
        };
        let probed = match Tools::find() {
            Some(tools) => media::probe(sandbox, &tools, &path, &checked.name).await.ok(),
            None => None,
        };
        let chapters = probed.as_ref().map(|probed| probed.chapters.clone()).unwrap_or_default();
        let seconds = match probed {
            Some(probed) => Some(probed.seconds),
            // A recording that ffprobe does not read is kept all the same; transcoding says what is wrong with it.
            None => blocking(move || Ok(mp4_seconds(&path))).await?,
        };
        blocking(move || fetched(checked, seconds, chapters)).await
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
    // The bytes say what it is: a playlist that is called .mp4 is none.
    let media_type = Container::of_file(path, name)?.media_type();
    let captions = match wanted {
        Some(captions) => {
            std::fs::metadata(&captions).map_err(|error| cannot_open(&captions.to_string_lossy(), &error))?;
            captions
        }
        None => sidecar(path).ok_or_else(|| speech::no_transcriber(name))?,
    };
    Ok(Checked { path: path.to_owned(), name: name.to_owned(), media_type, captions })
}

/// A caption file of the same stem, with or without a language.
pub(super) fn sidecar(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    let exact = ["vtt", "srt"].iter().map(|extension| path.with_extension(extension)).find(|file| file.is_file());
    exact.or_else(|| {
        let mut found: Vec<PathBuf> = std::fs::read_dir(path.parent()?)
            .ok()?
            .flatten()
            .map(|entry| entry.path())
            .filter(|file| {
                let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let captions = name.ends_with(".vtt") || name.ends_with(".srt");
                name.starts_with(&format!("{stem}.")) && captions && !name.ends_with(CHAPTERS)
            })
            .collect();
        found.sort();
        found.into_iter().next()
    })
}

fn fetched(checked: Checked, seconds: Option<f64>, contained: Vec<(i64, String)>) -> Result<Fetched, Failure> {
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
    let mut extra = json!({ "captionsName": shown, "language": language(&checked.name, &shown), "seconds": seconds });
    #[expect(clippy::cast_possible_truncation, reason = "at most twelve hours")]
    let end = seconds.map_or(last, |seconds| (seconds * 1000.0) as i64);
    let chapters = chapters_beside(&checked.path)
        .and_then(|starts| Chapters::new(ChapterOrigin::File, starts, end))
        .or_else(|| Chapters::new(ChapterOrigin::Container, contained, end).filter(|chapters| chapters.list.len() > 1));
    if let Some(chapters) = chapters {
        extra["chapters"] = json!(chapters);
    }
    let document = FetchedDocument {
        path: checked.name.clone(),
        kind: DocumentKind::Video,
        sha256: sha256(&bytes),
        bytes: Bytes::Memory(bytes),
        media_type: if shown.to_ascii_lowercase().ends_with(".srt") { "application/x-subrip" } else { "text/vtt" },
        // What players show: WebVTT with readable lines, whatever the file was.
        includes: std::iter::once((CAPTIONS.to_owned(), speech::vtt(&cues, None).into_bytes())).collect(),
        media: Some(Media { path: checked.path, sha256: sha, media_type: checked.media_type }),
        extra,
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
    Ok(Fetched { outline, commit: None, documents: vec![document], files: Vec::new(), warnings })
}

/// Starts and titles of a file of chapters beside the recording: `talk.chapters.vtt`.
fn chapters_beside(recording: &Path) -> Option<Vec<(i64, String)>> {
    let path = recording.with_extension(CHAPTERS.trim_start_matches('.'));
    let size = std::fs::metadata(&path).ok()?.len();
    let bytes = std::fs::read(&path).ok().filter(|_| size <= LARGEST_CAPTIONS)?;
    let text = crate::parse::text("chapters", &bytes).ok()?;
    Some(captions::cues(&text).into_iter().map(|cue| (cue.start, cue.text)).collect())
}

/// The language that a caption file's name tells: `talk.en.vtt`, `talk.pt-BR.srt`.
fn language(recording: &str, captions: &str) -> Option<String> {
    let stem = recording.rsplit_once('.').map_or(recording, |(stem, _)| stem);
    let (tag, _) = captions.strip_prefix(stem)?.strip_prefix('.')?.rsplit_once('.')?;
    let main = tag.split('-').next().unwrap_or(tag);
    let good = (2..=3).contains(&main.len()) && tag.len() <= 12;
    (good && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')).then(|| tag.to_owned())
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
