//! One window of 30 seconds to segments with times, by the rules of OpenAI's own decoder
//! (<https://github.com/openai/whisper>, `decoding.py` and `transcribe.py`).

use candle_core::{Device, Tensor};
use candle_transformers::models::whisper::{
    COMPRESSION_RATIO_THRESHOLD, LOGPROB_THRESHOLD, NO_SPEECH_THRESHOLD, TEMPERATURES, model, quantized_model,
};
use flate2::{Compression, write::ZlibEncoder};
use std::io::Write as _;

use super::tokens::Tokens;
use crate::backend::candle_chat::Sampler;

/// Seconds between two times that the model can say.
pub(super) const TICK: f64 = 0.02;
/// The first time that a window may begin with, in ticks: a second.
const LATEST_BEGIN: u32 = 50;

/// The network, as its file stores it.
pub(super) enum Network {
    Plain(Box<model::Whisper>),
    Quantized(Box<quantized_model::Whisper>),
}

impl Network {
    pub(super) fn encode(&mut self, picture: &Tensor) -> candle_core::Result<Tensor> {
        match self {
            Self::Plain(network) => network.encoder.forward(picture, true),
            Self::Quantized(network) => network.encoder.forward(picture, true),
        }
    }

    /// Scores of the token that follows each place of `tokens`, for the places asked for.
    fn scores(&mut self, tokens: &[u32], sound: &Tensor, begin: bool, place: usize) -> candle_core::Result<Vec<f32>> {
        let input = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
        let scores = match self {
            Self::Plain(network) => {
                let states = network.decoder.forward(&input, sound, begin)?;
                network.decoder.final_linear(&states.narrow(1, place, 1)?)?
            }
            Self::Quantized(network) => {
                let states = network.decoder.forward(&input, sound, begin)?;
                network.decoder.final_linear(&states.narrow(1, place, 1)?)?
            }
        };
        scores.flatten_all()?.to_vec1()
    }

    pub(super) fn reset(&mut self) {
        match self {
            Self::Plain(network) => network.reset_kv_cache(),
            Self::Quantized(network) => network.reset_kv_cache(),
        }
    }
}

/// Why a window was not decoded.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Nobody waits any longer.
    Cancelled,
    /// What candle said.
    Failed(String),
}

impl From<candle_core::Error> for Stopped {
    fn from(error: candle_core::Error) -> Self {
        Self::Failed(error.to_string().lines().next().unwrap_or_default().to_owned())
    }
}

/// What a window yields.
pub(super) struct Decoded {
    pub(super) tokens: Vec<u32>,
    /// Mean of the logarithms of the chances of its tokens.
    pub(super) mean: f64,
    pub(super) silent: bool,
}

/// The language that is likeliest, where the model knows several.
pub(super) fn language(network: &mut Network, tokens: &Tokens, sound: &Tensor) -> Result<Option<String>, Stopped> {
    if tokens.languages.is_empty() {
        return Ok(None);
    }
    let scores = network.scores(&[tokens.start], sound, true, 0)?;
    let score = |id: u32| scores.get(id as usize).copied().unwrap_or(f32::MIN);
    let best = tokens.languages.iter().max_by(|a, b| score(*a.1).total_cmp(&score(*b.1)));
    Ok(best.map(|(code, _)| code.clone()))
}

/// Decodes with rising temperature until the text is neither unlikely nor a repetition.
pub(super) fn window(
    network: &mut Network,
    tokens: &Tokens,
    sound: &Tensor,
    prefix: &[u32],
    limit: usize,
    going_on: &dyn Fn() -> bool,
) -> Result<Decoded, Stopped> {
    let mut last = None;
    for temperature in TEMPERATURES {
        let decoded = once(network, tokens, sound, prefix, limit, temperature as f32, going_on)?;
        let text: Vec<u32> = decoded.tokens.iter().copied().filter(|id| *id < tokens.end).collect();
        let repeated = compression(&tokens.text(&text)) > COMPRESSION_RATIO_THRESHOLD;
        let good = decoded.silent || (decoded.mean >= LOGPROB_THRESHOLD && !repeated);
        last = Some((decoded, repeated));
        if good {
            break;
        }
    }
    match last {
        // A text that still repeats itself at every temperature is made up.
        Some((decoded, repeated)) => Ok(Decoded { silent: decoded.silent || repeated, ..decoded }),
        None => Err(Stopped::Failed("no temperature to decode at".to_owned())),
    }
}

fn once(
    network: &mut Network,
    tokens: &Tokens,
    sound: &Tensor,
    prefix: &[u32],
    limit: usize,
    temperature: f32,
    going_on: &dyn Fn() -> bool,
) -> Result<Decoded, Stopped> {
    let mut sampler = Sampler::new(temperature.to_bits().into(), temperature, 1.0);
    let mut written: Vec<u32> = Vec::new();
    let (mut sum, mut quiet) = (0.0, 0.0);
    let begin = prefix.iter().rposition(|id| *id == tokens.start).unwrap_or(0);
    while written.len() < limit {
        if !going_on() {
            return Err(Stopped::Cancelled);
        }
        let all: Vec<u32> = prefix.iter().chain(&written).copied().collect();
        if written.is_empty()
            && let Some(no_speech) = tokens.no_speech
        {
            let scores = network.scores(&all, sound, true, begin)?;
            quiet = chance(&scores, no_speech);
        }
        let mut scores = network.scores(&all, sound, false, all.len() - 1)?;
        rules(tokens, &written, &mut scores);
        let Some(token) = sampler.choose(&scores, |id| scores.get(id as usize).is_some_and(|s| *s > f32::NEG_INFINITY))
        else {
            break;
        };
        sum += chance(&scores, token).max(1e-30).ln();
        if token == tokens.end {
            break;
        }
        written.push(token);
    }
    let mean = sum / (written.len() + 1) as f64;
    let silent = quiet > NO_SPEECH_THRESHOLD && mean < LOGPROB_THRESHOLD;
    Ok(Decoded { tokens: written, mean, silent })
}

/// The chance of a token among all that are not forbidden.
fn chance(scores: &[f32], token: u32) -> f64 {
    let top = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = scores.iter().map(|score| f64::from(score - top).exp()).filter(|x| x.is_finite()).sum();
    scores.get(token as usize).map_or(0.0, |score| f64::from(score - top).exp() / sum)
}

/// Forbids what cannot come next: times come in pairs and never go back.
fn rules(tokens: &Tokens, written: &[u32], scores: &mut [f32]) {
    let (times, end) = (tokens.times, tokens.end);
    let mut forbid = |range: std::ops::Range<u32>| {
        let last = scores.len();
        let (from, to) = ((range.start as usize).min(last), (range.end as usize).min(last));
        if let Some(range) = scores.get_mut(from..to.max(from)) {
            range.fill(f32::NEG_INFINITY);
        }
    };
    // Between the end and the first time stand marks that steer, and are never said.
    forbid(end + 1..times);
    for id in &tokens.suppressed {
        forbid(*id..*id + 1);
    }
    let time =
        |back: usize| written.len().checked_sub(back).and_then(|at| written.get(at)).is_some_and(|id| *id >= times);
    let last_time = written.iter().rev().find(|id| **id >= times).copied();
    match (time(1), written.len() < 2 || time(2)) {
        // Between two segments: a text begins.
        (true, true) => forbid(times..u32::MAX),
        // A text has ended: the next begins, or all ends.
        (true, false) => forbid(0..end),
        _ => {}
    }
    if let Some(last) = last_time {
        // A segment may begin where the last ended, but takes some time.
        let least = if time(1) && !(written.len() < 2 || time(2)) { last } else { last + 1 };
        forbid(times..least);
    }
    if written.is_empty() {
        forbid(0..times);
        forbid(times + LATEST_BEGIN + 1..u32::MAX);
    }
    // A time that is likelier than any one word is said.
    let split = (times as usize).min(scores.len());
    let (words, stamps) = scores.split_at(split);
    let top = stamps.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let together = top + stamps.iter().map(|score| (score - top).exp()).sum::<f32>().ln();
    if top > f32::NEG_INFINITY && together > words.iter().copied().fold(f32::NEG_INFINITY, f32::max) {
        scores.iter_mut().take(split).for_each(|score| *score = f32::NEG_INFINITY);
    }
}

/// How much shorter a text becomes when it is packed: much, where it repeats itself.
fn compression(text: &str) -> f64 {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    match encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()) {
        Ok(packed) if !packed.is_empty() => text.len() as f64 / packed.len() as f64,
        _ => 0.0,
    }
}
