//! Rows of `api_keys`, found by the hash of the key.

use domain::api_key::ApiKey;
use domain::{ApiKeyId, InstitutionId, Micros, UserId};

use crate::db::{Row, Tx, args};
use crate::error::Result;

const COLUMNS: &str =
    "id, institution_id, user_id, course_id, name, prefix, created_at, expires_at, revoked_at, last_used_at";

fn read(row: &Row) -> Result<ApiKey> {
    Ok(ApiKey {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        user_id: row.id("user_id")?,
        course_id: row.id_opt("course_id")?,
        name: row.text("name")?,
        prefix: row.text("prefix")?,
        created_at: row.int("created_at")?,
        expires_at: row.int_opt("expires_at")?,
        revoked_at: row.int_opt("revoked_at")?,
        last_used_at: row.int_opt("last_used_at")?,
    })
}

/// Adds a key.
///
/// # Errors
/// The database refuses.
pub async fn insert(tx: &mut Tx, key: &ApiKey, secret_hash: &str) -> Result<()> {
    tx.exec(
        "INSERT INTO api_keys (id, institution_id, user_id, course_id, name, prefix, secret_hash, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            key.id,
            key.institution_id,
            key.user_id,
            key.course_id,
            &key.name,
            &key.prefix,
            secret_hash,
            key.created_at,
            key.expires_at,
        ],
    )
    .await?;
    Ok(())
}

/// The key whose secret has this hash. The hash is the proof, so no institution is asked for.
///
/// # Errors
/// The database refuses.
pub async fn by_secret(tx: &mut Tx, secret_hash: &str) -> Result<Option<ApiKey>> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE secret_hash = $1");
    tx.row(&sql, args![secret_hash]).await?.as_ref().map(read).transpose()
}

/// The key of that id.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, id: ApiKeyId) -> Result<Option<ApiKey>> {
    let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE institution_id = $1 AND id = $2");
    tx.row(&sql, args![institution, id]).await?.as_ref().map(read).transpose()
}

/// Keys of an institution, or of one user, by id.
///
/// # Errors
/// The database refuses.
pub async fn list(
    tx: &mut Tx,
    institution: InstitutionId,
    user: Option<UserId>,
    after: Option<ApiKeyId>,
    limit: i64,
) -> Result<Vec<ApiKey>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM api_keys WHERE institution_id = $1 AND (CAST($2 AS TEXT) IS NULL OR user_id = $2)
           AND (CAST($3 AS TEXT) IS NULL OR id > $3) ORDER BY id LIMIT $4"
    );
    tx.rows(&sql, args![institution, user, after, limit]).await?.iter().map(read).collect()
}

/// How many keys of a user open anything at `now`.
///
/// # Errors
/// The database refuses.
pub async fn live(tx: &mut Tx, institution: InstitutionId, user: UserId, now: Micros) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS live FROM api_keys WHERE institution_id = $1 AND user_id = $2
               AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $3)";
    tx.row(sql, args![institution, user, now]).await?.map_or(Ok(0), |row| row.int("live"))
}

/// Ends a key; false when it was ended already.
///
/// # Errors
/// The database refuses.
pub async fn revoke(tx: &mut Tx, institution: InstitutionId, id: ApiKeyId, now: Micros) -> Result<bool> {
    let sql = "UPDATE api_keys SET revoked_at = $3 WHERE institution_id = $1 AND id = $2 AND revoked_at IS NULL";
    Ok(tx.exec(sql, args![institution, id, now]).await? > 0)
}

/// Notes that a key was used.
///
/// # Errors
/// The database refuses.
pub async fn used(tx: &mut Tx, institution: InstitutionId, id: ApiKeyId, now: Micros) -> Result<()> {
    let sql = "UPDATE api_keys SET last_used_at = $3 WHERE institution_id = $1 AND id = $2";
    tx.exec(sql, args![institution, id, now]).await?;
    Ok(())
}
