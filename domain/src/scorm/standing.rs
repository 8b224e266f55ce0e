//! What an attempt has come to: status by the rules of its edition, score, progress, place and time.

use serde::{Deserialize, Serialize};

use super::{Api, Edition, State, time};

/// Whether everything was gone through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completion {
    /// Yes.
    Completed,
    /// Not yet.
    Incomplete,
    /// Not begun.
    NotAttempted,
    /// Nobody said.
    Unknown,
}

impl Completion {
    /// The spelling used in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
            Self::NotAttempted => "not_attempted",
            Self::Unknown => "unknown",
        }
    }

    /// The state of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Completed, Self::Incomplete, Self::NotAttempted, Self::Unknown]
            .into_iter()
            .find(|one| one.as_str() == text)
    }
}

/// Whether it was mastered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Success {
    /// Yes.
    Passed,
    /// No.
    Failed,
    /// Nobody said.
    Unknown,
}

impl Success {
    /// The spelling used in rows.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// The state of that spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Passed, Self::Failed, Self::Unknown].into_iter().find(|one| one.as_str() == text)
    }
}

/// What an attempt has come to, the same for every edition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Gone through.
    pub completion: Completion,
    /// Mastered.
    pub success: Success,
    /// -1 to 1; from raw, least and most where the package gave no scaled score.
    pub scaled: Option<f64>,
    /// As the package counts.
    pub raw: Option<f64>,
    /// 0 to 1, where the package tells.
    pub progress: Option<f64>,
    /// Where the learner was; only the package can read it.
    pub bookmark: Option<String>,
    /// All sessions that are over, in hundredths of a second.
    pub total_time: i64,
}

/// What is read in place of the stored value: status by threshold and passing score (RTE 4.2.4, 4.2.22).
pub(super) fn evaluated(api: &Api, element: &str) -> Option<&'static str> {
    if api.edition() == Edition::V12 {
        return None;
    }
    let (limit, measure, above, below) = match element {
        "cmi.completion_status" => ("cmi.completion_threshold", "cmi.progress_measure", "completed", "incomplete"),
        "cmi.success_status" => ("cmi.scaled_passing_score", "cmi.score.scaled", "passed", "failed"),
        _ => return None,
    };
    let limit = api.number(limit)?;
    Some(api.number(measure).map_or("unknown", |measure| if measure >= limit { above } else { below }))
}

/// The status of 1.2 after its session ends (RTE 3.4.4): the system completes what the script left open,
/// and a mastery score decides over passed and failed. Nothing where the script's word stays.
pub(super) fn settled(api: &Api) -> Option<&'static str> {
    if api.edition() != Edition::V12 {
        return None;
    }
    let status = api.kept("cmi.core.lesson_status");
    let browsing = api.kept("cmi.core.lesson_mode") == Some("browse");
    let mastery = api.number("cmi.student_data.mastery_score");
    if let (Some(mastery), Some(raw), false) = (mastery, api.number("cmi.core.score.raw"), browsing) {
        // A quiz that goes on has its score so far.
        if !(api.suspended() && matches!(status, None | Some("incomplete"))) {
            return Some(if raw >= mastery { "passed" } else { "failed" });
        }
    }
    match status {
        Some(_) => None,
        None if api.suspended() => Some("incomplete"),
        None if browsing => Some("browsed"),
        None => Some("completed"),
    }
}

pub(super) fn of(api: &Api) -> Standing {
    let old = api.edition() == Edition::V12;
    let (completion, success) = if old { status_12(api) } else { status_2004(api) };
    let score = if old { "cmi.core.score" } else { "cmi.score" };
    let part = |name: &str| api.number(&format!("{score}.{name}"));
    let raw = part("raw");
    let scaled = part("scaled").or_else(|| match (raw, part("min"), part("max")) {
        (Some(raw), least, Some(most)) if most > least.unwrap_or_default() => {
            let least = least.unwrap_or_default();
            Some(((raw - least) / (most - least)).clamp(-1.0, 1.0))
        }
        // Scores of 1.2 are normalised to 0 to 100.
        (Some(raw), None, None) if old => Some((raw / 100.0).clamp(0.0, 1.0)),
        _ => None,
    });
    let bookmark = api.kept(if old { "cmi.core.lesson_location" } else { "cmi.location" });
    let total = api.kept(&api.prefixed("total_time")).unwrap_or_default();
    Standing {
        completion,
        success,
        scaled,
        raw,
        progress: if old { None } else { api.number("cmi.progress_measure") },
        bookmark: bookmark.filter(|text| !text.is_empty()).map(str::to_owned),
        total_time: if old { time::timespan(total) } else { time::interval(total) }.unwrap_or_default(),
    }
}

fn status_12(api: &Api) -> (Completion, Success) {
    match api.kept("cmi.core.lesson_status") {
        Some("passed") => (Completion::Completed, Success::Passed),
        // "All the SCO elements may or may not have been completed": failed says nothing of completion.
        Some("failed") => (Completion::Unknown, Success::Failed),
        Some("completed" | "browsed") => (Completion::Completed, Success::Unknown),
        Some("incomplete") => (Completion::Incomplete, Success::Unknown),
        _ if api.state() == State::NotInitialized => (Completion::NotAttempted, Success::Unknown),
        _ => (Completion::Unknown, Success::Unknown),
    }
}

fn status_2004(api: &Api) -> (Completion, Success) {
    let read = |element: &str| evaluated(api, element).or_else(|| api.kept(element));
    let success = match read("cmi.success_status") {
        Some("passed") => Success::Passed,
        Some("failed") => Success::Failed,
        _ => Success::Unknown,
    };
    let completion = match read("cmi.completion_status") {
        Some("completed") => Completion::Completed,
        Some("incomplete") => Completion::Incomplete,
        Some("not attempted") => Completion::NotAttempted,
        _ if api.state() == State::NotInitialized && api.kept("cmi.entry") == Some("ab-initio") => {
            Completion::NotAttempted
        }
        _ => Completion::Unknown,
    };
    (completion, success)
}
