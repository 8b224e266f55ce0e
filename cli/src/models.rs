//! Opens the models that the configuration asks for and attaches them to the gateway.

use std::sync::Arc;

use llm_gateway::Gateway;
use llm_worker::backend::scripted::Scripted;
use llm_worker::{Backend, Cache, Catalog, Engine, Precision, Settings, Worker, open_embedding};
use tokio_util::task::TaskTracker;

use crate::config::Config;

/// What was attached.
pub(crate) struct Attached {
    /// What runs the embedding model.
    pub(crate) runtime: String,
    /// What is missing, and what that costs.
    pub(crate) notices: Vec<String>,
}

/// The folder of models of this configuration.
pub(crate) fn cache(config: &Config) -> Cache {
    config.model_dir().map_or_else(Cache::from_environment, Cache::at)
}

/// Starts a worker in this process with every model that can be had; a school works without any.
pub(crate) async fn attach(config: &Config, gateway: &Gateway, tasks: &TaskTracker) -> Attached {
    let mut attached = Attached { runtime: "nothing".into(), notices: Vec::new() };
    let mut backends: Vec<Arc<dyn Backend>> = Vec::new();
    if config.embedding_model == "none" {
        attached.notices.push("the embedding model is switched off: keyword search only".into());
    } else {
        match embedding(config).await {
            Ok(opened) => {
                attached.runtime = match opened.engine {
                    Engine::Onnx => "ONNX Runtime".into(),
                    Engine::Candle => "candle".into(),
                };
                attached.notices.extend(opened.notices);
                backends.push(opened.backend);
            }
            Err(reason) => attached.notices.push(format!(
                "no embedding model: keyword search and refusal by terms only; fetch it with: lyceum model pull ({reason})"
            )),
        }
    }
    if !config.scripted_chat.is_empty() {
        match Scripted::from_file(std::path::Path::new(&config.scripted_chat)) {
            Ok(scripted) => backends.push(Arc::new(scripted)),
            Err(error) => attached.notices.push(format!("no scripted chat: {error}")),
        }
    }
    if !backends.is_empty() {
        let (link, serving) = gateway.attach_in_process();
        tasks.spawn(serving);
        let worker = Worker::new("in-process", backends);
        tasks.spawn(async move {
            let ended = worker.serve(link).await;
            tracing::debug!(?ended, "the worker in this process has ended");
        });
        gateway.ready().await;
    }
    attached
}

async fn embedding(config: &Config) -> Result<llm_worker::Opened, String> {
    let settings = Settings {
        engine: match config.embedding_runtime.as_str() {
            "onnx" => Some(Engine::Onnx),
            "candle" => Some(Engine::Candle),
            _ => None,
        },
        precision: if config.embedding_model.ends_with("@int8") { Precision::Int8 } else { Precision::Fp32 },
        threads: None,
    };
    let cache = cache(config);
    let opened = tokio::task::spawn_blocking(move || {
        let catalog = Catalog::built_in()?;
        open_embedding(&cache, &catalog, &settings)
    });
    opened.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}
