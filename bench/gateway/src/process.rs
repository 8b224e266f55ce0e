//! What a process and its descendants cost, read from /proc.

use std::collections::HashMap;

/// Ticks of the times in /proc/PID/stat; 100 a second in Linux's user interface on every architecture we build for.
const MICROSECONDS_A_TICK: u64 = 10_000;

/// CPU time in microseconds, user and system, of a process and its descendants.
pub(crate) fn cpu_microseconds(pid: u32) -> u64 {
    family(pid).iter().filter_map(|pid| stat(*pid)).map(|(_, ticks)| ticks * MICROSECONDS_A_TICK).sum()
}

/// Resident memory in kibibytes of a process and its descendants.
pub(crate) fn resident_kib(pid: u32) -> u64 {
    family(pid)
        .iter()
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok())
        .filter_map(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        })
        .sum()
}

fn family(pid: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && let Some((parent, _)) = stat(child)
        {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(next) = found.get(at).copied() {
        found.extend(children.get(&next).into_iter().flatten());
        at += 1;
    }
    found
}

/// Parent and ticks of user and system time.
fn stat(pid: u32) -> Option<(u32, u64)> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, brackets and spaces too.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let parent = fields.nth(1)?.parse().ok()?;
    let user: u64 = fields.nth(9)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((parent, user + system))
}
