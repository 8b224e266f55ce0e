//! Room for a run: the disk, what the institution may store, and how many runs may work at once.

use std::collections::HashSet;

use domain::InstitutionId;
use domain::ingestion::{Failure, failure};
use serde::Serialize;
use store::queue::JobError;
use store::sql;
use store::sql::ingestion::{Ingestion, control};
use store::sql::institution::IngestLimits;

use super::Parts;
use super::run::{Outcomes, Run, Trouble};
use crate::source::{Bytes, Fetched, FetchedDocument};

/// In front of the message of a job that met a full disk.
pub(super) const FULL: &str = "DISK_FULL: ";
/// How long a run waits before it asks again whether it is its turn.
const TURN: std::time::Duration = std::time::Duration::from_secs(2);

/// Room on the disk of the data directory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disk {
    /// What a run takes, about.
    pub needed: u64,
    /// What is free; `None` where the system does not say.
    pub free: Option<u64>,
    /// What is never taken.
    pub reserve: u64,
    /// Whether it fits.
    pub enough: bool,
}

/// The room that there is for `needed` bytes.
pub(super) fn disk(parts: &Parts, needed: u64) -> Disk {
    let free = nix::sys::statvfs::statvfs(&parts.store.options().data_dir)
        .ok()
        .map(|state| state.blocks_available().saturating_mul(state.fragment_size()));
    let reserve = parts.disk_reserve;
    Disk { needed, free, reserve, enough: free.is_none_or(|free| free >= needed.saturating_add(reserve)) }
}

/// Bytes as people read them.
pub(super) fn shown(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rounded figure")]
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib >= 1024.0 { format!("{:.1} GiB", mib / 1024.0) } else { format!("{mib:.1} MiB") }
}

/// Why a run or a load does not go on without more room on the disk.
fn full(parts: &Parts, disk: &Disk, what: &str, then: &str) -> Failure {
    let data = parts.store.options().data_dir.display().to_string();
    let missing = disk.needed.saturating_add(disk.reserve).saturating_sub(disk.free.unwrap_or(0));
    let message = format!(
        "the {what} needs about {} on the disk of \"{data}\", which has {} free of which {} are kept back: free {} there, then {then}",
        shown(disk.needed),
        shown(disk.free.unwrap_or(0)),
        shown(disk.reserve),
        shown(missing)
    );
    Failure::new(failure::DISK_FULL, message)
}

/// What does not fit in what the institution may store.
fn over(limits: &IngestLimits, stored: i64, new: u64, what: &str) -> Option<Failure> {
    let (stored, most) = (u64::try_from(stored).unwrap_or(0), u64::try_from(limits.stored_bytes?).ok()?);
    (stored.saturating_add(new) > most).then(|| {
        let message = format!(
            "the institution stores {} and may store {}; this {what} adds {}: remove a source, or have the limit raised (lyceum ingest limits)",
            shown(stored),
            shown(most),
            shown(new)
        );
        Failure::new(failure::STORAGE_QUOTA, message)
    })
}

/// Checks, before anything of a pack is kept, that its files fit; one of them is there twice for a moment.
pub(super) async fn for_pack(
    parts: &Parts,
    institution: InstitutionId,
    new: u64,
    largest: u64,
) -> Result<(), domain::Error> {
    let disk = disk(parts, new.saturating_add(largest));
    for_files(parts, institution, new, disk, "pack", "load it again").await
}

/// Checks, before its first byte comes, that an uploaded file fits beside what is already on its way.
pub(super) async fn for_upload(parts: &Parts, institution: InstitutionId, new: u64) -> Result<(), domain::Error> {
    for_files(parts, institution, new, disk(parts, new), "file", "send it again").await
}

async fn for_files(
    parts: &Parts,
    institution: InstitutionId,
    new: u64,
    disk: Disk,
    what: &str,
    then: &str,
) -> Result<(), domain::Error> {
    let (limits, stored) = parts
        .store
        .read(|tx| {
            Box::pin(async move {
                let limits = sql::institution::ingest_limits(tx, institution).await?;
                let coming = sql::upload::bytes(tx, institution).await?;
                Ok((limits, sql::blob::stored(tx, institution).await?.saturating_add(coming)))
            })
        })
        .await?;
    let short = || (!disk.enough).then(|| full(parts, &disk, what, then));
    over(&limits, stored, new, what).or_else(short).map_or(Ok(()), |failure| Err(super::as_error(failure)))
}

/// A trouble that is a full disk, whatever layer said so.
pub(super) fn is_full(trouble: &Trouble) -> bool {
    // ENOSPC and EDQUOT as the standard library prints them.
    let said = |message: &str| message.contains("os error 28)") || message.contains("os error 122)");
    match trouble {
        Trouble::Failure(failure) => failure.code != failure::DISK_FULL && said(&failure.message),
        Trouble::Job(error) => error.message.starts_with(FULL) || said(&error.message),
        Trouble::Held(_) => false,
    }
}

/// Why a run that met a full disk is held.
pub(super) fn met_full(parts: &Parts) -> Failure {
    let data = parts.store.options().data_dir.display().to_string();
    let free = disk(parts, 0).free.map(shown).unwrap_or_default();
    let message = format!(
        "the disk of \"{data}\" is full ({free} free); nothing that was committed is lost: free space there, then resume the run"
    );
    Failure::new(failure::DISK_FULL, message)
}

/// Bytes of a fetched source that the institution does not store yet.
pub(super) async fn missing(parts: &Parts, institution: InstitutionId, fetched: &Fetched) -> store::Result<u64> {
    let mut sizes: Vec<(String, u64)> = Vec::new();
    let mut seen = HashSet::new();
    for document in &fetched.documents {
        let media = document.media.as_ref().map(|media| (media.sha256.clone(), document.media_size()));
        let own = (document.sha256.clone(), document.size());
        sizes.extend(std::iter::once(own).chain(media).filter(|(sha256, _)| seen.insert(sha256.clone())));
    }
    parts
        .store
        .read(move |tx| {
            Box::pin(async move {
                let mut missing = 0_u64;
                for (sha256, size) in &sizes {
                    if sql::blob::get(tx, institution, sha256).await?.is_none() {
                        missing = missing.saturating_add(*size);
                    }
                }
                Ok(missing)
            })
        })
        .await
}

impl FetchedDocument {
    /// Bytes of the document itself.
    pub(crate) fn size(&self) -> u64 {
        match &self.bytes {
            Bytes::Memory(bytes) => bytes.len() as u64,
            Bytes::File(path) => std::fs::metadata(path).map_or(0, |state| state.len()),
            Bytes::Stored(size) => *size,
        }
    }

    /// Bytes of its recording or package.
    pub(crate) fn media_size(&self) -> u64 {
        self.media.as_ref().map_or(0, |media| std::fs::metadata(&media.path).map_or(0, |state| state.len()))
    }

    /// All bytes that are kept for it.
    pub(crate) fn size_with_media(&self) -> u64 {
        let includes: usize = self.includes.values().map(Vec::len).sum();
        self.size() + self.media_size() + includes as u64
    }
}

impl Run<'_> {
    /// Waits its turn where the institution runs as many as it may: the oldest go first.
    pub(super) async fn turn(&self) -> Outcomes<()> {
        let run: Ingestion = self.ingestion.clone();
        let (limits, ahead) = self
            .parts
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let limits = sql::institution::ingest_limits(tx, run.institution_id).await?;
                    let ahead = if limits.runs.is_some() { control::ahead(tx, &run).await? } else { 0 };
                    Ok((limits, ahead))
                })
            })
            .await?;
        match limits.runs {
            Some(runs) if ahead >= runs => {
                let message = format!(
                    "RUNS_LIMIT: {ahead} runs were asked for before this one and {runs} may work at once; it begins by itself"
                );
                Err(JobError::overload(message, Some(TURN)).into())
            }
            _ => Ok(()),
        }
    }

    /// Checks, before anything is read, that the disk has its reserve.
    pub(super) fn room_to_begin(&self) -> Outcomes<()> {
        let disk = disk(self.parts, 0);
        if disk.enough { Ok(()) } else { Err(Trouble::Held(full(self.parts, &disk, "run", "resume the run"))) }
    }

    /// Checks, before anything is kept, that it fits on the disk and in what the institution may store.
    pub(super) async fn room_for(&self, fetched: &Fetched) -> Outcomes<()> {
        let institution = self.ingestion.institution_id;
        let new = missing(self.parts, institution, fetched).await?;
        let text: u64 = fetched.documents.iter().map(FetchedDocument::size).sum();
        let (limits, stored, rates) = self
            .parts
            .store
            .read(move |tx| {
                Box::pin(async move {
                    let limits = sql::institution::ingest_limits(tx, institution).await?;
                    let stored = sql::blob::stored(tx, institution).await?;
                    Ok((limits, stored, school::ingestion::control::rates(tx, institution).await?))
                })
            })
            .await?;
        if let Some(over) = over(&limits, stored, new, "source") {
            return Err(over.into());
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an estimate"
        )]
        let disk = disk(self.parts, rates.disk(new as f64, rates.chunks(text as f64)) as u64);
        if !disk.enough {
            return Err(Trouble::Held(full(self.parts, &disk, "run", "resume the run")));
        }
        let (id, documents) = (self.ingestion.id, i64::try_from(fetched.documents.len()).unwrap_or(i64::MAX));
        let bytes = i64::try_from(text).unwrap_or(i64::MAX);
        self.lease
            .checkpoint(move |tx| {
                Box::pin(async move { control::set_size(tx, institution, id, documents, bytes).await })
            })
            .await?;
        Ok(())
    }
}
