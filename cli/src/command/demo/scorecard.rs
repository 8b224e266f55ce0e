//! The scorecard of the demo: one line a promise.

use serde::{Deserialize, Serialize};

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// As promised.
    Ok,
    /// It works, with less than the best; the detail says what that costs.
    Degraded,
    /// Not as promised.
    Missed,
}

/// One promise.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) state: State,
    pub(crate) detail: String,
}

/// The whole card: the last line of `lyceum demo --json`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scorecard {
    pub(crate) lines: Vec<Line>,
    #[serde(rename = "peakMiB")]
    pub(crate) peak_mib: u64,
    pub(crate) seconds: f64,
}

impl Scorecard {
    pub(crate) fn add(&mut self, name: &str, state: State, detail: impl Into<String>) {
        self.lines.push(Line { name: name.into(), state, detail: detail.into() });
    }

    /// A line that is ok or missed.
    pub(crate) fn check(&mut self, name: &str, good: bool, detail: impl Into<String>) {
        self.add(name, if good { State::Ok } else { State::Missed }, detail);
    }

    pub(crate) fn missed(&self) -> bool {
        self.lines.iter().any(|line| line.state == State::Missed)
    }

    /// The card for people.
    pub(crate) fn table(&self) -> String {
        let mut text = String::new();
        for line in &self.lines {
            let mark = match line.state {
                State::Ok => "ok      ",
                State::Degraded => "degraded",
                State::Missed => "MISSED  ",
            };
            text.push_str(&format!("  {mark}  {:<34} {}\n", line.name, line.detail));
        }
        text.push_str(&format!("\n  {:.1} s, peak memory {} MiB\n", self.seconds, self.peak_mib));
        text
    }
}

/// Most memory that this process has held, in MiB; 0 where the system does not tell.
pub(crate) fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or_default() / 1024
}

/// The value below which `share` of the sorted values lie.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an index of a short list"
    )]
    let index = ((values.len().saturating_sub(1)) as f64 * share).round() as usize;
    values.get(index).copied().unwrap_or_default()
}
