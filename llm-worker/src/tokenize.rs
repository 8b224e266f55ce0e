//! Texts to token ids, cut at what the model reads.

use std::path::Path;

use tokenizers::{Tokenizer, TruncationParams};

use crate::error::Error;

/// More text than any model here reads; what lies beyond is not even looked at.
const MAX_TEXT_BYTES: usize = 32 * 1024;

/// Token ids of texts, without padding.
pub struct Tokens {
    tokenizer: Tokenizer,
}

impl Tokens {
    /// Reads `tokenizer.json`; its own limits are replaced by `max_tokens` and no padding.
    ///
    /// # Errors
    /// When the file is no tokenizer.
    pub fn open(path: &Path, max_tokens: usize) -> Result<Self, Error> {
        let mut tokenizer = Tokenizer::from_file(path).map_err(|error| Error::load("the tokenizer", error))?;
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(TruncationParams { max_length: max_tokens, ..TruncationParams::default() }))
            .map_err(|error| Error::load("the tokenizer", error))?;
        Ok(Self { tokenizer })
    }

    /// The ids of one text; never empty, since the special tokens are always there.
    ///
    /// # Errors
    /// When the tokenizer refuses the text.
    pub fn ids(&self, text: &str) -> Result<Vec<u32>, Error> {
        let end = text.floor_char_boundary(MAX_TEXT_BYTES);
        let encoding = self
            .tokenizer
            .encode_fast(text.get(..end).unwrap_or(text), true)
            .map_err(|error| Error::Tokenize(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }
}
