//! What is asked, by whom and when: the same for ours and for every peer, made from a seed.

mod fairness;
mod mix;
mod overload;
mod prefix;

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub use fairness::{FLOODER, Flood, backlogged, flood, light};
pub use mix::mix;
pub use overload::overload;
pub use prefix::prefix;

use crate::clock;
use crate::text::{self, Message};

/// The models of a trace; the first is the most wanted, and loaded when a run begins.
pub const MODELS: [&str; 3] = ["m1", "m2", "m3"];

/// Users that any trace needs at most.
pub const USERS: usize = 41;

/// One completion that is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    pub id: String,
    pub user: usize,
    pub model: &'static str,
    pub messages: Vec<Message>,
    pub prompt_tokens: usize,
    pub completion_tokens: usize,
    pub stream: bool,
    /// On this machine's clock, from the moment of asking.
    pub deadline: Option<Duration>,
}

/// A pause, from the start or from the answer before, and then a request.
#[derive(Clone, Debug)]
pub struct Step {
    pub pause: Duration,
    pub request: Request,
}

/// Requests in sessions: within one, each waits for the answer to the one before.
#[derive(Clone, Debug)]
pub struct Trace {
    pub workers: usize,
    pub sessions: Vec<Vec<Step>>,
}

impl Trace {
    /// How many requests it has.
    pub fn requests(&self) -> usize {
        self.sessions.iter().map(Vec::len).sum()
    }
}

/// A stream of random numbers for one purpose, so that one trace does not depend on another.
fn numbers(seed: u64, purpose: u64) -> StdRng {
    StdRng::seed_from_u64(seed * 1_000 + purpose)
}

/// The question of an ordinary user: 50 to 400 words, as often below 141 as above; 10 to 60 words of answer.
fn question(rng: &mut StdRng, id: String, user: usize, model: &'static str) -> Request {
    let prompt = rng.random_range(50_f64.ln()..400_f64.ln()).exp().round();
    let completion = rng.random_range(10..=60);
    // The range above fits any integer.
    request(rng, id, (user, model), prompt as usize, completion)
}

/// A request whose prompt is its own.
fn request(
    rng: &mut StdRng,
    id: String,
    (user, model): (usize, &'static str),
    prompt_tokens: usize,
    completion_tokens: usize,
) -> Request {
    let mark = format!("#{id}");
    let content = format!("{} {mark}", text::words(rng, prompt_tokens.saturating_sub(text::count(&mark))));
    let messages = vec![Message { role: "user", text: content }];
    let stream = rng.random_bool(0.5);
    Request { id, user, model, messages, prompt_tokens, completion_tokens, stream, deadline: None }
}

/// How long a request keeps a worker that has its model and none of its prompt.
fn service(request: &Request) -> Duration {
    clock::prefill(request.prompt_tokens) + clock::decode(request.completion_tokens)
}

/// A pause before the next arrival of a Poisson process.
fn pause(rng: &mut StdRng, mean: Duration) -> Duration {
    mean.mul_f64(-(1.0 - rng.random::<f64>()).ln())
}

/// Requests that arrive by themselves, at a multiple of what the workers can do without any load.
fn poisson(rng: &mut StdRng, workers: usize, share_of_capacity: f64, requests: Vec<Request>) -> Trace {
    let count = u32::try_from(requests.len()).unwrap_or(u32::MAX).max(1);
    let mean_service = requests.iter().map(service).sum::<Duration>() / count;
    let between = mean_service.div_f64(share_of_capacity * workers as f64);
    let mut at = Duration::ZERO;
    let mut sessions = Vec::with_capacity(requests.len());
    for request in requests {
        at += pause(rng, between);
        sessions.push(vec![Step { pause: at, request }]);
    }
    Trace { workers, sessions }
}

/// A request from before the trace, for the model that is loaded.
pub fn first(number: usize) -> Request {
    question(&mut numbers(number as u64, 9), format!("first-{number}"), number % USERS, MODELS[0])
}
