//! The cache port and its embedded adapter: short-lived values and counters that may vanish at any time.
//!
//! Nothing here is the truth; a caller that finds nothing asks the rows.

use std::time::Duration;

use bytes::Bytes;
use domain::InstitutionId;
use moka::Expiry;
use moka::future::Cache as Moka;
use moka::ops::compute::Op;

use crate::error::Result;

/// The name of a cached value; two institutions never share one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// Tenant.
    pub institution_id: InstitutionId,
    /// What, with its id: `authz_epoch/<user>`.
    pub name: String,
}

impl CacheKey {
    /// The key of `name` in an institution.
    pub fn new(institution: InstitutionId, name: impl Into<String>) -> Self {
        Self { institution_id: institution, name: name.into() }
    }
}

/// The cache port.
#[async_trait::async_trait]
pub trait Cache: Send + Sync {
    /// The value, while it lives.
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>>;
    /// Keeps a value for `life`.
    async fn put(&self, key: CacheKey, value: Bytes, life: Duration) -> Result<()>;
    /// Forgets a value.
    async fn delete(&self, key: &CacheKey) -> Result<()>;
    /// Adds to a counter that begins at 0 and lives for `life` from its first increment; yields the sum.
    async fn add(&self, key: CacheKey, amount: i64, life: Duration) -> Result<i64>;
}

#[derive(Debug, Clone)]
enum Entry {
    Value(Bytes, Duration),
    Counter(i64, Duration),
}

/// A value lives from its last `put`, a counter from its first increment.
struct Life;

impl Expiry<CacheKey, Entry> for Life {
    fn expire_after_create(&self, _: &CacheKey, entry: &Entry, _: std::time::Instant) -> Option<Duration> {
        match entry {
            Entry::Value(_, life) | Entry::Counter(_, life) => Some(*life),
        }
    }

    fn expire_after_update(
        &self,
        _: &CacheKey,
        entry: &Entry,
        _: std::time::Instant,
        left: Option<Duration>,
    ) -> Option<Duration> {
        match entry {
            Entry::Value(_, life) => Some(*life),
            Entry::Counter(..) => left,
        }
    }
}

/// The cache of this process.
#[derive(Clone)]
pub struct MemoryCache {
    entries: Moka<CacheKey, Entry>,
}

impl MemoryCache {
    /// A cache of at most about `capacity_bytes`.
    #[must_use]
    pub fn new(capacity_bytes: u64) -> Self {
        let entries = Moka::builder()
            .max_capacity(capacity_bytes)
            .weigher(|key: &CacheKey, entry: &Entry| {
                let value = if let Entry::Value(bytes, _) = entry { bytes.len() } else { 8 };
                u32::try_from(key.name.len() + value + 64).unwrap_or(u32::MAX)
            })
            .expire_after(Life)
            .build();
        Self { entries }
    }
}

#[async_trait::async_trait]
impl Cache for MemoryCache {
    async fn get(&self, key: &CacheKey) -> Result<Option<Bytes>> {
        Ok(match self.entries.get(key).await {
            Some(Entry::Value(bytes, _)) => Some(bytes),
            Some(Entry::Counter(count, _)) => Some(Bytes::from(count.to_string())),
            None => None,
        })
    }

    async fn put(&self, key: CacheKey, value: Bytes, life: Duration) -> Result<()> {
        self.entries.insert(key, Entry::Value(value, life)).await;
        Ok(())
    }

    async fn delete(&self, key: &CacheKey) -> Result<()> {
        self.entries.invalidate(key).await;
        Ok(())
    }

    async fn add(&self, key: CacheKey, amount: i64, life: Duration) -> Result<i64> {
        let entry = self
            .entries
            .entry(key)
            .and_compute_with(|entry| {
                let before = match entry.map(moka::Entry::into_value) {
                    Some(Entry::Counter(count, life)) => (count, life),
                    _ => (0, life),
                };
                std::future::ready(Op::Put(Entry::Counter(before.0.saturating_add(amount), before.1)))
            })
            .await;
        Ok(match entry {
            moka::ops::compute::CompResult::Inserted(entry)
            | moka::ops::compute::CompResult::ReplacedWith(entry)
            | moka::ops::compute::CompResult::Unchanged(entry)
            | moka::ops::compute::CompResult::Removed(entry) => match entry.into_value() {
                Entry::Counter(count, _) => count,
                Entry::Value(..) => 0,
            },
            moka::ops::compute::CompResult::StillNone(_) => 0,
        })
    }
}
