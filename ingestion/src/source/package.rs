//! Packages of other kinds than SCORM: what the parser in the child made of them, as documents, tree,
//! questions and import report.

use std::path::Path;

use domain::document::DocumentKind;
use domain::ingestion::{Failure, SourceKind, failure};
use serde_json::json;

use super::dir::{media_type, walked};
use super::{
    Bytes, Fetched, FetchedDocument, Media, Outline, Place, Source, blocking, cannot_open, file_sha256, sha256,
};
use crate::parse::package::Bundle;
use crate::parse::{Format, warning};
use crate::sandbox::{Sandbox, Unpacked};

/// Largest package.
const LARGEST: u64 = 2 << 30;
/// The data model in which a package that is played reports; its player sees to that.
const PLAYED_AS: &str = "1.2";
/// Most bytes of a folder's files.
const LARGEST_FOLDER: u64 = 160 << 20;

/// A kind of package with a parser of its own (`parse/NAME.rs`).
pub(super) struct Packaged {
    kind: SourceKind,
    /// What the kind is called, with its article.
    named: &'static str,
    /// Whether a folder may stand for the package.
    folder: bool,
    /// Whether its files are kept to be played.
    played: bool,
}

/// Common Cartridges.
pub(super) static CARTRIDGE: Packaged =
    Packaged { kind: SourceKind::Cartridge, named: "a Common Cartridge", folder: false, played: false };
/// QTI.
pub(super) static QTI: Packaged =
    Packaged { kind: SourceKind::Qti, named: "a QTI package", folder: true, played: false };
/// H5P.
pub(super) static H5P: Packaged =
    Packaged { kind: SourceKind::H5p, named: "an H5P package", folder: false, played: true };
/// cmi5.
pub(super) static CMI5: Packaged =
    Packaged { kind: SourceKind::Cmi5, named: "a cmi5 package", folder: false, played: false };
/// Books, as the source of documents reads them.
pub(super) static BOOK: Packaged = Packaged { kind: SourceKind::File, named: "an EPUB", folder: false, played: false };

#[async_trait::async_trait]
impl Source for Packaged {
    fn kind(&self) -> SourceKind {
        self.kind
    }

    async fn fetch(&self, place: &Place, sandbox: &Sandbox, scratch: &Path) -> Result<Fetched, Failure> {
        let (path, shown) = (place.path()?.to_owned(), place.shown().to_owned());
        let name = shown.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(&shown).to_owned();
        let state = std::fs::metadata(&path).map_err(|error| cannot_open(&shown, &error))?;
        if state.is_dir() {
            if !self.folder {
                let message = format!("\"{shown}\" is a folder; zip its contents to make {} of it", self.named);
                return Err(Failure::new(failure::UNSUPPORTED_FORMAT, message));
            }
            let files = blocking(move || walked(&path, &shown, LARGEST_FOLDER)).await?;
            let bundle = sandbox.folder(self.kind, files, &name).await?;
            return Ok(fetched(bundle, None, Vec::new()));
        }
        if state.len() > LARGEST {
            let message = format!("\"{shown}\" is larger than 2 GiB; split the package");
            return Err(Failure::new(failure::TOO_LARGE, message));
        }
        let opened = std::fs::File::open(&path).map_err(|error| cannot_open(&shown, &error))?;
        let folder = scratch.join("package");
        tokio::fs::create_dir_all(&folder).await.map_err(|error| cannot_open(&shown, &error))?;
        let (bundle, files) = sandbox.bundle(self.kind, opened, &name, self.played.then_some(folder.as_path())).await?;
        blocking(move || {
            let sha256 = file_sha256(&path).map_err(|error| cannot_open(&shown, &error))?;
            let media_type =
                if name.to_ascii_lowercase().ends_with(".xml") { "application/xml" } else { "application/zip" };
            Ok(fetched(bundle, Some(Media { path, sha256, media_type }), files))
        })
        .await
    }
}

fn fetched(bundle: Bundle, archive: Option<Media>, files: Vec<Unpacked>) -> Fetched {
    let played = bundle.pages.iter().any(|page| page.kind == DocumentKind::Scorm);
    let files = if played { files } else { Vec::new() };
    let report = json!({
        "version": bundle.version, "schemaVersion": played.then_some(PLAYED_AS), "files": bundle.files, "questions": bundle.questions.len(),
        "kept": bundle.kept, "changed": bundle.changed, "lost": bundle.lost,
        "packageSha256": archive.as_ref().map(|archive| archive.sha256.clone()),
    });
    let mut documents: Vec<FetchedDocument> = bundle
        .pages
        .into_iter()
        .map(|page| FetchedDocument {
            path: page.path,
            kind: page.kind,
            sha256: sha256(&page.bytes),
            bytes: Bytes::Memory(page.bytes),
            media_type: media_type(format(page.kind)),
            includes: std::collections::BTreeMap::new(),
            media: None,
            extra: page.extra,
        })
        .collect();
    if let Some(first) = documents.first_mut() {
        first.media = archive;
    }
    let mut warnings: Vec<_> =
        bundle.warnings.into_iter().map(|(code, message, place)| warning(&code, message, &place)).collect();
    if !bundle.lost.is_empty() {
        let first = bundle.lost.first().and_then(|lost| lost.get("why")?.as_str()).unwrap_or_default().to_owned();
        let message = format!(
            "{} parts of the package were left out; the import report names each, such as: {first}",
            bundle.lost.len()
        );
        warnings.push(warning("LEFT_OUT", message, &bundle.title));
    }
    let outline = Outline {
        title: bundle.title,
        modules: bundle.modules,
        failures: bundle.failures,
        import: Some(report),
        questions: bundle.questions,
        ..Outline::default()
    };
    Fetched { outline, commit: None, documents, files, warnings }
}

fn format(kind: DocumentKind) -> Format {
    match kind {
        DocumentKind::Markdown => Format::Markdown,
        DocumentKind::Html | DocumentKind::Scorm => Format::Html,
        DocumentKind::Pdf => Format::Pdf,
        DocumentKind::Transcript | DocumentKind::Video => Format::Captions,
        DocumentKind::Docx => Format::Docx,
        DocumentKind::Pptx => Format::Pptx,
        DocumentKind::Notebook => Format::Notebook,
        DocumentKind::Csv => Format::Csv,
    }
}
