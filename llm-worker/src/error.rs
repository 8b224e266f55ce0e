//! What goes wrong while fetching, checking, loading and serving models.

use std::path::PathBuf;

use domain::ErrorKind;

/// A failure of the worker or of its model files.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalog has no such model.
    #[error("no model \"{0}\" in the catalog")]
    UnknownModel(String),
    /// The catalog cannot be read.
    #[error("cannot read the model catalog")]
    Catalog(#[from] toml::de::Error),
    /// A file has to be fetched first.
    #[error("\"{}\" is not there; run \"lyceum model pull\"", .0.display())]
    Missing(PathBuf),
    /// A file is not the one that the catalog or the settings name: damaged or exchanged.
    #[error(
        "\"{}\" is refused: its sha256 is {found} instead of {expected}; delete it and fetch it again (\"lyceum model pull\")",
        path.display()
    )]
    Tampered { path: PathBuf, expected: String, found: String },
    /// No source could deliver.
    #[error("cannot fetch \"{name}\": {}", reasons.join("; "))]
    Fetch { name: String, reasons: Vec<String> },
    /// A program that was called failed.
    #[error("{0}")]
    Program(String),
    /// The disk said no.
    #[error("cannot {action} \"{}\"", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The model or its runtime cannot be loaded.
    #[error("cannot load {what}: {reason}")]
    Load { what: String, reason: String },
    /// A text could not be cut into tokens.
    #[error("cannot tokenize: {0}")]
    Tokenize(String),
    /// The gateway cannot be reached or refused this worker.
    #[error("{0}")]
    Connection(String),
}

impl Error {
    /// The kind that a transport maps.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownModel(_) => ErrorKind::NotFound,
            Self::Catalog(_) | Self::Io { .. } | Self::Tampered { .. } => ErrorKind::Internal,
            Self::Missing(_)
            | Self::Fetch { .. }
            | Self::Program(_)
            | Self::Load { .. }
            | Self::Tokenize(_)
            | Self::Connection(_) => ErrorKind::Unavailable,
        }
    }

    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn load(what: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Load { what: what.into(), reason: reason.to_string() }
    }
}
