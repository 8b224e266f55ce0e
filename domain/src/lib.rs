//! The rules of Lyceum without I/O: what a course, a chunk, a citation, a right or an event is.
//!
//! Nothing here opens a file, a socket or a database, and nothing asks a clock: time and ids come
//! in as arguments.

#![warn(missing_docs)]

pub mod api_key;
pub mod appeal;
pub mod assessment;
pub mod calibration;
pub mod caption;
pub mod chapter;
pub mod chunk;
pub mod course;
pub mod document;
pub mod enrollment;
pub mod error;
pub mod event;
pub mod grade;
pub mod id;
pub mod ingestion;
pub mod injection;
pub mod institution;
pub mod job;
pub mod locator;
pub mod media;
pub mod model_request;
pub mod permalink;
pub mod policy;
pub mod question;
pub mod quota;
pub mod recommendation;
pub mod rubric;
pub mod scorm;
pub mod submission;
pub mod text;
pub mod transcript;
pub mod tutor;
pub mod usage;
pub mod user;
pub mod wire;
pub mod xml;
pub mod youtube;

pub use error::{Error, ErrorKind, FieldError};
pub use id::*;
pub use locator::{Locator, LocatorKind};

/// Microseconds since the Unix epoch, UTC.
pub type Micros = i64;
