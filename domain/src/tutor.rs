//! What the tutor answers: one schema with and without a model.

use serde::{Deserialize, Serialize};

use crate::{Locator, QuestionId};

/// Whether the course covers the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The course says this.
    Answered,
    /// The nearest material, which may not answer it; nothing is synthesised.
    Closest,
    /// Not in this course.
    Declined,
    /// Close to a question of an open quiz: a hint, never the key.
    Hint,
}

/// Where the words come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The course's own words.
    Extract,
    /// A model's words, each sentence checked against what it cites.
    Generated,
}

/// One sentence of an answer and the citations (indices into `citations`) that carry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerSentence {
    /// The words.
    pub text: String,
    /// Indices into [`Answer::citations`].
    pub citations: Vec<usize>,
}

/// A place of the course, with the words that stand there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Citation {
    /// Path within the source.
    pub source_path: String,
    /// Chapter, section, subsection.
    pub heading_path: Vec<String>,
    /// The exact place.
    pub locator: Locator,
    /// The words at that place, verbatim.
    pub quote: String,
    /// Commit of a git source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Where the site of its repository shows the place at that commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The chunk it lies in.
    pub chunk_id: String,
    /// The lesson that shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lesson_id: Option<String>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Whether the course covers it.
    pub outcome: Outcome,
    /// Whose words.
    pub mode: Mode,
    /// The whole answer as shown.
    pub answer: String,
    /// The same by sentence.
    pub sentences: Vec<AnswerSentence>,
    /// What the sentences cite.
    pub citations: Vec<Citation>,
    /// Nearest or further passages: shown when declined or closest, and as "also covered in".
    pub nearest: Vec<Citation>,
    /// What a reader must know: offline mode, keyword search only, flagged text left out.
    pub notices: Vec<String>,
    /// How sure the gate is that the course covers this question, 0 to 1; not whether it is right.
    pub coverage: f64,
    /// Made for somebody of the same course who asked the same; its citations were checked again.
    #[serde(default)]
    pub cached: bool,
    /// The question of an open quiz that this is close to; for the school, which knows whose hints are unlocked.
    #[serde(skip)]
    pub closed: Option<QuestionId>,
}
