//! `Store::write` under concurrency: what shares a commit shares nothing else.

use std::time::Duration;

use domain::institution::Institution;
use domain::{ErrorKind, InstitutionId};
use futures::future::join_all;
use store::sql::institution;
use store::testing::execute;
use store::{Store, StoreOptions, both_databases};

use crate::school::number;

fn school(name: &str) -> Institution {
    Institution {
        id: InstitutionId::fresh(),
        slug: name.into(),
        name: name.into(),
        status: "active".into(),
        created_at: 1,
    }
}

async fn add(store: &Store, name: String) -> store::Result<()> {
    store.write(move |tx| Box::pin(async move { institution::insert(tx, &school(&name)).await })).await
}

const COUNT: &str = "SELECT COUNT(*) AS n FROM institutions";

both_databases!(one_failing_write_among_many_is_rolled_back_alone, |store| async move {
    let writes = (0..64).map(|i| {
        let store = store.clone();
        async move {
            store
                .write(move |tx| {
                    Box::pin(async move {
                        institution::insert(tx, &school(&format!("a{i}"))).await?;
                        // The thirteenth writes a row and then breaks a rule.
                        if i == 13 {
                            institution::insert(tx, &school("a13")).await?;
                        }
                        Ok(i)
                    })
                })
                .await
        }
    });
    let results = join_all(writes).await;
    for (i, result) in results.into_iter().enumerate() {
        match result {
            Ok(value) => assert_eq!(value, i),
            Err(error) => assert_eq!((i, error.kind()), (13, ErrorKind::Conflict), "{error}"),
        }
    }
    assert_eq!(number(&store, COUNT).await, 63);
});

both_databases!(a_panicking_write_is_rolled_back_and_the_next_one_works, |store| async move {
    let writes = (0..16).map(|i| {
        let store = store.clone();
        async move {
            store
                .write(move |tx| {
                    Box::pin(async move {
                        institution::insert(tx, &school(&format!("a{i}"))).await?;
                        assert!(i % 4 != 0, "planted panic");
                        Ok(())
                    })
                })
                .await
        }
    });
    let failed = join_all(writes).await.into_iter().filter(Result::is_err).count();
    assert_eq!(failed, 4);
    add(&store, "later".into()).await.unwrap();
    assert_eq!(number(&store, COUNT).await, 13);
});

both_databases!(a_cancelled_caller_harms_nobody, |store| async move {
    let mut waiting = Vec::new();
    for i in 0..100 {
        let store = store.clone();
        waiting.push(tokio::spawn(async move { add(&store, format!("a{i}")).await }));
    }
    for task in waiting.iter().step_by(2) {
        task.abort();
    }
    let mut acknowledged = 0;
    for task in waiting {
        if let Ok(result) = task.await {
            result.unwrap();
            acknowledged += 1;
        }
    }
    assert!(acknowledged >= 50);
    assert!(number(&store, COUNT).await >= acknowledged);
    add(&store, "later".into()).await.unwrap();
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_whose_commit_fails_is_told_so_and_leaves_nothing() {
    let fresh = store::testing::sqlite().await;
    let store = fresh.store.clone();
    // A foreign key that is checked only at the commit fails the whole group there.
    let bad = execute(
        &store,
        "PRAGMA defer_foreign_keys = ON; INSERT INTO users (id, institution_id, username, display_name, status, authz_epoch, created_at, updated_at) VALUES ('u', 'nobody', 'u', 'U', 'active', 0, 1, 1)",
    );
    let good = join_all((0..8).map(|i| add(&store, format!("a{i}"))));
    let (bad, good) = tokio::join!(bad, good);
    assert_eq!(bad.unwrap_err().kind(), ErrorKind::Unavailable);
    let written = good.iter().filter(|result| result.is_ok()).count();
    assert_eq!(number(&store, COUNT).await, i64::try_from(written).unwrap());
    for result in good {
        assert!(result.is_ok() || result.unwrap_err().kind() == ErrorKind::Unavailable);
    }
    add(&store, "later".into()).await.unwrap();
    assert_eq!(number(&store, "SELECT COUNT(*) AS n FROM users").await, 0);
    fresh.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_file_wait_for_each_other() {
    let fresh = store::testing::sqlite().await;
    let other = Store::open(StoreOptions::embedded(fresh.path())).await.unwrap();
    let one = join_all((0..200).map(|i| add(&fresh.store, format!("a{i}"))));
    let two = join_all((0..200).map(|i| add(&other, format!("b{i}"))));
    let (one, two) = tokio::join!(one, two);
    for result in one.into_iter().chain(two) {
        result.unwrap();
    }
    assert_eq!(number(&other, COUNT).await, 400);
    other.close().await;
    fresh.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_fill_the_pool_do_not_hold_up_the_writer() {
    let fresh = store::testing::sqlite().await;
    let store = fresh.store.clone();
    let (release, wait) = tokio::sync::watch::channel(false);
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let (store, mut wait) = (store.clone(), wait.clone());
            tokio::spawn(async move {
                store
                    .read(|tx| {
                        Box::pin(async move {
                            institution::list(tx).await?;
                            wait.wait_for(|released| *released).await.unwrap();
                            Ok(institution::list(tx).await?.len())
                        })
                    })
                    .await
            })
        })
        .collect();
    tokio::time::timeout(Duration::from_secs(5), add(&store, "a".into())).await.expect("the writer waited").unwrap();
    release.send(true).unwrap();
    for reader in readers {
        assert!(reader.await.unwrap().unwrap() <= 1);
    }
    fresh.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_written_before_the_store_closes() {
    let fresh = store::testing::sqlite().await;
    let store = fresh.store.clone();
    let writes: Vec<_> = (0..50)
        .map(|i| {
            let store = store.clone();
            tokio::spawn(async move { add(&store, format!("a{i}")).await })
        })
        .collect();
    for write in writes {
        write.await.unwrap().unwrap();
    }
    store.close().await;
    let again = Store::open(StoreOptions::embedded(fresh.path())).await.unwrap();
    assert_eq!(number(&again, COUNT).await, 50);
    again.close().await;
}
