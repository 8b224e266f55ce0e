//! ADL's conformance cases of the run-time, decoded to calls with what they have to answer.
//!
//! What a case presumes of its package comes as `initialState`, since no manifest is with it: CM-01 has
//! `attemptAbsoluteDurationLimit` and `minNormalizedMeasure` (0.8, 0.7); DMB has `completionThreshold` 0.8
//! (activity 2) and 0.6 (6), `minNormalizedMeasure` -0.5 (3, 4), 1.0 (5) and 0.6 (6), and in activity 1
//! what the visit before left. CM-02a presumes that no objective of the manifest has an id. All others
//! presume nothing; their steps of sequencing and navigation are not in the files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::super::{Api, Edition, Launch};

fn cases() -> Option<Vec<(String, Value)>> {
    let root = std::env::var_os("LYCEUM_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let folder = root.join("scorm/adl-api");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("skipped: no outside test data at {} (set LYCEUM_TEST_DATA)", folder.display());
        return None;
    };
    let mut cases: Vec<(String, Value)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap())
        })
        .collect();
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    Some(cases)
}

fn flat(prefix: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(parts) => parts.iter().for_each(|(name, part)| flat(&format!("{prefix}.{name}"), part, into)),
        Value::String(text) => into.push((prefix.to_owned(), text.clone())),
        other => panic!("{prefix} is {other}"),
    }
}

fn initial(activity: &Value) -> Vec<(String, String)> {
    let mut values = Vec::new();
    if let Some(cmi) = activity.pointer("/initialState/cmi") {
        flat("cmi", cmi, &mut values);
    }
    values
}

/// Makes the calls; what came differently, in words.
fn differences(api: &mut Api, activity: &Value) -> (usize, Vec<String>) {
    let mut wrong = Vec::new();
    let steps = activity["steps"].as_array().unwrap();
    for (number, step) in steps.iter().enumerate() {
        let text = |name: &str| step[name].as_str().unwrap_or_default();
        let truth = |done: bool| done.to_string();
        let answer = match text("method") {
            "Initialize" => truth(api.initialize(text("value"))),
            "Terminate" => truth(api.terminate(text("value"))),
            "Commit" => truth(api.commit(text("value"))),
            "GetValue" => api.get(text("element")),
            "SetValue" => truth(api.set(text("element"), text("value"))),
            "GetLastError" => api.last_error().to_string(),
            "GetErrorString" => api.error_string(text("value")).to_owned(),
            "GetDiagnostic" => api.diagnostic(text("value")),
            other => panic!("no method {other}"),
        };
        let fits = match &step["expectedReturn"] {
            Value::String(expected) => *expected == answer,
            Value::Object(rule) if rule["match"] == "nonEmptyMax255" => (1..=255).contains(&answer.chars().count()),
            other => panic!("no rule {other}"),
        };
        let code = api.last_error().to_string();
        if !fits || code != text("expectedErrorCode") {
            wrong.push(format!("step {number} {step}: \"{answer}\", code {code}"));
        }
    }
    (steps.len(), wrong)
}

#[test]
fn every_case_of_adl_passes_in_both_editions_of_2004() {
    let Some(cases) = cases() else { return };
    let (mut activities, mut calls, mut wrong) = (0, 0, Vec::new());
    for edition in [Edition::V2004Third, Edition::V2004Fourth] {
        for (name, case) in &cases {
            assert_eq!(case["scormVersion"], "2004", "{name}");
            for activity in case["activities"].as_array().unwrap() {
                let mut api = Api::restored(edition, &Launch::default(), initial(activity));
                let (made, found) = differences(&mut api, activity);
                (activities, calls) = (activities + 1, calls + made);
                wrong.extend(found.into_iter().map(|one| format!("{name} {} {one}", activity["id"])));
            }
        }
    }
    println!("ADL: {} cases x 2 editions, {activities} activities, {calls} calls, {} wrong", cases.len(), wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 34, "{} cases", cases.len());
}

/// The visits of DMB's first activity one after the other, each on what the one before left, not on
/// what the file says that it left. Visits 6 and 10 end by a `suspendAll` that is not in the file.
#[test]
fn the_visits_of_adl_follow_from_each_other() {
    let Some(cases) = cases() else { return };
    let Some((_, dmb)) = cases.iter().find(|(name, _)| name == "DMB") else { return };
    let visits: BTreeMap<u32, &Value> = dmb["activities"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|activity| Some((activity["id"].as_str()?.strip_prefix("Act1V")?.parse().ok()?, activity)))
        .collect();
    let mut kept: Option<Api> = None;
    let mut calls = 0;
    for (number, visit) in &visits {
        let mut api = match kept.take().filter(Api::goes_on) {
            Some(before) => before.resumed(&Launch::default()),
            None => Api::open(Edition::V2004Third, &Launch::default()),
        };
        let (made, wrong) = differences(&mut api, visit);
        assert!(wrong.is_empty(), "visit {number}: {}", wrong.join("\n"));
        calls += made;
        if matches!(number, 6 | 10) {
            assert!(api.set("adl.nav.request", "suspendAll"));
        }
        assert!(api.terminate(""));
        // What is stored is what goes on.
        kept = Some(serde_json::from_str(&serde_json::to_string(&api).unwrap()).unwrap());
    }
    println!("ADL: {} visits of one activity in sequence, {calls} calls", visits.len());
    assert!(visits.len() >= 11);
}
