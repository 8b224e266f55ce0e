//! Qdrant: the suite of the vector port where `LYCEUM_TEST_QDRANT_URL` names a server, and its absence everywhere.

use std::time::Duration;

use domain::InstitutionId;
use engines::qdrant::{QdrantIndex, QdrantOptions};
use store::vector::suite::{self, MODEL};
use store::vector::{Reconciled, VectorIndex as _};
use store::{Error, Scope, Store, both_databases};

use crate::fake::Fake;

/// An index with collections of its own; `None` (said on standard error) when there is no server.
fn index(store: &Store) -> Option<QdrantIndex> {
    let Ok(url) = std::env::var("LYCEUM_TEST_QDRANT_URL") else {
        let promised = std::env::var("LYCEUM_TEST_PROMISED").unwrap_or_default();
        assert!(!promised.contains("qdrant"), "Qdrant was promised and LYCEUM_TEST_QDRANT_URL is not set");
        eprintln!("skipped: LYCEUM_TEST_QDRANT_URL is not set");
        return None;
    };
    let prefix = format!("test{}", InstitutionId::fresh().0.simple());
    let options = QdrantOptions { prefix, timeout: Duration::from_secs(30), ..QdrantOptions::new(url) };
    Some(QdrantIndex::new(store.clone(), &options).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn qdrant_holds_to_the_suite_over_sqlite() {
    let fresh = store::testing::sqlite().await;
    if let Some(index) = index(&fresh.store) {
        suite::holds(&fresh.store, &index).await;
        index.drop_collections().await.unwrap();
    }
    fresh.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn qdrant_holds_to_the_suite_over_postgres() {
    if std::env::var("LYCEUM_TEST_QDRANT_URL").is_err() {
        eprintln!("skipped: LYCEUM_TEST_QDRANT_URL is not set");
        return;
    }
    let Some(fresh) = store::testing::postgres().await else { return };
    if let Some(index) = index(&fresh.store) {
        suite::holds(&fresh.store, &index).await;
        index.drop_collections().await.unwrap();
    }
    fresh.close().await;
}

/// Needs no server: nothing listens, so every call must end in its time and say what is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_server_is_unavailable_in_time() {
    let fresh = store::testing::sqlite().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", listener.local_addr().unwrap());
    // One address that refuses, one that accepts and never answers.
    for url in ["http://127.0.0.1:1".to_owned(), silent] {
        let options = QdrantOptions { timeout: Duration::from_millis(300), ..QdrantOptions::new(url) };
        let index = QdrantIndex::new(fresh.store.clone(), &options).unwrap();
        let (institution, course) = suite::course(&fresh.store).await;
        let planted = suite::build(&fresh.store, institution, course, "one", &suite::pages()).await;
        suite::publish(&fresh.store, &planted, &suite::pages()).await;
        let vectors = suite::embed(&fresh.store, &planted, MODEL, 0).await;
        let calls = async {
            assert!(!index.healthy().await);
            let upsert = index.upsert(institution, course, planted.version, MODEL, &vectors).await;
            assert!(matches!(upsert, Err(Error::Unavailable(_))));
            let search = index.search(&planted.scope(), MODEL, &suite::vector("wave", 0), 5).await;
            assert!(matches!(search, Err(Error::Unavailable(_))));
            assert!(matches!(index.reconcile(&fresh.store, institution).await, Err(Error::Unavailable(_))));
            assert!(matches!(index.rebuild(&fresh.store, institution).await, Err(Error::Unavailable(_))));
        };
        tokio::time::timeout(Duration::from_secs(20), calls).await.unwrap();
    }
    fresh.close().await;
}

both_databases!(the_adapter_holds_to_the_suite_over_a_stand_in, |store| async move {
    let fake = Fake::default();
    let index = QdrantIndex::new(store.clone(), &QdrantOptions::new(fake.serve().await)).unwrap();
    suite::holds(&store, &index).await;
    index.drop_collections().await.unwrap();
    assert_eq!(fake.points(), 0);
});

both_databases!(reconciling_counts_what_it_added_and_removed, |store| async move {
    let fake = Fake::default();
    let index = QdrantIndex::new(store.clone(), &QdrantOptions::new(fake.serve().await)).unwrap();
    let (institution, course) = suite::course(&store).await;
    let (other, other_course) = suite::course(&store).await;
    suite::plant(&store, &index, other, other_course, "one", &suite::pages()).await;
    let planted = suite::build(&store, institution, course, "one", &suite::pages()).await;
    suite::publish(&store, &planted, &suite::pages()).await;
    let vectors = suite::embed(&store, &planted, MODEL, 0).await;
    // Two of six points are there, one of them under the wrong course; two more stand for no row, one of another model.
    index.upsert(institution, course, planted.version, MODEL, &vectors[..1]).await.unwrap();
    index.upsert(institution, other_course, planted.version, MODEL, &vectors[1..2]).await.unwrap();
    let ghost = vec![(domain::ChunkId::fresh(), vectors[0].1.clone())];
    index.upsert(institution, course, planted.version, MODEL, &ghost).await.unwrap();
    index.upsert(institution, course, planted.version, "a model that is gone", &ghost).await.unwrap();
    assert_eq!(index.reconcile(&store, institution).await.unwrap(), Reconciled { added: 5, removed: 2 });
    assert_eq!(index.reconcile(&store, institution).await.unwrap(), Reconciled::default());
    assert_eq!(fake.points(), 12);
});

both_databases!(a_server_that_lost_everything_is_filled_again, |store| async move {
    let fake = Fake::default();
    let index = QdrantIndex::new(store.clone(), &QdrantOptions::new(fake.serve().await)).unwrap();
    let (institution, course) = suite::course(&store).await;
    let planted = suite::plant(&store, &index, institution, course, "one", &suite::pages()).await;
    let query = suite::vector("The cochlea sorts frequency by place.", 0);
    fake.lose_everything();
    // Nothing found would be a lie: rows say that there is something.
    assert!(matches!(index.search(&planted.scope(), MODEL, &query, 3).await, Err(Error::Unavailable(_))));
    let empty = empty_course(&store, institution).await;
    assert!(index.search(&empty, MODEL, &query, 3).await.unwrap().is_empty());
    index.rebuild(&store, institution).await.unwrap();
    assert_eq!(index.search(&planted.scope(), MODEL, &query, 3).await.unwrap()[0].chunk_id, planted.chunks[2]);
});

async fn empty_course(store: &Store, institution: InstitutionId) -> Scope {
    Scope { institution, course: suite::another_course(store, institution).await, hidden: true }
}

both_databases!(hidden_passages_do_not_crowd_out_visible_ones, |store| async move {
    let fake = Fake::default();
    let index = QdrantIndex::new(store.clone(), &QdrantOptions::new(fake.serve().await)).unwrap();
    let (institution, course) = suite::course(&store).await;
    let near: Vec<String> = (0..120).map(|number| format!("The exam answer is loudness {number}.")).collect();
    let near: Vec<&str> = near.iter().map(String::as_str).collect();
    let pages =
        [suite::Page::new("answers.md", &near).hidden(), suite::Page::new("waves.md", &["A wave carries energy."])];
    let planted = suite::plant(&store, &index, institution, course, "one", &pages).await;
    let hits = index.search(&planted.scope(), MODEL, &suite::vector("exam answer loudness", 0), 3).await.unwrap();
    assert_eq!(hits.iter().map(|hit| hit.chunk_id).collect::<Vec<_>>(), planted.chunks[120..]);
});
