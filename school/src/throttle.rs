//! How many wrong passwords are taken: for an account, for an address, and altogether.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{Error, ErrorKind};

use crate::Result;

/// Failed logins that are taken within the window (SAFETY A22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginLimits {
    /// For one account.
    pub per_account: usize,
    /// From one address.
    pub per_address: usize,
    /// Altogether.
    pub overall: usize,
    /// How long a failure counts.
    pub window: Duration,
}

impl Default for LoginLimits {
    fn default() -> Self {
        Self { per_account: 10, per_address: 100, overall: 5_000, window: Duration::from_secs(3600) }
    }
}

/// Most accounts and addresses remembered; beyond that the oldest go.
const REMEMBERED: usize = 50_000;

pub(crate) struct Throttle {
    limits: LoginLimits,
    failures: Mutex<HashMap<String, VecDeque<Instant>>>,
}

impl Throttle {
    pub(crate) fn new(limits: LoginLimits) -> Self {
        Self { limits, failures: Mutex::new(HashMap::new()) }
    }

    /// Counts an attempt before it is made, so that attempts in parallel count too.
    pub(crate) fn attempt(&self, account: &str, address: &str) -> Result<()> {
        let now = Instant::now();
        let mut failures = self.lock();
        if failures.len() > REMEMBERED {
            let window = self.limits.window;
            failures.retain(|_, times| times.back().is_some_and(|last| now.duration_since(*last) < window / 4));
        }
        let keys = self.keys(account, address);
        for (key, limit) in &keys {
            if let Some(times) = failures.get_mut(key) {
                while times.front().is_some_and(|first| now.duration_since(*first) >= self.limits.window) {
                    times.pop_front();
                }
                if times.len() >= *limit {
                    return Err(Error::new(ErrorKind::RateLimited, "too many failed logins; try again later"));
                }
            }
        }
        for (key, _) in keys {
            failures.entry(key).or_default().push_back(now);
        }
        Ok(())
    }

    /// Takes the attempt back: the password was right.
    pub(crate) fn succeeded(&self, account: &str, address: &str) {
        let mut failures = self.lock();
        failures.remove(&format!("account:{account}"));
        for (key, _) in self.keys(account, address).into_iter().skip(1) {
            if let Some(times) = failures.get_mut(&key) {
                times.pop_back();
            }
        }
    }

    fn keys(&self, account: &str, address: &str) -> [(String, usize); 3] {
        [
            (format!("account:{account}"), self.limits.per_account),
            (format!("address:{address}"), self.limits.per_address),
            ("overall".into(), self.limits.overall),
        ]
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, VecDeque<Instant>>> {
        // A panic while counting leaves at worst one attempt too many.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
