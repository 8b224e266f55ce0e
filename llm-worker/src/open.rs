//! Opens the embedding model: which engine, which precision, how many lanes.

use std::sync::Arc;

use domain::wire::{Model, Task};

use crate::backend::candle::{CandleEncoder, CandleModel};
use crate::backend::onnx::OnnxEncoder;
use crate::cache::Cache;
use crate::catalog::{Catalog, CatalogModel};
use crate::config;
use crate::error::Error;
use crate::pool::{Encoder, Open, Pool};
use crate::tokenize::Tokens;

/// Tokens of one group. Measured on one core with texts of 4 to 256 tokens: up to 512 a group gains
/// (short texts fivefold), from 1,024 on it loses, since its activations leave the cache.
const GROUP_TOKENS: usize = 512;
/// More lanes for bulk work than this only multiply the memory.
const MAX_LANES: usize = 4;

/// What runs the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    /// ONNX Runtime: fast, needs its library and an exported model.
    Onnx,
    /// candle: slower, needs nothing but the weights.
    Candle,
}

/// How exactly the model computes; part of the model's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32-bit floats: both engines agree.
    #[default]
    Fp32,
    /// 8-bit weights: about twice as fast, ONNX Runtime only.
    Int8,
}

impl Precision {
    /// The spelling in model ids.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Int8 => "int8",
        }
    }
}

/// What to open.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The engine; without one ONNX Runtime where it is there, else candle.
    pub engine: Option<Engine>,
    /// The precision.
    pub precision: Precision,
    /// Cores to use; all by default.
    pub threads: Option<usize>,
}

/// An open embedding model.
pub struct Opened {
    /// Give this to a worker.
    pub backend: Arc<Pool>,
    /// The model's id with precision.
    pub model: String,
    /// The engine that was taken.
    pub engine: Engine,
    /// Why something better was not taken, for people.
    pub notices: Vec<String>,
}

/// Checks and loads the embedding model; takes up to seconds, so call it off the runtime's threads.
///
/// # Errors
/// When no engine can serve the precision; the message says what to do.
pub fn open_embedding(cache: &Cache, catalog: &Catalog, settings: &Settings) -> Result<Opened, Error> {
    let model = catalog.model("minilm")?;
    let cores = settings.threads.unwrap_or_else(config::cores).max(1);
    let mut notices = Vec::new();
    if settings.engine != Some(Engine::Candle) {
        match open_onnx(cache, catalog, model, settings.precision, cores) {
            Ok(backend) => {
                let backend = Arc::new(backend);
                return Ok(Opened {
                    backend,
                    model: model.id_of(settings.precision.name()),
                    engine: Engine::Onnx,
                    notices,
                });
            }
            // What an attacker may have exchanged is never worked around in silence.
            Err(error @ Error::Tampered { .. }) => return Err(error),
            Err(error) if settings.engine == Some(Engine::Onnx) || settings.precision == Precision::Int8 => {
                return Err(error);
            }
            Err(error) => {
                notices.push(format!("ONNX Runtime is not used: {error}; candle serves the same vectors, slower"))
            }
        }
    } else if settings.precision == Precision::Int8 {
        return Err(Error::load("the model", "candle has no int8; choose fp32 or ONNX Runtime"));
    }
    let backend = Arc::new(open_candle(cache, model, cores)?);
    Ok(Opened { backend, model: model.id_of("fp32"), engine: Engine::Candle, notices })
}

fn open_onnx(
    cache: &Cache,
    catalog: &Catalog,
    model: &CatalogModel,
    precision: Precision,
    cores: usize,
) -> Result<Pool, Error> {
    let library = cache.onnxruntime(catalog.runtime())?;
    let file = cache.checked(model, &format!("model.{}.onnx", precision.name()))?;
    let tokens = tokens(cache, model)?;
    let lane = |threads: usize| -> Open<OnnxEncoder> {
        let (library, file) = (library.clone(), file.clone());
        Box::new(move || OnnxEncoder::open(&library, &file, threads))
    };
    // int8 takes its ranges over the whole tensor, so a vector would depend on its neighbours.
    let group = match precision {
        Precision::Fp32 => GROUP_TOKENS,
        Precision::Int8 => 0,
    };
    start(served(model, precision, "onnx"), tokens, group, cores, lane)
}

fn open_candle(cache: &Cache, model: &CatalogModel, cores: usize) -> Result<Pool, Error> {
    let weights = cache.checked(model, "model.safetensors")?;
    let config = cache.checked(model, "config.json")?;
    let tokens = tokens(cache, model)?;
    let network = CandleModel::open(&config, &weights)?;
    let lane = |threads: usize| -> Open<CandleEncoder> {
        let network = network.clone();
        Box::new(move || CandleEncoder::open(network, threads))
    };
    start(served(model, Precision::Fp32, "candle"), tokens, GROUP_TOKENS, cores, lane)
}

/// The lane for queries has one thread: a query is a few milliseconds of one core, and threads that
/// meet after every operator wait for each other where bulk work takes the cores.
fn start<E: Encoder>(
    model: Model,
    tokens: Tokens,
    group_tokens: usize,
    cores: usize,
    lane: impl Fn(usize) -> Open<E>,
) -> Result<Pool, Error> {
    let lanes = cores.min(MAX_LANES);
    Pool::start(model, tokens, group_tokens, lane(1), (0..lanes).map(|_| lane(cores / lanes)).collect())
}

fn tokens(cache: &Cache, model: &CatalogModel) -> Result<Tokens, Error> {
    Tokens::open(&cache.checked(model, "tokenizer.json")?, model.max_tokens)
}

fn served(model: &CatalogModel, precision: Precision, backend: &str) -> Model {
    Model {
        dimension: Some(model.dimension),
        max_tokens: Some(model.max_tokens),
        ..Model::new(model.id_of(precision.name()), Task::Embed, backend)
    }
}
