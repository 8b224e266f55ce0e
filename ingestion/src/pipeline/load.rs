//! Loading what was packed on another machine: the fetch happened there, everything else happens here.
//!
//! A loaded source goes through the same stages as a direct one and has the same fingerprint, passages
//! and lessons. Files that are here already are not read again, so a load that was cut off is resumed
//! by running it again.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use domain::document::DocumentKind;
use domain::ingestion::{Crawl, Failure, SourceKind, failure};
use domain::policy::Actor;
use domain::{Error, IngestionId};
use serde::Serialize;
use store::blob::{self, Content};
use store::queue::JobError;

use super::fetch::{kept, scratch};
use super::run::{Outcomes, Run};
use super::{Pipeline, Progress, Request, as_error, room};
use crate::pack::{PackedSource, Reader};
use crate::sandbox::Unpacked;
use crate::source::{self, Bytes, Fetched, FetchedDocument, Media, Place, blocking};

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

impl Pipeline {
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
        self.known_course(actor, course).await?;
        let (path, shown) = (file.to_owned(), file.display().to_string());
        let mut reader = blocking(move || Reader::open(&path, &shown, &trusted)).await.map_err(as_error)?;
        let manifest = reader.manifest().clone();
        let mut known = HashSet::new();
        if !dry {
            let mut fresh = Vec::new();
            for file in &manifest.files {
                match kept(&self.parts, actor.institution, &file.sha256).await? {
                    Some(blob) => {
                        known.insert(blob.sha256);
                    }
                    None => fresh.push(file.size),
                }
            }
            let new = fresh.iter().fold(0_u64, |sum, size| sum.saturating_add(*size));
            let largest = fresh.into_iter().max().unwrap_or(0);
            room::for_pack(&self.parts, actor.institution, new, largest).await?;
        }
        let (total, mut done) = (i64::try_from(manifest.size()).unwrap_or(i64::MAX), 0);
        let folder = scratch(&self.parts).map_err(as_error)?;
        while let Some(next) = reader.upcoming().cloned() {
            on_progress(&Progress { stage: "load".into(), done, total, eta_seconds: None });
            let here = known.contains(&next.sha256);
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
            done += i64::try_from(next.size).unwrap_or_default();
        }
        let mut report = LoadReport {
            key: reader.key().to_owned(),
            program: manifest.program.clone(),
            files: manifest.files.len(),
            bytes: manifest.size(),
            known: known.len(),
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
        let crawl = Crawl::default();
        let place = Place { origin: origin.clone(), name: None, captions: None, local: false, rights: false, crawl };
        let request = Request { kind, place, uploads: Vec::new(), packed: Some(kept.sha256) };
        self.begin(course.institution_id, course.id, &origin, request, actor.user_id).await
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
        let mut sizes = HashMap::new();
        for needed in packed.needed() {
            let kept = kept(self.parts, institution, needed).await?.ok_or_else(|| gone("a file"))?;
            sizes.insert(needed.to_owned(), kept.size);
        }
        let mut documents = Vec::with_capacity(packed.documents.len());
        for document in packed.documents {
            let mut includes = BTreeMap::new();
            for (path, sha256) in document.includes {
                let bytes = blob::fetch(store, blobs, institution, &sha256).await.map_err(|_| gone("a file"))?;
                includes.insert(path, bytes.to_vec());
            }
            documents.push(FetchedDocument {
                path: document.path,
                kind: document.kind,
                bytes: Bytes::Stored(sizes.get(&document.sha256).copied().unwrap_or_default()),
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
        // Their bytes are kept already, so that nobody opens these paths.
        let files = packed.files.into_iter().map(|(path, sha256)| Unpacked { path, bytes: PathBuf::new(), sha256 });
        let (outline, commit, warnings) = (packed.outline, packed.commit, packed.warnings);
        Ok(Fetched { outline, commit, documents, files: files.collect(), warnings })
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
