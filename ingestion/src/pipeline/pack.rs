//! Packing sources into one signed file: what a run fetches, and nothing of what it makes of it. Loading is `load.rs`.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use domain::Error;
use domain::document::Warning;
use domain::ingestion::{Crawl, Failure, SourceKind, failure};
use domain::policy::{Action, Actor, Subject};
use serde::Serialize;

use super::fetch::{outside, scratch};
use super::{Pipeline, Progress, as_error, canonical};
use crate::pack::{self, Key, Manifest, PackedDocument, PackedFile, PackedSource};
use crate::source::{self, Bytes, Fetched, Place, blocking};

/// What a pack got of one source.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackedReport {
    /// What kind of source.
    pub kind: SourceKind,
    /// Where it was read from.
    pub origin: String,
    /// Its name for people.
    pub title: Option<String>,
    /// Number of documents.
    pub documents: usize,
    /// What a reader should know.
    pub warnings: Vec<Warning>,
    /// Documents that could not be fetched, and why.
    pub failures: Vec<(String, Failure)>,
    /// Why nothing of it is in the pack.
    pub error: Option<Failure>,
}

/// What was packed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PackReport {
    /// Where the pack lies; none when nothing was written.
    pub file: Option<PathBuf>,
    /// Its size, or that of its files when nothing was written, in bytes.
    pub bytes: u64,
    /// Number of files in it.
    pub files: usize,
    /// The key that signed it, to be named where it is loaded; none when nothing was written.
    pub key: Option<String>,
    /// Each source.
    pub sources: Vec<PackedReport>,
}

/// The files of a pack to be: what the manifest says of each, and where it lies.
#[derive(Default)]
struct Spool {
    known: HashMap<String, usize>,
    files: Vec<PackedFile>,
    paths: Vec<PathBuf>,
}

impl Spool {
    /// Adds a file that lies at `path`.
    fn file(&mut self, sha256: &str, media_type: &str, path: PathBuf) -> Result<(), Failure> {
        if self.known.contains_key(sha256) {
            return Ok(());
        }
        let size =
            std::fs::metadata(&path).map_err(|error| source::cannot_open(&path.display().to_string(), &error))?.len();
        self.known.insert(sha256.to_owned(), self.files.len());
        self.files.push(PackedFile { sha256: sha256.to_owned(), size, media_type: media_type.to_owned() });
        self.paths.push(path);
        Ok(())
    }

    /// Adds bytes, which are kept in `folder` until the pack is written.
    fn bytes(&mut self, sha256: &str, media_type: &str, bytes: &[u8], folder: &Path) -> Result<(), Failure> {
        if self.known.contains_key(sha256) {
            return Ok(());
        }
        let path = folder.join(sha256);
        std::fs::write(&path, bytes).map_err(|error| {
            Failure::new(failure::INTERNAL, format!("cannot keep \"{}\": {error}; check free space", path.display()))
        })?;
        self.file(sha256, media_type, path)
    }

    fn source(
        &mut self,
        kind: SourceKind,
        origin: String,
        fetched: Fetched,
        folder: &Path,
    ) -> Result<PackedSource, Failure> {
        let mut documents = Vec::with_capacity(fetched.documents.len());
        for document in fetched.documents {
            match &document.bytes {
                Bytes::Memory(bytes) => self.bytes(&document.sha256, document.media_type, bytes, folder)?,
                Bytes::File(path) => self.file(&document.sha256, document.media_type, path.clone())?,
                Bytes::Stored(_) => {}
            }
            let mut includes = BTreeMap::new();
            for (path, bytes) in &document.includes {
                let sha256 = source::sha256(bytes);
                self.bytes(&sha256, "text/plain", bytes, folder)?;
                includes.insert(path.clone(), sha256);
            }
            if let Some(media) = &document.media {
                self.file(&media.sha256, media.media_type, media.path.clone())?;
            }
            documents.push(PackedDocument {
                path: document.path,
                kind: document.kind,
                sha256: document.sha256,
                includes,
                media: document.media.map(|media| (media.sha256, media.media_type.to_owned())),
                extra: document.extra,
            });
        }
        let mut files = Vec::with_capacity(fetched.files.len());
        for file in fetched.files {
            self.file(&file.sha256, "application/octet-stream", file.bytes)?;
            files.push((file.path, file.sha256));
        }
        let (outline, commit, warnings) = (fetched.outline, fetched.commit, fetched.warnings);
        Ok(PackedSource { kind, origin, outline, commit, documents, files, warnings })
    }
}

/// What a source is called on the machine where its pack is loaded: an address stays, a path says
/// that it is one of another machine.
fn carried(origin: &str) -> String {
    if origin.contains("://") { origin.to_owned() } else { format!("pack:{origin}") }
}

impl Pipeline {
    /// Fetches sources and writes them into one signed file; with no `to` it says what would be in it.
    /// What cannot be fetched is in the report, and the rest is packed.
    ///
    /// # Errors
    /// Refused by policy, every source failed, or the file cannot be written.
    pub async fn pack(
        &self,
        actor: &Actor,
        sources: &[(SourceKind, String)],
        rights: bool,
        to: Option<(PathBuf, Key)>,
        on_progress: impl Fn(&Progress) + Send + Sync + 'static,
    ) -> Result<PackReport, Error> {
        school::access::known(actor, Action::PlatformConfig, &Subject::institution(actor.institution))?;
        let folder = scratch(&self.parts).map_err(as_error)?;
        let mut spool = Spool::default();
        // The folders that fetched files lie in, until they are packed.
        let mut folders = Vec::new();
        let (mut packed, mut reports) = (Vec::new(), Vec::new());
        let total = i64::try_from(sources.len()).unwrap_or(i64::MAX);
        for (done, (kind, origin)) in (0_i64..).zip(sources) {
            on_progress(&Progress { stage: "fetch".into(), done, total, eta_seconds: None });
            let origin = canonical(*kind, origin);
            let crawl = Crawl::default();
            let place = Place { origin: origin.clone(), name: None, captions: None, local: true, rights, crawl };
            let own = scratch(&self.parts).map_err(as_error)?;
            let outside = outside(&self.parts, actor.institution);
            let fetched = async {
                let fetched = source::of(*kind)?.fetch_with(&place, &self.parts.sandbox, own.path(), &outside).await?;
                spool.source(*kind, carried(&origin), fetched, folder.path())
            };
            let mut report = PackedReport {
                kind: *kind,
                origin: origin.clone(),
                title: None,
                documents: 0,
                warnings: Vec::new(),
                failures: Vec::new(),
                error: None,
            };
            match fetched.await {
                Ok(source) => {
                    report.title = Some(source.outline.title.clone());
                    report.documents = source.documents.len();
                    report.warnings.clone_from(&source.warnings);
                    report.failures.clone_from(&source.outline.failures);
                    packed.push(source);
                    folders.push(own);
                }
                Err(failure) => report.error = Some(failure),
            }
            reports.push(report);
        }
        if packed.is_empty() {
            let first = reports.into_iter().find_map(|report| report.error);
            return Err(as_error(first.unwrap_or_else(|| Failure::new(failure::EMPTY, "there is nothing to pack"))));
        }
        let manifest = Manifest::new(packed, spool.files);
        let (files, size) = (manifest.files.len(), manifest.size());
        let (name, file) = (to.as_ref().map(|(_, key)| key.name()), to.as_ref().map(|(path, _)| path.clone()));
        let bytes = match to {
            None => size,
            Some((to, key)) => {
                let paths = spool.paths;
                let total = i64::try_from(size).unwrap_or(i64::MAX);
                blocking(move || {
                    pack::write(&to, &manifest, &paths, &key, &|done| {
                        let done = i64::try_from(done).unwrap_or(i64::MAX);
                        on_progress(&Progress { stage: "write".into(), done, total, eta_seconds: None });
                    })
                })
                .await
                .map_err(as_error)?
            }
        };
        drop(folders);
        Ok(PackReport { file, bytes, files, key: name, sources: reports })
    }
}
