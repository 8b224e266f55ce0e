//! The figures: every target in turn, round after round, so that a busy moment of the machine falls on all.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::task::LocalSet;

use crate::client::{Connection, End};
use crate::message::Prompt;
use crate::plan::{Settings, Target};
use crate::process;

const WIDE: usize = 16;
const STREAM: &str = r#","stream":true"#;
static NUMBER: AtomicU64 = AtomicU64::new(1);

/// A number that no prompt of this run had; a million apart, so that one prompt may count on.
pub(crate) fn fresh() -> u64 {
    NUMBER.fetch_add(1, Ordering::Relaxed) * 1_000_000
}

/// The figures of one target, one entry a round.
#[derive(Default)]
pub(crate) struct Figures {
    /// Median microseconds of a completion at one connection.
    pub(crate) median: Vec<f64>,
    /// 99th percentile of the same.
    pub(crate) p99: Vec<f64>,
    /// Median microseconds to the first byte of a stream's body.
    pub(crate) first_byte: Vec<f64>,
    /// What requests at one connection cost.
    pub(crate) cpu: Cost,
    /// Requests per second at sixteen connections.
    pub(crate) rate: Vec<f64>,
    /// 99th percentile of the same, microseconds.
    pub(crate) rate_p99: Vec<f64>,
    /// What requests at sixteen connections cost.
    pub(crate) cpu_wide: Cost,
    /// Streams per second at sixteen connections.
    pub(crate) streams: Vec<f64>,
    /// Resident memory after the load, KiB.
    pub(crate) memory: Option<u64>,
    /// Requests sent in the timed cells.
    pub(crate) sent: u64,
    /// Requests among them that the upstream saw.
    pub(crate) upstream: u64,
    /// Replies that were not 200, not whole, or not of the wanted length.
    pub(crate) failed: u64,
    /// The first of these.
    pub(crate) failure: Option<String>,
}

/// CPU time over all rounds together: the ticks of one round are too coarse.
#[derive(Default)]
pub(crate) struct Cost {
    microseconds: u64,
    requests: u64,
}

impl Cost {
    fn add(&mut self, outcome: &Outcome) {
        self.microseconds += outcome.cpu;
        self.requests += outcome.times.len() as u64;
    }

    /// CPU microseconds a request.
    pub(crate) fn each(&self) -> f64 {
        self.microseconds as f64 / self.requests as f64
    }
}

/// What came of one cell.
struct Outcome {
    /// Microseconds each, sorted.
    times: Vec<f64>,
    first_bytes: Vec<f64>,
    elapsed: Duration,
    cpu: u64,
}

/// Waits until the target answers one completion with 200.
pub(crate) async fn wait(target: &Target, limit: Duration) -> Result<()> {
    let began = Instant::now();
    let mut prompt = Prompt::chat(target, "plain", "", fresh());
    let mut last = String::new();
    while began.elapsed() < limit {
        match Connection::new(target.port).exchange(prompt.next()).await {
            Ok(reply) if reply.status == 200 => return Ok(()),
            Ok(reply) => last = format!("status {}: {}", reply.status, String::from_utf8_lossy(&reply.body)),
            Err(error) => last = error.to_string(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("{} does not answer: {}", target.name, last.chars().take(400).collect::<String>())
}

/// Goes round all targets.
pub(crate) async fn measure(settings: &Settings, targets: &[Target], stub_port: u16) -> Result<Vec<Figures>> {
    let mut all: Vec<Figures> = targets.iter().map(|_| Figures::default()).collect();
    eprintln!("warming up");
    for target in targets {
        let mut unused = Figures::default();
        cell(target, stub_port, 1, "", usize::MAX, Duration::from_secs(1), &mut unused).await?;
        cell(target, stub_port, WIDE, "", usize::MAX, Duration::from_secs(1), &mut unused).await?;
    }
    for round in 0..settings.rounds {
        eprintln!("one connection, round {} of {}", round + 1, settings.rounds);
        for (target, figures) in targets.iter().zip(&mut all) {
            let got = cell(target, stub_port, 1, "", settings.requests, settings.cell, figures).await?;
            figures.median.push(quantile(&got.times, 0.5));
            figures.p99.push(quantile(&got.times, 0.99));
            figures.cpu.add(&got);
        }
        for (target, figures) in targets.iter().zip(&mut all) {
            let got = cell(target, stub_port, 1, STREAM, settings.streams, settings.cell, figures).await?;
            figures.first_byte.push(quantile(&got.first_bytes, 0.5));
        }
    }
    for round in 0..settings.rounds_wide {
        eprintln!("{WIDE} connections, round {} of {}", round + 1, settings.rounds_wide);
        for (target, figures) in targets.iter().zip(&mut all) {
            let got = cell(target, stub_port, WIDE, "", usize::MAX, settings.cell_wide, figures).await?;
            figures.rate.push(got.times.len() as f64 / got.elapsed.as_secs_f64());
            figures.rate_p99.push(quantile(&got.times, 0.99));
            figures.cpu_wide.add(&got);
        }
        for (target, figures) in targets.iter().zip(&mut all) {
            let got = cell(target, stub_port, WIDE, STREAM, usize::MAX, settings.cell_wide, figures).await?;
            figures.streams.push(got.times.len() as f64 / got.elapsed.as_secs_f64());
        }
    }
    for (target, figures) in targets.iter().zip(&mut all) {
        figures.memory = target.pid.map(process::resident_kib);
    }
    Ok(all)
}

/// One target under `width` connections, until `requests` were sent or `limit` is over.
async fn cell(
    target: &Target,
    stub_port: u16,
    width: usize,
    extra: &str,
    requests: usize,
    limit: Duration,
    figures: &mut Figures,
) -> Result<Outcome> {
    let mark = if width == 1 && !extra.is_empty() { "pause" } else { "plain" };
    let before = upstream_count(stub_port).await?;
    let cpu = target.pid.map_or(0, process::cpu_microseconds);
    let times = Rc::new(RefCell::new((Vec::new(), Vec::new())));
    let failures = Rc::new(RefCell::new((0_u64, None)));
    let left = Rc::new(Cell::new(requests));
    let began = Instant::now();
    let tasks = LocalSet::new();
    for _ in 0..width {
        let mut prompt = Prompt::chat(target, mark, extra, fresh());
        let mut connection = Connection::new(target.port);
        let (times, failures, left) = (Rc::clone(&times), Rc::clone(&failures), Rc::clone(&left));
        tasks.spawn_local(async move {
            while began.elapsed() < limit && left.get() > 0 {
                left.set(left.get() - 1);
                let sent = Instant::now();
                let outcome = connection.exchange(prompt.next()).await;
                let took = sent.elapsed();
                let wrong = match &outcome {
                    Ok(reply) if reply.status == 200 && reply.end == End::Whole && !reply.body.is_empty() => None,
                    Ok(reply) => Some(format!("status {}, {:?}, {} bytes", reply.status, reply.end, reply.body.len())),
                    Err(error) => Some(error.to_string()),
                };
                if let Some(wrong) = wrong {
                    let mut failures = failures.borrow_mut();
                    failures.0 += 1;
                    failures.1.get_or_insert(wrong);
                    continue;
                }
                let first = outcome.ok().and_then(|reply| reply.first).map(|first| first.duration_since(sent));
                let mut times = times.borrow_mut();
                times.0.push(took.as_secs_f64() * 1e6);
                times.1.extend(first.map(|first| first.as_secs_f64() * 1e6));
            }
        });
    }
    tasks.await;
    let elapsed = began.elapsed();
    let cpu = target.pid.map_or(0, process::cpu_microseconds).saturating_sub(cpu);
    let (mut all, mut first_bytes) = times.take();
    let (failed, failure) = failures.take();
    figures.sent += all.len() as u64 + failed;
    figures.failed += failed;
    figures.failure = figures.failure.take().or(failure);
    figures.upstream += upstream_count(stub_port).await?.saturating_sub(before);
    all.sort_by(f64::total_cmp);
    first_bytes.sort_by(f64::total_cmp);
    Ok(Outcome { times: all, first_bytes, elapsed, cpu })
}

async fn upstream_count(stub_port: u16) -> Result<u64> {
    let request = b"GET /control/count HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";
    let reply = Connection::new(stub_port).exchange(request).await?;
    Ok(String::from_utf8_lossy(&reply.body).parse()?)
}

/// The value below which `share` of the sorted values lie; not a number where there are none.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1) as f64;
    sorted.get((last * share).round() as usize).copied().unwrap_or(f64::NAN)
}
