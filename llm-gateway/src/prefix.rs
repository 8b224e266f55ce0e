//! How prompts begin, as chained hashes of blocks: two prompts share as many hashes as whole blocks.

use std::hash::{DefaultHasher, Hasher as _};

/// Bytes of a block; about sixty tokens.
const BLOCK: usize = 256;
/// Blocks that are looked at.
const BLOCKS: usize = 128;

/// Hashes of the whole blocks that `bytes` begins with.
#[must_use]
pub fn of(bytes: &[u8]) -> Vec<u64> {
    let mut chain = DefaultHasher::new();
    bytes
        .chunks_exact(BLOCK)
        .take(BLOCKS)
        .map(|block| {
            chain.write(block);
            chain.finish()
        })
        .collect()
}
