//! The data model of SCORM 1.2 (RTE 3.4).

use super::element::{Element, Model, both, read, write};
use super::kind::Kind;

const STATUS: Kind = Kind::Word(&["passed", "completed", "failed", "incomplete", "browsed", "not attempted"]);
/// "not attempted" is the system's word; a script cannot set it.
const CORE_STATUS: Kind = Kind::Word(&["passed", "completed", "failed", "incomplete", "browsed"]);
const TYPES: Kind =
    Kind::Word(&["true-false", "choice", "fill-in", "matching", "performance", "sequencing", "likert", "numeric"]);

const ELEMENTS: &[Element] = &[
    read("cmi.core.student_id", Kind::Text).or(""),
    read("cmi.core.student_name", Kind::Text).or(""),
    both("cmi.core.lesson_location", Kind::Text).or(""),
    read("cmi.core.credit", Kind::Text).or("credit"),
    both("cmi.core.lesson_status", CORE_STATUS).or("not attempted"),
    read("cmi.core.entry", Kind::Text).or(""),
    both("cmi.core.score.raw", Kind::Score12).or(""),
    both("cmi.core.score.min", Kind::Score12).or(""),
    both("cmi.core.score.max", Kind::Score12).or(""),
    read("cmi.core.total_time", Kind::Timespan12).or("0000:00:00.00"),
    read("cmi.core.lesson_mode", Kind::Text).or("normal"),
    write("cmi.core.exit", Kind::Word(&["time-out", "suspend", "logout", ""])),
    write("cmi.core.session_time", Kind::Timespan12),
    both("cmi.suspend_data", Kind::Text).or(""),
    read("cmi.launch_data", Kind::Text).or(""),
    both("cmi.comments", Kind::Text).or(""),
    read("cmi.comments_from_lms", Kind::Text).or(""),
    both("cmi.objectives.n.id", Kind::Identifier12).or(""),
    both("cmi.objectives.n.score.raw", Kind::Score12).or(""),
    both("cmi.objectives.n.score.min", Kind::Score12).or(""),
    both("cmi.objectives.n.score.max", Kind::Score12).or(""),
    both("cmi.objectives.n.status", STATUS).or("not attempted"),
    read("cmi.student_data.mastery_score", Kind::Decimal12).or(""),
    read("cmi.student_data.max_time_allowed", Kind::Timespan12).or(""),
    read("cmi.student_data.time_limit_action", Kind::Text).or(""),
    both("cmi.student_preference.audio", Kind::Integer12(-1, 100)).or("0"),
    both("cmi.student_preference.language", Kind::Text).or(""),
    both("cmi.student_preference.speed", Kind::Integer12(-100, 100)).or("0"),
    both("cmi.student_preference.text", Kind::Integer12(-1, 1)).or("0"),
    write("cmi.interactions.n.id", Kind::Identifier12),
    write("cmi.interactions.n.objectives.n.id", Kind::Identifier12),
    write("cmi.interactions.n.time", Kind::Time12),
    write("cmi.interactions.n.type", TYPES),
    write("cmi.interactions.n.correct_responses.n.pattern", Kind::Text),
    write("cmi.interactions.n.weighting", Kind::Decimal12),
    write("cmi.interactions.n.student_response", Kind::Text),
    write("cmi.interactions.n.result", Kind::DecimalOr12(&["correct", "wrong", "unanticipated", "neutral"])),
    write("cmi.interactions.n.latency", Kind::Timespan12),
];

pub(super) static MODEL: Model = Model {
    elements: ELEMENTS,
    children: &[
        (
            "cmi.core",
            "student_id,student_name,lesson_location,credit,lesson_status,entry,score,total_time,lesson_mode,exit,session_time",
        ),
        ("cmi.core.score", "raw,min,max"),
        ("cmi.objectives", "id,score,status"),
        ("cmi.objectives.n.score", "raw,min,max"),
        ("cmi.student_data", "mastery_score,max_time_allowed,time_limit_action"),
        ("cmi.student_preference", "audio,language,speed,text"),
        ("cmi.interactions", "id,objectives,time,type,correct_responses,weighting,student_response,result,latency"),
    ],
    lists: &[
        "cmi.objectives",
        "cmi.interactions",
        "cmi.interactions.n.objectives",
        "cmi.interactions.n.correct_responses",
    ],
    version: "3.4",
};
