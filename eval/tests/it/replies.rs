//! The guards against replies written by hand.

use eval::{run, suite};

use crate::fixture::bench;
use crate::reports::ports;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsound_replies_are_held_back_and_good_ones_shown() {
    let fresh = store::testing::sqlite().await;
    let bench = bench(&fresh.store, None).await;
    let found = run::run_on(&suite::named("replies").unwrap(), &[], &ports(&bench), &|_, _, _| {}).await.unwrap();
    assert!(found.replies.len() >= 50);
    let wrong: Vec<_> = found.replies.iter().filter(|one| one.good != one.shown).collect();
    assert!(found.checks.iter().all(|check| check.holds), "{:#?}\n{wrong:#?}", found.checks);
    fresh.close().await;
}
