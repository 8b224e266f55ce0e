//! The memory cache.

use std::time::Duration;

use bytes::Bytes;
use domain::InstitutionId;
use store::cache::{Cache, CacheKey, MemoryCache};

#[tokio::test]
async fn values_live_apart_by_institution_and_vanish_in_time() {
    let cache = MemoryCache::new(1 << 20);
    let (one, two) = (InstitutionId::fresh(), InstitutionId::fresh());
    let hour = Duration::from_secs(3600);
    cache.put(CacheKey::new(one, "k"), Bytes::from_static(b"v"), hour).await.unwrap();
    assert_eq!(cache.get(&CacheKey::new(one, "k")).await.unwrap().unwrap(), "v");
    assert!(cache.get(&CacheKey::new(two, "k")).await.unwrap().is_none());
    cache.delete(&CacheKey::new(one, "k")).await.unwrap();
    assert!(cache.get(&CacheKey::new(one, "k")).await.unwrap().is_none());
    cache.put(CacheKey::new(one, "gone"), Bytes::from_static(b"v"), Duration::ZERO).await.unwrap();
    assert!(cache.get(&CacheKey::new(one, "gone")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_counts_every_increment() {
    let cache = MemoryCache::new(1 << 20);
    let key = CacheKey::new(InstitutionId::fresh(), "logins");
    let hour = Duration::from_secs(3600);
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (cache, key) = (cache.clone(), key.clone());
            tokio::spawn(async move { cache.add(key, 1, hour).await.unwrap() })
        })
        .collect();
    let mut sums = Vec::new();
    for task in tasks {
        sums.push(task.await.unwrap());
    }
    sums.sort_unstable();
    assert_eq!(sums, (1..=64).collect::<Vec<_>>());
}
