//! Parsing and cutting a folder as the pipeline's stage does it, timed; `bench/ingest.sh` runs it.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Instant;

use domain::document::Document;
use ingestion::chunk::chunks;
use ingestion::parse::Format;
use ingestion::sandbox::{Input, Sandbox};

use crate::testkit::sandbox;

/// As many as the pipeline gives to one child.
const AT_ONCE: usize = 16;

/// The documents of a group, the hostile formats by one child.
async fn parsed(sandbox: &Sandbox, group: &[PathBuf]) -> Vec<Result<Document, String>> {
    let mut found: HashMap<usize, Result<Document, String>> = HashMap::new();
    let (mut inputs, mut places) = (Vec::new(), Vec::new());
    for (index, path) in group.iter().enumerate() {
        let (name, bytes) = (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap());
        let format = Format::of(&name).unwrap();
        if format.hostile() {
            inputs.push(Input { format, path: name, bytes });
            places.push(index);
        } else {
            found.insert(index, ingestion::parse::document(format, &name, &bytes).map_err(|failure| failure.message));
        }
    }
    for (index, outcome) in places.into_iter().zip(sandbox.parse(inputs).await) {
        found.insert(index, outcome.map_err(|failure| failure.message));
    }
    (0..group.len()).map(|index| found.remove(&index).unwrap()).collect()
}

/// The marks that `bench/ingest/documents.py` put into the paragraphs.
fn marks(text: &str, into: &mut BTreeSet<String>) {
    for (at, _) in text.match_indices("mark") {
        let mark: String = text[at..].chars().take(11).collect();
        if mark.len() == 11 && mark[4..].bytes().all(|byte| byte.is_ascii_digit()) {
            into.insert(mark);
        }
    }
}

#[tokio::test]
#[ignore = "a measurement: bench/ingest.sh runs it"]
async fn parse_and_chunk() {
    let Some(folder) = std::env::var_os("BENCH_FOLDER") else { return };
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(Path::new(&folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let sandbox = sandbox();
    let began = Instant::now();
    let (mut cut, mut failed, mut documents) = (Vec::new(), Vec::new(), 0);
    for group in paths.chunks(AT_ONCE) {
        for outcome in parsed(&sandbox, group).await {
            match outcome {
                Ok(document) => {
                    documents += 1;
                    cut.extend(chunks(&document, &[]));
                }
                Err(why) => failed.push(why),
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let mut found = BTreeSet::new();
    cut.iter().for_each(|chunk| marks(&chunk.text, &mut found));
    let words: usize = cut.iter().map(|chunk| chunk.text.split_whitespace().count()).sum();
    failed.truncate(3);
    println!(
        "{{\"seconds\":{seconds:.4},\"documents\":{documents},\"failed\":{},\"chunks\":{},\"words\":{words},\"marks\":{}}}",
        serde_json::to_string(&failed).unwrap(),
        cut.len(),
        found.len()
    );
}
