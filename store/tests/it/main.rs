//! The store through its public doors, on both databases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that meets the unexpected has failed"
)]

mod blob;
mod bus;
mod cache;
mod group_commit;
mod ingestion;
mod job_model;
mod job_rows;
mod owner;
mod queue;
mod schema;
mod school;
mod search;
mod tenancy;
mod vector;
mod verify;
mod version;
