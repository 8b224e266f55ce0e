//! Packing sources on one machine and loading them on another: the fetch happens there, everything else here.
//!
//! A loaded source goes through the same stages as a direct one and has the same fingerprint,
//! passages and lessons. Files that are here already are not read again, so a load that was cut off
//! is resumed by running it again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use domain::document::{DocumentKind, Warning};
use domain::ingestion::{Failure, SourceKind, failure};
use domain::policy::{Action, Actor, Subject};
use domain::{Error, IngestionId, InstitutionId};
use serde::Serialize;
use store::blob::{self, Content};
use store::queue::JobError;
use store::sql;

use super::fetch::{outside, scratch};
use super::run::{Outcomes, Run};
use super::{Pipeline, Progress, Request, as_error, canonical};
use crate::pack::{self, Key, Manifest, PackedDocument, PackedFile, PackedSource, Reader};
use crate::source::{self, Bytes, Fetched, FetchedDocument, Media, Place, blocking};

/// Free space that a load leaves.
const SPARE: u64 = 256 << 20;

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

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadReport {
    /// Who signed the pack.
    pub key: String,
    /// The program that wrote it.
    pub program: String,
    /// Number of files in it.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Files that were here before.
    pub known: usize,
    /// The sources: kind, origin, number of documents.
    pub sources: Vec<(SourceKind, String, usize)>,
    /// The runs that were started, one for each source.
    pub ingestions: Vec<IngestionId>,
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
                Bytes::Stored => {}
            }
            let mut includes = std::collections::BTreeMap::new();
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
        let (outline, commit, warnings) = (fetched.outline, fetched.commit, fetched.warnings);
        Ok(PackedSource { kind, origin, outline, commit, documents, warnings })
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
            let place = Place { origin: origin.clone(), name: None, captions: None, local: true, rights };
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

    /// Takes the files of a pack over and starts the ingestion of each of its sources into a course; with
    /// `dry` it reads and checks the whole pack and writes nothing.
    ///
    /// # Errors
    /// Refused by policy; a pack that is damaged, unsigned or of a key that is not among `trusted`; no room.
    pub async fn load(
        &self,
        actor: &Actor,
        course: &str,
        file: &Path,
        trusted: Vec<String>,
        dry: bool,
        on_progress: impl Fn(&Progress),
    ) -> Result<LoadReport, Error> {
        self.may_ingest(actor, course).await?;
        let (path, shown) = (file.to_owned(), file.display().to_string());
        let mut reader = blocking(move || Reader::open(&path, &shown, &trusted)).await.map_err(as_error)?;
        let manifest = reader.manifest().clone();
        if !dry {
            self.has_room(manifest.size()).map_err(as_error)?;
        }
        let (total, mut done, mut known) = (i64::try_from(manifest.size()).unwrap_or(i64::MAX), 0, 0);
        let folder = scratch(&self.parts).map_err(as_error)?;
        while let Some(next) = reader.upcoming().cloned() {
            on_progress(&Progress { stage: "load".into(), done, total, eta_seconds: None });
            let here = !dry && self.has(actor.institution, &next.sha256).await?;
            let target = (!dry && !here).then(|| folder.path().join("blob"));
            let to = target.clone();
            reader = blocking(move || {
                match &to {
                    _ if here => reader.skip()?,
                    None => reader.read(None)?,
                    Some(path) => {
                        let mut file = std::fs::File::create(path)
                            .map_err(|error| source::cannot_open(&path.display().to_string(), &error))?;
                        reader.read(Some(&mut file))?;
                    }
                }
                Ok(reader)
            })
            .await
            .map_err(as_error)?;
            if let Some(path) = target {
                let content = Content::File(path);
                blob::keep(&self.parts.store, self.parts.blobs.as_ref(), actor.institution, content, &next.media_type)
                    .await?;
            }
            known += usize::from(here);
            done += i64::try_from(next.size).unwrap_or_default();
        }
        let mut report = LoadReport {
            key: reader.key().to_owned(),
            program: manifest.program.clone(),
            files: manifest.files.len(),
            bytes: manifest.size(),
            known,
            sources: manifest
                .sources
                .iter()
                .map(|source| (source.kind, source.origin.clone(), source.documents.len()))
                .collect(),
            ingestions: Vec::new(),
        };
        if !dry {
            for source in manifest.sources {
                report.ingestions.push(self.start_packed(actor, course, source).await?);
            }
        }
        Ok(report)
    }

    async fn start_packed(&self, actor: &Actor, course: &str, source: PackedSource) -> Result<IngestionId, Error> {
        let course = self.course(actor, course).await?;
        let (kind, origin) = (source.kind, source.origin.clone());
        let bytes =
            serde_json::to_vec(&source).map_err(|error| Error::new(domain::ErrorKind::Internal, error.to_string()))?;
        let kept = blob::keep(
            &self.parts.store,
            self.parts.blobs.as_ref(),
            course.institution_id,
            Content::from(bytes),
            "application/json",
        )
        .await?;
        let place = Place { origin: origin.clone(), name: None, captions: None, local: false, rights: false };
        let request = Request { kind, place, uploads: Vec::new(), packed: Some(kept.sha256) };
        self.begin(course.institution_id, course.id, &origin, request, actor.user_id).await
    }

    /// Whether the institution has the bytes of this hash.
    async fn has(&self, institution: InstitutionId, sha256: &str) -> store::Result<bool> {
        let name = sha256.to_owned();
        let row =
            self.parts.store.read(|tx| Box::pin(async move { sql::blob::get(tx, institution, &name).await })).await?;
        match row {
            Some(row) => self.parts.blobs.exists(institution, &row.key).await,
            None => Ok(false),
        }
    }

    /// Room for this many bytes, and the largest of them twice while it is checked.
    fn has_room(&self, bytes: u64) -> Result<(), Failure> {
        let folder = &self.parts.store.options().data_dir;
        // Where the system cannot say, the writing itself will.
        let Ok(state) = nix::sys::statvfs::statvfs(folder) else { return Ok(()) };
        let free = state.blocks_available().saturating_mul(state.fragment_size());
        if free >= bytes.saturating_add(SPARE) {
            return Ok(());
        }
        let message = format!(
            "the pack needs {} MiB and the disk of \"{}\" has {} MiB; make room and load again",
            (bytes + SPARE) >> 20,
            folder.display(),
            free >> 20
        );
        Err(Failure::new(failure::TOO_LARGE, message))
    }
}

impl Run<'_> {
    /// The source that a load kept under this hash, its files by reference.
    pub(super) async fn unpacked(&self, sha256: &str) -> Outcomes<Fetched> {
        let institution = self.ingestion.institution_id;
        let (store, blobs) = (&self.parts.store, self.parts.blobs.as_ref());
        let gone = |what: &str| {
            let message = format!("{what} of the loaded pack is no longer here; load the pack again");
            Failure::new(failure::PACK_DAMAGED, message)
        };
        let text = blob::fetch(store, blobs, institution, sha256).await.map_err(|_| gone("the manifest"))?;
        let packed: PackedSource = serde_json::from_slice(&text)
            .map_err(|error| JobError::permanent(format!("the manifest of the pack is damaged: {error}")))?;
        for needed in packed.needed() {
            let name = needed.to_owned();
            let row = store.read(|tx| Box::pin(async move { sql::blob::get(tx, institution, &name).await })).await?;
            let there = match row {
                Some(row) => blobs.exists(institution, &row.key).await?,
                None => false,
            };
            if !there {
                return Err(gone("a file").into());
            }
        }
        let mut documents = Vec::with_capacity(packed.documents.len());
        for document in packed.documents {
            let mut includes = std::collections::BTreeMap::new();
            for (path, sha256) in document.includes {
                let bytes = blob::fetch(store, blobs, institution, &sha256).await.map_err(|_| gone("a file"))?;
                includes.insert(path, bytes.to_vec());
            }
            documents.push(FetchedDocument {
                path: document.path,
                kind: document.kind,
                bytes: Bytes::Stored,
                sha256: document.sha256,
                media_type: "application/octet-stream",
                includes,
                media: document.media.map(|(sha256, media_type)| Media {
                    path: PathBuf::new(),
                    sha256,
                    media_type: media_type_of(document.kind, &media_type),
                }),
                extra: document.extra,
            });
        }
        Ok(Fetched { outline: packed.outline, commit: packed.commit, documents, warnings: packed.warnings })
    }
}

/// The type of a recording or package, of those that sources give.
fn media_type_of(kind: DocumentKind, text: &str) -> &'static str {
    const KNOWN: [&str; 9] = [
        "video/mp4",
        "video/webm",
        "video/ogg",
        "audio/mpeg",
        "audio/wav",
        "audio/flac",
        "application/zip",
        "application/xml",
        "text/vtt",
    ];
    let other = if kind == DocumentKind::Video { "video/mp4" } else { "application/octet-stream" };
    KNOWN.into_iter().find(|known| *known == text).unwrap_or(other)
}
