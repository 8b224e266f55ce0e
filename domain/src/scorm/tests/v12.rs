//! SCORM 1.2: types, keywords, codes, settling of the status, sessions.

use super::super::{Api, Completion, Edition, Facts, Launch, State, Success, time};
use super::{codes, running, with};

fn fresh() -> Api {
    running(Edition::V12, &Launch::default())
}

#[test]
fn each_type_takes_what_the_standard_says() {
    let table: &[(&str, &str, u16)] = &[
        ("cmi.core.lesson_status", "passed", 0),
        ("cmi.core.lesson_status", "not attempted", 405),
        ("cmi.core.lesson_status", "Passed", 405),
        ("cmi.core.score.raw", "85.5", 0),
        ("cmi.core.score.raw", "", 0),
        ("cmi.core.score.raw", "101", 405),
        ("cmi.core.score.raw", "-1", 405),
        ("cmi.core.score.raw", "all", 405),
        ("cmi.core.exit", "suspend", 0),
        ("cmi.core.exit", "", 0),
        ("cmi.core.exit", "normal", 405),
        ("cmi.core.session_time", "0000:05:00.50", 0),
        ("cmi.core.session_time", "00:05:00", 0),
        ("cmi.core.session_time", "5:00", 405),
        ("cmi.core.session_time", "PT5M", 405),
        ("cmi.core.student_id", "x", 403),
        ("cmi.core.total_time", "00:00:00", 403),
        ("cmi.core._children", "x", 402),
        ("cmi.objectives._count", "1", 402),
        ("cmi.core.nothing", "x", 201),
        ("cmi.completion_status", "completed", 201),
        ("", "x", 201),
        ("cmi.objectives.1.id", "late", 201),
        ("cmi.objectives.0.id", "has space", 405),
        ("cmi.objectives.0.id", "one", 0),
        ("cmi.objectives.0.status", "not attempted", 0),
        ("cmi.objectives.0.score.raw", "5", 0),
        ("cmi.student_preference.audio", "-1", 0),
        ("cmi.student_preference.audio", "101", 405),
        ("cmi.student_preference.audio", "1.5", 405),
        ("cmi.student_preference.speed", "-100", 0),
        ("cmi.student_preference.text", "2", 405),
        ("cmi.interactions.0.id", "q1", 0),
        ("cmi.interactions.0.type", "choice", 0),
        ("cmi.interactions.0.type", "other", 405),
        ("cmi.interactions.0.time", "23:59:59.9", 0),
        ("cmi.interactions.0.time", "24:00:00", 405),
        ("cmi.interactions.0.time", "10:61:00", 405),
        ("cmi.interactions.0.result", "wrong", 0),
        ("cmi.interactions.0.result", "0.5", 0),
        ("cmi.interactions.0.result", "incorrect", 405),
        ("cmi.interactions.0.latency", "00:00:05", 0),
        ("cmi.interactions.0.objectives.0.id", "one", 0),
        ("cmi.interactions.0.correct_responses.0.pattern", "a,b", 0),
        ("cmi.interactions.0.student_response", "a", 0),
        ("cmi.interactions.0.weighting", "2", 0),
    ];
    let mut api = fresh();
    for (element, value, code) in table {
        assert_eq!(codes(&mut api, &[(element, value)]), [*code], "{element} = {value:?}");
    }
    let reads: &[(&str, &str, u16)] = &[
        ("cmi._version", "3.4", 0),
        (
            "cmi.core._children",
            "student_id,student_name,lesson_location,credit,lesson_status,entry,score,total_time,lesson_mode,exit,session_time",
            0,
        ),
        ("cmi.core.score._children", "raw,min,max", 0),
        ("cmi.core.lesson_location._children", "", 202),
        ("cmi.core.lesson_location._count", "", 203),
        ("cmi.objectives._count", "1", 0),
        ("cmi.interactions._count", "1", 0),
        ("cmi.interactions.0.correct_responses._count", "1", 0),
        ("cmi.interactions.0.id", "", 404),
        ("cmi.core.exit", "", 404),
        ("cmi.suspend_data", "", 0),
        ("cmi.objectives.3.id", "", 201),
        ("cmi.nothing", "", 201),
        ("", "", 201),
    ];
    for (element, value, code) in reads {
        assert_eq!((api.get(element).as_str(), api.last_error()), (*value, *code), "{element}");
    }
    // Courses lost their place where systems kept the 4,096 characters of the standard alone.
    assert!(api.set("cmi.suspend_data", &"x".repeat(60_000)));
    assert_eq!(api.get("cmi.suspend_data").len(), 60_000);
}

#[test]
fn calls_out_of_their_time_are_refused_by_their_code() {
    let mut api = Api::open(Edition::V12, &Launch::default());
    assert_eq!((api.get("cmi.core.entry").as_str(), api.last_error()), ("", 301));
    assert!(!api.set("cmi.core.exit", "") && api.last_error() == 301);
    assert!(!api.terminate("") && api.last_error() == 301);
    assert!(!api.initialize("x") && api.last_error() == 201);
    assert!(api.initialize(""));
    assert!(!api.initialize("") && api.last_error() == 101);
    assert_eq!(api.error_string("301"), "Not initialized");
    assert_eq!(api.error_string("142"), "");
    assert!(api.commit("") && api.terminate("") && api.state() == State::Terminated);
    assert!(!api.commit("") && api.last_error() == 301);
}

#[test]
fn comments_are_gathered() {
    let mut api = fresh();
    codes(&mut api, &[("cmi.comments", "one. "), ("cmi.comments", "two.")]);
    assert_eq!(api.get("cmi.comments"), "one. two.");
}

#[test]
fn the_end_of_a_session_settles_the_status() {
    // Mastery score, what was set, the status after the end, completion, success.
    type Row = (Option<&'static str>, &'static [(&'static str, &'static str)], &'static str, Completion, Success);
    let table: &[Row] = &[
        (None, &[], "completed", Completion::Completed, Success::Unknown),
        (None, &[("cmi.core.exit", "suspend")], "incomplete", Completion::Incomplete, Success::Unknown),
        (None, &[("cmi.core.lesson_status", "failed")], "failed", Completion::Unknown, Success::Failed),
        (Some("80"), &[("cmi.core.score.raw", "85")], "passed", Completion::Completed, Success::Passed),
        (Some("80"), &[("cmi.core.score.raw", "80")], "passed", Completion::Completed, Success::Passed),
        (
            Some("80"),
            &[("cmi.core.lesson_status", "completed"), ("cmi.core.score.raw", "79")],
            "failed",
            Completion::Unknown,
            Success::Failed,
        ),
        (
            Some("80"),
            &[("cmi.core.lesson_status", "incomplete"), ("cmi.core.score.raw", "10"), ("cmi.core.exit", "suspend")],
            "incomplete",
            Completion::Incomplete,
            Success::Unknown,
        ),
        (Some("80"), &[("cmi.core.lesson_status", "completed")], "completed", Completion::Completed, Success::Unknown),
    ];
    for (mastery, values, status, completion, success) in table {
        let launch = with(Facts { mastery_score: mastery.map(str::to_owned), ..Facts::default() });
        let mut api = running(Edition::V12, &launch);
        codes(&mut api, values);
        assert!(api.terminate(""));
        assert_eq!(api.values()["cmi.core.lesson_status"], *status, "{values:?}");
        let standing = api.standing();
        assert_eq!((standing.completion, standing.success), (*completion, *success), "{values:?}");
    }
    let mut looking = running(Edition::V12, &Launch { browse: true, ..Launch::default() });
    looking.terminate("");
    assert_eq!(looking.values()["cmi.core.lesson_status"], "browsed");
}

#[test]
fn scores_become_a_share() {
    let share = |values: &[(&str, &str)]| {
        let mut api = fresh();
        codes(&mut api, values);
        api.standing().scaled
    };
    assert_eq!(share(&[("cmi.core.score.raw", "85")]), Some(0.85));
    assert_eq!(
        share(&[("cmi.core.score.raw", "15"), ("cmi.core.score.min", "10"), ("cmi.core.score.max", "20")]),
        Some(0.5)
    );
    assert_eq!(share(&[("cmi.core.score.raw", "")]), None);
    assert_eq!(share(&[]), None);
}

#[test]
fn the_time_of_sessions_adds_up_and_every_session_goes_on() {
    let launch = Launch::default();
    let mut api = fresh();
    codes(
        &mut api,
        &[("cmi.core.session_time", "00:59:59.50"), ("cmi.core.lesson_location", "7"), ("cmi.core.exit", "suspend")],
    );
    api.terminate("");
    let mut api = api.resumed(&launch);
    api.initialize("");
    assert_eq!(api.get("cmi.core.entry"), "resume");
    assert_eq!(api.get("cmi.core.total_time"), "0000:59:59.50");
    codes(&mut api, &[("cmi.core.session_time", "00:00:01"), ("cmi.core.exit", "")]);
    api.terminate("");
    assert!(api.goes_on());
    let mut api = api.resumed(&launch);
    api.initialize("");
    assert_eq!((api.get("cmi.core.entry").as_str(), api.get("cmi.core.total_time").as_str()), ("", "0001:00:00.50"));
    assert_eq!(api.get("cmi.core.lesson_location"), "7");
    assert_eq!(time::timespan("99999:00:00"), None);
}
