//! A chat model of random weights, made here: two layers, and a byte-level vocabulary of a few
//! hundred tokens. It says word salad, but by the same code as a real one.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};

pub(crate) const WIDTH: usize = 64;
const HEADS: usize = 4;
const LAYERS: usize = 2;
const INNER: usize = 128;
pub(crate) const CONTEXT: u32 = 512;
pub(crate) const TEMPLATE: &str =
    "{% for m in messages %}<|im_start|>{{m['role']}}\n{{m['content']}}<|im_end|>\n{% endfor %}<|im_start|>assistant\n";

const SPECIAL: [&str; 5] = ["<|pad|>", "<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>"];
const WORDS: &str = "the teacher explained how sun warms ocean and water rises into air a binary search tree keeps its keys in sorted order score feedback good system user assistant";

/// Random numbers of a fixed seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// About normal: the sum of twelve uniform numbers.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| (self.next() >> 40) as f32 / (1_u64 << 24) as f32).sum::<f32>() - 6.0
    }

    pub(crate) fn matrix(&mut self, rows: usize, columns: usize, scale: f32) -> Vec<f32> {
        (0..rows * columns).map(|_| self.normal() * scale).collect()
    }
}

/// Letter of each byte in a byte-level vocabulary.
fn letters() -> Vec<char> {
    let mut moved = 256_u32..;
    (0..=255_u8)
        .map(|byte| match byte {
            b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => char::from(byte),
            _ => char::from_u32(moved.next().unwrap()).unwrap(),
        })
        .collect()
}

/// Tokens and merges: all bytes, and the words with their begins.
pub(crate) fn vocabulary() -> (Vec<String>, Vec<String>) {
    let mut tokens: Vec<String> = SPECIAL.iter().map(|token| (*token).to_owned()).collect();
    tokens.extend(letters().iter().map(char::to_string));
    let mut merges = Vec::new();
    for word in WORDS.split(' ').flat_map(|word| [word.to_owned(), format!("\u{120}{word}")]) {
        let mut begin = String::new();
        for letter in word.chars() {
            let longer = format!("{begin}{letter}");
            if !begin.is_empty() && !tokens.contains(&longer) {
                merges.push(format!("{begin} {letter}"));
                tokens.push(longer.clone());
            }
            begin = longer;
        }
    }
    (tokens, merges)
}

fn texts(texts: &[String]) -> Value {
    Value::Array(texts.iter().cloned().map(Value::String).collect())
}

fn metadata(architecture: &str, tokens: &[String], merges: &[String], template: Option<&str>) -> Vec<(String, Value)> {
    let mut entries: Vec<(String, Value)> = [
        ("context_length", CONTEXT),
        ("embedding_length", WIDTH as u32),
        ("block_count", LAYERS as u32),
        ("feed_forward_length", INNER as u32),
        ("attention.head_count", HEADS as u32),
        ("attention.head_count_kv", HEADS as u32 / 2),
        ("attention.key_length", (WIDTH / HEADS) as u32),
        ("rope.dimension_count", (WIDTH / HEADS) as u32),
    ]
    .map(|(name, number)| (format!("{architecture}.{name}"), Value::U32(number)))
    .to_vec();
    entries.push((format!("{architecture}.attention.layer_norm_rms_epsilon"), Value::F32(1e-5)));
    entries.push((format!("{architecture}.rope.freq_base"), Value::F32(10_000.0)));
    let types = (0..tokens.len()).map(|id| Value::I32(if id < SPECIAL.len() { 3 } else { 1 })).collect();
    let pre = if architecture == "llama" { "gpt-2" } else { "qwen2" };
    for (name, value) in [
        ("general.architecture", Value::String(architecture.to_owned())),
        ("tokenizer.ggml.model", Value::String("gpt2".to_owned())),
        ("tokenizer.ggml.pre", Value::String(pre.to_owned())),
        ("tokenizer.ggml.tokens", texts(tokens)),
        ("tokenizer.ggml.token_type", Value::Array(types)),
        ("tokenizer.ggml.merges", texts(merges)),
        ("tokenizer.ggml.bos_token_id", Value::U32(1)),
        ("tokenizer.ggml.eos_token_id", Value::U32(2)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
    ] {
        entries.push((name.to_owned(), value));
    }
    if let Some(template) = template {
        entries.push(("tokenizer.chat_template".to_owned(), Value::String(template.to_owned())));
    }
    entries
}

/// Writes a model; `ending` is how readily it ends its reply (90 is at once, -9 is never).
pub(crate) fn write(folder: &Path, architecture: &str, ending: f32, template: Option<&str>) -> PathBuf {
    let (tokens, merges) = vocabulary();
    let letters = letters();
    let mut random = Random(0);
    let mut tensors: Vec<(String, QTensor)> = Vec::new();
    let mut add = |name: String, data: Vec<f32>, shape: &[usize], kind: GgmlDType| {
        let tensor = Tensor::from_vec(data, shape, &Device::Cpu).unwrap();
        tensors.push((name, QTensor::quantize(&tensor, kind).unwrap()));
    };
    // The first number of a state is the same everywhere, so that the first column of the output
    // is how readily a token is said: without it random weights say control characters.
    let mut embedding = random.matrix(tokens.len(), WIDTH, 0.08);
    let mut output = random.matrix(tokens.len(), WIDTH, 0.5);
    for (id, token) in tokens.iter().enumerate() {
        embedding[id * WIDTH] = 0.5;
        let readable = token.chars().all(|c| {
            let byte = letters.iter().position(|letter| *letter == c).unwrap();
            (32..127).contains(&byte)
        });
        output[id * WIDTH] = match id {
            4 => ending,
            _ if id < SPECIAL.len() || !readable => -9.0,
            _ if token.chars().count() > 2 => 0.0,
            _ => -0.5,
        };
    }
    add("token_embd.weight".to_owned(), embedding, &[tokens.len(), WIDTH], GgmlDType::F32);
    add("output.weight".to_owned(), output, &[tokens.len(), WIDTH], GgmlDType::F32);
    add("output_norm.weight".to_owned(), vec![1.0; WIDTH], &[WIDTH], GgmlDType::F32);
    let (head, shared) = (WIDTH / HEADS, WIDTH / 2);
    for layer in 0..LAYERS {
        let name = |part: &str| format!("blk.{layer}.{part}");
        for (part, rows, columns) in [
            ("attn_q.weight", WIDTH, WIDTH),
            ("attn_k.weight", shared, WIDTH),
            ("attn_v.weight", shared, WIDTH),
            ("attn_output.weight", WIDTH, WIDTH),
            ("ffn_gate.weight", INNER, WIDTH),
            ("ffn_up.weight", INNER, WIDTH),
            ("ffn_down.weight", WIDTH, INNER),
        ] {
            let mut data = random.matrix(rows, columns, 0.08);
            if ["attn_output.weight", "ffn_down.weight"].contains(&part) {
                data[..columns].fill(0.0);
            }
            add(name(part), data, &[rows, columns], GgmlDType::Q8_0);
        }
        let mut vectors = vec![("attn_norm.weight", WIDTH, 1.0), ("ffn_norm.weight", WIDTH, 1.0)];
        match architecture {
            "qwen2" => vectors.extend([
                ("attn_q.bias", WIDTH, 0.01),
                ("attn_k.bias", shared, 0.01),
                ("attn_v.bias", shared, 0.01),
            ]),
            "qwen3" => vectors.extend([("attn_q_norm.weight", head, 1.0), ("attn_k_norm.weight", head, 1.0)]),
            _ => {}
        }
        for (part, length, value) in vectors {
            add(name(part), vec![value; length], &[length], GgmlDType::F32);
        }
    }
    let path = folder.join(format!("{architecture}-tiny.gguf"));
    let entries = metadata(architecture, &tokens, &merges, template);
    let entries: Vec<(&str, &Value)> = entries.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut BufWriter::new(File::create(&path).unwrap()), &entries, &tensors).unwrap();
    path
}
