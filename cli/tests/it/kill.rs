//! kill -9 at random moments of an ingestion, each followed by an immediate restart.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};

use crate::support::{School, demo, shared_data};

/// Rounds in the ordinary suite; `LYCEUM_TEST_KILLS` asks for more.
const ROUNDS: u32 = 6;

#[test]
fn killed_anywhere_an_ingestion_goes_on_and_ends_as_a_clean_one() {
    let rounds = std::env::var("LYCEUM_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let source = match (rounds > ROUNDS).then(shared_data).flatten() {
        Some(data) => data.join("rust-book"),
        None => demo().join("course"),
    };
    let source = source.to_str().unwrap();
    let arguments = ["ingest", "dir", source, "--course", "killed", "--json"];

    let clean = School::new();
    let began = Instant::now();
    let expected = clean.json(&arguments);
    let whole = began.elapsed();

    let school = School::new();
    let mut random = rand::rngs::StdRng::seed_from_u64(20_261_121);
    let began = Instant::now();
    let mut killed = 0;
    while killed < rounds {
        // Moments are drawn over the whole run, so that each stage is hit; work done before a kill is kept,
        // therefore the run ends early now and then and is begun anew by an edited copy of nothing: the same source.
        let moment = whole.mul_f64(random.random_range(0.02..0.6));
        let mut child = school.spawn(&arguments);
        std::thread::scope(|scope| {
            let stdout = child.stdout.take().unwrap();
            let finished = scope.spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).last());
            let (send, receive) = std::sync::mpsc::channel::<()>();
            // Waits for the moment; nothing is sent, so this is a timer without a sleep.
            let _ = receive.recv_timeout(moment.max(Duration::from_millis(5)));
            drop(send);
            child.kill().unwrap();
            child.wait().unwrap();
            finished.join().unwrap()
        });
        killed += 1;
        if killed % 5 == 0 {
            let verified = school.run(&["verify", "--json"]);
            assert_eq!(verified.code, 0, "after {killed} kills: {}", verified.stdout);
        }
    }
    let report = school.json(&arguments);
    let total = began.elapsed();
    assert_eq!(report["outcome"], "succeeded");
    for count in ["chunks", "lessons", "modules"] {
        assert_eq!(report[count], expected[count], "{count}");
    }
    let verified = school.json(&["verify", "--json"]);
    assert_eq!(verified["clean"], true, "{verified}");
    println!("{rounds} kills: clean run {whole:.1?}, killed runs {total:.1?} in all");
}
