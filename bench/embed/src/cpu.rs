//! Processor time and memory of this process, from `/proc`.

use anyhow::{Context, Result};

/// Clock ticks a second of `/proc/self/stat`; Linux has had no other for programs since 2.6.
const TICKS: f64 = 100.0;

/// User and system time of all threads so far.
pub fn seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th after it.
    let (_, rest) = stat.rsplit_once(')').context("an odd /proc/self/stat")?;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS)
}

/// Memory that is resident now.
pub fn memory_mb() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<f64>()? / 1024.0)
}
