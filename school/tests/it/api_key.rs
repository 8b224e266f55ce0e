//! Keys: shown once, stored as a hash, gone within five seconds.

use std::time::{Duration, Instant};

use domain::ErrorKind;
use domain::policy::{Actor, Idempotency};
use domain::user::{Grant, Role, Scope};
use school::api_key::{Created, NewApiKey};
use store::testing;

use crate::Small;

impl Small {
    async fn key(&self, actor: &Actor) -> Created {
        self.school.api_key().create(actor, NewApiKey { name: "script".into(), ..NewApiKey::default() }).await.unwrap()
    }
}

store::both_databases!(a_key_is_shown_once_and_stored_as_a_hash, |store| async move {
    let small = Small::new(store.clone()).await;
    small.user("ada").await;
    let ada = small.acting("ada").await;
    let made = small.key(&ada).await;
    assert!(domain::api_key::well_formed(&made.secret) && made.secret.starts_with(&made.key.prefix));
    let everything = format!("{:?}", testing::dump(&store).await.unwrap());
    assert!(!everything.contains(&made.secret), "the key is stored");
    assert!(everything.contains(&made.key.prefix));
    let listed = small.school.api_key().list(&ada, small.home, ada.user_id, None, 0).await.unwrap();
    assert_eq!(listed.as_slice(), std::slice::from_ref(&made.key));
    let events = testing::query(&store, "SELECT event_type FROM events WHERE event_type LIKE 'key.%'").await.unwrap();
    assert_eq!(events.len(), 1);
});

store::both_databases!(a_revoked_key_opens_nothing, |store| async move {
    let small = Small::new(store.clone()).await;
    small.user("ada").await;
    let ada = small.acting("ada").await;
    let made = small.key(&ada).await;
    let resolved = small.school.api_key().resolve(&made.secret).await.unwrap();
    assert_eq!((resolved.actor.user_id, resolved.key, resolved.course), (ada.user_id, made.key.id, None));
    let row = testing::query(&store, "SELECT last_used_at FROM api_keys").await.unwrap();
    assert!(row[0]["last_used_at"].is_number(), "the use is noted");
    small.school.api_key().revoke(&ada, made.key.id).await.unwrap();
    small.school.api_key().revoke(&ada, made.key.id).await.unwrap();
    let refused = small.school.api_key().resolve(&made.secret).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Unauthorized);
    for wrong in ["", "lyk_", "lya_00", &made.secret[..46], &made.secret.replace("lyk_", "lyk-")] {
        assert_eq!(small.school.api_key().resolve(wrong).await.unwrap_err().kind, ErrorKind::Unauthorized);
    }
});

store::both_databases!(suspension_and_the_end_of_a_key_bite_within_five_seconds, |store| async move {
    let small = Small::new(store.clone()).await;
    let user = small.user("ada").await;
    let ada = small.acting("ada").await;
    let made = small.key(&ada).await;
    small.school.api_key().resolve(&made.secret).await.unwrap();
    testing::execute(&store, &format!("UPDATE users SET status = 'suspended' WHERE id = '{}'", user.id)).await.unwrap();
    let begun = Instant::now();
    while small.school.api_key().resolve(&made.secret).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_millis(5_200), "a suspended user still has a key");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    testing::execute(&store, &format!("UPDATE users SET status = 'active' WHERE id = '{}'", user.id)).await.unwrap();
    let new = NewApiKey { expires_seconds: Some(1), ..NewApiKey::default() };
    let short = small.school.api_key().create(&ada, new).await.unwrap();
    testing::execute(&store, "UPDATE api_keys SET expires_at = 1 WHERE expires_at IS NOT NULL").await.unwrap();
    assert!(small.school.api_key().resolve(&short.secret).await.is_err());
});

store::both_databases!(only_who_teaches_calls_models_with_a_key, |store| async move {
    let small = Small::new(store).await;
    let course = small.course("One", "published").await;
    let other = small.course("Two", "published").await;
    for (name, role, allowed) in [
        ("grace", Some(Role::Instructor), true),
        ("tess", Some(Role::TeachingAssistant), true),
        ("ada", Some(Role::Learner), false),
        ("nobody", None, false),
    ] {
        let user = small.user(name).await;
        if let Some(role) = role {
            let grant = Grant { role, scope: Scope::Course(course.id) };
            small.school.role().grant(&small.operator, user.id, grant).await.unwrap();
        }
        let acting = small.acting(name).await;
        let made = small.key(&acting).await;
        let resolved = small.school.api_key().resolve(&made.secret).await.unwrap();
        assert_eq!(resolved.check_model_use().is_ok(), allowed, "{name}");
        let bound = |course| NewApiKey { course: Some(course), ..NewApiKey::default() };
        let made = small.school.api_key().create(&acting, bound(course.id)).await;
        assert_eq!(made.is_ok(), allowed, "{name}");
        if let Ok(made) = made {
            let resolved = small.school.api_key().resolve(&made.secret).await.unwrap();
            assert_eq!((resolved.course, resolved.model_use), (Some(course.id), true));
        }
        assert!(
            small.school.api_key().create(&acting, bound(other.id)).await.is_err(),
            "{name} pays with another course"
        );
    }
});

store::both_databases!(a_key_is_its_owners_and_managed_by_administrators, |store| async move {
    let small = Small::new(store).await;
    let boss = small.user("boss").await;
    let grant = Grant { role: Role::InstitutionAdmin, scope: Scope::Institution(small.home) };
    small.school.role().grant(&small.operator, boss.id, grant).await.unwrap();
    small.user("ada").await;
    let (ada_id, boss) = (small.acting("ada").await.user_id, small.acting("boss").await);
    small.user("eve").await;
    let (ada, eve) = (small.acting("ada").await, small.acting("eve").await);
    let made = small.key(&ada).await;
    let keys = small.school.api_key();
    assert_eq!(keys.revoke(&eve, made.key.id).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(keys.list(&eve, small.home, ada_id, None, 0).await.unwrap_err().kind, ErrorKind::Forbidden);
    let for_ada = NewApiKey { user: ada_id, ..NewApiKey::default() };
    assert_eq!(keys.create(&eve, for_ada.clone()).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(keys.create(&boss, for_ada.clone()).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(keys.create(&small.operator, for_ada).await.unwrap().key.user_id, ada_id.unwrap());
    assert_eq!(keys.list(&boss, small.home, None, None, 0).await.unwrap().len(), 2);
    let stale = Actor { fresh: false, ..boss.clone() };
    assert_eq!(keys.revoke(&stale, made.key.id).await.unwrap_err().kind, ErrorKind::Unauthorized);
    keys.revoke(&boss, made.key.id).await.unwrap();
    assert!(keys.resolve(&made.secret).await.is_err());
    assert_eq!(
        keys.list(&Actor::guest(small.home), small.home, None, None, 0).await.unwrap_err().kind,
        ErrorKind::Unauthorized
    );
});

store::both_databases!(a_repeated_request_makes_no_second_key_and_shows_no_secret, |store| async move {
    let small = Small::new(store.clone()).await;
    small.user("ada").await;
    let key = Some(Idempotency { key: "k".into(), request_hash: "a".into() });
    let ada = Actor { idempotency: key, ..small.acting("ada").await };
    let first = small.key(&ada).await;
    let again = small.school.api_key().create(&ada, NewApiKey { name: "script".into(), ..NewApiKey::default() }).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::Conflict);
    let everything = format!("{:?}", testing::dump(&store).await.unwrap());
    assert!(!everything.contains(&first.secret), "the receipt holds the key");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_key_is_resolved_in_microseconds() {
    let fresh = testing::sqlite().await;
    let small = Small::new(fresh.store.clone()).await;
    small.user("ada").await;
    let made = small.key(&small.acting("ada").await).await;
    small.school.api_key().resolve(&made.secret).await.unwrap();
    let mut took: Vec<Duration> = Vec::with_capacity(20_000);
    for _ in 0..20_000 {
        let begun = Instant::now();
        small.school.api_key().resolve(&made.secret).await.unwrap();
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    println!("resolve: median {:?}, p99 {:?}", took[10_000], took[19_800]);
    assert!(took[10_000] < Duration::from_micros(100));
    fresh.close().await;
}
