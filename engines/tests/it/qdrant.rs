//! Qdrant: the suite of the vector port where `LYCEUM_TEST_QDRANT_URL` names a server, and its absence everywhere.

use std::time::Duration;

use domain::InstitutionId;
use engines::qdrant::{QdrantIndex, QdrantOptions};
use store::vector::VectorIndex as _;
use store::vector::suite::{self, MODEL};
use store::{Error, Store};

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
