//! How requests end: well, badly, tried again elsewhere, given up; and what is written down of it.

use std::sync::Arc;
use std::time::Duration;

use domain::wire::{Class, Down, Reply, Request, RequestId, Task, Usage};
use tokio::time::Instant;

use super::reply::ReplyTo;
use super::speed::Cost;
use super::worker::WorkerState;
use super::{Entry, Over, State, TRIES, WorkerId};
use crate::caller::{Caller, Held, Used};
use crate::error::GatewayError;

impl State {
    /// The worker's last word about a request.
    pub(crate) fn end(&mut self, id: RequestId, outcome: Result<Reply, GatewayError>) {
        let Some(mut entry) = self.running.remove(&id) else { return };
        if let Ok(Reply::Chat { usage, .. } | Reply::Forward { usage }) = &outcome {
            entry.usage = entry.usage.or(*usage);
        }
        self.release(&mut entry, outcome.as_ref().err());
        match outcome {
            Err(error) if entry.may_be_tried_again(&error) => self.try_again(id, entry, error),
            outcome => self.close(entry, outcome),
        }
        self.dispatch(Instant::now());
    }

    /// A server answered a request in its caller's task with a failure; true when it is tried again.
    pub(crate) fn direct_failed(&mut self, id: RequestId, error: GatewayError) -> bool {
        self.end(id, Err(error));
        self.waiting.contains_key(&id) || self.running.contains_key(&id)
    }

    /// Queues a request anew that failed before anything was said.
    fn try_again(&mut self, id: RequestId, mut entry: Entry, error: GatewayError) {
        let fresh = |worker: (&WorkerId, &WorkerState), entry: &Entry| {
            !entry.tried.contains(worker.0) && worker.1.serves(&entry.model, entry.dialect)
        };
        let elsewhere = entry.tried.len() < TRIES && self.workers.iter().any(|worker| fresh(worker, &entry));
        if !elsewhere {
            if entry.fallbacks.is_empty() {
                return self.close(entry, Err(error));
            }
            entry.model = entry.fallbacks.remove(0);
            entry.tried.clear();
        }
        self.counter(entry.class).retried += 1;
        self.shares.enter(entry.class, &entry.flow);
        entry.worker = None;
        entry.assigned_at = None;
        self.waiting.insert(id, entry);
    }

    /// What its worker holds for a request is given back, and what it tells is learned.
    fn release(&mut self, entry: &mut Entry, error: Option<&GatewayError>) {
        let Some(worker_id) = entry.worker.take() else { return };
        let now = Instant::now();
        let busy = entry.assigned_at.map(|at| now.duration_since(at)).unwrap_or_default();
        if let Some(worker) = self.workers.get_mut(&worker_id) {
            worker.ended(&entry.model);
            worker.busy += busy;
            match error {
                None => {
                    worker.completed += 1;
                    worker.written += u64::from(entry.usage.map_or(entry.cost.output, |usage| usage.completion_tokens));
                    worker.went_well(&entry.model);
                }
                // Whoever had begun to answer was slow, not broken: the caller's time was short.
                Some(GatewayError::Deadline) if entry.reply.begun() => worker.says_nothing(&entry.model),
                Some(GatewayError::Backend(_) | GatewayError::Deadline | GatewayError::WorkerLost) => {
                    worker.failed += 1;
                    worker.went_wrong(&entry.model, now);
                }
                Some(_) => worker.says_nothing(&entry.model),
            }
        }
        let counted = entry.usage.map_or(entry.cost, |usage| Cost {
            prompt: if usage.prompt_tokens == 0 { entry.cost.prompt } else { usage.prompt_tokens },
            output: usage.completion_tokens,
        });
        let more = counted.service() - entry.cost.service();
        self.shares.charge(entry.class, &entry.flow, more / entry.share());
        if error.is_none() {
            self.speeds.measured(&entry.model, entry.class, counted, entry.known, busy, entry.loaded);
        }
        entry.cost = counted;
    }

    /// Takes a request that waited out of the count of those who do.
    fn uncount(&mut self, entry: &Entry) {
        if entry.assigned_at.is_none() {
            self.shares.leave(entry.class, &entry.flow);
        }
    }

    /// Tells the caller how it ended and closes the books of it.
    pub(super) fn close(&mut self, entry: Entry, outcome: Result<Reply, GatewayError>) {
        self.uncount(&entry);
        let now = Instant::now();
        let busy = entry.assigned_at.map(|at| now.duration_since(at)).unwrap_or_default();
        let waited = entry.assigned_at.unwrap_or(now).duration_since(entry.arrived);
        let error = outcome.as_ref().err().cloned();
        let ok = entry.reply.close(outcome);
        let counters = self.counter(entry.class);
        match error {
            _ if ok => {
                counters.completed += 1;
                counters.busy += busy;
                counters.waited += waited;
            }
            Some(GatewayError::Deadline) => counters.deadline += 1,
            Some(GatewayError::WorkerLost) => counters.lost += 1,
            Some(GatewayError::NoModel { .. }) => counters.no_model += 1,
            _ => counters.failed += 1,
        }
        self.settle(
            entry.held,
            entry.caller,
            entry.model,
            entry.class,
            task_of(&entry.request),
            ok,
            entry.cost,
            waited,
            busy,
        );
    }

    #[expect(clippy::too_many_arguments, reason = "what is left of an entry whose reply was moved out")]
    fn settle(
        &mut self,
        held: Option<Box<dyn Held>>,
        caller: Arc<Caller>,
        model: Arc<str>,
        class: Class,
        task: Task,
        ok: bool,
        cost: Cost,
        waited: Duration,
        busy: Duration,
    ) {
        let (prompt_tokens, completion_tokens) = (u64::from(cost.prompt), u64::from(cost.output));
        // What never reached a worker has cost nothing.
        let spent = !busy.is_zero() || ok;
        let tokens = if spent { prompt_tokens + completion_tokens } else { 0 };
        let used = Used {
            caller: (*caller).clone(),
            model: model.to_string(),
            class,
            task,
            ok,
            prompt_tokens: if spent { prompt_tokens } else { 0 },
            completion_tokens: if spent { completion_tokens } else { 0 },
            waited,
            busy,
            cache_hit: false,
        };
        self.over.push(Over { held, used: Some(used), tokens });
    }

    /// Tokens as the body told them.
    pub(crate) fn used(&mut self, id: RequestId, usage: Usage) {
        if let Some(entry) = self.running.get_mut(&id) {
            entry.usage = Some(usage);
        }
    }

    /// The first bytes are on their way: from now on nothing is tried again.
    pub(crate) fn began(&mut self, id: RequestId) {
        if let Some(entry) = self.running.get_mut(&id) {
            entry.reply.has_begun();
        }
    }

    /// Nobody waits for this request any longer: it leaves the queue, or its worker is told.
    pub(crate) fn abandon(&mut self, id: RequestId, expired: bool) {
        let Some(mut entry) = self.waiting.remove(&id).or_else(|| self.running.remove(&id)) else { return };
        let counters = self.counter(entry.class);
        if expired {
            counters.deadline += 1;
        } else {
            counters.cancelled += 1;
        }
        let now = Instant::now();
        let waited = entry.assigned_at.unwrap_or(now).duration_since(entry.arrived);
        let busy = entry.assigned_at.map(|at| now.duration_since(at)).unwrap_or_default();
        let worker_id = entry.worker;
        let why = if expired { GatewayError::Deadline } else { GatewayError::Invalid(String::new()) };
        self.release(&mut entry, Some(&why));
        if let Some(worker) = worker_id.and_then(|id| self.workers.get(&id))
            && !(worker.direct.is_some() && matches!(entry.reply, ReplyTo::Forward { .. }))
        {
            // A full link means a worker that does not read; its own deadline ends the request there.
            drop(worker.sender.try_send(Down::Cancel { id }));
        }
        self.uncount(&entry);
        self.settle(
            entry.held,
            entry.caller,
            entry.model,
            entry.class,
            task_of(&entry.request),
            false,
            entry.cost,
            waited,
            busy,
        );
        self.dispatch(now);
    }

    /// A stream has closed: what it held is tried elsewhere or fails, what nobody else serves fails.
    pub(crate) fn lose(&mut self, worker_id: WorkerId) {
        let Some(worker) = self.workers.remove(&worker_id) else { return };
        tracing::info!(worker.id = worker_id, worker.name = %worker.name, "worker gone");
        let held: Vec<RequestId> =
            self.running.iter().filter(|(_, entry)| entry.worker == Some(worker_id)).map(|(id, _)| *id).collect();
        for id in held {
            let Some(mut entry) = self.running.remove(&id) else { continue };
            self.release(&mut entry, Some(&GatewayError::WorkerLost));
            if entry.may_be_tried_again(&GatewayError::WorkerLost) {
                self.try_again(id, entry, GatewayError::WorkerLost);
            } else {
                self.close(entry, Err(GatewayError::WorkerLost));
            }
        }
        self.fail_unserved();
        self.dispatch(Instant::now());
    }

    /// Fails what waits for a model that no worker serves any longer.
    pub(super) fn fail_unserved(&mut self) {
        let gone: Vec<RequestId> = self
            .waiting
            .iter()
            .filter(|(_, entry)| !self.served(&entry.model, entry.dialect))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            let Some(mut entry) = self.waiting.remove(&id) else { continue };
            let next = entry.fallbacks.iter().position(|model| self.served(model, entry.dialect));
            match next {
                Some(at) => {
                    entry.model = entry.fallbacks.remove(at);
                    entry.fallbacks.drain(..at);
                    entry.tried.clear();
                    self.waiting.insert(id, entry);
                }
                None => {
                    let alias = entry.model.to_string();
                    self.close(entry, Err(GatewayError::NoModel { alias }));
                }
            }
        }
    }

    pub(super) fn drain_worker(&mut self, worker_id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&worker_id) {
            worker.draining = true;
        }
        self.fail_unserved();
    }
}

impl Entry {
    /// What a token is divided by: who has a greater share is charged less for it.
    pub(super) fn share(&self) -> f64 {
        self.held.as_ref().map_or(1.0, |held| held.share()).max(0.01)
    }

    /// Only where nothing was said, and the request is not at fault.
    fn may_be_tried_again(&self, error: &GatewayError) -> bool {
        let other = matches!(error, GatewayError::Backend(_) | GatewayError::WorkerLost | GatewayError::NoModel { .. });
        other && !self.reply.begun()
    }
}

fn task_of(request: &Request) -> Task {
    match request {
        Request::Embed(_) => Task::Embed,
        Request::Transcribe(_) => Task::Transcribe,
        Request::Forward(forward) if forward.path.contains("embed") => Task::Embed,
        Request::Chat(_) | Request::Forward(_) | Request::Unknown => Task::Chat,
    }
}
