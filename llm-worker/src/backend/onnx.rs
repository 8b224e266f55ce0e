//! Embedding with ONNX Runtime, whose library is loaded at run time.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::session::Session;
use ort::value::TensorRef;

use crate::error::Error;
use crate::pool::Encoder;

/// The one environment of the process; the library cannot be exchanged once it is loaded.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

fn environment(library: &Path) -> Result<Environment, Error> {
    let mut environment = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = environment.as_ref() {
        return Ok(environment.clone());
    }
    let made = ort::init_from(library)
        .map_err(|error| Error::load("ONNX Runtime", error))?
        .with_name("lyceum")
        .with_telemetry(false)
        .build()
        .map_err(|error| Error::load("ONNX Runtime", error))?;
    Ok(environment.insert(made).clone())
}

/// One session; the graph pools and normalises by itself.
pub struct OnnxEncoder {
    session: Session,
}

impl OnnxEncoder {
    /// Loads a checked model file for a lane with this many threads.
    ///
    /// # Errors
    /// When the library or the model cannot be loaded.
    pub fn open(library: &Path, model: &Path, threads: usize) -> Result<Self, Error> {
        let environment = environment(library)?;
        let open = || -> ort::Result<Session> {
            Session::builder(&environment)?
                .with_intra_threads(threads)?
                .with_inter_threads(1)?
                // Lanes share the cores: a thread that spins while it waits takes one away.
                .with_intra_op_spinning(false)?
                // Shapes change with every group, so a pattern learnt from one is memory wasted.
                .with_memory_pattern(false)?
                .commit_from_file(model)
        };
        Ok(Self { session: open().map_err(|error| Error::load(model.display().to_string(), error))? })
    }

    fn run(&mut self, ids: &[Vec<u32>]) -> ort::Result<Vec<Vec<f32>>> {
        let length = ids.first().map_or(0, Vec::len);
        let flat: Vec<i64> = ids.iter().flatten().map(|id| i64::from(*id)).collect();
        let mask = vec![1_i64; flat.len()];
        let shape = [ids.len(), length];
        let outputs = self.session.run(ort::inputs! {
            "input_ids" => TensorRef::from_array_view((shape, flat.as_slice()))?,
            "attention_mask" => TensorRef::from_array_view((shape, mask.as_slice()))?,
        })?;
        let Some(output) = outputs.get("sentence_embedding") else { return Ok(Vec::new()) };
        let (shape, values) = output.try_extract_tensor::<f32>()?;
        let dimension = shape.last().and_then(|last| usize::try_from(*last).ok()).unwrap_or(0).max(1);
        Ok(values.chunks_exact(dimension).map(<[f32]>::to_vec).collect())
    }
}

impl Encoder for OnnxEncoder {
    fn encode(&mut self, ids: &[Vec<u32>]) -> Result<Vec<Vec<f32>>, String> {
        self.run(ids).map_err(|error| error.to_string())
    }
}
