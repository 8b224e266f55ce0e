//! The command line through its own door: the built binary, in temporary folders, without network.

mod house;
mod kill;
mod spine;
mod support;
