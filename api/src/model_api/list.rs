//! What models there are, in both protocols. Nothing here fetches, makes or removes a model.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::wire::{Model, Task};
use llm_gateway::GatewayError;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::{Fault, Style};
use super::{arrived, key};
use crate::App;

/// `GET /v1/models`
pub(crate) async fn models(app: State<App>, headers: HeaderMap) -> Response {
    if let Err(fault) = key::asker(&app, &headers).await {
        return fault.render(Style::OpenAi);
    }
    let data: Vec<Value> = app.ports.gateway.models().iter().map(|status| card(&status.model)).collect();
    Json(json!({ "object": "list", "data": data })).into_response()
}

/// `GET /v1/models/{model}`
pub(crate) async fn model(app: State<App>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if let Err(fault) = key::asker(&app, &headers).await {
        return fault.render(Style::OpenAi);
    }
    match app.ports.gateway.known(&name) {
        Some(model) => Json(card(&model)).into_response(),
        None => Fault::from(GatewayError::NoModel { alias: name }).render(Style::OpenAi),
    }
}

fn card(model: &Model) -> Value {
    json!({ "id": model.id, "object": "model", "created": 0, "owned_by": model.backend })
}

/// `GET /api/tags`
pub(crate) async fn tags(app: State<App>, headers: HeaderMap) -> Response {
    if let Err(fault) = key::asker(&app, &headers).await {
        return fault.render(Style::Ollama);
    }
    let models: Vec<Value> = app.ports.gateway.models().iter().map(|status| tag(&status.model)).collect();
    Json(json!({ "models": models })).into_response()
}

/// `GET /api/ps`: what is loaded now.
pub(crate) async fn ps(app: State<App>, headers: HeaderMap) -> Response {
    if let Err(fault) = key::asker(&app, &headers).await {
        return fault.render(Style::Ollama);
    }
    let loaded = app.ports.gateway.models().into_iter().filter(|status| status.loaded > 0);
    let models: Vec<Value> = loaded
        .map(|status| {
            let mut value = tag(&status.model);
            if let Some(object) = value.as_object_mut() {
                object.insert("expires_at".to_owned(), json!("0001-01-01T00:00:00Z"));
                object.insert("size_vram".to_owned(), json!(0));
            }
            value
        })
        .collect();
    Json(json!({ "models": models })).into_response()
}

fn tag(model: &Model) -> Value {
    json!({
        "name": model.id, "model": model.id, "modified_at": "1970-01-01T00:00:00Z", "size": 0,
        "digest": model.abilities.version.clone().unwrap_or_default(), "details": details(model),
    })
}

fn details(model: &Model) -> Value {
    json!({ "format": model.backend, "family": model.backend, "families": [], "parent_model": "",
        "parameter_size": "", "quantization_level": "" })
}

/// `GET /api/version`: this build's, so that a client knows what it talks to.
pub(crate) async fn version() -> Response {
    Json(json!({ "version": env!("CARGO_PKG_VERSION"), "server": "lyceum" })).into_response()
}

#[derive(Deserialize)]
struct Asked {
    #[serde(alias = "name")]
    model: String,
}

/// `POST /api/show`
pub(crate) async fn show(app: State<App>, sent: Request) -> Response {
    if let Err(fault) = key::asker(&app, sent.headers()).await {
        return fault.render(Style::Ollama);
    }
    let body = match arrived(sent.into_body()).await {
        Ok(body) => body,
        Err(fault) => return fault.render(Style::Ollama),
    };
    let Ok(asked) = serde_json::from_slice::<Asked>(&body) else {
        return Fault::invalid("the body names no \"model\"").render(Style::Ollama);
    };
    let Some(model) = app.ports.gateway.known(&asked.model) else {
        return Fault::from(GatewayError::NoModel { alias: asked.model }).render(Style::Ollama);
    };
    let mut capabilities = vec![match model.task {
        Task::Embed => "embedding",
        Task::Transcribe => "transcription",
        Task::Chat | Task::Unknown => "completion",
    }];
    if model.abilities.tools == Some(true) {
        capabilities.push("tools");
    }
    let value = json!({
        "details": details(&model), "capabilities": capabilities, "parameters": "", "template": "",
        "model_info": { "general.architecture": model.backend, "context_length": model.max_tokens,
            "embedding_length": model.dimension },
    });
    (StatusCode::OK, Json(value)).into_response()
}
