//! Why a model request failed, as callers must tell the cases apart.

use std::time::Duration;

use domain::ErrorKind;
use domain::wire::Failure;

/// A model request that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// No worker serves this model now; use what works without one.
    #[error("no worker serves the model \"{alias}\"")]
    NoModel {
        /// The model that was asked for.
        alias: String,
    },
    /// Too many requests of this class wait already.
    #[error("too many requests wait for a model; try again in {} s", retry_after.as_secs().max(1))]
    Overloaded {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// A limit of the caller is used up; others that hold may have room.
    #[error("the limit \"{limit}\" is reached; try again in {} s", retry_after.as_secs().max(1))]
    Quota {
        /// Scope and kind, as `user tokens per minute`.
        limit: String,
        /// When it has room again.
        retry_after: Duration,
    },
    /// The course uses no models.
    #[error("models are switched off for this course")]
    SwitchedOff,
    /// The time of the request was up.
    #[error("the model did not answer within the deadline")]
    Deadline,
    /// The worker went away in the middle.
    #[error("the model worker was lost")]
    WorkerLost,
    /// The model failed.
    #[error("the model failed: {0}")]
    Backend(String),
    /// The model answered, but never in the shape that was asked for; says what was wrong at last.
    #[error("the model's replies do not fit the shape that was asked for: {0}")]
    Shape(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
}

impl GatewayError {
    /// The kind that a transport maps.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoModel { .. } | Self::Deadline | Self::WorkerLost | Self::Backend(_) | Self::Shape(_) => {
                ErrorKind::Unavailable
            },
            Self::Overloaded { .. } | Self::Quota { .. } => ErrorKind::RateLimited,
            Self::SwitchedOff => ErrorKind::Forbidden,
            Self::Invalid(_) => ErrorKind::ValidationError,
        }
    }

    /// What a worker said, as callers see it.
    #[must_use]
    pub fn from_failure(failure: Failure) -> Self {
        match failure {
            Failure::NoModel { model } => Self::NoModel { alias: model },
            Failure::Invalid { message } => Self::Invalid(message),
            Failure::Deadline => Self::Deadline,
            Failure::Backend { message } => Self::Backend(message),
            Failure::Cancelled | Failure::Unknown => Self::Backend(failure.to_string()),
        }
    }
}

impl From<GatewayError> for domain::Error {
    fn from(error: GatewayError) -> Self {
        let code = match error {
            GatewayError::NoModel { .. } => "NO_MODEL",
            GatewayError::Overloaded { .. } => "MODEL_OVERLOADED",
            GatewayError::Quota { .. } => "MODEL_QUOTA",
            GatewayError::SwitchedOff => "MODELS_SWITCHED_OFF",
            GatewayError::Deadline => "MODEL_DEADLINE",
            GatewayError::WorkerLost => "MODEL_WORKER_LOST",
            GatewayError::Backend(_) => "MODEL_FAILED",
            GatewayError::Shape(_) => "MODEL_REPLY_UNUSABLE",
            GatewayError::Invalid(_) => "MODEL_REQUEST_INVALID",
        };
        Self::new(error.kind(), error.to_string()).with_code(code)
    }
}
