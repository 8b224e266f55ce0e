//! Fetching models: from a hub on this machine, with resume, limits and refusals.

use std::path::Path;
use std::sync::{Arc, Mutex};

use llm_worker::cache::FileState;
use llm_worker::catalog::{CatalogFile, CatalogModel, Source};
use llm_worker::pull::{Origin, files, pull};
use llm_worker::{Cache, Catalog, Error, Settings, open_embedding};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A hub with one file that serves ranges, and breaks off the first `breaks` transfers half-way.
/// Returns its address and what it was asked.
async fn hub(content: Vec<u8>, mut breaks: usize) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/repo", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let from: usize = head
                .split("range: bytes=")
                .nth(1)
                .and_then(|rest| rest.split('-').next())
                .map_or(0, |number| number.parse().unwrap());
            log.lock().unwrap().push(format!("{} from {from}", head.lines().next().unwrap()));
            let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
            let body = &content[from..];
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            let sent = if breaks > 0 { body.len() / 2 } else { body.len() };
            breaks = breaks.saturating_sub(1);
            // The client may hang up first when it has seen enough.
            let _ = stream.write_all(&body[..sent]).await;
            let _ = stream.shutdown().await;
        }
    });
    (url, asked)
}

fn catalog(url: String, size: usize, sha256: String) -> Catalog {
    let file = CatalogFile { name: "weights.bin".into(), size: size as u64, sha256, precision: None };
    let model = CatalogModel {
        alias: "tiny".into(),
        id: "tiny-model".into(),
        dimension: 3,
        max_tokens: 8,
        licence: "Apache-2.0".into(),
        homepage: String::new(),
        precisions: vec![],
        sources: vec![Source::Hub { url }],
        files: vec![file],
        export: None,
    };
    Catalog { models: vec![model], runtimes: vec![], aliases: Default::default() }
}

fn content() -> Vec<u8> {
    (0..300_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn quiet(_: &str, _: u64, _: u64) {}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn broken_transfer_is_resumed_and_a_second_pull_fetches_nothing() {
    let bytes = content();
    let (url, asked) = hub(bytes.clone(), 2).await;
    let catalog = catalog(url, bytes.len(), digest(&bytes));
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let report = pull(&cache, &catalog, "tiny", &quiet).await.unwrap();
    assert_eq!(report.files, [("weights.bin".to_owned(), Origin::Hub)]);
    let dir = folder.path().join("tiny-model");
    assert_eq!(std::fs::read(dir.join("weights.bin")).unwrap(), bytes);
    assert_eq!(names(&dir), ["weights.bin"]);
    let starts: Vec<String> = asked.lock().unwrap().clone();
    assert_eq!(starts.len(), 3);
    assert!(starts[0].ends_with("from 0") && !starts[2].ends_with("from 0"), "{starts:?}");
    let again = pull(&cache, &catalog, "tiny-model@fp32", &quiet).await.unwrap();
    assert_eq!(again.files, [("weights.bin".to_owned(), Origin::Cache)]);
    assert_eq!(asked.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_not_the_file_never_gets_its_name() {
    let bytes = content();
    for served in [bytes[..bytes.len() - 1].to_vec(), [bytes.clone(), vec![0]].concat(), {
        let mut flipped = bytes.clone();
        flipped[1_000] ^= 1;
        flipped
    }] {
        let (url, _) = hub(served, 0).await;
        let catalog = catalog(url, bytes.len(), digest(&bytes));
        let folder = tempfile::tempdir().unwrap();
        let refused = pull(&Cache::at(folder.path()), &catalog, "tiny", &quiet).await.unwrap_err();
        assert!(matches!(refused, Error::Fetch { .. }), "{refused}");
        assert!(!folder.path().join("tiny-model/weights.bin").exists());
    }
}

#[tokio::test]
async fn one_flipped_bit_on_disk_is_refused() {
    let bytes = content();
    let (url, _) = hub(bytes.clone(), 0).await;
    let catalog = catalog(url, bytes.len(), digest(&bytes));
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    pull(&cache, &catalog, "tiny", &quiet).await.unwrap();
    assert_eq!(files(&cache, &catalog, true).unwrap()[0].state, FileState::Verified);
    let path = folder.path().join("tiny-model/weights.bin");
    let mut damaged = bytes;
    damaged[7] ^= 4;
    std::fs::write(&path, damaged).unwrap();
    assert_eq!(files(&cache, &catalog, false).unwrap()[0].state, FileState::Present);
    assert!(matches!(files(&cache, &catalog, true).unwrap()[0].state, FileState::Damaged { .. }));
    let refused = pull(&cache, &catalog, "tiny", &quiet).await.unwrap_err();
    assert!(refused.to_string().contains("is refused"), "{refused}");
}

#[tokio::test]
async fn unreachable_source_is_named_and_plain_http_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = catalog("http://models.example.invalid".into(), 1, digest(b"x"));
    let error = pull(&Cache::at(folder.path()), &catalog, "tiny", &quiet).await.unwrap_err();
    assert!(matches!(error, Error::Fetch { .. }));
    assert!(matches!(pull(&Cache::at(folder.path()), &catalog, "huge", &quiet).await, Err(Error::UnknownModel(_))));
}

/// A flipped bit in the real weights stops the load; without the model the message says what to do.
#[test]
fn real_model_is_checked_before_it_is_loaded() {
    let built_in = Catalog::built_in().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let empty = open_embedding(&Cache::at(folder.path()), &built_in, &Settings::default()).err().unwrap();
    assert!(empty.to_string().contains("lyceum model pull"), "{empty}");
    let model = built_in.model("minilm").unwrap();
    let cache = Cache::from_environment();
    if cache.checked(model, "model.safetensors").is_err() {
        let promised = std::env::var("LYCEUM_TEST_PROMISED").unwrap_or_default();
        assert!(!promised.contains("minilm"), "MiniLM was promised");
        eprintln!("skipped: MiniLM is not there");
        return;
    }
    let copy = Cache::at(folder.path());
    std::fs::create_dir_all(copy.model_dir(model)).unwrap();
    for file in &model.files {
        std::fs::copy(cache.model_dir(model).join(&file.name), copy.model_dir(model).join(&file.name)).unwrap();
    }
    let path = copy.model_dir(model).join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let settings = Settings { engine: Some(llm_worker::Engine::Candle), ..Settings::default() };
    let refused = open_embedding(&copy, &built_in, &settings).err().unwrap();
    assert!(matches!(refused, Error::Tampered { .. }), "{refused}");
}

/// The whole way from nothing to vectors, wheels, export and library; needs the network.
#[tokio::test(flavor = "multi_thread")]
async fn minilm_is_fetched_exported_and_served_from_nothing() {
    if !std::env::var("LYCEUM_TEST_PROMISED").unwrap_or_default().contains("model-network") {
        eprintln!("skipped: no network for models was promised");
        return;
    }
    let built_in = Catalog::built_in().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let started = std::time::Instant::now();
    let report = pull(&cache, &built_in, "minilm", &|what, done, all| {
        if done == all {
            eprintln!("{what}");
        }
    })
    .await
    .unwrap();
    eprintln!("{:?} in {:?}", report, started.elapsed());
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    assert!(files(&cache, &built_in, true).unwrap().iter().all(|file| file.state == FileState::Verified));
    for found in llm_worker::probe::probe(&cache, &built_in).await.unwrap() {
        assert!(found.outcome.is_ok(), "{found:?}");
    }
}
