//! The API through its door: HTTP requests against the service, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod auth;
mod gateway;
mod grading;
mod ingesting;
mod matrix;
mod model_api;
mod negative;
mod obedient;
mod openapi;
mod packages;
mod quizzes;
mod recording;
mod scorm;
mod shape;
mod stream;
mod world;
