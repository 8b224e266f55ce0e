//! Vectors by `/api/embed`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::list::Detail;
use super::normalise::{decomposed, normalised};
use super::{Ollama, RequestOptions};
use crate::backend::BackendError;
use crate::backend::openai::{checked, same_length};
use crate::probe::cosine;

/// Texts of one request: a server that is slow still answers each within the time for a first
/// byte, and other requests come between.
const BATCH: usize = 16;
/// One meaning in two spellings that a sound tokeniser cuts alike, and an unsound one does not.
const SPELLINGS: [&str; 2] = ["naïve café: x=3.14!", "naive cafe : x = 3 . 14 !"];
/// Below this the two spellings were cut differently; cut wrongly they reach 0.7 at most.
const ALIKE: f64 = 0.999;

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    input: &'a [Cow<'a, str>],
    /// What is too long is refused instead of cut in silence.
    truncate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<Value>,
    options: RequestOptions<'a>,
}

#[derive(Deserialize)]
struct Reply {
    error: Option<String>,
    #[serde(default)]
    embeddings: Vec<Vec<f32>>,
}

impl Ollama {
    /// One vector of unit length a text, in order.
    pub(super) async fn vectors(&self, detail: &Detail, texts: &[String]) -> Result<Vec<Vec<f32>>, BackendError> {
        let cut_alike = self.cut_alike(detail).await?;
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            let input: Vec<Cow<'_, str>> = batch.iter().map(|text| cut_alike(text)).collect();
            vectors.extend(self.batch(detail, &input).await?);
        }
        same_length(&vectors)?;
        Ok(vectors)
    }

    /// What makes this server cut a text of this model as the tokeniser of its makers would.
    pub(super) async fn cut_alike(&self, detail: &Detail) -> Result<fn(&str) -> Cow<'_, str>, BackendError> {
        let alike: fn(&str) -> Cow<'_, str> = if self.cuts_wrongly(detail).await? {
            |text| Cow::Owned(normalised(text))
        } else if detail.wordpiece {
            |text| decomposed(text)
        } else {
            |text| Cow::Borrowed(text)
        };
        Ok(alike)
    }

    /// Whether this server cuts the texts of this model wrongly. Its version does not tell: builds
    /// from source have none.
    async fn cuts_wrongly(&self, detail: &Detail) -> Result<bool, BackendError> {
        if !detail.wordpiece {
            return Ok(false);
        }
        let found = detail.cuts_wrongly.get_or_try_init(|| async {
            let vectors = self.batch(detail, &SPELLINGS.map(Cow::Borrowed)).await?;
            let wrongly = matches!(vectors.as_slice(), [left, right] if cosine(left, right) < ALIKE);
            if wrongly {
                tracing::warn!(model = detail.model.id, "the server cuts texts wrongly; they are normalised before");
            }
            Ok(wrongly)
        });
        found.await.copied()
    }

    async fn batch(&self, detail: &Detail, input: &[Cow<'_, str>]) -> Result<Vec<Vec<f32>>, BackendError> {
        let body = Body {
            model: &detail.model.id,
            input,
            truncate: false,
            keep_alive: self.keep_alive(&detail.model.id),
            options: self.load_options(detail),
        };
        let body = serde_json::to_vec(&body).map_err(BackendError::backend)?;
        let answer = self.http.post("/api/embed", body.into(), self.http.timing().first_byte).await?;
        let reply: Reply = answer.successful(&detail.model.id).await?.json().await?;
        if let Some(error) = reply.error {
            return Err(BackendError::backend(format!("the model server failed: {error}")));
        }
        checked(reply.embeddings, input.len())
    }
}
