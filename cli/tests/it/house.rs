//! The invariants of ARCHITECTURE.md, held over `cargo metadata` and the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Direct, ordinary dependencies of each of our crates, by crate name without the prefix.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let short = |name: &str| name.trim_start_matches("lyceum-").to_owned();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let names = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|dependency| dependency["kind"].is_null())
                .map(|dependency| short(dependency["name"].as_str().unwrap()))
                .collect();
            (short(package["name"].as_str().unwrap()), names)
        })
        .collect()
}

/// Rust sources of a crate, tests left out.
fn sources(of: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(of).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|name| name == "tests") {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    found
}

const CRATES: [&str; 12] = [
    "domain",
    "store",
    "engines",
    "school",
    "llm-gateway",
    "llm-worker",
    "ingestion",
    "assistant",
    "recommender",
    "eval",
    "api",
    "cli",
];

#[test]
fn imports_point_down() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("domain", &[] as &[&str]),
        ("store", &["domain"]),
        ("engines", &["domain", "store"]),
        ("school", &["domain", "store"]),
        ("llm-gateway", &["domain", "store"]),
        ("llm-worker", &["domain"]),
        ("assistant", &["domain", "store", "school", "llm-gateway"]),
        ("ingestion", &["domain", "store", "school", "llm-gateway"]),
        ("recommender", &["domain", "store", "school"]),
        ("eval", &["domain", "store", "school", "llm-gateway", "assistant", "recommender"]),
        ("api", &["domain", "store", "school", "llm-gateway", "assistant", "recommender"]),
        ("cli", &CRATES),
    ]);
    let dependencies = dependencies();
    assert_eq!(
        dependencies.len(),
        CRATES.len(),
        "a crate joined or left the house: draw it in ARCHITECTURE.md and here"
    );
    for (name, names) in &dependencies {
        for ours in names.iter().filter(|dependency| CRATES.contains(&dependency.as_str())) {
            assert!(allowed[name.as_str()].contains(&ours.as_str()), "\"{name}\" may not import \"{ours}\"");
        }
    }
}

#[test]
fn each_library_is_named_where_it_belongs() {
    let owners: [(&str, &[&str]); 13] = [
        ("sqlx", &["store"]),
        ("apalis", &["store"]),
        ("qdrant-client", &["engines"]),
        ("rdkafka", &["engines"]),
        ("redis", &["engines"]),
        ("object_store", &["engines", "store"]),
        ("candle-core", &["llm-worker"]),
        ("candle-nn", &["llm-worker"]),
        ("candle-transformers", &["llm-worker"]),
        ("fastembed", &["llm-worker"]),
        ("ort", &["llm-worker"]),
        ("ollama-rs", &["llm-worker"]),
        ("tokenizers", &["llm-worker"]),
    ];
    for (name, names) in dependencies() {
        for (library, crates) in owners {
            assert!(
                !names.contains(library) || crates.contains(&name.as_str()),
                "\"{name}\" may not name \"{library}\""
            );
        }
        if name == "domain" {
            for banned in ["tokio", "sqlx", "axum", "reqwest"] {
                assert!(!names.contains(banned), "domain may not name \"{banned}\"");
            }
        }
    }
}

#[test]
fn no_file_is_longer_than_600_lines() {
    let mut long = Vec::new();
    for name in CRATES {
        for (path, text) in sources(name) {
            let lines = text.lines().count();
            if lines > 600 {
                long.push(format!("{}: {lines}", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "split by responsibility: {long:#?}");
}

#[test]
fn only_the_command_line_prints() {
    for name in CRATES.iter().filter(|name| **name != "cli") {
        for (path, text) in sources(name) {
            for line in text.lines().take_while(|line| !line.contains("#[cfg(test)]")) {
                let code = line.trim_start();
                let prints = ["println!(", "eprintln!(", "print!(", "dbg!("].iter().any(|call| code.starts_with(call));
                assert!(!prints || path.ends_with("store/src/testing.rs"), "{} prints: {line}", path.display());
            }
        }
    }
}

#[test]
fn sql_lives_in_the_store() {
    for name in CRATES.iter().filter(|name| **name != "store") {
        for (path, text) in sources(name) {
            for keyword in ["SELECT ", "INSERT INTO", "DELETE FROM", "UPDATE "] {
                let found = text.lines().any(|line| {
                    let code = line.trim_start();
                    !code.starts_with("//") && code.contains(&format!("\"{keyword}"))
                });
                assert!(!found, "{} holds SQL", path.display());
            }
        }
    }
}

#[test]
fn routes_are_added_only_with_their_action() {
    for (path, text) in sources("api") {
        if path.ends_with("routes.rs") {
            continue;
        }
        assert!(!text.contains(".route("), "{}: use routes.add(method, path, Action, handler)", path.display());
    }
}

#[test]
fn every_table_but_the_listed_carries_its_institution() {
    let exempt = ["institutions", "meta", "consumer_offsets", "chunk_terms"];
    for dialect in ["sqlite", "postgres"] {
        let folder = root().join("store/migrations").join(dialect);
        for entry in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            for piece in text.split("CREATE TABLE ").skip(1) {
                let name = piece.split_whitespace().next().unwrap();
                let body = piece.split(");").next().unwrap();
                assert!(
                    exempt.contains(&name) || body.contains("institution_id TEXT NOT NULL"),
                    "{dialect}: \"{name}\" has no institution"
                );
            }
        }
    }
}
