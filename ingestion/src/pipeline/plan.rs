//! What a run would do, told before anything is written: documents, bytes, what is unchanged, time, disk.

use std::collections::HashMap;

use domain::document::Warning;
use domain::ingestion::estimate::{ASSUMED, Estimate, Rates, Work};
use domain::ingestion::{Failure, SourceKind, Stage};
use domain::policy::Actor;
use domain::{CourseId, Error, InstitutionId};
use serde::Serialize;
use store::sql::document::Document;
use store::{Tx, sql};

use super::room::{self, Disk};
use super::{Pipeline, fetch, speech};
use crate::source::{self, Fetched, FetchedDocument, Module, Place};

/// What an ingestion would bring, read without writing anything.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Name of the source.
    pub title: String,
    /// Commit of a git source.
    pub commit: Option<String>,
    /// Fingerprint of its content.
    pub fingerprint: String,
    /// Modules, each with the paths of its lessons.
    pub modules: Vec<Module>,
    /// Number of documents.
    pub documents: usize,
    /// Bytes of documents and recordings.
    pub bytes: u64,
    /// What changes against what is published.
    pub changes: Changes,
    /// Passages to expect.
    pub passages: f64,
    /// Number of questions for the bank of the course.
    pub questions: usize,
    /// Time of a run, in all.
    pub estimate: Estimate,
    /// Time of each stage, in seconds.
    pub stages: Vec<(&'static str, f64)>,
    /// Room on the disk.
    pub disk: Disk,
    /// What a reader should know.
    pub warnings: Vec<Warning>,
    /// What could not be read.
    pub failures: Vec<(String, Failure)>,
}

/// Documents against those of the published version, by path and content.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// Not there before.
    pub new: usize,
    /// There with another content.
    pub changed: usize,
    /// There with this content: nothing is parsed or embedded again.
    pub unchanged: usize,
    /// There, could not be read, and would be tried again.
    pub again: usize,
    /// There before and no longer in the source: their lessons would be hidden.
    pub vanished: usize,
    /// The published version has exactly this content: a run ends after looking.
    pub nothing: bool,
}

impl Pipeline {
    /// What [`Self::start`] would bring; reads the source and writes nothing.
    ///
    /// # Errors
    /// The source's typed failure, as a validation error with its code.
    pub async fn plan(&self, actor: &Actor, request: &super::IngestRequest) -> Result<Plan, Error> {
        let course = self.known_course(actor, &request.course).await?.map(|course| course.id);
        let place = Place {
            origin: request.origin.clone(),
            name: None,
            captions: request.captions.clone(),
            local: request.local,
            // A plan takes no recording.
            rights: false,
            crawl: request.crawl,
        };
        let origin = super::canonical(request.kind, &request.origin);
        self.plan_of(actor.institution, course, request.kind, place, &origin).await
    }

    /// The plan of a place, already allowed.
    pub(super) async fn plan_of(
        &self,
        institution: InstitutionId,
        course: Option<CourseId>,
        kind: SourceKind,
        mut place: Place,
        origin: &str,
    ) -> Result<Plan, Error> {
        let scratch = fetch::scratch(&self.parts).map_err(super::as_error)?;
        let outside = fetch::outside(&self.parts, institution);
        // Looking leaves nothing behind, not even a cache.
        let outside = source::Outside { cache: outside.cache.filter(|folder| folder.is_dir()), ..outside };
        let foreseen = speech::foreseen(&self.parts, kind, &place, scratch.path());
        place.captions = foreseen.as_ref().map(|(path, _)| path.clone()).or(place.captions);
        let read = async { source::of(kind)?.fetch_with(&place, &self.parts.sandbox, scratch.path(), &outside).await };
        let fetched = read.await.map_err(super::as_error)?;
        let fingerprint = fetched.fingerprint();
        let wanted = origin.to_owned();
        let (published, rates) = self
            .parts
            .store
            .read(move |tx| Box::pin(async move { known(tx, institution, course, kind, &wanted).await }))
            .await?;
        let changes = compare(&fetched, published.as_ref(), &fingerprint);
        let reused: HashMap<&str, &str> = published
            .iter()
            .flat_map(|(_, documents)| documents)
            .filter(|document| document.state == "chunked")
            .map(|document| (document.path.as_str(), document.blob_sha256.as_str()))
            .collect();
        let fresh = |document: &&FetchedDocument| reused.get(document.path.as_str()) != Some(&document.sha256.as_str());
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let (all, new) = (
            fetched.documents.iter().map(FetchedDocument::size).sum::<u64>() as f64,
            fetched.documents.iter().filter(fresh).map(FetchedDocument::size).sum::<u64>() as f64,
        );
        let passages = rates.chunks(all);
        let work = Work { bytes: all, chunks: passages, embeds: rates.chunks(new) };
        let todo: &[Stage] = if changes.nothing {
            &[Stage::Fetch]
        } else {
            &[Stage::Fetch, Stage::Chunk, Stage::Publish, Stage::Embed, Stage::Index]
        };
        let bytes: u64 = fetched.documents.iter().map(FetchedDocument::size_with_media).sum();
        let new_bytes = if changes.nothing { 0 } else { room::missing(&self.parts, institution, &fetched).await? };
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate"
        )]
        let needed = if changes.nothing { 0 } else { rates.disk(new_bytes as f64, passages) as u64 };
        let mut estimate = rates.all(todo.iter().copied(), &work);
        if fetched.documents.iter().any(|document| document.media.is_some()) && estimate.basis != ASSUMED {
            estimate.basis.push_str("; making streams of recordings comes on top");
        }
        Ok(Plan {
            title: fetched.outline.title.clone(),
            commit: fetched.commit.clone(),
            fingerprint,
            documents: fetched.documents.len(),
            bytes,
            changes,
            passages,
            questions: fetched.outline.questions.len(),
            estimate,
            stages: todo.iter().map(|stage| (stage.as_str(), rates.stage(*stage, &work).0)).collect(),
            disk: room::disk(&self.parts, needed),
            modules: fetched.outline.modules,
            warnings: fetched.warnings.into_iter().chain(foreseen.map(|(_, warning)| warning)).collect(),
            failures: fetched.outline.failures,
        })
    }
}

type Published = Option<(sql::version::Version, Vec<Document>)>;

/// The published version of the source that the place names, and the speeds of earlier runs.
async fn known(
    tx: &mut Tx,
    institution: InstitutionId,
    course: Option<CourseId>,
    kind: SourceKind,
    origin: &str,
) -> store::Result<(Published, Rates)> {
    let rates = school::ingestion::control::rates(tx, institution).await?;
    let Some(course) = course else { return Ok((None, rates)) };
    let sources = sql::source::list(tx, institution, course).await?;
    let Some(source) = sources.into_iter().find(|source| source.kind == kind && source.origin == origin) else {
        return Ok((None, rates));
    };
    let Some(version) = sql::version::current(tx, institution, source.id).await? else { return Ok((None, rates)) };
    let documents = sql::document::list(tx, institution, version.id).await?;
    Ok((Some((version, documents)), rates))
}

fn compare(
    fetched: &Fetched,
    published: Option<&(sql::version::Version, Vec<Document>)>,
    fingerprint: &str,
) -> Changes {
    let Some((version, documents)) = published else {
        return Changes { new: fetched.documents.len(), ..Changes::default() };
    };
    let before: HashMap<&str, &Document> =
        documents.iter().map(|document| (document.path.as_str(), document)).collect();
    let mut changes = Changes {
        nothing: version.fingerprint == fingerprint && documents.iter().all(|document| document.state == "chunked"),
        ..Changes::default()
    };
    for document in &fetched.documents {
        match before.get(document.path.as_str()) {
            None => changes.new += 1,
            Some(old) if old.blob_sha256 != document.sha256 => changes.changed += 1,
            Some(old) if old.state != "chunked" => changes.again += 1,
            Some(_) => changes.unchanged += 1,
        }
    }
    let there: std::collections::HashSet<&str> =
        fetched.documents.iter().map(|document| document.path.as_str()).collect();
    changes.vanished = before.keys().filter(|path| !there.contains(*path)).count();
    changes
}
