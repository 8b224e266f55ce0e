//! Durable requests: accepted once, answered once, whatever dies in between.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::model_request::{ModelRequest, RequestState};
use domain::policy::Actor;
use domain::wire::Class;
use domain::{ErrorKind, ModelRequestId};
use school::model_request::{NewModelRequest, RunFailure, RunModel};
use store::blob::LocalBlobs;
use store::queue::{Queue, QueueOptions};
use store::{Store, testing};
use tokio_util::sync::CancellationToken;

use crate::Small;

fn new(key: &str, body: &str) -> NewModelRequest {
    NewModelRequest {
        key: None,
        course: None,
        idempotency_key: Some(key.into()),
        class: Class::Grade,
        endpoint: "/v1/chat/completions".into(),
        body: body.as_bytes().to_vec(),
    }
}

/// Answers by what the body says.
#[derive(Default)]
struct Scripted {
    runs: Mutex<HashMap<ModelRequestId, usize>>,
    begun: tokio::sync::Notify,
    stopped: Arc<AtomicUsize>,
}

struct Stopped(Arc<AtomicUsize>);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl RunModel for Scripted {
    async fn run(&self, request: &ModelRequest) -> Result<(u16, Vec<u8>), RunFailure> {
        let run = {
            let mut runs = self.runs.lock().unwrap();
            let count = runs.entry(request.id).or_default();
            *count += 1;
            *count
        };
        self.begun.notify_one();
        match (request.body.as_slice(), run) {
            (b"never", _) => Err(RunFailure::Permanent("the model cannot".into())),
            (b"always fails", _) => Err(RunFailure::Retryable("not this time".into())),
            (b"twice", 1) => Err(RunFailure::Overload(Some(Duration::ZERO))),
            (b"hangs", _) => {
                let _stopped = Stopped(self.stopped.clone());
                std::future::pending::<()>().await;
                unreachable!()
            }
            (body, run) => Ok((200, format!("{} in run {run}", String::from_utf8_lossy(body)).into_bytes())),
        }
    }
}

struct Serving {
    runner: Arc<Scripted>,
    shutdown: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Serving {
    fn start(small: &Small) -> Self {
        let runner = Arc::new(Scripted::default());
        let mut options = QueueOptions::new("node/1");
        options.backoff_base = Duration::from_millis(1);
        options.backoff_cap = Duration::from_millis(2);
        options.poll = Duration::from_millis(20);
        options.drain = Duration::from_millis(100);
        let mut queue = Queue::new(small.school.store().clone(), options);
        small.school.model_request().register(&mut queue, runner.clone());
        let shutdown = CancellationToken::new();
        let task = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { queue.run(shutdown).await }
        });
        Self { runner, shutdown, task }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap();
    }
}

impl Small {
    async fn submit(&self, actor: &Actor, key: &str, body: &str) -> ModelRequest {
        self.school.model_request().submit(actor, new(key, body)).await.unwrap()
    }

    async fn ended(&self, actor: &Actor, id: ModelRequestId) -> ModelRequest {
        let waiting = async {
            loop {
                let request = self.school.model_request().get(actor, id).await.unwrap();
                if !request.state.open() {
                    return request;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("the request never ended")
    }
}

async fn sound(store: &Store) {
    let blobs = LocalBlobs::new(&store.options().data_dir);
    let findings = store::verify::verify(store, &blobs, None).await.unwrap();
    assert!(findings.iter().all(|finding| finding.invariant == "I6"), "{findings:#?}");
}

store::both_databases!(the_same_key_is_the_same_request_and_another_body_a_conflict, |store| async move {
    let small = Small::new(store.clone()).await;
    small.user("ada").await;
    small.user("bob").await;
    let (ada, bob) = (small.acting("ada").await, small.acting("bob").await);
    let submitting: Vec<_> = (0..8)
        .map(|_| {
            let (school, ada) = (small.school.clone(), ada.clone());
            tokio::spawn(async move { school.model_request().submit(&ada, new("k", "hello")).await.unwrap().id })
        })
        .collect();
    let mut ids = Vec::new();
    for one in submitting {
        ids.push(one.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "one request");
    let refused = small.school.model_request().submit(&ada, new("k", "other")).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Conflict, "IDEMPOTENCY_KEY_REUSED"));
    assert_ne!(small.submit(&bob, "k", "other").await.id, ids[0], "keys are each user's own");
    let without = NewModelRequest { idempotency_key: None, ..new("", "hello") };
    assert_ne!(small.school.model_request().submit(&ada, without).await.unwrap().id, ids[0]);
    let jobs = testing::query(&store, "SELECT priority FROM jobs WHERE kind = 'run_model_request'").await.unwrap();
    assert_eq!(jobs.len(), 3);
    assert_eq!(small.school.model_request().get(&bob, ids[0]).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(small.school.model_request().cancel(&bob, ids[0]).await.unwrap_err().kind, ErrorKind::NotFound);
    sound(&store).await;
});

store::both_databases!(requests_end_with_an_answer_or_a_reason, |store| async move {
    let small = Small::new(store.clone()).await;
    small.user("ada").await;
    let ada = small.acting("ada").await;
    let (good, twice) = (small.submit(&ada, "1", "hello").await.id, small.submit(&ada, "2", "twice").await.id);
    let (never, fails) = (small.submit(&ada, "3", "never").await.id, small.submit(&ada, "4", "always fails").await.id);
    let serving = Serving::start(&small);
    let done = small.ended(&ada, good).await;
    assert_eq!((done.state, done.status), (RequestState::Done, Some(200)));
    assert_eq!(done.response.as_deref(), Some(b"hello in run 1".as_slice()));
    let done = small.ended(&ada, twice).await;
    assert_eq!(done.response.as_deref(), Some(b"twice in run 2".as_slice()));
    let failed = small.ended(&ada, never).await;
    assert_eq!((failed.state, failed.error.as_deref()), (RequestState::Failed, Some("the model cannot")));
    let failed = small.ended(&ada, fails).await;
    assert_eq!((failed.state, failed.error.as_deref()), (RequestState::Failed, Some("not this time")));
    assert_eq!(serving.runner.runs.lock().unwrap()[&fails], 5);
    serving.stop().await;
    // Sent again it is the request that was answered.
    assert_eq!(small.submit(&ada, "1", "hello").await.state, RequestState::Done);
    let sql = "SELECT event_type FROM events WHERE event_type LIKE 'llm.%' ORDER BY seq";
    let events = testing::query(&store, sql).await.unwrap();
    let count = |name: &str| events.iter().filter(|row| row["event_type"] == name).count();
    assert_eq!(
        [count("llm.processing_requested"), count("llm.processing_completed"), count("llm.processing_failed")],
        [4, 2, 2]
    );
    sound(&store).await;
});

store::both_databases!(what_is_over_long_enough_is_forgotten_with_its_job, |store| async move {
    let small = Small::new(store.clone()).await;
    small.user("ada").await;
    let ada = small.acting("ada").await;
    let (good, never) = (small.submit(&ada, "1", "hello").await.id, small.submit(&ada, "2", "never").await.id);
    let serving = Serving::start(&small);
    small.ended(&ada, good).await;
    small.ended(&ada, never).await;
    serving.stop().await;
    let open = small.submit(&ada, "3", "hello").await.id;
    let requests = small.school.model_request();
    assert_eq!(requests.forget(Duration::from_secs(3_600)).await.unwrap(), 0, "too young");
    assert_eq!(requests.forget(Duration::ZERO).await.unwrap(), 2);
    for gone in [good, never] {
        assert_eq!(requests.get(&ada, gone).await.unwrap_err().kind, ErrorKind::NotFound);
    }
    assert_eq!(requests.get(&ada, open).await.unwrap().state, RequestState::Queued, "what is open stays");
    let jobs = testing::query(&store, "SELECT id FROM jobs WHERE kind = 'run_model_request'").await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_ne!(small.submit(&ada, "1", "hello").await.id, good, "its key is free again");
    sound(&store).await;
});

store::both_databases!(a_cancelled_request_stops_and_stays_cancelled, |store| async move {
    let small = Small::new(store.clone()).await;
    small.user("ada").await;
    let ada = small.acting("ada").await;
    let waiting = small.submit(&ada, "1", "hello").await.id;
    let cancelled = small.school.model_request().cancel(&ada, waiting).await.unwrap();
    assert_eq!(cancelled.state, RequestState::Cancelled);
    let running = small.submit(&ada, "2", "hangs").await.id;
    let serving = Serving::start(&small);
    serving.runner.begun.notified().await;
    assert_eq!(small.school.model_request().get(&ada, running).await.unwrap().state, RequestState::Running);
    let begun = std::time::Instant::now();
    small.school.model_request().cancel(&ada, running).await.unwrap();
    while serving.runner.stopped.load(Ordering::SeqCst) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(2), "the model still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    serving.stop().await;
    for id in [waiting, running] {
        let request = small.school.model_request().get(&ada, id).await.unwrap();
        assert_eq!((request.state, request.response), (RequestState::Cancelled, None));
    }
    sound(&store).await;
});

store::both_databases!(a_request_whose_worker_dies_is_answered_by_the_next, |store| async move {
    let small = Small::new(store.clone()).await;
    small.user("ada").await;
    let ada = small.acting("ada").await;
    let id = small.submit(&ada, "1", "hangs").await.id;
    let serving = Serving::start(&small);
    serving.runner.begun.notified().await;
    serving.task.abort();
    // The lease of the dead runs out; the late one finds its token gone.
    testing::execute(&store, "UPDATE jobs SET lease_until = 1, leased_at = lease_until").await.unwrap();
    let next = Serving::start(&small);
    next.runner.begun.notified().await;
    let request = small.school.model_request().get(&ada, id).await.unwrap();
    assert_eq!(request.state, RequestState::Running, "taken over");
    small.school.model_request().cancel(&ada, id).await.unwrap();
    next.stop().await;
    sound(&store).await;
});

store::both_databases!(a_request_that_kills_its_workers_fails, |store| async move {
    let small = Small::new(store.clone()).await;
    small.user("ada").await;
    let ada = small.acting("ada").await;
    let id = small.submit(&ada, "1", "hello").await.id;
    // Five claims whose workers die.
    for _ in 0..6 {
        store
            .write(|tx| {
                Box::pin(async move {
                    let claim = store::sql::job::Claim {
                        instance: "n/1".into(),
                        kinds: vec![domain::model_request::JOB.into()],
                        limit: 1,
                        lease: Duration::from_secs(60),
                        after: None,
                    };
                    store::sql::job::claim(tx, &claim).await
                })
            })
            .await
            .unwrap();
        testing::execute(&store, "UPDATE jobs SET lease_until = 1 WHERE state = 'leased'").await.unwrap();
    }
    let request = small.school.model_request().get(&ada, id).await.unwrap();
    assert_eq!(request.state, RequestState::Failed);
    assert!(request.error.unwrap().contains("crashed"));
    sound(&store).await;
    // A person starts its job again.
    let job = testing::query(&store, "SELECT id FROM jobs").await.unwrap()[0]["id"].as_str().unwrap().parse().unwrap();
    small.school.job().retry(&small.operator, small.home, job).await.unwrap();
    let serving = Serving::start(&small);
    serving.runner.begun.notified().await;
    assert_eq!(small.ended(&ada, id).await.state, RequestState::Done);
    serving.stop().await;
    sound(&store).await;
});
