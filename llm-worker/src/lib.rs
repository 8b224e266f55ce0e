//! Runs models for a gateway: fetches and checks them, loads them, and serves them over one stream.
//!
//! The worker knows the protocol of `domain::wire` and nothing else of ours: no store, no course,
//! no learner. Everything that computes runs on threads of its own, never on those of the runtime.

pub mod backend;
pub mod cache;
pub mod catalog;
pub mod config;
pub mod dial;
pub mod error;
pub mod open;
pub mod pool;
pub mod probe;
pub mod pull;
pub mod tokenize;
pub mod upstream;
pub mod worker;

pub use backend::Backend;
pub use cache::Cache;
pub use catalog::Catalog;
pub use error::Error;
pub use open::{Engine, Opened, Precision, Settings, open_embedding};
pub use upstream::Upstream;
pub use worker::{Ended, Worker};
