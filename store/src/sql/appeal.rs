//! Rows of `appeals`.

use domain::appeal::{Appeal, Outcome};
use domain::{AppealId, CourseId, InstitutionId, SubmissionId, UserId};

use crate::db::{Row, Tx, args};
use crate::error::{Error, Result};

const COLUMNS: &str = "id, institution_id, course_id, submission_id, grade_id, criterion, user_id, text, outcome, \
                       answer, created_at, due_at, answered_at";

fn read(row: &Row) -> Result<Appeal> {
    let outcome = row.text("outcome")?;
    let damaged = || Error::Damaged { column: "outcome".into(), reason: format!("\"{outcome}\" is no outcome") };
    Ok(Appeal {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        course_id: row.id("course_id")?,
        submission_id: row.id("submission_id")?,
        grade_id: row.id("grade_id")?,
        criterion: row.text_opt("criterion")?,
        user_id: row.id("user_id")?,
        text: row.text("text")?,
        outcome: Outcome::parse(&outcome).ok_or_else(damaged)?,
        answer: row.text_opt("answer")?,
        created_at: row.int("created_at")?,
        due_at: row.int("due_at")?,
        answered_at: row.int_opt("answered_at")?,
    })
}

/// Opens an appeal; false when the submission has an open one.
///
/// # Errors
/// The database refuses.
pub async fn insert(tx: &mut Tx, appeal: &Appeal) -> Result<bool> {
    let sql = format!(
        "INSERT INTO appeals ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         ON CONFLICT (submission_id) WHERE outcome = 'open' DO NOTHING"
    );
    let binds = args![
        appeal.id,
        appeal.institution_id,
        appeal.course_id,
        appeal.submission_id,
        appeal.grade_id,
        appeal.criterion.clone(),
        appeal.user_id,
        &appeal.text,
        appeal.outcome.as_str(),
        appeal.answer.clone(),
        appeal.created_at,
        appeal.due_at,
        appeal.answered_at,
    ];
    Ok(tx.exec(&sql, binds).await? > 0)
}

/// The appeal of that id.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: AppealId) -> Result<Option<Appeal>> {
    let sql = format!("SELECT {COLUMNS} FROM appeals WHERE institution_id = $1 AND id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// The appeals of a submission, oldest first.
///
/// # Errors
/// The database refuses.
pub async fn of_submission(tx: &mut Tx, institution: InstitutionId, id: SubmissionId) -> Result<Vec<Appeal>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM appeals WHERE institution_id = $1 AND submission_id = $2 ORDER BY created_at, id"
    );
    tx.rows(&sql, args![institution, id]).await?.iter().map(read).collect()
}

/// The appeals of a course, those due first at the top.
///
/// # Errors
/// The database refuses.
pub async fn list(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    outcome: Option<Outcome>,
) -> Result<Vec<Appeal>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM appeals WHERE institution_id = $1 AND course_id = $2 \
         AND ($3 IS NULL OR outcome = $3) ORDER BY due_at, id LIMIT 1000"
    );
    let outcome = outcome.map(|one| one.as_str().to_owned());
    tx.rows(&sql, args![institution, course, outcome]).await?.iter().map(read).collect()
}

/// Answers an open appeal; false when it was answered.
///
/// # Errors
/// The database refuses.
pub async fn answer(tx: &mut Tx, appeal: &Appeal, by: UserId) -> Result<bool> {
    let changed = tx
        .exec(
            "UPDATE appeals SET outcome = $3, answer = $4, answered_by = $5, answered_at = $6 \
             WHERE institution_id = $1 AND id = $2 AND outcome = 'open'",
            args![
                appeal.institution_id,
                appeal.id,
                appeal.outcome.as_str(),
                appeal.answer.clone(),
                by,
                appeal.answered_at,
            ],
        )
        .await?;
    Ok(changed > 0)
}
