//! The files of I9: every blob row has its content, and nothing lies around that nobody references.

use std::collections::HashSet;

use domain::InstitutionId;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncReadExt as _;

use super::Finding;
use crate::blob::Blobs;
use crate::db::Store;
use crate::error::{Error, Result};
use crate::sql::{blob, verify};

/// Unreferenced blobs are collected after a day; the collector may be a day late.
const UNCOLLECTED: std::time::Duration = std::time::Duration::from_secs(2 * 86_400);

struct Row {
    institution: InstitutionId,
    sha256: String,
    key: String,
    size: i64,
}

pub(super) async fn check(
    store: &Store,
    blobs: &dyn Blobs,
    institution: Option<InstitutionId>,
) -> Result<Vec<Finding>> {
    let (rows, institutions, now, idle) = store
        .read(|tx| {
            Box::pin(async move {
                let mut rows = Vec::new();
                for row in verify::blobs(tx, institution).await? {
                    // A row of no institution is a finding of I12; its file cannot be asked for.
                    if let Ok(institution) = row.id("institution_id") {
                        let (sha256, key) = (row.text("sha256")?, row.text("storage_key")?);
                        rows.push(Row { institution, sha256, key, size: row.int("size")? });
                    }
                }
                let institutions = verify::institutions(tx, institution).await?;
                let mut idle = Vec::new();
                for institution in &institutions {
                    idle.extend(blob::unreferenced(tx, *institution, UNCOLLECTED).await?);
                }
                Ok((rows, institutions, tx.now().await?, idle))
            })
        })
        .await?;
    let mut findings: Vec<Finding> = idle
        .into_iter()
        .map(|key| Finding::new("I9", format!("blob {key}"), "is referenced by nothing and was not collected"))
        .collect();
    for row in &rows {
        if let Some(message) = broken(blobs, row).await? {
            // It may have been collected since the rows were read.
            let (institution, sha256) = (row.institution, row.sha256.clone());
            let still = store.read(|tx| Box::pin(async move { blob::get(tx, institution, &sha256).await })).await?;
            if still.is_some_and(|still| still.key == row.key) {
                findings.push(Finding::new("I9", format!("blob {}", row.sha256), message));
            }
        }
    }
    let known: HashSet<&str> = rows.iter().map(|row| row.key.as_str()).collect();
    let oldest = now.saturating_sub(crate::sql::job::micros(UNCOLLECTED));
    for institution in institutions {
        for file in blobs.list(institution).await? {
            if file.modified_at < oldest && !known.contains(file.key.as_str()) {
                findings.push(Finding::new("I9", format!("blob {}", file.key), "has no row and was not collected"));
            }
        }
    }
    Ok(findings)
}

async fn broken(blobs: &dyn Blobs, row: &Row) -> Result<Option<String>> {
    let mut blob = match blobs.open_range(row.institution, &row.key, None).await {
        Ok(blob) => blob,
        Err(Error::Blob { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Some(format!("its file {} is missing", row.key)));
        }
        Err(error) => return Err(error),
    };
    if i64::try_from(blob.size).ok() != Some(row.size) {
        return Ok(Some(format!("its file {} has {} bytes instead of {}", row.key, blob.size, row.size)));
    }
    let mut hash = Sha256::new();
    let mut buffer = vec![0_u8; 256 * 1024];
    loop {
        let read = blob.reader.read(&mut buffer).await;
        let read = read.map_err(|source| Error::Blob { key: row.key.clone(), source })?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        hash.update(part);
    }
    let damaged = hex::encode(hash.finalize()) != row.sha256;
    Ok(damaged.then(|| format!("its file {} has other content", row.key)))
}
