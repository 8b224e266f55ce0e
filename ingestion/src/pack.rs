//! Packs: what sources brought, in one signed file that another server loads without a network.
//!
//! A pack is a tar of `manifest.json`, `signature.json` and `blobs/SHA256` for each file of the
//! manifest, in that order and with nothing else. The signature is over the manifest, the manifest
//! has the hash of each file, so nothing is read of a pack whose key is not trusted. No name of a
//! pack ever becomes a path. Fetching and ingesting are the pipeline's (`pipeline/pack.rs`, `load.rs`).

mod key;
mod read;
mod tar;
mod write;

use std::collections::{BTreeMap, HashSet};

use domain::document::{DocumentKind, Warning};
use domain::ingestion::{Failure, SourceKind, failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::source::Outline;
pub use key::{Key, key_named};
pub(crate) use read::Reader;
pub(crate) use write::write;

/// What the manifest calls itself.
const FORMAT: &str = "lyceum-pack";
/// Raised when an older reader would misread a newer manifest.
const VERSION: u32 = 1;
/// Most bytes of a manifest.
const LARGEST_MANIFEST: u64 = 64 << 20;
/// Most files of a pack.
const MOST_FILES: usize = 200_000;
/// Most bytes of one file: what the size field of a tar can say.
const LARGEST_FILE: u64 = (8 << 30) - 1;
/// Most bytes of all files.
const LARGEST_PACK: u64 = 256 << 30;

/// What a pack holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) format: String,
    pub(crate) version: u32,
    /// The program that wrote it, for people.
    pub(crate) program: String,
    pub(crate) sources: Vec<PackedSource>,
    /// The files, in the order in which they follow.
    pub(crate) files: Vec<PackedFile>,
}

/// A file of a pack, named by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PackedFile {
    pub(crate) sha256: String,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) media_type: String,
}

/// A fetched source, its bytes by hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PackedSource {
    pub(crate) kind: SourceKind,
    /// What the source is called where it is loaded.
    pub(crate) origin: String,
    pub(crate) outline: Outline,
    pub(crate) commit: Option<String>,
    pub(crate) documents: Vec<PackedDocument>,
    /// Path and hash of every file of a package that is played.
    #[serde(default)]
    pub(crate) files: Vec<(String, String)>,
    pub(crate) warnings: Vec<Warning>,
}

/// A document of a packed source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PackedDocument {
    pub(crate) path: String,
    pub(crate) kind: DocumentKind,
    pub(crate) sha256: String,
    /// Hashes of the files that its text includes, by path.
    #[serde(default)]
    pub(crate) includes: BTreeMap<String, String>,
    /// Hash and MIME type of the recording or package beside it.
    #[serde(default)]
    pub(crate) media: Option<(String, String)>,
    #[serde(default)]
    pub(crate) extra: Value,
}

impl PackedSource {
    /// Hashes of every file that it needs.
    pub(crate) fn needed(&self) -> HashSet<&str> {
        self.documents
            .iter()
            .flat_map(|document| {
                let media = document.media.iter().map(|(sha256, _)| sha256);
                std::iter::once(&document.sha256).chain(document.includes.values()).chain(media)
            })
            .chain(self.files.iter().map(|(_, sha256)| sha256))
            .map(String::as_str)
            .collect()
    }
}

impl Manifest {
    pub(crate) fn new(sources: Vec<PackedSource>, files: Vec<PackedFile>) -> Self {
        let program = concat!("lyceum ", env!("CARGO_PKG_VERSION")).to_owned();
        Self { format: FORMAT.into(), version: VERSION, program, sources, files }
    }

    /// Bytes of all files.
    pub(crate) fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size))
    }

    /// The manifest of these bytes, with everything that it says held against the limits.
    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let wrong = |why: String| damaged(MANIFEST, &why);
        let about: Value = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        if about["format"] != FORMAT {
            return Err(wrong("it is not the manifest of a pack".into()));
        }
        if about["version"] != VERSION {
            let message = format!(
                "the pack is of version {}, this program reads version {VERSION}; update the older of the two programs",
                about["version"]
            );
            return Err(Failure::new(failure::UNSUPPORTED_FORMAT, message));
        }
        let manifest: Self = serde_json::from_value(about).map_err(|error| wrong(error.to_string()))?;
        if manifest.files.len() > MOST_FILES || manifest.size() > LARGEST_PACK {
            let message = format!("a pack holds at most {MOST_FILES} files of {} GiB together", LARGEST_PACK >> 30);
            return Err(Failure::new(failure::TOO_LARGE, message));
        }
        let mut known = HashSet::new();
        for file in &manifest.files {
            let hash = file.sha256.len() == 64 && file.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            if !hash || file.size > LARGEST_FILE || !known.insert(file.sha256.as_str()) {
                return Err(wrong(format!(
                    "the file \"{:.80}\" has no good hash or size, or stands twice",
                    file.sha256
                )));
            }
        }
        for source in &manifest.sources {
            if let Some(missing) = source.needed().into_iter().find(|sha256| !known.contains(sha256)) {
                return Err(wrong(format!(
                    "\"{}\" needs the file \"{missing:.80}\", which is not listed",
                    source.origin
                )));
            }
        }
        Ok(manifest)
    }
}

/// Names of the first two entries.
const MANIFEST: &str = "manifest.json";
const SIGNATURE: &str = "signature.json";

fn blob_name(sha256: &str) -> String {
    format!("blobs/{sha256}")
}

/// The failure of an entry that is not what it should be.
fn damaged(entry: &str, why: &str) -> Failure {
    let message = format!("the pack is damaged at \"{entry}\": {why}; copy the file again, or pack it again");
    Failure::new(failure::PACK_DAMAGED, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_says_only_what_its_limits_allow() {
        let file = |sha256: &str, size| PackedFile { sha256: sha256.into(), size, media_type: "text/plain".into() };
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let read = |manifest: &Manifest| Manifest::read(&serde_json::to_vec(manifest).unwrap());
        let good = Manifest::new(Vec::new(), vec![file(&a, 1), file(&b, 2)]);
        assert_eq!(read(&good).unwrap(), good);
        for files in [
            vec![file(&a, 1), file(&a, 1)],
            vec![file("../../etc/passwd", 1)],
            vec![file(&a.to_uppercase(), 1)],
            vec![file(&a, LARGEST_FILE + 1)],
        ] {
            assert_eq!(read(&Manifest::new(Vec::new(), files)).unwrap_err().code, "PACK_DAMAGED");
        }
        let newer = Manifest { version: 2, ..good.clone() };
        assert_eq!(read(&newer).unwrap_err().code, "UNSUPPORTED_FORMAT");
        let many = (0..40).map(|n| file(&format!("{n:064x}"), LARGEST_FILE)).collect();
        assert_eq!(read(&Manifest::new(Vec::new(), many)).unwrap_err().code, "TOO_LARGE");
        assert_eq!(Manifest::read(b"{\"format\":\"other\"}").unwrap_err().code, "PACK_DAMAGED");
        assert_eq!(Manifest::read(b"[").unwrap_err().code, "PACK_DAMAGED");
    }
}
