//! Three models on two workers that hold one each.

use rand::Rng;
use rand::rngs::StdRng;

use super::{MODELS, Trace, numbers, poisson, question};

const REQUESTS: usize = 300;
const USERS: usize = 20;
const ZIPF: f64 = 1.1;
const SHARE_OF_CAPACITY: f64 = 0.8;

/// Poisson arrivals; which model is wanted follows Zipf's law.
pub fn mix(seed: u64) -> Trace {
    let mut rng = numbers(seed, 1);
    let requests = (0..REQUESTS)
        .map(|number| {
            let user = rng.random_range(0..USERS);
            let model = model(&mut rng);
            question(&mut rng, format!("mix-{seed}-{number}"), user, model)
        })
        .collect();
    poisson(&mut rng, 2, SHARE_OF_CAPACITY, requests)
}

fn model(rng: &mut StdRng) -> &'static str {
    let weights = || MODELS.iter().enumerate().map(|(rank, model)| (*model, (rank as f64 + 1.0).powf(-ZIPF)));
    let mut left = rng.random::<f64>() * weights().map(|(_, weight)| weight).sum::<f64>();
    for (model, weight) in weights() {
        left -= weight;
        if left <= 0.0 {
            return model;
        }
    }
    MODELS[0]
}
