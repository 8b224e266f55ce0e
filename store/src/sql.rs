//! The queries, one file per aggregate.

pub mod audit;
pub mod blob;
mod bulk;
pub mod chunk;
pub mod course;
pub(crate) mod course_vector;
pub mod document;
pub mod embedding;
pub mod enrollment;
pub mod event;
pub(crate) mod filter;
pub mod gate;
pub mod idempotency;
pub mod ingestion;
pub mod institution;
pub mod job;
pub mod learning;
pub mod lesson;
pub mod role;
pub mod search;
pub mod source;
pub mod token;
pub mod user;
pub(crate) mod verify;
pub mod version;
