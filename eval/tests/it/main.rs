//! The evaluation over real stores, with the small course and the worker of the assistant's tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test may panic"
)]

#[path = "../../../assistant/tests/it/fixture.rs"]
#[allow(dead_code, reason = "the fixture serves more tests than these")]
mod fixture;
mod grading;
mod replies;
mod reports;
mod tenancy;
