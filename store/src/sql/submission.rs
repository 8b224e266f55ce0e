//! Rows of `submissions`; where one stands is read from its grades and releases.

use domain::submission::{State, Submission};
use domain::{AttemptId, CourseId, InstitutionId, QuestionId, SubmissionId, UserId};

use crate::db::{Row, Tx, args};
use crate::error::{Error, Result};
use crate::sql::filter::Filter;

/// Nobody graded it; the current grade is released; or it is not.
const STATE: &str = "CASE \
     WHEN NOT EXISTS (SELECT 1 FROM grades g WHERE g.submission_id = s.id) THEN 'waiting' \
     WHEN EXISTS (SELECT 1 FROM grades g JOIN releases r ON r.grade_id = g.id WHERE g.submission_id = s.id \
       AND g.version = (SELECT MAX(m.version) FROM grades m WHERE m.submission_id = s.id)) THEN 'released' \
     ELSE 'graded' END";
const COLUMNS: &str = "s.id, s.institution_id, s.course_id, s.question_id, s.question_version, s.attempt_id, \
                       s.user_id, s.text, s.most, s.submitted_at";

fn read(row: &Row) -> Result<Submission> {
    let state = row.text("state")?;
    let damaged = || Error::Damaged { column: "state".into(), reason: format!("\"{state}\" is no state") };
    Ok(Submission {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        course_id: row.id("course_id")?,
        question_id: row.id("question_id")?,
        question_version: row.int("question_version")?,
        attempt_id: row.id("attempt_id")?,
        user_id: row.id("user_id")?,
        text: row.text("text")?,
        most: row.real("most")?,
        submitted_at: row.int("submitted_at")?,
        state: State::parse(&state).ok_or_else(damaged)?,
    })
}

/// Adds a submission.
///
/// # Errors
/// Conflict when the attempt has one for this question.
pub async fn insert(tx: &mut Tx, one: &Submission) -> Result<()> {
    tx.exec(
        "INSERT INTO submissions (id, institution_id, course_id, question_id, question_version, attempt_id, user_id, \
         text, most, submitted_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        args![
            one.id,
            one.institution_id,
            one.course_id,
            one.question_id,
            one.question_version,
            one.attempt_id,
            one.user_id,
            &one.text,
            one.most,
            one.submitted_at,
        ],
    )
    .await?;
    Ok(())
}

/// The submission of that id.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: SubmissionId) -> Result<Option<Submission>> {
    let sql =
        format!("SELECT {COLUMNS}, {STATE} AS state FROM submissions s WHERE s.institution_id = $1 AND s.id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// Which submissions to list.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// To this question.
    pub question: Option<QuestionId>,
    /// Of this attempt.
    pub attempt: Option<AttemptId>,
    /// Of this learner.
    pub user: Option<UserId>,
    /// That stand there.
    pub state: Option<State>,
    /// After this id.
    pub after: Option<SubmissionId>,
    /// At most so many.
    pub limit: i64,
}

/// Submissions of a course, by id.
///
/// # Errors
/// The database refuses.
pub async fn list(
    tx: &mut Tx,
    institution: InstitutionId,
    course: CourseId,
    wanted: &Wanted,
) -> Result<Vec<Submission>> {
    let mut filter = Filter::new(args![institution, course]);
    let mut sql = format!(
        "SELECT {COLUMNS}, {STATE} AS state FROM submissions s WHERE s.institution_id = $1 AND s.course_id = $2"
    );
    if let Some(question) = wanted.question {
        sql.push_str(&format!(" AND s.question_id = {}", filter.bind(question)));
    }
    if let Some(attempt) = wanted.attempt {
        sql.push_str(&format!(" AND s.attempt_id = {}", filter.bind(attempt)));
    }
    if let Some(user) = wanted.user {
        sql.push_str(&format!(" AND s.user_id = {}", filter.bind(user)));
    }
    if let Some(state) = wanted.state {
        sql.push_str(&format!(" AND {STATE} = {}", filter.bind(state.as_str())));
    }
    if let Some(after) = wanted.after {
        sql.push_str(&format!(" AND s.id > {}", filter.bind(after)));
    }
    sql.push_str(&format!(" ORDER BY s.id LIMIT {}", filter.bind(wanted.limit)));
    tx.rows(&sql, filter.args).await?.iter().map(read).collect()
}
