//! Vectors of the texts that are compared: answers, references, questions, their sentences and their words.

use std::collections::{BTreeSet, HashMap};

use domain::text::{is_stop_word, sentences, words};
use llm_gateway::Gateway;

use super::Item;
use crate::Assistant;
use crate::models::Models;
use crate::retrieve::{dot, unit};

/// Texts asked for at a time, between two calls of the progress.
const AT_ONCE: usize = 256;
/// Bytes of a text that are sent; the models read less.
const MOST_BYTES: usize = 4_000;

/// Told how many texts are done and how many there are.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Send + Sync);

/// Unit vectors by text.
#[derive(Debug, Clone, Default)]
pub struct Vectors {
    by_text: HashMap<String, Vec<f32>>,
}

impl Vectors {
    /// The vector of a text.
    #[must_use]
    pub fn get(&self, text: &str) -> Option<&[f32]> {
        self.by_text.get(text).map(Vec::as_slice)
    }

    /// 0 where one of the two has no vector.
    pub(super) fn cosine(&self, a: &str, b: &str) -> f64 {
        match (self.get(a), self.get(b)) {
            (Some(a), Some(b)) => f64::from(dot(a, b)),
            _ => 0.0,
        }
    }
}

/// Vectors for many items at once, each text once; none when no embedding model answers.
///
/// One call for many items is much faster than one an item: texts repeat, and alike lengths go together.
pub async fn vectors(gateway: Gateway, items: &[Item], progress: Progress<'_>) -> Option<Vectors> {
    gathered(&Models::new(gateway), items, progress).await
}

impl Assistant {
    /// Vectors for many short answers; see [`vectors`].
    pub async fn grading_vectors(&self, items: &[Item], progress: Progress<'_>) -> Option<Vectors> {
        gathered(&self.models, items, progress).await
    }
}

pub(crate) async fn gathered(models: &Models, items: &[Item], progress: Progress<'_>) -> Option<Vectors> {
    let model = models.embedding_model()?;
    let texts = texts(items);
    let mut by_text = HashMap::with_capacity(texts.len());
    for some in texts.chunks(AT_ONCE) {
        let sent: Vec<String> = some.iter().map(|text| cut(text).to_owned()).collect();
        let found = models.embed_many(&model, &sent).await;
        let found = found
            .inspect_err(|error| tracing::warn!(%error, "the embedding model failed; answers are compared by words"))
            .ok()?;
        by_text.extend(some.iter().cloned().zip(found.iter().map(|vector| unit(vector))));
        progress(by_text.len(), texts.len());
    }
    Some(Vectors { by_text })
}

/// Every text that is compared, once, short ones first.
fn texts(items: &[Item]) -> Vec<String> {
    let mut all = BTreeSet::new();
    for item in items {
        let answers = std::iter::once(&item.answer).chain(item.graded.iter().map(|graded| &graded.answer));
        for text in answers.map(String::as_str).chain(item.reference_answers()) {
            all.insert(text);
            all.extend(sentences(text).into_iter().filter_map(|(start, end)| text.get(start..end)));
        }
    }
    let mut all: BTreeSet<String> = all.into_iter().map(str::to_owned).collect();
    let topics: Vec<String> = all.iter().flat_map(|text| words(text)).filter(|word| !is_stop_word(word)).collect();
    all.extend(topics);
    let mut all: Vec<String> = all.into_iter().filter(|text| !text.trim().is_empty()).collect();
    all.sort_by_key(String::len);
    all
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MOST_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
