//! The queries, one file per aggregate.

pub mod audit;
pub mod blob;
pub mod course;
pub mod enrollment;
pub mod event;
pub(crate) mod filter;
pub mod idempotency;
pub mod institution;
pub mod job;
pub mod lesson;
pub mod role;
pub mod token;
pub mod user;
