//! The queries, one file per aggregate.

pub mod blob;
pub mod event;
pub mod job;
