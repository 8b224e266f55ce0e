//! Stage `fetch`: the source's bytes into blobs, its documents and tree into a version.

use std::collections::HashSet;
use std::path::Path;

use domain::document::Warning;
use domain::ingestion::{Failure, Outcome, Stage, failure};
use domain::{InstitutionId, VersionId};
use serde_json::{Value, json};
use store::blob::Content;
use store::queue::{Completion, JobError};
use store::sql::document::NewDocument;
use store::sql::package_file::PackageFile;
use store::{blob, sql};

use super::run::{CHECKPOINT_CHUNKS, CHECKPOINT_SECONDS, Outcomes, Run, partly_read};
use super::{Parts, Request};
use crate::sandbox::Unpacked;
use crate::source::{self, Bytes, Fetched, FetchedDocument, Outside};

const SCRATCH: &str = "ingest-";
/// Files of a package that are noted together.
const CHECKPOINT_FILES: usize = 64;

/// A private folder for a clone or an unpacking; it goes with its value.
pub(super) fn scratch(parts: &Parts) -> Result<tempfile::TempDir, Failure> {
    let root = parts.store.options().data_dir.join("tmp");
    let made = std::fs::create_dir_all(&root).and_then(|()| tempfile::Builder::new().prefix(SCRATCH).tempdir_in(&root));
    made.map_err(|error| {
        Failure::new(
            failure::INTERNAL,
            format!("no temporary folder in \"{}\": {error}; check free space and permissions", root.display()),
        )
    })
}

/// What sources may use outside, with the cache of one institution.
pub(super) fn outside(parts: &Parts, institution: InstitutionId) -> Outside {
    let cache = parts.store.options().data_dir.join("cache").join(institution.to_string()).join("recordings");
    Outside { cache: Some(cache), ..parts.outside.clone() }
}

/// Removes what killed processes left; this process owns the data directory.
pub(super) fn clean_scratch(parts: &Parts) {
    let root = parts.store.options().data_dir.join("tmp");
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(SCRATCH)) {
        if let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::warn!(%error, path = %entry.path().display(), "an old temporary folder could not be removed");
        }
    }
}

/// The blob of this content, if the institution has it and its file is there.
pub(super) async fn kept(
    parts: &Parts,
    institution: InstitutionId,
    sha256: &str,
) -> store::Result<Option<blob::BlobRef>> {
    let name = sha256.to_owned();
    let known = parts.store.read(|tx| Box::pin(async move { sql::blob::get(tx, institution, &name).await })).await?;
    match known {
        Some(known) if parts.blobs.exists(institution, &known.key).await? => Ok(Some(known)),
        _ => Ok(None),
    }
}

/// Removes an uploaded file that was taken over.
pub(super) fn remove_upload(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, path = %path.display(), "an upload could not be removed");
        }
        // Its folder goes with the last file.
        _ => drop(path.parent().map(std::fs::remove_dir)),
    }
}

impl Run<'_> {
    pub(super) async fn fetch(&self) -> Outcomes<Completion> {
        let request: Request = serde_json::from_value(self.ingestion.request.clone())
            .map_err(|error| JobError::permanent(format!("the request is damaged: {error}")))?;
        self.room_to_begin()?;
        if let Ok(mut full) = self.parts.full.lock() {
            full.remove(&self.ingestion.id);
        }
        let scratch = scratch(self.parts)?;
        let fetched = match &request.packed {
            Some(sha256) => self.unpacked(sha256).await?,
            None => self.fetched(&request, scratch.path()).await?,
        };
        let fingerprint = fetched.fingerprint();
        if let Some(completion) = self.unchanged(&fetched, &fingerprint).await? {
            request.uploads.iter().for_each(|path| remove_upload(path));
            return Ok(completion);
        }
        self.room_for(&fetched).await?;
        let version = self.version_for(&fetched, &fingerprint).await?;
        self.keep(version, &fetched).await?;
        self.keep_files(version, &fetched.files).await?;
        let (institution, id, warnings) = (
            self.ingestion.institution_id,
            self.ingestion.id,
            self.sandbox_warning(fetched.warnings, request.kind).await,
        );
        self.lease
            .checkpoint(move |tx| {
                Box::pin(async move { sql::ingestion::add_warnings(tx, institution, id, &warnings).await })
            })
            .await?;
        Ok(self.next(Stage::Chunk, "succeeded", json!({})))
    }

    /// The source, read where it lies; a recording without captions has them written down.
    async fn fetched(&self, request: &Request, scratch: &Path) -> Outcomes<Fetched> {
        let mut place = request.place.clone();
        let written = self.written(request.kind, &place, scratch).await?;
        if let Some(written) = &written {
            place.captions = Some(written.path.clone());
        }
        let outside = outside(self.parts, self.ingestion.institution_id);
        let source = source::of(request.kind)?;
        let mut fetched = source.fetch_with(&place, &self.parts.sandbox, scratch, &outside).await?;
        if let Some(written) = &written {
            for document in &mut fetched.documents {
                document.extra["language"] = json!(written.note.language);
                document.extra["transcript"] = json!(written.note);
                fetched.warnings.extend(written.warning(&document.path));
            }
        }
        Ok(fetched)
    }

    /// A weaker sandbox is said in the report of every package that was read in it.
    async fn sandbox_warning(&self, mut warnings: Vec<Warning>, kind: domain::ingestion::SourceKind) -> Vec<Warning> {
        use domain::ingestion::SourceKind::{Cartridge, Cmi5, H5p, Qti, Scorm};
        if matches!(kind, Scorm | Cartridge | Qti | H5p | Cmi5) {
            warnings.extend(self.reduced().await);
        }
        warnings
    }

    /// What the sandbox lacks here, as a warning.
    pub(super) async fn reduced(&self) -> Option<Warning> {
        let level = self.parts.sandbox.level().await.ok()?;
        let reasons = level.reduced()?;
        Some(Warning { code: "SANDBOX_REDUCED".into(), message: format!("sandbox reduced: {reasons}"), place: None })
    }

    /// The end of a run, or its way to the vectors, when the published version has this content already.
    async fn unchanged(&self, fetched: &Fetched, fingerprint: &str) -> Outcomes<Option<Completion>> {
        let (institution, source) = (self.ingestion.institution_id, self.ingestion.source_id);
        let current = self
            .parts
            .store
            .read(|tx| {
                Box::pin(async move {
                    let Some(current) = sql::version::current(tx, institution, source).await? else { return Ok(None) };
                    let documents = sql::document::list(tx, institution, current.id).await?;
                    Ok(Some((current, documents)))
                })
            })
            .await?;
        let Some((current, documents)) = current.filter(|(current, _)| current.fingerprint == fingerprint) else {
            return Ok(None);
        };
        // What could not be read last time is tried again.
        if documents.iter().any(|document| document.state != "chunked") {
            return Ok(None);
        }
        let (id, version) = (self.ingestion.id, current.id);
        let mut warnings = fetched.warnings.clone();
        warnings.extend(documents.iter().flat_map(|document| document.warnings.clone()));
        let kept = warnings.clone();
        self.lease
            .checkpoint(move |tx| {
                Box::pin(async move {
                    sql::ingestion::set_version(tx, institution, id, version).await?;
                    sql::ingestion::add_warnings(tx, institution, id, &kept).await
                })
            })
            .await?;
        let model = self.parts.gateway.embedding_model();
        if current.state == "ready" && (model.is_none() || current.model == model) {
            let failure = partly_read(&fetched.outline, &documents);
            let outcome = if failure.is_some() { Outcome::Partial } else { Outcome::Succeeded };
            if model.is_none() && current.model.is_none() {
                warnings.push(super::embed::unavailable());
            }
            if self.parts.tools.is_some() && !self.without_streams(&documents).await?.is_empty() {
                let skipped = [Stage::Chunk, Stage::Publish, Stage::Embed, Stage::Index];
                return Ok(Some(self.skip_to(Stage::Transcode, &skipped)));
            }
            return Ok(Some(self.close(outcome, failure, "succeeded", warnings)));
        }
        Ok(Some(self.skip_to(Stage::Embed, &[Stage::Chunk, Stage::Publish])))
    }

    /// Ends this stage and goes on with `next`; what lies between is done already.
    fn skip_to(&self, next: Stage, skipped: &[Stage]) -> Completion {
        let (institution, id, seconds) = (self.ingestion.institution_id, self.ingestion.id, self.seconds());
        let skipped = skipped.to_vec();
        Completion::with(move |tx| {
            Box::pin(async move {
                sql::ingestion::stage_done(tx, institution, id, Stage::Fetch, "succeeded", seconds).await?;
                for skipped in skipped {
                    sql::ingestion::stage_done(tx, institution, id, skipped, "skipped", 0.0).await?;
                }
                sql::ingestion::progress(tx, institution, id, next, 0, 0).await?;
                super::run::enqueue(tx, institution, id, next, &json!({})).await
            })
        })
    }

    /// The version under construction for this content: the one that a killed try began, or a new one.
    async fn version_for(&self, fetched: &Fetched, fingerprint: &str) -> Outcomes<VersionId> {
        let (institution, source, id) = (self.ingestion.institution_id, self.ingestion.source_id, self.ingestion.id);
        let (fingerprint, commit) = (fingerprint.to_owned(), fetched.commit.clone());
        let known = self.ingestion.version_id;
        let begun = self
            .parts
            .store
            .read(|tx| Box::pin(async move { sql::version::building(tx, institution, source).await }))
            .await?;
        if let Some(begun) = begun.filter(|begun| begun.fingerprint == fingerprint && known == Some(begun.id)) {
            return Ok(begun.id);
        }
        let mut outline =
            serde_json::to_value(&fetched.outline).map_err(|error| JobError::permanent(error.to_string()))?;
        // By which later versions know whether what was made of equal bytes can be taken over.
        outline[source::PARSED_BY] = json!(source::PARSERS);
        let made = self.lease.checkpoint(move |tx| {
            Box::pin(async move {
                let version = match sql::version::building(tx, institution, source).await? {
                    Some(building) if building.fingerprint == fingerprint => building.id,
                    other => {
                        if let Some(stale) = other {
                            sql::version::fail(tx, institution, stale.id).await?;
                        }
                        sql::version::create(tx, institution, source, &fingerprint, commit.as_deref(), &outline).await?
                    }
                };
                sql::ingestion::set_version(tx, institution, id, version).await?;
                Ok(version)
            })
        });
        Ok(made.await?)
    }

    /// Documents into blobs and rows, some at a time.
    async fn keep(&self, version: VersionId, fetched: &Fetched) -> Outcomes<()> {
        let total = i64::try_from(fetched.documents.len()).unwrap_or(i64::MAX);
        let mut batch = Vec::new();
        let mut since = std::time::Instant::now();
        // What a killed try wrote is no progress of this one: it must not start the count of tries again.
        let institution = self.ingestion.institution_id;
        let written = self
            .parts
            .store
            .read(|tx| Box::pin(async move { sql::document::list(tx, institution, version).await }))
            .await?;
        let written: HashSet<String> = written.into_iter().map(|document| document.path).collect();
        for (position, document) in (0_i64..).zip(&fetched.documents) {
            self.check_stopping()?;
            if written.contains(&document.path) {
                continue;
            }
            batch.push(self.keep_one(version, position, document, fetched).await?);
            if batch.len() >= CHECKPOINT_CHUNKS
                || since.elapsed().as_secs_f64() >= CHECKPOINT_SECONDS
                || position + 1 == total
            {
                let (institution, id, rows, done) =
                    (self.ingestion.institution_id, self.ingestion.id, std::mem::take(&mut batch), position + 1);
                self.lease
                    .checkpoint(move |tx| {
                        Box::pin(async move {
                            for row in &rows {
                                sql::document::insert(tx, row).await?;
                            }
                            sql::ingestion::progress(tx, institution, id, Stage::Fetch, done, total).await
                        })
                    })
                    .await?;
                since = std::time::Instant::now();
            }
        }
        Ok(())
    }

    /// The files of a package into blobs and rows, some at a time; what a killed try kept stays.
    async fn keep_files(&self, version: VersionId, files: &[Unpacked]) -> Outcomes<()> {
        let (institution, id) = (self.ingestion.institution_id, self.ingestion.id);
        let total = i64::try_from(files.len()).unwrap_or(i64::MAX);
        let mut done = 0;
        for some in files.chunks(CHECKPOINT_FILES) {
            self.check_stopping()?;
            let mut rows = Vec::with_capacity(some.len());
            for file in some {
                let content = Content::from(file.bytes.clone());
                self.blob(institution, &file.sha256, content, "application/octet-stream").await?;
                rows.push(PackageFile { path: file.path.clone(), blob_sha256: file.sha256.clone() });
            }
            done += i64::try_from(rows.len()).unwrap_or_default();
            self.lease
                .checkpoint(move |tx| {
                    Box::pin(async move {
                        sql::package_file::insert(tx, institution, version, &rows).await?;
                        sql::ingestion::progress(tx, institution, id, Stage::Fetch, done, total).await
                    })
                })
                .await?;
        }
        Ok(())
    }

    async fn keep_one(
        &self,
        version: VersionId,
        position: i64,
        document: &FetchedDocument,
        fetched: &Fetched,
    ) -> Outcomes<NewDocument> {
        let institution = self.ingestion.institution_id;
        let content = match &document.bytes {
            Bytes::Memory(bytes) => Some(Content::from(bytes.clone())),
            Bytes::File(path) => Some(Content::from(path.clone())),
            Bytes::Stored(_) => None,
        };
        if let Some(content) = content {
            self.blob(institution, &document.sha256, content, document.media_type).await?;
        }
        let mut extra = document.extra.clone();
        let mut set = |name: &str, value: Value| {
            if let Some(extra) = extra.as_object_mut() {
                extra.insert(name.to_owned(), value);
            }
        };
        if let Some(media) = &document.media {
            self.blob(institution, &media.sha256, Content::from(media.path.clone()), media.media_type).await?;
            if document.kind == domain::document::DocumentKind::Video {
                set("media", json!(media.sha256));
                set("mediaType", json!(media.media_type));
            } else {
                set("package", json!(media.sha256));
                set("import", json!(fetched.outline.import));
            }
        }
        if !document.includes.is_empty() {
            let mut files = serde_json::Map::new();
            for (path, bytes) in &document.includes {
                let sha256 = source::sha256(bytes);
                self.blob(institution, &sha256, Content::from(bytes.clone()), "text/plain").await?;
                files.insert(path.clone(), json!(sha256));
            }
            set("includes", Value::Object(files));
        }
        Ok(NewDocument {
            institution_id: institution,
            course_id: self.ingestion.course_id,
            version_id: version,
            path: document.path.clone(),
            title: crate::parse::title_of_path(&document.path),
            kind: document.kind,
            blob_sha256: document.sha256.clone(),
            extra,
            position,
        })
    }

    /// Keeps a blob unless the institution has it already.
    async fn blob(&self, institution: InstitutionId, sha256: &str, content: Content, media_type: &str) -> Outcomes<()> {
        if kept(self.parts, institution, sha256).await?.is_some() {
            return Ok(());
        }
        let kept = blob::keep(&self.parts.store, self.parts.blobs.as_ref(), institution, content, media_type).await?;
        if kept.sha256 == sha256 { Ok(()) } else { Err(JobError::retryable("a file changed while it was read").into()) }
    }
}
