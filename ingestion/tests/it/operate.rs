//! Operating the pipeline: plan, pause, resume, cancel, retry, limits, what vanishes, schedules.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::IngestionId;
use domain::ingestion::{Outcome, Report, SourceKind, Stage};
use ingestion::IngestRequest;
use school::ingestion::Starter as _;
use school::ingestion::control::Status;
use store::both_databases;
use store::sql::institution::IngestLimits;
use tokio::sync::Semaphore;

use crate::school::{Bench, Worker, findings};

fn pages(bench: &Bench, count: usize) -> std::path::PathBuf {
    for n in 0..count {
        let parts: String = (0..10).map(|m| format!("## Part {m}\n\nSentence {n} and {m} is here.\n\n")).collect();
        bench.file(&format!("book/{n:02}.md"), format!("# Page {n}\n\n{parts}"));
    }
    bench.folder.path().join("book")
}

fn asked(origin: &std::path::Path) -> IngestRequest {
    IngestRequest {
        course: "course".into(),
        kind: SourceKind::Dir,
        origin: origin.display().to_string(),
        captions: None,
        local: true,
        rights: false,
        crawl: Default::default(),
    }
}

/// Looks until it is so, or a minute has gone.
async fn until(bench: &Bench, id: IngestionId, so: impl Fn(&Status) -> bool) -> Status {
    let look = async {
        loop {
            let status = bench.school.ingestion().status(&bench.actor, id).await.unwrap();
            if so(&status) {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), look).await.expect("it comes to be so")
}

async fn ended(bench: &Bench, id: IngestionId) -> Report {
    let wait = bench.pipeline.wait(&bench.actor, id, |_| {});
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("a run ends").unwrap()
}

both_databases!(a_paused_run_starts_nothing_and_goes_on_where_it_stood, |store| async move {
    let worker = Worker { pause: Duration::from_millis(20), ..Worker::default() };
    let bench = Bench::new(&store, Some(&worker)).await;
    let id = bench.pipeline.start(&bench.actor, asked(&pages(&bench, 8))).await.unwrap();
    until(&bench, id, |status| status.run.stage == Stage::Embed && status.run.done > 0).await;
    let runs = bench.school.ingestion();
    runs.pause(&bench.actor, id).await.unwrap();
    let told = bench.pipeline.wait(&bench.actor, id, |_| {}).await.unwrap_err();
    assert_eq!(told.code, "PAUSED");
    let leased = store::testing::query(&store, "SELECT id FROM jobs WHERE state IN ('leased', 'ready')").await.unwrap();
    assert!(leased.is_empty(), "{leased:?}");
    let before = runs.status(&bench.actor, id).await.unwrap().run;
    // Whatever was on its way is fenced: a whole answer of the model later nothing has moved.
    while worker.embedded.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let after = runs.status(&bench.actor, id).await.unwrap().run;
    assert_eq!((before.done, before.stage), (after.done, after.stage));
    assert_eq!(findings(&store).await, Vec::<String>::new());
    runs.resume(&bench.actor, id).await.unwrap();
    let report = ended(&bench, id).await;
    assert_eq!((report.outcome, report.chunks, report.embedded), (Outcome::Succeeded, 80, 80), "{report:?}");
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

both_databases!(a_run_that_is_told_to_stop_keeps_every_vector_that_was_made, |store| async move {
    let answers = Arc::new(Semaphore::new(1));
    let worker = Worker { answers: Some(answers.clone()), ..Worker::default() };
    let bench = Bench::new(&store, Some(&worker)).await;
    let id = bench.pipeline.start(&bench.actor, asked(&pages(&bench, 8))).await.unwrap();
    // Four vectors are written, and the model has the next texts, which it does not answer yet.
    until(&bench, id, |status| status.run.stage == Stage::Embed && status.run.done == 4).await;
    bench.stop.cancel();
    answers.add_permits(1);
    let folder = bench.shut_down().await;
    let made = store::testing::query(&store, "SELECT chunk_id FROM embeddings").await.unwrap();
    assert_eq!(made.len(), 12, "those that the model was at work on are kept");
    assert_eq!(findings(&store).await, Vec::<String>::new());

    answers.add_permits(1000);
    let bench = Bench::new(&store, Some(&worker)).await;
    let report = ended(&bench, id).await;
    // Each vector counts once it is written: none was made again.
    assert_eq!((report.outcome, report.chunks, report.embedded), (Outcome::Succeeded, 80, 80), "{report:?}");
    assert_eq!(findings(&store).await, Vec::<String>::new());
    drop(folder);
    bench.stop.cancel();
});

both_databases!(a_cancelled_run_leaves_the_earlier_version, |store| async move {
    let bench = Bench::new(&store, None).await;
    let path = pages(&bench, 2);
    bench.ingest(SourceKind::Dir, &path).await;
    let before = store::testing::query(&store, "SELECT id FROM chunks ORDER BY id").await.unwrap();
    let folder = bench.kill().await;
    // The next run is held before it reads anything, and then called off.
    let bench = Bench::with(&store, None, |pipeline| pipeline.with_disk_reserve(u64::MAX / 2)).await;
    std::fs::write(path.join("00.md"), "# Page 0\n\nQuite another text.\n").unwrap();
    let id = bench.pipeline.start(&bench.actor, asked(&path)).await.unwrap();
    bench.pipeline.wait(&bench.actor, id, |_| {}).await.unwrap_err();
    let cancelled = bench.school.ingestion().cancel(&bench.actor, id).await.unwrap();
    assert!(cancelled.message.contains("earlier version") && cancelled.message.contains("2 lessons"), "{cancelled:?}");
    let report = ended(&bench, id).await;
    assert_eq!((report.outcome, report.error.unwrap().code.as_str()), (Outcome::Failed, "CANCELLED"));
    assert_eq!(before, store::testing::query(&store, "SELECT id FROM chunks ORDER BY id").await.unwrap());
    assert_eq!(findings(&store).await, Vec::<String>::new());
    drop(folder);
    bench.stop.cancel();
});

both_databases!(a_retry_redoes_only_what_failed, |store| async move {
    let worker = Worker::default();
    let bench = Bench::new(&store, Some(&worker)).await;
    let path = pages(&bench, 3);
    worker.failing.store(1000, Ordering::SeqCst);
    let id = bench.pipeline.start(&bench.actor, asked(&path)).await.unwrap();
    let report = ended(&bench, id).await;
    assert_eq!(report.error.unwrap().code, "EMBEDDING_FAILED");
    worker.failing.store(0, Ordering::SeqCst);
    let again = bench.school.ingestion().retry(&bench.actor, id).await.unwrap();
    let report = ended(&bench, again.id).await;
    assert_eq!((report.outcome, report.embedded), (Outcome::Succeeded, 30), "{report:?}");
    let outcomes: Vec<(&str, &str)> =
        report.stages.iter().map(|stage| (stage.name.as_str(), stage.outcome.as_str())).collect();
    assert_eq!(
        outcomes,
        [
            ("fetch", "skipped"),
            ("chunk", "skipped"),
            ("publish", "skipped"),
            ("embed", "succeeded"),
            ("index", "succeeded")
        ]
    );

    // A document that cannot be read is looked at again; the others are taken over, not parsed or embedded again.
    bench.file("book/90.pdf", "not a pdf");
    let id = bench.pipeline.start(&bench.actor, asked(&path)).await.unwrap();
    let partial = ended(&bench, id).await;
    assert_eq!((partial.outcome, partial.embedded), (Outcome::Partial, 0), "{partial:?}");
    let status = bench.school.ingestion().status(&bench.actor, id).await.unwrap();
    assert_eq!(status.failed.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), ["90.pdf"]);
    assert_eq!(status.actions, ["retry"]);
    std::fs::remove_file(bench.folder.path().join("book/90.pdf")).unwrap();
    bench.file("book/90.md", "# Ninety\n\nNow it can be read.\n");
    let again = bench.school.ingestion().retry(&bench.actor, id).await.unwrap();
    let report = ended(&bench, again.id).await;
    assert_eq!((report.outcome, report.chunks, report.embedded), (Outcome::Succeeded, 31, 1), "{report:?}");
    assert_eq!(findings(&store).await, Vec::<String>::new());
    bench.stop.cancel();
});

both_databases!(what_vanishes_is_hidden_with_its_reason_and_comes_back, |store| async move {
    let bench = Bench::new(&store, None).await;
    let path = pages(&bench, 3);
    let first = bench.ingest(SourceKind::Dir, &path).await;
    std::fs::remove_file(path.join("01.md")).unwrap();
    let second = bench.ingest(SourceKind::Dir, &path).await;
    assert_eq!((first.lessons, second.lessons), (3, 2));
    let course = bench.school.course().by_slug(&bench.actor, bench.actor.institution, "course").await.unwrap();
    let sources = bench.school.source().list(&bench.actor, course.id).await.unwrap();
    let card = bench.school.source().get(&bench.actor, sources[0].source.id).await.unwrap();
    assert_eq!(card.gone.len(), 1);
    assert_eq!(card.gone[0].title, "Page 1");
    assert!(card.gone[0].reason.contains("no longer in the source"));
    let hidden = bench.school.lesson().get(&bench.actor, card.gone[0].lesson).await.unwrap();
    assert!(hidden.lesson.hidden && hidden.passages.is_empty());
    // A third run keeps it; its return shows it again.
    bench.file("book/02.md", "# Page 2\n\nChanged.\n");
    bench.ingest(SourceKind::Dir, &path).await;
    assert_eq!(bench.school.source().get(&bench.actor, card.source.id).await.unwrap().gone.len(), 1);
    bench.file("book/01.md", "# Page 1\n\nBack again.\n");
    assert_eq!(bench.ingest(SourceKind::Dir, &path).await.lessons, 3);
    assert!(bench.school.source().get(&bench.actor, card.source.id).await.unwrap().gone.is_empty());
    let back = bench.school.lesson().get(&bench.actor, card.gone[0].lesson).await.unwrap();
    assert!(!back.lesson.hidden && back.passages.len() == 1);
    assert_eq!(findings(&store).await, Vec::<String>::new());

    let removed = bench.school.source().remove(&bench.actor, card.source.id).await.unwrap();
    assert_eq!((removed.lessons, removed.passages), (3, 12));
    for table in ["lessons", "modules", "chunks", "documents", "embeddings", "source_versions"] {
        let rows = store::testing::query(&store, &format!("SELECT institution_id FROM {table}")).await.unwrap();
        assert!(rows.is_empty(), "{table}");
    }
    assert_eq!(findings(&store).await, Vec::<String>::new());
    assert_eq!(bench.ingest(SourceKind::Dir, &path).await.lessons, 3, "a removed source can be ingested again");
    bench.stop.cancel();
});

both_databases!(limits_and_a_full_disk_are_typed_and_nothing_is_lost, |store| async move {
    let bench = Bench::with(&store, None, |pipeline| pipeline.with_disk_reserve(u64::MAX / 2)).await;
    let path = pages(&bench, 2);
    let id = bench.pipeline.start(&bench.actor, asked(&path)).await.unwrap();
    let told = bench.pipeline.wait(&bench.actor, id, |_| {}).await.unwrap_err();
    assert_eq!(told.code, "DISK_FULL");
    let upload = async |bench: &Bench| bench.pipeline.room(bench.actor.institution, 11).await;
    assert_eq!(upload(&bench).await.unwrap_err().code, "DISK_FULL", "refused before its first byte");
    assert!(told.message.contains("free") && told.message.contains("resume"), "{}", told.message);
    let status = bench.school.ingestion().status(&bench.actor, id).await.unwrap();
    assert_eq!((status.run.shown_state(), status.actions.clone()), ("paused", vec!["resume", "cancel"]));
    let folder = bench.kill().await;
    let bench = Bench::new(&store, None).await;
    bench.school.ingestion().resume(&bench.actor, id).await.unwrap();
    assert_eq!(ended(&bench, id).await.outcome, Outcome::Succeeded);

    let limits = IngestLimits { stored_bytes: Some(10), runs: None };
    bench.school.source().set_limits(&bench.actor, bench.actor.institution, limits).await.unwrap();
    std::fs::write(path.join("more.md"), "# More\n\nMore text.\n").unwrap();
    let failed = bench.ingest(SourceKind::Dir, &path).await;
    assert_eq!(failed.error.unwrap().code, "STORAGE_QUOTA");
    assert_eq!(upload(&bench).await.unwrap_err().code, "STORAGE_QUOTA");
    assert_eq!(findings(&store).await, Vec::<String>::new());
    drop(folder);
    bench.stop.cancel();
});

both_databases!(a_run_beyond_the_limit_waits_its_turn_and_says_so, |store| async move {
    let worker = Worker { pause: Duration::from_millis(30), ..Worker::default() };
    let bench = Bench::new(&store, Some(&worker)).await;
    let limits = IngestLimits { stored_bytes: None, runs: Some(1) };
    bench.school.source().set_limits(&bench.actor, bench.actor.institution, limits).await.unwrap();
    let first = bench.pipeline.start(&bench.actor, asked(&pages(&bench, 6))).await.unwrap();
    let other = bench.file("other/a.md", "# Other\n\nAnother source.\n");
    let second = bench.pipeline.start(&bench.actor, asked(other.parent().unwrap())).await.unwrap();
    let waiting = until(&bench, second, |status| status.waiting.is_some()).await.waiting.unwrap();
    assert_eq!(waiting.code, "RUNS_LIMIT");
    assert!(waiting.until.is_some());
    assert_eq!(ended(&bench, first).await.outcome, Outcome::Succeeded);
    assert_eq!(ended(&bench, second).await.outcome, Outcome::Succeeded);
    bench.stop.cancel();
});

both_databases!(a_plan_tells_changes_time_and_disk_and_writes_nothing, |store| async move {
    let bench = Bench::new(&store, None).await;
    let path = pages(&bench, 3);
    let fresh = bench.pipeline.plan(&bench.actor, &asked(&path)).await.unwrap();
    assert_eq!((fresh.changes.new, fresh.changes.unchanged, fresh.changes.nothing), (3, 0, false));
    assert!(fresh.estimate.basis.starts_with("assumed"), "{}", fresh.estimate.basis);
    assert!(fresh.disk.enough && fresh.disk.needed > 0);
    bench.ingest(SourceKind::Dir, &path).await;
    let rows = || async { store::testing::query(&store, "SELECT COUNT(*) AS n FROM events").await.unwrap() };
    let before = rows().await;
    let same = bench.pipeline.plan(&bench.actor, &asked(&path)).await.unwrap();
    assert!(same.changes.nothing && same.disk.needed == 0, "{:?}", same.changes);
    bench.file("book/00.md", "# Page 0\n\nAnother.\n");
    bench.file("book/07.md", "# Page 7\n\nNew.\n");
    std::fs::remove_file(path.join("02.md")).unwrap();
    let changed = bench.pipeline.plan(&bench.actor, &asked(&path)).await.unwrap();
    let told = changed.changes;
    assert_eq!((told.new, told.changed, told.unchanged, told.vanished), (1, 1, 1, 1));
    assert_eq!(before, rows().await);
    bench.stop.cancel();
});
