//! The product's pool, opened as the product opens it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use domain::wire::Class;
use llm_worker::pool::Pool;
use llm_worker::{Cache, Catalog, Engine, Precision, Settings, open_embedding, pull};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::{Command, Contestant, Outcome, cpu, write_vectors};

/// Callers that keep the bulk going: the next request is there before the last one ends.
const BULK_CALLERS: usize = 2;
/// Texts of one bulk request.
const BULK_TEXTS: usize = 128;
/// Ten words that are one token each; with the two marks at the ends the query has 12 tokens.
const QUERY: &str = "what must a person know about the water cycle now";

pub struct Ours {
    runtime: Runtime,
    pool: Arc<Pool>,
}

pub fn precision(name: &str) -> Result<Precision> {
    match name {
        "fp32" => Ok(Precision::Fp32),
        "int8" => Ok(Precision::Int8),
        _ => bail!("no such precision: \"{name}\""),
    }
}

/// Fetches what is missing of the model and the library.
pub fn pull() -> Result<()> {
    let cache = Cache::from_environment();
    let report = Runtime::new()?.block_on(pull::pull(&cache, &Catalog::built_in()?, "minilm", &|_, _, _| ()))?;
    report.notes.iter().for_each(|note| eprintln!("{note}"));
    Ok(())
}

/// Prints where the library, the model and the tokenizer lie, checked; one a line.
pub fn paths(precision: &str) -> Result<()> {
    let (cache, catalog) = (Cache::from_environment(), Catalog::built_in()?);
    let model = catalog.model("minilm")?;
    println!("{}", cache.onnxruntime(catalog.runtime())?.display());
    for file in [&format!("model.{precision}.onnx"), "tokenizer.json", "config.json"] {
        println!("{}", cache.checked(model, file)?.display());
    }
    Ok(())
}

impl Ours {
    pub fn open(name: &str, threads: usize) -> Result<Self> {
        let settings = Settings { engine: Some(Engine::Onnx), precision: precision(name)?, threads: Some(threads) };
        let opened = open_embedding(&Cache::from_environment(), &Catalog::built_in()?, &settings)?;
        Ok(Self { runtime: Runtime::new()?, pool: opened.backend })
    }

    fn vectors(&self, class: Class, texts: Vec<String>) -> Result<Vec<Vec<f32>>> {
        self.runtime.block_on(self.pool.vectors(class, texts)).map_err(|reason| anyhow!(reason))
    }

    /// Asks on a fixed schedule, and counts from the moment on it: a late query is a slow one.
    fn query(&self, count: usize, every: Duration, bulk: bool, texts: &[String]) -> Result<Outcome> {
        let (stop, done) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let callers: Vec<_> = (0..if bulk { BULK_CALLERS } else { 0 })
            .map(|caller| {
                let (pool, stop, done) = (Arc::clone(&self.pool), stop.clone(), Arc::clone(&done));
                let texts: Vec<Vec<String>> = texts.chunks(BULK_TEXTS).map(<[String]>::to_vec).collect();
                self.runtime.spawn(async move {
                    for request in texts.iter().cycle().skip(caller) {
                        let vectors = pool.vectors(Class::Embed, request.clone());
                        tokio::select! {
                            () = stop.cancelled() => return,
                            _ = vectors => done.fetch_add(request.len(), Ordering::Relaxed),
                        };
                    }
                })
            })
            .collect();
        let latencies = self.runtime.block_on(async {
            // The bulk is to be at work before the first query comes.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let mut latencies = Vec::with_capacity(count);
            let mut due = Instant::now();
            for _ in 0..count {
                tokio::time::sleep_until(due.into()).await;
                self.pool.vectors(Class::Chat, vec![QUERY.to_owned()]).await.map_err(|reason| anyhow!(reason))?;
                latencies.push(due.elapsed().as_secs_f64() * 1e3);
                due += every;
            }
            Ok::<_, anyhow::Error>(latencies)
        })?;
        stop.cancel();
        for caller in callers {
            self.runtime.block_on(caller)?;
        }
        Ok(Outcome { latencies_ms: latencies, bulk_texts: done.load(Ordering::Relaxed), ..Outcome::default() })
    }
}

impl Contestant for Ours {
    fn perform(&mut self, command: Command, texts: &[String]) -> Result<Outcome> {
        match command {
            Command::Embed { from, to, out, .. } => {
                let request = texts[from..to].to_vec();
                let (begin, cpu) = (Instant::now(), cpu::seconds()?);
                let vectors = self.vectors(Class::Embed, request)?;
                let outcome = Outcome {
                    wall_s: begin.elapsed().as_secs_f64(),
                    cpu_s: cpu::seconds()? - cpu,
                    ..Outcome::default()
                };
                if let Some(out) = out {
                    write_vectors(&out, &vectors)?;
                }
                Ok(outcome)
            }
            Command::Alone { from, to, out } => {
                let vectors = texts[from..to]
                    .iter()
                    .map(|text| Ok(self.vectors(Class::Chat, vec![text.clone()])?.remove(0)))
                    .collect::<Result<Vec<_>>>()?;
                write_vectors(&out, &vectors)?;
                Ok(Outcome::default())
            }
            Command::Query { count, every_ms, bulk } => self.query(count, Duration::from_millis(every_ms), bulk, texts),
        }
    }
}
