//! Lyceum.
