//! The statements of the queue, one rule each.

use std::time::Duration;

use domain::job::{FailureClass, Job, JobState};
use domain::{ErrorKind, InstitutionId};
use serde_json::json;
use store::queue::{self, NewJob};
use store::sql::job::{self, Claim, Failed};
use store::testing::execute;
use store::{Error, Store, both_databases};

use crate::school::institution;

pub(crate) const LEASE: Duration = Duration::from_secs(60);

async fn put(store: &Store, institution: InstitutionId, key: &str) {
    put_with(store, NewJob::new(institution, "embed_chunks", key, json!({"key": key}))).await;
}

async fn put_with(store: &Store, new: NewJob) -> Option<domain::JobId> {
    store.write(move |tx| Box::pin(queue::enqueue(tx, new))).await.unwrap()
}

async fn claim(store: &Store, limit: i64, after: Option<InstitutionId>) -> Vec<Job> {
    claim_as(store, "node/one", limit, after).await
}

async fn claim_as(store: &Store, instance: &str, limit: i64, after: Option<InstitutionId>) -> Vec<Job> {
    let claim = Claim {
        instance: instance.into(),
        kinds: vec!["embed_chunks".into(), "fetch_source".into()],
        limit,
        lease: LEASE,
        after,
    };
    store.write(move |tx| Box::pin(async move { job::claim(tx, &claim).await })).await.unwrap()
}

/// Lets the database's clock move on, by moving every time of the queue back.
pub(crate) async fn pass(store: &Store, time: Duration) {
    execute(store, &shift(time)).await.unwrap();
}

pub(crate) fn shift(time: Duration) -> String {
    let by = time.as_micros();
    format!(
        "UPDATE jobs SET run_at = run_at - {by}, lease_until = lease_until - {by}, leased_at = leased_at - {by},
           checkpoint_at = checkpoint_at - {by}, deadline = deadline - {by}, updated_at = updated_at - {by}"
    )
}

async fn row(store: &Store, job: &Job) -> Job {
    let (institution, id) = (job.institution_id, job.id);
    store.read(|tx| Box::pin(queue::get(tx, institution, id))).await.unwrap().unwrap()
}

fn token(job: &Job) -> String {
    job.lease_token.clone().unwrap()
}

async fn fail(store: &Store, job: &Job, class: FailureClass) -> store::Result<JobState> {
    let (id, token) = (job.id, token(job));
    let failed = Failed { class, message: "no".into(), wait: Duration::from_secs(3) };
    store.write(move |tx| Box::pin(async move { job::fail(tx, id, &token, &failed).await })).await
}

async fn complete(store: &Store, job: &Job) -> store::Result<()> {
    let (id, token) = (job.id, token(job));
    store.write(move |tx| Box::pin(async move { job::complete(tx, id, &token).await })).await
}

async fn checkpoint(store: &Store, job: &Job) -> store::Result<()> {
    let (id, token) = (job.id, token(job));
    store.write(move |tx| Box::pin(async move { job::checkpoint(tx, id, &token, LEASE).await })).await
}

async fn restart(store: &Store, alive: &'static str) -> u64 {
    store.write(move |tx| Box::pin(job::release_node(tx, "node", alive))).await.unwrap()
}

both_databases!(the_same_work_is_one_job, |store| async move {
    let school = institution(&store).await;
    assert!(put_with(&store, NewJob::new(school, "k", "1", json!({}))).await.is_some());
    assert!(put_with(&store, NewJob::new(school, "k", "1", json!({}))).await.is_none());
    assert!(put_with(&store, NewJob::new(institution(&store).await, "k", "1", json!({}))).await.is_some());
});

both_databases!(a_claimed_job_is_not_claimed_again, |store| async move {
    let school = institution(&store).await;
    put(&store, school, "1").await;
    let job = claim(&store, 1, None).await.remove(0);
    assert_eq!((job.state, job.attempts, job.payload.clone()), (JobState::Leased, 1, json!({"key": "1"})));
    assert!(claim(&store, 9, None).await.is_empty());
    complete(&store, &job).await.unwrap();
    assert_eq!(row(&store, &job).await.state, JobState::Done);
    pass(&store, Duration::from_secs(600)).await;
    assert!(claim(&store, 9, None).await.is_empty());
});

both_databases!(many_claimers_share_the_jobs_without_overlap, |store| async move {
    for _ in 0..4 {
        let school = institution(&store).await;
        for key in 0..10 {
            put(&store, school, &key.to_string()).await;
        }
    }
    let claimers = (0..6).map(|i| {
        let store = store.clone();
        tokio::spawn(async move {
            let (mut mine, mut empty) = (Vec::new(), 0);
            while empty < 3 {
                let jobs = claim_as(&store, &format!("node/{i}"), 3, None).await;
                empty = if jobs.is_empty() { empty + 1 } else { 0 };
                mine.extend(jobs.into_iter().map(|job| job.id));
            }
            mine
        })
    });
    let mut all = Vec::new();
    for claimer in claimers {
        all.extend(claimer.await.unwrap());
    }
    assert_eq!(all.len(), 40);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 40);
});

both_databases!(institutions_take_turns, |store| async move {
    let (busy, quiet) = (institution(&store).await, institution(&store).await);
    for key in 0..20 {
        put(&store, busy, &key.to_string()).await;
    }
    put(&store, quiet, "a").await;
    put(&store, quiet, "b").await;
    let mut order = Vec::new();
    let mut after = None;
    for _ in 0..4 {
        let job = claim(&store, 1, after).await.remove(0);
        after = Some(job.institution_id);
        order.push(job.institution_id);
    }
    assert_eq!(order.iter().filter(|id| **id == quiet).count(), 2);
    assert_ne!(order[0], order[1]);
    assert_ne!(order[2], order[3]);
});

both_databases!(higher_priority_goes_first_within_an_institution, |store| async move {
    let school = institution(&store).await;
    put(&store, school, "low").await;
    put_with(&store, NewJob { priority: 5, ..NewJob::new(school, "embed_chunks", "high", json!({})) }).await;
    assert_eq!(claim(&store, 1, None).await[0].idem_key, "high");
});

both_databases!(a_stale_token_changes_nothing, |store| async move {
    let school = institution(&store).await;
    put(&store, school, "1").await;
    let stale = claim(&store, 1, None).await.remove(0);
    pass(&store, Duration::from_secs(61)).await;
    let held = claim(&store, 1, None).await.remove(0);
    assert_ne!(stale.lease_token, held.lease_token);
    assert!(matches!(complete(&store, &stale).await, Err(Error::Fenced)));
    assert!(matches!(checkpoint(&store, &stale).await, Err(Error::Fenced)));
    assert!(matches!(fail(&store, &stale, FailureClass::Permanent).await, Err(Error::Fenced)));
    let (id, old) = (stale.id, token(&stale));
    assert!(!store.write(move |tx| Box::pin(async move { job::heartbeat(tx, id, &old, LEASE).await })).await.unwrap());
    assert_eq!(row(&store, &held).await.lease_token, held.lease_token);
    complete(&store, &held).await.unwrap();
});

both_databases!(an_expired_lease_out_of_attempts_is_dead, |store| async move {
    let school = institution(&store).await;
    put_with(&store, NewJob { max_attempts: 2, ..NewJob::new(school, "embed_chunks", "1", json!({})) }).await;
    let job = claim(&store, 1, None).await.remove(0);
    pass(&store, Duration::from_secs(61)).await;
    assert_eq!(claim(&store, 1, None).await.len(), 1);
    pass(&store, Duration::from_secs(61)).await;
    assert!(claim(&store, 1, None).await.is_empty());
    assert_eq!(row(&store, &job).await.state, JobState::Dead);
});

both_databases!(a_retryable_failure_backs_off_and_ends_dead, |store| async move {
    let school = institution(&store).await;
    put_with(&store, NewJob { max_attempts: 2, ..NewJob::new(school, "embed_chunks", "1", json!({})) }).await;
    let job = claim(&store, 1, None).await.remove(0);
    assert_eq!(fail(&store, &job, FailureClass::Retryable).await.unwrap(), JobState::Backoff);
    assert!(claim(&store, 1, None).await.is_empty());
    pass(&store, Duration::from_secs(4)).await;
    let job = claim(&store, 1, None).await.remove(0);
    assert_eq!((job.attempts, job.last_error.as_deref()), (2, Some("no")));
    assert_eq!(fail(&store, &job, FailureClass::Retryable).await.unwrap(), JobState::Dead);
});

both_databases!(overload_burns_no_attempt_and_a_permanent_failure_is_final, |store| async move {
    let school = institution(&store).await;
    put_with(&store, NewJob { max_attempts: 1, ..NewJob::new(school, "embed_chunks", "1", json!({})) }).await;
    for _ in 0..5 {
        let job = claim(&store, 1, None).await.remove(0);
        assert_eq!(job.attempts, 1);
        assert_eq!(fail(&store, &job, FailureClass::Overload).await.unwrap(), JobState::Backoff);
        pass(&store, Duration::from_secs(4)).await;
    }
    let job = claim(&store, 1, None).await.remove(0);
    assert_eq!(fail(&store, &job, FailureClass::Permanent).await.unwrap(), JobState::Dead);
});

both_databases!(fifty_young_crashes_in_a_row_do_not_kill_a_job, |store| async move {
    let school = institution(&store).await;
    put_with(&store, NewJob { max_attempts: 1, ..NewJob::new(school, "embed_chunks", "1", json!({})) }).await;
    for _ in 0..50 {
        let job = claim(&store, 1, None).await.remove(0);
        assert_eq!(job.attempts, 1);
        pass(&store, Duration::from_secs(3)).await;
        assert_eq!(restart(&store, "node/two").await, 1);
    }
    complete(&store, &claim(&store, 1, None).await.remove(0)).await.unwrap();
});

both_databases!(fifty_old_crashes_with_a_checkpoint_each_do_not_kill_a_job, |store| async move {
    let school = institution(&store).await;
    put(&store, school, "1").await;
    for _ in 0..50 {
        let job = claim(&store, 1, None).await.remove(0);
        checkpoint(&store, &job).await.unwrap();
        pass(&store, Duration::from_secs(20)).await;
        let (id, token) = (job.id, token(&job));
        store.write(move |tx| Box::pin(async move { job::heartbeat(tx, id, &token, LEASE).await })).await.unwrap();
        assert_eq!(restart(&store, "node/two").await, 1);
    }
    assert_eq!(claim(&store, 1, None).await.len(), 1);
});

both_databases!(three_old_crashes_without_a_checkpoint_kill_a_job, |store| async move {
    let school = institution(&store).await;
    put(&store, school, "1").await;
    let mut job = None;
    for _ in 0..3 {
        let claimed = claim(&store, 1, None).await.remove(0);
        pass(&store, Duration::from_secs(6)).await;
        let (id, token) = (claimed.id, token(&claimed));
        store.write(move |tx| Box::pin(async move { job::heartbeat(tx, id, &token, LEASE).await })).await.unwrap();
        assert_eq!(restart(&store, "node/two").await, 1);
        job = Some(claimed);
    }
    assert!(claim(&store, 1, None).await.is_empty());
    assert_eq!(row(&store, &job.unwrap()).await.state, JobState::Dead);
});

both_databases!(a_long_outage_after_a_young_crash_does_not_age_it, |store| async move {
    let school = institution(&store).await;
    put_with(&store, NewJob { max_attempts: 1, ..NewJob::new(school, "embed_chunks", "1", json!({})) }).await;
    for _ in 0..5 {
        assert_eq!(claim(&store, 1, None).await[0].attempts, 1);
        pass(&store, Duration::from_secs(3600)).await;
        assert_eq!(restart(&store, "node/two").await, 1);
    }
});

both_databases!(a_restart_releases_its_own_node_alone, |store| async move {
    let school = institution(&store).await;
    put(&store, school, "1").await;
    claim_as(&store, "node/two", 1, None).await;
    assert_eq!(restart(&store, "node/two").await, 0);
    if !store.sqlite() {
        let other = store.write(|tx| Box::pin(job::release_node(tx, "elsewhere", "elsewhere/x"))).await.unwrap();
        assert_eq!(other, 0);
    }
    assert_eq!(restart(&store, "node/three").await, 1);
    assert_eq!(claim(&store, 1, None).await.len(), 1);
});

both_databases!(a_dead_job_is_listed_retried_dropped_and_revived, |store| async move {
    let (school, other) = (institution(&store).await, institution(&store).await);
    put(&store, school, "1").await;
    let job = claim(&store, 1, None).await.remove(0);
    fail(&store, &job, FailureClass::Permanent).await.unwrap();
    let id = job.id;
    let listed = store.read(|tx| Box::pin(queue::dead(tx, school, None, 10))).await.unwrap();
    assert_eq!((listed.len(), listed[0].id, listed[0].last_error.as_deref()), (1, id, Some("no")));
    assert_eq!(listed[0].payload_hash.len(), 64);
    assert!(store.read(|tx| Box::pin(queue::dead(tx, other, None, 10))).await.unwrap().is_empty());
    assert!(!store.write(move |tx| Box::pin(queue::retry(tx, other, id))).await.unwrap());
    assert!(store.write(move |tx| Box::pin(queue::retry(tx, school, id))).await.unwrap());
    let job = claim(&store, 1, None).await.remove(0);
    assert_eq!(job.attempts, 1);
    fail(&store, &job, FailureClass::Permanent).await.unwrap();
    assert!(store.write(move |tx| Box::pin(queue::drop_dead(tx, school, id))).await.unwrap());
    assert_eq!(row(&store, &job).await.state, JobState::Cancelled);
    // The same work again starts afresh.
    let revived = put_with(&store, NewJob::new(school, "embed_chunks", "1", json!({"again": true}))).await;
    assert_eq!(revived, Some(id));
    let job = claim(&store, 1, None).await.remove(0);
    assert_eq!((job.attempts, job.payload), (1, json!({"again": true})));
});

both_databases!(a_cancelled_job_fences_its_worker, |store| async move {
    let school = institution(&store).await;
    put(&store, school, "1").await;
    let job = claim(&store, 1, None).await.remove(0);
    assert!(store.write(move |tx| Box::pin(queue::cancel(tx, school, "embed_chunks", "1"))).await.unwrap());
    assert!(matches!(checkpoint(&store, &job).await, Err(Error::Fenced)));
    assert!(!store.write(move |tx| Box::pin(queue::cancel(tx, school, "embed_chunks", "1"))).await.unwrap());
});

both_databases!(a_passed_deadline_ends_a_job_that_was_not_begun, |store| async move {
    let school = institution(&store).await;
    let now = store.read(|tx| Box::pin(tx.now())).await.unwrap();
    let new = NewJob { deadline: Some(now + 10_000_000), ..NewJob::new(school, "embed_chunks", "1", json!({})) };
    put_with(&store, new).await;
    pass(&store, Duration::from_secs(11)).await;
    assert!(claim(&store, 1, None).await.is_empty());
    assert_eq!(store.read(|tx| Box::pin(queue::dead(tx, school, None, 10))).await.unwrap().len(), 1);
});

both_databases!(a_full_queue_says_when_to_come_back, |store| async move {
    let (school, other) = (institution(&store).await, institution(&store).await);
    let enqueue = |institution, key: String| {
        let new = NewJob::new(institution, "embed_chunks", key, json!({}));
        store.write(move |tx| Box::pin(queue::enqueue_within(tx, new, 40)))
    };
    for key in 0..40 {
        enqueue(school, key.to_string()).await.unwrap();
    }
    let error = enqueue(school, "more".into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    let Error::QueueFull { retry_after: slow, .. } = error else { panic!("{error}") };
    // The same work again is no new job, and another institution has its own room.
    assert!(enqueue(school, "1".into()).await.unwrap().is_none());
    assert!(enqueue(other, "1".into()).await.unwrap().is_some());
    for _ in 0..20 {
        let job = claim(&store, 1, None).await.remove(0);
        complete(&store, &job).await.unwrap();
        if job.institution_id == school {
            enqueue(school, format!("again{}", job.id)).await.unwrap();
        }
    }
    let Error::QueueFull { retry_after: fast, .. } = enqueue(school, "more".into()).await.unwrap_err() else {
        panic!()
    };
    assert!(fast >= Duration::from_secs(1) && fast < slow, "{fast:?} {slow:?}");
});

both_databases!(statistics_count_by_state, |store| async move {
    let school = institution(&store).await;
    for key in 0..3 {
        put(&store, school, &key.to_string()).await;
    }
    complete(&store, &claim(&store, 1, None).await.remove(0)).await.unwrap();
    claim(&store, 1, None).await;
    let stats = store.read(|tx| Box::pin(queue::stats(tx, Some(school)))).await.unwrap();
    assert_eq!(stats.len(), 1);
    assert_eq!((stats[0].ready, stats[0].leased, stats[0].done, stats[0].dead), (1, 1, 1, 0));
    assert!(stats[0].oldest_age_us >= 0);
});
