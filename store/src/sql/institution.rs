//! Rows of `institutions`, and finding the institution that owns a row.

use domain::institution::Institution;
use domain::{
    ApiKeyId, AppealId, AssessmentId, AttemptId, CourseId, EnrollmentId, IngestionId, InstitutionId, LessonId,
    ModelRequestId, QuestionId, ScormAttemptId, SourceId, SubmissionId, UserId,
};

use crate::db::{Row, Tx, args};
use crate::error::Result;

const COLUMNS: &str = "id, slug, name, status, created_at";

fn read(row: &Row) -> Result<Institution> {
    Ok(Institution {
        id: row.id("id")?,
        slug: row.text("slug")?,
        name: row.text("name")?,
        status: row.text("status")?,
        created_at: row.int("created_at")?,
    })
}

/// Adds an institution.
///
/// # Errors
/// Conflict when the slug is taken.
pub async fn insert(tx: &mut Tx, institution: &Institution) -> Result<()> {
    tx.exec(
        "INSERT INTO institutions (id, slug, name, status, created_at) VALUES ($1, $2, $3, $4, $5)",
        args![institution.id, &institution.slug, &institution.name, &institution.status, institution.created_at],
    )
    .await?;
    Ok(())
}

/// The institution of that id.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, id: InstitutionId) -> Result<Option<Institution>> {
    let sql = format!("SELECT {COLUMNS} FROM institutions WHERE id = $1");
    tx.row(&sql, args![id]).await?.as_ref().map(read).transpose()
}

/// The institution of that slug.
///
/// # Errors
/// The database refuses.
pub async fn by_slug(tx: &mut Tx, slug: &str) -> Result<Option<Institution>> {
    let sql = format!("SELECT {COLUMNS} FROM institutions WHERE slug = $1");
    tx.row(&sql, args![slug]).await?.as_ref().map(read).transpose()
}

/// All institutions, by slug.
///
/// # Errors
/// The database refuses.
pub async fn list(tx: &mut Tx) -> Result<Vec<Institution>> {
    let sql = format!("SELECT {COLUMNS} FROM institutions ORDER BY slug");
    tx.rows(&sql, args![]).await?.iter().map(read).collect()
}

/// Changes name and status.
///
/// # Errors
/// The database refuses.
pub async fn update(tx: &mut Tx, institution: &Institution) -> Result<()> {
    tx.exec(
        "UPDATE institutions SET name = $2, status = $3 WHERE id = $1",
        args![institution.id, &institution.name, &institution.status],
    )
    .await?;
    Ok(())
}

/// What an institution may store and run at once; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngestLimits {
    /// Bytes of documents, recordings and what is made of them.
    pub stored_bytes: Option<i64>,
    /// Runs of the pipeline that work at the same time; others wait their turn.
    pub runs: Option<i64>,
}

/// The limits of an institution.
///
/// # Errors
/// The database refuses.
pub async fn ingest_limits(tx: &mut Tx, id: InstitutionId) -> Result<IngestLimits> {
    let row = tx.row("SELECT ingest_bytes, ingest_runs FROM institutions WHERE id = $1", args![id]).await?;
    row.map_or_else(
        || Ok(IngestLimits::default()),
        |row| Ok(IngestLimits { stored_bytes: row.int_opt("ingest_bytes")?, runs: row.int_opt("ingest_runs")? }),
    )
}

/// Sets the limits of an institution.
///
/// # Errors
/// The database refuses.
pub async fn set_ingest_limits(tx: &mut Tx, id: InstitutionId, limits: &IngestLimits) -> Result<()> {
    tx.exec(
        "UPDATE institutions SET ingest_bytes = $2, ingest_runs = $3 WHERE id = $1",
        args![id, limits.stored_bytes, limits.runs],
    )
    .await?;
    Ok(())
}

/// A row that belongs to an institution, named by its id alone.
///
/// An address such as `/courses/{id}` carries no institution. The owner is found here first, and every
/// query after it filters by that institution; whether the caller may go there is for the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owned {
    /// A course.
    Course(CourseId),
    /// A user.
    User(UserId),
    /// A lesson.
    Lesson(LessonId),
    /// An enrolment.
    Enrollment(EnrollmentId),
    /// A run of the ingestion pipeline.
    Ingestion(IngestionId),
    /// A source of a course.
    Source(SourceId),
    /// A question.
    Question(QuestionId),
    /// A quiz.
    Assessment(AssessmentId),
    /// An attempt at a quiz.
    Attempt(AttemptId),
    /// An attempt at an item of a SCORM package.
    ScormAttempt(ScormAttemptId),
    /// A submission.
    Submission(SubmissionId),
    /// An appeal.
    Appeal(AppealId),
    /// An API key.
    ApiKey(ApiKeyId),
    /// A durable request to a model.
    ModelRequest(ModelRequestId),
}

/// The institution that owns a row; `None` when there is no such row.
///
/// # Errors
/// The database refuses.
pub async fn of(tx: &mut Tx, owned: Owned) -> Result<Option<InstitutionId>> {
    let (sql, id) = match owned {
        Owned::Course(id) => ("SELECT institution_id FROM courses WHERE id = $1", id.to_string()),
        Owned::User(id) => ("SELECT institution_id FROM users WHERE id = $1", id.to_string()),
        Owned::Source(id) => ("SELECT institution_id FROM sources WHERE id = $1", id.to_string()),
        Owned::Lesson(id) => ("SELECT institution_id FROM lessons WHERE id = $1", id.to_string()),
        Owned::Enrollment(id) => ("SELECT institution_id FROM enrollments WHERE id = $1", id.to_string()),
        Owned::Ingestion(id) => ("SELECT institution_id FROM ingestions WHERE id = $1", id.to_string()),
        Owned::Question(id) => ("SELECT institution_id FROM questions WHERE id = $1", id.to_string()),
        Owned::Assessment(id) => ("SELECT institution_id FROM assessments WHERE id = $1", id.to_string()),
        Owned::Attempt(id) => ("SELECT institution_id FROM attempts WHERE id = $1", id.to_string()),
        Owned::ScormAttempt(id) => ("SELECT institution_id FROM scorm_attempts WHERE id = $1", id.to_string()),
        Owned::Submission(id) => ("SELECT institution_id FROM submissions WHERE id = $1", id.to_string()),
        Owned::Appeal(id) => ("SELECT institution_id FROM appeals WHERE id = $1", id.to_string()),
        Owned::ApiKey(id) => ("SELECT institution_id FROM api_keys WHERE id = $1", id.to_string()),
        Owned::ModelRequest(id) => ("SELECT institution_id FROM model_requests WHERE id = $1", id.to_string()),
    };
    tx.row(sql, args![id]).await?.map(|row| row.id("institution_id")).transpose()
}
