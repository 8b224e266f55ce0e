//! Tries what is installed: loads each engine and precision, measures it, compares the vectors.

pub mod model;

use std::time::{Duration, Instant};

use domain::wire::Class;

use crate::cache::Cache;
use crate::catalog::Catalog;
use crate::error::Error;
use crate::open::{Engine, Opened, Precision, Settings, open_embedding};

/// Texts of the probe: short and long, code, and scripts other than Latin.
pub const TEXTS: [&str; 12] = [
    "What is a lease, and who may end it early?",
    "Water boils at a lower temperature on a mountain because the air presses less on it.",
    "let total = items.iter().map(|item| item.price).sum::<u32>();",
    "threads",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "Der Übersetzer prüft, wem ein Wert gehört.",
    "Où se trouve la bibliothèque, et à quelle heure ouvre-t-elle ?",
    "所有权是 Rust 最独特的特性。",
    "Собственность — это набор правил управления памятью.",
    "A matrix can be inverted exactly when its determinant is not zero. 🦀",
    "The treaty of 1648 ended thirty years of war and changed how states dealt with each other.",
    "How do I undo the last change without losing the others?",
];

/// What one engine does with one precision.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Probed {
    pub engine: Engine,
    pub precision: Precision,
    /// Model id, or why it cannot be used.
    pub outcome: Result<Measured, String>,
}

/// Figures of a working engine on this machine.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Measured {
    pub model: String,
    pub load_ms: u64,
    pub dimension: usize,
    /// Time of one short text alone.
    pub query_ms: f64,
    pub sentences_per_second: f64,
    /// Passages of about 200 words.
    pub chunks_per_second: f64,
    /// Lowest cosine to the vectors of the first working engine.
    pub agreement: f64,
}

/// Probes every engine and precision for a few seconds each.
///
/// # Errors
/// Never for an engine that does not work: that is its outcome.
pub async fn probe(cache: &Cache, catalog: &Catalog) -> Result<Vec<Probed>, Error> {
    let mut found = Vec::new();
    let mut reference: Option<Vec<Vec<f32>>> = None;
    for (engine, precision) in
        [(Engine::Onnx, Precision::Fp32), (Engine::Onnx, Precision::Int8), (Engine::Candle, Precision::Fp32)]
    {
        let settings = Settings { engine: Some(engine), precision, threads: None };
        let (cache, catalog) = (cache.clone(), catalog.clone());
        let started = Instant::now();
        let opened = tokio::task::spawn_blocking(move || open_embedding(&cache, &catalog, &settings))
            .await
            .map_err(|error| Error::Program(format!("the loader stopped: {error}")))?;
        let outcome = match opened {
            Ok(opened) => measure(&opened, started.elapsed(), &mut reference).await,
            Err(error) => Err(error.to_string()),
        };
        found.push(Probed { engine, precision, outcome });
    }
    Ok(found)
}

async fn measure(opened: &Opened, load: Duration, reference: &mut Option<Vec<Vec<f32>>>) -> Result<Measured, String> {
    let texts: Vec<String> = TEXTS.iter().map(|text| (*text).to_owned()).collect();
    let vectors = opened.backend.vectors(Class::Embed, texts.clone()).await?;
    let agreement = match reference {
        Some(reference) => reference.iter().zip(&vectors).map(|(a, b)| cosine(a, b)).fold(1.0, f64::min),
        None => {
            *reference = Some(vectors.clone());
            1.0
        }
    };
    let started = Instant::now();
    let query = texts.iter().take(1).cloned().collect();
    opened.backend.vectors(Class::Chat, query).await?;
    let query_ms = started.elapsed().as_secs_f64() * 1000.0;
    let sentences: Vec<String> = (0..96).map(|i| texts.iter().cycle().nth(i).cloned().unwrap_or_default()).collect();
    let chunks: Vec<String> = (0..12).map(|i| chunk(i, 200)).collect();
    Ok(Measured {
        model: opened.model.clone(),
        load_ms: u64::try_from(load.as_millis()).unwrap_or(u64::MAX),
        dimension: vectors.first().map_or(0, Vec::len),
        query_ms,
        sentences_per_second: rate(opened, sentences).await?,
        chunks_per_second: rate(opened, chunks).await?,
        agreement,
    })
}

/// A passage of `words` words, different for each `seed`.
fn chunk(seed: usize, words: usize) -> String {
    let stock: Vec<&str> = TEXTS.iter().flat_map(|text| text.split(' ')).filter(|word| word.is_ascii()).collect();
    (0..words)
        .map(|i| stock.get((i * 7 + seed * 13) % stock.len()).copied().unwrap_or("word"))
        .collect::<Vec<_>>()
        .join(" ")
}

async fn rate(opened: &Opened, texts: Vec<String>) -> Result<f64, String> {
    let count = u32::try_from(texts.len()).map_or(f64::MAX, f64::from);
    let started = Instant::now();
    opened.backend.vectors(Class::Embed, texts).await?;
    Ok(count / started.elapsed().as_secs_f64().max(1e-9))
}

/// Cosine of two vectors in double precision.
#[must_use]
pub fn cosine(left: &[f32], right: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(left, right) / (dot(left, left).sqrt() * dot(right, right).sqrt()).max(f64::MIN_POSITIVE)
}
