//! Ingestions: progress, warnings, times over several tries, one end, and their events.

use domain::document::Warning;
use domain::ingestion::{Failure, Outcome, Stage, failure};
use serde_json::json;
use store::both_databases;
use store::sql::ingestion;
use store::testing::query;
use store::vector::suite::{self, Page};

both_databases!(a_run_ends_once_and_reports_its_version, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let pages = [Page::new("a.md", &["One.", "Two."])];
    let planted = suite::build(&store, institution, course, "one", &pages).await;
    suite::publish(&store, &planted, &pages).await;
    let (source, version) = (planted.source, planted.version);
    let warning = Warning { code: "UNRESOLVED_INCLUDE".into(), message: "m".into(), place: Some("a.md:3".into()) };
    let id = store
        .write(move |tx| {
            Box::pin(async move {
                let id = ingestion::create(tx, institution, course, source, &json!({ "path": "/x" }), None).await?;
                ingestion::set_version(tx, institution, id, version).await?;
                ingestion::progress(tx, institution, id, Stage::Embed, 1, 2).await?;
                ingestion::add_embedded(tx, institution, id, 2).await?;
                ingestion::add_warnings(tx, institution, id, std::slice::from_ref(&warning)).await?;
                ingestion::add_warnings(tx, institution, id, &[warning]).await?;
                ingestion::stage_done(tx, institution, id, Stage::Fetch, "failed", 1.5).await?;
                ingestion::stage_done(tx, institution, id, Stage::Fetch, "succeeded", 0.5).await?;
                let run = ingestion::get(tx, institution, id).await?.unwrap();
                assert_eq!((run.stage, run.done, run.total, run.report()), (Stage::Embed, 1, 2, None));
                assert_eq!(ingestion::running(tx, institution, source).await?.len(), 1);
                let why = Failure::new(failure::PARTLY_READ, "cannot read \"b.pdf\"");
                assert!(ingestion::finish(tx, institution, id, Outcome::Partial, Some(&why)).await?);
                assert!(!ingestion::finish(tx, institution, id, Outcome::Succeeded, None).await?);
                assert!(ingestion::progress(tx, institution, id, Stage::Index, 1, 1).await.is_err());
                Ok(id)
            })
        })
        .await
        .unwrap();
    let runs =
        store.read(move |tx| Box::pin(async move { ingestion::list(tx, institution, course).await })).await.unwrap();
    let report = runs[0].report().unwrap();
    assert_eq!((runs.len(), runs[0].id, report.outcome), (1, id, Outcome::Partial));
    assert_eq!(report.error.unwrap().code, failure::PARTLY_READ);
    assert_eq!((report.modules, report.lessons, report.chunks, report.embedded), (1, 1, 2, 2));
    assert_eq!(report.warnings.len(), 1);
    assert_eq!(
        (report.stages.len(), report.stages[0].seconds, report.stages[0].outcome.as_str()),
        (1, 2.0, "succeeded")
    );
    let sql = format!("SELECT event_type FROM events WHERE correlation_id = '{id}' ORDER BY seq");
    let events: Vec<String> =
        query(&store, &sql).await.unwrap().iter().map(|row| row["event_type"].as_str().unwrap().to_owned()).collect();
    let stage = "content.stage_completed";
    assert_eq!(events, ["content.ingestion_started", stage, stage, "content.ingestion_completed"]);
});

both_databases!(another_institution_sees_no_run, |store| async move {
    let (institution, course) = suite::course(&store).await;
    let (other, _) = suite::course(&store).await;
    let source = suite::build(&store, institution, course, "one", &[]).await.source;
    store
        .write(move |tx| {
            Box::pin(async move {
                assert!(ingestion::create(tx, other, course, source, &json!({}), None).await.is_err());
                let id = ingestion::create(tx, institution, course, source, &json!({}), None).await?;
                assert!(ingestion::get(tx, other, id).await?.is_none());
                assert!(ingestion::list(tx, other, course).await?.is_empty());
                assert!(ingestion::progress(tx, other, id, Stage::Fetch, 1, 1).await.is_err());
                assert!(ingestion::stage_done(tx, other, id, Stage::Fetch, "succeeded", 1.0).await.is_err());
                assert!(ingestion::finish(tx, other, id, Outcome::Failed, None).await.is_err());
                Ok(())
            })
        })
        .await
        .unwrap();
});
