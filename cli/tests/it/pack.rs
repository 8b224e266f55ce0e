//! Content fetched on one machine and loaded on another, as a person does it.

use crate::support::{School, demo};

#[test]
fn a_pack_of_one_school_is_loaded_in_another_that_trusts_its_key() {
    let (laptop, server, folder) = (School::new(), School::new(), tempfile::tempdir().unwrap());
    let file = folder.path().join("course.lyp").display().to_string();
    let course = demo().join("course").display().to_string();
    let planned = laptop.json(&["ingest", "pack", &course, "--out", &file, "--dry-run", "--json"]);
    assert!(planned["file"].is_null() && planned["files"].as_u64().unwrap() >= 10, "{planned}");
    assert!(!laptop.data.path().join("pack-key").exists());
    let packed = laptop.json(&["ingest", "pack", &course, "--out", &file, "--json"]);
    let key = packed["key"].as_str().unwrap();
    assert!(key.starts_with("ed25519:") && key.len() == 72, "{packed}");

    let load = ["ingest", "load", &file, "--course", "sound", "--json"];
    let refused = server.run(&load);
    let said = refused.json();
    let message = said["error"]["message"].as_str().unwrap();
    assert_eq!(refused.code, 5, "{said}");
    assert!(message.starts_with("PACK_UNTRUSTED") && message.contains(key), "{message}");
    let wrong = server.run(&["ingest", "load", &file, "--course", "sound", "--trust", "x", "--json"]);
    assert_eq!(wrong.code, 2);

    let trusting = [&load[..], &["--trust", key]].concat();
    let checked = server.json(&[&trusting[..], &["--dry-run"]].concat());
    assert_eq!(checked["reports"].as_array().unwrap().len(), 0, "{checked}");
    let loaded = server.json(&trusting);
    assert_eq!(loaded["reports"][0]["outcome"], "succeeded", "{loaded}");
    let direct = laptop.json(&["ingest", "dir", &course, "--course", "sound", "--json"]);
    for count in ["modules", "lessons", "chunks"] {
        assert_eq!(loaded["reports"][0][count], direct[count], "{count}");
    }
    let again = server.json(&trusting);
    assert_eq!(again["pack"]["known"], again["pack"]["files"]);
    assert_eq!(again["reports"][0]["embedded"], 0);

    // A school trusts its own key, and those of its settings.
    assert_eq!(laptop.run(&load).code, 0);
    let third = School::new();
    std::fs::write(third.data.path().join("lyceum.toml"), format!("pack_trust = [\"{key}\"]\n")).unwrap();
    assert_eq!(third.run(&load).code, 0);
    assert_eq!(server.json(&["verify", "--json"])["clean"], true);
}
