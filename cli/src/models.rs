//! Opens the models that the configuration asks for and attaches them to the gateway.

use std::sync::Arc;
use std::time::Duration;

use domain::wire::ForwardRequest;
use futures::StreamExt as _;
use llm_gateway::{Gateway, GatewayError};
use llm_worker::backend::BackendError;
use llm_worker::backend::scripted::{Reply, Rule, Scripted};
use llm_worker::{Cache, Catalog, Engine, Precision, Settings, Worker, open_embedding};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;

/// How long the worker in this process may take to register.
const REGISTERS: Duration = Duration::from_secs(5);
/// Name of the worker in this process.
const IN_PROCESS: &str = "in-process";

/// One rule of a scripted chat model's file: a JSON list of these.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptedRule {
    /// Said when the prompt contains this, in any case.
    pattern: String,
    /// What is said.
    reply: String,
}

fn scripted(path: &std::path::Path) -> Result<Scripted, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let rules: Vec<ScriptedRule> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    Ok(Scripted::new(rules.iter().map(|rule| Rule::new(&rule.pattern, Reply::text(&rule.reply))).collect()))
}

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

/// A worker with every model that can be had here, not yet serving.
pub(crate) async fn worker(config: &Config, name: String) -> (Worker, Attached) {
    let mut attached = Attached { runtime: "nothing".into(), notices: Vec::new() };
    let mut worker = Worker::new(name);
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
                worker = worker.with_backend(opened.backend);
            }
            Err(reason) => attached.notices.push(format!(
                "no embedding model: keyword search and refusal by terms only; fetch it with: lyceum model pull ({reason})"
            )),
        }
    }
    for backend in local(config, &mut attached.notices).await {
        worker = worker.with_backend(backend);
    }
    if !config.scripted_chat.is_empty() {
        match scripted(std::path::Path::new(&config.scripted_chat)) {
            Ok(scripted) => worker = worker.with_backend(Arc::new(scripted)),
            Err(reason) => attached.notices.push(format!("no scripted chat: {reason}")),
        }
    }
    (worker, attached)
}

/// Language models and ears that the administrator gave; what cannot be opened is a notice.
async fn local(config: &Config, notices: &mut Vec<String>) -> Vec<Arc<dyn llm_worker::Backend>> {
    use llm_worker::backend::{candle_chat::open_chat, pocketsphinx::open_pocketsphinx, whisper::open_whisper};
    let (gguf, whisper, sphinx) = (config.gguf.clone(), config.whisper.clone(), config.pocketsphinx.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let (mut backends, mut notices) = (Vec::<Arc<dyn llm_worker::Backend>>::new(), Vec::new());
        for settings in &gguf {
            match open_chat(settings) {
                Ok(opened) => {
                    notices.extend(opened.notices);
                    backends.push(opened.backend);
                }
                Err(error) => notices.push(format!("a language model is missing: {error}")),
            }
        }
        for settings in &whisper {
            match open_whisper(settings) {
                Ok(backend) => backends.push(backend),
                Err(error) => notices.push(format!("a speech model is missing: {error}")),
            }
        }
        match sphinx.as_ref().map(open_pocketsphinx) {
            Some(Ok(backend)) => backends.push(backend),
            Some(Err(notice)) => notices.push(notice),
            None => {}
        }
        (backends, notices)
    });
    match opened.await {
        Ok((backends, more)) => {
            notices.extend(more);
            backends
        }
        Err(error) => {
            notices.push(format!("the models of the configuration could not be opened: {error}"));
            Vec::new()
        }
    }
}

/// Starts a worker in this process with every model that can be had; a school works without any.
pub(crate) async fn attach(
    config: &Config,
    gateway: &Gateway,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Attached {
    let (worker, mut attached) = worker(config, IN_PROCESS.into()).await;
    let wanted = worker.models().len();
    if wanted > 0 {
        let (link, serving) = gateway.attach_in_process();
        tasks.spawn(serving);
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            let ended = worker.serve(link.incoming, link.outgoing, shutdown).await;
            tracing::debug!(?ended, "the worker in this process has ended");
        });
        let registered = async {
            while !gateway.workers().iter().any(|worker| worker.name == IN_PROCESS) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        if tokio::time::timeout(REGISTERS, registered).await.is_err() {
            attached.notices.push("the worker in this process did not register".into());
        }
    }
    attached
}

/// Attaches the model servers that the configuration names, each as a worker of this process.
pub(crate) fn servers(
    config: &Config,
    gateway: &Gateway,
    tasks: &TaskTracker,
    shutdown: &CancellationToken,
) -> Result<(), llm_worker::Error> {
    for upstream in &config.upstream {
        let backend = llm_worker::upstream::open(upstream)?;
        let resident = upstream.resident.and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
        let (link, serving) = gateway.attach_server(Arc::new(Server(backend.clone())), resident);
        let worker = Worker::new(&upstream.name).with_backend(backend).with_credits(upstream.slots());
        tasks.spawn(serving);
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            let ended = worker.serve(link.incoming, link.outgoing, shutdown).await;
            tracing::debug!(?ended, "the worker of a model server has ended");
        });
    }
    Ok(())
}

/// The worker with the model servers that it can reach, for a gateway elsewhere.
pub(crate) fn with_servers(config: &Config, mut worker: Worker) -> Result<Worker, llm_worker::Error> {
    let mut slots = 8;
    // A model of its own is always loaded; beside one, the count of a server would say the wrong thing.
    let alone = worker.models().is_empty();
    let resident: Option<Vec<u32>> = config.upstream.iter().map(|upstream| upstream.resident).collect();
    if let Some(resident) = resident.filter(|counts| alone && !counts.is_empty()) {
        worker = worker.with_resident(resident.iter().sum());
    }
    for upstream in &config.upstream {
        slots += upstream.slots();
        worker = worker.with_backend(llm_worker::upstream::open(upstream)?);
    }
    Ok(worker.with_credits(slots))
}

/// A model server as the gateway sees it.
struct Server(Arc<dyn llm_worker::Backend>);

#[async_trait::async_trait]
impl llm_gateway::Direct for Server {
    async fn forward(&self, request: ForwardRequest) -> Result<llm_gateway::Forwarded, GatewayError> {
        let answer = self.0.forward(request).await.map_err(failure)?;
        let body = answer.body.map(|piece| piece.map_err(failure)).boxed();
        Ok(llm_gateway::Forwarded { status: answer.status, content_type: answer.content_type, body })
    }
}

fn failure(error: BackendError) -> GatewayError {
    match error {
        BackendError::Failed(failure) => GatewayError::from_failure(failure),
        BackendError::Crashed => GatewayError::WorkerLost,
    }
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
