//! Turns sources (folders, git, SCORM, documents, video) into courses of chunks with places.
//!
//! Parsers are pure functions from bytes to [`domain::document::Document`]; the hostile formats run
//! in a child process ([`sandbox`]). [`Pipeline`] drives the stages through the store's queue.
//! Answering and calibrating belong to the assistant.

pub mod chunk;
pub mod media;
pub mod pack;
pub mod parse;
pub mod pipeline;
pub mod safe_client;
pub mod sandbox;
pub mod source;
pub mod speech;

pub use pipeline::{AfterIndex, IngestRequest, LoadReport, PackReport, Pipeline, Plan, Progress};
