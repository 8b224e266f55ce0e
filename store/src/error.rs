//! One error of the store, mapped into the closed [`ErrorKind`].

use domain::ErrorKind;

/// What can go wrong with stored state.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule of the domain was broken inside a transaction; it was rolled back.
    #[error(transparent)]
    Domain(#[from] domain::Error),
    /// A row breaks a constraint.
    #[error("conflict with what is stored: {0}")]
    Conflict(String),
    /// The database cannot be reached or is busy.
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// The database refused a statement or returned something that a row cannot be read from.
    #[error("database error: {0}")]
    Database(String),
    /// A stored value does not parse.
    #[error("stored value of \"{column}\" is damaged: {reason}")]
    Damaged {
        /// Column or file.
        column: String,
        /// Why.
        reason: String,
    },
    /// A blob could not be read or written.
    #[error("blob \"{key}\": {source}")]
    Blob {
        /// Storage key.
        key: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The disk of the database is full; the transaction was rolled back.
    #[error("the disk of the database is full: {0}")]
    Full(String),
    /// Another process owns the data directory.
    #[error("data directory \"{0}\" is in use by another process")]
    Owned(String),
    /// Too many jobs of this kind wait in the institution.
    #[error("queue of \"{kind}\" is full: try again in {} s", retry_after.as_secs())]
    QueueFull {
        /// Kind of the job.
        kind: String,
        /// When a place should be free, from the rate at which jobs finish; at least a second.
        retry_after: std::time::Duration,
    },
    /// The lease of a job was lost; the result is discarded.
    #[error("lease lost: another worker holds this job")]
    Fenced,
}

/// Result of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// What callers must tell apart.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Domain(error) => error.kind,
            Self::Conflict(_) | Self::Fenced => ErrorKind::Conflict,
            Self::Unavailable(_) | Self::Owned(_) | Self::Full(_) => ErrorKind::Unavailable,
            Self::QueueFull { .. } => ErrorKind::RateLimited,
            Self::Blob { source, .. } if source.kind() == std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            Self::Database(_) | Self::Damaged { .. } | Self::Blob { .. } => ErrorKind::Internal,
        }
    }
}

impl Error {
    /// Whether the disk is full, of the database or of the blobs.
    #[must_use]
    pub fn disk_full(&self) -> bool {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match self {
            Self::Full(_) => true,
            Self::Blob { source, .. } => matches!(source.kind(), StorageFull | QuotaExceeded),
            _ => false,
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(inner)
                if inner.is_unique_violation() || inner.is_foreign_key_violation() || inner.is_check_violation() =>
            {
                Self::Conflict(inner.message().to_owned())
            }
            sqlx::Error::Database(inner) if inner.code().is_some_and(|code| full(&code)) => {
                Self::Full(inner.message().to_owned())
            }
            sqlx::Error::Database(inner) if inner.code().is_some_and(|code| try_later(&code)) => {
                Self::Unavailable(inner.message().to_owned())
            }
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
                Self::Unavailable(error.to_string())
            }
            _ => Self::Database(error.to_string()),
        }
    }
}

/// SQLite: full (13), and no room for the shared memory beside the log (4874). PostgreSQL: disk full (53100).
fn full(code: &str) -> bool {
    matches!(code, "13" | "4874" | "53100")
}

/// SQLite: busy (5, 261, 517). PostgreSQL: deadlock and serialisation (40), lock
/// timeout (55P03), resources (53), connection lost (08) and shutdown (57P).
fn try_later(code: &str) -> bool {
    matches!(code, "5" | "261" | "517" | "40P01" | "40001" | "55P03")
        || (code.len() == 5 && ["53", "08", "57P"].iter().any(|class| code.starts_with(class)))
}

impl From<Error> for domain::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Domain(inner) => inner,
            other => Self::new(other.kind(), other.to_string()),
        }
    }
}
