//! Blobs in a folder: `blobs/<institution>/<two digits>/<random>`, durable by fsync of file and folder.

use std::io::{ErrorKind, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use domain::InstitutionId;
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};

use super::{BlobReader, BlobRef, Blobs, Content, Listed};
use crate::error::{Error, Result};

/// Suffix of a file that is still being written; never listed, never read.
const PARTIAL: &str = ".partial";
const BUFFER: usize = 256 * 1024;

/// The embedded adapter of the blob port.
#[derive(Debug, Clone)]
pub struct LocalBlobs {
    root: PathBuf,
}

impl LocalBlobs {
    /// Blobs in the `blobs` folder of a data directory.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self { root: data_dir.join("blobs") }
    }

    /// Removes what a crash left half written; call as the owner of the directory, before serving.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn sweep_partial(&self) -> Result<usize> {
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || {
            let mut removed = 0;
            for (path, _) in walk(&root).map_err(|source| failed("blobs", source))? {
                if path.as_os_str().as_encoded_bytes().ends_with(PARTIAL.as_bytes())
                    && std::fs::remove_file(&path).is_ok()
                {
                    removed += 1;
                }
            }
            Ok(removed)
        })
        .await
        .unwrap_or_else(|error| Err(Error::Unavailable(error.to_string())))
    }

    fn path(&self, institution: InstitutionId, key: &str) -> Result<PathBuf> {
        // Keys are made here; anything else, and any other institution's, is as good as missing.
        let parts: Vec<&str> = key.split('/').collect();
        let good = match parts.as_slice() {
            [owner, shard, name] => {
                *owner == institution.to_string()
                    && shard.len() == 2
                    && name.len() == 32
                    && [shard, name].iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
            }
            _ => false,
        };
        if good {
            Ok(self.root.join(key))
        } else {
            Err(failed(key, std::io::Error::new(ErrorKind::NotFound, "no such blob in this institution")))
        }
    }
}

#[async_trait::async_trait]
impl Blobs for LocalBlobs {
    async fn put(&self, institution: InstitutionId, content: Content, media_type: &str) -> Result<BlobRef> {
        let mut random = [0_u8; 16];
        rand::rng().fill_bytes(&mut random);
        let name = hex::encode(random);
        let shard = name.get(..2).unwrap_or("00");
        let key = format!("{institution}/{shard}/{name}");
        let path = self.root.join(&key);
        let partial = path.with_extension(PARTIAL.trim_start_matches('.'));
        match write_durably(&self.root, &path, &partial, content).await {
            Ok((sha256, size)) => Ok(BlobRef { sha256, key, size, media_type: media_type.to_owned() }),
            Err(source) => {
                // What is half written is of no use; a crash leaves it to `sweep_partial`.
                let _ = fs::remove_file(&partial).await;
                Err(failed(&key, source))
            }
        }
    }

    async fn get(&self, institution: InstitutionId, key: &str) -> Result<Bytes> {
        let path = self.path(institution, key)?;
        fs::read(path).await.map(Bytes::from).map_err(|source| failed(key, source))
    }

    async fn open_range(&self, institution: InstitutionId, key: &str, range: Option<Range<u64>>) -> Result<BlobReader> {
        let path = self.path(institution, key)?;
        let open = async {
            let mut file = File::open(path).await?;
            let size = file.metadata().await?.len();
            let range =
                range.map_or(0..size, |range| range.start.min(size)..range.end.clamp(range.start.min(size), size));
            file.seek(SeekFrom::Start(range.start)).await?;
            let length = range.end - range.start;
            Ok(BlobReader { size, range, reader: Box::pin(file.take(length)) })
        };
        open.await.map_err(|source| failed(key, source))
    }

    async fn exists(&self, institution: InstitutionId, key: &str) -> Result<bool> {
        let path = self.path(institution, key)?;
        fs::try_exists(path).await.map_err(|source| failed(key, source))
    }

    async fn delete(&self, institution: InstitutionId, key: &str) -> Result<()> {
        let path = self.path(institution, key)?;
        match fs::remove_file(path).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(failed(key, source)),
        }
    }

    async fn list(&self, institution: InstitutionId) -> Result<Vec<Listed>> {
        let root = self.root.clone();
        let folder = root.join(institution.to_string());
        let listed = tokio::task::spawn_blocking(move || -> std::io::Result<Vec<Listed>> {
            let mut listed = Vec::new();
            for (path, meta) in walk(&folder)? {
                let Ok(key) = path.strip_prefix(&root) else { continue };
                let key = key.to_string_lossy().into_owned();
                if key.ends_with(PARTIAL) {
                    continue;
                }
                let modified = meta.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                let modified_at = i64::try_from(modified.as_micros()).unwrap_or(i64::MAX);
                listed.push(Listed { key, size: meta.len(), modified_at });
            }
            listed.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(listed)
        });
        let listed = listed.await.map_err(|error| Error::Unavailable(error.to_string()))?;
        listed.map_err(|source| failed(&institution.to_string(), source))
    }
}

/// Writes beside, syncs, renames, and syncs the folders, so that a name in place always has its whole content.
async fn write_durably(root: &Path, path: &Path, partial: &Path, content: Content) -> std::io::Result<(String, u64)> {
    let folder = path.parent().unwrap_or(root);
    let made = !fs::try_exists(folder).await?;
    fs::create_dir_all(folder).await?;
    let mut file = File::create_new(partial).await?;
    let mut hash = Sha256::new();
    let mut size = 0_u64;
    match content {
        Content::Bytes(bytes) => {
            hash.update(&bytes);
            size = bytes.len() as u64;
            file.write_all(&bytes).await?;
        }
        Content::File(from) => {
            let mut from = File::open(from).await?;
            let mut buffer = vec![0_u8; BUFFER];
            loop {
                let read = from.read(&mut buffer).await?;
                let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else {
                    break;
                };
                hash.update(part);
                size += part.len() as u64;
                file.write_all(part).await?;
            }
        }
    }
    file.flush().await?;
    file.sync_all().await?;
    drop(file);
    fs::rename(partial, path).await?;
    File::open(folder).await?.sync_all().await?;
    if made {
        // New folders must survive too: their names are in their parents.
        for parent in folder.ancestors().skip(1).take(3) {
            File::open(parent).await?.sync_all().await?;
        }
    }
    Ok((hex::encode(hash.finalize()), size))
}

fn walk(folder: &Path) -> std::io::Result<Vec<(PathBuf, std::fs::Metadata)>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Ok(meta) if meta.is_dir() => folders.push(entry.path()),
                Ok(meta) => files.push((entry.path(), meta)),
                // Renamed or deleted while we looked.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(files)
}

fn failed(key: &str, source: std::io::Error) -> Error {
    Error::Blob { key: key.to_owned(), source }
}
