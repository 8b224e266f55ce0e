use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use domain::ingestion::{Outcome, SourceKind};
use ingestion::IngestRequest;
use serde_json::Value;
use store::both_databases;

use crate::school::{Bench, Worker, findings};
use crate::testkit::{outside, zipped};

const BOOK: &str = "# Summary\n\n[Preface](preface.md)\n\n- [Boats](boats.md)\n  - [Sails](sails.md)\n- [Knots](knots.md)\n- [Draft]()\n";

fn book(bench: &Bench) -> std::path::PathBuf {
    bench.file("book/SUMMARY.md", BOOK);
    bench.file("book/preface.md", "# Preface\n\nWelcome to the harbour.\n");
    bench.file("book/boats.md", "# Boats\n\nA boat floats.\n\n## Hulls\n\nThe hull keeps water out.\n");
    bench.file("book/sails.md", "# Sails\n\nA sail catches wind.\n\n```\n{{#include gone.rs}}\n```\n");
    bench.file("book/knots.md", "# Knots\n\nA bowline holds a loop.\n");
    bench.folder.path().join("book")
}

async fn one(store: &store::Store, sql: &str) -> Vec<Value> {
    store::testing::query(store, sql).await.unwrap()
}

both_databases!(a_folder_becomes_a_course_and_an_unchanged_one_costs_nothing, |store| async move {
    let worker = Worker::default();
    let bench = Bench::new(&store, Some(&worker)).await;
    let path = book(&bench);
    let report = bench.ingest(SourceKind::Dir, &path).await;
    assert_eq!((report.outcome, report.error.clone()), (Outcome::Succeeded, None), "{report:?}");
    assert_eq!((report.modules, report.lessons, report.chunks, report.embedded), (3, 4, 5, 5));
    assert_eq!(
        report.stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(),
        ["fetch", "chunk", "publish", "embed", "index"]
    );
    assert_eq!(report.warnings.iter().map(|warning| warning.code.as_str()).collect::<Vec<_>>(), ["UNRESOLVED_INCLUDE"]);
    let titles = one(&store, "SELECT title FROM modules ORDER BY position").await;
    assert_eq!(
        titles.iter().map(|row| row["title"].as_str().unwrap()).collect::<Vec<_>>(),
        ["Introduction", "Boats", "Knots"]
    );
    assert_eq!(bench.after.0.load(Ordering::SeqCst), 1);

    let before = worker.embedded.load(Ordering::SeqCst);
    let again = bench.ingest(SourceKind::Dir, &path).await;
    assert_eq!((again.outcome, again.embedded, again.chunks, again.lessons), (Outcome::Succeeded, 0, 5, 4));
    assert_eq!(worker.embedded.load(Ordering::SeqCst), before);
    assert_eq!(again.warnings.len(), 1);

    bench.file("book/knots.md", "# Knots\n\nA clove hitch holds a post.\n");
    let edited = bench.ingest(SourceKind::Dir, &path).await;
    assert_eq!((edited.outcome, edited.embedded, edited.chunks), (Outcome::Succeeded, 1, 5));
    assert_eq!(one(&store, "SELECT id FROM source_versions").await.len(), 1);
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

both_databases!(without_a_model_the_text_is_searchable_and_a_later_run_embeds_it, |store| async move {
    let bench = Bench::new(&store, None).await;
    let path = book(&bench);
    let report = bench.ingest(SourceKind::Dir, &path).await;
    assert_eq!((report.outcome, report.embedded, report.chunks), (Outcome::Succeeded, 0, 5));
    assert!(report.warnings.iter().any(|warning| warning.code == "EMBEDDING_UNAVAILABLE"));
    Worker::default().attach(&bench.gateway);
    while bench.gateway.embedding_model().is_none() {
        tokio::task::yield_now().await;
    }
    let later = bench.ingest(SourceKind::Dir, &path).await;
    assert_eq!((later.outcome, later.embedded, later.chunks), (Outcome::Succeeded, 5, 5));
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

both_databases!(a_failing_model_is_tried_again_and_then_said, |store| async move {
    let worker = Worker::default();
    let bench = Bench::new(&store, Some(&worker)).await;
    let path = book(&bench);
    worker.failing.store(2, Ordering::SeqCst);
    let report = bench.ingest(SourceKind::Dir, &path).await;
    assert_eq!((report.outcome, report.embedded), (Outcome::Succeeded, 5));
    bench.file("book/knots.md", "# Knots\n\nAnother knot for another day.\n");
    worker.failing.store(1000, Ordering::SeqCst);
    let report = bench.ingest(SourceKind::Dir, &path).await;
    assert_eq!((report.outcome, report.error.unwrap().code.as_str()), (Outcome::Partial, "EMBEDDING_FAILED"));
    worker.failing.store(0, Ordering::SeqCst);
    let report = bench.ingest(SourceKind::Dir, &path).await;
    assert_eq!((report.outcome, report.embedded), (Outcome::Succeeded, 1));
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

both_databases!(every_failure_is_typed_fast_and_leaves_nothing, |store| async move {
    let bench = Bench::new(&store, None).await;
    let empty = bench.folder.path().join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let gone = bench.folder.path().join("gone");
    let mp4 = bench.file("silent.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom");
    let cases = [
        (SourceKind::Dir, gone.clone(), "NOT_FOUND"),
        (SourceKind::Git, gone.clone(), "NOT_FOUND"),
        (SourceKind::Scorm, gone.clone(), "NOT_FOUND"),
        (SourceKind::File, gone.clone(), "NOT_FOUND"),
        (SourceKind::Video, gone, "NOT_FOUND"),
        (SourceKind::Dir, empty.clone(), "EMPTY"),
        (SourceKind::Git, empty, "GIT_FAILED"),
        (SourceKind::Scorm, bench.file("broken.zip", "PK\x03\x04 no"), "BROKEN_ARCHIVE"),
        (SourceKind::Scorm, bench.file("cmi5.zip", zipped(&[("cmi5.xml", b"<x/>")])), "UNSUPPORTED_FORMAT"),
        (SourceKind::Scorm, bench.file("climb.zip", zipped(&[("../x.html", b"x")])), "HOSTILE_ARCHIVE"),
        (SourceKind::File, bench.file("a.odt", "x"), "UNSUPPORTED_FORMAT"),
        (SourceKind::File, bench.file("a.docx", "x"), "BROKEN_ARCHIVE"),
        (SourceKind::File, bench.file("a.pdf", "not a pdf"), "BAD_DOCUMENT"),
        (SourceKind::File, bench.file("a.vtt", "WEBVTT\n\nnothing"), "BAD_DOCUMENT"),
        (SourceKind::File, bench.file("a.md", b"\0\x01\x02"), "BAD_DOCUMENT"),
        (SourceKind::Video, mp4, "NO_CAPTIONS"),
        (SourceKind::Video, bench.file("list.mp4", "#EXTM3U\nfile:///etc/passwd"), "UNSUPPORTED_FORMAT"),
    ];
    for (kind, path, code) in cases {
        let began = Instant::now();
        let report = bench.ingest(kind, &path).await;
        let failure = report.error.unwrap_or_else(|| panic!("{path:?} must fail"));
        assert_eq!((report.outcome, failure.code.as_str()), (Outcome::Failed, code), "{path:?}: {failure}");
        assert!(began.elapsed() < Duration::from_secs(5), "{path:?} took {:?}", began.elapsed());
        assert!(failure.message.len() > 20, "{failure}");
    }
    for table in ["chunks", "documents", "modules", "lessons"] {
        assert_eq!(one(&store, &format!("SELECT id FROM {table}")).await.len(), 0, "{table}");
    }
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

both_databases!(a_part_that_cannot_be_read_is_named_and_the_rest_is_there, |store| async move {
    let bench = Bench::new(&store, None).await;
    bench.file("mixed/01-good.md", "# Good\n\nWords.\n");
    bench.file("mixed/02-bad.pdf", "broken");
    let path = bench.folder.path().join("mixed");
    let report = bench.ingest(SourceKind::Dir, &path).await;
    let failure = report.error.unwrap();
    assert_eq!((report.outcome, failure.code.as_str(), report.lessons), (Outcome::Partial, "PARTLY_READ", 1));
    assert!(failure.message.contains("02-bad.pdf") && failure.message.contains("BAD_DOCUMENT"), "{failure}");
    std::fs::remove_file(path.join("02-bad.pdf")).unwrap();
    assert_eq!(bench.ingest(SourceKind::Dir, &path).await.outcome, Outcome::Succeeded);
    bench.stop.cancel();
});

both_databases!(a_killed_run_goes_on_and_ends_as_an_unbroken_one, |store| async move {
    let worker = Worker { pause: Duration::from_millis(15), ..Worker::default() };
    let text = |n: usize| {
        format!(
            "# Chapter {n}\n\n{}",
            (0..30).map(|m| format!("## Part {m}\n\nSentence {n} and {m} is here.\n\n")).collect::<String>()
        )
    };
    let first = Bench::new(&store, Some(&worker)).await;
    for n in 0..6 {
        first.file(&format!("long/{n:02}.md"), text(n));
    }
    let path = first.folder.path().join("long");
    let request = IngestRequest {
        course: "course".into(),
        kind: SourceKind::Dir,
        origin: path.display().to_string(),
        captions: None,
        local: true,
        rights: false,
        crawl: Default::default(),
    };
    let id = first.pipeline.start(&first.actor, request.clone()).await.unwrap();
    let mut bench = first;
    let mut kept = Vec::new();
    for round in 0..6_u64 {
        // Each life is a little longer, so that the kills hit different stages.
        tokio::time::sleep(Duration::from_millis(40 + 60 * round)).await;
        kept.push(bench.kill().await);
        store::testing::execute(&store, "UPDATE jobs SET lease_until = 0 WHERE state = 'leased'").await.unwrap();
        bench = Bench::new(&store, Some(&worker)).await;
        if bench.school.ingestion().get(&bench.actor, id).await.unwrap().report().is_some() {
            break;
        }
        let again = bench.pipeline.start(&bench.actor, request.clone()).await.unwrap();
        let ended = bench.school.ingestion().get(&bench.actor, id).await.unwrap().report().is_some();
        assert!(again == id || ended, "the same command attaches to the unfinished run");
    }
    let report = bench.pipeline.wait(&bench.actor, id, |_| {}).await.unwrap();
    assert_eq!((report.outcome, report.chunks, report.lessons), (Outcome::Succeeded, 180, 6), "{report:?}");
    assert_eq!(report.embedded, 180, "no chunk was embedded into rows twice");
    let positions: BTreeSet<String> =
        one(&store, "SELECT text FROM chunks").await.iter().map(|row| row["text"].to_string()).collect();
    assert_eq!(positions.len(), 180);
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

both_databases!(two_starts_at_once_are_one_run, |store| async move {
    let bench = Bench::new(&store, None).await;
    let path = book(&bench);
    bench.ingest_into("one", SourceKind::Dir, &path, None).await;
    let request = IngestRequest {
        course: "one".into(),
        kind: SourceKind::Dir,
        origin: path.display().to_string(),
        captions: None,
        local: true,
        rights: false,
        crawl: Default::default(),
    };
    for _ in 0..5 {
        let start = || bench.pipeline.start(&bench.actor, request.clone());
        let (one, two, three) = tokio::join!(start(), start(), start());
        for id in [one.unwrap(), two.unwrap(), three.unwrap()] {
            let report = bench.pipeline.wait(&bench.actor, id, |_| {}).await.unwrap();
            assert_eq!(report.outcome, Outcome::Succeeded, "{report:?}");
        }
    }
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

both_databases!(two_institutions_and_two_courses_keep_apart, |store| async move {
    let bench = Bench::new(&store, None).await;
    let path = book(&bench);
    bench.ingest_into("one", SourceKind::Dir, &path, None).await;
    bench.ingest_into("two", SourceKind::Dir, &path, None).await;
    let rows = one(&store, "SELECT course_id, COUNT(*) AS n FROM chunks GROUP BY course_id").await;
    assert_eq!(rows.iter().map(|row| row["n"].as_i64().unwrap()).collect::<Vec<_>>(), [5, 5]);
    bench.stop.cancel();
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_reads_and_writes_nothing() {
    let fresh = store::testing::sqlite().await;
    let bench = Bench::new(&fresh.store, None).await;
    let path = book(&bench);
    let request = IngestRequest {
        course: "new".into(),
        kind: SourceKind::Dir,
        origin: path.display().to_string(),
        captions: None,
        local: true,
        rights: false,
        crawl: Default::default(),
    };
    let plan = bench.pipeline.plan(&bench.actor, &request).await.unwrap();
    assert_eq!((plan.documents, plan.modules.len()), (4, 3));
    assert!(one(&fresh.store, "SELECT id FROM courses").await.is_empty());
    bench.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outside_packages_and_pdfs_are_ingested_or_refused_by_reason() {
    let (Some(scorm), Some(pdf)) = (outside("scorm"), outside("pdf")) else { return };
    let fresh = store::testing::sqlite().await;
    let bench = Bench::new(&fresh.store, None).await;
    let mut table = Vec::new();
    for (folder, kind) in [
        (scorm.clone(), SourceKind::Scorm),
        (pdf, SourceKind::File),
        (scorm.join("../cmi5"), SourceKind::Scorm),
        (scorm.join("../h5p"), SourceKind::Scorm),
        (scorm.join("../cartridge"), SourceKind::Scorm),
    ] {
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .collect();
        files.sort();
        for path in files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension != "xml")) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let report = bench.ingest_into("data", kind, &path, None).await;
            let why = report
                .error
                .as_ref()
                .map(|failure| format!("{}: {}", failure.code, failure.message))
                .unwrap_or_default();
            let codes: Vec<&str> = report.warnings.iter().map(|warning| warning.code.as_str()).collect();
            println!(
                "{name} | {} | {} modules {} lessons {} chunks | {why} | {codes:?}",
                report.outcome.as_str(),
                report.modules,
                report.lessons,
                report.chunks
            );
            table.push((name, report));
        }
    }
    let outcome = |name: &str| table.iter().find(|(known, _)| known == name).map(|(_, report)| report.outcome).unwrap();
    assert_eq!(outcome("golf_scorm12.zip"), Outcome::Succeeded);
    assert_eq!(outcome("golf_scorm2004_3rd.zip"), Outcome::Succeeded);
    assert_eq!(outcome("libreoffice-writer-password.pdf"), Outcome::Failed);
    assert_eq!(
        table.iter().filter(|(name, report)| name.ends_with(".pdf") && report.outcome == Outcome::Succeeded).count(),
        5
    );
    for row in one(&fresh.store, "SELECT title FROM lessons ORDER BY module_id, position").await.iter().take(15) {
        println!("lesson {}", row["title"]);
    }
    bench.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_outside_book_is_ingested() {
    let Some(book) = outside("rust-book") else { return };
    let fresh = store::testing::sqlite().await;
    let worker = Worker::default();
    let bench = Bench::new(&fresh.store, Some(&worker)).await;
    let began = Instant::now();
    let report = bench.ingest(SourceKind::Dir, &book).await;
    println!(
        "{:?}: {} modules, {} lessons, {} chunks, {:?}",
        began.elapsed(),
        report.modules,
        report.lessons,
        report.chunks,
        report.stages
    );
    assert_eq!(report.outcome, Outcome::Succeeded, "{:?}", report.error);
    let again = bench.ingest(SourceKind::Dir, &book).await;
    assert_eq!((again.outcome, again.embedded), (Outcome::Succeeded, 0));
    assert_eq!(findings(&fresh.store).await, Vec::<String>::new());
    bench.stop.cancel();
}

both_databases!(documents_with_the_same_bytes_are_not_parsed_again, |store| async move {
    let bench = Bench::new(&store, None).await;
    let page =
        |words: &str| format!("<h1>Boats</h1><p>A boat is a thing that {words} on the water of the harbour.</p>");
    bench.file("site/boats.html", page("floats"));
    bench.file("site/text.md", "# Sails\n\nA sail catches wind.\n");
    let folder = bench.folder.path().join("site");
    let first = bench.ingest(SourceKind::Dir, &folder).await;
    assert_eq!((first.outcome, first.lessons), (Outcome::Succeeded, 2));
    let passages = "SELECT d.path, c.position, c.text, c.sentences, c.heading_path, c.locator_start FROM chunks c JOIN documents d ON d.id = c.document_id ORDER BY c.position";
    let before = one(&store, passages).await;
    bench.stop.cancel();

    // A parser that cannot be started: what is parsed fails.
    let broken = ingestion::sandbox::Sandbox::with_program("/nowhere/at/all");
    let bench = Bench::with(&store, None, |pipeline| pipeline.with_sandbox(broken)).await;
    let place = |text: &str| {
        std::fs::write(folder.join("text.md"), text).unwrap();
        folder.clone()
    };
    let edited = bench.ingest(SourceKind::Dir, &place("# Sails\n\nA sail is made of cloth.\n")).await;
    assert_eq!((edited.outcome, edited.lessons, edited.error), (Outcome::Succeeded, 2, None));
    let after = one(&store, passages).await;
    assert_eq!((after.len(), &after[0]), (before.len(), &before[0]));
    assert_eq!(after[1]["text"], "A sail is made of cloth.");
    std::fs::write(folder.join("boats.html"), page("sinks")).unwrap();
    let failed = bench.ingest(SourceKind::Dir, &folder).await;
    assert_eq!((failed.outcome, failed.error.unwrap().code.as_str()), (Outcome::Partial, "PARTLY_READ"));
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});
