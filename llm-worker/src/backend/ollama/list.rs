//! Which models the server has, and what it tells of each.

use std::collections::HashMap;
use std::sync::Arc;

use domain::wire::{Abilities, Dialect, Model, Task};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::QUESTION;
use super::name::{same_model, short};
use crate::backend::BackendError;
use crate::backend::http::Http;
use crate::backend::openai::task_of;
use crate::upstream::Served;

/// The most models of one server; more is an error of the server.
const MAX_MODELS: usize = 1_000;
/// What the server takes for a context that nobody set; the smallest of its versions.
const USUAL_CONTEXT: usize = 4_096;
/// The first version without the known ways to read memory by a crafted model file.
const SAFE: (u32, u32, u32) = (0, 17, 1);

/// All that is known of a server.
#[derive(Default)]
pub(super) struct Known {
    order: Vec<Arc<Detail>>,
    /// By name without `:latest`.
    by_name: HashMap<String, Arc<Detail>>,
    notices: Vec<String>,
}

/// One model.
pub(super) struct Detail {
    /// As it is offered; its id is the server's name for it.
    pub(super) model: Model,
    /// Whether its own parameters set the number of threads.
    pub(super) sets_threads: bool,
    /// Whether it cuts texts by WordPiece, which some versions do wrongly.
    pub(super) wordpiece: bool,
    /// Whether this server does; found out with the first texts.
    pub(super) cuts_wrongly: OnceCell<bool>,
    /// Whether it can think before it answers.
    pub(super) thinks: bool,
    /// Tokens of its context, where it is certain.
    pub(super) window: Option<u32>,
    /// What the model was made for, in tokens.
    trained: Option<usize>,
    parameter_window: Option<u32>,
}

impl Known {
    fn new(order: Vec<Arc<Detail>>, notices: Vec<String>) -> Self {
        let by_name = order.iter().map(|detail| (short(&detail.model.id).to_owned(), Arc::clone(detail))).collect();
        Self { order, by_name, notices }
    }

    /// What an administrator named, before the server was asked.
    pub(super) fn named(named: &[Served]) -> Self {
        let order = named.iter().map(|served| Arc::new(Detail::bare(served.model("ollama", task_of)))).collect();
        Self::new(order, Vec::new())
    }

    pub(super) fn find(&self, model: &str) -> Option<Arc<Detail>> {
        self.by_name.get(short(model)).cloned()
    }

    pub(super) fn models(&self) -> Vec<Model> {
        self.order.iter().map(|detail| detail.model.clone()).collect()
    }

    pub(super) fn notices(&self) -> &[String] {
        &self.notices
    }
}

impl Detail {
    fn bare(model: Model) -> Self {
        Self {
            model: Model { dialects: vec![Dialect::Ollama, Dialect::OpenAi], ..model },
            sets_threads: false,
            wordpiece: false,
            cuts_wrongly: OnceCell::new(),
            thinks: false,
            window: None,
            trained: None,
            parameter_window: None,
        }
    }
}

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    models: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    #[serde(default)]
    digest: String,
}

#[derive(Deserialize)]
struct Loaded {
    #[serde(default)]
    models: Vec<LoadedModel>,
}

#[derive(Deserialize)]
struct LoadedModel {
    name: String,
    /// Newer versions tell it.
    context_length: Option<u32>,
}

#[derive(Deserialize, Default)]
struct Shown {
    #[serde(default)]
    parameters: String,
    #[serde(default)]
    model_info: HashMap<String, Value>,
    #[serde(default)]
    capabilities: Vec<String>,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// Names of the models that are loaded now.
pub(super) async fn loaded(http: &Http) -> Result<Vec<String>, BackendError> {
    Ok(running(http).await?.into_iter().map(|model| model.name).collect())
}

async fn running(http: &Http) -> Result<Vec<LoadedModel>, BackendError> {
    let loaded: Loaded = http.get("/api/ps", QUESTION).await?.successful("").await?.json().await?;
    Ok(loaded.models)
}

/// Asks for the list; only of models that are new, or new in this version, for more.
pub(super) async fn list(
    http: &Http,
    named: &[Served],
    num_ctx: Option<u32>,
    before: &Known,
) -> Result<Known, BackendError> {
    let tags: Tags = http.get("/api/tags", QUESTION).await?.successful("").await?.json().await?;
    let running = running(http).await.unwrap_or_default();
    let mut order = Vec::new();
    for tag in tags.models.into_iter().take(MAX_MODELS) {
        let said = named.iter().find(|served| same_model(served.id(), &tag.name));
        if said.is_none() && !named.is_empty() {
            continue;
        }
        let is_loaded = |loaded: &&LoadedModel| same_model(&loaded.name, &tag.name);
        let loaded = running.iter().find(is_loaded).and_then(|loaded| loaded.context_length);
        let known = before.find(&tag.name).filter(|known| known.model.abilities.version.as_ref() == Some(&tag.digest));
        let window = |parameter: Option<u32>| num_ctx.or(parameter).or(loaded);
        match known {
            Some(known) if loaded.is_none() || known.window == window(known.parameter_window) => order.push(known),
            _ => order.push(Arc::new(ask(http, &tag, said, window).await)),
        }
    }
    // The server sorts by second of change and leaves the rest to chance: what is known keeps its
    // place, so that nothing seems to have changed; what an administrator named has theirs.
    let last = usize::MAX;
    order.sort_by_key(|detail| {
        let id = detail.model.id.as_str();
        let said = named.iter().position(|served| same_model(served.id(), id)).unwrap_or(last);
        (said, before.order.iter().position(|known| known.model.id == id).unwrap_or(last))
    });
    Ok(Known::new(order, notices(http).await))
}

async fn ask(http: &Http, tag: &Tag, said: Option<&Served>, window: impl Fn(Option<u32>) -> Option<u32>) -> Detail {
    let shown = match show(http, &tag.name).await {
        Ok(shown) => shown,
        Err(error) => {
            tracing::warn!(model = tag.name, ?error, "the server tells nothing of a model");
            Shown::default()
        }
    };
    let info = &shown.model_info;
    let architecture = info.get("general.architecture").and_then(Value::as_str).unwrap_or_default();
    let number = |key: &str| info.get(&format!("{architecture}.{key}")).and_then(Value::as_u64);
    let size = |key: &str| number(key).and_then(|number| usize::try_from(number).ok());
    let can = |ability: &str| shown.capabilities.iter().any(|capability| capability == ability);
    let embeds = can("embedding") || number("pooling_type").is_some() || architecture.contains("bert");
    let task = match said {
        Some(Served::Full(model)) if model.task.is_some() => model.task.unwrap_or(Task::Chat),
        _ if embeds => Task::Embed,
        _ if shown.capabilities.is_empty() && info.is_empty() => task_of(&tag.name),
        _ => Task::Chat,
    };
    let parameter_window = parameter(&shown.parameters, "num_ctx");
    let window = window(parameter_window);
    let trained = size("context_length");
    let chosen = window.and_then(|window| usize::try_from(window).ok()).unwrap_or(USUAL_CONTEXT);
    let tools = if shown.capabilities.is_empty() { None } else { Some(can("tools")) };
    let model = Model {
        dimension: if task == Task::Embed { size("embedding_length") } else { None },
        max_tokens: Some(trained.map_or(chosen, |trained| trained.min(chosen))),
        abilities: Abilities { tools, version: Some(tag.digest.clone()), ..Abilities::default() },
        ..Model::new(&tag.name, task, "ollama")
    };
    let model = match said {
        Some(Served::Full(said)) => Model {
            dimension: said.dimension.or(model.dimension),
            max_tokens: said.max_tokens.or(model.max_tokens),
            ..model
        },
        _ => model,
    };
    Detail {
        sets_threads: parameter(&shown.parameters, "num_thread").is_some(),
        wordpiece: info.get("tokenizer.ggml.model").and_then(Value::as_str) == Some("bert"),
        thinks: can("thinking"),
        window: window.map(|window| trained.and_then(|t| u32::try_from(t).ok()).map_or(window, |t| t.min(window))),
        trained,
        parameter_window,
        ..Detail::bare(model)
    }
}

impl Detail {
    /// More tokens than this it cannot read by any setting.
    pub(super) fn most_tokens(&self) -> Option<usize> {
        self.window.and_then(|window| usize::try_from(window).ok()).or(self.trained)
    }
}

async fn show(http: &Http, model: &str) -> Result<Shown, BackendError> {
    let body = serde_json::to_vec(&serde_json::json!({ "model": model })).map_err(BackendError::backend)?;
    http.post("/api/show", body.into(), QUESTION).await?.successful(model).await?.json().await
}

/// A number among the parameters of a Modelfile, one a line.
fn parameter(parameters: &str, name: &str) -> Option<u32> {
    parameters.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some(name)).then(|| words.next()?.parse().ok()).flatten()
    })
}

async fn notices(http: &Http) -> Vec<String> {
    let version = async {
        let answer = http.get("/api/version", QUESTION).await?.successful("").await?;
        answer.json::<Version>().await
    };
    let said = version.await.map(|version| version.version).unwrap_or_default();
    let mut numbers = said.split(['.', '-']).map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(Result::ok);
    match (next(), next(), next()) {
        // Its own builds from source say 0.0.0.
        (Some(0), Some(0), Some(0)) | (None, _, _) | (_, None, _) => vec![format!(
            "the version of Ollama is not known (it says \"{}\"); versions before 0.17.1 read memory by crafted model files",
            said.chars().take(40).collect::<String>()
        )],
        (Some(major), Some(minor), patch) if (major, minor, patch.unwrap_or(0)) < SAFE => vec![format!(
            "Ollama {} is older than 0.17.1 and reads memory by crafted model files: load only models that you trust",
            said.chars().take(40).collect::<String>()
        )],
        _ => Vec::new(),
    }
}
