//! Text by `/v1/chat/completions`.

use bytes::Bytes;
use domain::wire::{ChatRequest, Failure, Finish, Message};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::backend::http::{Counted, Http, media_type, said};
use crate::backend::{BackendError, ChatEnd};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
    stream: bool,
    stream_options: StreamOptions,
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Format<'a> {
    r#type: &'static str,
    json_schema: Schema<'a>,
}

#[derive(Serialize)]
struct Schema<'a> {
    name: &'static str,
    strict: bool,
    schema: &'a Value,
}

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Counted>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Delta {
    content: Option<String>,
}

/// Sends the text of the reply into `pieces` as it comes.
pub(super) async fn chat(
    http: &Http,
    request: &ChatRequest,
    pieces: &mpsc::Sender<String>,
) -> Result<ChatEnd, BackendError> {
    let schema = |schema| Schema { name: "reply", strict: true, schema };
    let body = Body {
        model: &request.model,
        messages: &request.messages,
        stream: true,
        stream_options: StreamOptions { include_usage: true },
        max_tokens: request.max_tokens,
        seed: request.seed,
        temperature: request.temperature,
        stop: &request.stop,
        response_format: request
            .schema
            .as_ref()
            .map(|value| Format { r#type: "json_schema", json_schema: schema(value) }),
    };
    let body = serde_json::to_vec(&body).map_err(BackendError::backend)?;
    let answer = http.post("/v1/chat/completions", body.into(), http.timing().first_byte).await?;
    let answer = answer.successful(&request.model).await?;
    if !media_type(&answer.content_type).eq_ignore_ascii_case("text/event-stream") {
        return Err(BackendError::backend(format!(
            "the model server answers with \"{}\"",
            media_type(&answer.content_type)
        )));
    }
    let mut lines = answer.body.lines();
    let mut end = ChatEnd::from(Finish::Stop);
    while let Some(line) = lines.next().await? {
        let Some(data) = data_of(&line) else { continue };
        if data == b"[DONE]" {
            lines.finish().await;
            return Ok(end);
        }
        let chunk: Chunk = serde_json::from_slice(data)
            .map_err(|error| BackendError::backend(format!("a piece of the stream cannot be read: {error}")))?;
        if chunk.error.is_some() {
            return Err(BackendError::backend(format!("the model server failed: {}", said(data))));
        }
        if let Some(counted) = chunk.usage {
            end.usage = Some(counted.into());
        }
        let Some(choice) = chunk.choices.into_iter().next() else { continue };
        if choice.finish_reason.as_deref() == Some("length") {
            end.finish = Finish::Length;
        }
        if let Some(text) = choice.delta.content.filter(|text| !text.is_empty())
            && pieces.send(text).await.is_err()
        {
            return Err(BackendError::Failed(Failure::Cancelled));
        }
    }
    Err(BackendError::backend("the model server did not finish: its stream ends without [DONE]"))
}

/// The data of a line of server-sent events; comments and other fields say nothing here.
fn data_of(line: &Bytes) -> Option<&[u8]> {
    Some(line.strip_prefix(b"data:")?.trim_ascii())
}
