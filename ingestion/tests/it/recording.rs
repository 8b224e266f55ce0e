//! Recordings through the pipeline: text first, then streams; captions written down where there are none.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::ingestion::{Outcome, Report, SourceKind};
use domain::wire::{Down, Model, Reply, Request, Segment, Task, Transcript, Up};
use ingestion::IngestRequest;
use ingestion::media::Tools;
use llm_gateway::Gateway;
use serde_json::Value;
use store::blob::LocalBlobs;
use store::{Store, both_databases};

use crate::media::{AS_MP4, PICTURE, make, tools};
use crate::school::{Bench, findings};

const CAPTIONS: &str = "WEBVTT\n\n00:01.000 --> 00:03.000\nA sail catches the wind.\n\n00:03.500 --> 00:06.000\nA hull keeps the water out.\n";

async fn one(store: &Store, sql: &str) -> Vec<Value> {
    store::testing::query(store, sql).await.unwrap()
}

fn stages(report: &Report) -> Vec<(&str, &str)> {
    report.stages.iter().map(|stage| (stage.name.as_str(), stage.outcome.as_str())).collect()
}

fn codes(report: &Report) -> Vec<&str> {
    report.warnings.iter().map(|warning| warning.code.as_str()).filter(|code| *code != "SANDBOX_REDUCED").collect()
}

const ALL: [(&str, &str); 6] = [
    ("fetch", "succeeded"),
    ("chunk", "succeeded"),
    ("publish", "succeeded"),
    ("embed", "skipped"),
    ("index", "succeeded"),
    ("transcode", "succeeded"),
];

both_databases!(a_recording_becomes_streams_once_and_nothing_of_it_is_collected, |store| async move {
    let Some(tools) = tools() else { return };
    let bench = Bench::new(&store, None).await;
    let path = make(&tools, &format!("{PICTURE} {AS_MP4}"), &bench.folder.path().join("talk.mp4"));
    bench.file("talk.en.vtt", CAPTIONS);
    let report = bench.ingest(SourceKind::Video, &path).await;
    assert_eq!((report.outcome, report.error.clone(), report.lessons), (Outcome::Succeeded, None, 1), "{report:?}");
    assert_eq!(stages(&report), ALL);
    let files = one(&store, "SELECT name FROM rendition_files ORDER BY name").await;
    let names: Vec<&str> = files.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["audio.m3u8", "audio.m4s", "poster.jpg", "thumbnails-001.jpg", "thumbnails.vtt", "video.m3u8", "video.m4s"]
    );
    // The same bytes in another course are not encoded again.
    let made = one(&store, "SELECT recording_sha256, created_at FROM renditions").await;
    let other = bench.ingest_into("other", SourceKind::Video, &path, None).await;
    assert_eq!((other.outcome, stages(&other)), (Outcome::Succeeded, ALL.to_vec()));
    assert_eq!(one(&store, "SELECT recording_sha256, created_at FROM renditions").await, made);
    // Unchanged, it costs nothing.
    let again = bench.ingest(SourceKind::Video, &path).await;
    assert_eq!(
        (again.outcome, stages(&again)[0], stages(&again).len()),
        (Outcome::Succeeded, ("fetch", "succeeded"), 5)
    );
    // A day later recording, captions and streams are still there.
    let blobs = LocalBlobs::new(&store.options().data_dir);
    let institution = bench.actor.institution;
    let before = one(&store, "SELECT sha256 FROM blobs").await.len();
    let collected = store::blob::collect(&store, &blobs, institution, Duration::ZERO).await.unwrap();
    assert_eq!((collected.rows, one(&store, "SELECT sha256 FROM blobs").await.len()), (0, before));
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

both_databases!(without_ffmpeg_a_recording_is_served_as_it_is_until_it_is_there, |store| async move {
    let Some(tools) = tools() else { return };
    let bench = Bench::with(&store, None, |pipeline| pipeline.with_tools(None)).await;
    let path = make(&tools, &format!("{PICTURE} {AS_MP4}"), &bench.folder.path().join("talk.mp4"));
    bench.file("talk.vtt", CAPTIONS);
    let report = bench.ingest(SourceKind::Video, &path).await;
    assert_eq!((report.outcome, report.lessons), (Outcome::Succeeded, 1), "{report:?}");
    assert_eq!(
        (codes(&report), stages(&report)[5]),
        (vec!["EMBEDDING_UNAVAILABLE", "NOT_TRANSCODED"], ("transcode", "skipped"))
    );
    let folder = bench.kill().await;
    let bench = Bench::new(&store, None).await;
    let report = bench.ingest(SourceKind::Video, &path).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    let done: Vec<_> = stages(&report).into_iter().filter(|(_, outcome)| *outcome == "succeeded").collect();
    assert_eq!(done, [("fetch", "succeeded"), ("transcode", "succeeded")]);
    assert_eq!(one(&store, "SELECT kind FROM renditions").await.len(), 1);
    assert_eq!(findings(&store).await, Vec::<String>::new());
    drop(folder);
    bench.stop.cancel();
});

both_databases!(a_recording_that_cannot_be_read_keeps_its_text_and_says_why, |store| async move {
    if tools().is_none() {
        return;
    }
    let bench = Bench::new(&store, None).await;
    let path = bench.file("talk.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom");
    bench.file("talk.vtt", CAPTIONS);
    for _ in 0..2 {
        let report = bench.ingest(SourceKind::Video, &path).await;
        let failure = report.error.clone().unwrap();
        assert_eq!((report.outcome, failure.code.as_str(), report.lessons), (Outcome::Partial, "TRANSCODE_FAILED", 1));
        assert!(failure.message.contains("talk.mp4") && failure.message.contains("export it again"), "{failure}");
        assert_eq!(stages(&report).last(), Some(&("transcode", "failed")));
    }
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

/// A transcriber whose answer to a WAV file is that of `hear`.
fn attach(gateway: &Gateway, id: &str, hear: impl Fn(&[u8]) -> Vec<Segment> + Send + 'static) -> Arc<AtomicUsize> {
    let (mut link, task) = gateway.attach_in_process();
    tokio::spawn(task);
    let model = Model::new(id, Task::Transcribe, "test");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    tokio::spawn(async move {
        let _ = link.outgoing.send(Up::Register { worker: id_of(&model), models: vec![model] }).await;
        let _ = link.outgoing.send(Up::Credit { count: 1 }).await;
        while let Some(message) = link.incoming.recv().await {
            let Down::Assign { assignment } = message else { continue };
            let (id, Request::Transcribe(request)) = (assignment.id, assignment.request) else { continue };
            counted.fetch_add(1, Ordering::SeqCst);
            let segments = hear(&request.audio.0);
            let transcript = Transcript { language: Some("en".into()), duration: 1.0, segments };
            let _ = link.outgoing.send(Up::Done { id, reply: Reply::Transcribe { transcript } }).await;
            let _ = link.outgoing.send(Up::Credit { count: 1 }).await;
        }
    });
    calls
}

fn id_of(model: &Model) -> String {
    format!("worker of {}", model.id)
}

async fn attached(gateway: &Gateway, id: &str) {
    while gateway.known(id).is_none() {
        tokio::task::yield_now().await;
    }
}

/// A recording in which flite speaks these sentences with pauses of three seconds; says so when flite is not there.
fn spoken(tools: &Tools, folder: &Path, sentences: &[&str]) -> Option<PathBuf> {
    let mut inputs = String::new();
    let mut filter = String::new();
    for (number, sentence) in sentences.iter().enumerate() {
        let wav = folder.join(format!("s{number}.wav"));
        let said = Command::new("flite").args(["-voice", "rms", "-t", sentence, "-o"]).arg(&wav).status();
        if !said.is_ok_and(|status| status.success()) {
            println!("skipped: flite is not installed (apt-get install flite)");
            return None;
        }
        inputs.push_str(&format!("-i {} ", wav.display()));
        filter.push_str(&format!("[{number}:a]apad=pad_dur=3[a{number}];"));
    }
    let all: String = (0..sentences.len()).map(|number| format!("[a{number}]")).collect();
    let arguments = format!("{inputs}-filter_complex {filter}{all}concat=n={}:v=0:a=1 -c:a flac", sentences.len());
    Some(make(tools, &arguments, &folder.join("lecture.flac")))
}

async fn captions(store: &Store, bench: &Bench) -> String {
    let rows = one(store, "SELECT blob_sha256 FROM rendition_files WHERE kind = 'transcript'").await;
    let sha256 = rows[0]["blob_sha256"].as_str().unwrap();
    let blobs = LocalBlobs::new(&store.options().data_dir);
    let bytes = store::blob::fetch(store, &blobs, bench.actor.institution, sha256).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

both_databases!(speech_is_written_down_once_and_again_by_a_better_model, |store| async move {
    let Some(tools) = tools() else { return };
    let bench = Bench::new(&store, None).await;
    let sentences = ["The hull keeps the water out.", "A sail is a wing that stands upright."];
    let Some(path) = spoken(&tools, bench.folder.path(), &sentences) else { return };
    let without = bench.ingest(SourceKind::Video, &path).await;
    let failure = without.error.unwrap();
    assert_eq!((without.outcome, failure.code.as_str()), (Outcome::Failed, "NO_CAPTIONS"));
    assert!(failure.message.contains("attach a transcriber"), "{failure}");

    let heard = |text: &'static [&'static str]| {
        let next = AtomicUsize::new(0);
        move |wav: &[u8]| {
            assert_eq!(&wav[..4], b"RIFF");
            let seconds = (wav.len() - 44) as f64 / 32_000.0;
            assert!((1.0..=30.0).contains(&seconds), "{seconds}");
            let text = text[next.fetch_add(1, Ordering::SeqCst) % text.len()];
            vec![Segment { start: 0.0, end: seconds, text: text.into(), confidence: Some(0.75), words: Vec::new() }]
        }
    };
    let calls = attach(&bench.gateway, "ears (rough)", heard(&["the hull keeps the water out", "a sale is a wing"]));
    attached(&bench.gateway, "ears (rough)").await;
    let report = bench.ingest(SourceKind::Video, &path).await;
    assert_eq!((report.outcome, report.error.clone(), report.lessons), (Outcome::Succeeded, None, 1), "{report:?}");
    assert!(codes(&report).contains(&"ROUGH_TRANSCRIPT"), "{report:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 2, "a piece for each sentence");
    let text = captions(&store, &bench).await;
    assert!(text.starts_with("WEBVTT\n\nNOTE written by ears (rough)\n\n00:00:0"), "{text}");
    assert!(text.contains("the hull keeps the water out") && text.contains("a sale is a wing"), "{text}");
    let note: Value = serde_json::from_str(
        one(&store, "SELECT manifest FROM renditions WHERE kind = 'transcript'").await[0]["manifest"].as_str().unwrap(),
    )
    .unwrap();
    assert_eq!(
        (note["language"].as_str(), note["rough"].as_bool(), note["confidence"].as_f64()),
        (Some("en"), Some(true), Some(0.75))
    );
    // What players show and what is searched are the same words at the same seconds.
    let extra: Value =
        serde_json::from_str(one(&store, "SELECT extra FROM documents").await[0]["extra"].as_str().unwrap()).unwrap();
    assert!(extra["includes"]["captions.vtt"].is_string() && extra["transcript"]["rough"] == true, "{extra}");
    let chunks = one(&store, "SELECT text, locator_kind, locator_start FROM chunks ORDER BY position").await;
    assert_eq!(chunks[0]["locator_kind"], "time");
    assert!(chunks.iter().any(|chunk| chunk["text"].as_str().unwrap().contains("wing")), "{chunks:?}");

    let request = IngestRequest {
        course: "course".into(),
        kind: SourceKind::Video,
        origin: path.display().to_string(),
        captions: None,
        local: true,
        rights: false,
        crawl: Default::default(),
    };
    let plan = bench.pipeline.plan(&bench.actor, &request).await.unwrap();
    assert!(plan.warnings.iter().any(|warning| warning.code == "WILL_TRANSCRIBE"), "{plan:?}");

    let again = bench.ingest(SourceKind::Video, &path).await;
    assert_eq!((again.outcome, calls.load(Ordering::SeqCst)), (Outcome::Succeeded, 2), "the same bytes are heard once");

    let better = attach(&bench.gateway, "good", heard(&["The hull keeps the water out.", "A sail is a wing."]));
    attached(&bench.gateway, "good").await;
    let report = bench.ingest(SourceKind::Video, &path).await;
    assert_eq!((report.outcome, better.load(Ordering::SeqCst)), (Outcome::Succeeded, 2), "{report:?}");
    assert!(!codes(&report).contains(&"ROUGH_TRANSCRIPT"), "{report:?}");
    assert!(captions(&store, &bench).await.contains("A sail is a wing."));
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_in_which_nobody_speaks_is_said_so() {
    let Some(tools) = tools() else { return };
    let fresh = store::testing::sqlite().await;
    let bench = Bench::new(&fresh.store, None).await;
    let calls = attach(&bench.gateway, "ears", |_| Vec::new());
    attached(&bench.gateway, "ears").await;
    let silent =
        make(&tools, "-f lavfi -i anullsrc=r=16000:cl=mono -t 4 -c:a flac", &bench.folder.path().join("a.flac"));
    let mute = make(&tools, "-f lavfi -i testsrc2=s=64x64:d=1 -c:v mpeg4", &bench.folder.path().join("b.mp4"));
    for path in [silent, mute] {
        let report = bench.ingest(SourceKind::Video, &path).await;
        assert_eq!(report.error.unwrap().code, "NO_CAPTIONS", "{path:?}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    bench.stop.cancel();
}

/// Word errors of `heard` against `said`, by edit distance.
fn word_errors(said: &str, heard: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric() && c != '\'')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (said, heard) = (words(said), words(heard));
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (i, a) in said.iter().enumerate() {
        let mut last = row[0];
        row[0] = i + 1;
        for (j, b) in heard.iter().enumerate() {
            let cost = (last + usize::from(a != b)).min(row[j] + 1).min(row[j + 1] + 1);
            last = row[j + 1];
            row[j + 1] = cost;
        }
    }
    row[heard.len()] as f64 / said.len() as f64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spoken_lecture_is_heard_by_pocketsphinx() {
    let Some(tools) = tools() else { return };
    let model = Path::new("/usr/share/pocketsphinx/model/en-us");
    if !model.is_dir() || Command::new("pocketsphinx_batch").arg("-version").output().is_err() {
        println!("skipped: pocketsphinx is not installed (apt-get install pocketsphinx pocketsphinx-en-us)");
        return;
    }
    let fresh = store::testing::sqlite().await;
    let bench = Bench::new(&fresh.store, None).await;
    let sentences = [
        "The water in the harbour moves with the wind and with the tide.",
        "A small boat turns faster than a large ship.",
        "When the sun goes down the lights on the shore are lit.",
    ];
    let Some(path) = spoken(&tools, bench.folder.path(), &sentences) else { return };
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().to_owned();
    let hear = move |wav: &[u8]| {
        std::fs::write(folder.join("piece.raw"), &wav[44..]).unwrap();
        std::fs::write(folder.join("list"), "piece\n").unwrap();
        let file = |name: &str| folder.join(name).display().to_string();
        let model = |name: &str| model.join(name).display().to_string();
        let done = Command::new("pocketsphinx_batch")
            .args(["-adcin", "yes", "-cepext", ".raw", "-samprate", "16000"])
            .args(["-hmm", &model("en-us"), "-lm", &model("en-us.lm.bin"), "-dict", &model("cmudict-en-us.dict")])
            .args(["-ctl", &file("list"), "-cepdir", &folder.display().to_string(), "-hyp", &file("heard")])
            .output()
            .unwrap();
        assert!(done.status.success());
        let heard = std::fs::read_to_string(folder.join("heard")).unwrap();
        let text = heard.rsplit_once(" (").map_or("", |(text, _)| text).to_owned();
        let seconds = (wav.len() - 44) as f64 / 32_000.0;
        vec![Segment { start: 0.0, end: seconds, text, ..Segment::default() }]
    };
    attach(&bench.gateway, "pocketsphinx (rough)", hear);
    attached(&bench.gateway, "pocketsphinx (rough)").await;
    let report = bench.ingest(SourceKind::Video, &path).await;
    assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
    let text = captions(&fresh.store, &bench).await;
    let words: Vec<&str> = text.lines().skip(4).filter(|line| !line.is_empty() && !line.contains("-->")).collect();
    let error = word_errors(&sentences.join(" "), &words.join(" "));
    println!("{text}\nword error rate of pocketsphinx on flite's voice: {error:.2}");
    assert!(error < 0.35, "{error}");
    bench.stop.cancel();
}
