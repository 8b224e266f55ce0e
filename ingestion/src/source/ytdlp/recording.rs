//! One recording of another site: metadata, captions, and the recording itself where that is allowed.

use std::path::{Path, PathBuf};

use domain::caption::{Cue, webvtt};
use domain::document::{DocumentKind, Warning};
use domain::ingestion::{Failure, failure};
use serde_json::{Value, json};
use url::Url;

use super::info::{Choice, Meta, choose};
use super::{COMMON, Program, SMALL_FOLDER, folder, on_path, said};
use crate::parse::{captions, json3, warning};
use crate::source::{Bytes, FetchedDocument, Media, blocking, cannot_open, file_sha256, sha256};

/// Largest caption file.
const LARGEST_CAPTIONS: u64 = 16 << 20;
/// Largest recording.
const LARGEST: u64 = 8 << 30;
/// The same for `yt-dlp`.
const LARGEST_ARGUMENT: &str = "8G";

/// A recording to fetch: nothing of it is what somebody typed.
pub(in crate::source) struct Wanted<'w> {
    pub(in crate::source) provider: &'static str,
    /// Names of the extractors that may read it.
    pub(in crate::source) extractor: &'static str,
    pub(in crate::source) id: &'w str,
    pub(in crate::source) url: &'w str,
    /// The recording itself may be kept.
    pub(in crate::source) rights: bool,
}

/// A fetched recording.
pub(in crate::source) struct Recording {
    pub(in crate::source) meta: Meta,
    pub(in crate::source) captions: Captions,
    pub(in crate::source) media: Option<PathBuf>,
    pub(in crate::source) warnings: Vec<Warning>,
}

/// The captions of a recording as they are kept.
#[derive(serde::Serialize, serde::Deserialize)]
pub(in crate::source) struct Captions {
    pub(in crate::source) language: String,
    pub(in crate::source) automatic: bool,
    pub(in crate::source) languages: Vec<String>,
    pub(in crate::source) vtt: String,
}

impl Program<'_> {
    /// Metadata of a recording, or of the recordings of a page.
    pub(in crate::source) async fn metadata(
        &self,
        wanted: &Wanted<'_>,
        scratch: &Path,
    ) -> Result<(Value, String), Failure> {
        let mut arguments = COMMON.to_vec();
        arguments.extend(["--use-extractors", wanted.extractor, "--no-playlist"]);
        // Captions are worth having where a recording's streams cannot be read.
        arguments.extend(["--ignore-no-formats-error", "--skip-download", "--dump-single-json", "--", wanted.url]);
        self.json(&arguments, scratch).await
    }

    /// What a run prints as JSON, and what it says besides.
    pub(in crate::source) async fn json(&self, arguments: &[&str], scratch: &Path) -> Result<(Value, String), Failure> {
        let folder = folder(scratch)?;
        let ran = self.run(folder.path(), arguments, self.outside.command, SMALL_FOLDER).await?;
        if !ran.well {
            return Err(said::failed(&ran.said));
        }
        let info: Value = serde_json::from_slice(&ran.output)
            .map_err(|error| said::typed(failure::EXTRACTOR_BROKEN, &format!("its answer is no JSON: {error}")))?;
        if info.is_object() { Ok((info, ran.said)) } else { Err(empty(&ran.said)) }
    }

    /// The best captions that the metadata offer, and the recording itself where that is allowed.
    pub(in crate::source) async fn recording(
        &self,
        wanted: &Wanted<'_>,
        (info, complaints): (&Value, &str),
        scratch: &Path,
        allowed: impl Fn(&Url) -> bool + Sync,
    ) -> Result<Recording, Failure> {
        let live = info.get("live_status").and_then(Value::as_str).unwrap_or_default();
        if matches!(live, "is_live" | "is_upcoming" | "post_live") {
            return Err(said::typed(failure::LIVE_NOT_ENDED, ""));
        }
        let meta = Meta::of(info, wanted.provider, wanted.id, wanted.url);
        let Some(choice) = choose(info, &self.outside.languages, allowed) else {
            return Err(without_captions(info, complaints));
        };
        let cues = self.captions(&choice, wanted.extractor, scratch).await?;
        if cues.is_empty() {
            return Err(Failure::new(failure::NO_CAPTIONS, NO_CAPTIONS));
        }
        let captions = Captions {
            vtt: webvtt::write(&meta.title, &meta.parts(), &cues),
            language: choice.language,
            automatic: choice.automatic,
            languages: choice.languages,
        };
        let mut recording = Recording { meta, captions, media: None, warnings: Vec::new() };
        if wanted.rights {
            match self.media(wanted, scratch).await {
                Ok(path) => recording.media = Some(path),
                // The lesson is complete without it: the site's own player shows the recording.
                Err(why) => recording.warnings.push(warning(
                    "MEDIA_NOT_KEPT",
                    format!("the recording was not stored and stays with its site: {} ({})", why.message, why.code),
                    wanted.url,
                )),
            }
        }
        Ok(recording)
    }

    /// Fetches the captions by a file of metadata that we wrote: no argument names anything of theirs.
    async fn captions(&self, choice: &Choice, extractor: &str, scratch: &Path) -> Result<Vec<Cue>, Failure> {
        let folder = folder(scratch)?;
        let file = folder.path().join("info.json");
        std::fs::write(&file, choice.info().to_string())
            .map_err(|error| cannot_open(&file.to_string_lossy(), &error))?;
        let mut arguments = COMMON.to_vec();
        arguments.extend(["--use-extractors", extractor, "--no-playlist", "--ignore-no-formats-error"]);
        arguments.extend(["--skip-download", "--write-subs", "--sub-langs", "wanted", "--sub-format", "json3/vtt/srt"]);
        arguments.extend(["--output", "captions.%(ext)s", "--load-info-json", "info.json"]);
        let ran = self.run(folder.path(), &arguments, self.outside.command, SMALL_FOLDER).await?;
        if !ran.well {
            return Err(said::failed(&ran.said));
        }
        let name = format!("captions.wanted.{}", choice.format);
        let path = folder.path().join(&name);
        let size =
            std::fs::symlink_metadata(&path).ok().filter(std::fs::Metadata::is_file).map_or(0, |file| file.len());
        if size == 0 {
            // The site answers so when it holds its captions back from programs.
            let held = || said::typed(failure::EXTRACTOR_BROKEN, "the captions came back empty");
            return Err(said::warned(&ran.said).unwrap_or_else(held));
        }
        if size > LARGEST_CAPTIONS {
            let message = "the captions are larger than 16 MiB; they are not captions";
            return Err(Failure::new(failure::TOO_LARGE, message));
        }
        let json3 = choice.format == "json3";
        blocking(move || {
            let bytes = std::fs::read(&path).map_err(|error| cannot_open(&name, &error))?;
            let text = crate::parse::text(&name, &bytes)?;
            if json3 { json3::cues(&name, &text) } else { Ok(captions::cues(&text)) }
        })
        .await
    }

    /// The best MP4 up to 1080p, in the scratch folder.
    async fn media(&self, wanted: &Wanted<'_>, scratch: &Path) -> Result<PathBuf, Failure> {
        // Picture and sound come apart above 360p, and only ffmpeg joins them.
        let best = if on_path("ffmpeg") {
            "bv*[height<=?1080][ext=mp4][vcodec^=avc1]+ba[ext=m4a]/b[height<=?1080][ext=mp4]"
        } else {
            "b[height<=?1080][ext=mp4]"
        };
        let folder = folder(scratch)?;
        let mut arguments = COMMON.to_vec();
        arguments.extend(["--use-extractors", wanted.extractor, "--no-playlist", "--format", best]);
        arguments.extend(["--merge-output-format", "mp4", "--max-filesize", LARGEST_ARGUMENT, "--no-mtime"]);
        arguments.extend(["--output", "recording.%(ext)s", "--", wanted.url]);
        let ran = self.run(folder.path(), &arguments, self.outside.download, 2 * LARGEST).await?;
        if !ran.well {
            return Err(said::failed(&ran.said));
        }
        let path = folder.path().join("recording.mp4");
        let mut head = [0; 8];
        let read = std::fs::File::open(&path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
        if read.is_err() || !head.ends_with(b"ftyp") {
            let message = "no MP4 of at most 1080 lines and 8 GiB is offered; take the file from its owner";
            return Err(Failure::new(failure::UNSUPPORTED_FORMAT, message));
        }
        // It goes with the scratch folder around it.
        Ok(folder.keep().join("recording.mp4"))
    }
}

const NO_CAPTIONS: &str = "the video has no captions that can be read; ask its owner to switch them on, or ingest the file with captions by \"ingest video FILE --captions FILE\"";

/// Why there are none: the site said so, or there are none.
fn without_captions(info: &Value, complaints: &str) -> Failure {
    if let Some(line) = complaints.lines().find(|line| line.contains("PO token was not provided")) {
        return said::typed(failure::EXTRACTOR_BROKEN, line);
    }
    let streams = info.get("formats").and_then(Value::as_array).is_some_and(|formats| !formats.is_empty());
    if streams || info.get("url").is_some() {
        return Failure::new(failure::NO_CAPTIONS, NO_CAPTIONS);
    }
    let stated = info.get("availability").and_then(Value::as_str).and_then(said::availability);
    said::warned(complaints).or(stated).unwrap_or_else(|| empty(complaints))
}

fn empty(complaints: &str) -> Failure {
    let line = complaints.lines().next().unwrap_or("it found neither streams nor captions");
    said::warned(complaints).unwrap_or_else(|| said::typed(failure::EXTRACTOR_BROKEN, line))
}

/// A recording as a document; its bytes are the captions.
pub(in crate::source) async fn document(recording: Recording, path: String) -> Result<FetchedDocument, Failure> {
    let Recording { meta, captions, media, .. } = recording;
    let media = match media {
        Some(path) => {
            let file = path.clone();
            let sha256 = blocking(move || file_sha256(&file).map_err(|error| cannot_open("the recording", &error)));
            Some(Media { path, sha256: sha256.await?, media_type: "video/mp4" })
        }
        None => None,
    };
    let extra = json!({
        "captionsName": format!("captions.{}.vtt", captions.language),
        "seconds": meta.duration,
        "player": meta,
        "captions": {
            "language": captions.language,
            "kind": if captions.automatic { "automatic" } else { "human" },
            "languages": captions.languages,
        },
    });
    let bytes = captions.vtt.into_bytes();
    Ok(FetchedDocument {
        path,
        kind: DocumentKind::Video,
        sha256: sha256(&bytes),
        bytes: Bytes::Memory(bytes),
        media_type: "text/vtt",
        includes: std::collections::BTreeMap::new(),
        media,
        extra,
    })
}
