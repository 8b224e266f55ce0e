//! How a gateway is set up.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::wire::Class;

/// Bounds, times and names.
#[derive(Debug, Clone)]
pub struct Options {
    /// Requests that may wait, by class in the order of [`Class::ALL`].
    pub depths: [usize; 5],
    /// Requests that may wait for one user.
    pub queue_per_user: usize,
    /// Requests that may wait for one institution.
    pub queue_per_institution: usize,
    /// The longest wait, by class, before a request goes ahead of every other; ageing moves it up before.
    pub longest_waits: [Duration; 5],
    /// A waiting request moves up one class each time that this has passed.
    pub ageing: Duration,
    /// What loading a model costs until it was measured.
    pub load_time: Duration,
    /// The one embedding model to use; without it the first that a worker registers stays chosen
    /// for the life of the gateway, so that vectors of two models are never mixed by a reconnect.
    pub embedding_model: Option<String>,
    /// Names that stand for models, each with the models to try in order.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// A networked worker that says nothing for this long is lost.
    pub silence: Duration,
    /// The most credits one worker can hold.
    pub max_credits: u32,
}

impl Default for Options {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            depths: [256, 256, 256, 512, 64],
            queue_per_user: 64,
            queue_per_institution: 512,
            longest_waits: [seconds(30), seconds(60), seconds(60), seconds(120), seconds(300)],
            ageing: seconds(20),
            load_time: seconds(3),
            embedding_model: None,
            aliases: BTreeMap::new(),
            silence: seconds(15),
            max_credits: 1_024,
        }
    }
}

impl Options {
    /// The same with every time of the scheduler multiplied, for simulations.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        for wait in &mut self.longest_waits {
            *wait = wait.mul_f64(factor);
        }
        self.ageing = self.ageing.mul_f64(factor);
        self.load_time = self.load_time.mul_f64(factor);
        self
    }

    pub(crate) fn depth(&self, class: Class) -> usize {
        self.depths.get(class.rank()).copied().unwrap_or_default()
    }

    pub(crate) fn longest_wait(&self, class: Class) -> Duration {
        self.longest_waits.get(class.rank()).copied().unwrap_or(Duration::MAX)
    }
}
