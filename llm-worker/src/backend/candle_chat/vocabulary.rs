//! The vocabulary of a model: text to tokens, and the bytes of each token.
//!
//! It comes from the model file's own metadata, or from a `tokenizer.json` beside it.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Value as Json, json};
use tokenizers::Tokenizer;

use super::header::{Header, Value};
use crate::error::Error;

/// How text is cut before pairs are merged, as the model was trained; by name in GGUF.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Texts of tokens that end a reply, whatever the metadata says.
const ENDS: [&str; 7] =
    ["<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<|endoftext|>", "<|end_of_text|>", "</s>"];
/// A tokenizer file larger than this is none.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Type of a token in GGUF that steers the model and is no text.
const CONTROL: i128 = 3;
/// Type of a token in GGUF that is taken whole wherever it stands.
const USER_DEFINED: i128 = 4;

/// Stand around the number of a marked text while a template runs.
const MARKS: [char; 2] = ['\u{E000}', '\u{E001}'];

/// What a model reads and writes.
pub(super) struct Vocabulary {
    tokenizer: Tokenizer,
    /// The same, blind to tokens that steer the model.
    plain: Tokenizer,
    /// What each token writes; nothing for tokens that are no text.
    bytes: Vec<Vec<u8>>,
    steering: Vec<String>,
    ends: Vec<u32>,
    /// Set before every prompt that does not begin with it.
    bos: Option<u32>,
    bos_text: String,
    eos_text: String,
    /// Whether the first token's space is no part of the reply.
    leading_space: bool,
}

impl Vocabulary {
    /// From `tokenizer.json` where it is given, else from the header.
    pub(super) fn open(header: &Header, file: Option<&Path>) -> Result<Self, Error> {
        let json = match file {
            Some(path) => {
                let size = std::fs::metadata(path).map_err(Error::io("read", path))?.len();
                if size > MAX_FILE {
                    return Err(Error::load("the tokenizer", "its file is too large"));
                }
                let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
                serde_json::from_slice(&bytes).map_err(|error| Error::load("the tokenizer", error))?
            }
            None => described(header).map_err(|reason| Error::load("the tokenizer", reason))?,
        };
        Self::of(&json, header).map_err(|reason| Error::load("the tokenizer", reason))
    }

    fn of(json: &Json, header: &Header) -> Result<Self, String> {
        let text = json.to_string();
        let mut tokenizer: Tokenizer = text.parse().map_err(|error| format!("{error}"))?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
        let mut plain = tokenizer.clone();
        plain.set_encode_special_tokens(true);
        let byte_level = json.get("decoder").is_some_and(|decoder| decoder.to_string().contains("\"ByteLevel\""));
        let added = tokenizer.get_added_tokens_decoder();
        let count = tokenizer.get_vocab(true).values().max().map_or(0, |last| *last as usize + 1);
        // Every model here has fewer than 300,000; a gap in the numbers must not cost memory.
        if count == 0 || count > 1_000_000 {
            return Err(format!("{count} tokens are not a vocabulary"));
        }
        let alphabet = byte_alphabet();
        let mut bytes = vec![Vec::new(); count];
        for (id, slot) in (0_u32..).zip(bytes.iter_mut()) {
            *slot = match added.get(&id) {
                Some(token) if token.special => Vec::new(),
                Some(token) => token.content.clone().into_bytes(),
                None => {
                    let token = tokenizer.id_to_token(id).unwrap_or_default();
                    if byte_level { level_bytes(&token, &alphabet) } else { piece_bytes(&token) }
                }
            };
        }
        let steering = added.values().filter(|token| token.special).map(|token| token.content.clone()).collect();
        let named = |name: &str| header.whole::<u32>(&format!("tokenizer.ggml.{name}_token_id"));
        let mut ends: Vec<u32> = ENDS.iter().filter_map(|text| tokenizer.token_to_id(text)).collect();
        ends.extend([named("eos"), named("eot")].into_iter().flatten());
        ends.retain(|id| (*id as usize) < count);
        ends.sort_unstable();
        ends.dedup();
        for end in &ends {
            if let Some(slot) = bytes.get_mut(*end as usize) {
                slot.clear();
            }
        }
        if ends.is_empty() {
            return Err("no token ends a reply".to_owned());
        }
        let text_of = |id: Option<u32>| id.and_then(|id| tokenizer.id_to_token(id)).unwrap_or_default();
        let spm = header.text("tokenizer.ggml.model") == Some("llama");
        let begins = header.flag("tokenizer.ggml.add_bos_token").unwrap_or(spm);
        Ok(Self {
            bos: named("bos").filter(|id| begins && (*id as usize) < count),
            bos_text: text_of(named("bos")),
            eos_text: text_of(named("eos")),
            bytes,
            steering,
            ends,
            leading_space: !byte_level,
            tokenizer,
            plain,
        })
    }

    /// What each token writes, by number.
    pub(super) fn bytes(&self) -> &[Vec<u8>] {
        &self.bytes
    }

    /// Tokens that end a reply.
    pub(super) fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Text of the token that begins a text, and of the one that ends it.
    pub(super) fn bos_and_eos(&self) -> (&str, &str) {
        (&self.bos_text, &self.eos_text)
    }

    /// Whether the first token's space is no part of the reply.
    pub(super) fn leading_space(&self) -> bool {
        self.leading_space
    }

    /// Whether it has a token of this text.
    pub(super) fn has(&self, token: &str) -> bool {
        self.tokenizer.token_to_id(token).is_some()
    }

    /// The same text with everything marked that would steer the model: a person's words never do.
    pub(super) fn harmless(&self, text: &str) -> String {
        let mut text = text.replace(MARKS, "\u{FFFD}");
        for (number, token) in self.steering.iter().enumerate() {
            if !token.is_empty() && text.contains(token.as_str()) {
                text = text.replace(token.as_str(), &format!("{}{number}{}", MARKS[0], MARKS[1]));
            }
        }
        text
    }

    /// The tokens of a prompt whose contents went through [`Self::harmless`].
    pub(super) fn prompt(&self, text: &str) -> Result<Vec<u32>, String> {
        let encode = |tokenizer: &Tokenizer, text: &str| {
            tokenizer.encode_fast(text, false).map(|encoding| encoding.get_ids().to_vec()).map_err(|e| e.to_string())
        };
        let mut ids = Vec::new();
        for (place, part) in text.split(MARKS).enumerate() {
            let marked = if place % 2 == 1 { part.parse().ok() } else { None };
            match marked.and_then(|number: usize| self.steering.get(number)) {
                Some(token) => ids.extend(encode(&self.plain, token)?),
                None => ids.extend(encode(&self.tokenizer, part)?),
            }
        }
        if let Some(bos) = self.bos
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        Ok(ids)
    }
}

/// The bytes behind the letters of a byte-level vocabulary, as GPT-2 chose them.
fn byte_alphabet() -> HashMap<char, u8> {
    let printable = |byte: u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let mut moved = 256_u32..;
    (0..=255_u8)
        .filter_map(|byte| {
            let code = if printable(byte) { Some(u32::from(byte)) } else { moved.next() };
            code.and_then(char::from_u32).map(|c| (c, byte))
        })
        .collect()
}

fn level_bytes(token: &str, alphabet: &HashMap<char, u8>) -> Vec<u8> {
    token.chars().map(|c| alphabet.get(&c).copied()).collect::<Option<Vec<u8>>>().unwrap_or_default()
}

fn piece_bytes(token: &str) -> Vec<u8> {
    let byte = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
        Some(byte) => vec![byte],
        None => token.replace('\u{2581}', " ").into_bytes(),
    }
}

/// The tokenizer that a header describes, in the form of `tokenizer.json`.
fn described(header: &Header) -> Result<Json, String> {
    let tokens =
        header.texts("tokenizer.ggml.tokens").ok_or("the model file has none; put tokenizer.json beside it")?;
    let types = match header.metadata.get("tokenizer.ggml.token_type") {
        Some(Value::Wholes(types)) => types.as_slice(),
        _ => &[],
    };
    let kind = |id: usize| types.get(id).copied().unwrap_or(1);
    let added: Vec<Json> = tokens
        .iter()
        .enumerate()
        .filter(|(id, token)| !token.is_empty() && [CONTROL, USER_DEFINED].contains(&kind(*id)))
        .map(|(id, token)| {
            json!({"id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": kind(id) == CONTROL})
        })
        .collect();
    let vocab: serde_json::Map<String, Json> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), Json::from(id))).collect();
    let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false});
    let cut = |pattern: &str| {
        json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false}, byte_level]})
    };
    let file = |normalizer: Json, pre_tokenizer: Json, decoder: Json, model: Json| {
        json!({"version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": normalizer,
               "pre_tokenizer": pre_tokenizer, "post_processor": null, "decoder": decoder, "model": model})
    };
    match header.text("tokenizer.ggml.model") {
        Some("gpt2") => {
            let merges = header.texts("tokenizer.ggml.merges").ok_or("the model file names no merges")?;
            let merges: Vec<Json> = merges.iter().filter_map(|pair| pair.split_once(' ')).map(|p| json!(p)).collect();
            let pre = header.text("tokenizer.ggml.pre").unwrap_or("default");
            let (normalizer, pre_tokenizer) = match pre {
                "default" | "gpt-2" | "gpt2" => {
                    let mut with_regex = byte_level.clone();
                    if let Some(slot) = with_regex.get_mut("use_regex") {
                        *slot = Json::Bool(true);
                    }
                    (Json::Null, with_regex)
                }
                "llama-bpe" | "llama3" | "llama-v3" => (Json::Null, cut(LLAMA3)),
                "qwen2" | "deepseek-r1-qwen" => (json!({"type": "NFC"}), cut(QWEN2)),
                other => {
                    let other: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
                    return Err(format!("how \"{other}\" cuts text is unknown; put tokenizer.json beside the model"));
                }
            };
            let whole = pre.starts_with("llama");
            let model = json!({"type": "BPE", "vocab": vocab, "merges": merges, "ignore_merges": whole});
            Ok(file(normalizer, pre_tokenizer, byte_level.clone(), model))
        }
        Some("llama") => {
            let Some(Value::Reals(scores)) = header.metadata.get("tokenizer.ggml.scores") else {
                return Err("the model file names no scores".to_owned());
            };
            let merges = merges_of(tokens, scores);
            let mut steps = vec![json!({"type": "Replace", "pattern": {"String": " "}, "content": "\u{2581}"})];
            if header.flag("tokenizer.ggml.add_space_prefix").unwrap_or(true) {
                steps.insert(0, json!({"type": "Prepend", "prepend": "\u{2581}"}));
            }
            let decoder = json!({"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"}]});
            let unknown = header.whole::<usize>("tokenizer.ggml.unknown_token_id").and_then(|id| tokens.get(id));
            let model = json!({"type": "BPE", "vocab": vocab, "merges": merges, "unk_token": unknown,
                               "fuse_unk": true, "byte_fallback": true});
            Ok(file(json!({"type": "Sequence", "normalizers": steps}), Json::Null, decoder, model))
        }
        _ => Err("its kind is unknown; put tokenizer.json beside the model".to_owned()),
    }
}

/// Merges that choose as SentencePiece does: of two neighbours, the pair whose union scores best.
fn merges_of(tokens: &[String], scores: &[f64]) -> Vec<Json> {
    let ids: HashMap<&str, usize> = tokens.iter().enumerate().map(|(id, token)| (token.as_str(), id)).collect();
    let mut pairs = Vec::new();
    for (id, token) in tokens.iter().enumerate() {
        // A piece is at most 16 letters in SentencePiece; a longer one is no union of pairs.
        if token.len() > 256 {
            continue;
        }
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(l), Some(r)) = (ids.get(left), ids.get(right)) {
                pairs.push((scores.get(id).copied().unwrap_or(f64::MIN), *l, *r, left, right));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    pairs.into_iter().map(|(_, _, _, left, right)| json!([left, right])).collect()
}
