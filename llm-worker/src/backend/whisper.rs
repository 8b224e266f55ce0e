//! Speech to text by a Whisper model in this process, by candle.
//!
//! The administrator supplies the folder; nothing is fetched here. candle was chosen over
//! whisper.cpp's bindings because it is already part of the binary, needs no C++ compiler, and
//! reads the published `model.safetensors` as it is; which of the two is faster was not measured,
//! since that takes weights. One recording is heard at a time.

mod decode;
mod mel;
mod tokens;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::whisper::{Config, N_FRAMES, N_SAMPLES, model, quantized_model};
use candle_transformers::quantized_var_builder;
use domain::wire::{Abilities, Failure, Model, Segment, Task, TranscribeRequest, Transcript};
use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::Semaphore;

use self::decode::{Decoded, Network, Stopped, TICK};
use self::tokens::Tokens;
use super::audio::{self, Audio, RATE};
use super::candle_chat::header::Header;
use super::{Backend, BackendError, child};
use crate::cache::sha256_of;
use crate::config;
use crate::error::Error;

/// Which model to open, and how it is run.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WhisperSettings {
    /// The folder: `config.json`, `tokenizer.json`, and `model.safetensors` or `model.gguf`.
    pub folder: PathBuf,
    /// The model's id; the folder's name by default.
    pub name: Option<String>,
    /// The sha256 of the weights in hexadecimal: any other file is refused.
    pub sha256: Option<String>,
    /// ffmpeg.
    pub ffmpeg: PathBuf,
    /// Cores to use; all by default.
    pub threads: Option<usize>,
    /// Longest recording, in minutes.
    pub max_minutes: u32,
}

impl Default for WhisperSettings {
    fn default() -> Self {
        Self {
            folder: PathBuf::new(),
            name: None,
            sha256: None,
            ffmpeg: PathBuf::from("ffmpeg"),
            threads: None,
            max_minutes: 120,
        }
    }
}

/// An open Whisper model.
pub struct Whisper {
    model: Model,
    ffmpeg: PathBuf,
    max_minutes: u32,
    heard: Arc<Ear>,
    turns: Semaphore,
}

struct Ear {
    network: Mutex<Network>,
    threads: ThreadPool,
    tokens: Tokens,
    config: Config,
    filters: Vec<f32>,
}

/// Checks and loads a Whisper model; takes up to minutes, so call it off the runtime's threads.
///
/// # Errors
/// When a file is missing, was exchanged or does not fit, or ffmpeg is not there.
pub fn open_whisper(settings: &WhisperSettings) -> Result<Arc<Whisper>, Error> {
    let folder = settings.folder.as_path();
    let what = format!("\"{}\"", folder.display());
    if !child::found(&settings.ffmpeg) {
        let program = settings.ffmpeg.display();
        return Err(Error::load(&what, format!("\"{program}\" is missing (sudo apt-get install ffmpeg)")));
    }
    let name = settings.name.clone().or_else(|| folder.file_name().map(|name| name.to_string_lossy().into_owned()));
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| Error::load(&what, "it is no folder"))?;
    let config = read_config(&folder.join("config.json"))?;
    let tokens = Tokens::open(&folder.join("tokenizer.json"), config.suppress_tokens.clone())?;
    if (tokens.times as usize) >= config.vocab_size {
        return Err(Error::load(&what, "the tokenizer has tokens that the network does not know"));
    }
    let quantized = folder.join("model.gguf");
    let weights = if quantized.is_file() { quantized } else { folder.join("model.safetensors") };
    if !weights.is_file() {
        return Err(Error::load(&what, "it has neither model.safetensors nor model.gguf"));
    }
    let found = sha256_of(&weights)?;
    if let Some(expected) = settings.sha256.as_ref().filter(|expected| !expected.eq_ignore_ascii_case(&found)) {
        return Err(Error::Tampered { path: weights, expected: expected.clone(), found });
    }
    let threads = ThreadPoolBuilder::new()
        .num_threads(settings.threads.unwrap_or_else(config::cores).max(1))
        .build()
        .map_err(|error| Error::load("the threads of candle", error))?;
    let network = load(&weights, &config, &threads)?;
    let version = Some(format!("sha256:{found}"));
    Ok(Arc::new(Whisper {
        model: Model {
            abilities: Abilities { version, ..Abilities::default() },
            ..Model::new(name, Task::Transcribe, "whisper")
        },
        ffmpeg: settings.ffmpeg.clone(),
        max_minutes: settings.max_minutes,
        heard: Arc::new(Ear {
            network: Mutex::new(network),
            threads,
            tokens,
            filters: mel::filters(config.num_mel_bins),
            config,
        }),
        turns: Semaphore::new(1),
    }))
}

fn read_config(path: &Path) -> Result<Config, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    let wrong = |reason: String| Error::load("the model's config", reason);
    let mut json: serde_json::Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if let Some(object) = json.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    let config: Config = serde_json::from_value(json).map_err(|error| wrong(error.to_string()))?;
    let heads = [config.encoder_attention_heads, config.decoder_attention_heads];
    let divides = heads.iter().all(|heads| *heads > 0 && config.d_model.is_multiple_of(*heads));
    let bounded = (4..=16_384).contains(&config.d_model)
        && (1..=256).contains(&config.num_mel_bins)
        && (1..=256).contains(&config.encoder_layers)
        && (1..=256).contains(&config.decoder_layers)
        && (1..=1_000_000).contains(&config.vocab_size)
        && (16..=65_536).contains(&config.max_target_positions)
        && config.max_source_positions == N_FRAMES / 2;
    if divides && bounded { Ok(config) } else { Err(wrong("it is out of bounds".to_owned())) }
}

fn load(path: &Path, config: &Config, threads: &ThreadPool) -> Result<Network, Error> {
    let what = format!("\"{}\"", path.display());
    let open = || -> Result<Network, String> {
        let text = |error: candle_core::Error| error.to_string().lines().next().unwrap_or_default().to_owned();
        if path.extension().is_some_and(|ending| ending == "gguf") {
            let mut file = File::open(path).map_err(|error| error.to_string())?;
            let size = file.metadata().map_err(|error| error.to_string())?.len();
            Header::read(&mut file, size).map_err(|error| error.to_string())?;
            let variables = quantized_var_builder::VarBuilder::from_gguf(path, &Device::Cpu).map_err(text)?;
            let network = quantized_model::Whisper::load(&variables, config.clone()).map_err(text)?;
            return Ok(Network::Quantized(Box::new(network)));
        }
        // Read whole: a memory map would need `unsafe`, since the file could change beneath it.
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        let variables = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu).map_err(text)?;
        let network = model::Whisper::load(&variables, config.clone()).map_err(text)?;
        Ok(Network::Plain(Box::new(network)))
    };
    catch_unwind(AssertUnwindSafe(|| threads.install(open)))
        .unwrap_or_else(|_| Err("its weights do not fit together".to_owned()))
        .map_err(|reason| Error::load(&what, reason))
}

/// Tells the thread when the caller lets go.
struct Cancel(Arc<AtomicBool>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl Backend for Whisper {
    fn models(&self) -> Vec<Model> {
        vec![self.model.clone()]
    }

    async fn transcribe(&self, request: TranscribeRequest) -> Result<Transcript, BackendError> {
        let language = request.language.filter(|code| !code.is_empty());
        let languages = &self.heard.tokens.languages;
        let unknown = match &language {
            Some(code) if languages.is_empty() => code != "en",
            Some(code) => !languages.contains_key(code),
            None => false,
        };
        if unknown {
            let message = format!("\"{}\" does not know this language", self.model.id);
            return Err(BackendError::Failed(Failure::Invalid { message }));
        }
        let _turn = self.turns.acquire().await.map_err(BackendError::backend)?;
        let audio = audio::decode(&self.ffmpeg, request.audio.0, self.max_minutes.saturating_mul(60)).await?;
        let cancelled = Arc::new(AtomicBool::new(false));
        let _cancel = Cancel(Arc::clone(&cancelled));
        let ear = Arc::clone(&self.heard);
        let hear = move || {
            let heard = AssertUnwindSafe(|| {
                ear.threads.install(|| {
                    let going_on = || !cancelled.load(Ordering::Relaxed);
                    ear.transcript(&audio, language, request.prompt.as_deref(), &going_on)
                })
            });
            catch_unwind(heard).unwrap_or_else(|_| Err(Stopped::Failed("the network panicked".to_owned())))
        };
        let outcome = tokio::task::spawn_blocking(hear).await.map_err(BackendError::backend)?;
        outcome.map_err(|stopped| match stopped {
            Stopped::Cancelled => BackendError::Failed(Failure::Cancelled),
            Stopped::Failed(reason) => BackendError::backend(reason),
        })
    }
}

impl Ear {
    fn transcript(
        &self,
        audio: &Audio,
        language: Option<String>,
        hint: Option<&str>,
        going_on: &dyn Fn() -> bool,
    ) -> Result<Transcript, Stopped> {
        // Of a request that was let go the network may still be in use for a moment.
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        let samples: Vec<f32> = audio.samples.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
        let mut transcript = Transcript { language, duration: audio.seconds(), segments: Vec::new() };
        let limit = self.config.max_target_positions / 2;
        let mut at = 0;
        while let Some(rest) = samples.get(at..).filter(|rest| rest.len() > RATE / 10) {
            if !going_on() {
                return Err(Stopped::Cancelled);
            }
            let picture = mel::spectrogram(&self.config, &self.filters, rest);
            let picture = Tensor::from_vec(picture, (1, self.config.num_mel_bins, N_FRAMES), &Device::Cpu)?;
            network.reset();
            let sound = network.encode(&picture)?;
            if transcript.language.is_none() {
                transcript.language = decode::language(&mut network, &self.tokens, &sound)?;
            }
            let mut prefix = self.tokens.prefix(transcript.language.as_deref(), hint);
            if prefix.len() + limit > self.config.max_target_positions {
                prefix = self.tokens.prefix(transcript.language.as_deref(), None);
            }
            let limit = limit.min(self.config.max_target_positions.saturating_sub(prefix.len()));
            let decoded = decode::window(&mut network, &self.tokens, &sound, &prefix, limit, going_on)?;
            let length = rest.len().min(N_SAMPLES) as f64 / RATE as f64;
            let (segments, next) = self.segments(&decoded, length);
            let offset = at as f64 / RATE as f64;
            transcript.segments.extend(segments.into_iter().map(|segment| Segment {
                start: segment.start + offset,
                end: segment.end + offset,
                ..segment
            }));
            // At least a column on, so that every recording ends.
            at += ((next.max(mel::COLUMN) * RATE as f64) as usize).max(1);
        }
        if transcript.language.is_none() {
            transcript.language = Some("en".to_owned()).filter(|_| self.tokens.languages.is_empty());
        }
        Ok(transcript)
    }

    /// The segments of a window of `length` seconds, and where the next window begins.
    fn segments(&self, decoded: &Decoded, length: f64) -> (Vec<Segment>, f64) {
        if decoded.silent {
            return (Vec::new(), length);
        }
        let seconds = |id: u32| (f64::from(id - self.tokens.times) * TICK).min(length);
        let (mut segments, mut start, mut words) = (Vec::new(), None, Vec::new());
        let mut add = |start: f64, end: f64, words: &mut Vec<u32>| {
            let text = self.tokens.text(&std::mem::take(words)).trim().to_owned();
            if !text.is_empty() {
                let confidence = Some(decoded.mean.exp());
                segments.push(Segment { start, end: end.max(start), text, confidence, words: Vec::new() });
            }
        };
        let mut closed = None;
        for id in &decoded.tokens {
            if *id < self.tokens.end {
                words.push(*id);
            } else if *id >= self.tokens.times {
                match start {
                    Some(begun) if !words.is_empty() => {
                        add(begun, seconds(*id), &mut words);
                        (start, closed) = (None, Some(seconds(*id)));
                    }
                    _ => start = Some(seconds(*id)),
                }
            }
        }
        match (start, closed) {
            // The last text goes on behind the window: it is heard again from where it begins.
            (Some(begun), Some(_)) if begun > 0.0 => return (segments, begun),
            (Some(begun), None) if !words.is_empty() => add(begun, length, &mut words),
            _ => {}
        }
        // The window was heard to its end, also behind the last time that was said.
        (segments, length)
    }
}
