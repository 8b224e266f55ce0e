//! One owner of a data directory: an exclusive file lock, the owner's names, and where its socket is.
//!
//! The lock is the system's and ends with the process, however it ends. What is said over the
//! socket is not decided here.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use rand::RngCore as _;
use sha2::{Digest as _, Sha256};

use crate::db::Store;
use crate::error::{Error, Result};
use crate::sql::{event, job};

/// Takes the lock of a data directory.
#[derive(Debug)]
pub struct DataDirOwner;

/// The held lock; it ends when dropped.
#[derive(Debug)]
pub struct Owner {
    _lock: File,
    data_dir: PathBuf,
    node: String,
    instance: String,
}

impl DataDirOwner {
    /// Becomes the owner of `data_dir`, making it when it is not there.
    ///
    /// # Errors
    /// [`Error::Owned`] while another process owns it.
    pub fn acquire(data_dir: &Path) -> Result<Owner> {
        let lock_path = data_dir.join("lyceum.lock");
        let failed = |source| Error::Blob { key: lock_path.display().to_string(), source };
        std::fs::create_dir_all(data_dir).map_err(failed)?;
        let mut lock =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&lock_path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Owned(data_dir.display().to_string())),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // The node's name lives in the lock file itself, written once under the lock.
        let mut node = String::new();
        lock.read_to_string(&mut node).map_err(failed)?;
        let mut node = node.trim().to_owned();
        if node.len() != 16 || !node.bytes().all(|b| b.is_ascii_hexdigit()) {
            node = random_name();
            std::io::Seek::rewind(&mut lock).map_err(failed)?;
            lock.set_len(0).map_err(failed)?;
            lock.write_all(node.as_bytes()).map_err(failed)?;
            lock.sync_all().map_err(failed)?;
        }
        let instance = format!("{node}/{}", random_name());
        Ok(Owner { _lock: lock, data_dir: data_dir.to_owned(), node, instance })
    }
}

impl Owner {
    /// Name of this process among the workers, fresh for each start.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Name of the data directory, the same over restarts.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The owned directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where the owner listens for commands that other processes forward.
    #[must_use]
    pub fn socket_path(&self) -> PathBuf {
        socket_path(&self.data_dir)
    }

    /// Releases the leases that earlier owners left behind; call once, right after the store is open.
    ///
    /// Yields how many there were.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn release_dead(&self, store: &Store) -> Result<u64> {
        let (node, instance) = (self.node.clone(), self.instance.clone());
        store
            .write(move |tx| {
                Box::pin(async move {
                    event::consumer::release_node(tx, &node, &instance).await?;
                    job::release_node(tx, &node, &instance).await
                })
            })
            .await
    }
}

/// Where the owner of `data_dir` listens; in the temporary directory when the path is too long for a socket.
#[must_use]
pub fn socket_path(data_dir: &Path) -> PathBuf {
    let full = std::fs::canonicalize(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let path = full.join("lyceum.sock");
    // The kernel's limit is 108 bytes with the closing zero on Linux, 104 on macOS.
    if path.as_os_str().len() < 100 {
        return path;
    }
    let hash = hex::encode(Sha256::digest(full.as_os_str().as_encoded_bytes()));
    std::env::temp_dir().join(format!("lyceum-{}.sock", hash.get(..16).unwrap_or_default()))
}

fn random_name() -> String {
    let mut bytes = [0_u8; 8];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}
