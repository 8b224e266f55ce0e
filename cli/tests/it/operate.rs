//! Operating the pipeline from the command line: plan, status, hold and resume, sources, limits, a full disk.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::support::School;

fn pages(folder: &Path, count: usize) {
    std::fs::create_dir_all(folder).unwrap();
    for n in 0..count {
        let parts: String =
            (0..6).map(|m| format!("## Part {m}\n\nSentence {n} and {m} is about sails.\n\n")).collect();
        std::fs::write(folder.join(format!("{n:03}.md")), format!("# Page {n}\n\n{parts}")).unwrap();
    }
}

/// Without a model, so that only this machine's disk and processor matter.
fn json(school: &School, arguments: &[&str], variables: &[(&str, &str)], code: i32) -> (Value, String) {
    let mut command = school.command(arguments);
    command.arg("--json").env("LYCEUM_EMBEDDING_MODEL", "none").envs(variables.iter().copied());
    let output = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\nstdout: {stdout}\nstderr: {stderr}");
    let last = stdout.lines().last().unwrap_or_default();
    (serde_json::from_str(last).unwrap_or_default(), format!("{stdout}{stderr}"))
}

#[test]
fn an_operator_plans_holds_resumes_and_looks_after_sources() {
    let school = School::new();
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    pages(&book, 12);
    let path = book.to_str().unwrap();
    let run = |arguments: &[&str]| json(&school, arguments, &[], 0).0;

    let plan = run(&["ingest", "plan", "dir", path, "--course", "sailing"]);
    assert_eq!((plan["documents"].as_u64(), plan["changes"]["new"].as_u64()), (Some(12), Some(12)), "{plan}");
    let dry = run(&["ingest", "dir", path, "--course", "sailing", "--dry-run"]);
    assert_eq!((&plan["fingerprint"], &plan["changes"]), (&dry["fingerprint"], &dry["changes"]));
    assert_eq!(run(&["course", "list"])["courses"].as_array().map(Vec::len).unwrap_or_default(), 0);

    let wide = [("LYCEUM_DISK_RESERVE_MIB", "999999999")];
    let (_, said) = json(&school, &["ingest", "dir", path, "--course", "sailing"], &wide, 75);
    assert!(said.contains("free") && said.contains("lyceum ingest resume"), "{said}");
    let held = run(&["ingest", "status", "--course", "sailing"])["ingestions"][0].clone();
    let id = held["id"].as_str().unwrap().to_owned();
    assert_eq!((&held["state"], &held["waiting"]["code"]), (&"paused".into(), &"DISK_FULL".into()), "{held}");
    let (_, said) = json(&school, &["ingest", "retry", &id], &[], 1);
    assert!(said.contains("paused"), "{said}");
    assert_eq!(run(&["ingest", "resume", &id])["outcome"], "succeeded");
    let (_, said) = json(&school, &["ingest", "resume", &id], &[], 1);
    assert!(said.contains("is over"), "{said}");
    let status = run(&["ingest", "status", &id, "--watch"]);
    assert_eq!((&status["state"], status["actions"].as_array().map(Vec::len)), (&"succeeded".into(), Some(0)));
    assert!(status["stages"].as_array().unwrap().len() >= 5, "{status}");
    json(&school, &["ingest", "cancel", "0198c0de-0000-7000-8000-000000000000"], &[], 4);

    let sources = run(&["source", "list", "--course", "sailing"]);
    let source = sources["sources"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(sources["sources"][0]["lessons"], 12);
    std::fs::remove_file(book.join("003.md")).unwrap();
    assert_eq!(run(&["source", "refresh", &source])["lessons"], 11);
    let shown = run(&["source", "show", &source]);
    assert_eq!(shown["vanished"][0]["title"], "Page 3", "{shown}");
    let planned = run(&["ingest", "plan", "dir", path, "--course", "sailing"]);
    assert_eq!((&planned["changes"]["nothing"], &planned["disk"]["needed"]), (&true.into(), &0.into()));
    assert!(planned["estimate"]["basis"].as_str().unwrap().contains("measured"), "{planned}");

    let set = run(&["source", "schedule", &source, "--cron", "0 3 * * *"]);
    assert!(set["nextAt"].as_i64().unwrap() > 0);
    json(&school, &["source", "schedule", &source, "--cron", "0 3 * *"], &[], 2);
    assert_eq!(run(&["source", "schedule", &source, "--off"])["cron"], Value::Null);

    let limits = run(&["ingest", "limits", "--stored", "20GiB", "--runs", "2"]);
    assert_eq!((limits["storedBytes"].as_i64(), limits["runs"].as_i64()), (Some(20 << 30), Some(2)));
    json(&school, &["ingest", "limits", "--stored", "much"], &[], 2);

    let (would, _) = json(&school, &["source", "remove", &source], &[], 2);
    assert_eq!(would["error"]["code"], "USAGE", "{would}");
    let removed = run(&["source", "remove", &source, "--yes"]);
    assert_eq!((&removed["lessons"], &removed["passages"]), (&12.into(), &66.into()), "{removed}");
    json(&school, &["source", "show", &source], &[], 4);
    assert_eq!(run(&["verify"])["clean"], true);
}

/// A small disk of its own, or the reason why there is none.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(mib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "none"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            println!("skipped: a small disk cannot be mounted here (needs root)");
        }
        mounted.then(|| Self(folder))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

/// Writes until nothing more fits.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    for size in [1 << 16, 4096, 512] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

#[test]
fn a_disk_that_fills_up_ends_typed_and_the_run_goes_on_after_space_is_made() {
    let rounds: u32 = std::env::var("LYCEUM_TEST_FULL").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book");
    pages(&book, 150);
    let path = book.to_str().unwrap();
    let mut random = rand::rngs::StdRng::seed_from_u64(20_261_121);
    let variables = [("LYCEUM_DISK_RESERVE_MIB", "0"), ("LYCEUM_EMBEDDING_MODEL", "none")];
    let (mut met, mut codes) = (0, Vec::new());
    for round in 0..rounds {
        let Some(disk) = Disk::new(48) else { return };
        let school = School { data: tempfile::tempdir_in(disk.0.path()).unwrap() };
        // The school is made while there is room.
        json(&school, &["course", "create", "sailing"], &variables, 0);
        let filler = disk.0.path().join("filler");
        let mut child = school.command(&["ingest", "dir", path, "--course", "sailing", "--json"]);
        child.envs(variables).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        let child = child.spawn().unwrap();
        #[expect(clippy::disallowed_methods, reason = "the disk is filled at a random moment")]
        std::thread::sleep(Duration::from_millis(random.random_range(20..900)));
        fill(&filler);
        let output = child.wait_with_output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let code = output.status.code().unwrap_or(-1);
        codes.push(code);
        assert!(code >= 0, "round {round}: killed by a signal: {said}");
        if code != 0 {
            met += 1;
            let typed = ["DISK_FULL", "full", "No space left"].iter().any(|word| said.contains(word));
            assert!(typed, "round {round}, exit {code}: {said}");
        }
        std::fs::remove_file(&filler).unwrap();
        let report = json(&school, &["ingest", "dir", path, "--course", "sailing"], &variables, 0).0;
        assert_eq!(
            (&report["outcome"], &report["lessons"], &report["chunks"]),
            (&"succeeded".into(), &150.into(), &900.into())
        );
        assert_eq!(json(&school, &["verify"], &variables, 0).0["clean"], true);
    }
    println!("{met} of {rounds} runs met a full disk, exits {codes:?}; all went on to a clean school");
}
