//! One document: Markdown, HTML, PDF, captions, an office document, a notebook, a table or a book.
//!
//! A package that is given here goes to the source of its kind, known by what is in it.

use std::path::Path;

use domain::ingestion::{Failure, SourceKind, failure};
use serde_json::json;

use super::dir::{largest, media_type};
use super::{
    Bytes, Fetched, FetchedDocument, Lesson, Module, Outline, Place, Source, blocking, cannot_open, package, sha256,
};
use crate::parse::{Format, title_of_path};
use crate::sandbox::Sandbox;

/// The file source.
pub(super) struct File;

#[async_trait::async_trait]
impl Source for File {
    fn kind(&self) -> SourceKind {
        SourceKind::File
    }

    async fn fetch(&self, place: &Place, sandbox: &Sandbox, scratch: &Path) -> Result<Fetched, Failure> {
        let (path, shown) = (place.path()?.to_owned(), place.shown().to_owned());
        let extension = shown.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
        match extension.as_str() {
            "epub" => return package::BOOK.fetch(place, sandbox, scratch).await,
            "imscc" => return package::CARTRIDGE.fetch(place, sandbox, scratch).await,
            "h5p" => return package::H5P.fetch(place, sandbox, scratch).await,
            "qti" => return package::QTI.fetch(place, sandbox, scratch).await,
            "zip" => {
                let opened = std::fs::File::open(&path).map_err(|error| cannot_open(&shown, &error))?;
                let kind = sandbox.kind(opened, &shown).await?;
                if kind == SourceKind::File {
                    return Err(unsupported(&shown));
                }
                return super::of(kind)?.fetch(place, sandbox, scratch).await;
            }
            _ => {}
        }
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
    let most = largest(format);
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
        questions: Vec::new(),
    };
    Ok(Fetched { outline, commit: None, documents: vec![document], files: Vec::new(), warnings: Vec::new() })
}

fn unsupported(name: &str) -> Failure {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default();
    let advice = match extension.as_str() {
        "zip" => "it is a document in a zip's clothes; give it its own extension (docx, pptx or epub)",
        "mp4" | "webm" | "mkv" | "mov" | "m4v" => "use \"ingest video\" with its captions",
        "doc" | "odt" | "rtf" => "save it as DOCX or PDF and ingest that",
        "ppt" | "odp" => "save it as PPTX or PDF and ingest that",
        "xls" | "xlsx" | "ods" => "save it as CSV and ingest that",
        "xml" => "use \"ingest qti\" for questions and \"ingest cmi5\" for a course structure",
        _ => "Markdown, HTML, PDF, DOCX, PPTX, EPUB, notebooks, CSV, VTT and SRT files are read",
    };
    Failure::new(failure::UNSUPPORTED_FORMAT, format!("\"{name}\" is not a format that we read; {advice}"))
}
