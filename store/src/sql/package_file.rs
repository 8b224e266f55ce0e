//! Rows of `package_files`: which blob holds which file of a package.

use domain::{InstitutionId, VersionId};

use crate::blob::BlobRef;
use crate::db::{Tx, args};
use crate::error::Result;

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFile {
    /// Path within the package, with `/`.
    pub path: String,
    /// The blob with its bytes.
    pub blob_sha256: String,
}

/// A path as it is compared where case does not count.
#[must_use]
pub fn folded(path: &str) -> String {
    path.to_lowercase()
}

/// Adds files to a version of a package; a path that is there already stays.
///
/// # Errors
/// The database refuses.
pub async fn insert(tx: &mut Tx, institution: InstitutionId, version: VersionId, files: &[PackageFile]) -> Result<()> {
    let head = "INSERT INTO package_files (institution_id, version_id, path, folded, blob_sha256)";
    let row = |file: &PackageFile| args![institution, version, &file.path, folded(&file.path), &file.blob_sha256];
    let rows = files.iter().map(row).collect();
    super::bulk::insert(tx, head, 5, rows, "ON CONFLICT (version_id, path) DO NOTHING").await?;
    Ok(())
}

/// How many files of a version are kept.
///
/// # Errors
/// The database refuses.
pub async fn count(tx: &mut Tx, institution: InstitutionId, version: VersionId) -> Result<i64> {
    let sql = "SELECT COUNT(*) AS files FROM package_files WHERE institution_id = $1 AND version_id = $2";
    tx.row(sql, args![institution, version]).await?.map_or(Ok(0), |row| row.int("files"))
}

/// The blob of a file: of exactly that path, else of one that differs in case alone.
///
/// # Errors
/// The database refuses.
pub async fn blob(tx: &mut Tx, institution: InstitutionId, version: VersionId, path: &str) -> Result<Option<BlobRef>> {
    let sql = "SELECT b.sha256, b.storage_key, b.size, b.media_type FROM package_files f \
               JOIN blobs b ON b.institution_id = f.institution_id AND b.sha256 = f.blob_sha256 \
               WHERE f.institution_id = $1 AND f.version_id = $2 AND f.folded = $3 \
               ORDER BY CASE WHEN f.path = $4 THEN 0 ELSE 1 END, f.path LIMIT 1";
    tx.row(sql, args![institution, version, folded(path), path]).await?.as_ref().map(super::blob::read).transpose()
}
