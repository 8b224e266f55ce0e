//! The few fields of a request that the gateway needs, read in place; the rest is skipped.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use llm_gateway::{Weight, prefix};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
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
            prompt_tokens: u32::try_from(said(self.text).div_ceil(TOKEN_BYTES)).unwrap_or(u32::MAX),
            max_tokens: self.max_tokens,
            prefix: prefix::of(self.text.as_bytes()),
            model_at: self.model_at.clone(),
        }
    }
}

/// Bytes of what is said in messages or a prompt; names of fields, roles and pictures are no words.
fn said(text: &str) -> usize {
    serde_json::from_str::<Said>(text).map_or(text.len(), |said| said.0)
}

struct Said(usize);

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Name {
    #[serde(rename = "content", alias = "text", alias = "thinking", alias = "tool_calls", alias = "function")]
    #[serde(alias = "arguments")]
    Spoken,
    #[serde(other)]
    Other,
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = Said;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("messages or a prompt")
    }

    fn visit_str<E>(self, text: &str) -> Result<Said, E> {
        Ok(Said(text.len()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Said, E> {
        Ok(Said(0))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Said, E> {
        Ok(Said(0))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Said, E> {
        Ok(Said(TOKEN_BYTES))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Said, E> {
        Ok(Said(0))
    }

    fn visit_unit<E>(self) -> Result<Said, E> {
        Ok(Said(0))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Said, A::Error> {
        let mut bytes = 0;
        while let Some(Said(more)) = parts.next_element()? {
            bytes += more;
        }
        Ok(Said(bytes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Said, A::Error> {
        let mut bytes = 0;
        while let Some(name) = fields.next_key()? {
            match name {
                Name::Spoken => bytes += fields.next_value::<Said>()?.0,
                Name::Other => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Said(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_is_counted() {
        assert_eq!(said(r#""four""#), 4);
        assert_eq!(said(r#"["one", "two"]"#), 6);
        assert_eq!(said("[17, 4]"), 2 * TOKEN_BYTES, "a prompt of token numbers");
        let messages = r#"[{"role":"system","content":"a\nb"},{"role":"user","content":[{"type":"text","text":"five5"},
            {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAAAAAAAAAAAAAA"}}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"7","function":{"name":"f","arguments":"{}"}}]}]"#;
        assert_eq!(said(messages), 3 + 5 + 2);
        assert_eq!(said("no json"), 7);
    }
}
