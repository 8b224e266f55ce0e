//! Rows of `tokens`: access and refresh tokens, by the hash of their secret.

use domain::{InstitutionId, Micros, TokenId, UserId};

use crate::db::{Row, Tx, args};
use crate::error::Result;

/// A token as it is stored. The secret itself is known to its holder alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Identity.
    pub id: TokenId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Whose.
    pub user_id: UserId,
    /// `access` or `refresh`; each opens only its own doors.
    pub kind: String,
    /// The login that it comes from, and the client that made it.
    pub family: String,
    /// SHA-256 of the secret, hexadecimal.
    pub secret_hash: String,
    /// When the password was given.
    pub authenticated_at: Micros,
    /// When it ends by itself.
    pub expires_at: Micros,
    /// When a refresh token was exchanged.
    pub used_at: Option<Micros>,
    /// When it was ended.
    pub revoked_at: Option<Micros>,
    /// When it was made.
    pub created_at: Micros,
}

fn read(row: &Row) -> Result<Token> {
    Ok(Token {
        id: row.id("id")?,
        institution_id: row.id("institution_id")?,
        user_id: row.id("user_id")?,
        kind: row.text("kind")?,
        family: row.text("family")?,
        secret_hash: row.text("secret_hash")?,
        authenticated_at: row.int("authenticated_at")?,
        expires_at: row.int("expires_at")?,
        used_at: row.int_opt("used_at")?,
        revoked_at: row.int_opt("revoked_at")?,
        created_at: row.int("created_at")?,
    })
}

/// Adds a token.
///
/// # Errors
/// The database refuses.
pub async fn insert(tx: &mut Tx, token: &Token) -> Result<()> {
    tx.exec(
        "INSERT INTO tokens (id, institution_id, user_id, kind, family, secret_hash, authenticated_at, expires_at, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![
            token.id,
            token.institution_id,
            token.user_id,
            &token.kind,
            &token.family,
            &token.secret_hash,
            token.authenticated_at,
            token.expires_at,
            token.created_at,
        ],
    )
    .await?;
    Ok(())
}

/// The token whose secret has this hash. The hash is the proof, so no institution is asked for.
///
/// # Errors
/// The database refuses.
pub async fn by_secret(tx: &mut Tx, secret_hash: &str) -> Result<Option<Token>> {
    let sql = "SELECT id, institution_id, user_id, kind, family, secret_hash, authenticated_at, expires_at, used_at, \
               revoked_at, created_at FROM tokens WHERE secret_hash = $1";
    tx.row(sql, args![secret_hash]).await?.as_ref().map(read).transpose()
}

/// Marks a refresh token as exchanged; false when it was already, or was ended.
///
/// # Errors
/// The database refuses.
pub async fn spend(tx: &mut Tx, institution: InstitutionId, id: TokenId, now: Micros) -> Result<bool> {
    let sql = "UPDATE tokens SET used_at = $3 \
               WHERE institution_id = $1 AND id = $2 AND used_at IS NULL AND revoked_at IS NULL";
    Ok(tx.exec(sql, args![institution, id, now]).await? > 0)
}

/// Whether a login goes on: a token of its family holds.
///
/// # Errors
/// The database refuses.
pub async fn family_lives(tx: &mut Tx, institution: InstitutionId, family: &str, now: Micros) -> Result<bool> {
    let sql = "SELECT 1 AS one FROM tokens \
               WHERE institution_id = $1 AND family = $2 AND revoked_at IS NULL AND expires_at > $3 LIMIT 1";
    Ok(tx.row(sql, args![institution, family, now]).await?.is_some())
}

/// Ends every token of a family; yields how many lived.
///
/// # Errors
/// The database refuses.
pub async fn revoke_family(tx: &mut Tx, institution: InstitutionId, family: &str, now: Micros) -> Result<u64> {
    let sql = "UPDATE tokens SET revoked_at = $3 WHERE institution_id = $1 AND family = $2 AND revoked_at IS NULL";
    tx.exec(sql, args![institution, family, now]).await
}

/// Ends every token of a user; yields how many lived.
///
/// # Errors
/// The database refuses.
pub async fn revoke_user(tx: &mut Tx, institution: InstitutionId, user: UserId, now: Micros) -> Result<u64> {
    let sql = "UPDATE tokens SET revoked_at = $3 WHERE institution_id = $1 AND user_id = $2 AND revoked_at IS NULL";
    tx.exec(sql, args![institution, user, now]).await
}

/// Deletes tokens of a user that ended before `before`, so that the table does not grow with logins.
///
/// # Errors
/// The database refuses.
pub async fn forget_ended(tx: &mut Tx, institution: InstitutionId, user: UserId, before: Micros) -> Result<u64> {
    let sql = "DELETE FROM tokens WHERE institution_id = $1 AND user_id = $2 AND expires_at < $3";
    tx.exec(sql, args![institution, user, before]).await
}
