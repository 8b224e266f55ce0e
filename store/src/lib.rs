//! Every outside state behind ports: rows, blobs, vectors, bus, cache and queue, with their embedded adapters.
//!
//! Only this crate names sqlx. One set of queries runs on SQLite and PostgreSQL; a caller gets a
//! transaction ([`Tx`]) from [`Store::read`] or [`Store::write`] and passes it to the functions of [`sql`].

#![warn(missing_docs)]

pub mod blob;
pub mod bus;
pub mod cache;
mod db;
mod error;
pub mod owner;
pub mod queue;
mod scope;
pub mod sql;
#[cfg(feature = "testing")]
pub mod testing;
pub mod vector;
pub mod verify;

pub use db::{Store, StoreOptions, Tx};
pub use error::{Error, Result};
pub use scope::Scope;
