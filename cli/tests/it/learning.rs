//! The loop of learning at the command line: a bank from a file, a text handed in, a grade that a person releases.

use crate::support::{School, demo};

#[test]
fn a_text_is_handed_in_graded_and_released_by_a_person_alone() {
    let school = School::new();
    let folder = demo().join("second");
    school.json(&["ingest", "dir", folder.to_str().unwrap(), "--course", "bread", "--json"]);
    school.json(&["course", "publish", "bread", "--json"]);
    for name in ["ines", "leo", "ada"] {
        school.json(&["user", "create", name, "--json"]);
    }
    school.json(&["user", "grant", "ines", "instructor", "--course", "bread", "--json"]);
    school.json(&["user", "grant", "ada", "admin", "--json"]);
    school.json(&["enrol", "add", "leo", "--course", "bread", "--json"]);

    let file = |name: &str, text: &str| {
        let path = school.data.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let bank = file(
        "bank.gift",
        "Why does dough rise? {}\n\nIs yeast alive? {T}\n\nWhich gas lifts it? {=carbon dioxide ~oxygen}\n",
    );
    let read = school.json(&["--as", "ines", "quiz", "import", &bank, "--course", "bread", "--json"]);
    let ids: Vec<String> = read["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
    assert_eq!((ids.len(), read["losses"].as_array().unwrap().len()), (3, 0), "{read}");
    let titled = file("titled.gift", "::Sorts:: Is rye a grain? {T}\n");
    let named = school.run(&["--as", "ines", "quiz", "import", &titled, "--course", "bread", "--json"]);
    assert_eq!(named.code, 3, "a loss is named: {}", named.stdout);
    let out = school.data.path().join("out.gift").to_str().unwrap().to_owned();
    school.run(&["--as", "ines", "quiz", "export", "--course", "bread", "--out", &out, "--json"]);
    let again = school.run(&["--as", "ines", "quiz", "import", &out, "--course", "bread", "--dry-run", "--json"]);
    assert_eq!((again.code, &again.json()["questions"]), (0, &serde_json::json!(4)), "{}", again.stdout);

    school.json(&["--as", "ines", "quiz", "approve", &ids[0], "--json"]);
    let make = ["--as", "ines", "quiz", "create", "--course", "bread", "--title", "Rise", "--questions", &ids[0]];
    let quiz = school.json(&[&make[..], &["--publish", "--json"]].concat());
    let quiz = quiz["id"].as_str().unwrap();
    let essay = file("essay.txt", "Yeast eats sugar and makes carbon dioxide. The gas lifts the dough.");
    let handed = school.json(&["--as", "leo", "quiz", "hand-in", quiz, &ids[0], "--file", &essay, "--json"]);
    let submission = handed["submission"].as_str().unwrap();

    let levels = serde_json::json!([
        { "id": "yes", "title": "Yes", "share": 1.0 }, { "id": "no", "title": "No", "share": 0.0 }
    ]);
    let rubric = serde_json::json!([{ "id": "gas", "title": "Names the gas", "points": 1.0, "levels": levels,
        "reference": "Yeast makes carbon dioxide and the gas lifts the dough." }]);
    let rubric = file("rubric.json", &rubric.to_string());
    school.json(&["--as", "ines", "grade", "rubric", &ids[0], "--set", &rubric, "--json"]);
    let proposed = school.json(&["--as", "ines", "grade", "propose", submission, "--json"]);
    assert_eq!(proposed["proposal"]["criteria"].as_array().unwrap().len(), 1, "{proposed}");
    let odd = school.run(&["--as", "ines", "grade", "set", submission, "--level", "gas=very", "--json"]);
    assert_eq!(odd.code, 2, "{}", odd.stdout);
    let set = ["--as", "ines", "grade", "set", submission, "--level", "gas=yes", "--reason", "read in full", "--json"];
    assert_eq!(school.json(&set)["points"], 1.0);

    let release = ["grade", "release", submission, "--json"];
    let operator = school.run(&release);
    assert_eq!(operator.code, 2, "the operator names no person: {}", operator.stdout);
    for name in ["ada", "leo"] {
        let refused = school.run(&[&["--as", name][..], &release[..]].concat());
        assert!([4, 5].contains(&refused.code), "{name}: {} {}", refused.code, refused.stdout);
    }
    let seen = school.json(&["--as", "leo", "quiz", "submissions", "--course", "bread", "--json"]);
    assert_eq!(seen["submissions"][0]["grade"], serde_json::Value::Null, "{seen}");
    school.json(&[&["--as", "ines"][..], &release[..]].concat());
    let seen = school.json(&["--as", "leo", "quiz", "submissions", "--course", "bread", "--json"]);
    assert_eq!(seen["submissions"][0]["grade"]["points"], 1.0, "{seen}");
    let csv = school.run(&["--as", "leo", "grade", "export", "--course", "bread"]);
    assert!(csv.stdout.contains("leo") && csv.stdout.lines().count() == 2, "{}", csv.stdout);
    school.json(&["--as", "leo", "appeal", "open", submission, "I said lifts.", "--json"]);
    let queue = school.json(&["--as", "ines", "grade", "queue", "--course", "bread", "--json"]);
    assert!(queue["queue"][0]["appeal"].is_object(), "{queue}");
    assert_eq!(school.json(&["verify", "--json"])["clean"], true);
}

#[test]
fn packages_that_nobody_opened_are_said_so_and_unknown_attempts_are_not_found() {
    let school = School::new();
    let folder = demo().join("second");
    school.json(&["ingest", "dir", folder.to_str().unwrap(), "--course", "bread", "--json"]);
    let none = school.json(&["scorm", "results", "--course", "bread", "--json"]);
    assert_eq!(none, serde_json::json!({ "scoreSource": "client-reported", "attempts": [] }));
    let said = school.run(&["scorm", "results", "--course", "bread"]);
    assert!(said.stdout.contains("nobody has opened"), "{}", said.stdout);
    let unknown = "01890000-0000-7000-8000-000000000000";
    assert_eq!(school.run(&["scorm", "trace", unknown, "--replay", "--json"]).code, 4);
    let bad = school.run(&["scorm", "trace", "no-id"]);
    assert!([2, 4].contains(&bad.code), "{} {}", bad.code, bad.stdout);
}
