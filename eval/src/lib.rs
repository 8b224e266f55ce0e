//! The evaluation: questions with known answers, metrics with intervals, floors, and reports.
//!
//! It works on ports that its caller opened and a course that its caller prepared; it opens
//! nothing and prints nothing. Datasets and suites are built in.

pub mod dataset;
mod grading;
mod quiz;
mod recommendation;
pub mod replies;
pub mod report;
pub mod retrieval;
pub mod run;
pub mod scope;
mod simulated;
pub mod stats;
pub mod suite;
pub mod tenancy;

pub use run::{Check, Ports, Progress, Report, SuiteReport, run};
pub use suite::Suite;
pub use tenancy::{Tenancy, tenancy};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No suite of that name.
    #[error("no suite \"{name}\"; there are {known}")]
    NoSuite {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A suite, dataset or report is not what it should be.
    #[error("{what} is damaged: {reason}")]
    Damaged {
        /// Which.
        what: String,
        /// Why.
        reason: String,
    },
    /// A report cannot be written.
    #[error("cannot write \"{path}\"")]
    Write {
        /// Where.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The tutor failed.
    #[error(transparent)]
    Assistant(#[from] assistant::Error),
    /// The rows failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Result of the evaluation.
pub type Result<T, E = Error> = std::result::Result<T, E>;
