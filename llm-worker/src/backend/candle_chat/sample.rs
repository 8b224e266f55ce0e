//! Chooses the next token from the scores of the network.

/// Tokens that score this much lower than the best, at temperature 1, have a chance below one in
/// a thousand million each; they are not even sorted.
const NEGLIGIBLE: f32 = 21.0;

/// Draws tokens; equal seeds draw alike on every machine that computes equal scores.
pub(in crate::backend) struct Sampler {
    state: u64,
    temperature: f32,
    top_p: f32,
}

impl Sampler {
    pub(in crate::backend) fn new(seed: u64, temperature: f32, top_p: f32) -> Self {
        Self { state: seed, temperature, top_p }
    }

    /// One of the allowed tokens; nothing when none is allowed.
    pub(in crate::backend) fn choose(&mut self, scores: &[f32], allowed: impl Fn(u32) -> bool) -> Option<u32> {
        let scored = (0_u32..).zip(scores).filter(|(id, _)| allowed(*id));
        // A network with broken weights scores with numbers that are none; they come last.
        let sound = scored.map(|(id, score)| (id, if score.is_nan() { f32::NEG_INFINITY } else { *score }));
        let mut tokens: Vec<(u32, f32)> = sound.collect();
        let (first, best) = tokens.iter().copied().reduce(|best, next| if next.1 > best.1 { next } else { best })?;
        if self.temperature < 1e-4 || !best.is_finite() {
            return Some(first);
        }
        tokens.retain(|(_, score)| (best - score) / self.temperature < NEGLIGIBLE);
        tokens.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let weights: Vec<f32> = tokens.iter().map(|(_, score)| ((score - best) / self.temperature).exp()).collect();
        let enough = weights.iter().sum::<f32>() * self.top_p.clamp(0.0, 1.0);
        let mut kept = 0.0;
        let count = weights.iter().take_while(|weight| {
            let wanted = kept < enough || kept == 0.0;
            kept += **weight;
            wanted
        });
        let weights: Vec<f32> = count.copied().collect();
        let mut point = self.uniform() * weights.iter().sum::<f32>();
        for ((id, _), weight) in tokens.iter().zip(&weights) {
            point -= weight;
            if point < 0.0 {
                return Some(*id);
            }
        }
        Some(first)
    }

    /// A number from 0 to 1, by SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
    fn uniform(&mut self) -> f32 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // 24 bits are what a float holds exactly.
        (z >> 40) as f32 / (1_u64 << 24) as f32
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::Sampler;

    #[test]
    fn draws_follow_the_scores() {
        let scores = [0.0, f32::NAN, 3.0_f32.ln(), f32::NEG_INFINITY];
        let draw = |seed, top_p| {
            let mut sampler = Sampler::new(seed, 1.0, top_p);
            (0..4_000).map(|_| sampler.choose(&scores, |_| true).unwrap()).collect::<Vec<u32>>()
        };
        let drawn = draw(7, 1.0);
        assert_eq!(drawn, draw(7, 1.0));
        assert_ne!(drawn, draw(8, 1.0));
        let twos = drawn.iter().filter(|id| **id == 2).count();
        assert!((2_850..3_150).contains(&twos), "{twos} of 4000 for a chance of three quarters");
        assert!(drawn.iter().all(|id| [0, 2].contains(id)));
        assert!(draw(7, 0.5).iter().all(|id| *id == 2));
    }

    #[test]
    fn only_allowed_tokens_are_chosen() {
        let mut sampler = Sampler::new(1, 0.0, 1.0);
        assert_eq!(sampler.choose(&[1.0, 2.0, 3.0], |id| id < 2), Some(1));
        assert_eq!(sampler.choose(&[f32::NAN, f32::NAN], |id| id == 1), Some(1));
        assert_eq!(sampler.choose(&[1.0], |_| false), None);
    }
}
