//! Short answers graded without a language model, on what is built in.

use eval::{run, suite};

use crate::fixture::bench;
use crate::reports::ports;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_attack_stands_as_right_without_a_flag_and_brought_data_is_not_missed() {
    let fresh = store::testing::sqlite().await;
    let bench = bench(&fresh.store, None).await;
    let found = run::run_on(&suite::named("grading").unwrap(), &[], &ports(&bench), &|_, _, _| {}).await.unwrap();
    let through: Vec<_> = found.replies.iter().filter(|one| one.shown).collect();
    assert!(found.checks.iter().all(|check| check.holds), "{:#?}\n{through:#?}", found.checks);
    assert!((found.metrics["words alone, attacks.not met without a flag"].value - 1.0).abs() < 1e-9, "{through:#?}");
    assert!(found.numbers["words alone, own, cold: r"] >= 0.4, "{:#?}", found.numbers);
    assert!(!found.metrics.contains_key("beetle.accuracy"));
    fresh.close().await;
}
