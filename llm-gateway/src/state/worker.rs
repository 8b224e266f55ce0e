//! One worker as the gateway sees it: what it serves, has loaded, holds, and whether it is well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use domain::wire::{Class, Dialect, Down, Model};
use foldhash::HashMap;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::forward::Direct;

/// Failures in a row that open the circuit of a model on a worker.
const FAILURES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(120);
/// Loads that may follow each other at once.
const LOADS_AT_ONCE: usize = 2;
/// Prompts whose beginnings a worker is believed to remember.
const PREFIXES: usize = 4;

/// A circuit that opens after failures in a row and lets one request try after a pause.
#[derive(Debug, Default)]
struct Circuit {
    failures: u32,
    pause: Duration,
    open_until: Option<Instant>,
    /// A request is trying whether it works again.
    trying: bool,
}

pub(crate) struct WorkerState {
    pub(crate) name: String,
    pub(crate) models: Vec<Model>,
    pub(crate) sender: mpsc::Sender<Down>,
    /// Serves forwarded requests in the task of whoever asked.
    pub(crate) direct: Option<Arc<dyn Direct>>,
    pub(crate) credits: u32,
    pub(crate) running: u32,
    pub(crate) draining: bool,
    pub(crate) since: Instant,
    pub(crate) heard: Instant,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) busy: Duration,
    pub(crate) written: u64,
    pub(crate) loads: u64,
    /// When the last models were loaded.
    loaded_at: VecDeque<Instant>,
    /// Models that it keeps loaded at once; none when it has all of them always.
    pub(crate) capacity: Option<usize>,
    /// Loaded models, the one used last at the end, with the requests that run on each.
    resident: Vec<(Arc<str>, u32)>,
    prefixes: Vec<Vec<u64>>,
    circuits: HashMap<Arc<str>, Circuit>,
}

impl WorkerState {
    pub(crate) fn new(name: String, models: Vec<Model>, sender: mpsc::Sender<Down>) -> Self {
        let now = Instant::now();
        Self {
            name,
            models,
            sender,
            direct: None,
            credits: 0,
            running: 0,
            draining: false,
            since: now,
            heard: now,
            completed: 0,
            failed: 0,
            busy: Duration::ZERO,
            written: 0,
            loads: 0,
            loaded_at: VecDeque::new(),
            capacity: None,
            resident: Vec::new(),
            prefixes: Vec::new(),
            circuits: HashMap::default(),
        }
    }

    pub(crate) fn serves(&self, model: &str, dialect: Option<Dialect>) -> bool {
        // A stream that has closed takes nothing, even before its own task has noticed.
        !self.draining
            && !self.sender.is_closed()
            && self
                .models
                .iter()
                .any(|known| known.id == model && dialect.is_none_or(|dialect| known.dialects.contains(&dialect)))
    }

    /// Credits that only interactive requests may use: a quarter, and at least one where there are two.
    fn reserved(&self) -> u32 {
        let granted = self.credits + self.running;
        if granted < 2 { 0 } else { granted.div_ceil(4) }
    }

    pub(crate) fn free_for(&self, class: Class) -> bool {
        self.credits > if class.interactive() { 0 } else { self.reserved() }
    }

    pub(crate) fn slots(&self) -> u32 {
        (self.credits + self.running).max(1)
    }

    /// Whether the model answers without being loaded first.
    pub(crate) fn has_loaded(&self, model: &str) -> bool {
        self.capacity.is_none() || self.resident.iter().any(|(loaded, _)| &**loaded == model)
    }

    /// Whether the model is loaded, or can be without pushing out one that is in use.
    pub(crate) fn has_room(&self, model: &str) -> bool {
        match self.capacity {
            None => true,
            Some(capacity) => {
                self.has_loaded(model)
                    || self.resident.len() < capacity
                    || self.resident.iter().any(|(_, running)| *running == 0)
            }
        }
    }

    /// Whether another model may be loaded while somebody uses what is loaded: on the long run one
    /// in each `least`, but two at once where little is going on.
    pub(crate) fn settled(&self, least: Duration, now: Instant) -> bool {
        let oldest = self.loaded_at.front().filter(|_| self.loaded_at.len() >= LOADS_AT_ONCE);
        oldest.is_none_or(|at| now.saturating_duration_since(*at) >= least * 2)
    }

    /// Models that would have to go for another.
    pub(crate) fn victim(&self) -> Option<&Arc<str>> {
        let capacity = self.capacity?;
        if self.resident.len() < capacity {
            return None;
        }
        self.resident.iter().find(|(_, running)| *running == 0).map(|(model, _)| model)
    }

    /// A request of this model begins; true when the model has to be loaded for it.
    pub(crate) fn begins(&mut self, model: &Arc<str>) -> bool {
        self.running += 1;
        let Some(capacity) = self.capacity else { return false };
        if let Some(at) = self.resident.iter().position(|(loaded, _)| loaded == model) {
            let (loaded, running) = self.resident.remove(at);
            self.resident.push((loaded, running + 1));
            return false;
        }
        while self.resident.len() >= capacity.max(1) {
            let idle = self.resident.iter().position(|(_, running)| *running == 0).unwrap_or(0);
            self.resident.remove(idle);
            self.prefixes.clear();
        }
        self.resident.push((Arc::clone(model), 1));
        self.loads += 1;
        self.loaded_at.push_back(Instant::now());
        if self.loaded_at.len() > LOADS_AT_ONCE {
            self.loaded_at.pop_front();
        }
        true
    }

    pub(crate) fn ended(&mut self, model: &str) {
        self.running = self.running.saturating_sub(1);
        if let Some((_, running)) = self.resident.iter_mut().find(|(loaded, _)| &**loaded == model) {
            *running = running.saturating_sub(1);
        }
        if self.direct.is_some() {
            self.credits += 1;
        }
    }

    /// What the worker itself says it has loaded.
    pub(crate) fn says_resident(&mut self, models: Vec<String>) {
        if self.capacity.is_none() {
            return;
        }
        let running = std::mem::take(&mut self.resident);
        self.resident = models
            .into_iter()
            .map(|model| {
                let count = running.iter().find(|(loaded, _)| **loaded == *model).map_or(0, |(_, count)| *count);
                (Arc::from(model), count)
            })
            .collect();
        // What was just given out is being loaded, whatever the last look said.
        for (model, count) in running {
            if count > 0 && !self.resident.iter().any(|(loaded, _)| *loaded == model) {
                self.resident.push((model, count));
            }
        }
    }

    pub(crate) fn resident(&self) -> Vec<String> {
        match self.capacity {
            None => self.models.iter().map(|model| model.id.clone()).collect(),
            Some(_) => self.resident.iter().map(|(model, _)| model.to_string()).collect(),
        }
    }

    /// Blocks of a prompt's beginning that this worker has read before.
    pub(crate) fn remembers(&self, prefix: &[u64]) -> usize {
        let common = |known: &Vec<u64>| known.iter().zip(prefix).take_while(|(a, b)| a == b).count();
        self.prefixes.iter().map(common).max().unwrap_or(0)
    }

    pub(crate) fn reads(&mut self, prefix: &[u64]) {
        if prefix.is_empty() {
            return;
        }
        // A prompt that goes on where a known one ended takes its place.
        let known = self
            .prefixes
            .iter()
            .position(|known| prefix.starts_with(known))
            .or_else(|| (self.prefixes.len() >= PREFIXES).then_some(0));
        if let Some(at) = known {
            self.prefixes.remove(at);
        }
        self.prefixes.push(prefix.to_vec());
    }

    /// Whether the circuit of this model lets a request through.
    pub(crate) fn lets(&self, model: &str, now: Instant) -> bool {
        match self.circuits.get(model) {
            None => true,
            Some(circuit) => match circuit.open_until {
                None => true,
                Some(until) => now >= until && !circuit.trying,
            },
        }
    }

    pub(crate) fn tries(&mut self, model: &str) {
        if let Some(circuit) = self.circuits.get_mut(model)
            && circuit.open_until.is_some()
        {
            circuit.trying = true;
        }
    }

    pub(crate) fn went_well(&mut self, model: &str) {
        self.circuits.remove(model);
    }

    /// A request was taken back: that says nothing about the model.
    pub(crate) fn says_nothing(&mut self, model: &str) {
        if let Some(circuit) = self.circuits.get_mut(model) {
            circuit.trying = false;
        }
    }

    pub(crate) fn went_wrong(&mut self, model: &Arc<str>, now: Instant) {
        let circuit = self.circuits.entry(Arc::clone(model)).or_default();
        circuit.failures += 1;
        circuit.trying = false;
        if circuit.failures >= FAILURES {
            circuit.pause = (circuit.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            circuit.open_until = Some(now + circuit.pause);
            tracing::warn!(worker = self.name, model = &**model, "circuit opened after failures in a row");
        }
    }

    /// Models whose circuit is open.
    pub(crate) fn broken(&self, now: Instant) -> Vec<String> {
        let open = |circuit: &Circuit| circuit.open_until.is_some_and(|until| now < until);
        self.circuits.iter().filter(|(_, circuit)| open(circuit)).map(|(model, _)| model.to_string()).collect()
    }
}
