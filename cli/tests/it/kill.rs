//! kill -9 at random moments of an ingestion, each followed by an immediate restart.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};

use crate::support::{School, demo};

/// Rounds in the ordinary suite; `LYCEUM_TEST_KILLS` asks for more.
const ROUNDS: u32 = 6;

#[test]
fn killed_anywhere_an_ingestion_goes_on_and_ends_as_a_clean_one() {
    let rounds = std::env::var("LYCEUM_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let many = tempfile::tempdir().unwrap();
    let source = if rounds > ROUNDS { two_hundred(many.path()) } else { demo().join("course") };
    let source = source.to_str().unwrap();
    let arguments = ["ingest", "dir", source, "--course", "killed", "--json"];

    let clean = School::new();
    let began = Instant::now();
    let expected = clean.json(&arguments);
    let whole = began.elapsed();
    let began = Instant::now();
    clean.json(&arguments);
    let start = began.elapsed();

    let mut school = School::new();
    let mut random = rand::rngs::StdRng::seed_from_u64(20_261_121);
    let began = Instant::now();
    let mut killed = 0;
    let mut finished = 0;
    // Moments are drawn so that a run meets many kills: on average each lets it do a tenth of its work.
    let work = whole.saturating_sub(start).mul_f64(0.2);
    while killed < rounds {
        let moment = random.random_range(Duration::from_millis(5)..start + work);
        if school.kill_at(&arguments, moment) {
            killed += 1;
            if killed % 5 == 0 {
                let verified = school.run(&["verify", "--json"]);
                assert_eq!(verified.code, 0, "after {killed} kills: {}", verified.stdout);
            }
        } else {
            agrees(&school, &arguments, &expected);
            school = School::new();
            finished += 1;
        }
    }
    agrees(&school, &arguments, &expected);
    finished += 1;
    let total = began.elapsed();
    let each = total.saturating_sub(whole * finished).as_secs_f64() / f64::from(rounds);
    println!(
        "{rounds} kills over {finished} ingestions, all as a clean one; clean {whole:.1?}, an idle start {start:.1?}, \
         {total:.1?} in all: {each:.2} s a kill with its restart and checks"
    );
}

/// A folder of 200 documents in 20 chapters.
fn two_hundred(folder: &std::path::Path) -> std::path::PathBuf {
    for n in 0..200 {
        let chapter = folder.join(format!("chapter-{:02}", n / 10));
        std::fs::create_dir_all(&chapter).unwrap();
        let parts: String =
            (0..5).map(|m| format!("## Part {m}\n\nOf page {n} this is part {m}; a sail needs wind.\n\n")).collect();
        std::fs::write(chapter.join(format!("{n:03}.md")), format!("# Page {n}\n\n{parts}")).unwrap();
    }
    folder.to_owned()
}

fn agrees(school: &School, arguments: &[&str], expected: &serde_json::Value) {
    let report = school.json(arguments);
    assert_eq!(report["outcome"], "succeeded");
    for count in ["chunks", "lessons", "modules"] {
        assert_eq!(report[count], expected[count], "{count}");
    }
    let verified = school.json(&["verify", "--json"]);
    assert_eq!(verified["clean"], true, "{verified}");
}
