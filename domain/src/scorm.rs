//! The run-time of SCORM packages as rules: data models, application interface, what an attempt comes to.
//!
//! SCORM 1.2 (RTE 3) and SCORM 2004 third and fourth edition (RTE 3 and 4, SN 5.6). No I/O and no
//! clock: values come from a script and are believed by nobody but the attempt that they belong to.
//! Sequencing rules are not here; see [`Navigation`] for what is told of it.

mod api;
pub mod attempt;
mod code;
mod element;
mod interaction;
mod kind;
mod standing;
#[cfg(test)]
mod tests;
pub mod time;
mod v12;
mod v2004;

use serde::{Deserialize, Serialize};

pub use api::{Api, LARGEST, MOST_ENTRIES, State};
pub use kind::LONGEST;
pub use standing::{Completion, Standing, Success};

/// The run-time of an H5P package, which its player makes one of SCORM 1.2.
pub const H5P: &str = "h5p";

/// Which standard, as far as its run-time differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Edition {
    /// SCORM 1.2.
    #[serde(rename = "1.2")]
    V12,
    /// SCORM 2004, second or third edition.
    #[serde(rename = "2004-3")]
    V2004Third,
    /// SCORM 2004, fourth edition.
    #[serde(rename = "2004-4")]
    V2004Fourth,
}

impl Edition {
    /// The spelling used in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V12 => "1.2",
            Self::V2004Third => "2004-3",
            Self::V2004Fourth => "2004-4",
        }
    }

    /// The edition of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::V12, Self::V2004Third, Self::V2004Fourth].into_iter().find(|edition| edition.as_str() == text)
    }

    /// The edition that a manifest's `schemaversion` names; what is neither 1.2 nor a 2004 that is
    /// known is treated as the fourth edition, which answers everything that the third does.
    #[must_use]
    pub fn of_schema(version: &str) -> Self {
        let version = version.trim().to_ascii_lowercase();
        let older = ["2004 2nd", "2004 3rd", "cam 1.3", "1.3"];
        if version.starts_with("1.2") || version.is_empty() {
            Self::V12
        } else if older.iter().any(|known| version.starts_with(known)) {
            Self::V2004Third
        } else {
            Self::V2004Fourth
        }
    }
}

/// What a session begins with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Launch {
    /// An opaque id of the learner.
    pub learner_id: String,
    /// The learner's name, as the package may greet with it.
    pub learner_name: String,
    /// Whether this is a look without credit, as an instructor's.
    pub browse: bool,
    /// What the manifest says of the item.
    pub facts: Facts,
    /// Where the learner may go from here.
    pub navigation: Navigation,
}

/// What the manifest says of an item that its run-time has to know.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Facts {
    /// `datafromlms`, `adlcp:dataFromLMS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_data: Option<String>,
    /// `maxtimeallowed`, `attemptAbsoluteDurationLimit`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_time_allowed: Option<String>,
    /// `timelimitaction`, `adlcp:timeLimitAction`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit_action: Option<String>,
    /// 1.2: `adlcp:masteryscore`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mastery_score: Option<String>,
    /// 2004: `imsss:minNormalizedMeasure` of the primary objective, where it is satisfied by measure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaled_passing_score: Option<String>,
    /// 2004: `adlcp:completionThreshold`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_threshold: Option<String>,
    /// 2004: ids of the item's objectives, the primary one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<String>,
    /// 2004, fourth edition: ids of the data that activities share.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<String>,
}

/// Where a learner may go: the answer to `adl.nav.request_valid`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Navigation {
    /// To the next activity; unknown where nobody knows.
    pub next: Option<bool>,
    /// To the one before.
    pub previous: Option<bool>,
    /// To one of these by choice; unknown where nobody knows.
    pub targets: Option<Vec<String>>,
}

/// One value that a script set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// Name of the element.
    pub element: String,
    /// The value as text.
    pub value: String,
}

/// A value that was not taken, and why. It does not repeat the value: that is the learner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Which of the values, from 0.
    pub index: usize,
    /// Name of the element.
    pub element: String,
    /// Error code of the standard.
    pub code: u16,
    /// What is wrong.
    pub message: String,
}
