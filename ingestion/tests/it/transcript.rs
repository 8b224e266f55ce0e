//! Corrected transcripts through the pipeline: what is embedded again, and what outlives another ingestion.

use std::time::Duration;

use domain::LessonId;
use domain::ingestion::{Outcome, SourceKind};
use domain::transcript::Line;
use school::transcript::Transcript;
use serde_json::Value;
use store::blob::LocalBlobs;
use store::{Store, both_databases};

use crate::media::{make, tools};
use crate::school::{Bench, Worker, findings};

async fn all(store: &Store, sql: &str) -> Vec<Value> {
    store::testing::query(store, sql).await.unwrap()
}

async fn hashes(store: &Store) -> Vec<String> {
    let rows = all(store, "SELECT content_hash FROM chunks ORDER BY position").await;
    rows.iter().map(|row| row["content_hash"].as_str().unwrap().to_owned()).collect()
}

/// A lecture of so many lines, one every five seconds, each with words of its own.
fn lecture(lines: usize) -> String {
    let mut text = String::from("WEBVTT\n");
    for number in 0..lines {
        let (from, to) = (number * 5, number * 5 + 5);
        let clock = |seconds: usize| format!("{:02}:{:02}.000", seconds / 60, seconds % 60);
        text.push_str(&format!(
            "\n{} --> {}\nSentence {number} tells of rope {} and of harbour {}.\n",
            clock(from),
            clock(to),
            number * 7 % 50,
            number * 3 % 40
        ));
    }
    text
}

async fn lesson(store: &Store) -> LessonId {
    all(store, "SELECT id FROM lessons").await[0]["id"].as_str().unwrap().parse().unwrap()
}

async fn read(bench: &Bench, store: &Store, lesson: LessonId) -> Transcript {
    let blobs = LocalBlobs::new(&store.options().data_dir);
    bench.school.transcript(&blobs).get(&bench.actor, lesson).await.unwrap()
}

/// Corrects lines by their numbers, and waits until search knows them.
async fn correct(bench: &Bench, store: &Store, lesson: LessonId, changes: &[(usize, &str)]) -> Transcript {
    let blobs = LocalBlobs::new(&store.options().data_dir);
    let before = read(bench, store, lesson).await;
    let mut lines: Vec<Line> = before.cues.iter().map(Line::from).collect();
    for (number, text) in changes {
        lines[*number].text = (*text).to_owned();
    }
    bench.school.transcript(&blobs).set(&bench.actor, lesson, before.version, lines).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let now = read(bench, store, lesson).await;
            let running = all(store, "SELECT id FROM ingestions WHERE state = 'running'").await;
            if now.indexed && running.is_empty() {
                return now;
            }
            tokio::task::yield_now().await;
        }
    });
    waited.await.expect("a correction is read in time")
}

both_databases!(a_corrected_sentence_embeds_exactly_the_touched_passages, |store| async move {
    let worker = Worker::default();
    let bench = Bench::new(&store, Some(&worker)).await;
    let path = bench.file("lecture.vtt", lecture(72));
    let report = bench.ingest(SourceKind::File, &path).await;
    assert_eq!((report.outcome, report.error.clone()), (Outcome::Succeeded, None), "{report:?}");
    let (before, lesson) = (hashes(&store).await, lesson(&store).await);
    assert!(before.len() >= 6, "{}", before.len());
    let now = correct(&bench, &store, lesson, &[(30, "Sentence thirty speaks of an albatross.")]).await;
    assert!(now.edited && now.lost.is_empty(), "{now:?}");
    let after = hashes(&store).await;
    let fresh: Vec<&String> = after.iter().filter(|hash| !before.contains(hash)).collect();
    let runs = all(&store, "SELECT embedded, state, chunks FROM ingestions ORDER BY created_at, id").await;
    let (last, count) = (runs.last().unwrap(), i64::try_from(fresh.len()).unwrap());
    println!("passages: {}, touched by one sentence: {count}, embedded again: {}", after.len(), last["embedded"]);
    assert!((1..=2).contains(&count), "{count} of {} passages hold the sentence", after.len());
    assert_eq!((last["embedded"].as_i64(), last["state"].as_str()), (Some(count), Some("succeeded")));
    assert_eq!(after.len(), before.len());
    let found = all(&store, "SELECT text FROM chunks WHERE text LIKE '%albatross%'").await;
    assert_eq!(found.len(), fresh.len());
    // Again the same source: nothing is fetched anew, and the correction stays.
    let again = bench.ingest(SourceKind::File, &path).await;
    assert_eq!((again.outcome, again.embedded), (Outcome::Succeeded, 0), "{again:?}");
    assert_eq!(hashes(&store).await, after);
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

both_databases!(corrections_outlive_new_captions_or_are_named, |store| async move {
    let bench = Bench::new(&store, None).await;
    let path = bench.file("lecture.vtt", lecture(24));
    bench.ingest(SourceKind::File, &path).await;
    let lesson = lesson(&store).await;
    let changes = [(3, "Sentence three, corrected."), (10, "Sentence ten, corrected.")];
    correct(&bench, &store, lesson, &changes).await;
    // New captions: line 10 is another one now, everything begins a little later, and more follows.
    let newer = lecture(26).replace("Sentence 10 tells", "Sentence ten says nothing").replace(".000", ".250");
    bench.file("lecture.vtt", newer);
    let report = bench.ingest(SourceKind::File, &path).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    let lost: Vec<&str> = report
        .warnings
        .iter()
        .filter(|warning| warning.code == "EDIT_NOT_CARRIED")
        .map(|warning| warning.message.as_str())
        .collect();
    assert_eq!(lost.len(), 1, "{report:?}");
    assert!(lost[0].contains("Sentence 10 tells") && lost[0].contains("Sentence ten, corrected."), "{lost:?}");
    let now = read(&bench, &store, lesson).await;
    assert_eq!(
        (now.cues.len(), now.cues[3].text.as_str(), now.cues[3].start),
        (26, "Sentence three, corrected.", 15_250)
    );
    assert_eq!((now.lost.len(), now.indexed), (1, true));
    let text: String = all(&store, "SELECT text FROM chunks ORDER BY position")
        .await
        .iter()
        .map(|row| row["text"].as_str().unwrap().to_owned())
        .collect();
    assert!(text.contains("Sentence three, corrected.") && text.contains("says nothing"), "{text}");
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

async fn chapters(store: &Store) -> Value {
    let extra = all(store, "SELECT extra FROM documents").await[0]["extra"].as_str().unwrap().to_owned();
    serde_json::from_str::<Value>(&extra).unwrap()["chapters"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chapters_come_from_the_container_a_file_or_the_topics() {
    let fresh = store::testing::sqlite().await;
    let store = &fresh.store;
    let bench = Bench::new(store, None).await;
    let topic = |words: [&str; 3], from: usize| -> String {
        (0..30)
            .map(|line| {
                let start = from + line * 5;
                let clock = |seconds: usize| format!("{:02}:{:02}.000", seconds / 60, seconds % 60);
                let [a, b, c] = [words[line % 3], words[(line + 1) % 3], words[(line + 2) % 3]];
                format!("\n{} --> {}\nThe {a} of the {b} needs the {c}.\n", clock(start), clock(start + 5))
            })
            .collect()
    };
    let two = format!(
        "WEBVTT\n{}{}",
        topic(["mainsail", "rigging", "halyard"], 0),
        topic(["sourdough", "oven", "flour"], 150)
    );
    bench.ingest(SourceKind::File, &bench.file("two.vtt", two)).await;
    let found = chapters(store).await;
    assert_eq!((found["origin"].as_str(), found["list"].as_array().unwrap().len()), (Some("topics"), 2), "{found}");
    let start = found["list"][1]["start"].as_i64().unwrap();
    assert!((start - 150_000).abs() <= 20_000, "{found}");
    let headings = all(store, "SELECT DISTINCT heading_path FROM chunks").await;
    assert_eq!(headings.len(), 1, "found chapters are no headings: {headings:?}");
    bench.stop.cancel();

    let Some(tools) = tools() else { return };
    let fresh = store::testing::sqlite().await;
    let store = &fresh.store;
    let bench = Bench::new(store, None).await;
    let meta = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=2000\ntitle=Hulls\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=2000\nEND=4000\ntitle=Sails\n";
    let meta = bench.file("meta.txt", meta);
    let arguments =
        format!("-f lavfi -i sine=d=4 -i {} -map 0:a -map_metadata 1 -map_chapters 1 -c:a aac", meta.display());
    let path = make(&tools, &arguments, &bench.folder.path().join("boats.mp4"));
    bench.file("boats.vtt", "WEBVTT\n\n00:00.500 --> 00:01.500\nA hull.\n\n00:02.500 --> 00:03.500\nA sail.\n");
    bench.ingest(SourceKind::Video, &path).await;
    let found = chapters(store).await;
    assert_eq!(
        (found["origin"].as_str(), found["list"][1]["title"].as_str()),
        (Some("container"), Some("Sails")),
        "{found}"
    );
    // What stands beside the recording is somebody's word, and comes first.
    bench.file("boats.chapters.vtt", "WEBVTT\n\n00:00.000 --> 00:04.000\nAll of it\n");
    let report = bench.ingest(SourceKind::Video, &path).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    let found = chapters(store).await;
    assert_eq!(
        (found["origin"].as_str(), found["list"][0]["title"].as_str()),
        (Some("file"), Some("All of it")),
        "{found}"
    );
    assert_eq!(findings(store).await, Vec::<String>::new());
    bench.stop.cancel();
}
