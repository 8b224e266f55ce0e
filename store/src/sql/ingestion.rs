//! Ingestions: runs of the pipeline, as people follow them and as reports tell them.

use domain::document::Warning;
use domain::ingestion::{Failure, Outcome, Report, Stage, StageReport};
use domain::{CourseId, IngestionId, InstitutionId, Micros, SourceId, UserId, VersionId};
use serde_json::{Value, json};

pub mod control;

use super::event::{self, NewEvent};
use crate::db::{Row, Tx, args};
use crate::error::{Error, Result};

/// A run of the pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Ingestion {
    /// Identity.
    pub id: IngestionId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// Slug of the course.
    pub course: String,
    /// Source.
    pub source_id: SourceId,
    /// The version that it builds, or found unchanged.
    pub version_id: Option<VersionId>,
    /// What was asked for.
    pub request: Value,
    /// `running`, `succeeded`, `partial` or `failed`.
    pub state: String,
    /// The stage that it is in, or ended in.
    pub stage: Stage,
    /// Units of the stage that are done.
    pub done: i64,
    /// Units that the stage has.
    pub total: i64,
    /// Chunks embedded by this run.
    pub embedded: i64,
    /// Modules of its source version, once it ended.
    pub modules: i64,
    /// Lessons of its source version, once it ended.
    pub lessons: i64,
    /// Chunks of its source version, once it ended.
    pub chunks: i64,
    /// Why not everything was read.
    pub error: Option<Failure>,
    /// Why a run that is not over does not go on.
    pub held: Option<Failure>,
    /// When its stage began, or went on.
    pub stage_at: Micros,
    /// Units that were done then.
    pub stage_from: i64,
    /// Documents that the source held.
    pub documents: i64,
    /// Their bytes, with recordings.
    pub bytes: i64,
    /// What a reader should know; content was kept.
    pub warnings: Vec<Warning>,
    /// Stages that are done, with their times.
    pub stages: Vec<StageReport>,
    /// Who started it; `None` for the operator.
    pub started_by: Option<UserId>,
    /// When it was asked for.
    pub created_at: Micros,
    /// When it last moved.
    pub updated_at: Micros,
}

impl Ingestion {
    /// How it ended; `None` while it runs.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        [Outcome::Succeeded, Outcome::Partial, Outcome::Failed]
            .into_iter()
            .find(|outcome| outcome.as_str() == self.state)
    }

    /// The state as people know it: also `paused` and `cancelled`.
    #[must_use]
    pub fn shown_state(&self) -> &str {
        let cancelled = self.error.as_ref().is_some_and(|error| error.code == domain::ingestion::failure::CANCELLED);
        match self.state.as_str() {
            "running" if self.held.is_some() => "paused",
            "failed" | "partial" if cancelled => "cancelled",
            other => other,
        }
    }

    /// The report of an ended run; `None` while it runs.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        Some(Report {
            outcome: self.outcome()?,
            error: self.error.clone(),
            course: self.course.clone(),
            modules: self.modules,
            lessons: self.lessons,
            chunks: self.chunks,
            embedded: self.embedded,
            warnings: self.warnings.clone(),
            stages: self.stages.clone(),
        })
    }
}

const SELECT: &str = "SELECT i.id, i.institution_id, i.course_id, c.slug, i.source_id, i.version_id, i.request, i.state, i.stage,
    i.done, i.total, i.embedded, i.modules, i.lessons, i.chunks, i.error, i.held, i.stage_at, i.stage_from, i.documents, i.bytes, i.warnings, i.stages, i.started_by, i.created_at,
    i.updated_at
  FROM ingestions i JOIN courses c ON c.id = i.course_id";
/// Most runs that a list shows.
const LISTED: i64 = 200;

/// Begins a run for a source of the course.
///
/// # Errors
/// Not found when the source is not the course's.
pub async fn create(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    source: SourceId,
    request: &Value,
    started_by: Option<UserId>,
) -> Result<IngestionId> {
    let id = IngestionId::fresh();
    let now = tx.now().await?;
    let made = tx
        .exec(
            "INSERT INTO ingestions (id, institution_id, course_id, source_id, version_id, request, state, stage, done, total,
               embedded, error, warnings, stages, started_by, stage_at, created_at, updated_at)
             SELECT $4, s.institution_id, s.course_id, s.id, NULL, $5, 'running', $6, 0, 0, 0, NULL, '[]', '[]', $7, $8, $8, $8
             FROM sources s WHERE s.institution_id = $1 AND s.course_id = $2 AND s.id = $3",
            args![institution, course, source, id, request, Stage::Fetch.as_str(), started_by, now],
        )
        .await?;
    if made == 0 {
        return Err(domain::Error::not_found("source", source).into());
    }
    let event = NewEvent::new("content.ingestion_started", institution, id)
        .course(course)
        .user(started_by)
        .correlation(id)
        .payload(json!({ "ingestionId": id, "sourceId": source }));
    event::append(tx, &event).await?;
    Ok(id)
}

/// A run of the institution.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: IngestionId) -> Result<Option<Ingestion>> {
    tx.row(&format!("{SELECT} WHERE i.institution_id = $1 AND i.id = $2"), args![institution, id])
        .await?
        .as_ref()
        .map(ingestion)
        .transpose()
}

/// The latest runs of a course, newest first.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn list(tx: &mut Tx, institution: InstitutionId, course: CourseId) -> Result<Vec<Ingestion>> {
    let sql = format!(
        "{SELECT} WHERE i.institution_id = $1 AND i.course_id = $2 ORDER BY i.created_at DESC, i.id DESC LIMIT $3"
    );
    tx.rows(&sql, args![institution, course, LISTED]).await?.iter().map(ingestion).collect()
}

/// The newest run of a source.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn latest(tx: &mut Tx, institution: InstitutionId, source: SourceId) -> Result<Option<Ingestion>> {
    let sql = format!(
        "{SELECT} WHERE i.institution_id = $1 AND i.source_id = $2 ORDER BY i.created_at DESC, i.id DESC LIMIT 1"
    );
    tx.row(&sql, args![institution, source]).await?.as_ref().map(ingestion).transpose()
}

/// The running runs of a source, oldest first.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn running(tx: &mut Tx, institution: InstitutionId, source: SourceId) -> Result<Vec<Ingestion>> {
    let sql = format!(
        "{SELECT} WHERE i.institution_id = $1 AND i.source_id = $2 AND i.state = 'running' ORDER BY i.created_at, i.id"
    );
    tx.rows(&sql, args![institution, source]).await?.iter().map(ingestion).collect()
}

/// Names the version that the run builds, or found unchanged.
///
/// # Errors
/// Not found when the run is not running in this institution.
pub async fn set_version(tx: &mut Tx, institution: InstitutionId, id: IngestionId, version: VersionId) -> Result<()> {
    let now = tx.now().await?;
    let changed = tx
        .exec(
            "UPDATE ingestions SET version_id = $3, updated_at = $4
             WHERE institution_id = $1 AND id = $2 AND state = 'running'",
            args![institution, id, version, now],
        )
        .await?;
    running_row(changed, id)
}

/// Says how far the run is. It is what people watch, not a fact to keep: there is no event.
///
/// # Errors
/// Not found when the run is not running in this institution.
pub async fn progress(
    tx: &mut Tx,
    institution: InstitutionId,
    id: IngestionId,
    stage: Stage,
    done: i64,
    total: i64,
) -> Result<()> {
    let now = tx.now().await?;
    let changed = tx
        .exec(
            "UPDATE ingestions SET stage_at = CASE WHEN stage = $3 THEN stage_at ELSE $6 END,
               stage_from = CASE WHEN stage = $3 THEN stage_from ELSE $4 END,
               stage = $3, done = $4, total = $5, updated_at = $6
             WHERE institution_id = $1 AND id = $2 AND state = 'running'",
            args![institution, id, stage.as_str(), done, total, now],
        )
        .await?;
    running_row(changed, id)
}

/// Counts chunks that this run embedded.
///
/// # Errors
/// Not found when the run is not running in this institution.
pub async fn add_embedded(tx: &mut Tx, institution: InstitutionId, id: IngestionId, chunks: i64) -> Result<()> {
    let now = tx.now().await?;
    let changed = tx
        .exec(
            "UPDATE ingestions SET embedded = embedded + $3, updated_at = $4
             WHERE institution_id = $1 AND id = $2 AND state = 'running'",
            args![institution, id, chunks, now],
        )
        .await?;
    running_row(changed, id)
}

/// Adds warnings to the run's report; one that is there already is not repeated.
///
/// # Errors
/// Not found when the run is not running in this institution.
pub async fn add_warnings(
    tx: &mut Tx,
    institution: InstitutionId,
    id: IngestionId,
    warnings: &[Warning],
) -> Result<()> {
    let mut all = locked(tx, institution, id).await?.warnings;
    for warning in warnings {
        if !all.contains(warning) {
            all.push(warning.clone());
        }
    }
    let now = tx.now().await?;
    tx.exec(
        "UPDATE ingestions SET warnings = $3, updated_at = $4 WHERE institution_id = $1 AND id = $2",
        args![institution, id, crate::db::json(&all)?, now],
    )
    .await?;
    Ok(())
}

/// A stage is done. Its time adds to what earlier tries of it took; the last outcome counts.
///
/// # Errors
/// Not found when the run is not running in this institution.
pub async fn stage_done(
    tx: &mut Tx,
    institution: InstitutionId,
    id: IngestionId,
    stage: Stage,
    outcome: &str,
    seconds: f64,
) -> Result<()> {
    let run = locked(tx, institution, id).await?;
    let mut stages = run.stages;
    if let Some(known) = stages.iter_mut().find(|known| known.name == stage.as_str()) {
        outcome.clone_into(&mut known.outcome);
        known.seconds += seconds;
    } else {
        stages.push(StageReport { name: stage.as_str().into(), outcome: outcome.into(), seconds });
    }
    let now = tx.now().await?;
    tx.exec(
        "UPDATE ingestions SET stages = $3, updated_at = $4 WHERE institution_id = $1 AND id = $2",
        args![institution, id, crate::db::json(&stages)?, now],
    )
    .await?;
    let event = NewEvent::new("content.stage_completed", institution, id)
        .course(run.course_id)
        .user(run.started_by)
        .correlation(id)
        .payload(json!({ "ingestionId": id, "stage": stage.as_str(), "outcome": outcome, "seconds": seconds }));
    event::append(tx, &event).await?;
    Ok(())
}

/// Ends a run and counts its source version; whether it was this call that ended it.
///
/// # Errors
/// Not found when the run is not the institution's.
pub async fn finish(
    tx: &mut Tx,
    institution: InstitutionId,
    id: IngestionId,
    outcome: Outcome,
    failure: Option<&Failure>,
) -> Result<bool> {
    let now = tx.now().await?;
    let error = failure.map(crate::db::json).transpose()?;
    let ended = tx
        .exec(
            "UPDATE ingestions SET state = $3, error = $4, held = NULL, updated_at = $5,
               chunks = (SELECT COUNT(*) FROM chunks k WHERE k.version_id = ingestions.version_id),
               modules = (SELECT COUNT(*) FROM modules m JOIN sources s ON s.id = m.source_id
                 WHERE m.source_id = ingestions.source_id AND s.current_version_id = ingestions.version_id
                   AND (EXISTS (SELECT 1 FROM lessons o WHERE o.module_id = m.id AND o.gone_at IS NULL)
                   OR NOT EXISTS (SELECT 1 FROM lessons o WHERE o.module_id = m.id))),
               lessons = (SELECT COUNT(*) FROM lessons l JOIN modules m ON m.id = l.module_id JOIN sources s ON s.id = m.source_id
                 WHERE m.source_id = ingestions.source_id AND s.current_version_id = ingestions.version_id
                   AND l.gone_at IS NULL)
             WHERE institution_id = $1 AND id = $2 AND state = 'running'",
            args![institution, id, outcome.as_str(), error, now],
        )
        .await?;
    let run = get(tx, institution, id).await?.ok_or_else(|| Error::from(domain::Error::not_found("ingestion", id)))?;
    if ended == 0 {
        return Ok(false);
    }
    let name = if outcome == Outcome::Failed { "content.ingestion_failed" } else { "content.ingestion_completed" };
    let event =
        NewEvent::new(name, institution, id).course(run.course_id).user(run.started_by).correlation(id).payload(
            json!({
                "ingestionId": id,
                "sourceId": run.source_id,
                "versionId": run.version_id,
                "outcome": outcome.as_str(),
                "code": failure.map(|failure| &failure.code),
                "chunks": run.chunks,
                "embedded": run.embedded,
            }),
        );
    event::append(tx, &event).await?;
    Ok(true)
}

/// A running run whose JSON is about to be changed; on PostgreSQL no other transaction changes it meanwhile.
async fn locked(tx: &mut Tx, institution: InstitutionId, id: IngestionId) -> Result<Ingestion> {
    let lock = if tx.sqlite() { "" } else { " FOR UPDATE OF i" };
    let sql = format!("{SELECT} WHERE i.institution_id = $1 AND i.id = $2 AND i.state = 'running'{lock}");
    tx.row(&sql, args![institution, id])
        .await?
        .as_ref()
        .map(ingestion)
        .transpose()?
        .ok_or_else(|| domain::Error::not_found("running ingestion", id).into())
}

fn running_row(changed: u64, id: IngestionId) -> Result<()> {
    if changed == 0 { Err(domain::Error::not_found("running ingestion", id).into()) } else { Ok(()) }
}

fn ingestion(row: &Row) -> Result<Ingestion> {
    let stage = row.text("stage")?;
    Ok(Ingestion {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        course_id: row.id("course_id")?,
        course: row.text("slug")?,
        source_id: row.id("source_id")?,
        version_id: row.id_opt("version_id")?,
        request: row.json("request")?,
        state: row.text("state")?,
        stage: Stage::parse(&stage)
            .ok_or_else(|| Error::Damaged { column: "stage".into(), reason: format!("\"{stage}\" is no stage") })?,
        done: row.int("done")?,
        total: row.int("total")?,
        embedded: row.int("embedded")?,
        modules: row.int("modules")?,
        lessons: row.int("lessons")?,
        chunks: row.int("chunks")?,
        error: row
            .text_opt("error")?
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| Error::Damaged { column: "error".into(), reason: error.to_string() })?,
        held: row
            .text_opt("held")?
            .map(|text| serde_json::from_str(&text))
            .transpose()
            .map_err(|error| Error::Damaged { column: "held".into(), reason: error.to_string() })?,
        stage_at: row.int("stage_at")?,
        stage_from: row.int("stage_from")?,
        documents: row.int("documents")?,
        bytes: row.int("bytes")?,
        warnings: row.json("warnings")?,
        stages: row.json("stages")?,
        started_by: row.id_opt("started_by")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
    })
}
