//! Behaviour of the worker through its public doors, with a real gateway and real models.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests may panic and say why they skip"
)]

mod embedding;
mod models;
mod pool;
mod protocol;
mod pull;
mod scripted;
