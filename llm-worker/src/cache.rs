//! The folder of model files: where each lies, and whether it is what the catalog says.
//!
//! A file gets its name only after its hash was checked, and is checked again before it is loaded.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::catalog::{CatalogModel, CatalogRuntime};
use crate::config;
use crate::error::Error;

/// A folder of model files, outside every clone.
#[derive(Debug, Clone)]
pub struct Cache {
    root: PathBuf,
    /// A library chosen by the administrator goes before the one in the folder.
    onnxruntime: Option<PathBuf>,
}

/// What is known of one file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FileState {
    /// There, and the hash is right.
    Verified,
    /// There, with the right size; the hash was not computed.
    Present,
    /// Not there.
    Missing,
    /// There, and not what the catalog says.
    Damaged { found: String },
}

impl Cache {
    /// The folder that the environment names.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::at(config::model_dir())
    }

    /// A folder of the caller's choice; the library that the environment names still goes first.
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), onnxruntime: config::onnxruntime() }
    }

    /// The same folder with a library of the caller's choice.
    #[must_use]
    pub fn with_onnxruntime(mut self, library: impl Into<PathBuf>) -> Self {
        self.onnxruntime = Some(library.into());
        self
    }

    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a model's files.
    #[must_use]
    pub fn model_dir(&self, model: &CatalogModel) -> PathBuf {
        self.root.join(&model.id)
    }

    /// Where the runtime library of this machine belongs.
    #[must_use]
    pub fn runtime_path(&self, runtime: &CatalogRuntime) -> PathBuf {
        self.root.join(format!("{}-{}-{}", runtime.name, runtime.version, runtime.arch)).join(&runtime.file)
    }

    /// The ONNX Runtime library to load, checked unless the administrator chose it.
    ///
    /// # Errors
    /// When there is none, or it is not what the catalog says.
    pub fn onnxruntime(&self, runtime: Option<&CatalogRuntime>) -> Result<PathBuf, Error> {
        if let Some(chosen) = &self.onnxruntime {
            return if chosen.is_file() { Ok(chosen.clone()) } else { Err(Error::Missing(chosen.clone())) };
        }
        let runtime = runtime.ok_or_else(|| {
            Error::load("ONNX Runtime", "the catalog has no library for this system; set LYCEUM_ONNXRUNTIME to one")
        })?;
        let path = self.runtime_path(runtime);
        require(&path, runtime.size, &runtime.sha256)?;
        Ok(path)
    }

    /// A model's file by name, checked.
    ///
    /// # Errors
    /// When it is missing or not what the catalog says.
    pub fn checked(&self, model: &CatalogModel, name: &str) -> Result<PathBuf, Error> {
        let file = model
            .all_files()
            .find(|file| file.name == name)
            .ok_or_else(|| Error::UnknownModel(format!("{}/{name}", model.id)))?;
        let path = self.model_dir(model).join(name);
        require(&path, file.size, &file.sha256)?;
        Ok(path)
    }
}

/// What is at `path`; the hash is computed only when `deep`.
pub(crate) fn state(path: &Path, size: u64, sha256: &str, deep: bool) -> Result<FileState, Error> {
    let Ok(metadata) = path.metadata() else { return Ok(FileState::Missing) };
    if metadata.len() != size {
        return Ok(FileState::Damaged { found: format!("{} bytes instead of {size}", metadata.len()) });
    }
    if !deep {
        return Ok(FileState::Present);
    }
    let found = sha256_of(path)?;
    Ok(if found == sha256 { FileState::Verified } else { FileState::Damaged { found } })
}

/// Ok only when the file is exactly what the catalog says.
pub(crate) fn require(path: &Path, size: u64, sha256: &str) -> Result<(), Error> {
    match state(path, size, sha256, true)? {
        FileState::Verified | FileState::Present => Ok(()),
        FileState::Missing => Err(Error::Missing(path.to_owned())),
        FileState::Damaged { found } => {
            Err(Error::Tampered { path: path.to_owned(), expected: sha256.to_owned(), found })
        }
    }
}

/// The sha256 of a file, in hexadecimal.
pub(crate) fn sha256_of(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(Error::io("read", path))?;
        if count == 0 {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(buffer.get(..count).unwrap_or_default());
    }
}
