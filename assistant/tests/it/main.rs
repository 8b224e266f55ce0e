//! The tutor through its public door, over real stores and a worker that does as it is told.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a failed test may panic"
)]

mod answers;
mod cache;
mod fixture;
mod guards;
mod hostile;
mod likeness;
mod next_model;
mod queued;
