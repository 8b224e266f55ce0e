//! Source versions: built aside, published in one transaction, and deleted when superseded.

mod tree;

use domain::{CourseId, IngestionId, InstitutionId, Micros, SourceId, UserId, VersionId};
use serde_json::{Value, json};

use super::event::{self, NewEvent};
use crate::db::{Row, Tx, args};
use crate::error::{Error, Result};

pub use tree::{NewLesson, NewModule};

/// One fetched state of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Identity.
    pub id: VersionId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Source.
    pub source_id: SourceId,
    /// Of the fetched bytes: equal content has an equal one.
    pub fingerprint: String,
    /// `building`, `live` (text is searchable), `ready` (vectors are complete) or `failed`.
    pub state: String,
    /// Commit of a git source.
    pub commit: Option<String>,
    /// Modules and lessons as the source has them.
    pub outline: Value,
    /// The model whose vectors are complete.
    pub model: Option<String>,
    /// When building began.
    pub created_at: Micros,
    /// When it became the current one.
    pub published_at: Option<Micros>,
}

const SELECT: &str =
    "SELECT v.id, v.institution_id, v.source_id, v.fingerprint, v.state, v.commit_id, v.outline, v.model,
  v.created_at, v.published_at FROM source_versions v";

/// Begins a version of a source; what is left of failed ones goes.
///
/// # Errors
/// Not found when the source is not the institution's, conflict when a version of it is being built.
pub async fn create(
    tx: &mut Tx,
    institution: InstitutionId,
    source: SourceId,
    fingerprint: &str,
    commit: Option<&str>,
    outline: &Value,
) -> Result<VersionId> {
    tx.exec(
        "DELETE FROM source_versions WHERE institution_id = $1 AND source_id = $2 AND state = 'failed'",
        args![institution, source],
    )
    .await?;
    let id = VersionId::fresh();
    let now = tx.now().await?;
    let made = tx
        .exec(
            "INSERT INTO source_versions (id, institution_id, source_id, fingerprint, state, commit_id, outline, created_at)
             SELECT $3, s.institution_id, s.id, $4, 'building', $5, $6, $7 FROM sources s
             WHERE s.institution_id = $1 AND s.id = $2",
            args![institution, source, id, fingerprint, commit, outline, now],
        )
        .await?;
    if made == 0 { Err(domain::Error::not_found("source", source).into()) } else { Ok(id) }
}

/// A version of the institution.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: VersionId) -> Result<Option<Version>> {
    one(tx, "WHERE v.institution_id = $1 AND v.id = $2", args![institution, id]).await
}

/// The published version of a source.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn current(tx: &mut Tx, institution: InstitutionId, source: SourceId) -> Result<Option<Version>> {
    let published = "JOIN sources s ON s.current_version_id = v.id WHERE v.institution_id = $1 AND s.institution_id = $1 AND s.id = $2";
    one(tx, published, args![institution, source]).await
}

/// The version of a source that is being built.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn building(tx: &mut Tx, institution: InstitutionId, source: SourceId) -> Result<Option<Version>> {
    one(tx, "WHERE v.institution_id = $1 AND v.source_id = $2 AND v.state = 'building'", args![institution, source])
        .await
}

/// Keeps the outline of a version that is being built.
///
/// # Errors
/// Conflict when it is not being built.
pub async fn set_outline(tx: &mut Tx, institution: InstitutionId, version: VersionId, outline: &Value) -> Result<()> {
    let changed = tx
        .exec(
            "UPDATE source_versions SET outline = $3 WHERE institution_id = $1 AND id = $2 AND state = 'building'",
            args![institution, version, outline],
        )
        .await?;
    if changed == 0 { Err(not_building(version)) } else { Ok(()) }
}

/// Makes a built version the current one of its source, in this transaction and at once.
///
/// Modules and lessons of the source are replaced; a lesson of the same document keeps its id, and
/// one that a person hid stays hidden. The superseded version's documents, chunks and vectors go.
/// Publishing the current version again changes nothing.
///
/// # Errors
/// Conflict when the version is not being built, or a lesson names a document that it does not have.
pub async fn publish(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    source: SourceId,
    version: VersionId,
    modules: &[NewModule],
) -> Result<()> {
    // PostgreSQL runs writers side by side: the row orders two publications of one source.
    let lock = if tx.sqlite() { "" } else { " FOR UPDATE" };
    let sql = format!(
        "SELECT current_version_id FROM sources WHERE institution_id = $1 AND course_id = $2 AND id = $3{lock}"
    );
    let superseded: Option<VersionId> = tx
        .row(&sql, args![institution, course, source])
        .await?
        .ok_or_else(|| Error::from(domain::Error::not_found("source", source)))?
        .id_opt("current_version_id")?;
    if superseded == Some(version) {
        return Ok(());
    }
    let built = get(tx, institution, version).await?;
    if built.is_none_or(|built| built.source_id != source || built.state != "building") {
        return Err(not_building(version));
    }
    let tree = tree::take_down(tx, institution, course, source, superseded, version).await?;
    if let Some(superseded) = superseded {
        clear(tx, institution, superseded).await?;
        tx.exec("DELETE FROM source_versions WHERE institution_id = $1 AND id = $2", args![institution, superseded])
            .await?;
    }
    let now = tx.now().await?;
    tx.exec(
        "UPDATE source_versions SET state = 'live', published_at = $3 WHERE institution_id = $1 AND id = $2",
        args![institution, version, now],
    )
    .await?;
    tx.exec(
        "UPDATE sources SET current_version_id = $3 WHERE institution_id = $1 AND id = $2",
        args![institution, source, version],
    )
    .await?;
    let lessons = tree::put_up(tx, institution, course, source, version, modules, &tree).await?;
    tree::mark_gone(tx, institution, course, source, &tree).await?;
    let (ingestion, user) = run_of(tx, institution, version).await?;
    let mut published =
        NewEvent::new("content.text_published", institution, source).course(course).user(user).payload(json!({
            "sourceId": source,
            "versionId": version,
            "supersededVersionId": superseded,
            "modules": modules.len(),
            "lessons": lessons,
        }));
    published.correlation_id = ingestion.map(|id| id.to_string());
    event::append(tx, &published).await?;
    Ok(())
}

/// The published version has a vector of `model` for each chunk; with no model the school has no vectors.
///
/// # Errors
/// Conflict when the version is not published, or a chunk has no vector.
pub async fn ready(tx: &mut Tx, institution: InstitutionId, version: VersionId, model: Option<&str>) -> Result<()> {
    let found = get(tx, institution, version).await?.filter(|found| found.state == "live" || found.state == "ready");
    let Some(found) = found else {
        return Err(Error::Conflict(format!("version \"{version}\" is not published")));
    };
    if found.state == "ready" && found.model.as_deref() == model {
        return Ok(());
    }
    let chunks = super::chunk::count(tx, institution, version).await?;
    if let Some(model) = model {
        let embedded = super::embedding::count(tx, institution, version, model).await?;
        if embedded != chunks {
            return Err(Error::Conflict(format!(
                "{embedded} of {chunks} chunks of version \"{version}\" have vectors of \"{model}\""
            )));
        }
    }
    tx.exec(
        "UPDATE source_versions SET state = 'ready', model = $3 WHERE institution_id = $1 AND id = $2",
        args![institution, version, model],
    )
    .await?;
    let course = super::source::get(tx, institution, found.source_id).await?.map(|source| source.course_id);
    let (ingestion, user) = run_of(tx, institution, version).await?;
    let mut embedded = NewEvent::new("content.chunks_embedded", institution, found.source_id)
        .user(user)
        .payload(json!({ "sourceId": found.source_id, "versionId": version, "model": model, "chunks": chunks }));
    embedded.course_id = course;
    embedded.correlation_id = ingestion.map(|id| id.to_string());
    event::append(tx, &embedded).await?;
    Ok(())
}

/// Gives up a version that is being built: its documents, chunks and vectors go, the row says `failed`.
///
/// A version that is not being built is left alone.
///
/// # Errors
/// The database refuses.
pub async fn fail(tx: &mut Tx, institution: InstitutionId, version: VersionId) -> Result<()> {
    let failed = tx
        .exec(
            "UPDATE source_versions SET state = 'failed' WHERE institution_id = $1 AND id = $2 AND state = 'building'",
            args![institution, version],
        )
        .await?;
    if failed > 0 {
        clear(tx, institution, version).await?;
    }
    Ok(())
}

/// Takes every version of a source with its tree out of its course; lessons of other modules that show its
/// documents show nothing then. The source itself stays, without a current version.
///
/// # Errors
/// The database refuses.
pub async fn remove_all(tx: &mut Tx, institution: InstitutionId, course: CourseId, source: SourceId) -> Result<()> {
    tree::take_down(tx, institution, course, source, None, VersionId::fresh()).await?;
    tx.exec(
        "UPDATE lessons SET document_id = NULL WHERE institution_id = $1 AND document_id IN (
           SELECT d.id FROM documents d JOIN source_versions v ON v.id = d.version_id
           WHERE d.institution_id = $1 AND v.source_id = $2)",
        args![institution, source],
    )
    .await?;
    tx.exec(
        "UPDATE sources SET current_version_id = NULL WHERE institution_id = $1 AND id = $2",
        args![institution, source],
    )
    .await?;
    let versions = tx
        .rows("SELECT id FROM source_versions WHERE institution_id = $1 AND source_id = $2", args![institution, source])
        .await?;
    for row in versions {
        let version: VersionId = row.id("id")?;
        clear(tx, institution, version).await?;
        tx.exec("DELETE FROM source_versions WHERE institution_id = $1 AND id = $2", args![institution, version])
            .await?;
    }
    Ok(())
}

/// Deletes what a version consists of.
async fn clear(tx: &mut Tx, institution: InstitutionId, version: VersionId) -> Result<()> {
    for sql in [
        "DELETE FROM document_blobs WHERE institution_id = $1
           AND document_id IN (SELECT id FROM documents WHERE institution_id = $1 AND version_id = $2)",
        "DELETE FROM package_files WHERE institution_id = $1 AND version_id = $2",
        "DELETE FROM embeddings WHERE institution_id = $1 AND version_id = $2",
        "DELETE FROM chunks WHERE institution_id = $1 AND version_id = $2",
        "DELETE FROM documents WHERE institution_id = $1 AND version_id = $2",
    ] {
        tx.exec(sql, args![institution, version]).await?;
    }
    Ok(())
}

/// The run that builds a version and who started it, for its events.
async fn run_of(
    tx: &mut Tx,
    institution: InstitutionId,
    version: VersionId,
) -> Result<(Option<IngestionId>, Option<UserId>)> {
    let row = tx
        .row(
            "SELECT i.id, i.started_by FROM ingestions i JOIN source_versions v ON v.source_id = i.source_id
             WHERE i.institution_id = $1 AND v.id = $2 AND i.version_id = $2 ORDER BY i.created_at DESC LIMIT 1",
            args![institution, version],
        )
        .await?;
    row.map_or(Ok((None, None)), |row| Ok((row.id_opt("id")?, row.id_opt("started_by")?)))
}

fn not_building(version: VersionId) -> Error {
    Error::Conflict(format!("version \"{version}\" is not being built"))
}

async fn one(tx: &mut Tx, condition: &str, binds: Vec<crate::db::Value>) -> Result<Option<Version>> {
    tx.row(&format!("{SELECT} {condition}"), binds).await?.as_ref().map(version).transpose()
}

fn version(row: &Row) -> Result<Version> {
    Ok(Version {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        source_id: row.id("source_id")?,
        fingerprint: row.text("fingerprint")?,
        state: row.text("state")?,
        commit: row.text_opt("commit_id")?,
        outline: row.json("outline")?,
        model: row.text_opt("model")?,
        created_at: row.int("created_at")?,
        published_at: row.int_opt("published_at")?,
    })
}
