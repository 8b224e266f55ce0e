//! Quotas: exact in parallel, over restarts and over processes; the limit that was hit is named with a true wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use domain::quota::{DEFAULT_ID, Limit, Limits, QuotaScope};
use domain::{ApiKeyId, ErrorKind, Micros, UserId};
use school::quota::{Payer, QuotaOptions, Quotas, Reservation};
use store::{Store, testing};
use tokio_util::sync::CancellationToken;

use crate::Small;

/// Ten seconds into a minute, two hours into a day.
const START: Micros = 20_000 * 86_400_000_000 + 2 * 3_600_000_000 + 10_000_000;

struct Counted {
    small: Small,
    clock: Arc<AtomicI64>,
}

impl Counted {
    async fn new(store: Store) -> Self {
        Self { small: Small::new(store).await, clock: Arc::new(AtomicI64::new(START)) }
    }

    /// Another process over the same rows.
    fn quotas(&self) -> Quotas {
        let clock = self.clock.clone();
        let clock: school::quota::Clock = Arc::new(move || clock.load(Ordering::Relaxed));
        let options = QuotaOptions { clock: Some(clock), limits_for: Duration::ZERO };
        Quotas::with(self.small.school.store().clone(), options)
    }

    async fn limit(&self, scope: QuotaScope, id: &str, limits: Limits) {
        self.small.school.quota().set(&self.small.operator, self.small.home, scope, id, limits).await.unwrap();
    }

    fn payer(&self, user: UserId) -> Payer {
        Payer { institution: self.small.home, course: None, user: Some(user), key: None }
    }

    async fn taken(&self, period: &str) -> Vec<(i64, i64)> {
        let sql = format!("SELECT requests, tokens FROM model_quota_use WHERE period = '{period}' ORDER BY starts_at");
        let rows = testing::query(self.small.school.store(), &sql).await.unwrap();
        rows.iter().map(|row| (row["requests"].as_i64().unwrap(), row["tokens"].as_i64().unwrap())).collect()
    }
}

fn requests_minute(most: u64) -> Limits {
    Limits { requests_minute: Some(most), ..Limits::default() }
}

fn tokens_day(most: u64) -> Limits {
    Limits { tokens_day: Some(most), ..Limits::default() }
}

async fn burst(quotas: &[Quotas], payer: Payer, times: usize, tokens: u64) -> (Vec<Reservation>, usize) {
    let asking: Vec<_> = (0..times)
        .map(|n| {
            let quotas = quotas[n % quotas.len()].clone();
            tokio::spawn(async move { quotas.reserve(&payer, tokens).await })
        })
        .collect();
    let (mut admitted, mut refused) = (Vec::new(), 0);
    for one in asking {
        match one.await.unwrap() {
            Ok(reservation) => admitted.push(reservation),
            Err(exceeded) => {
                assert_ne!(exceeded.limit, Limit::Unknown);
                refused += 1;
            }
        }
    }
    (admitted, refused)
}

store::both_databases!(fifty_parallel_requests_are_counted_exactly, |store| async move {
    let counted = Counted::new(store).await;
    let user = counted.small.user("ada").await.id;
    let limits = Limits { requests_minute: Some(30), tokens_day: Some(100_000), ..Limits::default() };
    counted.limit(QuotaScope::User, DEFAULT_ID, limits).await;
    let quotas = counted.quotas();
    let (admitted, refused) = burst(std::slice::from_ref(&quotas), counted.payer(user), 50, 100).await;
    assert_eq!((admitted.len(), refused), (30, 20));
    for one in admitted {
        one.settle(70);
    }
    quotas.close().await.unwrap();
    assert_eq!(counted.taken("minute").await, [(30, 0)]);
    assert_eq!(counted.taken("day").await, [(0, 30 * 70)]);
    // After a clean restart the count goes on where it stood.
    let again = counted.quotas();
    assert!(again.reserve(&counted.payer(user), 1).await.is_err());
    counted.clock.fetch_add(50_000_000, Ordering::Relaxed);
    let (admitted, _) = burst(&[again], counted.payer(user), 40, 1).await;
    assert_eq!(admitted.len(), 30, "the next minute");
});

store::both_databases!(a_killed_process_never_makes_room_for_more, |store| async move {
    let counted = Counted::new(store).await;
    let user = counted.small.user("ada").await.id;
    counted.limit(QuotaScope::User, &user.to_string(), requests_minute(100)).await;
    let mut admitted = 0;
    for round in 0..200 {
        // Never closed: as after kill -9.
        let quotas = counted.quotas();
        let (some, refused) = burst(&[quotas], counted.payer(user), 3, 0).await;
        admitted += some.len();
        std::mem::forget(some);
        if refused == 3 {
            break;
        }
        assert!(round < 199);
    }
    println!("{admitted} of 100 admitted over kills");
    assert!((40..=100).contains(&admitted), "{admitted}");
});

store::both_databases!(four_processes_admit_no_more_than_the_limit, |store| async move {
    let counted = Counted::new(store).await;
    let user = counted.small.user("ada").await.id;
    let limits = Limits { requests_day: Some(400), tokens_day: Some(40_000), ..Limits::default() };
    counted.limit(QuotaScope::User, DEFAULT_ID, limits).await;
    let all: Vec<Quotas> = (0..4).map(|_| counted.quotas()).collect();
    let (admitted, refused) = burst(&all, counted.payer(user), 600, 100).await;
    println!("{} admitted, {refused} refused of 600 with a limit of 400", admitted.len());
    assert!(admitted.len() <= 400, "over-admitted: {}", admitted.len());
    assert!(admitted.len() >= 380, "stranded: {}", admitted.len());
    drop(admitted);
    for one in &all {
        one.close().await.unwrap();
    }
    let day = counted.taken("day").await;
    assert!(day[0].0 <= 400 && day[0].1 == day[0].0 * 100, "{day:?}");
});

store::both_databases!(limits_compose_and_the_one_that_was_hit_is_named, |store| async move {
    let counted = Counted::new(store).await;
    let small = &counted.small;
    let (ada, bob) = (small.user("ada").await.id, small.user("bob").await.id);
    let course = small.course("One", "published").await.id;
    counted.limit(QuotaScope::Institution, "", requests_minute(5)).await;
    counted.limit(QuotaScope::Course, &course.to_string(), requests_minute(3)).await;
    counted.limit(QuotaScope::User, DEFAULT_ID, tokens_day(1_000)).await;
    counted.limit(QuotaScope::Key, DEFAULT_ID, Limits { concurrent: Some(1), ..Limits::default() }).await;
    let quotas = counted.quotas();
    let payer = |user, course, key| Payer { institution: small.home, course, user: Some(user), key };
    let key = Some(ApiKeyId::fresh());
    // One at a time with this key.
    let first = quotas.reserve(&payer(ada, Some(course), key), 100).await.unwrap();
    let hit = quotas.reserve(&payer(ada, Some(course), key), 100).await.map(|_| ()).unwrap_err();
    assert_eq!((hit.scope, hit.limit, hit.retry_after), (QuotaScope::Key, Limit::Concurrent, Duration::from_secs(1)));
    drop(first);
    quotas.reserve(&payer(ada, Some(course), key), 800).await.unwrap().settle(800);
    // The user's day is used up; others go on.
    let hit = quotas.reserve(&payer(ada, None, None), 101).await.map(|_| ()).unwrap_err();
    assert_eq!((hit.scope, hit.limit), (QuotaScope::User, Limit::TokensDay));
    assert_eq!(hit.retry_after, Duration::from_secs(22 * 3600 - 10));
    let never = quotas.reserve(&payer(bob, None, None), 1_001).await.map(|_| ()).unwrap_err();
    assert!(!never.fits_later());
    quotas.reserve(&payer(bob, Some(course), None), 1).await.unwrap().settle(1);
    let hit = quotas.reserve(&payer(bob, Some(course), None), 1).await.map(|_| ()).unwrap_err();
    assert_eq!((hit.scope, hit.limit), (QuotaScope::Course, Limit::RequestsMinute));
    assert_eq!(hit.retry_after, Duration::from_secs(50));
    quotas.reserve(&payer(bob, None, None), 1).await.unwrap().settle(1);
    quotas.reserve(&payer(bob, None, None), 1).await.unwrap().settle(1);
    let hit = quotas.reserve(&payer(bob, None, None), 1).await.map(|_| ()).unwrap_err();
    assert_eq!((hit.scope, hit.limit), (QuotaScope::Institution, Limit::RequestsMinute));
    let error = domain::Error::from(hit);
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::RateLimited, domain::quota::QUOTA_EXCEEDED));
    counted.clock.fetch_add(50_000_000, Ordering::Relaxed);
    assert!(quotas.reserve(&payer(bob, Some(course), None), 1).await.is_ok(), "the wait was true");
});

store::both_databases!(what_ends_is_settled_dropped_or_cancelled, |store| async move {
    let counted = Counted::new(store).await;
    let user = counted.small.user("ada").await.id;
    let limits = Limits { concurrent: Some(1), requests_day: Some(10), tokens_day: Some(100), ..Limits::default() };
    counted.limit(QuotaScope::User, DEFAULT_ID, limits).await;
    let (quotas, payer) = (counted.quotas(), counted.payer(user));
    quotas.reserve(&payer, 100).await.unwrap().settle(10);
    quotas.reserve(&payer, 90).await.unwrap().cancel();
    drop(quotas.reserve(&payer, 40).await.unwrap());
    let hit = quotas.reserve(&payer, 51).await.map(|_| ()).unwrap_err();
    assert_eq!(hit.limit, Limit::TokensDay, "an unsettled estimate stays used");
    // More than was estimated is used all the same, and written.
    quotas.reserve(&payer, 50).await.unwrap().settle(80);
    quotas.sweep(false).await.unwrap();
    assert!(quotas.reserve(&payer, 1).await.is_err());
    quotas.close().await.unwrap();
    assert_eq!(counted.taken("day").await, [(3, 130)]);
});

store::both_databases!(who_has_no_limits_causes_no_rows_and_new_limits_bite, |store| async move {
    let counted = Counted::new(store).await;
    let user = counted.small.user("ada").await.id;
    let (quotas, payer) = (counted.quotas(), counted.payer(user));
    for _ in 0..100 {
        assert!(!quotas.reserve(&payer, 10).await.unwrap().limited());
    }
    assert!(counted.taken("day").await.is_empty() && counted.taken("minute").await.is_empty());
    counted.limit(QuotaScope::User, DEFAULT_ID, requests_minute(40)).await;
    let (admitted, _) = burst(std::slice::from_ref(&quotas), payer, 10, 0).await;
    assert_eq!(admitted.len(), 10);
    counted.limit(QuotaScope::User, &user.to_string(), requests_minute(12)).await;
    let (more, _) = burst(std::slice::from_ref(&quotas), payer, 10, 0).await;
    assert_eq!(more.len(), 2, "a lower limit counts what was used");
    counted.limit(QuotaScope::User, &user.to_string(), requests_minute(13)).await;
    assert_eq!(burst(std::slice::from_ref(&quotas), payer, 10, 0).await.0.len(), 1);
    counted.limit(QuotaScope::User, &user.to_string(), Limits::default()).await;
    assert_eq!(burst(std::slice::from_ref(&quotas), payer, 100, 0).await.0.len(), 27, "the default again");
});

store::both_databases!(nobody_but_administrators_sets_limits, |store| async move {
    let counted = Counted::new(store).await;
    let small = &counted.small;
    let ada = small.user("ada").await;
    let acting = small.acting("ada").await;
    let settings = small.school.quota();
    let refused = settings.set(&acting, small.home, QuotaScope::User, DEFAULT_ID, requests_minute(9)).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::Forbidden);
    assert_eq!(settings.list(&acting, small.home).await.unwrap_err().kind, ErrorKind::Forbidden);
    let nobody = UserId::fresh().to_string();
    let refused = settings.set(&small.operator, small.home, QuotaScope::User, &nobody, requests_minute(9)).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::NotFound);
    let refused =
        settings.set(&small.operator, small.home, QuotaScope::Institution, DEFAULT_ID, requests_minute(9)).await;
    assert_eq!(refused.unwrap_err().kind, ErrorKind::NotFound);
    counted.limit(QuotaScope::User, &ada.id.to_string(), requests_minute(9)).await;
    let listed = settings.list(&small.operator, small.home).await.unwrap();
    assert_eq!((listed.len(), listed[0].limits), (1, requests_minute(9)));
});

store::both_databases!(what_nobody_uses_goes_back, |store| async move {
    let counted = Counted::new(store).await;
    let user = counted.small.user("ada").await.id;
    counted.limit(QuotaScope::User, DEFAULT_ID, Limits { requests_day: Some(1_000), ..Limits::default() }).await;
    let quotas = counted.quotas();
    drop(quotas.reserve(&counted.payer(user), 0).await.unwrap());
    assert_eq!(counted.taken("day").await, [(50, 0)], "a twentieth is taken at once");
    quotas.sweep(false).await.unwrap();
    assert_eq!(counted.taken("day").await, [(50, 0)]);
    counted.clock.fetch_add(10_000_000, Ordering::Relaxed);
    quotas.sweep(false).await.unwrap();
    assert_eq!(counted.taken("day").await, [(1, 0)]);
    // The window of yesterday gets back what was held of it.
    drop(quotas.reserve(&counted.payer(user), 0).await.unwrap());
    counted.clock.fetch_add(86_400_000_000, Ordering::Relaxed);
    drop(quotas.reserve(&counted.payer(user), 0).await.unwrap());
    quotas.sweep(false).await.unwrap();
    assert_eq!(counted.taken("day").await, [(2, 0), (50, 0)]);
});

store::both_databases!(the_database_clock_and_the_sweeper_do_as_well, |store| async move {
    let small = Small::new(store.clone()).await;
    let user = small.user("ada").await.id;
    let settings = small.school.quota();
    settings.set(&small.operator, small.home, QuotaScope::User, DEFAULT_ID, tokens_day(1_000)).await.unwrap();
    let (quotas, shutdown) = (Quotas::open(store.clone()), CancellationToken::new());
    let running = tokio::spawn({
        let (quotas, shutdown) = (quotas.clone(), shutdown.clone());
        async move { quotas.run(shutdown).await }
    });
    let payer = Payer { institution: small.home, course: None, user: Some(user), key: None };
    quotas.reserve(&payer, 600).await.unwrap().settle(500);
    let hit = quotas.reserve(&payer, 600).await.map(|_| ()).unwrap_err();
    assert!(hit.retry_after <= Duration::from_secs(86_400) && !hit.retry_after.is_zero());
    shutdown.cancel();
    running.await.unwrap();
    let rows = testing::query(&store, "SELECT tokens, starts_at FROM model_quota_use").await.unwrap();
    // Two when the test ran over midnight.
    assert!(rows.iter().map(|row| row["tokens"].as_i64().unwrap()).sum::<i64>() == 500, "{rows:?}");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_of_three_limits_for_a_thousand_users_takes_microseconds() {
    let fresh = testing::sqlite().await;
    let counted = Counted::new(fresh.store.clone()).await;
    let big = 1_000_000_000;
    let limits =
        Limits { requests_minute: Some(big), tokens_day: Some(big), concurrent: Some(big), ..Limits::default() };
    counted.limit(QuotaScope::User, DEFAULT_ID, limits).await;
    let clock: school::quota::Clock = Arc::new(|| START);
    let options = QuotaOptions { clock: Some(clock), ..QuotaOptions::default() };
    let quotas = Quotas::with(fresh.store.clone(), options);
    let payers: Vec<Payer> = (0..1_000).map(|_| counted.payer(UserId::fresh())).collect();
    for payer in &payers {
        quotas.reserve(payer, 1_000).await.unwrap().settle(900);
    }
    let mut took = Vec::with_capacity(50_000);
    for round in 0..50_000_usize {
        let payer = &payers[round * 7919 % payers.len()];
        let begun = Instant::now();
        let reservation = quotas.reserve(payer, 1_000).await.unwrap();
        took.push(begun.elapsed());
        reservation.settle(900);
    }
    took.sort_unstable();
    println!("check: median {:?}, p99 {:?}, longest {:?}", took[25_000], took[49_500], took[49_999]);
    assert!(took[49_500] < Duration::from_micros(200));
    fresh.close().await;
}

store::both_databases!(shares_of_every_scope_multiply_and_limit_nothing, |store| async move {
    let counted = Counted::new(store).await;
    let share = |share| Limits { share: Some(share), ..Limits::default() };
    let (home, user) = (counted.small.home, counted.small.user("ada").await.id);
    counted.limit(QuotaScope::Institution, "", share(50)).await;
    counted.limit(QuotaScope::User, DEFAULT_ID, share(300)).await;
    let quotas = counted.quotas();
    let reserved = quotas.reserve(&counted.payer(user), 1_000_000).await.unwrap();
    assert!((reserved.share() - 1.5).abs() < 1e-9, "{}", reserved.share());
    reserved.settle(1_000_000);
    let school = &counted.small.school;
    let refused = school.quota().set(&counted.small.operator, home, QuotaScope::User, DEFAULT_ID, share(0)).await;
    assert!(refused.is_err(), "nobody is served nothing for ever");
});
