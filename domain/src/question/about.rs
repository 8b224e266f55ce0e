//! Where a question stands, where it comes from, and what it asks of a learner.

use serde::{Deserialize, Serialize};

use crate::Locator;

/// Where a question stands: only `live` ones count for marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Made, looked at by nobody.
    Draft,
    /// A person found it good.
    Reviewed,
    /// In use; closed to the tutor.
    Live,
    /// Kept for old attempts, used no more.
    Retired,
}

impl State {
    /// All states.
    pub const ALL: [Self; 4] = [Self::Draft, Self::Reviewed, Self::Live, Self::Retired];

    /// The spelling used in rows and JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Reviewed => "reviewed",
            Self::Live => "live",
            Self::Retired => "retired",
        }
    }

    /// The state of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether a question may go from here to `next`. Nothing goes live unreviewed, and what was
    /// answered once never changes: a retired question stays as it is.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Draft | Self::Live, Self::Reviewed)
                | (Self::Reviewed, Self::Live | Self::Draft)
                | (Self::Draft | Self::Reviewed | Self::Live, Self::Retired)
        )
    }
}

/// The passage that a question rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Path within the source.
    pub source_path: String,
    /// Headings above it.
    pub heading_path: Vec<String>,
    /// The exact place.
    pub locator: Locator,
    /// Its words, to the letter.
    pub quote: String,
}

/// How a question came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OriginKind {
    /// Written by a person.
    Manual,
    /// Read from a file.
    Imported,
    /// Made from the course's words without a model.
    Extract,
    /// Made by a language model.
    Generated,
}

/// How a question came to be, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// In which way.
    pub kind: OriginKind,
    /// The model that wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The version of the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_version: Option<String>,
}

impl Origin {
    /// An origin without a model.
    #[must_use]
    pub fn of(kind: OriginKind) -> Self {
        Self { kind, model: None, prompt_version: None }
    }
}

/// What a learner does with it (Anderson and Krathwohl's revision of Bloom's taxonomy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bloom {
    /// Recall it.
    Remember,
    /// Say what it means.
    Understand,
    /// Use it.
    Apply,
    /// Take it apart.
    Analyze,
    /// Judge it.
    Evaluate,
    /// Make something of it.
    Create,
}
