//! Vectors, in both protocols.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use domain::wire::Task;
use llm_gateway::Gateway;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Terms;
use super::carry::response;
use super::fault::{Fault, Style};

#[derive(Deserialize)]
struct Asked {
    model: String,
    #[serde(alias = "prompt")]
    input: Input,
    #[serde(default)]
    encoding_format: Option<String>,
    #[serde(default)]
    dimensions: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Input {
    One(String),
    Many(Vec<String>),
    Tokens(serde::de::IgnoredAny),
}

/// Vectors of a model without a server of this protocol.
pub(crate) async fn run(
    gateway: &Gateway,
    body: &[u8],
    style: Style,
    path: &str,
    terms: Terms,
) -> Result<Response, Fault> {
    let asked: Asked = serde_json::from_slice(body)
        .map_err(|error| Fault::invalid(format!("the body is not a request in JSON: {error}")))?;
    let single = matches!(asked.input, Input::One(_));
    let texts = match asked.input {
        Input::One(text) => vec![text],
        Input::Many(texts) => texts,
        Input::Tokens(_) => return Err(Fault::invalid("\"input\" is a text or a list of texts here, not tokens")),
    };
    if texts.is_empty() {
        return Err(Fault::invalid("\"input\" is empty"));
    }
    match gateway.known(&asked.model) {
        Some(model) if model.task != Task::Embed => {
            return Err(Fault::invalid(format!("\"{}\" makes no vectors", asked.model)));
        }
        Some(model) if asked.dimensions.is_some() && asked.dimensions != model.dimension => {
            return Err(Fault::invalid(format!("\"{}\" has vectors of one length only", asked.model)));
        }
        _ => {}
    }
    let tokens: usize = texts.iter().map(|text| text.len() / 4 + 1).sum();
    let vectors = gateway.embed(terms.class, &asked.model, texts, terms.deadline).await?;
    let value = match style {
        Style::OpenAi => {
            let base64 = asked.encoding_format.as_deref() == Some("base64");
            let data: Vec<Value> = vectors
                .iter()
                .enumerate()
                .map(|(index, vector)| {
                    let embedding = if base64 { json!(packed(vector)) } else { json!(vector) };
                    json!({ "object": "embedding", "index": index, "embedding": embedding })
                })
                .collect();
            json!({ "object": "list", "model": asked.model, "data": data,
                "usage": { "prompt_tokens": tokens, "total_tokens": tokens } })
        }
        Style::Ollama if path == "/api/embeddings" && single => json!({ "embedding": vectors.first() }),
        Style::Ollama => json!({ "model": asked.model, "embeddings": vectors, "prompt_eval_count": tokens }),
    };
    let kind = HeaderValue::from_static("application/json");
    Ok(response(StatusCode::OK, Some(kind), Body::from(value.to_string())))
}

/// A vector as OpenAI's clients ask for it: little-endian floats in base64 (RFC 4648).
fn packed(vector: &[f32]) -> String {
    use base64::Engine as _;
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
