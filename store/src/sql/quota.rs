//! Rows of `model_quotas` (limits) and `model_quota_use` (what processes took of them).

use domain::quota::{Limits, Quota, QuotaScope, Window};
use domain::{InstitutionId, Micros, UserId};

use crate::db::{Row, Tx, args};
use crate::error::{Error, Result};

fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn read(row: &Row) -> Result<Quota> {
    let scope = row.text("scope")?;
    let scope = QuotaScope::parse(&scope)
        .ok_or_else(|| Error::Damaged { column: "model_quotas.scope".into(), reason: format!("\"{scope}\"") })?;
    let limit = |column: &str| -> Result<Option<u64>> {
        Ok(row.int_opt(column)?.map(|value| u64::try_from(value).unwrap_or(0)))
    };
    Ok(Quota {
        scope,
        scope_id: row.text("scope_id")?,
        limits: Limits {
            requests_minute: limit("requests_minute")?,
            requests_day: limit("requests_day")?,
            tokens_minute: limit("tokens_minute")?,
            tokens_day: limit("tokens_day")?,
            concurrent: limit("concurrent")?,
            share: limit("share")?,
        },
        changed_at: row.int("changed_at")?,
    })
}

/// Every limit of an institution.
///
/// # Errors
/// The database refuses.
pub async fn list(tx: &mut Tx, institution: InstitutionId) -> Result<Vec<Quota>> {
    let sql = "SELECT scope, scope_id, requests_minute, requests_day, tokens_minute, tokens_day, concurrent, share, changed_at
               FROM model_quotas WHERE institution_id = $1 ORDER BY scope, scope_id";
    tx.rows(sql, args![institution]).await?.iter().map(read).collect()
}

/// Sets the limits of a scope; all none takes its row away.
///
/// # Errors
/// The database refuses.
pub async fn set(
    tx: &mut Tx,
    institution: InstitutionId,
    scope: QuotaScope,
    scope_id: &str,
    limits: &Limits,
    by: Option<UserId>,
) -> Result<()> {
    if limits.is_empty() {
        let sql = "DELETE FROM model_quotas WHERE institution_id = $1 AND scope = $2 AND scope_id = $3";
        tx.exec(sql, args![institution, scope.as_str(), scope_id]).await?;
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO model_quotas (institution_id, scope, scope_id, requests_minute, requests_day, tokens_minute, tokens_day,
           concurrent, share, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, {})
         ON CONFLICT (institution_id, scope, scope_id) DO UPDATE SET requests_minute = EXCLUDED.requests_minute,
           requests_day = EXCLUDED.requests_day, tokens_minute = EXCLUDED.tokens_minute,
           tokens_day = EXCLUDED.tokens_day, concurrent = EXCLUDED.concurrent, share = EXCLUDED.share, changed_by = EXCLUDED.changed_by,
           changed_at = EXCLUDED.changed_at",
        tx.clock()
    );
    let values = args![
        institution,
        scope.as_str(),
        scope_id,
        limits.requests_minute.map(count),
        limits.requests_day.map(count),
        limits.tokens_minute.map(count),
        limits.tokens_day.map(count),
        limits.concurrent.map(count),
        limits.share.map(count),
        by,
    ];
    tx.exec(&sql, values).await?;
    Ok(())
}

/// One limited window of one scope.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Tenant.
    pub institution: InstitutionId,
    /// Whose use.
    pub scope: QuotaScope,
    /// Whose use.
    pub scope_id: String,
    /// Minute or day.
    pub window: Window,
    /// Its beginning.
    pub starts_at: Micros,
}

/// What of a window is taken, with its row locked until the end of the transaction.
///
/// # Errors
/// The database refuses.
pub async fn taken(tx: &mut Tx, place: &Place) -> Result<(u64, u64)> {
    // The update changes nothing: on PostgreSQL it locks the row, so that two processes take one after the other.
    let sql = "INSERT INTO model_quota_use (institution_id, scope, scope_id, period, starts_at, requests, tokens)
               VALUES ($1, $2, $3, $4, $5, 0, 0)
               ON CONFLICT (institution_id, scope, scope_id, period, starts_at)
               DO UPDATE SET requests = model_quota_use.requests
               RETURNING requests, tokens";
    let values =
        args![place.institution, place.scope.as_str(), &place.scope_id, place.window.as_str(), place.starts_at];
    let row = tx.row(sql, values).await?.ok_or_else(|| Error::Database("no row was returned".into()))?;
    let figure = |column: &str| -> Result<u64> { Ok(u64::try_from(row.int(column)?).unwrap_or(0)) };
    Ok((figure("requests")?, figure("tokens")?))
}

/// Adds to what is taken of a window, or gives back where negative. A window that is forgotten stays so.
///
/// # Errors
/// The database refuses.
pub async fn add(tx: &mut Tx, place: &Place, requests: i64, tokens: i64) -> Result<()> {
    let sql = "UPDATE model_quota_use SET
                 requests = CASE WHEN requests + $6 < 0 THEN 0 ELSE requests + $6 END,
                 tokens = CASE WHEN tokens + $7 < 0 THEN 0 ELSE tokens + $7 END
               WHERE institution_id = $1 AND scope = $2 AND scope_id = $3 AND period = $4 AND starts_at = $5";
    let values = args![
        place.institution,
        place.scope.as_str(),
        &place.scope_id,
        place.window.as_str(),
        place.starts_at,
        requests,
        tokens
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

/// Forgets windows that began before `before`: nobody asks for them any more.
///
/// # Errors
/// The database refuses.
pub async fn forget(tx: &mut Tx, window: Window, before: Micros) -> Result<u64> {
    tx.exec("DELETE FROM model_quota_use WHERE period = $1 AND starts_at < $2", args![window.as_str(), before]).await
}
