//! Exit codes of the contract, and the error that carries one.

use domain::ErrorKind;

pub(crate) const OK: u8 = 0;
pub(crate) const FAILED: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const PARTIAL: u8 = 3;
pub(crate) const NOT_FOUND: u8 = 4;
pub(crate) const REFUSED: u8 = 5;
pub(crate) const TRY_LATER: u8 = 75;
pub(crate) const BAD_CONFIG: u8 = 78;

/// Why a command ended without its result.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: u8,
    /// What happened and what to do.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

impl From<domain::Error> for Failure {
    fn from(error: domain::Error) -> Self {
        let code = match error.kind {
            ErrorKind::ValidationError => USAGE,
            ErrorKind::NotFound => NOT_FOUND,
            ErrorKind::Forbidden | ErrorKind::Unauthorized => REFUSED,
            ErrorKind::RateLimited | ErrorKind::Unavailable => TRY_LATER,
            ErrorKind::Conflict | ErrorKind::Internal => FAILED,
        };
        Self { code, message: error.message }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        domain::Error::from(error).into()
    }
}

impl From<assistant::Error> for Failure {
    fn from(error: assistant::Error) -> Self {
        domain::Error::from(error).into()
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let code = if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { FAILED };
        Self { code, message: error.to_string() }
    }
}
