//! Contestants of the embedding bench: the product's own pool and the `fastembed` crate.
//!
//! One process a contestant. It reads one JSON command a line and answers with one JSON line, so
//! that the driver (`bench/embed/drive.py`) can interleave contestants. Nothing is decided here.

mod cpu;
mod ours;
mod peer;

use std::io::{BufRead, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// What the driver asks for.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Command {
    /// Vectors of a range of the texts, timed; they are written to `out` where it is given.
    Embed { from: usize, to: usize, batch: Option<usize>, out: Option<PathBuf> },
    /// Vectors of a range, one request a text.
    Alone { from: usize, to: usize, out: PathBuf },
    /// Latencies of a short query every `every_ms`, with or without bulk work beside it.
    Query { count: usize, every_ms: u64, bulk: bool },
}

/// What came of it.
#[derive(Serialize, Default)]
pub struct Outcome {
    pub wall_s: f64,
    pub cpu_s: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub latencies_ms: Vec<f64>,
    /// Texts that the bulk got done beside the queries.
    pub bulk_texts: usize,
    pub memory_mb: f64,
}

/// One contestant.
pub trait Contestant {
    fn perform(&mut self, command: Command, texts: &[String]) -> Result<Outcome>;
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["pull"] => ours::pull(),
        ["paths", precision] => ours::paths(precision),
        ["ours", precision, threads, texts] => {
            serve(&mut ours::Ours::open(precision, threads.parse()?)?, &read(texts)?)
        }
        ["crate", precision, threads, texts] => {
            serve(&mut peer::Peer::open(precision, threads.parse()?)?, &read(texts)?)
        }
        _ => bail!("usage: pull | paths PRECISION | ours PRECISION THREADS TEXTS | crate PRECISION THREADS TEXTS"),
    }
}

fn read(path: &str) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read \"{path}\""))?;
    Ok(serde_json::from_str(&text)?)
}

fn serve(contestant: &mut dyn Contestant, texts: &[String]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let mut outcome = contestant.perform(serde_json::from_str(&line?)?, texts)?;
        outcome.memory_mb = cpu::memory_mb()?;
        writeln!(out, "{}", serde_json::to_string(&outcome)?)?;
        out.flush()?;
    }
    Ok(())
}

/// Writes vectors as little-endian floats, one after the other.
pub fn write_vectors(path: &std::path::Path, vectors: &[Vec<f32>]) -> Result<()> {
    let bytes: Vec<u8> = vectors.iter().flatten().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(path, bytes).with_context(|| format!("cannot write \"{}\"", path.display()))
}
