//! What a user does: ingest each kind of source, search, ask, see typed failures.

use serde_json::Value;

use crate::support::{School, demo};

fn path(of: &str) -> String {
    demo().join(of).to_str().unwrap().to_owned()
}

#[test]
fn a_folder_becomes_a_course_and_the_tutor_cites_its_lines() {
    let school = School::new();
    let report = school.json(&["ingest", "dir", &path("course"), "--course", "sound", "--json"]);
    assert_eq!(report["outcome"], "succeeded", "{report}");
    assert!(report["lessons"].as_i64().unwrap() >= 10);
    assert_eq!(report["embedded"], report["chunks"]);

    let questions: Value =
        serde_json::from_str(&std::fs::read_to_string(demo().join("questions.json")).unwrap()).unwrap();
    let by_lines = questions["answered"].as_array().unwrap().iter().find(|q| q["locatorKind"] == "lines").unwrap();
    let answer = school.json(&["tutor", "ask", "--course", "sound", by_lines["question"].as_str().unwrap(), "--json"]);
    assert_eq!(answer["outcome"], "answered", "{answer}");
    assert_eq!(answer["mode"], "extract");
    for citation in answer["citations"].as_array().unwrap() {
        let file =
            std::fs::read_to_string(demo().join("course").join(citation["sourcePath"].as_str().unwrap())).unwrap();
        let (start, end) =
            (citation["locator"]["start"].as_u64().unwrap(), citation["locator"]["end"].as_u64().unwrap());
        let lines: Vec<&str> = file.lines().skip(start as usize - 1).take((end - start + 1) as usize).collect();
        let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
        assert!(
            letters(&lines.join(" ")).contains(&letters(citation["quote"].as_str().unwrap())),
            "the quote must stand at the lines it names: {citation}"
        );
    }

    let again = school.json(&["ingest", "dir", &path("course"), "--course", "sound", "--json"]);
    assert_eq!(again["embedded"], 0);
    assert_eq!(again["chunks"], report["chunks"]);
    assert_eq!(school.json(&["verify", "--json"])["clean"], true);
}

#[test]
fn a_question_of_another_subject_is_declined_with_the_nearest_passages() {
    let school = School::new();
    school.json(&["ingest", "dir", &path("course"), "--course", "sound", "--json"]);
    let answer = school.json(&["tutor", "ask", "--course", "sound", "Who won the battle of Hastings?", "--json"]);
    assert_eq!(answer["outcome"], "declined", "{answer}");
    assert!(answer["citations"].as_array().unwrap().is_empty());
    assert!(!answer["nearest"].as_array().unwrap().is_empty());
}

#[test]
fn failures_are_typed_and_import_nothing() {
    let school = School::new();
    let cases = [
        (vec!["ingest", "scorm", "broken.zip"], "BROKEN_ARCHIVE", 1),
        (vec!["ingest", "video", "lecture.mp4"], "NO_CAPTIONS", 1),
        (vec!["ingest", "file", "missing.pdf"], "NOT_FOUND", 4),
    ];
    for (arguments, code, exit) in cases {
        let file = path(arguments[2]);
        let outcome = school.run(&[arguments[0], arguments[1], &file, "--course", "typed", "--json"]);
        let report = outcome.json();
        assert_eq!(report["outcome"], "failed", "{report}");
        assert_eq!(report["error"]["code"], code, "{report}");
        assert_eq!(outcome.code, exit, "{report}");
    }
    let courses = school.json(&["course", "list", "--json"]);
    for course in courses["courses"].as_array().unwrap() {
        assert_eq!(course["chunks"], 0, "{course}");
    }
    assert_eq!(school.json(&["verify", "--json"])["clean"], true);
}

#[test]
fn several_institutions_must_be_told_apart() {
    let school = School::new();
    school.json(&["institution", "create", "north", "--json"]);
    school.json(&["institution", "create", "south", "--json"]);
    let outcome = school.run(&["course", "list", "--json"]);
    assert_eq!(outcome.code, 2, "{}", outcome.stdout);
    school.json(&["--institution", "north", "ingest", "dir", &path("second"), "--course", "bread", "--json"]);
    let south = school.json(&["--institution", "south", "course", "list", "--json"]);
    assert!(south["courses"].as_array().unwrap().is_empty(), "{south}");
    let outcome = school.run(&["--institution", "south", "search", "--course", "bread", "oven", "--json"]);
    assert_eq!(outcome.code, 4, "{}", outcome.stdout);
}

#[test]
fn help_names_examples_and_bad_configuration_names_its_field() {
    let school = School::new();
    let help = school.run(&["--help"]);
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("lyceum ingest dir"));
    std::fs::write(school.data.path().join("lyceum.toml"), "listne = \"127.0.0.1:1\"\n").unwrap();
    let outcome = school.run(&["config", "check", "--json"]);
    assert_eq!(outcome.code, 78);
    assert!(
        outcome.stdout.contains("listne") || outcome.stderr.contains("listne"),
        "{} {}",
        outcome.stdout,
        outcome.stderr
    );
}
