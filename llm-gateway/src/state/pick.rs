//! Which waiting request a free worker takes.
//!
//! A user who waited beyond the longest wait of the class, since the request came or since anything
//! of that user was served, goes first: a flood of a higher class or of another model cannot starve
//! anybody, and who floods gains nothing by the age of the flood. Else the most urgent class, where
//! waiting moves a request up. Within it one model at a time, so that models are loaded seldom:
//! a worker stays with what it has loaded until nothing of that is left, or until another model was
//! kept waiting longer than loading it is worth. Within the model the user who was served least, and
//! among equals whoever's prompt the worker has read before.

use std::sync::Arc;
use std::time::Duration;

use domain::wire::{Class, RequestId};
use foldhash::HashMap;
use tokio::time::Instant;

use super::worker::WorkerState;
use super::{Entry, State, WorkerId};

/// Users whose service differs by less than this are equal to the eye of prefix affinity, in tokens.
const EQUAL: f64 = 256.0;
/// Share of a request's own cost that counts beside what its user was served. The greatest difference between two
/// users is a twentieth less by it, on simulated traces.
const OWN_COST: f64 = 0.2;
/// Of this many times the time of a load at most one is spent loading, on the long run.
const RESIDENCY: f64 = 6.0;
/// Work that waits for a model, in loads of it, from which an idle worker loads it at once.
const AMORTISED: f64 = 2.0;
/// Work that waits for a model, in loads of it, up to which the worker that has it loaded is left to do it: when
/// something else would have to go for it here.
const ELSEWHERE: f64 = 4.0;
/// The same where there is room for it: then only the load itself must be worth it.
const ELSEWHERE_ROOM: f64 = 1.0;
/// Bytes of a block of a prompt's beginning, as tokens.
const BLOCK_TOKENS: u32 = 64;
/// Blocks that another worker must know more of a prompt for the prompt to wait for it.
const WORTH_WAITING: usize = 4;
/// Loads of a model that its waiters are kept for the sake of the loaded one, at most.
const PATIENCE: f64 = 4.0;

/// What waits for one model in the class that is looked at.
struct Demand {
    model: Arc<str>,
    oldest: Instant,
    work: f64,
    loaded: bool,
}

impl State {
    /// The class in which a request is served now, and whether it waited too long.
    fn rank(&self, entry: &Entry, now: Instant) -> (usize, bool) {
        let since = self.shares.last(entry.class, &entry.flow).map_or(entry.arrived, |last| last.max(entry.arrived));
        let waited = now.saturating_duration_since(since);
        if waited >= self.options.longest_wait(entry.class) {
            return (0, true);
        }
        let steps = waited.as_micros().checked_div(self.options.ageing.as_micros()).unwrap_or_default();
        (entry.class.rank().saturating_sub(usize::try_from(steps).unwrap_or(usize::MAX)), false)
    }

    fn takes(&self, worker_id: WorkerId, worker: &WorkerState, entry: &Entry, now: Instant) -> bool {
        // What is kept for people who wait is open to whoever waited too long.
        (worker.free_for(entry.class) || worker.credits > 0 && self.rank(entry, now).1)
            && !entry.tried.contains(&worker_id)
            && worker.serves(&entry.model, entry.dialect)
            && worker.has_room(&entry.model)
            && worker.lets(&entry.model, now)
            && !self.better_waited_for(worker_id, worker, entry, now)
    }

    /// Whether a busy worker has read so much of this prompt that a short wait for it is cheaper.
    fn better_waited_for(&self, worker_id: WorkerId, worker: &WorkerState, entry: &Entry, now: Instant) -> bool {
        if entry.prefix.len() < WORTH_WAITING || self.workers.len() < 2 {
            return false;
        }
        let here = worker.remembers(&entry.prefix);
        let known = |(id, other): (&WorkerId, &WorkerState)| {
            let may = *id != worker_id
                && !entry.tried.contains(id)
                && other.serves(&entry.model, entry.dialect)
                && other.has_loaded(&entry.model)
                && other.lets(&entry.model, now);
            may.then(|| other.remembers(&entry.prefix))
        };
        let most = self.workers.iter().filter_map(known).max().unwrap_or(0);
        let more = most.saturating_sub(here);
        if more < WORTH_WAITING {
            return false;
        }
        let saved = self.speeds.reading(&entry.model, tokens(more)).unwrap_or(0.0);
        now.saturating_duration_since(entry.arrived).as_secs_f64() < saved
    }

    /// The request that this worker should take, if any.
    pub(crate) fn pick(&self, worker_id: WorkerId, now: Instant) -> Option<RequestId> {
        let worker = self.workers.get(&worker_id)?;
        if worker.credits == 0 {
            return None;
        }
        let mut best = usize::MAX;
        let mut fitting: Vec<(RequestId, &Entry, usize)> = Vec::new();
        let mut starved: Vec<(RequestId, &Entry, usize)> = Vec::new();
        for (id, entry) in &self.waiting {
            if !self.takes(worker_id, worker, entry, now) {
                continue;
            }
            let (rank, overdue) = self.rank(entry, now);
            // A model that was just loaded is not sent away again for the next who waited too long:
            // else a worker that is behind would load and load.
            if overdue && (worker.has_loaded(&entry.model) || self.settled(worker, &entry.model, now)) {
                starved.push((*id, entry, rank));
            }
            best = best.min(rank);
            fitting.push((*id, entry, rank));
        }
        if !starved.is_empty() {
            return self.fairest(worker, &starved);
        }
        fitting.retain(|(_, _, rank)| *rank == best);
        let class = fitting.first()?.1.class;
        let model = self.model_to_serve(worker_id, worker, &fitting, class, now)?;
        fitting.retain(|(_, entry, _)| entry.model == model);
        self.fairest(worker, &fitting)
    }

    fn model_to_serve(
        &self,
        worker_id: WorkerId,
        worker: &WorkerState,
        fitting: &[(RequestId, &Entry, usize)],
        class: Class,
        now: Instant,
    ) -> Option<Arc<str>> {
        let mut demands: Vec<Demand> = Vec::new();
        for (_, entry, _) in fitting {
            match demands.iter_mut().find(|demand| demand.model == entry.model) {
                Some(demand) => {
                    demand.oldest = demand.oldest.min(entry.arrived);
                    demand.work += entry.cost.work();
                }
                None => demands.push(Demand {
                    model: Arc::clone(&entry.model),
                    oldest: entry.arrived,
                    work: entry.cost.work(),
                    loaded: worker.has_loaded(&entry.model),
                }),
            }
        }
        if worker.capacity.is_none() || demands.len() == 1 && demands.iter().all(|demand| demand.loaded) {
            // Nothing has to be loaded: whoever is served least may have any model.
            return if demands.len() == 1 { demands.pop().map(|demand| demand.model) } else { self.any(fitting) };
        }
        let longest = self.options.longest_wait(class);
        let loaded = demands.iter().filter(|demand| demand.loaded).max_by(|a, b| b.oldest.cmp(&a.oldest));
        let starving = demands.iter().filter(|demand| !demand.loaded).find(|demand| {
            // Where everything is late, loading for whoever is the latest would be all that is done.
            now.saturating_duration_since(demand.oldest) >= longest / 2
                && self.settled(worker, &demand.model, now)
                && !self.served_elsewhere(worker_id, demand, now)
        });
        if let Some(demand) = starving {
            return Some(Arc::clone(&demand.model));
        }
        if let Some(demand) = loaded {
            return Some(Arc::clone(&demand.model));
        }
        demands
            .retain(|demand| !self.served_elsewhere(worker_id, demand, now) && self.worth_loading(worker, demand, now));
        demands.into_iter().max_by(|a, b| a.work.total_cmp(&b.work)).map(|demand| demand.model)
    }

    fn settled(&self, worker: &WorkerState, model: &str, now: Instant) -> bool {
        worker.settled(Duration::from_secs_f64(self.speeds.load(model) * RESIDENCY), now)
    }

    fn any(&self, fitting: &[(RequestId, &Entry, usize)]) -> Option<Arc<str>> {
        let least = |(_, entry, _): &&(RequestId, &Entry, usize)| self.shares.served(entry.class, &entry.flow);
        let mut best: Option<([f64; 3], &Entry)> = None;
        for one in fitting {
            let served = least(&one);
            if best.as_ref().is_none_or(|(than, _)| less(&served, than)) {
                best = Some((served, one.1));
            }
        }
        best.map(|(_, entry)| Arc::clone(&entry.model))
    }

    /// Whether another worker has the model loaded and will come to it sooner than loading takes.
    fn served_elsewhere(&self, worker_id: WorkerId, demand: &Demand, now: Instant) -> bool {
        let load = self.speeds.load(&demand.model);
        let slots: u32 = self
            .workers
            .iter()
            .filter(|(id, other)| {
                **id != worker_id
                    && other.capacity.is_some()
                    && other.serves(&demand.model, None)
                    && other.has_loaded(&demand.model)
                    && other.lets(&demand.model, now)
            })
            .map(|(_, other)| other.slots())
            .sum();
        if slots == 0 {
            return false;
        }
        let room = self.workers.get(&worker_id).is_some_and(|worker| worker.victim().is_none());
        let bound = if room { ELSEWHERE_ROOM } else { ELSEWHERE };
        self.work_seconds(demand) / f64::from(slots) < bound * load
    }

    /// Seconds of work that wait for a model; none until something was measured.
    fn work_seconds(&self, demand: &Demand) -> f64 {
        let cost = super::speed::Cost { prompt: 0, output: 1 };
        demand.work * self.speeds.seconds(&demand.model, cost).unwrap_or_default()
    }

    /// Whether the waiters were kept as long as the loaded model's next requests are worth.
    fn worth_loading(&self, worker: &WorkerState, demand: &Demand, now: Instant) -> bool {
        let Some(victim) = worker.victim() else { return true };
        let elsewhere =
            self.workers.values().filter(|other| other.capacity.is_some() && other.has_loaded(victim)).count();
        if elsewhere > 1 {
            return true;
        }
        let (kept, wanted) = (self.speeds.rate(victim, now), self.speeds.rate(&demand.model, now));
        if kept <= 0.0 {
            return true;
        }
        let load = self.speeds.load(&demand.model);
        if self.work_seconds(demand) >= load * AMORTISED {
            return true;
        }
        if !self.settled(worker, &demand.model, now) {
            return false;
        }
        let patience = load * (kept / wanted.max(0.001)).min(PATIENCE);
        now.saturating_duration_since(demand.oldest) >= Duration::from_secs_f64(patience)
    }

    /// The least served user's request; of those who are as good as equal to that one, the request
    /// whose prompt the worker knows best.
    fn fairest(&self, worker: &WorkerState, fitting: &[(RequestId, &Entry, usize)]) -> Option<RequestId> {
        if let [(only, _, _)] = fitting {
            return Some(*only);
        }
        // By user, with a part of the oldest request's own cost: of two who are level the smaller request goes first.
        let mut users: HashMap<_, [f64; 3]> = HashMap::default();
        for (_, entry, _) in fitting {
            users.entry((entry.class, entry.flow.user)).or_insert_with(|| {
                let mut served = self.shares.served(entry.class, &entry.flow);
                served[0] += entry.cost.service() * OWN_COST;
                served
            });
        }
        let least = users.values().map(|served| served[0]).min_by(f64::total_cmp)?;
        let mut best: Option<(usize, [f64; 3], RequestId)> = None;
        for (id, entry, _) in fitting {
            let Some(served) = users.get(&(entry.class, entry.flow.user)).copied() else { continue };
            if served[0] > least + EQUAL {
                continue;
            }
            let known = worker.remembers(&entry.prefix);
            let better =
                best.as_ref().is_none_or(|(there, than, _)| known > *there || known == *there && less(&served, than));
            if better {
                best = Some((known, served, *id));
            }
        }
        best.map(|(_, _, id)| id)
    }
}

/// Tokens in blocks of a prompt's beginning.
pub(super) fn tokens(blocks: usize) -> u32 {
    u32::try_from(blocks).unwrap_or(u32::MAX).saturating_mul(BLOCK_TOKENS)
}

/// Whether the first was served less: the user, then the course, then the institution.
fn less(a: &[f64; 3], b: &[f64; 3]) -> bool {
    a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).is_some_and(std::cmp::Ordering::is_lt)
}
