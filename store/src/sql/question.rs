//! Rows of `questions`.

use domain::question::{Question, State};
use domain::{CourseId, InstitutionId, Micros, QuestionId, UserId};

use crate::db::{Row, Tx, args, json};
use crate::error::{Error, Result};
use crate::sql::filter::Filter;

const COLUMNS: &str = "id, course_id, version, state, draft";

fn read(row: &Row) -> Result<Question> {
    let state = row.text("state")?;
    let damaged = || Error::Damaged { column: "state".into(), reason: format!("\"{state}\" is no state") };
    Ok(Question {
        id: row.id("id")?,
        course: row.id("course_id")?,
        version: row.int("version")?,
        state: State::parse(&state).ok_or_else(damaged)?,
        draft: row.json("draft")?,
    })
}

/// Adds a question.
///
/// # Errors
/// The database refuses.
pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    question: &Question,
    created_by: Option<UserId>,
) -> Result<()> {
    let now = tx.now().await?;
    tx.exec(
        "INSERT INTO questions (id, institution_id, course_id, version, state, type, draft, created_by, reviewed_by, \
         created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, $9, $9)",
        args![
            question.id,
            institution,
            question.course,
            question.version,
            question.state.as_str(),
            question.draft.body.type_name(),
            json(&question.draft)?,
            created_by,
            now,
        ],
    )
    .await?;
    Ok(())
}

/// The question of that id.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: QuestionId) -> Result<Option<Question>> {
    let sql = format!("SELECT {COLUMNS} FROM questions WHERE institution_id = $1 AND id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// Which questions of a course to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// In this state.
    pub state: Option<State>,
    /// After this id.
    pub after: Option<QuestionId>,
    /// At most so many.
    pub limit: i64,
}

/// Questions of a course, by id.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn list(tx: &mut Tx, institution: InstitutionId, course: CourseId, wanted: &Wanted) -> Result<Vec<Question>> {
    let mut filter = Filter::new(args![institution, course]);
    let mut sql = format!("SELECT {COLUMNS} FROM questions WHERE institution_id = $1 AND course_id = $2");
    if let Some(state) = wanted.state {
        sql.push_str(&format!(" AND state = {}", filter.bind(state.as_str())));
    }
    if let Some(after) = wanted.after {
        sql.push_str(&format!(" AND id > {}", filter.bind(after)));
    }
    sql.push_str(&format!(" ORDER BY id LIMIT {}", filter.bind(wanted.limit)));
    tx.rows(&sql, filter.args).await?.iter().map(read).collect()
}

/// All live questions of a course: those that the tutor must not answer.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn live(tx: &mut Tx, institution: InstitutionId, course: CourseId) -> Result<Vec<Question>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM questions WHERE institution_id = $1 AND course_id = $2 AND state = 'live' ORDER BY id"
    );
    tx.rows(&sql, args![institution, course]).await?.iter().map(read).collect()
}

/// Writes content and state if nobody changed the question since version `from`; false otherwise.
///
/// # Errors
/// The database refuses.
pub async fn update(
    tx: &mut Tx,
    institution: InstitutionId,
    question: &Question,
    from: i64,
    reviewed_by: Option<UserId>,
) -> Result<bool> {
    let now = tx.now().await?;
    let changed = tx
        .exec(
            "UPDATE questions SET version = $4, state = $5, type = $6, draft = $7, \
             reviewed_by = CASE WHEN $5 = 'draft' THEN NULL ELSE COALESCE($8, reviewed_by) END, updated_at = $9 \
             WHERE institution_id = $1 AND id = $2 AND version = $3",
            args![
                institution,
                question.id,
                from,
                question.version,
                question.state.as_str(),
                question.draft.body.type_name(),
                json(&question.draft)?,
                reviewed_by,
                now,
            ],
        )
        .await?;
    Ok(changed > 0)
}

/// Whether a published quiz asks this question.
///
/// # Errors
/// The database refuses.
pub async fn is_asked(tx: &mut Tx, institution: InstitutionId, id: QuestionId) -> Result<bool> {
    let sql = "SELECT a.id FROM assessments a JOIN assessment_items i ON i.assessment_id = a.id \
               WHERE a.institution_id = $1 AND i.question_id = $2 AND a.state = 'published'";
    Ok(tx.row(sql, args![institution, id]).await?.is_some())
}

/// Whether a published quiz with this question withholds its key at `now`.
///
/// # Errors
/// The database refuses.
pub async fn is_withheld(tx: &mut Tx, institution: InstitutionId, id: QuestionId, now: Micros) -> Result<bool> {
    let sql = "SELECT a.id FROM assessments a JOIN assessment_items i ON i.assessment_id = a.id \
               WHERE a.institution_id = $1 AND i.question_id = $2 AND a.state = 'published' AND (a.feedback = 'never' \
               OR (a.feedback = 'after_close' AND (a.closes_at IS NULL OR a.closes_at > $3)))";
    Ok(tx.row(sql, args![institution, id, now]).await?.is_some())
}
