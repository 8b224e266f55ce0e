//! Who waits, who works, who may have what: the rules of the gateway without a task or a socket.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::wire::{Assignment, Class, Dialect, Down, Model, Request, RequestId, Task, Up, Usage};
use foldhash::HashMap;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::caller::{Caller, Flow, Held, Used};
use crate::chat::ChatDelta;
use crate::error::GatewayError;
use crate::forward::{Grant, renamed};
use crate::options::Options;
use crate::status::ClassCounters;
use reply::ReplyTo;
use share::Shares;
use speed::{Cost, Speeds};
use worker::WorkerState;

mod look;
mod over;
mod pick;
pub(crate) mod reply;
mod share;
pub(crate) mod speed;
mod worker;

pub(crate) type WorkerId = u64;

/// Workers that one request may be given to.
const TRIES: usize = 2;
/// Tokens that a reply is expected to have while nothing was measured and nothing is said.
const USUAL_OUTPUT: u32 = 256;
/// A request is given up in the queue when less than this share of its expected time is left.
const HOPELESS: f64 = 0.8;

/// One request, waiting or with a worker.
pub(crate) struct Entry {
    pub(crate) caller: Arc<Caller>,
    pub(crate) flow: Flow,
    pub(crate) class: Class,
    pub(crate) request: Request,
    pub(crate) model: Arc<str>,
    /// Models to try when this one fails before anything was said.
    pub(crate) fallbacks: Vec<Arc<str>>,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) model_at: Option<std::ops::Range<usize>>,
    pub(crate) cost: Cost,
    pub(crate) prefix: Vec<u64>,
    pub(crate) arrived: Instant,
    pub(crate) deadline: Instant,
    pub(crate) reply: ReplyTo,
    pub(crate) held: Option<Box<dyn Held>>,
    pub(crate) tried: Vec<WorkerId>,
    pub(crate) worker: Option<WorkerId>,
    pub(crate) assigned_at: Option<Instant>,
    pub(crate) loaded: bool,
    /// Tokens of the prompt that its worker had read before.
    pub(crate) known: u32,
    /// Tokens as the backend counted them.
    pub(crate) usage: Option<Usage>,
}

/// What a caller hands in.
pub(crate) struct Submission {
    pub(crate) caller: Arc<Caller>,
    pub(crate) class: Class,
    pub(crate) request: Request,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) model_at: Option<std::ops::Range<usize>>,
    pub(crate) prompt_tokens: u32,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) prefix: Vec<u64>,
    pub(crate) deadline: Instant,
    pub(crate) reply: ReplyTo,
    pub(crate) held: Option<Box<dyn Held>>,
}

/// A request that is over, for the books; they are kept outside the lock.
pub(crate) struct Over {
    pub(crate) held: Option<Box<dyn Held>>,
    pub(crate) used: Option<Used>,
    pub(crate) tokens: u64,
}

/// Everything the gateway knows, behind one lock that is never held across an await.
pub(crate) struct State {
    options: Options,
    waiting: BTreeMap<RequestId, Entry>,
    running: HashMap<RequestId, Entry>,
    workers: BTreeMap<WorkerId, WorkerState>,
    shares: Shares,
    speeds: Speeds,
    counters: [ClassCounters; 5],
    active_embedding: Option<String>,
    next_id: u64,
    looked: Option<Instant>,
    /// Requests that are over since the lock was taken.
    pub(crate) over: Vec<Over>,
}

impl State {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            active_embedding: options.embedding_model.clone(),
            speeds: Speeds::new(options.load_time),
            options,
            waiting: BTreeMap::new(),
            running: HashMap::default(),
            workers: BTreeMap::new(),
            shares: Shares::default(),
            counters: Default::default(),
            next_id: 1,
            looked: None,
            over: Vec::new(),
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

    fn served(&self, model: &str, dialect: Option<Dialect>) -> bool {
        self.workers.values().any(|worker| worker.serves(model, dialect))
    }

    /// The models that a name stands for and that somebody serves, in the order of preference.
    pub(crate) fn resolve(&self, name: &str, dialect: Option<Dialect>) -> Vec<Arc<str>> {
        let mut found: Vec<Arc<str>> = Vec::new();
        let mut add = |wanted: &str| {
            let known = self.spelling(wanted, dialect);
            found.extend(known.filter(|model| !found.contains(model)));
        };
        match self.options.aliases.get(name) {
            Some(chain) => chain.iter().for_each(|wanted| add(wanted)),
            None => add(name),
        }
        found
    }

    /// A name as some worker spells it. Ollama's names mean the newest where they say nothing.
    fn spelling(&self, wanted: &str, dialect: Option<Dialect>) -> Option<Arc<str>> {
        let served = |spelling: &str| self.served(spelling, dialect).then(|| Arc::from(spelling));
        served(wanted)
            .or_else(|| served(&format!("{wanted}:latest")))
            .or_else(|| wanted.strip_suffix(":latest").and_then(served))
    }

    pub(crate) fn submit(&mut self, asked: Submission) -> Result<RequestId, GatewayError> {
        let class = asked.class;
        let mut models = self.resolve(asked.request.model(), asked.dialect).into_iter();
        let Some(model) = models.next() else {
            self.counter(class).no_model += 1;
            self.over.push(Over { held: asked.held, used: None, tokens: 0 });
            return Err(GatewayError::NoModel { alias: asked.request.model().to_owned() });
        };
        let now = Instant::now();
        let flow = asked.caller.flow();
        let expected = self.speeds.output(&model, class).unwrap_or(USUAL_OUTPUT);
        let output = match &asked.request {
            Request::Embed(_) => 0,
            _ => asked.max_tokens.map_or(expected, |most| most.min(expected.saturating_mul(4))),
        };
        let cost = Cost { prompt: asked.prompt_tokens, output };
        if let Err(retry_after) = self.admits(class, &flow, &model, cost, asked.deadline, now) {
            self.counter(class).overloaded += 1;
            self.over.push(Over { held: asked.held, used: None, tokens: 0 });
            return Err(GatewayError::Overloaded { retry_after });
        }
        self.speeds.arrived(&model, now);
        self.shares.enter(class, &flow);
        let id = self.fresh_id();
        self.counter(class).accepted += 1;
        self.waiting.insert(
            id,
            Entry {
                caller: asked.caller,
                flow,
                class,
                request: asked.request,
                model,
                fallbacks: models.collect(),
                dialect: asked.dialect,
                model_at: asked.model_at,
                cost,
                prefix: asked.prefix,
                arrived: now,
                deadline: asked.deadline,
                reply: asked.reply,
                held: asked.held,
                tried: Vec::new(),
                worker: None,
                assigned_at: None,
                loaded: false,
                known: 0,
                usage: None,
            },
        );
        self.dispatch(now);
        Ok(id)
    }

    /// Looks again whether something can be given out, at most every few milliseconds.
    pub(crate) fn look(&mut self) {
        let now = Instant::now();
        if self.looked.is_none_or(|at| now.duration_since(at) >= crate::forward::LOOK / 2) {
            self.dispatch(now);
        }
    }

    /// Gives waiting requests to workers with credits until nobody can take any.
    fn dispatch(&mut self, now: Instant) {
        self.looked = Some(now);
        loop {
            if self.waiting.is_empty() {
                return;
            }
            // The freest worker chooses first; of equally free ones the one that knows the prompt.
            let mut free: Vec<(WorkerId, u32)> =
                self.workers.iter().filter(|(_, one)| one.credits > 0).map(|(id, one)| (*id, one.credits)).collect();
            free.sort_unstable_by_key(|(id, credits)| (std::cmp::Reverse(*credits), *id));
            let single = (self.waiting.len() == 1 && free.len() > 1).then(|| self.best_for_the_one(&free)).flatten();
            let picked = single.or_else(|| {
                free.iter().find_map(|(worker, _)| self.pick(*worker, now).map(|request| (*worker, request)))
            });
            let Some((worker, request)) = picked else { return };
            if !self.assign(request, worker, now) {
                return;
            }
        }
    }

    /// For a single waiter the worker that has its model loaded and remembers most of its prompt.
    fn best_for_the_one(&self, free: &[(WorkerId, u32)]) -> Option<(WorkerId, RequestId)> {
        let (id, entry) = self.waiting.first_key_value()?;
        let now = Instant::now();
        free.iter()
            .filter(|(worker, _)| self.pick(*worker, now) == Some(*id))
            .filter_map(|(worker, credits)| {
                let state = self.workers.get(worker)?;
                let key = (state.has_loaded(&entry.model), state.remembers(&entry.prefix), *credits);
                Some((key, *worker))
            })
            .max_by_key(|(key, worker)| (*key, std::cmp::Reverse(*worker)))
            .map(|(_, worker)| (worker, *id))
    }

    /// Gives one request to one worker; false when the worker's stream takes nothing now.
    fn assign(&mut self, id: RequestId, worker_id: WorkerId, now: Instant) -> bool {
        let Some(mut entry) = self.waiting.remove(&id) else { return true };
        let left = entry.deadline.saturating_duration_since(now);
        let expected = self.speeds.seconds(&entry.model, entry.cost);
        if expected.is_some_and(|seconds| left.as_secs_f64() < seconds * HOPELESS) {
            // Nobody would wait for the end of it: the worker serves somebody else meanwhile.
            self.close(entry, Err(GatewayError::Deadline));
            return true;
        }
        let Some(worker) = self.workers.get_mut(&worker_id) else {
            self.waiting.insert(id, entry);
            return false;
        };
        let given = match (&mut entry.reply, &worker.direct) {
            (ReplyTo::Forward { grants, .. }, Some(server)) => {
                let grant = Grant::Direct { model: entry.model.clone(), server: Arc::clone(server) };
                grants.try_send(grant).is_ok()
            }
            _ => {
                let assignment = Assignment {
                    id,
                    class: entry.class,
                    deadline_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
                    request: request_for(&entry),
                };
                worker.sender.try_send(Down::Assign { assignment }).is_ok()
            }
        };
        if !given {
            // Full or closing: the link's own task finds out which.
            self.waiting.insert(id, entry);
            return false;
        }
        worker.credits -= 1;
        worker.tries(&entry.model);
        entry.loaded = worker.begins(&entry.model);
        entry.known = pick::tokens(worker.remembers(&entry.prefix)).min(entry.cost.prompt);
        worker.reads(&entry.prefix);
        entry.worker = Some(worker_id);
        entry.tried.push(worker_id);
        entry.assigned_at = Some(now);
        // What the worker has read before is not read again, and takes nothing from anybody.
        let service = entry.cost.service() - f64::from(entry.known);
        self.shares.charge(entry.class, &entry.flow, service / entry.share());
        self.shares.given(entry.class, &entry.flow, now);
        self.shares.leave(entry.class, &entry.flow);
        self.running.insert(id, entry);
        true
    }

    pub(crate) fn register(&mut self, name: String, models: Vec<Model>, sender: mpsc::Sender<Down>) -> WorkerId {
        let id = self.fresh_id();
        self.choose_embedding(&models);
        tracing::info!(worker.id = id, worker.name = %name, models = models.len(), "worker registered");
        self.workers.insert(id, WorkerState::new(name, models, sender));
        id
    }

    fn choose_embedding(&mut self, models: &[Model]) {
        if self.active_embedding.is_none() {
            self.active_embedding = models.iter().find(|model| model.task == Task::Embed).map(|model| model.id.clone());
        }
    }

    /// Lets forwarded requests of a worker in this process run in the task of whoever asks.
    pub(crate) fn direct(
        &mut self,
        worker: WorkerId,
        server: Arc<dyn crate::forward::Direct>,
        capacity: Option<usize>,
    ) {
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.direct = Some(server);
            worker.capacity = capacity;
        }
    }

    pub(crate) fn hear(&mut self, worker_id: WorkerId, message: Up) {
        if let Some(worker) = self.workers.get_mut(&worker_id) {
            worker.heard = Instant::now();
        }
        match message {
            Up::Credit { count } => {
                let most = self.options.max_credits;
                if let Some(worker) = self.workers.get_mut(&worker_id) {
                    worker.credits = worker.credits.saturating_add(count).min(most);
                }
                self.dispatch(Instant::now());
            }
            Up::Register { models, .. } => {
                self.choose_embedding(&models);
                if let Some(worker) = self.workers.get_mut(&worker_id) {
                    worker.models = models;
                }
                self.fail_unserved();
                self.dispatch(Instant::now());
            }
            Up::Capacity { resident } => {
                if let Some(worker) = self.workers.get_mut(&worker_id) {
                    worker.capacity = usize::try_from(resident).ok().filter(|count| *count > 0);
                }
            }
            Up::Resident { models } => {
                if let Some(worker) = self.workers.get_mut(&worker_id) {
                    worker.says_resident(models);
                }
            }
            Up::Token { id, text } if self.owned_by(id, worker_id) => self.token(id, text),
            Up::Head { id, status, content_type } if self.owned_by(id, worker_id) => {
                self.head(id, status, content_type)
            }
            Up::Bytes { id, data } if self.owned_by(id, worker_id) => self.bytes(id, data.0),
            Up::Done { id, reply } if self.owned_by(id, worker_id) => self.end(id, Ok(reply)),
            Up::Fail { id, failure } if self.owned_by(id, worker_id) => {
                self.end(id, Err(GatewayError::from_failure(failure)));
            }
            Up::Draining => self.drain_worker(worker_id),
            // Late words about a request that was taken back, and messages of a newer worker.
            Up::Token { .. }
            | Up::Head { .. }
            | Up::Bytes { .. }
            | Up::Done { .. }
            | Up::Fail { .. }
            | Up::Heartbeat
            | Up::Unknown => {}
        }
    }

    fn owned_by(&self, id: RequestId, worker_id: WorkerId) -> bool {
        self.running.get(&id).is_some_and(|entry| entry.worker == Some(worker_id))
    }

    fn token(&mut self, id: RequestId, text: String) {
        let Some(entry) = self.running.get_mut(&id) else { return };
        let ReplyTo::Chat { sender, begun } = &mut entry.reply else { return };
        *begun = true;
        if sender.try_send(Ok(ChatDelta { text, finish: None })).is_err() {
            self.abandon(id, false);
        }
    }

    fn head(&mut self, id: RequestId, status: u16, content_type: String) {
        let Some(entry) = self.running.get_mut(&id) else { return };
        if !entry.reply.begin(status, content_type) {
            self.abandon(id, false);
        }
    }

    fn bytes(&mut self, id: RequestId, data: bytes::Bytes) {
        let Some(entry) = self.running.get_mut(&id) else { return };
        if !entry.reply.piece(data) {
            self.abandon(id, false);
        }
    }
}

fn request_for(entry: &Entry) -> Request {
    let mut request = entry.request.clone();
    if request.model() != &*entry.model {
        let model = entry.model.to_string();
        match &mut request {
            Request::Embed(embed) => embed.model = model,
            Request::Chat(chat) => chat.model = model,
            Request::Transcribe(speech) => speech.model = model,
            Request::Forward(forward) => {
                forward.body = renamed(&forward.body, entry.model_at.as_ref(), &model);
                forward.model = model;
            }
            Request::Unknown => {}
        }
    }
    request
}
