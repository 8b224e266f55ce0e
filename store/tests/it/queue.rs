//! The loop that drives handlers: wake-up, effects with completion, fencing, panics, drain, poison.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use domain::InstitutionId;
use domain::job::{Job, JobState};
use serde_json::json;
use store::queue::{self, Completion, Handler, JobError, Lease, NewJob, Queue, QueueOptions};
use store::testing::execute;
use store::{Store, both_databases};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::school::{institution, number};

type Run = Box<dyn Fn(Job, Lease) -> futures::future::BoxFuture<'static, Result<Completion, JobError>> + Send + Sync>;

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A handler made of a closure.
struct Does(Run);

#[async_trait::async_trait]
impl Handler for Does {
    async fn run(&self, job: &Job, lease: &Lease) -> Result<Completion, JobError> {
        (self.0)(job.clone(), lease.clone()).await
    }
}

fn does<F, R>(run: F) -> Arc<dyn Handler>
where
    F: Fn(Job, Lease) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Completion, JobError>> + Send + 'static,
{
    Arc::new(Does(Box::new(move |job, lease| Box::pin(run(job, lease)))))
}

fn options() -> QueueOptions {
    QueueOptions {
        lease: Duration::from_secs(2),
        heartbeat: Duration::from_millis(100),
        // Long, so that a test that ends in time was woken.
        poll: Duration::from_secs(30),
        backoff_base: Duration::from_millis(1),
        backoff_cap: Duration::from_millis(5),
        drain: Duration::from_millis(300),
        ..QueueOptions::new("node/one")
    }
}

async fn put(store: &Store, school: InstitutionId, key: &str) {
    let new = NewJob { max_attempts: 3, ..NewJob::new(school, "work", key, json!({})) };
    store.write(move |tx| Box::pin(queue::enqueue(tx, new))).await.unwrap();
}

/// Runs the queue until `done`, which must come within a minute.
fn until<'a, F: Future<Output = ()> + 'a>(queue: &'a Queue, done: F) -> impl Future<Output = ()> + 'a {
    Box::pin(async move {
        let shutdown = CancellationToken::new();
        let finish = async {
            tokio::time::timeout(Duration::from_secs(60), done).await.expect("the queue did not get there");
            shutdown.cancel();
        };
        tokio::join!(queue.run(shutdown.clone()), finish);
    })
}

async fn state(store: &Store, school: InstitutionId, key: &'static str) -> JobState {
    store.read(move |tx| Box::pin(queue::of_key(tx, school, "work", key))).await.unwrap().unwrap().state
}

async fn ended(store: &Store, count: i64) {
    let sql = "SELECT COUNT(*) AS n FROM jobs WHERE state IN ('done', 'dead', 'cancelled')";
    while number(store, sql).await < count {
        tokio::time::sleep(LOOK).await;
    }
}

both_databases!(an_idle_worker_wakes_when_work_is_enqueued, |store| async move {
    let school = institution(&store).await;
    let mut queue = Queue::new(store.clone(), options());
    queue.handle("work", does(|_, _| async { Ok(Completion::done()) }));
    let feed = async {
        for key in ["1", "2", "3"] {
            put(&store, school, key).await;
            ended(&store, key.parse().unwrap()).await;
        }
    };
    until(&queue, feed).await;
    assert_eq!(queue.counters().done.load(Ordering::Relaxed), 3);
});

both_databases!(effects_are_committed_with_the_completion_or_not_at_all, |store| async move {
    let school = institution(&store).await;
    let tries = Arc::new(AtomicUsize::new(0));
    let mut queue = Queue::new(store.clone(), QueueOptions { poll: Duration::from_millis(5), ..options() });
    let counted = tries.clone();
    queue.handle(
        "work",
        does(move |job, _| {
            let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                Ok(Completion::with(move |tx| {
                    Box::pin(async move {
                        // The effect is another job; the first try breaks after it.
                        queue::enqueue(tx, NewJob::new(job.institution_id, "effect", job.id.to_string(), json!({})))
                            .await?;
                        if first { Err(store::Error::Database("planted".into())) } else { Ok(()) }
                    })
                }))
            }
        }),
    );
    put(&store, school, "1").await;
    until(&queue, ended(&store, 1)).await;
    assert_eq!(tries.load(Ordering::SeqCst), 2);
    assert_eq!(number(&store, "SELECT COUNT(*) AS n FROM jobs WHERE kind = 'effect'").await, 1);
    assert_eq!(queue.counters().retries.load(Ordering::Relaxed), 1);
});

both_databases!(a_worker_that_lost_its_lease_writes_nothing, |store| async move {
    let school = institution(&store).await;
    let (begun, go) = (Arc::new(Notify::new()), watch::Sender::new(false));
    let mut queue = Queue::new(store.clone(), options());
    let (tell, wait) = (begun.clone(), go.subscribe());
    queue.handle(
        "work",
        does(move |job, lease| {
            let (tell, mut wait) = (tell.clone(), wait.clone());
            async move {
                tell.notify_one();
                wait.wait_for(|go| *go).await.unwrap();
                let effect = NewJob::new(job.institution_id, "effect", "1", json!({}));
                lease.checkpoint(move |tx| Box::pin(async move { queue::enqueue(tx, effect).await })).await?;
                Ok(Completion::done())
            }
        }),
    );
    put(&store, school, "1").await;
    until(&queue, async {
        begun.notified().await;
        store.write(move |tx| Box::pin(queue::cancel(tx, school, "work", "1"))).await.unwrap();
        go.send_replace(true);
        while queue.counters().fenced.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(LOOK).await;
        }
    })
    .await;
    assert_eq!(state(&store, school, "1").await, JobState::Cancelled);
    assert_eq!(number(&store, "SELECT COUNT(*) AS n FROM jobs WHERE kind = 'effect'").await, 0);
    assert_eq!(queue.counters().fenced.load(Ordering::Relaxed), 1);
});

both_databases!(poison_dies_and_its_neighbours_finish, |store| async move {
    let schools = [institution(&store).await, institution(&store).await];
    let mut queue = Queue::new(store.clone(), QueueOptions { poll: Duration::from_millis(5), ..options() });
    queue.handle(
        "work",
        does(|job, _| async move {
            match job.idem_key.parse::<usize>().unwrap() % 10 {
                0 => panic!("planted"),
                1 => Err(JobError::retryable("planted")),
                2 => Err(JobError::permanent("planted")),
                _ => Ok(Completion::done()),
            }
        }),
    );
    for key in 0..40 {
        put(&store, schools[key % 2], &key.to_string()).await;
    }
    until(&queue, ended(&store, 40)).await;
    assert_eq!(number(&store, "SELECT COUNT(*) AS n FROM jobs WHERE state = 'done'").await, 28);
    assert_eq!(number(&store, "SELECT COUNT(*) AS n FROM jobs WHERE state = 'dead'").await, 12);
    assert_eq!(number(&store, "SELECT MAX(attempts) AS n FROM jobs").await, 3);
    assert_eq!(
        number(&store, "SELECT COUNT(*) AS n FROM jobs WHERE last_error LIKE 'handler panicked: planted%'").await,
        4
    );
});

both_databases!(a_shutdown_lets_quick_work_finish_and_gives_slow_work_back, |store| async move {
    let school = institution(&store).await;
    let begun = Arc::new(AtomicUsize::new(0));
    let mut queue = Queue::new(store.clone(), options());
    let counted = begun.clone();
    queue.handle(
        "work",
        does(move |job, lease| {
            let counted = counted.clone();
            async move {
                counted.fetch_add(1, Ordering::SeqCst);
                match job.idem_key.as_str() {
                    "quick" => lease.stopped().await,
                    "polite" => {
                        lease.stopped().await;
                        return Err(JobError::given_back());
                    }
                    _ => std::future::pending::<()>().await,
                }
                Ok(Completion::done())
            }
        }),
    );
    for key in ["quick", "polite", "slow"] {
        put(&store, school, key).await;
    }
    until(&queue, async {
        while begun.load(Ordering::SeqCst) < 3 {
            tokio::time::sleep(LOOK).await;
        }
    })
    .await;
    assert_eq!(state(&store, school, "quick").await, JobState::Done);
    assert_eq!(state(&store, school, "polite").await, JobState::Backoff);
    assert_eq!(state(&store, school, "slow").await, JobState::Ready);
    assert_eq!(number(&store, "SELECT MAX(attempts) AS n FROM jobs WHERE state IN ('ready', 'backoff')").await, 0);
});

both_databases!(a_heartbeat_keeps_a_long_job, |store| async move {
    let school = institution(&store).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let lease = Duration::from_secs(3);
    let mut queue = Queue::new(store.clone(), QueueOptions { lease, poll: Duration::from_millis(20), ..options() });
    let counted = runs.clone();
    queue.handle(
        "work",
        does(move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            async {
                tokio::time::sleep(Duration::from_millis(4500)).await;
                Ok(Completion::done())
            }
        }),
    );
    put(&store, school, "1").await;
    until(&queue, ended(&store, 1)).await;
    assert_eq!((runs.load(Ordering::SeqCst), state(&store, school, "1").await), (1, JobState::Done));
});

both_databases!(ten_thousand_waiting_jobs_are_drained_fairly, |store| async move {
    let (busy, quiet) = (institution(&store).await, institution(&store).await);
    // Planted in one statement: this is about the claim, not about enqueueing.
    let generate = if store.sqlite() {
        "WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 10000)"
    } else {
        "WITH g(n) AS (SELECT generate_series(1, 10000))"
    };
    execute(&store, &format!(
        "INSERT INTO jobs (id, institution_id, kind, payload, idem_key, state, attempts, crashes, max_attempts, run_at, priority, payload_hash, created_at, updated_at)
         {generate} SELECT '00000000-0000-7000-8000-' || SUBSTR(CAST(100000000000 + n AS TEXT), 1, 12), '{busy}', 'work', '{{}}', CAST(n AS TEXT), 'ready', 0, 0, 3, 1, 0, 'x', 1, 1 FROM g"
    )).await.unwrap();
    put(&store, quiet, "1").await;
    let order = Arc::new(AtomicUsize::new(0));
    let place = Arc::new(AtomicUsize::new(usize::MAX));
    let mut queue = Queue::new(store.clone(), QueueOptions { concurrency: 8, ..options() });
    let (counted, noted) = (order.clone(), place.clone());
    queue.handle(
        "work",
        does(move |job, _| {
            let turn = counted.fetch_add(1, Ordering::SeqCst);
            if job.institution_id == quiet {
                noted.store(turn, Ordering::SeqCst);
            }
            async { Ok(Completion::done()) }
        }),
    );
    until(&queue, async {
        while order.load(Ordering::SeqCst) < 300 {
            tokio::time::sleep(LOOK).await;
        }
    })
    .await;
    assert!(place.load(Ordering::SeqCst) < 10, "the quiet institution waited for {:?} jobs", place);
});
