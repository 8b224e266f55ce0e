//! Rows of `scorm_attempts` and `scorm_commits`, and what a lesson of a package launches.

use domain::scorm::attempt::{Attempt, Commit, Scored};
use domain::scorm::{Completion, Edition, Success};
use domain::{CourseId, DocumentId, InstitutionId, LessonId, ScormAttemptId, SourceId, UserId, VersionId};
use serde_json::Value;

use crate::db::{Row, Tx, args, json};
use crate::error::{Error, Result};

/// Most commits of an attempt that are kept to be read, and most bytes of them.
pub const MOST_COMMITS: i64 = 1000;
/// See [`MOST_COMMITS`].
pub const MOST_COMMIT_BYTES: i64 = 8 << 20;

const COLUMNS: &str = "id, institution_id, course_id, source_id, item, lesson_id, user_id, number, preview, edition, \
                       state, launch, revision, sequence, nonce_hash, commits, created_at, updated_at, ended_at";

fn edition(row: &Row) -> Result<Edition> {
    let text = row.text("edition")?;
    Edition::parse(&text)
        .ok_or_else(|| Error::Damaged { column: "edition".into(), reason: format!("\"{text}\" is no edition") })
}

fn read(row: &Row) -> Result<Attempt> {
    Ok(Attempt {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        course_id: row.id("course_id")?,
        source_id: row.id("source_id")?,
        item: row.text("item")?,
        lesson_id: row.id("lesson_id")?,
        user_id: row.id("user_id")?,
        number: row.int("number")?,
        preview: row.flag("preview")?,
        edition: edition(row)?,
        api: row.json("state")?,
        launch: row.json("launch")?,
        revision: row.int("revision")?,
        sequence: row.int("sequence")?,
        nonce_hash: row.text("nonce_hash")?,
        commits: row.int("commits")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
        ended_at: row.int_opt("ended_at")?,
    })
}

/// Adds an attempt; false when this user has an open one at this item, or one of this number.
///
/// # Errors
/// The database refuses.
pub async fn insert(tx: &mut Tx, attempt: &Attempt) -> Result<bool> {
    let standing = attempt.api.standing();
    let sql = format!(
        "INSERT INTO scorm_attempts ({COLUMNS}, completion, success, score_scaled, score_raw, progress, bookmark, \
         total_time_seconds) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
         $19, $20, $21, $22, $23, $24, $25, $26) ON CONFLICT DO NOTHING"
    );
    let binds = args![
        attempt.id,
        attempt.institution_id,
        attempt.course_id,
        attempt.source_id,
        &attempt.item,
        attempt.lesson_id,
        attempt.user_id,
        attempt.number,
        attempt.preview,
        attempt.edition.as_str(),
        json(&attempt.api)?,
        json(&attempt.launch)?,
        attempt.revision,
        attempt.sequence,
        &attempt.nonce_hash,
        attempt.commits,
        attempt.created_at,
        attempt.updated_at,
        attempt.ended_at,
        standing.completion.as_str(),
        standing.success.as_str(),
        standing.scaled,
        standing.raw,
        standing.progress,
        standing.bookmark,
        standing.total_time / 100,
    ];
    Ok(tx.exec(&sql, binds).await? > 0)
}

/// Writes what changes of an attempt, unless somebody else did since it was read at `revision` and
/// `sequence`; false then.
///
/// # Errors
/// The database refuses.
pub async fn update(tx: &mut Tx, attempt: &Attempt, revision: i64, sequence: i64) -> Result<bool> {
    let standing = attempt.api.standing();
    let changed = tx
        .exec(
            "UPDATE scorm_attempts SET lesson_id = $5, state = $6, launch = $7, completion = $8, success = $9, \
             score_scaled = $10, score_raw = $11, progress = $12, bookmark = $13, total_time_seconds = $14, \
             revision = $15, sequence = $16, nonce_hash = $17, commits = $18, updated_at = $19, ended_at = $20 \
             WHERE institution_id = $1 AND id = $2 AND revision = $3 AND sequence = $4",
            args![
                attempt.institution_id,
                attempt.id,
                revision,
                sequence,
                attempt.lesson_id,
                json(&attempt.api)?,
                json(&attempt.launch)?,
                standing.completion.as_str(),
                standing.success.as_str(),
                standing.scaled,
                standing.raw,
                standing.progress,
                standing.bookmark,
                standing.total_time / 100,
                attempt.revision,
                attempt.sequence,
                &attempt.nonce_hash,
                attempt.commits,
                attempt.updated_at,
                attempt.ended_at,
            ],
        )
        .await?;
    Ok(changed > 0)
}

/// The attempt of that id.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: ScormAttemptId) -> Result<Option<Attempt>> {
    let sql = format!("SELECT {COLUMNS} FROM scorm_attempts WHERE institution_id = $1 AND id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// Whose attempt it is and its last session, without the data model.
///
/// # Errors
/// The database refuses.
pub async fn session(tx: &mut Tx, institution: InstitutionId, id: ScormAttemptId) -> Result<Option<(UserId, i64)>> {
    let sql = "SELECT user_id, revision FROM scorm_attempts WHERE institution_id = $1 AND id = $2";
    let row = tx.row(sql, args![institution, id]).await?;
    row.map(|row| Ok((row.id("user_id")?, row.int("revision")?))).transpose()
}

/// The last attempt of a user at an item.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn last(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    source: SourceId,
    item: &str,
) -> Result<Option<Attempt>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM scorm_attempts WHERE institution_id = $1 AND user_id = $2 AND source_id = $3 \
         AND item = $4 ORDER BY number DESC LIMIT 1"
    );
    tx.row(&sql, args![institution, user, source, item]).await?.as_ref().map(read).transpose()
}

/// What learners' attempts in a course came to, by id; previews are left out.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn scored(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    user: Option<UserId>,
    after: Option<ScormAttemptId>,
    limit: i64,
) -> Result<Vec<Scored>> {
    let sql = "SELECT id, source_id, item, lesson_id, user_id, number, edition, completion, success, score_scaled, \
               score_raw, progress, total_time_seconds, created_at, updated_at, ended_at FROM scorm_attempts \
               WHERE institution_id = $1 AND course_id = $2 AND (CAST($3 AS TEXT) IS NULL OR user_id = $3) \
               AND (CAST($4 AS TEXT) IS NULL OR id > $4) AND preview = $5 ORDER BY id LIMIT $6";
    let rows = tx.rows(sql, args![institution, course, user, after, false, limit]).await?;
    rows.iter()
        .map(|row| {
            let damaged = |column: &str, text: &str| Error::Damaged {
                column: column.into(),
                reason: format!("\"{text}\" is no such state"),
            };
            let (completion, success) = (row.text("completion")?, row.text("success")?);
            Ok(Scored {
                attempt_id: row.id("id")?,
                source_id: row.id("source_id")?,
                item: row.text("item")?,
                lesson_id: row.id("lesson_id")?,
                user_id: row.id("user_id")?,
                number: row.int("number")?,
                edition: edition(row)?,
                completion: Completion::parse(&completion).ok_or_else(|| damaged("completion", &completion))?,
                success: Success::parse(&success).ok_or_else(|| damaged("success", &success))?,
                scaled: row.real_opt("score_scaled")?,
                raw: row.real_opt("score_raw")?,
                progress: row.real_opt("progress")?,
                total_time_seconds: row.int("total_time_seconds")?,
                created_at: row.int("created_at")?,
                updated_at: row.int("updated_at")?,
                ended_at: row.int_opt("ended_at")?,
            })
        })
        .collect()
}

const COMMIT: &str = "position, revision, sequence, client_key, request_hash, terminated, sets, outcome, created_at";

fn read_commit(row: &Row) -> Result<Commit> {
    Ok(Commit {
        position: row.int("position")?,
        revision: row.int("revision")?,
        sequence: row.int("sequence")?,
        key: row.text("client_key")?,
        request_hash: row.text("request_hash")?,
        terminated: row.flag("terminated")?,
        values: row.json("sets")?,
        outcome: row.json("outcome")?,
        at: row.int("created_at")?,
    })
}

/// Adds to the trace of an attempt, and drops its oldest entries beyond what is kept.
///
/// # Errors
/// Conflict when the attempt has this key or place already.
pub async fn record(tx: &mut Tx, attempt: &Attempt, commit: &Commit) -> Result<()> {
    let (sets, outcome) = (json(&commit.values)?, json(&commit.outcome)?);
    let size = i64::try_from(sets.len() + outcome.len()).unwrap_or(i64::MAX);
    tx.exec(
        "INSERT INTO scorm_commits (attempt_id, institution_id, position, revision, sequence, client_key, \
         request_hash, terminated, sets, outcome, size, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        args![
            attempt.id,
            attempt.institution_id,
            commit.position,
            commit.revision,
            commit.sequence,
            &commit.key,
            &commit.request_hash,
            commit.terminated,
            sets,
            outcome,
            size,
            commit.at,
        ],
    )
    .await?;
    tx.exec(
        "DELETE FROM scorm_commits WHERE institution_id = $1 AND attempt_id = $2 AND (position <= $3 OR position <= ( \
           SELECT COALESCE(MAX(sums.position), 0) FROM ( \
             SELECT position, SUM(size) OVER (ORDER BY position DESC) AS total FROM scorm_commits \
             WHERE institution_id = $1 AND attempt_id = $2) sums WHERE sums.total > $4))",
        args![attempt.institution_id, attempt.id, commit.position - MOST_COMMITS, MOST_COMMIT_BYTES],
    )
    .await?;
    Ok(())
}

/// The commit of that key.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn by_key(
    tx: &mut Tx,
    institution: InstitutionId,
    attempt: ScormAttemptId,
    key: &str,
) -> Result<Option<Commit>> {
    let sql =
        format!("SELECT {COMMIT} FROM scorm_commits WHERE institution_id = $1 AND attempt_id = $2 AND client_key = $3");
    tx.row(&sql, args![institution, attempt, key]).await?.as_ref().map(read_commit).transpose()
}

/// The trace of an attempt, oldest first.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn commits(tx: &mut Tx, institution: InstitutionId, attempt: ScormAttemptId) -> Result<Vec<Commit>> {
    let sql =
        format!("SELECT {COMMIT} FROM scorm_commits WHERE institution_id = $1 AND attempt_id = $2 ORDER BY position");
    tx.rows(&sql, args![institution, attempt]).await?.iter().map(read_commit).collect()
}

/// What a lesson of a package launches, as its import left it.
#[derive(Debug, Clone, PartialEq)]
pub struct Launched {
    /// The package.
    pub source_id: SourceId,
    /// In its published version.
    pub version_id: VersionId,
    /// Title of the source.
    pub title: String,
    /// The import report.
    pub report: Value,
    /// The page's item, launch path, parameters and run-time facts.
    pub extra: Value,
}

/// What a lesson launches; `None` when it is no page of a package.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn launched(tx: &mut Tx, institution: InstitutionId, lesson: LessonId) -> Result<Option<Launched>> {
    let sql = "SELECT s.id AS source_id, v.id AS version_id, s.title, v.outline, d.extra FROM lessons l \
               JOIN documents d ON d.id = l.document_id AND d.institution_id = l.institution_id \
               JOIN source_versions v ON v.id = d.version_id JOIN sources s ON s.id = v.source_id \
               WHERE l.institution_id = $1 AND l.id = $2 AND d.kind = 'scorm'";
    let row = tx.row(sql, args![institution, lesson]).await?;
    row.map(|row| {
        let outline: Value = row.json("outline")?;
        Ok(Launched {
            source_id: row.id("source_id")?,
            version_id: row.id("version_id")?,
            title: row.text("title")?,
            report: outline.get("import").cloned().unwrap_or_default(),
            extra: row.json("extra")?,
        })
    })
    .transpose()
}

/// A lesson that shows a page of a package.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Which lesson.
    pub lesson_id: LessonId,
    /// The page's document.
    pub document_id: DocumentId,
    /// Title of the lesson.
    pub title: String,
    /// Title of its module.
    pub module: String,
    /// Not shown to learners.
    pub hidden: bool,
    /// The page's item, launch path, parameters and run-time facts.
    pub extra: Value,
}

/// The lessons that a version of a package gives its course, in the order of the course.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn pages(tx: &mut Tx, institution: InstitutionId, version: VersionId) -> Result<Vec<Page>> {
    let sql = "SELECT l.id AS lesson_id, d.id AS document_id, l.title, m.title AS module, l.hidden, d.extra \
               FROM documents d JOIN lessons l ON l.document_id = d.id AND l.institution_id = d.institution_id \
               JOIN modules m ON m.id = l.module_id \
               WHERE d.institution_id = $1 AND d.version_id = $2 ORDER BY m.position, m.id, l.position, l.id";
    let rows = tx.rows(sql, args![institution, version]).await?;
    rows.iter()
        .map(|row| {
            Ok(Page {
                lesson_id: row.id("lesson_id")?,
                document_id: row.id("document_id")?,
                title: row.text("title")?,
                module: row.text("module")?,
                hidden: row.flag("hidden")?,
                extra: row.json("extra")?,
            })
        })
        .collect()
}
