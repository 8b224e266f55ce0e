//! One error of the assistant. A model that fails is none: the assistant does without.

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Stored state failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The question cannot be asked.
    #[error(transparent)]
    Domain(#[from] domain::Error),
}

/// Result of the assistant.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What callers must tell apart.
    #[must_use]
    pub fn kind(&self) -> domain::ErrorKind {
        match self {
            Self::Store(error) => error.kind(),
            Self::Domain(error) => error.kind,
        }
    }
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(inner) => inner.into(),
            Error::Domain(inner) => inner,
        }
    }
}
