//! The queue against a model of itself: seeded random claims, crashes, checkpoints, failures, expiries and
//! restarts; after every step the rows are what the model says, and invariant I8 holds.

use std::collections::HashMap;
use std::time::Duration;

use domain::job::FailureClass;
use domain::{InstitutionId, JobId};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use store::blob::LocalBlobs;
use store::queue::{self, NewJob};
use store::sql::job::{self, Claim, Failed};
use store::{Error, Store};

use crate::job_rows::{LEASE, shift};
use crate::school::institution;

/// One step of the clock. No sum of steps comes near a limit of the rules (5 s, 60 s, 37 s), so that the
/// milliseconds that the test itself takes decide nothing.
const TICK: i64 = 23;
const WAIT: i64 = 37;

#[derive(Debug, Clone, Default)]
struct Model {
    institution: Option<InstitutionId>,
    kind: &'static str,
    priority: i64,
    state: &'static str,
    attempts: i64,
    crashes: i64,
    most: i64,
    token: Option<String>,
    begun: i64,
    alive: i64,
    run_at: i64,
}

impl Model {
    fn free(&mut self, state: &'static str) {
        self.state = state;
        self.token = None;
    }

    fn give_back_attempt(&mut self) {
        self.attempts = (self.attempts - 1).max(0);
    }
}

#[derive(Default)]
struct World {
    now: i64,
    jobs: HashMap<JobId, Model>,
    stale: Vec<(JobId, String)>,
    after: Option<InstitutionId>,
    restarts: usize,
    finished: usize,
    fenced: usize,
}

async fn tick(store: &Store, world: &mut World) {
    world.now += TICK;
    let seconds = u64::try_from(TICK).unwrap();
    store::testing::execute(store, &shift(Duration::from_secs(seconds))).await.unwrap();
}

fn sweep(world: &mut World) {
    let now = world.now;
    for model in world.jobs.values_mut() {
        if model.state == "leased" && model.alive + 60 < now {
            // A lease of 60 s that ran out was held for longer than 5 s.
            model.crashes += 1;
            let dead = model.attempts >= model.most || model.crashes >= 3;
            model.free(if dead { "dead" } else { "ready" });
            model.run_at = now;
        } else if model.state == "backoff" && model.run_at <= now {
            model.state = "ready";
        }
    }
}

async fn claim(store: &Store, world: &mut World, rng: &mut StdRng) {
    let claim = Claim {
        instance: format!("node/{}", world.restarts),
        kinds: vec!["a_work".into(), "b_work".into()],
        limit: rng.random_range(1..4),
        lease: LEASE,
        after: world.after,
    };
    let limit = usize::try_from(claim.limit).unwrap();
    let claimed = store.write(move |tx| Box::pin(async move { job::claim(tx, &claim).await })).await.unwrap();
    sweep(world);
    let mut heads: HashMap<_, i64> = HashMap::new();
    for model in world.jobs.values().filter(|model| model.state == "ready") {
        let head = heads.entry((model.institution, model.kind)).or_insert(i64::MIN);
        *head = (*head).max(model.priority);
    }
    assert_eq!(claimed.len(), limit.min(heads.len()), "as many as there are turns");
    // No institution is served twice while another one that has work is not served.
    let served: std::collections::HashSet<_> = claimed.iter().map(|job| job.institution_id).collect();
    let waiting: std::collections::HashSet<_> = heads.keys().filter_map(|(institution, _)| *institution).collect();
    assert!(served.len() == claimed.len().min(waiting.len()), "institutions take turns");
    for job in claimed {
        let now = world.now;
        world.after = Some(job.institution_id);
        let model = world.jobs.get_mut(&job.id).unwrap();
        assert_eq!(model.state, "ready");
        let best = heads.remove(&(Some(job.institution_id), model.kind)).expect("one of an institution and kind");
        assert_eq!(model.priority, best);
        model.state = "leased";
        model.attempts += 1;
        (model.begun, model.alive) = (now, now);
        model.token = job.lease_token.clone();
        assert_eq!(job.attempts, model.attempts);
        world.stale.push((job.id, job.lease_token.unwrap()));
    }
}

/// A worker's act with a token that may be stale.
async fn act(store: &Store, world: &mut World, rng: &mut StdRng) {
    if world.stale.is_empty() {
        return;
    }
    let recent = world.stale.len().saturating_sub(12);
    let (id, token) = world.stale[rng.random_range(recent..world.stale.len())].clone();
    let now = world.now;
    let what = rng.random_range(0..7);
    let class = [FailureClass::Retryable, FailureClass::Permanent, FailureClass::Overload][rng.random_range(0..3)];
    let (given, wait) = (token.clone(), Duration::from_secs(u64::try_from(WAIT).unwrap()));
    let result: store::Result<bool> = store
        .write(move |tx| {
            Box::pin(async move {
                let failed = Failed { class, message: "no".into(), wait };
                match what {
                    0 | 1 => job::complete(tx, id, &given).await.map(|()| true),
                    2 | 3 => job::checkpoint(tx, id, &given, LEASE).await.map(|()| true),
                    4 => job::heartbeat(tx, id, &given, LEASE).await,
                    5 => job::fail(tx, id, &given, &failed).await.map(|_| true),
                    _ => job::release(tx, id, &given).await.map(|()| true),
                }
            })
        })
        .await;
    let model = world.jobs.get_mut(&id).unwrap();
    if model.token.as_ref() != Some(&token) {
        assert!(matches!(result, Err(Error::Fenced) | Ok(false)), "a stale token did something: {result:?}");
        world.fenced += 1;
        return;
    }
    assert!(result.unwrap(), "a valid token was refused");
    match what {
        0 | 1 => {
            model.crashes = 0;
            model.free("done");
            world.finished += 1;
        }
        2 | 3 => (model.attempts, model.crashes, model.begun, model.alive) = (0, 0, now, now),
        4 => model.alive = now,
        5 => {
            model.crashes = 0;
            model.run_at = now + WAIT;
            match class {
                FailureClass::Retryable if model.attempts < model.most => model.free("backoff"),
                FailureClass::Retryable | FailureClass::Permanent => model.free("dead"),
                FailureClass::Overload => {
                    model.give_back_attempt();
                    model.free("backoff");
                }
            }
        }
        _ => {
            model.give_back_attempt();
            model.free("ready");
        }
    }
}

/// `kill -9` and a restart: another process takes the lock and releases what the dead one held.
async fn restart(store: &Store, world: &mut World) {
    world.restarts += 1;
    let alive = format!("node/{}", world.restarts);
    store.write(move |tx| Box::pin(async move { job::release_node(tx, "node", &alive).await })).await.unwrap();
    for model in world.jobs.values_mut().filter(|model| model.state == "leased") {
        if model.alive - model.begun >= 5 {
            model.crashes += 1;
            let dead = model.attempts >= model.most || model.crashes >= 3;
            model.free(if dead { "dead" } else { "ready" });
        } else {
            model.give_back_attempt();
            model.free("ready");
        }
    }
}

async fn enqueue(store: &Store, world: &mut World, rng: &mut StdRng, schools: &[InstitutionId]) {
    let school = schools[rng.random_range(0..schools.len())];
    let kind = ["a_work", "b_work"][rng.random_range(0..2)];
    let key = rng.random_range(0..12_000).to_string();
    let (priority, most) = (rng.random_range(0..3), rng.random_range(1..5));
    let new = NewJob { priority, max_attempts: most, ..NewJob::new(school, kind, key, json!({})) };
    let now = world.now;
    if let Some(id) = store.write(move |tx| Box::pin(queue::enqueue(tx, new))).await.unwrap() {
        let revived = world.jobs.get(&id).is_none_or(|old| matches!(old.state, "dead" | "cancelled"));
        assert!(revived, "enqueued a job that was alive");
        let fresh =
            Model { institution: Some(school), kind, priority, state: "ready", most, run_at: now, ..Model::default() };
        world.jobs.insert(id, fresh);
    }
}

async fn operate(store: &Store, world: &mut World, rng: &mut StdRng) {
    let dead: Vec<JobId> = world.jobs.iter().filter(|(_, model)| model.state == "dead").map(|(id, _)| *id).collect();
    let mut dead = dead;
    dead.sort();
    let Some(id) = dead.first().copied() else { return };
    let now = world.now;
    let model = world.jobs.get_mut(&id).unwrap();
    let school = model.institution.unwrap();
    if rng.random_bool(0.5) {
        assert!(store.write(move |tx| Box::pin(queue::retry(tx, school, id))).await.unwrap());
        (model.state, model.attempts, model.crashes, model.run_at) = ("ready", 0, 0, now);
    } else {
        assert!(store.write(move |tx| Box::pin(queue::drop_dead(tx, school, id))).await.unwrap());
        model.state = "cancelled";
    }
}

async fn compare(store: &Store, world: &World) {
    let rows = store::testing::query(store, "SELECT id, state, attempts, crashes, max_attempts, lease_token FROM jobs")
        .await
        .unwrap();
    assert_eq!(rows.len(), world.jobs.len());
    for row in rows {
        let id: JobId = row["id"].as_str().unwrap().parse().unwrap();
        let model = &world.jobs[&id];
        let is = (row["state"].as_str().unwrap(), row["attempts"].as_i64().unwrap(), row["crashes"].as_i64().unwrap());
        assert_eq!(is, (model.state, model.attempts, model.crashes), "{id} {model:?}");
        assert_eq!(row["lease_token"].as_str(), model.token.as_deref());
        assert!(is.1 <= row["max_attempts"].as_i64().unwrap() + 1, "I8: attempts");
        assert_eq!(is.0 == "leased", model.token.is_some(), "I8: one state");
    }
}

async fn walk(store: &Store, seed: u64, steps: usize) -> World {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut schools = Vec::new();
    for _ in 0..3 {
        schools.push(institution(store).await);
    }
    let mut world = World::default();
    for step in 0..steps {
        match rng.random_range(0..100) {
            0..12 => enqueue(store, &mut world, &mut rng, &schools).await,
            12..40 => claim(store, &mut world, &mut rng).await,
            40..82 => act(store, &mut world, &mut rng).await,
            82..90 => tick(store, &mut world).await,
            90..96 => restart(store, &mut world).await,
            _ => operate(store, &mut world, &mut rng).await,
        }
        if step % 25 == 0 {
            compare(store, &world).await;
        }
    }
    compare(store, &world).await;
    // Nothing is stuck: with workers that finish what they take, every job ends.
    for _ in 0..world.jobs.len() * 4 + 20 {
        tick(store, &mut world).await;
        let claim = Claim {
            instance: "node/last".into(),
            kinds: vec!["a_work".into(), "b_work".into()],
            limit: 50,
            lease: LEASE,
            after: None,
        };
        let jobs = store
            .write(move |tx| {
                Box::pin(async move {
                    let jobs = job::claim(tx, &claim).await?;
                    for job in &jobs {
                        job::complete(tx, job.id, job.lease_token.as_deref().unwrap()).await?;
                    }
                    Ok(jobs.len())
                })
            })
            .await
            .unwrap();
        let left = "SELECT COUNT(*) AS n FROM jobs WHERE state NOT IN ('done', 'dead', 'cancelled')";
        if jobs == 0 && crate::school::number(store, left).await == 0 {
            return world;
        }
    }
    panic!("jobs are stuck (seed {seed})");
}

async fn i8_holds(store: &Store) {
    let blobs = LocalBlobs::new(&store.options().data_dir);
    let found = store::verify::verify(store, &blobs, None).await.unwrap();
    assert!(found.iter().all(|finding| finding.invariant != "I8"), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_walks_follow_the_model_and_leave_nothing_stuck() {
    let mut steps = 0;
    for seed in 1..=5 {
        let fresh = store::testing::sqlite().await;
        let world = walk(&fresh.store, seed, 4_400).await;
        assert!(world.finished > 50 && world.fenced > 50 && world.restarts > 50, "the walk saw too little");
        i8_holds(&fresh.store).await;
        fresh.close().await;
        steps += 4_400;
    }
    assert!(steps >= 20_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_random_walk_on_postgres_follows_the_model_too() {
    if let Some(fresh) = store::testing::postgres().await {
        walk(&fresh.store, 6, 2_000).await;
        i8_holds(&fresh.store).await;
        fresh.close().await;
    }
}
