//! A number, with a tolerance and perhaps a unit.

use serde::{Deserialize, Serialize};

use super::asked::Shown;
use super::{Flaw, Kind, Response, Score};

/// The right number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Numeric {
    /// The number.
    pub value: f64,
    /// How far off still counts, in the same unit; 0 for exactly.
    #[serde(default)]
    pub tolerance: f64,
    /// The unit as written after the number; empty when there is none.
    #[serde(default)]
    pub unit: String,
}

impl Kind for Numeric {
    fn flaws(&self, _: &str) -> Vec<Flaw> {
        if self.value.is_finite() && self.tolerance.is_finite() && self.tolerance >= 0.0 {
            Vec::new()
        } else {
            vec![Flaw::hard(
                "BAD_NUMBER",
                "the number and its tolerance must be finite, and the tolerance not negative",
            )]
        }
    }

    /// Right when within the tolerance and in the unit; a right number without its unit is worth half.
    fn score(&self, response: &Response) -> Option<Score> {
        let Response::Number { value, unit } = response else { return None };
        // What the decimal notation of the question cannot tell apart is equal.
        let slack = self.tolerance + self.value.abs().max(1.0) * 1e-9;
        if !value.is_finite() || (value - self.value).abs() > slack {
            return Some(Score::all(false));
        }
        let plain = |unit: &str| unit.split_whitespace().collect::<String>();
        Some(if plain(unit) == plain(&self.unit) { Score::all(true) } else { Score::part(1, 2) })
    }

    fn shown(&self, _: u64) -> Shown {
        Shown::Numeric { unit: !self.unit.is_empty() }
    }

    fn key(&self) -> Vec<String> {
        vec![format!("{} {}", self.value, self.unit).trim_end().to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerance_and_unit_are_kept_apart() {
        let body = Numeric { value: 44.1, tolerance: 0.05, unit: "kHz".into() };
        let share = |value: f64, unit: &str| {
            body.score(&Response::Number { value, unit: unit.into() }).and_then(Score::fraction).unwrap()
        };
        assert!((share(44.1, "kHz") - 1.0).abs() < 1e-9);
        assert!((share(44.15, " kHz ") - 1.0).abs() < 1e-9);
        assert!((share(44.1, "Hz") - 0.5).abs() < 1e-9);
        assert!(share(44.2, "kHz").abs() < 1e-9);
        assert!(share(f64::NAN, "kHz").abs() < 1e-9);
        let third = Numeric { value: 0.1 + 0.2, tolerance: 0.0, unit: String::new() };
        assert_eq!(third.score(&Response::Number { value: 0.3, unit: String::new() }), Some(Score::all(true)));
    }
}
