//! The network of a GGUF file, by candle.

use std::fs::File;
use std::io::BufReader;

use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::{Device, Tensor};
use candle_transformers::models::{quantized_llama, quantized_qwen2, quantized_qwen3};

use super::header::Header;

/// Tokens of one step over a prompt; between two steps a request can be taken back.
///
/// Steps are powers of two at multiples of themselves, since candle keeps a mask for every shape
/// that it has met: these are few.
const STEP: usize = 128;

/// What the header says of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) architecture: String,
    /// Tokens that it was made for, and that candle can place.
    pub(super) context: usize,
    pub(super) vocabulary: usize,
}

enum Kind {
    /// The second is untouched: cloning it is how masks and memory are let go.
    Llama(Box<quantized_llama::ModelWeights>, Box<quantized_llama::ModelWeights>),
    Qwen2(Box<quantized_qwen2::ModelWeights>),
    Qwen3(Box<quantized_qwen3::ModelWeights>),
}

/// A network and the tokens that it remembers.
pub(super) struct Network {
    kind: Kind,
    remembered: Vec<u32>,
}

impl Shape {
    /// Checks what candle takes on trust.
    pub(super) fn of(header: &Header) -> Result<Self, String> {
        let architecture = header.text("general.architecture").unwrap_or_default();
        if !["llama", "qwen2", "qwen3"].contains(&architecture) {
            let name: String = architecture.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(format!("architecture \"{name}\" is not supported; llama, qwen2 and qwen3 are"));
        }
        let number = |name: &str, most: usize| {
            let key = format!("{architecture}.{name}");
            match header.whole::<usize>(&key) {
                Some(n) if n > 0 && n <= most => Ok(n),
                Some(_) => Err(format!("\"{key}\" is out of bounds")),
                None => Err(format!("\"{key}\" is missing")),
            }
        };
        let context = number("context_length", 16_777_216)?;
        let width = number("embedding_length", 65_536)?;
        number("block_count", 1_024)?;
        let heads = number("attention.head_count", 4_096)?;
        let shared = number("attention.head_count_kv", 4_096)?;
        if width % heads != 0 || heads % shared != 0 {
            return Err("its heads do not share its width".to_owned());
        }
        let context = match architecture {
            "llama" => {
                // Without these two candle would divide by nothing or place no token.
                let turned = number("rope.dimension_count", 65_536)?;
                if turned != width / heads || turned % 2 != 0 {
                    return Err("its rotation does not fit its heads".to_owned());
                }
                context.min(quantized_llama::MAX_SEQ_LEN)
            }
            "qwen3" => {
                let length = number("attention.key_length", 65_536)?;
                if length % 2 != 0 {
                    return Err("its heads cannot be rotated".to_owned());
                }
                context
            }
            _ if (width / heads) % 2 != 0 => return Err("its heads cannot be rotated".to_owned()),
            _ => context,
        };
        let embedding = header.tensors.get("token_embd.weight").map(|tensor| tensor.dimensions.as_slice());
        let vocabulary = match embedding {
            Some([inner, outer]) if *inner == width as u64 => usize::try_from(*outer).unwrap_or(usize::MAX),
            _ => return Err("its embedding has another width".to_owned()),
        };
        Ok(Self { architecture: architecture.to_owned(), context, vocabulary })
    }
}

impl Network {
    /// Loads the weights of a file whose header was checked, to read up to `context` tokens.
    pub(super) fn load(file: &File, shape: &Shape, context: usize) -> candle_core::Result<Self> {
        let mut reader = BufReader::with_capacity(1024 * 1024, file);
        std::io::Seek::rewind(&mut reader)?;
        let mut content = Content::read(&mut reader)?;
        // Tables are made for this many tokens, and exactly: in half precision places beyond 2,048 blur.
        let key = format!("{}.context_length", shape.architecture);
        content.metadata.insert(key, Value::U32(u32::try_from(context).unwrap_or(u32::MAX)));
        content.metadata.insert("general.dtype".to_owned(), Value::U32(0));
        let device = Device::Cpu;
        let kind = match shape.architecture.as_str() {
            "llama" => {
                let weights = quantized_llama::ModelWeights::from_gguf(content, &mut reader, &device)?;
                Kind::Llama(Box::new(weights.clone()), Box::new(weights))
            }
            "qwen2" => Kind::Qwen2(Box::new(quantized_qwen2::ModelWeights::from_gguf(content, &mut reader, &device)?)),
            _ => Kind::Qwen3(Box::new(quantized_qwen3::ModelWeights::from_gguf(content, &mut reader, &device)?)),
        };
        Ok(Self { kind, remembered: Vec::new() })
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        self.remembered.clear();
        match &mut self.kind {
            Kind::Llama(used, untouched) => used.clone_from(untouched),
            Kind::Qwen2(weights) => weights.clear_kv_cache(),
            Kind::Qwen3(weights) => weights.clear_kv_cache(),
        }
    }

    /// Prepares for a prompt and says how many of its tokens are already known: all that the last
    /// request left behind, where the prompt goes on from there and `reuse` allows it.
    ///
    /// Only llama: candle's qwen2 would keep masks of ever new shapes, its qwen3 keeps two
    /// memories that part after the first reply.
    pub(super) fn begin(&mut self, prompt: &[u32], reuse: bool) -> usize {
        let goes_on =
            !self.remembered.is_empty() && prompt.len() > self.remembered.len() && prompt.starts_with(&self.remembered);
        if reuse && goes_on && matches!(self.kind, Kind::Llama(..)) {
            return self.remembered.len();
        }
        self.forget();
        0
    }

    /// How many of `left` tokens the next step over a prompt takes, from place `at`.
    pub(super) fn step(at: usize, left: usize) -> usize {
        let fits = if at == 0 { STEP } else { STEP.min(1 << at.trailing_zeros().min(20)) };
        let most = fits.min(left).max(1);
        1 << most.ilog2()
    }

    /// Reads tokens behind those that it remembers, and yields the scores of the next.
    pub(super) fn read(&mut self, tokens: &[u32]) -> candle_core::Result<Vec<f32>> {
        let input = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
        let at = self.remembered.len();
        let scores = match &mut self.kind {
            Kind::Llama(weights, _) => weights.forward(&input, at)?,
            Kind::Qwen2(weights) => weights.forward(&input, at)?,
            Kind::Qwen3(weights) => weights.forward(&input, at)?,
        };
        self.remembered.extend_from_slice(tokens);
        scores.flatten_all()?.to_vec1()
    }
}
