//! One who floods beside twenty who do not, and several who always have something waiting.

use std::time::Duration;

use rand::Rng;

use super::{MODELS, Request, Step, Trace, numbers, question, request, service};

const WORKERS: usize = 2;
const LIGHT_USERS: usize = 20;
const FLOOD: usize = 500;
/// The user who floods.
pub const FLOODER: usize = LIGHT_USERS;

/// What the one who floods sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flood {
    /// Short tasks, as of a script: 50 to 150 words, 10 to 30 words of answer.
    Short,
    /// Requests like those of the light users. Who arrives must wait for one of two such requests to end, by
    /// which even an order that knows the future takes the 95th percentile to 1.37 of that alone.
    Alike,
}

/// Light users alone, over the time that a flood of a kind takes.
pub fn light(seed: u64, kind: Flood) -> Trace {
    let span = flood_requests(seed, kind).iter().map(service).sum::<Duration>() / WORKERS as u32;
    let mut rng = numbers(seed, 20);
    let mut sessions = Vec::new();
    for user in 0..LIGHT_USERS {
        for number in 0..rng.random_range(1..=3) {
            let request = question(&mut rng, format!("light-{seed}-{user}-{number}"), user, MODELS[0]);
            sessions.push(vec![Step { pause: span.mul_f64(rng.random_range(0.02..0.95)), request }]);
        }
    }
    Trace { workers: WORKERS, sessions }
}

/// The same light users beside one who sends 500 requests at time 0.
pub fn flood(seed: u64, kind: Flood) -> Trace {
    let mut trace = light(seed, kind);
    let flood = flood_requests(seed, kind).into_iter().map(|request| vec![Step { pause: Duration::ZERO, request }]);
    trace.sessions.extend(flood);
    trace
}

fn flood_requests(seed: u64, kind: Flood) -> Vec<Request> {
    let mut rng = numbers(seed, 21);
    let one = |number| {
        let id = format!("flood-{seed}-{number}");
        match kind {
            Flood::Alike => question(&mut rng, id, FLOODER, MODELS[0]),
            Flood::Short => {
                let (prompt, completion) = (rng.random_range(50..=150), rng.random_range(10..=30));
                request(&mut rng, id, (FLOODER, MODELS[0]), prompt, completion)
            }
        }
    };
    (0..FLOOD).map(one).collect()
}

/// What one user sends in the trace of those who are always behind.
struct Habit {
    prompt_tokens: usize,
    completion_tokens: usize,
    requests: usize,
    /// Share of the run before the first request.
    joins_at: f64,
    /// Groups that the requests come in; within one, all at once.
    bursts: usize,
}

const fn habit(prompt_tokens: usize, completion_tokens: usize, requests: usize) -> Habit {
    Habit { prompt_tokens, completion_tokens, requests, joins_at: 0.0, bursts: 1 }
}

/// Six users with requests of different sizes: two join late, one comes in bursts. Counts are such that
/// equal shares keep the first four behind for nearly the whole run.
pub fn backlogged(seed: u64) -> Trace {
    const RUN: Duration = Duration::from_secs(13);
    let habits = [
        habit(50, 10, 160),
        habit(600, 10, 18),
        habit(40, 60, 70),
        habit(150, 30, 53),
        Habit { joins_at: 0.35, ..habit(150, 30, 34) },
        Habit { joins_at: 0.05, bursts: 8, ..habit(60, 20, 96) },
    ];
    let mut rng = numbers(seed, 22);
    let mut sessions = Vec::new();
    for (user, habit) in habits.iter().enumerate() {
        for burst in 0..habit.bursts {
            let share = habit.joins_at + (0.9 - habit.joins_at) * burst as f64 / habit.bursts as f64;
            let jitter = if habit.bursts > 1 { rng.random_range(0.0..0.05) } else { 0.0 };
            let at = RUN.mul_f64(share + jitter);
            for number in 0..habit.requests / habit.bursts {
                let id = format!("behind-{seed}-{user}-{burst}-{number}");
                let prompt = about(&mut rng, habit.prompt_tokens);
                let completion = about(&mut rng, habit.completion_tokens);
                let mut request = request(&mut rng, id, (user, MODELS[0]), prompt, completion);
                // The Virtual Token Counter charges tokens as they come: it must see them.
                request.stream = true;
                sessions.push(vec![Step { pause: at, request }]);
            }
        }
    }
    Trace { workers: WORKERS, sessions }
}

/// A count up to a fifth above or below another.
fn about(rng: &mut impl Rng, count: usize) -> usize {
    rng.random_range(count * 4 / 5..=count * 6 / 5)
}
