//! Model requests, shared out to workers that dial in.
//!
//! Callers name a class, a model and a deadline; the gateway bounds how many wait, serves the more
//! urgent class first, keeps credits for people who wait, and answers with a typed error so that a
//! caller can fall back to what works without a model. It runs no model itself, keeps nothing on
//! disk and speaks no HTTP.

#![warn(missing_docs)]

mod caller;
mod chat;
mod error;
mod forward;
mod gateway;
mod link;
mod listen;
mod options;
pub mod prefix;
mod state;
mod status;
pub mod structured;

pub use caller::{Caller, Held, Meter, Used};
pub use chat::{ChatDelta, ChatStream};
pub use error::GatewayError;
pub use forward::{Answer, AnswerBody, Direct, Forwarded, Forwarding, Weight};
pub use gateway::{Gateway, Place};
pub use link::WorkerLink;
pub use listen::ListenOptions;
pub use options::Options;
pub use status::{ClassCounters, ModelStatus, QueueStatus, WorkerStatus};
pub use structured::{Structured, Way};

pub use domain::wire::{ChatRequest, Class, Finish, Message, Role, Task};
