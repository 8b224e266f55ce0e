//! Networked adapters of the ports: what a larger installation runs beside the program.
//!
//! Each folder is one engine. The embedded adapters, which are always there, live in `store`.

#![warn(missing_docs)]

pub mod qdrant;
