//! The data models of SCORM 2004, third and fourth edition (RTE 4.2, SN 5.6; `adl.data`: RTE 4.3).

use super::element::{Model, both, read, write};
use super::kind::Kind;

const COMPLETION: Kind = Kind::Word(&["completed", "incomplete", "not attempted", "unknown"]);
const SUCCESS: Kind = Kind::Word(&["passed", "failed", "unknown"]);
const ANY: Kind = Kind::Real(f64::NEG_INFINITY, f64::INFINITY);
const POSITIVE: Kind = Kind::Real(0.0, f64::INFINITY);
const SHARE: Kind = Kind::Real(0.0, 1.0);
const SCALED: Kind = Kind::Real(-1.0, 1.0);
const VALID: Kind = Kind::Word(&["true", "false", "unknown"]);
const TYPES: Kind = Kind::Word(&[
    "true-false",
    "choice",
    "fill-in",
    "long-fill-in",
    "matching",
    "performance",
    "sequencing",
    "likert",
    "numeric",
    "other",
]);

macro_rules! elements {
    ($($more:expr),* $(,)?) => {
        &[
            both("cmi.comments_from_learner.n.comment", Kind::Localized),
            both("cmi.comments_from_learner.n.location", Kind::Text),
            both("cmi.comments_from_learner.n.timestamp", Kind::Timestamp),
            read("cmi.comments_from_lms.n.comment", Kind::Localized),
            read("cmi.comments_from_lms.n.location", Kind::Text),
            read("cmi.comments_from_lms.n.timestamp", Kind::Timestamp),
            both("cmi.completion_status", COMPLETION).or("unknown"),
            read("cmi.completion_threshold", SHARE),
            read("cmi.credit", Kind::Text).or("credit"),
            read("cmi.entry", Kind::Text).or(""),
            write("cmi.exit", Kind::Word(&["time-out", "suspend", "logout", "normal", ""])),
            both("cmi.interactions.n.id", Kind::LongIdentifier),
            both("cmi.interactions.n.type", TYPES),
            both("cmi.interactions.n.objectives.n.id", Kind::LongIdentifier),
            both("cmi.interactions.n.timestamp", Kind::Timestamp),
            both("cmi.interactions.n.correct_responses.n.pattern", Kind::Pattern),
            both("cmi.interactions.n.weighting", ANY),
            both("cmi.interactions.n.learner_response", Kind::Response),
            both("cmi.interactions.n.result", Kind::RealOr(&["correct", "incorrect", "unanticipated", "neutral"])),
            both("cmi.interactions.n.latency", Kind::Interval),
            both("cmi.interactions.n.description", Kind::Localized),
            read("cmi.launch_data", Kind::Text),
            read("cmi.learner_id", Kind::LongIdentifier).or(""),
            read("cmi.learner_name", Kind::Localized).or(""),
            both("cmi.learner_preference.audio_level", POSITIVE).or("1"),
            both("cmi.learner_preference.language", Kind::Language).or(""),
            both("cmi.learner_preference.delivery_speed", POSITIVE).or("1"),
            both("cmi.learner_preference.audio_captioning", Kind::Word(&["-1", "0", "1"])).or("0"),
            both("cmi.location", Kind::Text),
            read("cmi.max_time_allowed", Kind::Interval),
            read("cmi.mode", Kind::Text).or("normal"),
            both("cmi.objectives.n.id", Kind::LongIdentifier),
            both("cmi.objectives.n.score.scaled", SCALED),
            both("cmi.objectives.n.score.raw", ANY),
            both("cmi.objectives.n.score.min", ANY),
            both("cmi.objectives.n.score.max", ANY),
            both("cmi.objectives.n.success_status", SUCCESS).or("unknown"),
            both("cmi.objectives.n.completion_status", COMPLETION).or("unknown"),
            both("cmi.objectives.n.progress_measure", SHARE),
            both("cmi.objectives.n.description", Kind::Localized),
            both("cmi.progress_measure", SHARE),
            read("cmi.scaled_passing_score", SCALED),
            both("cmi.score.scaled", SCALED),
            both("cmi.score.raw", ANY),
            both("cmi.score.min", ANY),
            both("cmi.score.max", ANY),
            write("cmi.session_time", Kind::Interval),
            both("cmi.success_status", SUCCESS).or("unknown"),
            both("cmi.suspend_data", Kind::Text),
            read("cmi.time_limit_action", Kind::Text).or("continue,no message"),
            read("cmi.total_time", Kind::Interval).or("PT0H0M0S"),
            both("adl.nav.request", Kind::Navigation).or("_none_"),
            read("adl.nav.request_valid.continue", VALID).or("unknown"),
            read("adl.nav.request_valid.previous", VALID).or("unknown"),
            read("adl.nav.request_valid.choice", VALID).or("unknown"),
            $($more,)*
        ]
    };
}

macro_rules! children {
    ($($more:expr),* $(,)?) => {
        &[
            ("cmi.comments_from_learner", "comment,location,timestamp"),
            ("cmi.comments_from_lms", "comment,location,timestamp"),
            (
                "cmi.interactions",
                "id,type,objectives,timestamp,correct_responses,weighting,learner_response,result,latency,description",
            ),
            ("cmi.learner_preference", "audio_level,language,delivery_speed,audio_captioning"),
            ("cmi.objectives", "id,score,success_status,completion_status,progress_measure,description"),
            ("cmi.objectives.n.score", "scaled,raw,min,max"),
            ("cmi.score", "scaled,raw,min,max"),
            $($more,)*
        ]
    };
}

macro_rules! lists {
    ($($more:expr),* $(,)?) => {
        &[
            "cmi.comments_from_learner",
            "cmi.comments_from_lms",
            "cmi.interactions",
            "cmi.interactions.n.objectives",
            "cmi.interactions.n.correct_responses",
            "cmi.objectives",
            $($more,)*
        ]
    };
}

pub(super) static THIRD: Model =
    Model { elements: elements!(), children: children!(), lists: lists!(), version: "1.0" };

/// The fourth edition adds data that activities share, and the request to jump.
pub(super) static FOURTH: Model = Model {
    elements: elements!(
        read("adl.data.n.id", Kind::LongIdentifier),
        both("adl.data.n.store", Kind::Text),
        read("adl.nav.request_valid.jump", VALID).or("unknown"),
    ),
    children: children!(("adl.data", "id,store")),
    lists: lists!("adl.data"),
    version: "1.0",
};
