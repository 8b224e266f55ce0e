//! Rows of `attempts`, `responses` and `hint_states`.

use domain::assessment::Attempt;
use domain::question::Response;
use domain::{AssessmentId, AttemptId, CourseId, InstitutionId, Micros, QuestionId, UserId};

use crate::db::{Row, Tx, args, json};
use crate::error::Result;

const COLUMNS: &str = "id, institution_id, course_id, assessment_id, user_id, preview, state, seed, started_at, \
                       deadline, submitted_at, score, most, needs_person";

fn read(row: &Row) -> Result<Attempt> {
    Ok(Attempt {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        course_id: row.id("course_id")?,
        assessment_id: row.id("assessment_id")?,
        user_id: row.id("user_id")?,
        preview: row.flag("preview")?,
        state: row.text("state")?,
        seed: row.int("seed")?,
        started_at: row.int("started_at")?,
        deadline: row.int_opt("deadline")?,
        submitted_at: row.int_opt("submitted_at")?,
        score: row.real_opt("score")?,
        most: row.real_opt("most")?,
        needs_person: row.flag("needs_person")?,
    })
}

/// Begins an attempt; false when this user has an open one at this quiz.
///
/// # Errors
/// The database refuses.
pub async fn insert(tx: &mut Tx, attempt: &Attempt) -> Result<bool> {
    let sql = format!(
        "INSERT INTO attempts ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         ON CONFLICT (assessment_id, user_id) WHERE state = 'open' DO NOTHING"
    );
    let binds = args![
        attempt.id,
        attempt.institution_id,
        attempt.course_id,
        attempt.assessment_id,
        attempt.user_id,
        attempt.preview,
        &attempt.state,
        attempt.seed,
        attempt.started_at,
        attempt.deadline,
        attempt.submitted_at,
        attempt.score,
        attempt.most,
        attempt.needs_person,
    ];
    Ok(tx.exec(&sql, binds).await? > 0)
}

/// The attempt of that id.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: AttemptId) -> Result<Option<Attempt>> {
    let sql = format!("SELECT {COLUMNS} FROM attempts WHERE institution_id = $1 AND id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// The attempts at a quiz, of one user or of all, oldest first.
///
/// # Errors
/// The database refuses.
pub async fn list(
    tx: &mut Tx,
    institution: InstitutionId,
    assessment: AssessmentId,
    user: Option<UserId>,
) -> Result<Vec<Attempt>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM attempts WHERE institution_id = $1 AND assessment_id = $2 \
         AND ($3 IS NULL OR user_id = $3) ORDER BY started_at, id"
    );
    tx.rows(&sql, args![institution, assessment, user]).await?.iter().map(read).collect()
}

/// A stored response.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// To which question.
    pub question_id: QuestionId,
    /// In which version.
    pub question_version: i64,
    /// Given by the client.
    pub seq: i64,
    /// What was answered.
    pub response: Response,
    /// When it was saved.
    pub saved_at: Micros,
    /// Share of the points.
    pub fraction: Option<f64>,
}

/// Saves a response unless a newer one is there; yields whether it was written.
///
/// # Errors
/// The database refuses.
pub async fn save(tx: &mut Tx, institution: InstitutionId, attempt: AttemptId, saved: &Saved) -> Result<bool> {
    let written = tx
        .exec(
            "INSERT INTO responses (attempt_id, institution_id, question_id, question_version, seq, response, saved_at, \
             fraction) VALUES ($1, $2, $3, $4, $5, $6, $7, NULL) \
             ON CONFLICT (attempt_id, question_id) DO UPDATE SET question_version = excluded.question_version, \
             seq = excluded.seq, response = excluded.response, saved_at = excluded.saved_at \
             WHERE responses.seq < excluded.seq",
            args![
                attempt,
                institution,
                saved.question_id,
                saved.question_version,
                saved.seq,
                json(&saved.response)?,
                saved.saved_at,
            ],
        )
        .await?;
    Ok(written > 0)
}

/// The responses of an attempt.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn responses(tx: &mut Tx, institution: InstitutionId, attempt: AttemptId) -> Result<Vec<Saved>> {
    let sql = "SELECT question_id, question_version, seq, response, saved_at, fraction FROM responses \
               WHERE institution_id = $1 AND attempt_id = $2 ORDER BY question_id";
    let rows = tx.rows(sql, args![institution, attempt]).await?;
    rows.iter()
        .map(|row| {
            Ok(Saved {
                question_id: row.id("question_id")?,
                question_version: row.int("question_version")?,
                seq: row.int("seq")?,
                response: row.json("response")?,
                saved_at: row.int("saved_at")?,
                fraction: row.real_opt("fraction")?,
            })
        })
        .collect()
}

/// Writes what a response was worth.
///
/// # Errors
/// The database refuses.
pub async fn mark(
    tx: &mut Tx,
    institution: InstitutionId,
    attempt: AttemptId,
    question: QuestionId,
    fraction: Option<f64>,
) -> Result<()> {
    tx.exec(
        "UPDATE responses SET fraction = $4 WHERE institution_id = $1 AND attempt_id = $2 AND question_id = $3",
        args![institution, attempt, question, fraction],
    )
    .await?;
    Ok(())
}

/// Ends an open attempt with its score; false when it was not open.
///
/// # Errors
/// The database refuses.
pub async fn submit(tx: &mut Tx, attempt: &Attempt) -> Result<bool> {
    let changed = tx
        .exec(
            "UPDATE attempts SET state = 'submitted', submitted_at = $3, score = $4, most = $5, needs_person = $6 \
             WHERE institution_id = $1 AND id = $2 AND state = 'open'",
            args![
                attempt.institution_id,
                attempt.id,
                attempt.submitted_at,
                attempt.score,
                attempt.most,
                attempt.needs_person
            ],
        )
        .await?;
    Ok(changed > 0)
}

/// Writes the score of a submitted attempt anew, after a person judged a part of it.
///
/// # Errors
/// The database refuses.
pub async fn rescore(
    tx: &mut Tx,
    institution: InstitutionId,
    attempt: AttemptId,
    score: f64,
    needs_person: bool,
) -> Result<()> {
    tx.exec(
        "UPDATE attempts SET score = $3, needs_person = $4 \
         WHERE institution_id = $1 AND id = $2 AND state = 'submitted'",
        args![institution, attempt, score, needs_person],
    )
    .await?;
    Ok(())
}

/// Wrong answers of a user to a question, and when the first was; nothing when there was none.
///
/// # Errors
/// The database refuses.
pub async fn wrong(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    question: QuestionId,
) -> Result<Option<(i64, Micros)>> {
    let sql = "SELECT wrong, first_wrong_at FROM hint_states \
               WHERE institution_id = $1 AND user_id = $2 AND question_id = $3";
    let row = tx.row(sql, args![institution, user, question]).await?;
    row.map(|row| Ok((row.int("wrong")?, row.int("first_wrong_at")?))).transpose()
}

/// Counts one wrong answer more.
///
/// # Errors
/// The database refuses.
pub async fn count_wrong(tx: &mut Tx, institution: InstitutionId, user: UserId, question: QuestionId) -> Result<()> {
    let now = tx.now().await?;
    tx.exec(
        "INSERT INTO hint_states (user_id, institution_id, question_id, wrong, first_wrong_at) VALUES ($1, $2, $3, 1, $4) \
         ON CONFLICT (user_id, question_id) DO UPDATE SET wrong = hint_states.wrong + 1",
        args![user, institution, question, now],
    )
    .await?;
    Ok(())
}

/// Whether this user has an open attempt at a quiz with this question.
///
/// # Errors
/// The database refuses.
pub async fn is_being_taken(
    tx: &mut Tx,
    institution: InstitutionId,
    user: UserId,
    question: QuestionId,
) -> Result<bool> {
    let sql = "SELECT a.id FROM attempts a JOIN assessment_items i ON i.assessment_id = a.assessment_id \
               WHERE a.institution_id = $1 AND a.user_id = $2 AND a.state = 'open' AND i.question_id = $3";
    Ok(tx.row(sql, args![institution, user, question]).await?.is_some())
}

/// Whether this user has an open attempt at any quiz of the course.
///
/// # Errors
/// The database refuses.
pub async fn is_open(tx: &mut Tx, institution: InstitutionId, course: CourseId, user: UserId) -> Result<bool> {
    let sql = "SELECT id FROM attempts WHERE institution_id = $1 AND course_id = $2 AND user_id = $3 AND state = 'open' LIMIT 1";
    Ok(tx.row(sql, args![institution, course, user]).await?.is_some())
}
