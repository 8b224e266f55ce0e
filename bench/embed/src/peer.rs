//! The `fastembed` crate with the product's model files and library, batching as it does by itself.

use std::time::Instant;

use anyhow::{Result, bail};
use fastembed::{InitOptionsUserDefined, OutputKey, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel};
use llm_worker::{Cache, Catalog};

use crate::{Command, Contestant, Outcome, cpu, write_vectors};

/// What fastembed wants to read and the model's folder does not have; the limit is the product's.
const TOKENIZER_CONFIG: &str = r#"{"model_max_length": 256, "max_length": 256, "pad_token": "[PAD]"}"#;
const SPECIAL_TOKENS: &str = r#"{"cls_token": "[CLS]", "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]"}"#;
const MAX_TOKENS: usize = 256;

pub struct Peer(TextEmbedding);

impl Peer {
    pub fn open(precision: &str, threads: usize) -> Result<Self> {
        let (cache, catalog) = (Cache::from_environment(), Catalog::built_in()?);
        let card = catalog.model("minilm")?;
        let environment = ort_environment(&cache, &catalog)?;
        let read = |name: &str| -> Result<Vec<u8>> { Ok(std::fs::read(cache.checked(card, name)?)?) };
        let files = TokenizerFiles {
            tokenizer_file: read("tokenizer.json")?,
            config_file: read("config.json")?,
            special_tokens_map_file: SPECIAL_TOKENS.into(),
            tokenizer_config_file: TOKENIZER_CONFIG.into(),
        };
        let model = UserDefinedEmbeddingModel::new(read(&format!("model.{precision}.onnx"))?, files);
        let model = UserDefinedEmbeddingModel { output_key: Some(OutputKey::ByName("sentence_embedding")), ..model };
        let options = InitOptionsUserDefined::new()
            .with_environment(environment)
            .with_max_length(MAX_TOKENS)
            .with_intra_threads(threads);
        Ok(Self(TextEmbedding::try_new_from_user_defined(model, options)?))
    }
}

fn ort_environment(cache: &Cache, catalog: &Catalog) -> Result<ort::environment::Environment> {
    Ok(ort::init_from(cache.onnxruntime(catalog.runtime())?)?.with_telemetry(false).build()?)
}

impl Contestant for Peer {
    fn perform(&mut self, command: Command, texts: &[String]) -> Result<Outcome> {
        let Command::Embed { from, to, batch, out } = command else { bail!("the peer only embeds") };
        let (begin, cpu) = (Instant::now(), cpu::seconds()?);
        let vectors = self.0.embed(&texts[from..to], batch)?;
        let outcome =
            Outcome { wall_s: begin.elapsed().as_secs_f64(), cpu_s: cpu::seconds()? - cpu, ..Outcome::default() };
        if let Some(out) = out {
            write_vectors(&out, &vectors)?;
        }
        Ok(outcome)
    }
}
