//! The bench of the gateway's scheduler: the real process over HTTP, only the time of workers simulated.
//! What is compared, and how, stands in `docs/benchmarks.md`.

mod client;
mod clock;
mod gateway;
mod measure;
mod peer;
mod replay;
mod report;
mod scenario;
mod simulated;
mod stand_in;
mod text;
mod trace;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Parser;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::gateway::Ours;
use crate::report::Seed;
use crate::scenario::{Parts, Scenario};

/// Compares the gateway's scheduler with first-come, round robin and the Virtual Token Counter.
#[derive(Parser)]
struct Arguments {
    /// Seeds 1 to this number.
    #[arg(long, default_value_t = 10)]
    seeds: u64,
    /// Runs at the same time; each has its own gateway and its own servers.
    #[arg(long, default_value_t = 10)]
    lanes: usize,
    /// Only these scenarios.
    #[arg(long, value_enum, value_delimiter = ',')]
    scenarios: Vec<Scenario>,
    /// The gateway's binary.
    #[arg(long, env = "LYCEUM_BIN")]
    bin: Option<PathBuf>,
    /// Without ours.
    #[arg(long, conflicts_with = "stand_in")]
    only_peers: bool,
    /// A pass-through in place of ours, to try the harness.
    #[arg(long)]
    stand_in: bool,
    /// Also play what is in no ratio: the flood against the Virtual Token Counter and first-come.
    #[arg(long)]
    reference: bool,
    /// Keep the data directories of ours, with their logs.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let ours = if arguments.only_peers {
        None
    } else if arguments.stand_in {
        Some(Ours::StandIn)
    } else {
        let binary = arguments.bin.clone().context("the gateway's binary: set LYCEUM_BIN")?;
        Some(Ours::prepare(binary, arguments.keep).await.context("cannot prepare the school")?)
    };
    let with_ours = matches!(ours, Some(Ours::Gateway { .. }));
    let seeds = all(&arguments, Arc::new(ours)).await?;
    Ok(if report::print(&seeds, with_ours) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays every scenario with every seed, a few at a time; results in the order of scenarios and seeds.
async fn all(arguments: &Arguments, ours: Arc<Option<Ours>>) -> Result<Vec<Seed>> {
    let lanes = Arc::new(Semaphore::new(arguments.lanes.max(1)));
    let mut runs = JoinSet::new();
    let wanted =
        Scenario::ALL.into_iter().filter(|one| arguments.scenarios.is_empty() || arguments.scenarios.contains(one));
    for (place, scenario) in wanted.enumerate() {
        for seed in 1..=arguments.seeds {
            let (lanes, ours, reference) = (Arc::clone(&lanes), Arc::clone(&ours), arguments.reference);
            runs.spawn(async move {
                let lane = lanes.acquire_owned().await;
                let parts = Parts { ours: ours.as_ref().as_ref(), reference };
                let result = match scenario.run(seed, parts).await {
                    Ok(result) => result,
                    Err(error) => Seed::broken(seed, format!("{scenario:?}, seed {seed}: {error:#}")),
                };
                drop(lane);
                eprintln!("{scenario:?}, seed {seed}: done");
                ((place, seed), result)
            });
        }
    }
    let mut results = Vec::new();
    while let Some(result) = runs.join_next().await {
        results.push(result?);
    }
    results.sort_by_key(|(place, _)| *place);
    Ok(results.into_iter().map(|(_, seed)| seed).collect())
}
