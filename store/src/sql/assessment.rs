//! Rows of `assessments` and their items.

use domain::assessment::{Assessment, Item};
use domain::{AssessmentId, CourseId, InstitutionId};

use crate::db::{Row, Tx, args};
use crate::error::Result;
use crate::sql::filter::Filter;

const COLUMNS: &str = "id, institution_id, course_id, title, state, lesson_id, time_limit_seconds, attempts_allowed, \
                       feedback, opens_at, closes_at, created_by, created_at, updated_at";

fn read(row: &Row) -> Result<Assessment> {
    Ok(Assessment {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        course_id: row.id("course_id")?,
        title: row.text("title")?,
        state: row.text("state")?,
        lesson_id: row.id_opt("lesson_id")?,
        time_limit_seconds: row.int_opt("time_limit_seconds")?,
        attempts_allowed: row.int_opt("attempts_allowed")?,
        feedback: row.text("feedback")?,
        opens_at: row.int_opt("opens_at")?,
        closes_at: row.int_opt("closes_at")?,
        created_by: row.id_opt("created_by")?,
        created_at: row.int("created_at")?,
        updated_at: row.int("updated_at")?,
        items: Vec::new(),
    })
}

/// Adds a quiz with its items.
///
/// # Errors
/// The database refuses.
pub async fn insert(tx: &mut Tx, quiz: &Assessment) -> Result<()> {
    let sql = format!(
        "INSERT INTO assessments ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
    );
    let binds = args![
        quiz.id,
        quiz.institution_id,
        quiz.course_id,
        &quiz.title,
        &quiz.state,
        quiz.lesson_id,
        quiz.time_limit_seconds,
        quiz.attempts_allowed,
        &quiz.feedback,
        quiz.opens_at,
        quiz.closes_at,
        quiz.created_by,
        quiz.created_at,
        quiz.updated_at,
    ];
    tx.exec(&sql, binds).await?;
    for (position, item) in (0_i64..).zip(&quiz.items) {
        tx.exec(
            "INSERT INTO assessment_items (assessment_id, institution_id, question_id, position, points) \
             VALUES ($1, $2, $3, $4, $5)",
            args![quiz.id, quiz.institution_id, item.question, position, item.points],
        )
        .await?;
    }
    Ok(())
}

/// The quiz of that id with its items.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: AssessmentId) -> Result<Option<Assessment>> {
    let sql = format!("SELECT {COLUMNS} FROM assessments WHERE institution_id = $1 AND id = $2");
    let Some(row) = tx.row(&sql, args![institution, id]).await? else { return Ok(None) };
    let mut quiz = read(&row)?;
    quiz.items = items(tx, institution, id).await?;
    Ok(Some(quiz))
}

async fn items(tx: &mut Tx, institution: InstitutionId, id: AssessmentId) -> Result<Vec<Item>> {
    let sql = "SELECT question_id, points FROM assessment_items \
               WHERE institution_id = $1 AND assessment_id = $2 ORDER BY position";
    let rows = tx.rows(sql, args![institution, id]).await?;
    rows.iter().map(|row| Ok(Item { question: row.id("question_id")?, points: row.real("points")? })).collect()
}

/// Quizzes of a course by id, with their items; unpublished ones only when asked for.
///
/// # Errors
/// The database refuses.
pub async fn list(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    drafts: bool,
    after: Option<AssessmentId>,
    limit: i64,
) -> Result<Vec<Assessment>> {
    let mut filter = Filter::new(args![institution, course]);
    let mut sql = format!("SELECT {COLUMNS} FROM assessments WHERE institution_id = $1 AND course_id = $2");
    if !drafts {
        sql.push_str(" AND state <> 'draft'");
    }
    if let Some(after) = after {
        sql.push_str(&format!(" AND id > {}", filter.bind(after)));
    }
    sql.push_str(&format!(" ORDER BY id LIMIT {}", filter.bind(limit)));
    let mut found: Vec<Assessment> = tx.rows(&sql, filter.args).await?.iter().map(read).collect::<Result<_>>()?;
    for quiz in &mut found {
        quiz.items = items(tx, institution, quiz.id).await?;
    }
    Ok(found)
}

/// Moves a quiz to another state.
///
/// # Errors
/// The database refuses.
pub async fn set_state(tx: &mut Tx, institution: InstitutionId, id: AssessmentId, state: &str) -> Result<()> {
    let now = tx.now().await?;
    tx.exec(
        "UPDATE assessments SET state = $3, updated_at = $4 WHERE institution_id = $1 AND id = $2",
        args![institution, id, state, now],
    )
    .await?;
    Ok(())
}
