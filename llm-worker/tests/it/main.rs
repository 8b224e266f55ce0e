//! Behaviour of the worker through its public doors, with a real gateway and real models.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests may panic and say why they skip"
)]

mod candle_chat;
mod candle_schema;
mod connections;
mod embedding;
mod fake_server;
mod models;
mod normalise;
mod ollama_real;
mod pool;
mod protocol;
mod pull;
mod scripted;
mod servers;
mod speech;
mod tiny_gguf;
