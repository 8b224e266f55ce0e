//! The queries, one file per aggregate.

