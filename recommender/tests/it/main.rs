//! Recommendations as their callers get them, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod course;
mod next;
mod prerequisite;
