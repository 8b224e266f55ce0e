//! The networked adapters against real servers, wherever one is named.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that meets the unexpected has failed"
)]

mod fake;
mod qdrant;
