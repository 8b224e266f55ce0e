//! Ingestion through its public doors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

mod addresses;
mod archive;
mod attacks;
mod captions;
mod chunk;
mod code;
mod data;
mod formats;
mod github;
mod html;
mod ingest_bench;
mod injection;
mod manifest;
mod markdown;
mod media;
mod media_bench;
mod operate;
mod pack;
mod package;
mod pdf;
mod pipeline;
mod recording;
mod sandbox;
mod school;
mod shared_data;
mod source;
mod testkit;
mod transcript;
mod web;
mod youtube;
