//! Who waits, who works, who may have what: the rules of the gateway without a task or a socket.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use domain::wire::{Assignment, Class, Down, Model, Reply, Request, RequestId, Task, Up};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::chat::ChatDelta;
use crate::error::GatewayError;
use crate::gateway::{ClassCounters, ModelStatus, Options};

pub(crate) type WorkerId = u64;

/// Where a reply goes. Sending never waits: a reader that falls behind loses its request.
pub(crate) enum ReplyTo {
    Embed { count: usize, sender: oneshot::Sender<Result<Vec<Vec<f32>>, GatewayError>> },
    Chat { sender: mpsc::Sender<Result<ChatDelta, GatewayError>>, begun: bool },
}

struct Entry {
    class: Class,
    request: Request,
    deadline: Instant,
    reply: ReplyTo,
    worker: Option<WorkerId>,
    assigned_at: Option<Instant>,
    retried: bool,
}

struct WorkerState {
    name: String,
    models: Vec<Model>,
    sender: mpsc::Sender<Down>,
    credits: u32,
    running: u32,
    draining: bool,
}

impl WorkerState {
    fn serves(&self, model: &str) -> bool {
        !self.draining && self.models.iter().any(|known| known.id == model)
    }

    /// Credits that only interactive requests may use: a quarter, and at least one where there are two.
    fn reserved(&self) -> u32 {
        let granted = self.credits + self.running;
        if granted < 2 { 0 } else { granted.div_ceil(4) }
    }

    fn free_for(&self, class: Class) -> bool {
        self.credits > if class.interactive() { 0 } else { self.reserved() }
    }
}

/// Everything the gateway knows, behind one lock that is never held across an await.
pub(crate) struct State {
    options: Options,
    requests: HashMap<RequestId, Entry>,
    queues: [VecDeque<RequestId>; 5],
    workers: BTreeMap<WorkerId, WorkerState>,
    counters: [ClassCounters; 5],
    active_embedding: Option<String>,
    next_id: u64,
}

impl State {
    pub(crate) fn new(options: Options) -> Self {
        let active_embedding = options.embedding_model.clone();
        Self {
            options,
            requests: HashMap::new(),
            queues: Default::default(),
            workers: BTreeMap::new(),
            counters: Default::default(),
            active_embedding,
            next_id: 1,
        }
    }

    fn fresh_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    #[expect(clippy::indexing_slicing, reason = "the rank of a class is below the number of classes")]
    fn counter(&mut self, class: Class) -> &mut ClassCounters {
        &mut self.counters[class.rank()]
    }

    #[expect(clippy::indexing_slicing, reason = "the rank of a class is below the number of classes")]
    fn queue(&mut self, class: Class) -> &mut VecDeque<RequestId> {
        &mut self.queues[class.rank()]
    }

    pub(crate) fn submit(
        &mut self,
        class: Class,
        request: Request,
        deadline: Instant,
        reply: ReplyTo,
    ) -> Result<RequestId, GatewayError> {
        if !self.workers.values().any(|worker| worker.serves(request.model())) {
            self.counter(class).no_model += 1;
            return Err(GatewayError::NoModel { alias: request.model().to_owned() });
        }
        let depth = self.options.depth(class);
        if self.queue(class).len() >= depth {
            self.counter(class).overloaded += 1;
            return Err(GatewayError::Overloaded { retry_after: self.retry_after(class) });
        }
        let id = self.fresh_id();
        self.counter(class).accepted += 1;
        self.requests
            .insert(id, Entry { class, request, deadline, reply, worker: None, assigned_at: None, retried: false });
        self.queue(class).push_back(id);
        self.dispatch();
        Ok(id)
    }

    /// How long the queue of this class will take, from what its requests took so far.
    fn retry_after(&mut self, class: Class) -> Duration {
        let waiting = u32::try_from(self.queue(class).len()).unwrap_or(u32::MAX);
        let credits = self.workers.values().map(|worker| worker.credits + worker.running).sum::<u32>().max(1);
        let counters = self.counter(class);
        let ended = u32::try_from(counters.completed).unwrap_or(u32::MAX);
        let mean = counters.busy.checked_div(ended).unwrap_or(Duration::from_secs(1));
        (mean.saturating_mul(waiting.saturating_add(1)) / credits)
            .clamp(Duration::from_secs(1), Duration::from_secs(30))
    }

    /// Gives waiting requests to workers with credits, most urgent class first.
    fn dispatch(&mut self) {
        let now = Instant::now();
        for class in Class::ALL {
            let mut kept = VecDeque::new();
            let waiting = std::mem::take(self.queue(class));
            for id in waiting {
                if !self.assign(id, class, now) && self.requests.contains_key(&id) {
                    kept.push_back(id);
                }
            }
            *self.queue(class) = kept;
        }
    }

    fn assign(&mut self, id: RequestId, class: Class, now: Instant) -> bool {
        let Some(entry) = self.requests.get_mut(&id) else { return false };
        let Some((worker_id, worker)) = self
            .workers
            .iter_mut()
            .filter(|(_, worker)| worker.serves(entry.request.model()) && worker.free_for(class))
            .max_by_key(|(_, worker)| worker.credits)
        else {
            return false;
        };
        let left = entry.deadline.saturating_duration_since(now);
        let assignment = Assignment {
            id,
            class,
            deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
            request: entry.request.clone(),
        };
        if worker.sender.try_send(Down::Assign { assignment }).is_err() {
            // Full or closing: the link's own task finds out which.
            return false;
        }
        worker.credits -= 1;
        worker.running += 1;
        entry.worker = Some(*worker_id);
        entry.assigned_at = Some(now);
        true
    }

    pub(crate) fn register(&mut self, name: String, models: Vec<Model>, sender: mpsc::Sender<Down>) -> WorkerId {
        let id = self.fresh_id();
        if self.active_embedding.is_none() {
            self.active_embedding = models.iter().find(|model| model.task == Task::Embed).map(|model| model.id.clone());
        }
        tracing::info!(worker.id = id, worker.name = %name, models = models.len(), "worker registered");
        self.workers.insert(id, WorkerState { name, models, sender, credits: 0, running: 0, draining: false });
        id
    }

    pub(crate) fn hear(&mut self, worker_id: WorkerId, message: Up) {
        match message {
            Up::Credit { count } => {
                if let Some(worker) = self.workers.get_mut(&worker_id) {
                    worker.credits = worker.credits.saturating_add(count).min(self.options.max_credits);
                }
                self.dispatch();
            }
            Up::Token { id, text } if self.owned_by(id, worker_id) => self.token(id, text),
            Up::Done { id, reply } if self.owned_by(id, worker_id) => {
                self.end(id, Ok(reply));
            }
            Up::Fail { id, failure } if self.owned_by(id, worker_id) => {
                self.end(id, Err(GatewayError::from_failure(failure)));
            }
            Up::Draining => self.drain_worker(worker_id),
            // Late words about a request that was taken back, and messages of a newer worker.
            Up::Token { .. }
            | Up::Head { .. }
            | Up::Bytes { .. }
            | Up::Resident { .. }
            | Up::Done { .. }
            | Up::Fail { .. }
            | Up::Heartbeat
            | Up::Register { .. }
            | Up::Unknown => {}
        }
    }

    fn owned_by(&self, id: RequestId, worker_id: WorkerId) -> bool {
        self.requests.get(&id).is_some_and(|entry| entry.worker == Some(worker_id))
    }

    fn token(&mut self, id: RequestId, text: String) {
        let Some(entry) = self.requests.get_mut(&id) else { return };
        let ReplyTo::Chat { sender, begun } = &mut entry.reply else { return };
        *begun = true;
        if sender.try_send(Ok(ChatDelta { text, finish: None })).is_err() {
            self.abandon(id, false);
        }
    }

    fn end(&mut self, id: RequestId, outcome: Result<Reply, GatewayError>) {
        let Some(entry) = self.requests.remove(&id) else { return };
        self.release_running(entry.worker);
        let busy = entry.assigned_at.map(|at| at.elapsed()).unwrap_or_default();
        let failed = match (entry.reply, outcome) {
            (ReplyTo::Embed { count, sender }, Ok(Reply::Embed { vectors })) => {
                let checked = check_vectors(vectors.0, count);
                let failed = checked.is_err();
                ignore_gone(sender.send(checked));
                failed
            }
            (ReplyTo::Chat { sender, .. }, Ok(Reply::Chat { finish, .. })) => {
                ignore_gone(sender.try_send(Ok(ChatDelta { text: String::new(), finish: Some(finish) })));
                false
            }
            (reply, outcome) => {
                let error = outcome
                    .err()
                    .unwrap_or_else(|| GatewayError::Backend("the reply does not belong to the request".to_owned()));
                fail(reply, error);
                true
            }
        };
        let counters = self.counter(entry.class);
        if failed {
            counters.failed += 1;
        } else {
            counters.completed += 1;
            counters.busy += busy;
        }
    }

    fn release_running(&mut self, worker: Option<WorkerId>) {
        if let Some(worker) = worker.and_then(|id| self.workers.get_mut(&id)) {
            worker.running = worker.running.saturating_sub(1);
        }
    }

    /// Nobody waits for this request any longer: it leaves the queue, or its worker is told.
    pub(crate) fn abandon(&mut self, id: RequestId, expired: bool) {
        let Some(entry) = self.requests.remove(&id) else { return };
        let counters = self.counter(entry.class);
        if expired {
            counters.deadline += 1;
        } else {
            counters.cancelled += 1;
        }
        self.queue(entry.class).retain(|queued| *queued != id);
        self.release_running(entry.worker);
        if let Some(worker) = entry.worker.and_then(|worker| self.workers.get(&worker)) {
            // A full link means a worker that does not read; its own deadline ends the request there.
            ignore_gone(worker.sender.try_send(Down::Cancel { id }));
        }
    }

    /// A stream has closed: what it held is retried once or fails, what nobody else serves fails.
    pub(crate) fn lose(&mut self, worker_id: WorkerId) {
        let Some(worker) = self.workers.remove(&worker_id) else { return };
        tracing::info!(worker.id = worker_id, worker.name = %worker.name, "worker gone");
        let mut held: Vec<RequestId> =
            self.requests.iter().filter(|(_, entry)| entry.worker == Some(worker_id)).map(|(id, _)| *id).collect();
        // Oldest first, so that the retried ones keep their order at the head of the queue.
        held.sort_unstable_by(|a, b| b.cmp(a));
        for id in held {
            let Some(entry) = self.requests.get_mut(&id) else { continue };
            let class = entry.class;
            let begun = matches!(entry.reply, ReplyTo::Chat { begun: true, .. });
            let elsewhere = self.workers.values().any(|other| other.serves(entry.request.model()));
            if begun || entry.retried || !elsewhere {
                self.counter(class).lost += 1;
                if let Some(entry) = self.requests.remove(&id) {
                    fail(entry.reply, GatewayError::WorkerLost);
                }
            } else {
                entry.retried = true;
                entry.worker = None;
                self.counter(class).retried += 1;
                self.queue(class).push_front(id);
            }
        }
        self.fail_unserved();
        self.dispatch();
    }

    /// Fails what waits for a model that no worker serves any longer.
    fn fail_unserved(&mut self) {
        for class in Class::ALL {
            for id in self.queue(class).clone() {
                let Some(model) = self.requests.get(&id).map(|entry| entry.request.model().to_owned()) else {
                    continue;
                };
                if !self.workers.values().any(|worker| worker.serves(&model)) {
                    self.queue(class).retain(|queued| *queued != id);
                    self.counter(class).no_model += 1;
                    if let Some(entry) = self.requests.remove(&id) {
                        fail(entry.reply, GatewayError::NoModel { alias: model });
                    }
                }
            }
        }
    }

    fn drain_worker(&mut self, worker_id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&worker_id) {
            worker.draining = true;
        }
        self.fail_unserved();
    }

    /// Asks every worker to finish what it has and leave.
    pub(crate) fn drain(&mut self) {
        for worker in self.workers.values() {
            ignore_gone(worker.sender.try_send(Down::Drain));
        }
    }

    pub(crate) fn models(&self) -> Vec<ModelStatus> {
        let mut found: Vec<ModelStatus> = Vec::new();
        for worker in self.workers.values().filter(|worker| !worker.draining) {
            for model in &worker.models {
                match found.iter_mut().find(|status| status.model.id == model.id) {
                    Some(status) => {
                        status.workers += 1;
                        status.credits += worker.credits;
                    }
                    None => found.push(ModelStatus { model: model.clone(), workers: 1, credits: worker.credits }),
                }
            }
        }
        found
    }

    pub(crate) fn embedding_model(&self) -> Option<&str> {
        self.active_embedding.as_deref().filter(|id| self.workers.values().any(|worker| worker.serves(id)))
    }

    pub(crate) fn counters(&mut self) -> Vec<(Class, ClassCounters)> {
        Class::ALL
            .into_iter()
            .map(|class| {
                let queued = self.queue(class).len();
                let running =
                    self.requests.values().filter(|entry| entry.class == class && entry.worker.is_some()).count();
                (class, ClassCounters { queued, running, ..self.counter(class).clone() })
            })
            .collect()
    }
}

/// A worker is believed no further than its reply can be checked: as many vectors as texts, all
/// equally long, every number finite.
fn check_vectors(vectors: Vec<Vec<f32>>, count: usize) -> Result<Vec<Vec<f32>>, GatewayError> {
    let length = vectors.first().map_or(0, Vec::len);
    let sound = vectors.len() == count
        && length > 0
        && vectors.iter().all(|vector| vector.len() == length && vector.iter().all(|x| x.is_finite()));
    if sound { Ok(vectors) } else { Err(GatewayError::Backend("the worker sent malformed vectors".to_owned())) }
}

fn fail(reply: ReplyTo, error: GatewayError) {
    match reply {
        ReplyTo::Embed { sender, .. } => ignore_gone(sender.send(Err(error))),
        ReplyTo::Chat { sender, .. } => ignore_gone(sender.try_send(Err(error))),
    }
}

/// The receiver may be gone: nobody is left to be told.
fn ignore_gone<E>(result: Result<(), E>) {
    drop(result);
}
