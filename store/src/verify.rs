//! `lyceum verify`: looks for broken invariants and names each; a healthy store has no findings.
//!
//! It reads one snapshot of the rows, then the files. It repairs nothing. The invariants are those of
//! the reliability promises (see ARCHITECTURE.md): I1 acknowledged writes, I2 idempotency keys,
//! I3 enrolments and seats, I6 consumers of the log, I7 chunks and vectors, I8 jobs and the model requests that
//! they answer, I9 blobs, I11 quotas and usage, I12 institutions, I4 and I5 marks and grades. The audit chain (I10)
//! comes with its feature. Of I11 the figures are checked for themselves: that the quotas in use are the sum of the
//! usage can only be said once no process holds a part of them.

use domain::InstitutionId;
use serde::Serialize;

use crate::blob::Blobs;
use crate::db::{Store, Tx};
use crate::error::{Error, Result};
use crate::sql::verify;

mod content;
mod files;
mod rows;

/// One broken thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which invariant: `I7`.
    pub invariant: String,
    /// What: a kind and an id.
    pub subject: String,
    /// How.
    pub message: String,
}

impl Finding {
    pub(crate) fn new(invariant: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Self { invariant: invariant.into(), subject: subject.into(), message: message.into() }
    }
}

/// The invariants that are checked today.
pub const INVARIANTS: [&str; 11] = ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I11", "I12"];

/// Checks every invariant of one institution, or of all; findings come in the order of invariant and subject.
///
/// Run it as the owner of the data directory, after the leases of dead processes were released.
///
/// # Errors
/// The database or the blobs cannot be read at all.
pub async fn verify(store: &Store, blobs: &dyn Blobs, institution: Option<InstitutionId>) -> Result<Vec<Finding>> {
    let mut findings = store.read(|tx| Box::pin(snapshot(tx, institution))).await?;
    if let Err(error) = store.write(|tx| Box::pin(verify::full_text_integrity(tx))).await {
        match error {
            Error::Database(reason) => {
                findings.push(Finding::new("I7", "full-text index", format!("is damaged: {reason}")))
            }
            other => return Err(other),
        }
    }
    findings.extend(files::check(store, blobs, institution).await?);
    findings.sort_by(|a, b| (number(a), &a.subject, &a.message).cmp(&(number(b), &b.subject, &b.message)));
    findings.dedup();
    Ok(findings)
}

async fn snapshot(tx: &mut Tx, institution: Option<InstitutionId>) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for check in verify::checks(tx) {
        findings.extend(verify::run(tx, &check, institution).await?);
    }
    findings.extend(rows::check(tx, institution).await?);
    findings.extend(content::check(tx, institution).await?);
    Ok(findings)
}

fn number(finding: &Finding) -> u32 {
    finding.invariant.trim_start_matches('I').parse().unwrap_or(u32::MAX)
}
