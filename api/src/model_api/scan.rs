//! The few fields of a request that the gateway needs, read in place; the rest is skipped.

use std::borrow::Cow;
use std::ops::Range;

use llm_gateway::{Weight, prefix};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::fault::Fault;

/// Bytes of a token, roughly.
const TOKEN_BYTES: usize = 4;

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    model: &'a RawValue,
    #[serde(default)]
    stream: Option<bool>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    max_completion_tokens: Option<u32>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    seed: Option<i64>,
    #[serde(default, borrow)]
    messages: Option<&'a RawValue>,
    #[serde(default, borrow)]
    prompt: Option<&'a RawValue>,
    #[serde(default, borrow)]
    options: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
struct OllamaOptions {
    #[serde(default)]
    num_predict: Option<i64>,
    #[serde(default)]
    temperature: Option<f64>,
    #[serde(default)]
    seed: Option<i64>,
}

/// What was found.
pub(crate) struct Scan<'a> {
    pub(crate) model: Cow<'a, str>,
    pub(crate) stream: Option<bool>,
    /// Whether the same request has the same answer: no randomness, or a seed.
    pub(crate) determined: bool,
    /// Where the model's name stands, with its quotes.
    model_at: Option<Range<usize>>,
    max_tokens: Option<u32>,
    /// The part whose beginning requests of one conversation share.
    text: &'a str,
}

impl<'a> Scan<'a> {
    pub(crate) fn of(body: &'a [u8]) -> Result<Self, Fault> {
        let fields: Fields<'a> = serde_json::from_slice(body)
            .map_err(|error| Fault::invalid(format!("the body is not a request in JSON: {error}")))?;
        let name = fields.model.get();
        let model = serde_json::from_str::<Cow<'a, str>>(name)
            .ok()
            .filter(|model| !model.is_empty() && model.len() <= 200)
            .ok_or_else(|| Fault::invalid("\"model\" is the name of a model"))?;
        // Found again by its address: the value was borrowed from this very body.
        let start = (name.as_ptr() as usize).checked_sub(body.as_ptr() as usize);
        let model_at = start.map(|start| start..start + name.len()).filter(|at| at.end <= body.len());
        let options = fields.options.and_then(|options| serde_json::from_str::<OllamaOptions>(options.get()).ok());
        let options = options.unwrap_or_default();
        let temperature = fields.temperature.or(options.temperature);
        let by_options = || options.num_predict.and_then(|number| u32::try_from(number).ok());
        Ok(Self {
            model,
            stream: fields.stream,
            determined: temperature == Some(0.0) || fields.seed.or(options.seed).is_some(),
            model_at,
            max_tokens: fields.max_completion_tokens.or(fields.max_tokens).or_else(by_options),
            text: fields.messages.or(fields.prompt).map_or("", RawValue::get),
        })
    }

    pub(crate) fn weight(&self) -> Weight {
        Weight {
            prompt_tokens: u32::try_from(self.text.len() / TOKEN_BYTES + 1).unwrap_or(u32::MAX),
            max_tokens: self.max_tokens,
            prefix: prefix::of(self.text.as_bytes()),
            model_at: self.model_at.clone(),
        }
    }
}
