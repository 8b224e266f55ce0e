//! What a model costs, learned from what it took so far.

use std::sync::Arc;
use std::time::Duration;

use domain::wire::Class;
use foldhash::HashMap;
use tokio::time::Instant;

/// Weight of the newest measurement.
const NEWEST: f64 = 0.2;
/// Reading a token costs this share of writing one, in time.
const PROMPT_TIME: f64 = 0.05;
/// Measurements before a prediction is believed.
const ENOUGH: u32 = 5;

/// Tokens of one request, estimated, then as counted.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Cost {
    pub(crate) prompt: u32,
    pub(crate) output: u32,
}

impl Cost {
    /// Service in the sense of fair shares: a written token counts twice (Sheng and others, 2024).
    pub(crate) fn service(self) -> f64 {
        f64::from(self.prompt) + 2.0 * f64::from(self.output)
    }

    /// Work in written tokens.
    pub(crate) fn work(self) -> f64 {
        f64::from(self.prompt) * PROMPT_TIME + f64::from(self.output).max(1.0)
    }
}

#[derive(Default)]
struct Speed {
    /// Seconds for a written token, with what prompts have in common as it falls.
    second_per_work: f64,
    /// The same where nothing of the prompt was read before.
    second_per_fresh_work: f64,
    samples: u32,
    /// Seconds of loading it.
    load: Option<f64>,
    /// Tokens written, by class.
    outputs: [Option<f64>; 5],
    /// Seconds between two arrivals.
    gap: Option<f64>,
    last_arrival: Option<Instant>,
}

/// Speeds by model.
pub(crate) struct Speeds {
    models: HashMap<Arc<str>, Speed>,
    default_load: f64,
}

fn mix(old: Option<f64>, new: f64) -> f64 {
    old.map_or(new, |old| old + NEWEST * (new - old))
}

impl Speeds {
    pub(crate) fn new(default_load: Duration) -> Self {
        Self { models: HashMap::default(), default_load: default_load.as_secs_f64() }
    }

    /// Somebody asked for this model.
    pub(crate) fn arrived(&mut self, model: &Arc<str>, now: Instant) {
        let speed = self.models.entry(Arc::clone(model)).or_default();
        if let Some(last) = speed.last_arrival {
            speed.gap = Some(mix(speed.gap, now.duration_since(last).as_secs_f64()));
        }
        speed.last_arrival = Some(now);
    }

    /// A request took this long with a worker that had read `known` tokens of its prompt before; `loaded` when the
    /// model had to be loaded for it.
    pub(crate) fn measured(
        &mut self,
        model: &Arc<str>,
        class: Class,
        cost: Cost,
        known: u32,
        busy: Duration,
        loaded: bool,
    ) {
        let default_load = self.default_load;
        let speed = self.models.entry(Arc::clone(model)).or_default();
        let took = busy.as_secs_f64();
        if let Some(output) = speed.outputs.get_mut(class.rank()) {
            *output = Some(mix(*output, f64::from(cost.output)));
        }
        if loaded {
            if speed.samples >= ENOUGH {
                let load = (took - speed.second_per_work * cost.work()).max(0.0);
                speed.load = Some(mix(speed.load.or(Some(default_load)), load));
            }
            return;
        }
        let fresh = Cost { prompt: cost.prompt.saturating_sub(known), ..cost };
        let learn = |old: f64, new: f64| mix((speed.samples > 0).then_some(old), new);
        let (usual, unread) = (took / cost.work(), took / fresh.work());
        (speed.second_per_work, speed.second_per_fresh_work) =
            (learn(speed.second_per_work, usual), learn(speed.second_per_fresh_work, unread));
        speed.samples = speed.samples.saturating_add(1);
    }

    /// Seconds that it takes, where enough was measured.
    pub(crate) fn seconds(&self, model: &str, cost: Cost) -> Option<f64> {
        let speed = self.models.get(model).filter(|speed| speed.samples >= ENOUGH)?;
        Some(speed.second_per_work * cost.work())
    }

    /// Seconds that reading this many tokens anew takes, where enough was measured.
    pub(crate) fn reading(&self, model: &str, tokens: u32) -> Option<f64> {
        let speed = self.models.get(model).filter(|speed| speed.samples >= ENOUGH)?;
        Some(speed.second_per_fresh_work * f64::from(tokens) * PROMPT_TIME)
    }

    /// Tokens that a reply of this class has, where some were seen.
    pub(crate) fn output(&self, model: &str, class: Class) -> Option<u32> {
        let output = self.models.get(model)?.outputs.get(class.rank()).copied().flatten()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a mean of u32 values")]
        Some(output.round() as u32)
    }

    /// Seconds to load it.
    pub(crate) fn load(&self, model: &str) -> f64 {
        self.models.get(model).and_then(|speed| speed.load).unwrap_or(self.default_load)
    }

    /// Requests a second for it, as things are now; nothing when nobody asked for longer than usual.
    pub(crate) fn rate(&self, model: &str, now: Instant) -> f64 {
        let Some(speed) = self.models.get(model) else { return 0.0 };
        let (Some(gap), Some(last)) = (speed.gap, speed.last_arrival) else { return 0.0 };
        let silent = now.duration_since(last).as_secs_f64();
        if silent > 4.0 * gap.max(self.default_load) { 0.0 } else { 1.0 / gap.max(0.001) }
    }
}
