//! Rows of `proposals`, `grades` and `releases`. The last two are only added; the database sees to it.

use domain::grade::{Grade, Proposal};
use domain::{GradeId, InstitutionId, Micros, ProposalId, QuestionId, SubmissionId, UserId};

use crate::db::{Row, Tx, args, json};
use crate::error::Result;

/// A stored proposal.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposed {
    /// Identity.
    pub id: ProposalId,
    /// What is proposed.
    pub proposal: Proposal,
    /// Hash of what it was made from.
    pub inputs_hash: String,
    /// When.
    pub created_at: Micros,
}

/// Adds a proposal.
///
/// # Errors
/// The database refuses.
pub async fn propose(
    tx: &mut Tx,
    institution: InstitutionId,
    submission: SubmissionId,
    proposed: &Proposed,
) -> Result<()> {
    tx.exec(
        "INSERT INTO proposals (id, institution_id, submission_id, rubric_version, proposal, share, inputs_hash, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![
            proposed.id,
            institution,
            submission,
            proposed.proposal.rubric_version,
            json(&proposed.proposal)?,
            proposed.proposal.share,
            &proposed.inputs_hash,
            proposed.created_at,
        ],
    )
    .await?;
    Ok(())
}

/// The newest proposal for a submission.
///
/// # Errors
/// The database refuses, or the row is damaged.
pub async fn proposal(tx: &mut Tx, institution: InstitutionId, submission: SubmissionId) -> Result<Option<Proposed>> {
    let sql = "SELECT id, proposal, inputs_hash, created_at FROM proposals \
               WHERE institution_id = $1 AND submission_id = $2 ORDER BY created_at DESC, id DESC LIMIT 1";
    let row = tx.row(sql, args![institution, submission]).await?;
    row.map(|row| {
        Ok(Proposed {
            id: row.id("id")?,
            proposal: row.json("proposal")?,
            inputs_hash: row.text("inputs_hash")?,
            created_at: row.int("created_at")?,
        })
    })
    .transpose()
}

fn read(row: &Row) -> Result<Grade> {
    let released = match (row.id_opt("released_by")?, row.int_opt("released_at")?) {
        (Some(by), Some(at)) => Some((by, at)),
        _ => None,
    };
    Ok(Grade {
        id: row.id("id")?,
        submission_id: row.id("submission_id")?,
        version: row.int("version")?,
        rubric_version: row.int("rubric_version")?,
        marks: row.json("marks")?,
        share: row.real("share")?,
        points: row.real("points")?,
        most: row.real("most")?,
        comment: row.text_opt("comment")?,
        reason: row.text_opt("reason")?,
        graded_by: row.id("graded_by")?,
        graded_at: row.int("graded_at")?,
        released,
    })
}

/// Adds a grade to the history of its submission.
///
/// # Errors
/// Conflict when that version is there: somebody graded at the same moment.
pub async fn insert(
    tx: &mut Tx,
    institution: InstitutionId,
    grade: &Grade,
    proposal: Option<ProposalId>,
) -> Result<()> {
    tx.exec(
        "INSERT INTO grades (id, institution_id, submission_id, version, rubric_version, marks, share, points, most, \
         comment, reason, proposal_id, graded_by, graded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        args![
            grade.id,
            institution,
            grade.submission_id,
            grade.version,
            grade.rubric_version,
            json(&grade.marks)?,
            grade.share,
            grade.points,
            grade.most,
            grade.comment.clone(),
            grade.reason.clone(),
            proposal,
            grade.graded_by,
            grade.graded_at,
        ],
    )
    .await?;
    Ok(())
}

/// The history of a submission's grades, oldest first.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn history(tx: &mut Tx, institution: InstitutionId, submission: SubmissionId) -> Result<Vec<Grade>> {
    let sql = "SELECT g.id, g.submission_id, g.version, g.rubric_version, g.marks, g.share, g.points, g.most, \
               g.comment, g.reason, g.graded_by, g.graded_at, r.released_by, r.released_at \
               FROM grades g LEFT JOIN releases r ON r.grade_id = g.id \
               WHERE g.institution_id = $1 AND g.submission_id = $2 ORDER BY g.version";
    tx.rows(sql, args![institution, submission]).await?.iter().map(read).collect()
}

/// Releases a grade. The database refuses whoever is not an active instructor of its course.
///
/// # Errors
/// The database refuses.
pub async fn release(tx: &mut Tx, institution: InstitutionId, grade: GradeId, by: UserId) -> Result<()> {
    let now = tx.now().await?;
    tx.exec(
        "INSERT INTO releases (grade_id, institution_id, released_by, released_at) VALUES ($1, $2, $3, $4)",
        args![grade, institution, by, now],
    )
    .await?;
    Ok(())
}

/// A text that a person graded, with the last proposal that was made before.
#[derive(Debug, Clone, PartialEq)]
pub struct Graded {
    /// Which submission.
    pub submission: SubmissionId,
    /// What was handed in.
    pub text: String,
    /// Share that the person gave, current.
    pub share: f64,
    /// Marks of that grade.
    pub grade: Grade,
    /// Share that was proposed before the first grade, by the rubric of the current one.
    pub proposed: Option<f64>,
}

/// Graded submissions to a question, newest grade of each, latest first.
///
/// # Errors
/// The database refuses, or a row is damaged.
pub async fn graded(tx: &mut Tx, institution: InstitutionId, question: QuestionId, limit: i64) -> Result<Vec<Graded>> {
    let sql = "SELECT g.id, g.submission_id, g.version, g.rubric_version, g.marks, g.share, g.points, g.most, \
               g.comment, g.reason, g.graded_by, g.graded_at, NULL AS released_by, NULL AS released_at, s.text, \
               (SELECT p.share FROM proposals p WHERE p.submission_id = s.id AND p.rubric_version = g.rubric_version AND p.created_at <= \
                 (SELECT MIN(f.graded_at) FROM grades f WHERE f.submission_id = s.id) \
                 ORDER BY p.created_at DESC, p.id DESC LIMIT 1) AS proposed \
               FROM grades g JOIN submissions s ON s.id = g.submission_id \
               WHERE g.institution_id = $1 AND s.question_id = $2 \
               AND g.version = (SELECT MAX(m.version) FROM grades m WHERE m.submission_id = s.id) \
               ORDER BY g.graded_at DESC, g.id LIMIT $3";
    let rows = tx.rows(sql, args![institution, question, limit]).await?;
    rows.iter()
        .map(|row| {
            let grade = read(row)?;
            Ok(Graded {
                submission: grade.submission_id,
                text: row.text("text")?,
                share: grade.share,
                proposed: row.real_opt("proposed")?,
                grade,
            })
        })
        .collect()
}
