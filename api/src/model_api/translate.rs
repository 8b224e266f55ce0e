//! Requests of both protocols in our own terms, for models without a server that speaks theirs.

use axum::response::Response;
use domain::wire::{ChatRequest, Message, Role};
use llm_gateway::Gateway;
use serde::Deserialize;
use serde_json::Value;

use super::Terms;
use super::fault::{Fault, Style};
use super::render::{Rendering, Shape};

/// Most tokens of a reply that says no limit.
const USUAL_TOKENS: u32 = 1_024;

#[derive(Deserialize)]
struct Asked {
    model: String,
    #[serde(default)]
    messages: Vec<AskedMessage>,
    #[serde(default)]
    prompt: Option<Value>,
    #[serde(default)]
    system: Option<String>,
    #[serde(default)]
    max_tokens: Option<u32>,
    #[serde(default)]
    max_completion_tokens: Option<u32>,
    #[serde(default)]
    temperature: Option<f32>,
    #[serde(default)]
    seed: Option<i64>,
    #[serde(default)]
    stop: Option<OneOrMany>,
    #[serde(default)]
    response_format: Option<ResponseFormat>,
    /// Ollama's: `"json"` or a schema.
    #[serde(default)]
    format: Option<Value>,
    #[serde(default)]
    options: Option<Options>,
    #[serde(default)]
    tools: Option<Vec<Value>>,
    #[serde(default)]
    n: Option<u32>,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct AskedMessage {
    role: String,
    #[serde(default)]
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    text: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn list(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts,
        }
    }
}

#[derive(Deserialize)]
struct ResponseFormat {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    json_schema: Option<JsonSchema>,
}

#[derive(Deserialize)]
struct JsonSchema {
    #[serde(default)]
    schema: Option<Value>,
}

#[derive(Deserialize, Default)]
struct Options {
    #[serde(default)]
    temperature: Option<f32>,
    #[serde(default)]
    seed: Option<i64>,
    #[serde(default)]
    num_predict: Option<i64>,
    #[serde(default)]
    stop: Option<OneOrMany>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// Asks in our own terms and renders the reply.
pub(crate) async fn run(
    gateway: &Gateway,
    body: &[u8],
    style: Style,
    path: &str,
    stream: bool,
    terms: Terms,
) -> Result<Response, Fault> {
    let asked: Asked = serde_json::from_slice(body)
        .map_err(|error| Fault::invalid(format!("the body is not a request in JSON: {error}")))?;
    let shape = match path {
        "/v1/chat/completions" => Shape::ChatCompletion,
        "/v1/completions" => Shape::Completion,
        "/api/chat" => Shape::OllamaChat,
        _ => Shape::OllamaGenerate,
    };
    let usage = asked.stream_options.as_ref().is_some_and(|options| options.include_usage);
    let (model, request) = request(asked)?;
    if !gateway.known(&model).is_some_and(|known| known.task == domain::wire::Task::Chat) {
        return Err(match gateway.known(&model) {
            Some(_) => Fault::invalid(format!("\"{model}\" does not generate text")),
            None => llm_gateway::GatewayError::NoModel { alias: model }.into(),
        });
    }
    let bytes: usize = request.messages.iter().map(|message| message.content.len()).sum();
    // A stream is held to its schema by the backend alone: what was sent cannot be asked for again.
    if request.schema.is_some() && !stream {
        let reply = gateway.structured(terms.class, request, terms.deadline).await?;
        let rendering = Rendering::new(shape, model, bytes, usage);
        return Ok(rendering.said(&reply.value.to_string(), domain::wire::Finish::Stop));
    }
    let reply = gateway.chat(terms.class, request, terms.deadline).await?;
    let rendering = Rendering::new(shape, model, bytes, usage);
    if stream { Ok(rendering.pieces(reply, style)) } else { rendering.whole(reply).await }
}

fn request(asked: Asked) -> Result<(String, ChatRequest), Fault> {
    if asked.tools.as_ref().is_some_and(|tools| !tools.is_empty()) {
        return Err(Fault::invalid(format!("\"{}\" takes no tools", asked.model)));
    }
    if asked.n.is_some_and(|n| n > 1) {
        return Err(Fault::invalid("\"n\" is 1 here"));
    }
    let options = asked.options.unwrap_or_default();
    let mut messages = Vec::new();
    if let Some(system) = asked.system.filter(|text| !text.is_empty()) {
        messages.push(Message { role: Role::System, content: system });
    }
    for message in asked.messages {
        messages.push(Message { role: role(&message.role)?, content: text(message.content)? });
    }
    match asked.prompt {
        Some(Value::String(prompt)) => messages.push(Message { role: Role::User, content: prompt }),
        Some(_) => return Err(Fault::invalid("\"prompt\" is one text here")),
        None => {}
    }
    if messages.is_empty() {
        return Err(Fault::invalid("there is nothing to answer: \"messages\" or \"prompt\" is empty"));
    }
    let schema = match (asked.response_format, asked.format) {
        (Some(format), _) if format.kind == "json_schema" => format.json_schema.and_then(|schema| schema.schema),
        (Some(format), _) if format.kind == "json_object" => Some(serde_json::json!({ "type": "object" })),
        (_, Some(Value::String(name))) if name == "json" => Some(serde_json::json!({ "type": "object" })),
        (_, Some(schema @ Value::Object(_))) => Some(schema),
        _ => None,
    };
    let predict = options.num_predict.and_then(|number| u32::try_from(number).ok());
    let request = ChatRequest {
        model: asked.model.clone(),
        messages,
        schema,
        max_tokens: asked.max_completion_tokens.or(asked.max_tokens).or(predict).unwrap_or(USUAL_TOKENS),
        seed: asked.seed.or(options.seed).map(i64::cast_unsigned),
        temperature: asked.temperature.or(options.temperature),
        stop: asked.stop.or(options.stop).map(OneOrMany::list).unwrap_or_default(),
    };
    Ok((asked.model, request))
}

fn role(name: &str) -> Result<Role, Fault> {
    match name {
        "system" | "developer" => Ok(Role::System),
        "user" => Ok(Role::User),
        "assistant" => Ok(Role::Assistant),
        other => Err(Fault::invalid(format!("a message of \"{other}\" cannot be given to this model"))),
    }
}

fn text(content: Option<Content>) -> Result<String, Fault> {
    match content {
        None => Ok(String::new()),
        Some(Content::Text(text)) => Ok(text),
        Some(Content::Parts(parts)) => {
            if let Some(part) = parts.iter().find(|part| part.kind != "text") {
                return Err(Fault::invalid(format!("a part of type \"{}\" cannot be given to this model", part.kind)));
            }
            Ok(parts.into_iter().map(|part| part.text).collect::<Vec<_>>().join("\n"))
        }
    }
}
