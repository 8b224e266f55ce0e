//! One institution's limits as they were read last, and its scopes that are counted.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use domain::quota::{DEFAULT_ID, Limits, Payer, Quota, QuotaScope};
use domain::{InstitutionId, Micros};
use foldhash::HashMap;
use uuid::Uuid;

use super::tally::Entry;
use super::{EntryKey, Inner};

pub(super) struct Home {
    pub(super) institution: InstitutionId,
    /// One reads the limits, the others wait for it.
    pub(super) loading: tokio::sync::Mutex<()>,
    limits: RwLock<Table>,
    entries: RwLock<HashMap<EntryKey, Arc<Entry>>>,
}

/// Limits by scope, and those of whoever has none of their own.
#[derive(Default)]
struct Table {
    read: Option<Instant>,
    own: HashMap<EntryKey, Limits>,
    default: HashMap<QuotaScope, Limits>,
}

impl Table {
    fn of(&self, key: &EntryKey) -> Limits {
        // A row of one's own replaces the default as a whole: a limit that it leaves open is open.
        self.own.get(key).or_else(|| self.default.get(&key.0)).copied().unwrap_or_default()
    }
}

/// A scope of a payer with its limits.
pub(super) type Limited = (Arc<Entry>, Limits);

impl Home {
    pub(super) fn new(institution: InstitutionId) -> Self {
        let (limits, entries) = (RwLock::default(), RwLock::default());
        Self { institution, loading: tokio::sync::Mutex::new(()), limits, entries }
    }

    /// How old the limits are; `None` when they were never read.
    pub(super) fn age(&self) -> Option<Duration> {
        self.limits.read().unwrap_or_else(PoisonError::into_inner).read.map(|read| read.elapsed())
    }

    /// Takes over limits. A scope whose limits changed gives back its parts: the next one is taken under the new limit.
    pub(super) fn set_limits(&self, quotas: Vec<Quota>, read: Instant, inner: &Inner) {
        let mut table = Table { read: Some(read), ..Table::default() };
        for quota in quotas {
            if quota.scope_id == DEFAULT_ID {
                table.default.insert(quota.scope, quota.limits);
            } else if let Ok(id) = Uuid::parse_str(&quota.scope_id) {
                table.own.insert((quota.scope, id), quota.limits);
            }
        }
        let old = {
            let mut limits = self.limits.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *limits, table)
        };
        let table = self.limits.read().unwrap_or_else(PoisonError::into_inner);
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        for (key, entry) in entries.iter().filter(|(key, _)| old.of(key) != table.of(key)) {
            tracing::debug!(scope = key.0.as_str(), "limits changed");
            entry.give_back(inner);
        }
    }

    /// The scopes of `payer` that are limited, the widest first.
    pub(super) fn limited(&self, payer: &Payer) -> Vec<Limited> {
        let ids = [
            (QuotaScope::Institution, Some(payer.institution.0)),
            (QuotaScope::Course, payer.course.map(|id| id.0)),
            (QuotaScope::User, payer.user.map(|id| id.0)),
            (QuotaScope::Key, payer.key.map(|id| id.0)),
        ];
        let table = self.limits.read().unwrap_or_else(PoisonError::into_inner);
        let keys = ids.into_iter().filter_map(|(scope, id)| id.map(|id| (scope, id)));
        let mut limited = Vec::with_capacity(ids.len());
        for key in keys {
            let limits = table.of(&key);
            if !limits.is_empty() {
                limited.push((self.entry(key), limits));
            }
        }
        limited
    }

    fn entry(&self, key: EntryKey) -> Arc<Entry> {
        if let Some(entry) = self.entries.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return entry.clone();
        }
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        entries.entry(key).or_insert_with(|| Arc::new(Entry::new(self.institution, key))).clone()
    }

    /// Notes what is to be written, and forgets scopes that nobody uses: their rows have all of it.
    pub(super) fn sweep(&self, now: Micros, all: bool, inner: &Inner) {
        let entries: Vec<Arc<Entry>> =
            self.entries.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        for entry in &entries {
            entry.sweep(now, all, inner);
        }
        drop(entries);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever holds one more reference is using it; nobody gets another one under this lock.
        entries.retain(|_, entry| Arc::strong_count(entry) > 1 || !entry.idle(now));
    }
}
