//! Fair shares: how much each user, course and institution was served, counted in tokens.
//!
//! After the Virtual Token Counter (Sheng and others, OSDI 2024): the least served is next, and who
//! comes back after a pause starts level with the least served of those who are there. Differences:
//! the expected cost is charged when a request is given out and corrected at its end, so that
//! requests that run side by side do not all look free.

use domain::wire::Class;
use foldhash::HashMap;
use tokio::time::Instant;
use uuid::Uuid;

use crate::caller::{Flow, Whose};

/// Counters that may be kept for users who are not there.
const KEPT: usize = 20_000;

type UserKey = (Class, (Option<Uuid>, Whose));

#[derive(Default)]
struct Counter {
    served: f64,
    last: Option<Instant>,
}

/// Counters by user, course and institution; each class has its own, so that a flood of one does
/// not cost its user a place in another.
#[derive(Default)]
pub(crate) struct Shares {
    users: HashMap<UserKey, Counter>,
    /// Those who have something waiting, and how many requests.
    here: HashMap<UserKey, u32>,
    courses: HashMap<(Class, Option<Uuid>), f64>,
    institutions: HashMap<(Class, Option<Uuid>), f64>,
    /// What the user was served who left the queue of a class last.
    left: HashMap<Class, f64>,
}

impl Shares {
    /// A request has come.
    pub(crate) fn enter(&mut self, class: Class, flow: &Flow) {
        let key = (class, flow.user);
        if let Some(waiting) = self.here.get_mut(&key) {
            *waiting += 1;
            return;
        }
        let others = self.here.keys().filter(|(of, _)| *of == class);
        let least = others.filter_map(|other| Some(self.users.get(other)?.served)).min_by(f64::total_cmp);
        let least = least.or_else(|| self.left.get(&class).copied());
        if self.users.len() > KEPT {
            self.users.retain(|user, _| self.here.contains_key(user));
        }
        let counter = self.users.entry(key).or_default();
        counter.served = counter.served.max(least.unwrap_or_default());
        self.here.insert(key, 1);
    }

    /// A request waits no longer: a worker has it, or it was given up.
    pub(crate) fn leave(&mut self, class: Class, flow: &Flow) {
        let key = (class, flow.user);
        let Some(waiting) = self.here.get_mut(&key) else { return };
        *waiting -= 1;
        if *waiting == 0 {
            self.here.remove(&key);
            self.left.insert(class, self.users.get(&key).map_or(0.0, |counter| counter.served));
        }
    }

    /// Service given, or taken back when it was less than expected.
    pub(crate) fn charge(&mut self, class: Class, flow: &Flow, tokens: f64) {
        self.users.entry((class, flow.user)).or_default().served += tokens;
        *self.courses.entry((class, flow.course)).or_default() += tokens;
        *self.institutions.entry((class, flow.user.0)).or_default() += tokens;
        if self.courses.len() > KEPT {
            self.courses.clear();
        }
    }

    /// One of its requests was given out.
    pub(crate) fn given(&mut self, class: Class, flow: &Flow, now: Instant) {
        self.users.entry((class, flow.user)).or_default().last = Some(now);
    }

    /// When a request of this user was last given out.
    pub(crate) fn last(&self, class: Class, flow: &Flow) -> Option<Instant> {
        self.users.get(&(class, flow.user)).and_then(|counter| counter.last)
    }

    /// Service so far of the user, then the course, then the institution.
    pub(crate) fn served(&self, class: Class, flow: &Flow) -> [f64; 3] {
        [
            self.users.get(&(class, flow.user)).map_or(0.0, |counter| counter.served),
            self.courses.get(&(class, flow.course)).copied().unwrap_or_default(),
            self.institutions.get(&(class, flow.user.0)).copied().unwrap_or_default(),
        ]
    }
}
