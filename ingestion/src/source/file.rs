//! One document: Markdown, HTML, PDF or captions.

use std::path::Path;

use domain::ingestion::{Failure, SourceKind, failure};
use serde_json::json;

use super::dir::{LARGEST_PDF, LARGEST_TEXT, media_type};
use super::{Bytes, Fetched, FetchedDocument, Lesson, Module, Outline, Place, Source, blocking, cannot_open, sha256};
use crate::parse::{Format, title_of_path};
use crate::sandbox::Sandbox;

/// The file source.
pub(super) struct File;

#[async_trait::async_trait]
impl Source for File {
    fn kind(&self) -> SourceKind {
        SourceKind::File
    }

    async fn fetch(&self, place: &Place, _sandbox: &Sandbox, _scratch: &Path) -> Result<Fetched, Failure> {
        let (path, shown) = (place.path()?.to_owned(), place.shown().to_owned());
        blocking(move || read(&path, &shown)).await
    }
}

fn read(path: &Path, shown: &str) -> Result<Fetched, Failure> {
    let state = std::fs::metadata(path).map_err(|error| cannot_open(shown, &error))?;
    if !state.is_file() {
        return Err(Failure::new(
            failure::UNSUPPORTED_FORMAT,
            format!("\"{shown}\" is not a file; use \"ingest dir\" for a folder"),
        ));
    }
    let name = shown.rsplit(['/', '\\']).next().unwrap_or(shown).to_owned();
    let Some(format) = Format::of(&name) else { return Err(unsupported(&name)) };
    let most = if format == Format::Pdf { LARGEST_PDF } else { LARGEST_TEXT };
    if state.len() > most {
        return Err(Failure::new(
            failure::TOO_LARGE,
            format!("\"{name}\" is larger than {} MiB; split it", most >> 20),
        ));
    }
    let bytes = std::fs::read(path).map_err(|error| cannot_open(shown, &error))?;
    if bytes.is_empty() {
        return Err(Failure::new(failure::EMPTY, format!("\"{name}\" is empty")));
    }
    let document = FetchedDocument {
        path: name.clone(),
        kind: format.kind(),
        sha256: sha256(&bytes),
        bytes: Bytes::Memory(bytes),
        media_type: media_type(format),
        includes: std::collections::BTreeMap::new(),
        media: None,
        extra: json!({}),
    };
    let lesson = Lesson { title: None, kind: "DOCUMENT".into(), path: name.clone(), hidden: false };
    let outline = Outline {
        title: title_of_path(&name),
        modules: vec![Module { title: None, chapter: false, lessons: vec![lesson] }],
        failures: Vec::new(),
        import: None,
    };
    Ok(Fetched { outline, commit: None, documents: vec![document], warnings: Vec::new() })
}

fn unsupported(name: &str) -> Failure {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    let advice = match extension.as_str() {
        "zip" => "use \"ingest scorm\" for a SCORM package, or unpack it and use \"ingest dir\"",
        "mp4" | "webm" | "mkv" | "mov" | "m4v" => "use \"ingest video\" with its captions",
        "docx" | "doc" | "odt" | "pptx" | "ppt" | "odp" | "rtf" => "save it as PDF or HTML and ingest that",
        "epub" => "convert it to HTML or PDF and ingest that",
        "imscc" => "it is a Common Cartridge; export it as SCORM 1.2 or 2004",
        _ => "Markdown, HTML, PDF, VTT and SRT files are read",
    };
    Failure::new(failure::UNSUPPORTED_FORMAT, format!("\"{name}\" is not a format that we read; {advice}"))
}
