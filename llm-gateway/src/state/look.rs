//! What is there now, and how long a new request would wait.

use std::sync::Arc;
use std::time::Duration;

use domain::wire::{Class, Model, RequestId, Task};
use foldhash::HashMap;
use tokio::time::Instant;

use super::speed::Cost;
use super::worker::WorkerState;
use super::{State, WorkerId};
use crate::caller::Flow;
use crate::status::{ClassCounters, ModelStatus, QueueStatus, WorkerStatus};

/// The alias that the school's own work prefers.
const CHAT: &str = "chat";
const SOON: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(300);

impl State {
    /// Whether a request may wait; else when trying again makes sense.
    pub(super) fn admits(
        &self,
        class: Class,
        flow: &Flow,
        model: &Arc<str>,
        cost: Cost,
        deadline: Instant,
        now: Instant,
    ) -> Result<(), Duration> {
        let (mut of_class, mut of_user, mut of_institution) = (0, 0, 0);
        for entry in self.waiting.values() {
            of_class += usize::from(entry.class == class);
            of_user += usize::from(entry.flow.user == flow.user);
            of_institution += usize::from(entry.flow.user.0 == flow.user.0);
        }
        if of_class >= self.options.depth(class)
            || of_user >= self.options.queue_per_user
            || of_institution >= self.options.queue_per_institution
        {
            let wait = self.wait(class, flow, model, cost, now).unwrap_or_else(|| self.drain_time(class));
            return Err(Duration::from_secs_f64(wait.max(0.0)).clamp(SOON, LATE));
        }
        let Some(own) = self.speeds.seconds(model, cost) else { return Ok(()) };
        let Some(wait) = self.wait(class, flow, model, cost, now) else { return Ok(()) };
        let left = deadline.saturating_duration_since(now).as_secs_f64();
        if wait + own > left {
            return Err(Duration::from_secs_f64((wait + own - left).max(0.0)).clamp(SOON, LATE));
        }
        Ok(())
    }

    /// Seconds until a request of this flow would begin, by what was learned; none where nothing was.
    fn wait(&self, class: Class, flow: &Flow, model: &Arc<str>, cost: Cost, now: Instant) -> Option<f64> {
        let serves_now = |worker: &WorkerState| worker.serves(model, None) && worker.free_for(class);
        if self.waiting.is_empty() && self.workers.values().any(serves_now) {
            return Some(0.0);
        }
        let serving: Vec<WorkerId> =
            self.workers.iter().filter(|(_, worker)| worker.serves(model, None)).map(|(id, _)| *id).collect();
        let slots: u32 = serving.iter().filter_map(|id| self.workers.get(id)).map(|worker| worker.slots()).sum();
        let mut ahead = 0.0;
        for entry in self.running.values().filter(|entry| entry.worker.is_some_and(|id| serving.contains(&id))) {
            let seconds = self.speeds.seconds(&entry.model, entry.cost)?;
            let spent = entry.assigned_at.map(|at| now.duration_since(at).as_secs_f64()).unwrap_or_default();
            ahead += (seconds - spent).max(0.0);
        }
        // Of another user only so much is ahead as brings that user level with this one.
        let mine = self.shares.served(class, flow)[0];
        let own_waiting: f64 = self
            .waiting
            .values()
            .filter(|entry| entry.class == class && entry.flow.user == flow.user)
            .map(|entry| entry.cost.service())
            .sum();
        let level = mine + own_waiting + cost.service();
        let mut others: HashMap<_, f64> = HashMap::default();
        for entry in self.waiting.values().filter(|entry| {
            serving
                .iter()
                .any(|id| self.workers.get(id).is_some_and(|worker| worker.serves(&entry.model, entry.dialect)))
        }) {
            let seconds = self.speeds.seconds(&entry.model, entry.cost)?;
            if entry.class.rank() > class.rank() {
                continue;
            }
            if entry.class.rank() < class.rank() || entry.flow.user == flow.user {
                ahead += seconds;
                continue;
            }
            let taken = others.entry(entry.flow.user).or_insert_with(|| self.shares.served(class, &entry.flow)[0]);
            if *taken < level {
                *taken += entry.cost.service();
                ahead += seconds;
            }
        }
        Some(ahead / f64::from(slots.max(1)))
    }

    /// Seconds that the queue of this class will take, from what its requests took so far.
    fn drain_time(&self, class: Class) -> f64 {
        let waiting = self.waiting.values().filter(|entry| entry.class == class).count();
        let slots: u32 = self.workers.values().map(|worker| worker.slots()).sum();
        let counters = self.counters.get(class.rank());
        let mean = counters
            .and_then(|counters| counters.busy.checked_div(u32::try_from(counters.completed).unwrap_or(u32::MAX)))
            .unwrap_or(SOON);
        #[expect(clippy::cast_precision_loss, reason = "a queue is short")]
        let waiting = waiting as f64;
        mean.as_secs_f64() * (waiting + 1.0) / f64::from(slots.max(1))
    }

    /// Requests of its class that came before; none once a worker has it.
    pub(crate) fn position(&self, id: RequestId) -> Option<usize> {
        let class = self.waiting.get(&id)?.class;
        Some(self.waiting.range(..id).filter(|(_, entry)| entry.class <= class).count())
    }

    pub(crate) fn models(&self) -> Vec<ModelStatus> {
        let mut found: Vec<ModelStatus> = Vec::new();
        for worker in self.workers.values().filter(|worker| !worker.draining) {
            for model in &worker.models {
                let loaded = usize::from(worker.has_loaded(&model.id));
                match found.iter_mut().find(|status| status.model.id == model.id) {
                    Some(status) => {
                        status.workers += 1;
                        status.credits += worker.credits;
                        status.loaded += loaded;
                    }
                    None => {
                        let model = model.clone();
                        found.push(ModelStatus { model, workers: 1, credits: worker.credits, loaded });
                    }
                }
            }
        }
        found
    }

    pub(crate) fn known(&self, name: &str) -> Option<Model> {
        let id = self.resolve(name, None).into_iter().next()?;
        self.workers.values().flat_map(|worker| &worker.models).find(|model| *model.id == *id).cloned()
    }

    pub(crate) fn workers(&self) -> Vec<WorkerStatus> {
        let now = Instant::now();
        let status = |(id, worker): (&WorkerId, &WorkerState)| {
            let broken = worker.broken(now);
            let health = match (worker.draining, broken.is_empty()) {
                (true, _) => "draining".to_owned(),
                (false, true) => "ok".to_owned(),
                (false, false) => format!("broken: {}", broken.join(", ")),
            };
            WorkerStatus {
                id: *id,
                name: worker.name.clone(),
                models: worker.models.iter().map(|model| model.id.clone()).collect(),
                loaded: worker.resident(),
                slots: worker.slots(),
                running: worker.running,
                completed: worker.completed,
                failed: worker.failed,
                loads: worker.loads,
                tokens_per_second: worker.written.checked_mul(1_000).and_then(|written| {
                    written.checked_div(u64::try_from(worker.busy.as_millis()).unwrap_or(u64::MAX))
                }),
                health,
                seconds: now.duration_since(worker.since).as_secs(),
                silent_ms: millis(now.duration_since(worker.heard)),
            }
        };
        self.workers.iter().map(status).collect()
    }

    pub(crate) fn queue(&self) -> Vec<QueueStatus> {
        let now = Instant::now();
        self.waiting
            .iter()
            .map(|(id, entry)| QueueStatus {
                id: *id,
                class: entry.class,
                model: entry.model.to_string(),
                institution: entry.caller.institution,
                course: entry.caller.course,
                user: entry.caller.user,
                feature: entry.caller.feature,
                waited_ms: millis(now.duration_since(entry.arrived)),
                left_ms: millis(entry.deadline.saturating_duration_since(now)),
                tokens: u64::from(entry.cost.prompt) + u64::from(entry.cost.output),
            })
            .collect()
    }

    pub(crate) fn embedding_model(&self) -> Option<&str> {
        self.active_embedding.as_deref().filter(|id| self.served(id, None))
    }

    /// What is served of the alias `chat`, the preferred one first; with nothing of it, any one model.
    pub(crate) fn chat_models(&self) -> Vec<String> {
        let aliased = if self.options.aliases.contains_key(CHAT) { self.resolve(CHAT, None) } else { Vec::new() };
        let preferred: Vec<String> =
            aliased.iter().filter(|model| self.generates(model)).map(ToString::to_string).collect();
        if preferred.is_empty() {
            self.generating().next().map(|model| model.id.clone()).into_iter().collect()
        } else {
            preferred
        }
    }

    fn generates(&self, model: &str) -> bool {
        self.generating().any(|one| one.id == model)
    }

    fn generating(&self) -> impl Iterator<Item = &Model> {
        let workers = self.workers.values().filter(|worker| !worker.draining);
        workers.flat_map(|worker| &worker.models).filter(|model| model.task == Task::Chat)
    }

    pub(crate) fn counters(&self) -> Vec<(Class, ClassCounters)> {
        Class::ALL
            .into_iter()
            .zip(self.counters.iter().cloned())
            .map(|(class, counters)| {
                let queued = self.waiting.values().filter(|entry| entry.class == class).count();
                let running = self.running.values().filter(|entry| entry.class == class).count();
                (class, ClassCounters { queued, running, ..counters })
            })
            .collect()
    }

    /// Asks workers to finish what they have and leave: one, or all.
    pub(crate) fn drain(&mut self, only: Option<WorkerId>) -> bool {
        let mut found = false;
        for (id, worker) in &mut self.workers {
            if only.is_none_or(|only| only == *id) {
                found = true;
                worker.draining |= only.is_some();
                drop(worker.sender.try_send(domain::wire::Down::Drain));
            }
        }
        found
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
