//! `verify` tells the truth: nothing on a healthy store, and every planted damage by its name.

use std::time::Duration;

use store::blob::LocalBlobs;
use store::testing::{damage, execute};
use store::verify::{Finding, INVARIANTS, verify};
use store::{Store, both_databases};

mod damage;
mod healthy;

use damage::{Damage, damages};
use healthy::{Healthy, plant};

async fn findings(store: &Store) -> Vec<Finding> {
    verify(store, &LocalBlobs::new(&store.options().data_dir), None).await.unwrap()
}

both_databases!(a_healthy_store_has_no_findings, |store| async move {
    assert_eq!(findings(&store).await, []);
    let (one, two) = (plant(&store, "one").await, plant(&store, "two").await);
    assert_eq!(findings(&store).await, []);
    // A version without any model and a superseded one are healthy too.
    healthy::publish(&store, &one, None, "again").await;
    healthy::publish(&store, &two, Some("m1"), "again").await;
    healthy::settle(&store).await;
    assert_eq!(findings(&store).await, []);
});

both_databases!(one_institution_is_checked_alone, |store| async move {
    let (one, two) = (plant(&store, "one").await, plant(&store, "two").await);
    let blobs = LocalBlobs::new(&store.options().data_dir);
    execute(&store, &format!("UPDATE jobs SET attempts = 99 WHERE institution_id = '{}'", two.institution))
        .await
        .unwrap();
    assert_eq!(verify(&store, &blobs, Some(one.institution)).await.unwrap(), []);
    assert!(!verify(&store, &blobs, Some(two.institution)).await.unwrap().is_empty());
});

/// Plants each damage of an invariant in a store of its own and expects it to be found and named.
async fn each_is_found(invariant: &str) {
    let all = damages();
    let mine: Vec<&Damage> = all.iter().filter(|damage| damage.invariant == invariant).collect();
    assert!(mine.len() >= 3, "{invariant} has {} damages", mine.len());
    for damage in mine {
        let fresh = store::testing::sqlite().await;
        found(&fresh.store, damage).await;
        fresh.close().await;
        if damage.postgres
            && let Some(fresh) = store::testing::postgres().await
        {
            found(&fresh.store, damage).await;
            fresh.close().await;
        }
    }
}

async fn found(store: &Store, planned: &Damage) {
    let (one, two) = (plant(store, "one").await, plant(store, "two").await);
    let statements = one.fill(&planned.statements(store.sqlite()), &two);
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    damage(store, &statements).await.unwrap_or_else(|error| panic!("{}: {error}", planned.name));
    if let Some(break_file) = planned.file {
        break_file(&store.options().data_dir, &one);
    }
    let found = findings(store).await;
    let subject = one.fill_one(planned.subject, &two);
    assert!(
        found.iter().any(|f| f.invariant == planned.invariant
            && f.subject.contains(&subject)
            && f.message.contains(planned.message)),
        "{} ({}): expected \"{subject}\" \"{}\", found {found:#?}",
        planned.name,
        if store.sqlite() { "sqlite" } else { "postgres" },
        planned.message
    );
}

macro_rules! invariants {
    ($($name:ident $invariant:literal),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            each_is_found($invariant).await;
        }
    )*
        #[test]
        fn every_checked_invariant_has_its_damages() {
            assert_eq!(INVARIANTS.to_vec(), vec![$($invariant),*]);
        }
    };
}
invariants! {
    lost_writes_are_found "I1",
    doubled_effects_are_found "I2",
    overbooked_courses_are_found "I3",
    marks_that_nobody_gave_are_found "I4",
    grades_without_a_person_are_found "I5",
    broken_consumers_are_found "I6",
    broken_chunks_and_vectors_are_found "I7",
    broken_jobs_are_found "I8",
    broken_blobs_are_found "I9",
    impossible_figures_of_use_are_found "I11",
    strangers_rows_are_found "I12",
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_with_an_institution_is_checked() {
    let fresh = store::testing::sqlite().await;
    plant(&fresh.store, "one").await;
    let stranger = "11111111-1111-7111-8111-111111111111";
    let sql = "SELECT m.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c
               WHERE m.type = 'table' AND c.name = 'institution_id' ORDER BY m.name";
    // What guards the history of grades would refuse the damage.
    for trigger in ["grades_stay", "grades_are_kept", "releases_stay", "releases_are_kept"] {
        execute(&fresh.store, &format!("DROP TRIGGER {trigger}")).await.unwrap();
    }
    for table in store::testing::query(&fresh.store, sql).await.unwrap() {
        let table = table["name"].as_str().unwrap();
        let planted = crate::school::number(&fresh.store, &format!("SELECT COUNT(*) AS n FROM {table}")).await;
        assert!(planted > 0, "plant a row in {table}");
        let swap = |to: &str| format!("UPDATE {table} SET institution_id = {to}");
        damage(&fresh.store, &[&swap(&format!("'{stranger}'"))]).await.unwrap();
        let found = findings(&fresh.store).await;
        assert!(
            found.iter().any(|f| f.invariant == "I12" && f.subject.starts_with(&format!("{table} "))),
            "{table} is not in the table of owned rows"
        );
        damage(&fresh.store, &[&swap("(SELECT id FROM institutions)")]).await.unwrap();
    }
    assert_eq!(findings(&fresh.store).await, []);
    fresh.close().await;
}

both_databases!(a_day_old_blob_that_nothing_references_is_collected, |store| async move {
    let healthy: Healthy = plant(&store, "one").await;
    let blobs = LocalBlobs::new(&store.options().data_dir);
    store::blob::keep(&store, &blobs, healthy.institution, b"nobody's".to_vec(), "text/plain").await.unwrap();
    let day = Duration::from_secs(86_400);
    let young = store::blob::collect(&store, &blobs, healthy.institution, day).await.unwrap();
    assert_eq!((young.rows, young.files), (0, 0));
    execute(&store, "UPDATE blobs SET created_at = created_at - 86400000000").await.unwrap();
    let old = store::blob::collect(&store, &blobs, healthy.institution, day).await.unwrap();
    assert_eq!((old.rows, old.files), (1, 0));
    assert_eq!(findings(&store).await, []);
});
