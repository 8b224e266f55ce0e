//! What is measured and for how long.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The stub itself, reached without a gateway.
pub(crate) const DIRECT: &str = "direct";
/// The product.
pub(crate) const OURS: &str = "ours";

/// One system under test.
#[derive(Debug, Deserialize)]
pub(crate) struct Target {
    /// `direct`, `ours`, or the peer's name.
    pub(crate) name: String,
    /// Port on 127.0.0.1.
    pub(crate) port: u16,
    /// Headers of every request, the key above all.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The process to weigh, with its descendants.
    pub(crate) pid: Option<u32>,
    /// Which features were on, for the table.
    #[serde(default)]
    pub(crate) features: String,
    /// A stand-in proves the harness, not the product.
    #[serde(default)]
    pub(crate) stand_in: bool,
}

impl Target {
    /// Reads a target from a JSON file.
    pub(crate) fn read(file: &str) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file:?}"))?;
        serde_json::from_str(&text).with_context(|| format!("cannot understand {file:?}"))
    }

    /// The stub without a gateway.
    pub(crate) fn direct(port: u16) -> Self {
        Self {
            name: DIRECT.to_owned(),
            port,
            headers: BTreeMap::new(),
            pid: None,
            features: "no gateway".to_owned(),
            stand_in: false,
        }
    }
}

/// How long each part takes; every one may be set in the environment.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Rounds at one connection.
    pub(crate) rounds: usize,
    /// Rounds at sixteen connections.
    pub(crate) rounds_wide: usize,
    /// Requests of one target in one round at one connection, unless `cell` ends first.
    pub(crate) requests: usize,
    /// Streams of one target in one round at one connection, unless `cell` ends first.
    pub(crate) streams: usize,
    /// The longest that one target is measured in one round at one connection.
    pub(crate) cell: Duration,
    /// How long one target is measured in one round at sixteen connections.
    pub(crate) cell_wide: Duration,
}

impl Settings {
    /// Defaults that suit two cores and five minutes.
    pub(crate) fn from_environment() -> Result<Self> {
        Ok(Self {
            rounds: number("BENCH_ROUNDS", 7)?,
            rounds_wide: number("BENCH_ROUNDS_WIDE", 3)?,
            requests: number("BENCH_REQUESTS", 2_000)?,
            streams: number("BENCH_STREAMS", 100)?,
            cell: Duration::from_millis(number("BENCH_CELL_MS", 2_000)?),
            cell_wide: Duration::from_millis(number("BENCH_CELL_WIDE_MS", 3_000)?),
        })
    }
}

fn number<T: FromStr>(name: &str, default: T) -> Result<T> {
    match std::env::var(name) {
        Ok(text) => text.parse().ok().with_context(|| format!("{name} is not a number: {text:?}")),
        Err(_) => Ok(default),
    }
}
