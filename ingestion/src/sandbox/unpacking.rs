//! The files of a package on their way from the child into a folder, each under a number.
//!
//! No name of the archive ever becomes a name of a file here.

use std::path::{Path, PathBuf};

use domain::ingestion::{Failure, failure};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::Unpacked;
use crate::parse::archive::Limits;

/// What has arrived.
pub(super) struct Unpacking<'a> {
    pub(super) folder: Option<&'a Path>,
    pub(super) open: Option<Open>,
    pub(super) done: Vec<Unpacked>,
    /// Bytes of all files; counted here too, whatever the child says.
    pub(super) size: u64,
}

/// The file whose bytes arrive.
pub(super) struct Open {
    path: String,
    file: tokio::fs::File,
    bytes: PathBuf,
    hash: Sha256,
}

fn cannot(error: &std::io::Error) -> Failure {
    let message = format!("the files of the package cannot be kept: {error}; check free space and permissions");
    Failure::new(failure::INTERNAL, message)
}

impl Unpacking<'_> {
    /// Takes the next bytes, of the file that is named or of the one that is open.
    pub(super) async fn take(&mut self, path: Option<String>, body: &[u8]) -> Result<(), Failure> {
        let Some(folder) = self.folder else { return Ok(()) };
        let limits = Limits::default();
        if let Some(path) = path {
            self.shut().await?;
            if self.done.len() as u64 >= limits.entries {
                return Err(Failure::new(failure::TOO_LARGE, "the package has too many files"));
            }
            let bytes = folder.join(self.done.len().to_string());
            let file = tokio::fs::File::create(&bytes).await.map_err(|error| cannot(&error))?;
            self.open = Some(Open { path, file, bytes, hash: Sha256::new() });
        }
        self.size = self.size.saturating_add(body.len() as u64);
        if self.size > limits.total {
            return Err(Failure::new(failure::TOO_LARGE, "the files of the package are too large together"));
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        open.hash.update(body);
        open.file.write_all(body).await.map_err(|error| cannot(&error))
    }

    async fn shut(&mut self) -> Result<(), Failure> {
        if let Some(mut open) = self.open.take() {
            open.file.flush().await.map_err(|error| cannot(&error))?;
            let sha256 = hex::encode(open.hash.finalize());
            self.done.push(Unpacked { path: open.path, bytes: open.bytes, sha256 });
        }
        Ok(())
    }

    /// Everything that arrived.
    pub(super) async fn end(mut self) -> Result<Vec<Unpacked>, Failure> {
        self.shut().await?;
        Ok(self.done)
    }
}
