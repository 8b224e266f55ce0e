//! The command line through its own door: the built binary, in temporary folders, without network.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failed test may panic, and a long one tells what it counted"
)]

mod gateway;
mod house;
mod kill;
mod learning;
mod operate;
mod pack;
mod spine;
mod support;
mod telemetry;
