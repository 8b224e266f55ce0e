//! A chunk: the passage that retrieval finds and a citation quotes.

use serde::{Deserialize, Serialize};

use crate::Locator;

/// One sentence of a chunk: a byte range of the chunk's text and its own place in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sentence {
    /// First byte in the chunk's text.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
    /// Place in the source.
    pub locator: Locator,
}

/// A passage of at most 200 words, before it has an id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Chapter, section, subsection.
    pub heading_path: Vec<String>,
    /// The passage, without its heading path.
    pub text: String,
    /// Place of the whole passage.
    pub locator: Locator,
    /// Its sentences in order; code blocks count as one.
    pub sentences: Vec<Sentence>,
    /// Text that reads like an instruction to a model was found here.
    pub flagged: bool,
}

impl Chunk {
    /// What is embedded and indexed: `Chapter > Section` on a line of its own, then the text.
    #[must_use]
    pub fn indexed_text(&self) -> String {
        indexed_text(&self.heading_path, &self.text)
    }

    /// What vectors are made of besides [`Chunk::indexed_text`]: each sentence in order, then the
    /// heading path as `Chapter > Section`. The vectors are kept in this order.
    #[must_use]
    pub fn embedded_parts(&self) -> Vec<String> {
        let sentences = self.sentences.iter().map(|sentence| self.sentence_text(sentence).to_owned());
        sentences.chain([self.heading_path.join(" > ")]).collect()
    }

    /// The sentence's words.
    #[must_use]
    pub fn sentence_text(&self, sentence: &Sentence) -> &str {
        self.text.get(sentence.start..sentence.end).unwrap_or_default()
    }
}

/// The heading path joined as `Chapter > Section`, then the text, on two lines.
#[must_use]
pub fn indexed_text(heading_path: &[String], text: &str) -> String {
    if heading_path.is_empty() { text.to_owned() } else { format!("{}\n{text}", heading_path.join(" > ")) }
}
