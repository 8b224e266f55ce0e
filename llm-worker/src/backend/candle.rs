//! Embedding with candle: the same weights and no part outside the binary.

use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::error::Error;
use crate::pool::Encoder;

/// The loaded network, shared by all lanes.
#[derive(Clone)]
pub struct CandleModel(Arc<BertModel>);

impl CandleModel {
    /// Loads checked `config.json` and `model.safetensors`.
    ///
    /// # Errors
    /// When they do not describe such a network.
    pub fn open(config: &Path, weights: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(config).map_err(Error::io("read", config))?;
        let config: Config = serde_json::from_str(&text).map_err(|error| Error::load("the model's config", error))?;
        // Read whole: a memory map would need `unsafe`, since the file could change beneath it.
        let bytes = std::fs::read(weights).map_err(Error::io("read", weights))?;
        let model = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu)
            .and_then(|variables| BertModel::load(variables, &config))
            .map_err(|error| Error::load("the model's weights", error))?;
        Ok(Self(Arc::new(model)))
    }
}

/// The network and the threads of one lane.
///
/// candle spreads every product over the pool that it is called in. On the pool of the process the
/// lanes would wait for each other: measured 42 sentences a second, with a pool each 113.
pub struct CandleEncoder {
    model: CandleModel,
    threads: ThreadPool,
}

impl CandleEncoder {
    /// A lane with this many threads; they take the priority of the thread that calls this.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn open(model: CandleModel, threads: usize) -> Result<Self, Error> {
        let threads = ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|error| Error::load("the threads of candle", error))?;
        Ok(Self { model, threads })
    }

    fn run(&self, ids: &[Vec<u32>]) -> candle_core::Result<Vec<Vec<f32>>> {
        let length = ids.first().map_or(0, Vec::len);
        let flat: Vec<u32> = ids.iter().flatten().copied().collect();
        let input = Tensor::from_vec(flat, (ids.len(), length), &Device::Cpu)?;
        let states = self.model.0.forward(&input, &input.zeros_like()?, None)?;
        // Nothing is padded, so the mean over the mask is the mean over the length.
        let mean = states.mean(1)?;
        let norm = mean.sqr()?.sum_keepdim(1)?.sqrt()?;
        mean.broadcast_div(&norm)?.to_vec2()
    }
}

impl Encoder for CandleEncoder {
    fn encode(&mut self, ids: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, String> {
        self.threads.install(|| self.run(ids)).map_err(|error| error.to_string())
    }
}
