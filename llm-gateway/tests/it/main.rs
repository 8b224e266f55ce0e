//! Behaviour of the gateway through its public doors, with hand-made workers on both kinds of stream.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]

mod listen;
mod queue;
mod schedule;
mod structured;
mod worker;
