//! SCORM 2004: types, dependencies, lists, evaluation, sessions.

use proptest::prelude::*;

use super::super::{Api, Completion, Edition, Facts, Launch, Navigation, Set, State, Success, time};
use super::{codes, running, with};

fn fourth() -> Api {
    running(Edition::V2004Fourth, &Launch::default())
}

#[test]
fn each_type_takes_what_the_standard_says() {
    let mut api = fourth();
    assert_eq!(codes(&mut api, &[("cmi.comments_from_learner.0.timestamp", "2005")]), [0]);
    let table: &[(&str, &str, u16)] = &[
        ("cmi.completion_status", "completed", 0),
        ("cmi.completion_status", "done", 406),
        ("cmi.completion_status", "Completed", 406),
        ("cmi.success_status", "passed", 0),
        ("cmi.score.scaled", "1.0", 0),
        ("cmi.score.scaled", "-1", 0),
        ("cmi.score.scaled", "1.01", 407),
        ("cmi.score.scaled", "1e0", 406),
        ("cmi.score.scaled", "+1", 406),
        ("cmi.score.scaled", "", 406),
        ("cmi.score.scaled", ".5", 0),
        ("cmi.score.scaled", "0.3333333333333333", 0),
        ("cmi.score.raw", "123456", 0),
        ("cmi.score.raw", "12,5", 406),
        ("cmi.progress_measure", "-0.1", 407),
        ("cmi.learner_preference.audio_level", "-1", 407),
        ("cmi.learner_preference.audio_captioning", "-1", 0),
        ("cmi.learner_preference.audio_captioning", "2", 406),
        ("cmi.learner_preference.language", "de-CH", 0),
        ("cmi.learner_preference.language", "", 0),
        ("cmi.learner_preference.language", "german language", 406),
        ("cmi.session_time", "P1Y2M3DT4H5M6.78S", 0),
        ("cmi.session_time", "PT01H059M020S", 0),
        ("cmi.session_time", "PT", 406),
        ("cmi.session_time", "P", 406),
        ("cmi.session_time", "P1H", 406),
        ("cmi.session_time", "PT1S2M", 406),
        ("cmi.session_time", "PT1.5M", 406),
        ("cmi.session_time", "PT1.234S", 406),
        ("cmi.session_time", "00:01:00", 406),
        ("cmi.exit", "suspend", 0),
        ("cmi.exit", "", 0),
        ("cmi.exit", "later", 406),
        ("cmi.comments_from_learner.0.comment", "{lang=fr}très bien", 0),
        ("cmi.comments_from_learner.0.comment", "{lang=}x", 406),
        ("cmi.comments_from_learner.0.timestamp", "2003-07-25T03:00:00.5+02:00", 0),
        ("cmi.comments_from_learner.0.timestamp", "2003-07-25T03Z", 0),
        ("cmi.comments_from_learner.0.timestamp", "2003-02-29", 406),
        ("cmi.comments_from_learner.0.timestamp", "2039", 406),
        ("cmi.comments_from_learner.0.timestamp", "2003-7-5", 406),
        ("cmi.comments_from_learner.0.timestamp", "2003-07T03", 406),
        ("cmi.comments_from_learner.0.timestamp", "2003-07-25T24:00", 406),
        ("cmi.suspend_data", "zero \0 byte", 406),
        ("adl.nav.request", "continue", 0),
        ("adl.nav.request", "{target=item_2}choice", 0),
        ("adl.nav.request", "{target=item_2}jump", 0),
        ("adl.nav.request", "forward", 406),
        ("cmi.mode", "normal", 404),
        ("cmi._version", "2", 404),
        ("cmi.objectives._count", "1", 404),
        ("cmi.score._children", "", 404),
        ("cmi.comments_from_lms.0.comment", "x", 404),
        ("adl.nav.request_valid.continue", "true", 404),
        ("cmi.nothing", "x", 401),
        ("cmi.objectives.n.id", "x", 401),
        ("cmi.core.lesson_status", "completed", 401),
        ("adl.data.0.store", "x", 351),
    ];
    for (element, value, code) in table {
        assert_eq!(codes(&mut api, &[(element, value)]), [*code], "{element} = {value:?}");
    }
    assert!(api.set("cmi.suspend_data", &"ä".repeat(64_000)));
    assert!(!api.set("cmi.suspend_data", &"ä".repeat(64_001)));
}

#[test]
fn lists_grow_in_order_and_their_entries_have_an_id_first() {
    let mut api = fourth();
    let table: &[(&str, &str, u16)] = &[
        ("cmi.objectives.1.id", "later", 351),
        ("cmi.objectives.0.success_status", "passed", 408),
        ("cmi.objectives.0.id", "", 406),
        ("cmi.objectives.0.id", "urn:x", 406),
        ("cmi.objectives.0.id", "one", 0),
        ("cmi.objectives.0.id", "one", 0),
        ("cmi.objectives.0.id", "other", 351),
        ("cmi.objectives.1.id", "one", 351),
        ("cmi.objectives.1.id", "urn:ADL:two", 0),
        ("cmi.objectives.0.score.scaled", "0.5", 0),
        ("cmi.interactions.0.type", "choice", 408),
        ("cmi.interactions.0.id", "q", 0),
        ("cmi.interactions.0.learner_response", "a", 408),
        ("cmi.interactions.0.correct_responses.0.pattern", "a", 408),
        ("cmi.interactions.0.objectives.0.id", "one", 0),
        ("cmi.interactions.0.objectives.1.id", "one", 351),
        ("cmi.interactions.0.type", "choice", 0),
        ("cmi.interactions.0.learner_response", "a[,]b", 0),
        ("cmi.interactions.0.learner_response", "a[,]a", 406),
        ("cmi.interactions.0.correct_responses.0.pattern", "a", 0),
        ("cmi.interactions.0.correct_responses.1.pattern", "a", 351),
        ("cmi.interactions.0.correct_responses.2.pattern", "b", 351),
        ("cmi.interactions.0.correct_responses.1.pattern", "b", 0),
        ("cmi.interactions.2.id", "q3", 351),
    ];
    for (element, value, code) in table {
        assert_eq!(codes(&mut api, &[(element, value)]), [*code], "{element} = {value:?}");
    }
    let reads: &[(&str, &str, u16)] = &[
        ("cmi.objectives._count", "2", 0),
        ("cmi.interactions._count", "1", 0),
        ("cmi.interactions.0.objectives._count", "1", 0),
        ("cmi.interactions.0.correct_responses._count", "2", 0),
        ("cmi.interactions.1.objectives._count", "", 301),
        ("cmi.objectives.0.score._children", "scaled,raw,min,max", 0),
        ("cmi.objectives.0.success_status", "unknown", 0),
        ("cmi.objectives.0.progress_measure", "", 403),
        ("cmi.objectives.2.id", "", 301),
        ("cmi.location._count", "", 301),
        ("cmi.location._children", "", 301),
        ("cmi.score._version", "", 301),
        ("cmi._version", "1.0", 0),
        ("cmi.exit", "", 405),
        ("cmi.session_time", "", 405),
        ("cmi.learner_preference.audio_level", "1", 0),
        ("cmi.nothing", "", 401),
        ("cmi.nothing._count", "", 401),
        ("cmi", "", 401),
        ("cmi..score", "", 401),
        ("cmi.comments_from_lms._count", "0", 0),
        ("adl.data._children", "id,store", 0),
        ("adl.data._count", "0", 0),
        ("adl.nav.request", "_none_", 0),
        ("adl.nav.request_valid.continue", "unknown", 0),
    ];
    for (element, value, code) in reads {
        assert_eq!((api.get(element).as_str(), api.last_error()), (*value, *code), "{element}");
    }
}

#[test]
fn responses_and_patterns_have_the_form_of_their_type() {
    // Type, value, whether it is a response, whether a pattern.
    let table: &[(&str, &str, bool, bool)] = &[
        ("true-false", "true", true, true),
        ("true-false", "t", false, false),
        ("choice", "", true, true),
        ("choice", "a b", false, false),
        ("fill-in", "{lang=en}car[,]{lang=fr}voiture", true, true),
        ("fill-in", "{case_matters=true}{order_matters=false}{lang=en}car", true, true),
        ("fill-in", "{case_matters=maybe}car", true, false),
        ("fill-in", "{lang=??}car", false, false),
        ("long-fill-in", "{case_matters=false}long", true, true),
        ("long-fill-in", "{order_matters=false}long", true, false),
        ("matching", "a[.]1[,]b[.]2", true, true),
        ("matching", "a[,]b", false, false),
        ("performance", "step[.]done[,][.]2", true, true),
        ("performance", "{order_matters=false}step[.]1[:]2", false, true),
        ("performance", "step[.]2[:]1", true, false),
        ("performance", "[.]", false, false),
        ("performance", "step", false, false),
        ("sequencing", "a[,]b[,]a", true, true),
        ("likert", "strongly", true, true),
        ("likert", "", false, false),
        ("numeric", "4.5", true, true),
        ("numeric", "4[:]5", false, true),
        ("numeric", "[:]5", false, true),
        ("numeric", "5[:]4", false, false),
        ("numeric", "four", false, false),
        ("other", "anything [,] at all", true, true),
    ];
    for (kind, value, response, pattern) in table {
        let mut api = fourth();
        assert_eq!(codes(&mut api, &[("cmi.interactions.0.id", "q"), ("cmi.interactions.0.type", kind)]), [0, 0]);
        let got = api.set("cmi.interactions.0.learner_response", value);
        assert_eq!(got, *response, "response {kind} {value:?}");
        let got = api.set("cmi.interactions.0.correct_responses.0.pattern", value);
        assert_eq!(got, *pattern, "pattern {kind} {value:?}");
    }
    let mut api = fourth();
    codes(&mut api, &[("cmi.interactions.0.id", "q"), ("cmi.interactions.0.type", "true-false")]);
    let twice = [
        ("cmi.interactions.0.correct_responses.0.pattern", "true"),
        ("cmi.interactions.0.correct_responses.1.pattern", "false"),
    ];
    assert_eq!(codes(&mut api, &twice), [0, 351]);
}

#[test]
fn calls_out_of_their_time_are_refused_by_their_code() {
    let mut api = Api::open(Edition::V2004Third, &Launch::default());
    assert!(!api.terminate("") && api.last_error() == 112);
    assert!(api.initialize("") && api.state() == State::Running);
    assert!(!api.terminate("x") && api.last_error() == 201);
    assert!(api.terminate("") && api.last_error() == 0);
    assert!(!api.terminate("") && api.last_error() == 113);
    assert!(!api.initialize("") && api.last_error() == 104);
    assert!(!api.commit("") && api.last_error() == 143);
    assert!(api.get("cmi.location").is_empty() && api.last_error() == 123);
    assert!(!api.set("cmi.location", "1") && api.last_error() == 133);
    // The third edition has no shared data and cannot jump.
    let mut api = running(Edition::V2004Third, &Launch::default());
    assert_eq!(codes(&mut api, &[("adl.nav.request", "{target=a}jump")]), [406]);
    assert!(api.get("adl.data._count").is_empty() && api.last_error() == 401);
    assert!(api.diagnostic("").contains("adl.data._count"));
    assert_eq!(api.diagnostic("406"), "the value does not have the form of the element");
}

#[test]
fn a_launch_says_what_the_manifest_says() {
    let launch = Launch {
        learner_id: "u1".into(),
        learner_name: "Ada".into(),
        facts: Facts {
            launch_data: Some("level=3".into()),
            objectives: vec!["primary".into(), "second".into()],
            shared: vec!["notes".into()],
            ..Facts::default()
        },
        navigation: Navigation { next: Some(true), previous: Some(false), targets: Some(vec!["item.2".into()]) },
        browse: true,
    };
    let mut api = running(Edition::V2004Fourth, &launch);
    for (element, value) in [
        ("cmi.learner_id", "u1"),
        ("cmi.learner_name", "Ada"),
        ("cmi.launch_data", "level=3"),
        ("cmi.mode", "browse"),
        ("cmi.credit", "no-credit"),
        ("cmi.entry", "ab-initio"),
        ("cmi.objectives._count", "2"),
        ("cmi.objectives.1.id", "second"),
        ("adl.data.0.id", "notes"),
        ("adl.nav.request_valid.continue", "true"),
        ("adl.nav.request_valid.previous", "false"),
        ("adl.nav.request_valid.choice.{target=item.2}", "true"),
        ("adl.nav.request_valid.choice.{target=item_9}", "false"),
        ("adl.nav.request_valid.jump.{target=item.2}", "true"),
    ] {
        assert_eq!(api.get(element), value, "{element}");
    }
    assert!(api.set("adl.data.0.store", "seen"));
    assert_eq!(codes(&mut api, &[("adl.data.1.store", "x"), ("adl.data.0.id", "x")]), [351, 404]);
}

#[test]
fn a_suspended_attempt_goes_on_and_a_normal_end_ends_it() {
    let launch = with(Facts { scaled_passing_score: Some("0.6".into()), ..Facts::default() });
    let mut api = running(Edition::V2004Third, &launch);
    codes(&mut api, &[("cmi.location", "page 3"), ("cmi.session_time", "PT1M30.5S"), ("cmi.exit", "suspend")]);
    assert_eq!(api.get("cmi.total_time"), "PT0H0M0S", "the running session does not count yet");
    assert!(api.terminate(""));
    assert!(api.goes_on());
    let mut api = api.resumed(&launch);
    assert!(api.initialize(""));
    assert_eq!(api.get("cmi.entry"), "resume");
    assert_eq!(api.get("cmi.location"), "page 3");
    assert_eq!(api.get("cmi.total_time"), "PT1M30.5S");
    codes(&mut api, &[("cmi.score.scaled", "0.7"), ("cmi.completion_status", "completed"), ("cmi.exit", "normal")]);
    assert!(api.terminate(""));
    assert!(!api.goes_on());
    let standing = api.standing();
    assert_eq!((standing.completion, standing.success), (Completion::Completed, Success::Passed));
    assert_eq!((standing.scaled, standing.total_time), (Some(0.7), 9050));
    assert_eq!(standing.bookmark.as_deref(), Some("page 3"));

    // A browser that died is taken up where it was.
    let mut cut = running(Edition::V2004Fourth, &Launch::default());
    codes(&mut cut, &[("cmi.location", "4"), ("cmi.session_time", "PT5S")]);
    assert!(cut.goes_on());
    let mut cut = cut.resumed(&Launch::default());
    cut.initialize("");
    assert_eq!((cut.get("cmi.entry").as_str(), cut.get("cmi.total_time").as_str()), ("resume", "PT5S"));
}

#[test]
fn replaying_names_what_is_refused_and_keeps_the_rest() {
    let mut api = fourth();
    let set = |element: &str, value: &str| Set { element: element.into(), value: value.into() };
    let refused = api.replay(&[set("cmi.location", "2"), set("cmi.score.scaled", "7"), set("cmi.suspend_data", "x")]);
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].index, refused[0].element.as_str(), refused[0].code), (1, "cmi.score.scaled", 407));
    assert!(!refused[0].message.contains('7'), "the value is the learner's");
    assert_eq!(api.get("cmi.suspend_data"), "x");
}

#[test]
fn an_attempt_is_bounded() {
    let mut api = fourth();
    let long = "x".repeat(64_000);
    let mut taken = 0;
    for index in 0..40 {
        taken += usize::from(api.set(&format!("cmi.comments_from_learner.{index}.comment"), &long));
    }
    assert_eq!(taken, 16, "1 MiB");
    assert_eq!(api.last_error(), 351);
}

#[test]
fn a_schema_version_names_its_edition() {
    for (version, edition) in [
        ("1.2", Edition::V12),
        ("2004 3rd Edition", Edition::V2004Third),
        ("CAM 1.3", Edition::V2004Third),
        ("2004 4th Edition", Edition::V2004Fourth),
    ] {
        assert_eq!(Edition::of_schema(version), edition, "{version}");
        assert_eq!(Edition::parse(edition.as_str()), Some(edition));
    }
}

proptest! {
    #[test]
    fn a_duration_survives_being_written(hundredths in 0_i64..40_000_000_000) {
        prop_assert_eq!(time::interval(&time::interval_text(hundredths)), Some(hundredths));
    }

    #[test]
    fn no_name_and_no_value_breaks_a_session(names in proptest::collection::vec("[a-z0-9._{}=]{0,40}", 20), value in ".{0,40}") {
        for edition in [Edition::V12, Edition::V2004Third, Edition::V2004Fourth] {
            let mut api = running(edition, &Launch::default());
            for name in &names {
                for name in [name.clone(), format!("cmi.{name}"), format!("cmi.interactions.{name}")] {
                    api.set(&name, &value);
                    api.get(&name);
                }
            }
            prop_assert!(api.terminate(""));
            let text = serde_json::to_string(&api).unwrap();
            prop_assert_eq!(serde_json::from_str::<Api>(&text).unwrap(), api);
        }
    }
}
