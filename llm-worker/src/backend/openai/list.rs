//! Which models a server has.

use domain::wire::{Model, Task};
use serde::Deserialize;

use super::LIST;
use crate::backend::BackendError;
use crate::backend::http::Http;

/// The most models of one server; more is an error of the server.
const MAX_MODELS: usize = 1_000;

#[derive(Deserialize)]
struct Reply {
    data: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    id: String,
    /// Said by vLLM.
    max_model_len: Option<usize>,
    /// Said by llama.cpp.
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Meta {
    n_ctx_train: Option<usize>,
    n_embd: Option<usize>,
}

/// The models that were named, else those that the server lists. Of an embedding model whose
/// length nobody tells, one short text is embedded.
pub(super) async fn list(http: &Http, named: &[Model], known: &[Model]) -> Result<Vec<Model>, BackendError> {
    let mut models = if named.is_empty() { listed(http).await? } else { named.to_vec() };
    for model in models.iter_mut().filter(|model| model.task == Task::Embed && model.dimension.is_none()) {
        let before = known.iter().find(|known| known.id == model.id).and_then(|known| known.dimension);
        model.dimension = match before {
            Some(dimension) => Some(dimension),
            None => measured(http, &model.id).await,
        };
    }
    Ok(models)
}

async fn listed(http: &Http) -> Result<Vec<Model>, BackendError> {
    let reply: Reply = http.get("/v1/models", LIST).await?.successful("").await?.json().await?;
    let models = reply.data.into_iter().take(MAX_MODELS).filter_map(|listed| {
        let task = task_of(&listed.id);
        if task == Task::Unknown {
            return None;
        }
        let meta = listed.meta.as_ref();
        Some(Model {
            max_tokens: listed.max_model_len.or_else(|| meta?.n_ctx_train),
            dimension: if task == Task::Embed { meta.and_then(|meta| meta.n_embd) } else { None },
            ..Model::new(listed.id, task, "openai")
        })
    });
    Ok(models.collect())
}

async fn measured(http: &Http, model: &str) -> Option<usize> {
    match super::embed::embed(http, model, &["length".to_owned()]).await {
        Ok(vectors) => vectors.first().map(Vec::len),
        Err(error) => {
            tracing::warn!(model, ?error, "cannot learn the length of a model's vectors");
            None
        }
    }
}

/// What a model does, by its name: servers do not tell. `Unknown` is not offered.
pub(crate) fn task_of(name: &str) -> Task {
    let name = name.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["rerank", "moderation", "tts", "dall-e"]) {
        Task::Unknown
    } else if has(&["whisper", "transcribe", "parakeet", "canary"]) {
        Task::Transcribe
    } else if has(&["embed", "minilm", "bge-", "e5-", "gte-", "sentence-"]) {
        Task::Embed
    } else {
        Task::Chat
    }
}
