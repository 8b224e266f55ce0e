//! Stage `transcode`: recordings become streams for players, once for the same bytes.
//!
//! The text is searchable and the recording is served by range before this begins and whatever comes
//! of it. A recording that a killed try had not finished is begun again; finished ones are kept.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use domain::document::{DocumentKind, Warning};
use domain::ingestion::{Failure, Outcome, Stage, failure};
use serde_json::Value;
use store::blob::Content;
use store::queue::{Completion, JobError};
use store::sql::document::Document;
use store::sql::rendition::{self, File, Kind};
use store::{blob, sql};

use super::run::{Outcomes, Run, partly_read};
use crate::media::{Probe, Tools, Transcoded};

/// How often the progress of a recording is written.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// A recording of the version that has no streams yet.
pub(super) struct Recording {
    /// The document that it belongs to.
    name: String,
    sha256: String,
}

/// The warning of a machine without ffmpeg.
fn unavailable(recordings: &[Recording]) -> Warning {
    let names: Vec<&str> = recordings.iter().map(|recording| recording.name.as_str()).collect();
    let message = "ffmpeg is not installed, so the recording was not transcoded and is served as it is, by range; install ffmpeg and ingest again";
    Warning { code: "NOT_TRANSCODED".into(), message: message.into(), place: Some(names.join(", ")) }
}

/// Names and hashes of the recordings of documents.
pub(super) fn recordings(documents: &[Document]) -> Vec<Recording> {
    documents
        .iter()
        .filter(|document| document.kind == DocumentKind::Video)
        .filter_map(|document| {
            let sha256 = document.extra.get("media").and_then(Value::as_str)?.to_owned();
            Some(Recording { name: document.path.clone(), sha256 })
        })
        .collect()
}

impl Run<'_> {
    /// The recordings of documents that have no streams yet.
    pub(super) async fn without_streams(&self, documents: &[Document]) -> Outcomes<Vec<Recording>> {
        let mut missing: Vec<Recording> = Vec::new();
        for recording in recordings(documents) {
            let known = missing.iter().any(|other| other.sha256 == recording.sha256);
            if !known && !self.has_streams(&recording.sha256).await? {
                missing.push(recording);
            }
        }
        Ok(missing)
    }

    async fn has_streams(&self, sha256: &str) -> Outcomes<bool> {
        let (institution, name) = (self.ingestion.institution_id, sha256.to_owned());
        let found = self
            .parts
            .store
            .read(|tx| Box::pin(async move { rendition::manifest(tx, institution, &name, Kind::Hls).await }));
        Ok(found.await?.is_some())
    }

    pub(super) async fn transcode(&self) -> Outcomes<Completion> {
        let (_, outline) = self.outline().await?;
        let documents = self.documents().await?;
        let unread = partly_read(&outline, &documents);
        let outcome = |failed: bool| if failed { Outcome::Partial } else { Outcome::Succeeded };
        let missing = self.without_streams(&documents).await?;
        let Some(tools) = self.parts.tools.as_ref().filter(|_| !missing.is_empty()) else {
            let (said, warnings) =
                if missing.is_empty() { ("succeeded", Vec::new()) } else { ("skipped", vec![unavailable(&missing)]) };
            return Ok(self.close(outcome(unread.is_some()), unread, said, warnings));
        };
        let mut failures = Vec::new();
        let mut warnings: Vec<Warning> = self.reduced().await.into_iter().collect();
        let (mut done, total) = (0, i64::try_from(missing.len()).unwrap_or(i64::MAX));
        for recording in &missing {
            self.check_stopping()?;
            let made = tokio::select! {
                made = self.streams(tools, recording, done, total) => made,
                () = self.lease.stopped() => return Err(JobError::given_back().into()),
            };
            match made {
                Ok(()) => {}
                Err(super::run::Trouble::Failure(failure)) => failures.push((recording.name.clone(), failure)),
                Err(trouble) => return Err(trouble),
            }
            done += 1;
        }
        warnings.extend(failures.iter().map(|(name, failure)| Warning {
            code: failure.code.clone(),
            message: format!("{}; it is served as it is, by range", failure.message),
            place: Some(name.clone()),
        }));
        let all = failures.len() == missing.len();
        let failed = failures.into_iter().next().map(|(name, failure)| {
            let message = format!("\"{name}\" is served as it is: {}", failure.message);
            Failure::new(failure::TRANSCODE_FAILED, message)
        });
        let said = match (&failed, all) {
            (None, _) => "succeeded",
            (Some(_), false) => "partial",
            (Some(_), true) => "failed",
        };
        let failure = unread.or(failed);
        Ok(self.close(outcome(failure.is_some()), failure, said, warnings))
    }

    /// Makes the streams of one recording and keeps them.
    async fn streams(&self, tools: &Tools, recording: &Recording, done: i64, total: i64) -> Outcomes<()> {
        // Encoders use every core: two at once would only be later both.
        let _turn = self.parts.encoding.acquire().await.map_err(|error| JobError::retryable(error.to_string()))?;
        if self.has_streams(&recording.sha256).await? {
            return Ok(());
        }
        let scratch = super::fetch::scratch(self.parts)?;
        let source = scratch.path().join("recording");
        self.copy_out(&recording.sha256, &source).await?;
        let folder = scratch.path().join("streams");
        std::fs::create_dir(&folder).map_err(|error| JobError::retryable(error.to_string()))?;
        let probe = crate::media::probe(&self.parts.sandbox, tools, &source, &recording.name).await?;
        let made = self.followed(tools, &source, &probe, &folder, done, total).await?;
        self.keep_streams(recording, made).await
    }

    /// Runs the encoder and says how far it is: in hundredths of a recording.
    async fn followed(
        &self,
        tools: &Tools,
        source: &Path,
        probe: &Probe,
        folder: &Path,
        done: i64,
        total: i64,
    ) -> Outcomes<Transcoded> {
        let at = Arc::new(AtomicI64::new(0));
        let told = at.clone();
        let seconds = probe.seconds;
        let mut on_progress = move |now: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "hundredths, at most a hundred")]
            told.store((now * 100.0 / seconds).clamp(0.0, 100.0) as i64, Ordering::Relaxed);
        };
        let work = crate::media::transcode(&self.parts.sandbox, tools, source, probe, folder, &mut on_progress);
        tokio::pin!(work);
        let mut ticks = tokio::time::interval(TOLD_EVERY);
        let mut last = -1;
        loop {
            tokio::select! {
                made = &mut work => return Ok(made?),
                _ = ticks.tick() => {
                    let now = done * 100 + at.load(Ordering::Relaxed);
                    if now != last {
                        last = now;
                        self.tell(now, total * 100).await?;
                    }
                }
            }
        }
    }

    /// A blob as a file that a program can read.
    async fn copy_out(&self, sha256: &str, to: &Path) -> Outcomes<()> {
        let (institution, name) = (self.ingestion.institution_id, sha256.to_owned());
        let found =
            self.parts.store.read(|tx| Box::pin(async move { sql::blob::get(tx, institution, &name).await })).await?;
        let Some(found) = found else {
            let message = "the recording is gone from the store; run \"lyceum verify\" and ingest it again";
            return Err(Failure::new(failure::TRANSCODE_FAILED, message).into());
        };
        let mut opened = self.parts.blobs.open_range(institution, &found.key, None).await?;
        let copy = async {
            let mut file = tokio::fs::File::create(to).await?;
            tokio::io::copy(&mut opened.reader, &mut file).await?;
            tokio::io::AsyncWriteExt::flush(&mut file).await
        };
        Ok(copy.await.map_err(|error| JobError::retryable(format!("no room for the recording: {error}")))?)
    }

    async fn keep_streams(&self, recording: &Recording, made: Transcoded) -> Outcomes<()> {
        let institution = self.ingestion.institution_id;
        let mut files = Vec::new();
        for file in made.files {
            let content = Content::from(file.path);
            let kept =
                blob::keep(&self.parts.store, self.parts.blobs.as_ref(), institution, content, file.media_type).await?;
            files.push(File { name: file.name, blob_sha256: kept.sha256, media_type: file.media_type.to_owned() });
        }
        let manifest = serde_json::to_value(&made.manifest).map_err(|error| JobError::permanent(error.to_string()))?;
        let sha256 = recording.sha256.clone();
        let kept = self.lease.checkpoint(move |tx| {
            Box::pin(async move { rendition::put(tx, institution, &sha256, Kind::Hls, &manifest, &files).await })
        });
        Ok(kept.await?)
    }

    /// Where a run goes whose vectors are done: to its recordings, or to its end.
    pub(super) async fn after_index(
        &self,
        outcome: Outcome,
        failure: Option<Failure>,
        warnings: Vec<Warning>,
        documents: &[Document],
    ) -> Outcomes<Completion> {
        if recordings(documents).is_empty() {
            return Ok(self.close(outcome, failure, "succeeded", warnings));
        }
        let (institution, id) = (self.ingestion.institution_id, self.ingestion.id);
        self.lease
            .checkpoint(move |tx| {
                Box::pin(async move { sql::ingestion::add_warnings(tx, institution, id, &warnings).await })
            })
            .await?;
        Ok(self.next(Stage::Transcode, "succeeded", serde_json::json!({})))
    }
}
