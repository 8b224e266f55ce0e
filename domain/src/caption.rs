//! Captions of recordings: read from files, composed from what a model heard, written as `WebVTT`.

mod compose;
mod read;
pub mod webvtt;

pub use compose::{compose, vtt};
pub use read::{Cue, LAST_MS, Words, clock, cues, unroll};
