//! Which blob holds which content: one row per content hash within an institution.

use std::collections::HashSet;
use std::time::Duration;

use domain::InstitutionId;

use crate::blob::BlobRef;
use crate::db::{Row, Tx, args};
use crate::error::Result;
use crate::sql::job::micros;

/// Every column that names a blob by its hash: what keeps it from being collected.
pub(crate) const REFERENCES: &[(&str, &str)] = &[
    ("documents", "blob_sha256"),
    ("document_blobs", "blob_sha256"),
    ("rendition_files", "blob_sha256"),
    ("package_files", "blob_sha256"),
];

/// Notes a stored blob, and yields the one that holds this content: an older one stays and is made young again.
///
/// # Errors
/// The database refuses.
pub async fn insert(tx: &mut Tx, institution: InstitutionId, blob: &BlobRef) -> Result<BlobRef> {
    let sql = format!(
        "INSERT INTO blobs (institution_id, sha256, storage_key, size, media_type, created_at)
         VALUES ($1, $2, $3, $4, $5, {})
         ON CONFLICT (institution_id, sha256) DO UPDATE SET created_at = EXCLUDED.created_at
         RETURNING sha256, storage_key, size, media_type",
        tx.clock()
    );
    let size = i64::try_from(blob.size).unwrap_or(i64::MAX);
    let row = tx.row(&sql, args![institution, &blob.sha256, &blob.key, size, &blob.media_type]).await?;
    row.as_ref().map_or_else(|| Ok(blob.clone()), read)
}

/// Points the row of this content at another file.
///
/// # Errors
/// The database refuses.
pub async fn relocate(tx: &mut Tx, institution: InstitutionId, blob: &BlobRef) -> Result<()> {
    tx.exec(
        "UPDATE blobs SET storage_key = $3 WHERE institution_id = $1 AND sha256 = $2",
        args![institution, &blob.sha256, &blob.key],
    )
    .await?;
    Ok(())
}

/// The blob with this content hash.
///
/// # Errors
/// The database refuses.
pub async fn get(tx: &mut Tx, institution: InstitutionId, sha256: &str) -> Result<Option<BlobRef>> {
    let sql = "SELECT sha256, storage_key, size, media_type FROM blobs WHERE institution_id = $1 AND sha256 = $2";
    tx.row(sql, args![institution, sha256]).await?.as_ref().map(read).transpose()
}

/// Bytes that the institution stores.
///
/// # Errors
/// The database refuses.
pub async fn stored(tx: &mut Tx, institution: InstitutionId) -> Result<i64> {
    let sql = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) AS stored FROM blobs WHERE institution_id = $1";
    tx.row(sql, args![institution]).await?.map_or(Ok(0), |row| row.int("stored"))
}

/// Keys of every blob of the institution.
///
/// # Errors
/// The database refuses.
pub async fn keys(tx: &mut Tx, institution: InstitutionId) -> Result<HashSet<String>> {
    let rows = tx.rows("SELECT storage_key FROM blobs WHERE institution_id = $1", args![institution]).await?;
    rows.iter().map(|row| row.text("storage_key")).collect()
}

/// Deletes the rows that are older than `age` and referenced by nothing, and yields their keys.
///
/// # Errors
/// The database refuses.
pub async fn delete_unreferenced(tx: &mut Tx, institution: InstitutionId, age: Duration) -> Result<Vec<String>> {
    super::rendition::forget_orphans(tx, institution, micros(age)).await?;
    let sql = format!(
        "DELETE FROM blobs WHERE institution_id = $1 AND created_at <= {} - $2{} RETURNING storage_key",
        tx.clock(),
        nobody_references()
    );
    tx.rows(&sql, args![institution, micros(age)]).await?.iter().map(|row| row.text("storage_key")).collect()
}

/// Keys of the blobs that are older than `age` and referenced by nothing.
///
/// # Errors
/// The database refuses.
pub async fn unreferenced(tx: &mut Tx, institution: InstitutionId, age: Duration) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT storage_key FROM blobs WHERE institution_id = $1 AND created_at <= {} - $2{}",
        tx.clock(),
        nobody_references()
    );
    tx.rows(&sql, args![institution, micros(age)]).await?.iter().map(|row| row.text("storage_key")).collect()
}

fn nobody_references() -> String {
    let clause = |(table, column): &(&str, &str)| {
        format!(
            " AND NOT EXISTS (SELECT 1 FROM {table} r
                WHERE r.institution_id = blobs.institution_id AND r.{column} = blobs.sha256)"
        )
    };
    REFERENCES.iter().map(clause).collect()
}

pub(super) fn read(row: &Row) -> Result<BlobRef> {
    Ok(BlobRef {
        sha256: row.text("sha256")?,
        key: row.text("storage_key")?,
        size: u64::try_from(row.int("size")?).unwrap_or_default(),
        media_type: row.text("media_type")?,
    })
}
