//! Rows of `uploads`: files that come in pieces, until they are ingested.

use domain::{CourseId, InstitutionId, Micros, UploadId, UserId};

use crate::db::{Row, Tx, args};
use crate::error::Result;

const COLUMNS: &str = "id, institution_id, course_id, user_id, name, length, created_at, expires_at";

/// A file that comes in pieces. How much of it is there, the disk says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// The course that it will be ingested into.
    pub course_id: CourseId,
    /// Who began it.
    pub user_id: UserId,
    /// What its sender calls it, fit to be shown.
    pub name: String,
    /// Bytes of the whole file.
    pub length: i64,
    /// When it was begun.
    pub created_at: Micros,
    /// When it is given up.
    pub expires_at: Micros,
}

fn read(row: &Row) -> Result<Upload> {
    Ok(Upload {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        course_id: row.id("course_id")?,
        user_id: row.id("user_id")?,
        name: row.text("name")?,
        length: row.int("length")?,
        created_at: row.int("created_at")?,
        expires_at: row.int("expires_at")?,
    })
}

/// Adds an upload.
///
/// # Errors
/// The database refuses.
pub async fn insert(tx: &mut Tx, upload: &Upload) -> Result<()> {
    let sql = format!("INSERT INTO uploads ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)");
    let values = args![
        upload.id,
        upload.institution_id,
        upload.course_id,
        upload.user_id,
        &upload.name,
        upload.length,
        upload.created_at,
        upload.expires_at
    ];
    tx.exec(&sql, values).await.map(|_| ())
}

/// The upload of that id.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: UploadId) -> Result<Option<Upload>> {
    let sql = format!("SELECT {COLUMNS} FROM uploads WHERE institution_id = $1 AND id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// Bytes of the uploads that an institution has, those included that have yet to come.
///
/// # Errors
/// The database refuses.
pub async fn bytes(tx: &mut Tx, institution: InstitutionId) -> Result<i64> {
    let sql = "SELECT CAST(COALESCE(SUM(length), 0) AS BIGINT) AS bytes FROM uploads WHERE institution_id = $1";
    tx.row(sql, args![institution]).await?.map_or(Ok(0), |row| row.int("bytes"))
}

/// How many uploads an institution has.
///
/// # Errors
/// The database refuses.
pub async fn count(tx: &mut Tx, institution: InstitutionId) -> Result<i64> {
    let row = tx.row("SELECT COUNT(*) AS uploads FROM uploads WHERE institution_id = $1", args![institution]).await?;
    row.map_or(Ok(0), |row| row.int("uploads"))
}

/// The uploads of an institution that are to be given up, at most a hundred.
///
/// # Errors
/// The database refuses.
pub async fn expired(tx: &mut Tx, institution: InstitutionId, now: Micros) -> Result<Vec<Upload>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM uploads WHERE institution_id = $1 AND expires_at < $2 ORDER BY expires_at LIMIT 100"
    );
    tx.rows(&sql, args![institution, now]).await?.iter().map(read).collect()
}

/// Deletes an upload; false when it was not there.
///
/// # Errors
/// The database refuses.
pub async fn delete(tx: &mut Tx, institution: InstitutionId, id: UploadId) -> Result<bool> {
    let deleted = tx.exec("DELETE FROM uploads WHERE institution_id = $1 AND id = $2", args![institution, id]).await?;
    Ok(deleted > 0)
}
