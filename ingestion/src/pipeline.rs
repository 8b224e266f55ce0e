//! The stages of an ingestion as jobs of the durable queue.
//!
//! Each stage is idempotent and checkpointed; the job of the next one is written in the transaction
//! that ends this one. A run that was killed goes on where its last checkpoint stood.

mod chunk;
mod embed;
mod fetch;
mod index;
mod load;
mod pack;
mod plan;
mod publish;
mod reuse;
mod room;
mod run;
mod speech;
mod starter;
mod titles;
mod transcode;
mod transcript;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::course::Course;
use domain::ingestion::{Crawl, Failure, Report, SourceKind, Stage, failure};
use domain::policy::Actor;
use domain::{CourseId, Error, ErrorKind, IngestionId, InstitutionId, UserId};
use llm_gateway::Gateway;
use school::School;
use school::course::NewCourse;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::blob::Blobs;
use store::queue::Queue;
use store::vector::VectorIndex;
use store::{Scope, Store, sql};
use tokio::sync::Semaphore;

use crate::media::Tools;
use crate::sandbox::Sandbox;
use crate::source::{self, Outside, Place};
pub use load::LoadReport;
pub use pack::{PackReport, PackedReport};
pub use plan::{Changes, Plan};
pub use room::Disk;
pub(crate) use run::Step;

/// What happens once the vectors of a course are complete, such as fitting its scope gate.
#[async_trait]
pub trait AfterIndex: Send + Sync {
    /// The course's text has changed and is searchable.
    async fn indexed(&self, scope: Scope) -> Result<(), String>;
}

/// What to ingest, as the command line asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestRequest {
    /// Slug of the course; it is made when it is not there.
    pub course: String,
    /// What kind of source.
    pub kind: SourceKind,
    /// Path or https address.
    pub origin: String,
    /// Captions of a recording.
    pub captions: Option<PathBuf>,
    /// Paths of this machine may be read.
    pub local: bool,
    /// Whoever asks says that the recording itself may be kept.
    pub rights: bool,
    /// How much of a web site is read.
    pub crawl: Crawl,
}

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// Name of the stage.
    pub stage: String,
    /// Units that are done.
    pub done: i64,
    /// Units that there are.
    pub total: i64,
    /// Estimate of what is left of this stage.
    pub eta_seconds: Option<f64>,
}

/// The request as its ingestion row keeps it, so that another process can go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request {
    pub(crate) kind: SourceKind,
    pub(crate) place: Place,
    /// Uploaded files, removed once they are taken over.
    #[serde(default)]
    pub(crate) uploads: Vec<PathBuf>,
    /// Hash of the manifest of a source that came with a pack: then nothing is fetched.
    #[serde(default)]
    pub(crate) packed: Option<String>,
}

pub(crate) struct Parts {
    pub(crate) school: School,
    pub(crate) store: Store,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) gateway: Gateway,
    pub(crate) index: Arc<dyn VectorIndex>,
    pub(crate) sandbox: Sandbox,
    pub(crate) after: Option<Arc<dyn AfterIndex>>,
    pub(crate) outside: Outside,
    /// ffmpeg and ffprobe, where they are installed.
    pub(crate) tools: Option<Tools>,
    /// Encoders at once.
    pub(crate) encoding: Arc<Semaphore>,
    /// Bytes of the disk that no run takes.
    pub(crate) disk_reserve: u64,
    /// Runs that met a disk so full that not even that could be written down.
    pub(crate) full: Arc<Mutex<HashMap<IngestionId, Failure>>>,
}

/// The ingestion pipeline. Cheap to clone.
#[derive(Clone)]
pub struct Pipeline {
    parts: Arc<Parts>,
}

impl Pipeline {
    /// A pipeline over opened parts.
    #[must_use]
    pub fn new(
        school: School,
        store: Store,
        blobs: Arc<dyn Blobs>,
        gateway: Gateway,
        index: Arc<dyn VectorIndex>,
    ) -> Self {
        let parts = Parts {
            school,
            store,
            blobs,
            gateway,
            index,
            sandbox: Sandbox::default(),
            after: None,
            outside: Outside::default(),
            tools: Tools::find(),
            encoding: Arc::new(Semaphore::new(1)),
            disk_reserve: 0,
            full: Arc::default(),
        };
        Self { parts: Arc::new(parts) }
    }

    /// The same pipeline with something to do after each indexing. Call it before [`Self::register`].
    #[must_use]
    pub fn with_after_index(self, after: Arc<dyn AfterIndex>) -> Self {
        self.changed(|parts| parts.after = Some(after))
    }

    /// The same pipeline with another parser sandbox. Call it before [`Self::register`].
    #[must_use]
    pub fn with_sandbox(self, sandbox: Sandbox) -> Self {
        self.changed(|parts| parts.sandbox = sandbox)
    }

    /// The same pipeline with other programs, hosts and limits for sources outside; the cache is the
    /// pipeline's own. Call it before [`Self::register`].
    #[must_use]
    pub fn with_outside(self, outside: Outside) -> Self {
        self.changed(|parts| parts.outside = outside)
    }

    /// The same pipeline with other programs for recordings, or none. Call it before [`Self::register`].
    #[must_use]
    pub fn with_tools(self, tools: Option<Tools>) -> Self {
        self.changed(|parts| parts.tools = tools)
    }

    /// The same pipeline that leaves so many bytes of the disk free. Call it before [`Self::register`].
    #[must_use]
    pub fn with_disk_reserve(self, bytes: u64) -> Self {
        self.changed(|parts| parts.disk_reserve = bytes)
    }

    fn changed(self, change: impl FnOnce(&mut Parts)) -> Self {
        let old = &self.parts;
        let mut parts = Parts {
            school: old.school.clone(),
            store: old.store.clone(),
            blobs: old.blobs.clone(),
            gateway: old.gateway.clone(),
            index: old.index.clone(),
            sandbox: old.sandbox.clone(),
            after: old.after.clone(),
            outside: old.outside.clone(),
            tools: old.tools.clone(),
            encoding: old.encoding.clone(),
            disk_reserve: old.disk_reserve,
            full: old.full.clone(),
        };
        change(&mut parts);
        Self { parts: Arc::new(parts) }
    }

    /// Serves the stages' jobs with this pipeline.
    pub fn register(&self, queue: &mut Queue) {
        fetch::clean_scratch(&self.parts);
        for stage in Stage::ALL {
            queue.handle(stage.job(), Arc::new(Step { parts: self.parts.clone(), stage }));
        }
        queue.handle(school::transcript::JOB, Arc::new(transcript::Corrections { parts: self.parts.clone() }));
    }

    /// Starts a run, or attaches to the unfinished one of the same source; the course is made when it is not there.
    ///
    /// # Errors
    /// Refused by policy, a bad slug, or the database is gone.
    pub async fn start(&self, actor: &Actor, request: IngestRequest) -> Result<IngestionId, Error> {
        let course = self.course(actor, &request.course).await?;
        let origin = canonical(request.kind, &request.origin);
        let captions = request.captions.map(|path| PathBuf::from(real(&path.to_string_lossy())));
        let place = Place {
            origin: origin.clone(),
            name: None,
            captions,
            local: request.local,
            rights: request.rights,
            crawl: request.crawl,
        };
        let request = Request { kind: request.kind, place, uploads: Vec::new(), packed: None };
        self.begin(course.institution_id, course.id, &origin, request, actor.user_id).await
    }

    /// The course of a slug, made when it is not there; only for those who may ingest into it.
    async fn course(&self, actor: &Actor, slug: &str) -> Result<Course, Error> {
        let course = match self.parts.school.course().by_slug(actor, actor.institution, slug).await {
            Ok(course) => course,
            Err(error) if error.kind == ErrorKind::NotFound => {
                let title = crate::parse::title_of_path(slug);
                let new = NewCourse { title, slug: Some(slug.to_owned()), ..NewCourse::default() };
                self.parts.school.course().create(actor, actor.institution, new).await?
            }
            Err(error) => return Err(error),
        };
        // Listing needs the same right as ingesting and answers in the same words.
        self.parts.school.ingestion().list(actor, course.id).await?;
        Ok(course)
    }

    /// The course of a slug that is there; refuses who may not ingest into it.
    async fn known_course(&self, actor: &Actor, slug: &str) -> Result<Option<Course>, Error> {
        match self.parts.school.course().by_slug(actor, actor.institution, slug).await {
            Ok(course) => {
                self.parts.school.ingestion().list(actor, course.id).await?;
                Ok(Some(course))
            }
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn begin(
        &self,
        institution: InstitutionId,
        course: CourseId,
        origin: &str,
        request: Request,
        user: Option<UserId>,
    ) -> Result<IngestionId, Error> {
        let title = crate::parse::title_of_path(origin);
        let origin = origin.to_owned();
        let written = self.parts.store.write(move |tx| {
            Box::pin(async move {
                let source =
                    sql::source::find_or_create(tx, institution, course, request.kind, &origin, &title).await?;
                if let Some(running) = sql::ingestion::running(tx, institution, source).await?.pop() {
                    match &running.held {
                        // Asking again is how a run goes on once there is room.
                        Some(held) if held.code == failure::DISK_FULL => {
                            sql::ingestion::control::release(tx, institution, running.id, user).await?;
                        }
                        Some(held) => return Err(paused(running.id, held).into()),
                        None => {}
                    }
                    // Revives a dead job of the stage; a live one is left alone.
                    run::enqueue(tx, institution, running.id, running.stage, &json!({})).await?;
                    return Ok(running.id);
                }
                let row = serde_json::to_value(&request)
                    .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))?;
                let id = sql::ingestion::create(tx, institution, course, source, &row, user).await?;
                run::enqueue(tx, institution, id, Stage::Fetch, &json!({})).await?;
                Ok(id)
            })
        });
        Ok(written.await?)
    }

    /// Waits for the end of a run and yields its report; `on_progress` sees each step of it.
    ///
    /// # Errors
    /// Not found when the caller may not see the run, or the database is gone.
    pub async fn wait(
        &self,
        actor: &Actor,
        id: IngestionId,
        mut on_progress: impl FnMut(&Progress),
    ) -> Result<Report, Error> {
        let mut seen: Option<(Stage, i64, i64)> = None;
        let mut stage_began = (Instant::now(), 0);
        let mut checked = Instant::now();
        loop {
            let found = self.parts.school.ingestion().get(actor, id).await?;
            if seen != Some((found.stage, found.done, found.total)) {
                if seen.is_none_or(|(stage, ..)| stage != found.stage) {
                    stage_began = (Instant::now(), found.done);
                }
                seen = Some((found.stage, found.done, found.total));
                on_progress(&progress(&found, stage_began));
            }
            if let Some(report) = found.report() {
                return Ok(report);
            }
            let full = self.parts.full.lock().ok().and_then(|full| full.get(&id).cloned());
            if let Some(held) = found.held.as_ref().or(full.as_ref()) {
                return Err(paused(id, held));
            }
            if checked.elapsed() > Duration::from_secs(2) {
                checked = Instant::now();
                run::bury(&self.parts, &found).await?;
            }
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    }
}

fn progress(found: &sql::ingestion::Ingestion, (began, first): (Instant, i64)) -> Progress {
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let eta = (found.done > first && found.total >= found.done)
        .then(|| began.elapsed().as_secs_f64() / (found.done - first) as f64 * (found.total - found.done) as f64);
    Progress { stage: found.stage.as_str().to_owned(), done: found.done, total: found.total, eta_seconds: eta }
}

/// One spelling for a place, so that the same content is the same source.
fn canonical(kind: SourceKind, origin: &str) -> String {
    let known = source::of(kind).ok().and_then(|source| source.canonical(origin));
    known.unwrap_or_else(|| real(origin))
}

/// One spelling for a path or an address.
fn real(origin: &str) -> String {
    if origin.contains("://") {
        return origin.trim_end_matches('/').to_owned();
    }
    std::fs::canonicalize(origin).map_or_else(|_| origin.to_owned(), |path| path.to_string_lossy().into_owned())
}

/// What somebody who waits for a held run is told.
fn paused(id: IngestionId, held: &Failure) -> Error {
    let message = format!("{} (lyceum ingest resume {id})", held.message);
    Error::new(ErrorKind::Unavailable, message).with_code(held.code.clone())
}

fn as_error(failure: domain::ingestion::Failure) -> Error {
    let kind = match failure.code.as_str() {
        failure::NOT_FOUND => ErrorKind::NotFound,
        failure::PACK_UNSIGNED | failure::PACK_UNTRUSTED => ErrorKind::Forbidden,
        failure::DISK_FULL => ErrorKind::Unavailable,
        _ => ErrorKind::ValidationError,
    };
    Error::new(kind, failure.message).with_code(failure.code)
}
