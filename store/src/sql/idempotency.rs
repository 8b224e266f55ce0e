//! Rows of `idempotency`: what a key did, written in the transaction of its effect (invariant I2).

use domain::{InstitutionId, UserId};

use crate::db::{Tx, args};
use crate::error::Result;

/// The stored effect of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Hash of what was asked.
    pub request_hash: String,
    /// What came of it, JSON.
    pub response: String,
}

/// What a user's key did, if anything.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, user: UserId, key: &str) -> Result<Option<Receipt>> {
    let sql = "SELECT request_hash, response FROM idempotency \
               WHERE institution_id = $1 AND user_id = $2 AND idem_key = $3";
    let row = tx.row(sql, args![institution, user, key]).await?;
    row.map(|row| Ok(Receipt { request_hash: row.text("request_hash")?, response: row.text("response")? })).transpose()
}

/// Stores what a key did.
///
/// # Errors
/// Conflict when the key was used by another request at the same time.
pub async fn insert(tx: &mut Tx, institution: InstitutionId, user: UserId, key: &str, receipt: &Receipt) -> Result<()> {
    let now = tx.now().await?;
    tx.exec(
        "INSERT INTO idempotency (institution_id, user_id, idem_key, request_hash, status, response, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        args![institution, user, key, &receipt.request_hash, 200_i64, &receipt.response, now],
    )
    .await?;
    Ok(())
}
