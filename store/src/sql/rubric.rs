//! Rows of `rubrics`: a row a version, none is ever changed.

use domain::rubric::Rubric;
use domain::{InstitutionId, QuestionId, UserId};

use crate::db::{Tx, args, json};
use crate::error::Result;

/// The rubric of a question in that version, or the newest; `None` when nobody wrote one.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn get(
    tx: &mut Tx,
    institution: InstitutionId,
    question: QuestionId,
    version: Option<i64>,
) -> Result<Option<Rubric>> {
    let sql = "SELECT rubric FROM rubrics WHERE institution_id = $1 AND question_id = $2 \
               AND ($3 IS NULL OR version = $3) ORDER BY version DESC LIMIT 1";
    let row = tx.row(sql, args![institution, question, version]).await?;
    row.map(|row| row.json("rubric")).transpose()
}

/// Adds a version.
///
/// # Errors
/// Conflict when that version is there.
pub async fn insert(tx: &mut Tx, institution: InstitutionId, rubric: &Rubric, by: Option<UserId>) -> Result<()> {
    let now = tx.now().await?;
    tx.exec(
        "INSERT INTO rubrics (question_id, institution_id, version, rubric, created_by, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
        args![rubric.question, institution, rubric.version, json(rubric)?, by, now],
    )
    .await?;
    Ok(())
}
