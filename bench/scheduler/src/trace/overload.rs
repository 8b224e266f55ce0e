//! Three times as much as the workers can do, and nobody waits longer than ten seconds.

use std::time::Duration;

use rand::Rng;

use super::{MODELS, Trace, numbers, poisson, question};
use crate::clock;

const REQUESTS: usize = 600;
const USERS: usize = 20;
const SHARE_OF_CAPACITY: f64 = 3.0;
const DEADLINE: Duration = Duration::from_secs(10);

/// One model, loaded everywhere, so that only the order and the refusals differ.
pub fn overload(seed: u64) -> Trace {
    let mut rng = numbers(seed, 3);
    let requests = (0..REQUESTS)
        .map(|number| {
            let user = rng.random_range(0..USERS);
            let mut request = question(&mut rng, format!("overload-{seed}-{number}"), user, MODELS[0]);
            request.deadline = Some(clock::scaled(DEADLINE));
            request
        })
        .collect();
    poisson(&mut rng, 2, SHARE_OF_CAPACITY, requests)
}
