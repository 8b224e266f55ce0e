//! What work costs on a simulated model server, and by how much time is shortened.

use std::time::Duration;

/// Simulated time runs this many times faster than the time that it stands for.
pub const SCALE: u32 = 10;

const LOAD: Duration = Duration::from_secs(3);
const PREFILL_A_TOKEN: Duration = Duration::from_millis(1);
const DECODE_A_TOKEN: Duration = Duration::from_millis(20);

/// Time on this machine for a time in the simulated world.
pub fn scaled(duration: Duration) -> Duration {
    duration / SCALE
}

/// Seconds of the simulated world for a time on this machine.
pub fn simulated_seconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * f64::from(SCALE)
}

/// Loading a model that is not the resident one.
pub fn load() -> Duration {
    scaled(LOAD)
}

/// Reading prompt tokens that are not cached.
pub fn prefill(tokens: usize) -> Duration {
    scaled(PREFILL_A_TOKEN) * u32::try_from(tokens).unwrap_or(u32::MAX)
}

/// Writing tokens of an answer.
pub fn decode(tokens: usize) -> Duration {
    scaled(DECODE_A_TOKEN) * u32::try_from(tokens).unwrap_or(u32::MAX)
}
