//! The closed list of error kinds that cross layers; a transport maps each once.

use serde::{Deserialize, Serialize};

/// What kind of failure happened, as callers must tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorKind {
    /// The request is malformed or breaks a rule of its fields.
    ValidationError,
    /// No such thing, or none that the caller may know of.
    NotFound,
    /// The state of the thing forbids it now.
    Conflict,
    /// The caller is known and may not do this.
    Forbidden,
    /// The caller is not known, or the proof is stale.
    Unauthorized,
    /// Too much, too fast.
    RateLimited,
    /// A needed part is gone for the moment; trying later helps.
    Unavailable,
    /// A defect or a broken disk; a person must look.
    Internal,
}

impl ErrorKind {
    /// The spelling used on the wire and in `error.code` unless a narrower code is given.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::ValidationError => "VALIDATION_ERROR",
            Self::NotFound => "NOT_FOUND",
            Self::Conflict => "CONFLICT",
            Self::Forbidden => "FORBIDDEN",
            Self::Unauthorized => "UNAUTHORIZED",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }
}

/// One field that was refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Path of the field in the request.
    pub field: String,
    /// What is wrong, for people.
    pub message: String,
    /// What is wrong, for programs.
    pub code: String,
}

/// A typed failure: kind for programs, message for people, details for forms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{message}")]
pub struct Error {
    /// The closed kind.
    pub kind: ErrorKind,
    /// A narrower code where one exists, else the kind's.
    pub code: String,
    /// Lowercase, no final stop, names the thing in quotes.
    pub message: String,
    /// Refused fields.
    pub details: Vec<FieldError>,
}

impl Error {
    /// An error of `kind` with the kind's own code.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, code: kind.code().into(), message: message.into(), details: Vec::new() }
    }

    /// The same error with a narrower code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// A validation error of one field.
    #[must_use]
    pub fn invalid(field: &str, code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            kind: ErrorKind::ValidationError,
            code: ErrorKind::ValidationError.code().into(),
            details: vec![FieldError { field: field.into(), message: message.clone(), code: code.into() }],
            message,
        }
    }

    /// The thing does not exist, or not for this caller.
    #[must_use]
    pub fn not_found(what: &str, name: impl std::fmt::Display) -> Self {
        Self::new(ErrorKind::NotFound, format!("no {what} \"{name}\""))
    }
}
