//! What was fetched, kept for a while: a second run asks the site only for what failed or is too old.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::FLOOR;
use super::info::Meta;
use super::recording::{Captions, Recording, Wanted};
use crate::source::Outside;

/// Raised when what is kept changes its form or its making.
const FORM: u32 = 1;
/// Largest record that is read.
const LARGEST: u64 = 64 << 20;

#[derive(Serialize, Deserialize)]
struct Record {
    /// Seconds since 1970.
    at: u64,
    meta: Meta,
    captions: Captions,
}

/// The cache of one recording in the wanted languages.
pub(in crate::source) struct Cache {
    folder: PathBuf,
    key: String,
    age: Duration,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Cache {
    /// The cache of a recording, when there is a folder for one.
    pub(in crate::source) fn of(outside: &Outside, wanted: &Wanted<'_>) -> Option<Self> {
        let (provider, id, languages) = (wanted.provider, wanted.id, outside.languages.join(","));
        let key = Sha256::digest(format!("{FORM}\n{FLOOR:?}\n{provider}\n{id}\n{languages}"));
        Some(Self { folder: outside.cache.clone()?, key: hex::encode(key), age: outside.cache_age })
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.key))
    }

    /// What is kept and not too old; with its recording when that is wanted.
    pub(in crate::source) fn get(&self, rights: bool) -> Option<Recording> {
        let file = self.file("json");
        if std::fs::metadata(&file).ok()?.len() > LARGEST {
            return None;
        }
        let record: Record = serde_json::from_slice(&std::fs::read(&file).ok()?).ok()?;
        // A record of the future was written by a wrong clock.
        let age = now().checked_sub(record.at)?;
        let media = Some(self.file("mp4")).filter(|file| rights && file.is_file());
        let fresh = age < self.age.as_secs() && (!rights || media.is_some());
        fresh.then_some(Recording { meta: record.meta, captions: record.captions, media, warnings: Vec::new() })
    }

    /// Keeps a recording. A cache that cannot be written costs a second fetch and nothing else.
    pub(in crate::source) fn put(&self, recording: &mut Recording) {
        let record = Record {
            at: now(),
            meta: recording.meta.clone(),
            captions: Captions {
                language: recording.captions.language.clone(),
                automatic: recording.captions.automatic,
                languages: recording.captions.languages.clone(),
                vtt: recording.captions.vtt.clone(),
            },
        };
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(&self.folder)?;
            let part = tempfile::NamedTempFile::new_in(&self.folder)?;
            serde_json::to_writer(part.as_file(), &record)?;
            part.persist(self.file("json")).map_err(|error| error.error)?;
            Ok(())
        };
        if let Err(error) = write() {
            tracing::warn!(%error, "a fetched recording could not be cached");
            return;
        }
        if let Some(media) = &recording.media
            && std::fs::rename(media, self.file("mp4")).is_ok()
        {
            recording.media = Some(self.file("mp4"));
        }
    }
}

/// Removes what is too old to be used again.
pub(in crate::source) fn prune(folder: &Path, age: Duration) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let written = entry.metadata().and_then(|state| state.modified()).ok();
        let old = written.and_then(|written| written.elapsed().ok()).is_some_and(|since| since > age);
        if old && let Err(error) = std::fs::remove_file(entry.path()) {
            tracing::warn!(%error, "an old file of the cache could not be removed");
        }
    }
}
