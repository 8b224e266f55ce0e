//! The scenarios: which traces are played against whom, and what is compared.

use anyhow::Result;

use crate::client::Outcome;
use crate::gateway::Ours;
use crate::measure::percentile;
use crate::peer::Policy;
use crate::replay::{Played, Target, play};
use crate::report::Seed;
use crate::trace::{self, Flood, Trace};

/// A scenario of the bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    Mix,
    Flood,
    Gap,
    Overload,
    Prefix,
}

/// What takes part beside the peers that ratios need.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// Ours, unless only the peers run.
    pub ours: Option<&'a Ours>,
    /// Also what is only for comparison and in no ratio.
    pub reference: bool,
}

impl Scenario {
    /// All of them, the longest first.
    pub const ALL: [Self; 5] = [Self::Mix, Self::Flood, Self::Gap, Self::Prefix, Self::Overload];

    /// Plays the scenario with one seed.
    pub async fn run(self, seed: u64, parts: Parts<'_>) -> Result<Seed> {
        match self {
            Self::Mix => mix(seed, parts).await,
            Self::Flood => flood(seed, parts).await,
            Self::Gap => gap(seed, parts).await,
            Self::Overload => overload(seed, parts).await,
            Self::Prefix => prefix(seed, parts).await,
        }
    }
}

/// Ours and a peer on the same trace, one after the other; who begins changes with the seed.
async fn both(seed: u64, parts: Parts<'_>, trace: &Trace, policy: Policy) -> Result<(Option<Played>, Played)> {
    let Some(ours) = parts.ours else { return Ok((None, play(trace, Target::Peer(policy)).await?)) };
    if seed.is_multiple_of(2) {
        let peer = play(trace, Target::Peer(policy)).await?;
        Ok((Some(play(trace, Target::Ours(ours)).await?), peer))
    } else {
        let ours = play(trace, Target::Ours(ours)).await?;
        Ok((Some(ours), play(trace, Target::Peer(policy)).await?))
    }
}

async fn mix(seed: u64, parts: Parts<'_>) -> Result<Seed> {
    let (ours, fifo) = both(seed, parts, &trace::mix(seed), Policy::FirstCome).await?;
    let mut result = Seed::new(seed);
    let mut tell = |name: &str, played: &Played| {
        result.figure(format!("loads, {name}"), played.loads());
        result.figure(format!("mean latency (s), {name}"), played.mean_latency());
        result.figure(format!("p95 latency (s), {name}"), percentile(&mut played.latencies(|_| true), 0.95));
        result.figure(format!("longest wait (s), {name}"), played.longest_wait());
    };
    tell("first-come", &fifo);
    if let Some(ours) = &ours {
        tell("ours", ours);
        result.ratio("loads_vs_fifo", ours.loads() / fifo.loads());
        result.ratio("latency_vs_fifo", ours.mean_latency() / fifo.mean_latency());
    }
    result.faults("mix, first-come", &fifo);
    result.faults_of_ours("mix", ours.as_ref());
    Ok(result)
}

async fn flood(seed: u64, parts: Parts<'_>) -> Result<Seed> {
    let mut result = Seed::new(seed);
    if let Some(ours) = parts.ours {
        let ratio = flooded(seed, Flood::Short, ("ours", Target::Ours(ours)), &mut result).await?;
        result.ratio("light_p95_vs_alone", ratio);
    }
    if parts.reference {
        let policies = [
            ("VTC", Policy::VirtualTokenCounter),
            ("least counter first", Policy::LeastCounterFirst),
            ("first-come", Policy::FirstCome),
        ];
        for (name, policy) in policies {
            flooded(seed, Flood::Short, (name, Target::Peer(policy)), &mut result).await?;
        }
        let least = ("least counter first", Target::Peer(Policy::LeastCounterFirst));
        flooded(seed, Flood::Alike, least, &mut result).await?;
        if let Some(ours) = parts.ours {
            flooded(seed, Flood::Alike, ("ours", Target::Ours(ours)), &mut result).await?;
        }
    }
    Ok(result)
}

/// The 95th percentile of the light users' latency beside a flood, to that without it.
async fn flooded(seed: u64, kind: Flood, (name, target): (&str, Target<'_>), result: &mut Seed) -> Result<f64> {
    let (mut alone, mut beside) = (f64::NAN, f64::NAN);
    for with_flood in [seed.is_multiple_of(2), !seed.is_multiple_of(2)] {
        let trace = if with_flood { trace::flood(seed, kind) } else { trace::light(seed, kind) };
        let played = play(&trace, target).await?;
        let p95 = percentile(&mut played.latencies(|user| user != trace::FLOODER), 0.95);
        *(if with_flood { &mut beside } else { &mut alone }) = p95;
        let run = format!("{kind:?} flood, {name}, {}", if with_flood { "with it" } else { "without it" });
        result.faults(&run, &played);
    }
    let what = if kind == Flood::Short { "" } else { ", flood like theirs" };
    result.figure(format!("light p95 (s), {name}, alone{what}"), alone);
    result.figure(format!("light p95 (s), {name}, beside{what}"), beside);
    result.figure(format!("light p95, {name}, beside / alone{what}"), beside / alone);
    Ok(beside / alone)
}

async fn gap(seed: u64, parts: Parts<'_>) -> Result<Seed> {
    let trace = trace::backlogged(seed);
    let (ours, counter) = both(seed, parts, &trace, Policy::VirtualTokenCounter).await?;
    let mut result = Seed::new(seed);
    result.figure("greatest service gap (tokens), VTC", counter.greatest_gap());
    if let Some(ours) = &ours {
        result.figure("greatest service gap (tokens), ours", ours.greatest_gap());
        result.ratio("gap_vs_vtc", ours.greatest_gap() / counter.greatest_gap());
    }
    if parts.reference {
        let fifo = play(&trace, Target::Peer(Policy::FirstCome)).await?;
        result.figure("greatest service gap (tokens), first-come", fifo.greatest_gap());
    }
    result.faults("gap, VTC", &counter);
    result.faults_of_ours("gap", ours.as_ref());
    Ok(result)
}

async fn overload(seed: u64, parts: Parts<'_>) -> Result<Seed> {
    let (ours, fifo) = both(seed, parts, &trace::overload(seed), Policy::FirstCome).await?;
    let mut result = Seed::new(seed);
    result.figure("answers in time, first-come", fifo.in_time());
    if let Some(ours) = &ours {
        result.figure("answers in time, ours", ours.in_time());
        result.figure("refused with 429, ours", ours.count(|outcome| matches!(outcome, Outcome::Refused { .. })));
        result.figure("given up at the deadline, ours", ours.count(|outcome| *outcome == Outcome::Expired));
        result.ratio("goodput_vs_fifo", ours.in_time() / fifo.in_time());
    }
    result.faults("overload, first-come", &fifo);
    result.faults_of_ours("overload", ours.as_ref());
    Ok(result)
}

async fn prefix(seed: u64, parts: Parts<'_>) -> Result<Seed> {
    let (ours, robin) = both(seed, parts, &trace::prefix(seed), Policy::RoundRobin).await?;
    let mut result = Seed::new(seed);
    let mut tell = |name: &str, played: &Played| {
        result.figure(format!("prompt tokens read, {name}"), played.prefilled());
        result
            .figure(format!("p95 latency (s), {name}, 40 learners"), percentile(&mut played.latencies(|_| true), 0.95));
    };
    tell("round robin", &robin);
    if let Some(ours) = &ours {
        tell("ours", ours);
        result.ratio("prefill_vs_round_robin", ours.prefilled() / robin.prefilled());
    }
    result.faults("prefix, round robin", &robin);
    result.faults_of_ours("prefix", ours.as_ref());
    Ok(result)
}
