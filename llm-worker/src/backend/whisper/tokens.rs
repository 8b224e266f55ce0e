//! Whisper's vocabulary: words, languages, times.

use std::collections::BTreeMap;
use std::path::Path;

use candle_transformers::models::whisper::{
    EOT_TOKEN, NO_SPEECH_TOKENS, NO_TIMESTAMPS_TOKEN, SOT_TOKEN, TRANSCRIBE_TOKEN,
};
use tokenizers::Tokenizer;

use crate::error::Error;

/// Marks of text that came before a window.
const PREVIOUS: &str = "<|startofprev|>";
/// Tokens of words that are likely to occur: half of what the model reads, less a little.
const MAX_HINT: usize = 200;

/// Tokens by their meaning.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    pub(super) start: u32,
    pub(super) end: u32,
    transcribe: Option<u32>,
    pub(super) no_speech: Option<u32>,
    previous: Option<u32>,
    /// The first time, 0.00; the others follow it by two hundredths of a second.
    pub(super) times: u32,
    /// By ISO 639-1 code; none in a model that knows English alone.
    pub(super) languages: BTreeMap<String, u32>,
    pub(super) suppressed: Vec<u32>,
}

impl Tokens {
    pub(super) fn open(path: &Path, suppressed: Vec<u32>) -> Result<Self, Error> {
        let tokenizer = Tokenizer::from_file(path).map_err(|error| Error::load("the tokenizer", error))?;
        let needed = |token: &str| {
            tokenizer.token_to_id(token).ok_or_else(|| Error::load("the tokenizer", format!("it has no \"{token}\"")))
        };
        let languages: BTreeMap<String, u32> = tokenizer
            .get_added_tokens_decoder()
            .iter()
            .filter_map(|(id, token)| {
                let code = token.content.strip_prefix("<|")?.strip_suffix("|>")?;
                ((2..=3).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_lowercase()))
                    .then(|| (code.to_owned(), *id))
            })
            .collect();
        Ok(Self {
            start: needed(SOT_TOKEN)?,
            end: needed(EOT_TOKEN)?,
            transcribe: tokenizer.token_to_id(TRANSCRIBE_TOKEN).filter(|_| !languages.is_empty()),
            no_speech: NO_SPEECH_TOKENS.iter().find_map(|token| tokenizer.token_to_id(token)),
            previous: tokenizer.token_to_id(PREVIOUS),
            times: needed(NO_TIMESTAMPS_TOKEN)? + 1,
            languages,
            suppressed,
            tokenizer,
        })
    }

    /// What stands before the reply.
    pub(super) fn prefix(&self, language: Option<&str>, hint: Option<&str>) -> Vec<u32> {
        let mut prefix = Vec::new();
        if let (Some(hint), Some(previous)) = (hint, self.previous)
            && let Ok(encoding) = self.tokenizer.encode_fast(format!(" {}", hint.trim()), false)
        {
            let ids: Vec<u32> = encoding.get_ids().iter().copied().filter(|id| *id < self.end).collect();
            prefix.push(previous);
            prefix.extend(ids.iter().skip(ids.len().saturating_sub(MAX_HINT)));
        }
        prefix.push(self.start);
        prefix.extend(language.and_then(|code| self.languages.get(code)));
        prefix.extend(self.transcribe);
        prefix
    }

    pub(super) fn text(&self, ids: &[u32]) -> String {
        self.tokenizer.decode(ids, true).unwrap_or_default()
    }
}
