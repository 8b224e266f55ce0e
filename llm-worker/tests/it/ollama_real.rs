//! A real Ollama, where `scripts/test-ollama.sh` has started one: the same promises with the true server.
//!
//! Tests that kill or stop something start a server of their own on the same models.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::wire::{
    Blob, ChatRequest, Class, Dialect, EmbedRequest, Failure, Finish, ForwardRequest, Message, Role, Task,
};
use llm_worker::backend::ollama::normalise::normalised;
use llm_worker::backend::{Backend, BackendError};
use llm_worker::probe::cosine;
use llm_worker::probe::model::{Outcome, probe};
use llm_worker::upstream::{Kind, Upstream, open};
use llm_worker::{Engine, Precision};

use crate::models::{fifty_texts, open as open_model};
use crate::servers::{chat, drain};

/// Time for a first byte. The tiny model loads in a third of a second on a quiet machine; a batch of
/// texts has taken eleven seconds on a busy one.
const FIRST_BYTE: Duration = Duration::from_secs(60);
const STALL: Duration = Duration::from_secs(2);

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The address of the server, or nothing when none was promised; a broken promise fails the test.
fn server() -> Option<String> {
    let url = variable("LYCEUM_TEST_OLLAMA_URL");
    if url.is_none() {
        let promised = variable("LYCEUM_TEST_PROMISED").unwrap_or_default();
        assert!(!promised.contains("ollama"), "Ollama was promised: LYCEUM_TEST_OLLAMA_URL is not set");
        eprintln!("skipped: no Ollama; eval \"$(scripts/test-ollama.sh start)\" starts one");
    }
    url
}

async fn backend_of(kind: Kind, url: &str) -> Arc<dyn Backend> {
    let upstream = Upstream {
        first_byte_ms: FIRST_BYTE.as_millis() as u64,
        stall_ms: STALL.as_millis() as u64,
        answer_ms: FIRST_BYTE.as_millis() as u64,
        ..Upstream::new("real", kind, url)
    };
    let backend = open(&upstream).unwrap();
    backend.refresh().await.unwrap();
    backend
}

async fn ollama() -> Option<Arc<dyn Backend>> {
    Some(backend_of(Kind::Ollama, &server()?).await)
}

fn asking(model: &str, text: &str, max_tokens: u32) -> ChatRequest {
    let messages = vec![Message { role: Role::User, content: text.into() }];
    ChatRequest { model: model.into(), messages, max_tokens, seed: Some(1), ..ChatRequest::default() }
}

/// A server of this test alone, on the models of the other.
struct Own {
    child: Child,
    address: String,
    home: tempfile::TempDir,
}

impl Own {
    async fn start() -> Option<Self> {
        server()?;
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let home = tempfile::tempdir().unwrap();
        let own = Self { child: Self::spawn(&address, home.path()), address, home };
        own.ready().await;
        Some(own)
    }

    fn spawn(address: &str, home: &std::path::Path) -> Child {
        Command::new(PathBuf::from(variable("LYCEUM_TEST_OLLAMA_BIN").unwrap()))
            .arg("serve")
            .env("OLLAMA_HOST", address)
            .env("OLLAMA_MODELS", variable("LYCEUM_TEST_OLLAMA_MODELS").unwrap())
            .env("OLLAMA_NOPRUNE", "1")
            .env("OLLAMA_NUM_PARALLEL", "1")
            .env("HOME", home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    async fn ready(&self) {
        let backend = open(&Upstream::new("ready", Kind::Ollama, self.url())).unwrap();
        let began = Instant::now();
        while backend.refresh().await.is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "the server should be ready by now");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The process that computes, a child of the server.
    fn runner(&self) -> u32 {
        let found = Command::new("pgrep").args(["-P", &self.child.id().to_string()]).output().unwrap();
        let text = String::from_utf8(found.stdout).unwrap();
        text.split_whitespace().next().expect("a runner").parse().unwrap()
    }

    async fn restart(&mut self) {
        self.child = Self::spawn(&self.address, self.home.path());
        self.ready().await;
    }
}

fn signal(pid: u32, name: &str) {
    assert!(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap().success());
}

impl Drop for Own {
    fn drop(&mut self) {
        // It takes its runners with it, also those that are stopped.
        if let Ok(found) = Command::new("pgrep").args(["-P", &self.child.id().to_string()]).output() {
            for pid in String::from_utf8_lossy(&found.stdout).split_whitespace() {
                let _ = Command::new("kill").args(["-KILL", pid]).status();
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_chat_streams_and_keeps_to_a_schema() {
    let Some(url) = server() else { return };
    for kind in [Kind::Ollama, Kind::OpenAi] {
        let backend = backend_of(kind, &url).await;
        let model = backend.models().into_iter().find(|model| model.id.starts_with("tiny")).unwrap();
        let (text, end) = chat(&backend, asking(&model.id, "hello there", 16)).await;
        let end = end.unwrap();
        assert!(!text.is_empty());
        let usage = end.usage.unwrap();
        assert!(usage.prompt_tokens > 5 && usage.completion_tokens <= 16, "{usage:?}");
        let (cut, end) = chat(&backend, asking(&model.id, "hello there", 2)).await;
        assert_eq!(end.unwrap().finish, Finish::Length);
        assert!(cut.len() <= text.len());
        let schema = serde_json::json!({
            "type": "object",
            "properties": { "score": { "type": "integer", "minimum": 0, "maximum": 9 } },
            "required": ["score"],
        });
        let request = ChatRequest { schema: Some(schema), ..asking(&model.id, "give a score", 40) };
        let (text, end) = chat(&backend, request).await;
        assert!(end.is_ok());
        let value: serde_json::Value = serde_json::from_str(&text).expect(&text);
        assert!(value["score"].as_u64().unwrap() <= 9);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_models_are_told_apart() {
    let Some(backend) = ollama().await else { return };
    let models = backend.models();
    let of = |name: &str| models.iter().find(|model| model.id == name).unwrap();
    let tiny = of("tiny:latest");
    assert_eq!((tiny.task, tiny.max_tokens), (Task::Chat, Some(512)));
    assert!(tiny.abilities.version.as_ref().unwrap().len() == 64);
    assert!(!backend.notices().is_empty(), "a build from source tells no version");
    assert!(!backend.refresh().await.unwrap(), "nothing has changed");
    backend.warm("tiny").await.unwrap();
    assert!(backend.resident().await.unwrap().contains(&"tiny:latest".to_owned()));
    let vectors = EmbedRequest { model: "tiny".into(), texts: vec!["a".into()] };
    assert!(matches!(backend.embed(Class::Embed, vectors).await, Err(BackendError::Failed(Failure::Invalid { .. }))));
    let (_, end) = chat(&backend, asking("absent", "hi", 4)).await;
    assert!(matches!(end, Err(BackendError::Failed(Failure::NoModel { .. }))));
}

#[tokio::test(flavor = "multi_thread")]
async fn real_prompt_that_is_too_long_fails_instead_of_being_cut() {
    let Some(backend) = ollama().await else { return };
    // Fewer words than tokens of the context, but more tokens: only the count tells.
    let (_, end) = chat(&backend, asking("tiny", &"incomprehensible ".repeat(60), 4)).await;
    assert!(matches!(&end, Err(BackendError::Failed(Failure::Invalid { .. }))), "{end:?}");
    let Some(model) = backend.models().into_iter().find(|model| model.task == Task::Embed) else { return };
    backend.warm(&model.id).await.unwrap();
    let long = EmbedRequest { model: model.id, texts: vec!["word ".repeat(2_000)] };
    let outcome = backend.embed(Class::Embed, long).await;
    assert!(matches!(&outcome, Err(BackendError::Failed(Failure::Invalid { .. }))), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_vectors_agree_with_those_made_in_process() {
    let Some(backend) = ollama().await else { return };
    let Some(own) = open_model(Engine::Candle, Precision::Fp32) else { return };
    let Some(model) = backend.models().into_iter().find(|model| model.task == Task::Embed) else {
        panic!("the server has no embedding model")
    };
    assert_eq!(model.dimension, Some(384));
    let mut texts: Vec<String> = fifty_texts().into_iter().filter(|text| text.len() < 800).collect();
    texts.extend(
        [
            "naïve café",
            "Ärger",
            "x=3.14!",
            "a — b",
            "“curly” ‘quotes’",
            "wait…",
            "fn main() { println!(\"{}\", x); }",
            "所有权是 Rust 的特性",
            "日本語、テスト。",
            "α ≤ β → γ",
            "50 % of €20",
        ]
        .map(str::to_owned),
    );
    let request = |texts: &[String]| EmbedRequest { model: model.id.clone(), texts: texts.to_vec() };
    let theirs = backend.embed(Class::Embed, request(&texts)).await.unwrap();
    let ours = own.backend.vectors(Class::Embed, texts.clone()).await.unwrap();
    let mut lowest = 1.0_f64;
    for ((text, ours), theirs) in texts.iter().zip(&ours).zip(&theirs) {
        let alike = cosine(ours, theirs);
        lowest = lowest.min(alike);
        assert!(alike > 0.999, "{text:?}: {alike}");
    }
    eprintln!("Ollama and candle: lowest cosine {lowest:.6} of {} texts", texts.len());
    // Normalised text, which servers at fault are sent, means the same to a sound one.
    let plain: Vec<String> =
        texts.iter().filter(|text| !text.contains(['—', '“', '…', '、', '‘', '·'])).cloned().collect();
    let sent: Vec<String> = plain.iter().map(|text| normalised(text)).collect();
    let normal = own.backend.vectors(Class::Embed, sent).await.unwrap();
    let before = own.backend.vectors(Class::Embed, plain.clone()).await.unwrap();
    for ((text, left), right) in plain.iter().zip(&normal).zip(&before) {
        let alike = cosine(left, right);
        assert!(alike > 0.999 || text.contains(['—', '。', '，', '？', '’', '“', '«']), "{text:?}: {alike}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_repetition_that_the_server_breaks_off_is_a_failure() {
    let Some(backend) = ollama().await else { return };
    let (text, end) = chat(&backend, asking("same", "hello", 200)).await;
    assert!(text.contains("sun"), "{text:?}");
    let Err(BackendError::Failed(Failure::Backend { message })) = end else { panic!("{end:?}") };
    assert!(message.contains("did not finish"), "{message}");
    for (dialect, path, stream) in [
        (Dialect::Ollama, "/api/chat", true),
        (Dialect::Ollama, "/api/chat", false),
        (Dialect::OpenAi, "/v1/chat/completions", true),
        (Dialect::OpenAi, "/v1/chat/completions", false),
    ] {
        let body = format!(
            r#"{{"model":"same","messages":[{{"role":"user","content":"hi"}}],"stream":{stream},"max_tokens":200,"options":{{"num_predict":200}}}}"#
        );
        let request =
            ForwardRequest { model: "same".into(), dialect, path: path.into(), body: Blob(body.into()), stream };
        let (_, end) = drain(backend.forward(request).await.unwrap()).await;
        assert!(end.is_err(), "{path} {stream}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_requests_are_carried_over_in_both_dialects() {
    let Some(backend) = ollama().await else { return };
    for (dialect, path, stream) in [
        (Dialect::OpenAi, "/v1/chat/completions", true),
        (Dialect::OpenAi, "/v1/chat/completions", false),
        (Dialect::Ollama, "/api/chat", true),
        (Dialect::Ollama, "/api/chat", false),
    ] {
        let body = format!(
            r#"{{"model":"tiny","messages":[{{"role":"user","content":"hi"}}],"stream":{stream},"max_tokens":8,"options":{{"num_predict":8}},"stream_options":{{"include_usage":true}}}}"#
        );
        let request =
            ForwardRequest { model: "tiny".into(), dialect, path: path.into(), body: Blob(body.into()), stream };
        let forwarded = backend.forward(request).await.unwrap();
        assert_eq!(forwarded.status, 200);
        let (text, end) = drain(forwarded).await;
        let usage = end.unwrap_or_else(|error| panic!("{path} {stream}: {error:?}: {text}"));
        assert!(usage.is_some_and(|usage| usage.prompt_tokens > 0), "{path} {stream}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_model_is_probed() {
    let Some(backend) = ollama().await else { return };
    for model in backend.models().into_iter().filter(|model| !model.id.starts_with("same")) {
        let report = probe(&backend, &model).await;
        eprintln!("{}", serde_json::to_string(&report).unwrap());
        assert_eq!(report.answers, Outcome::Works);
        assert!(report.model.abilities.load_ms.is_some());
        if model.task == Task::Chat {
            assert_eq!(report.schema, Outcome::Works);
            assert!(matches!(report.tools, Outcome::Refused { .. }), "its template has no tools");
            assert!(report.model.abilities.tokens_per_second.unwrap() > 1);
        }
    }
}

/// A request that is under way while its runner is killed, and the next one.
#[tokio::test(flavor = "multi_thread")]
async fn real_runner_that_is_killed_fails_one_request_and_serves_the_next() {
    let Some(own) = Own::start().await else { return };
    let backend = backend_of(Kind::Ollama, &own.url()).await;
    backend.warm("tiny").await.unwrap();
    let runner = own.runner();
    // Stopped first, so that the request is surely under way when the runner dies.
    signal(runner, "STOP");
    let working = Arc::clone(&backend);
    let began = Instant::now();
    let request = tokio::spawn(async move { chat(&working, asking("tiny", "hello", 100)).await.1 });
    tokio::time::sleep(Duration::from_millis(300)).await;
    signal(runner, "KILL");
    let end = request.await.unwrap();
    assert!(began.elapsed() < FIRST_BYTE + Duration::from_secs(1));
    // Older servers load the model anew and answer; the request then simply went well.
    if let Err(error) = &end {
        assert!(matches!(error, BackendError::Failed(Failure::Backend { .. })), "{error:?}");
    }
    eprintln!("runner killed: {end:?} after {:?}", began.elapsed());
    let (text, end) = chat(&backend, asking("tiny", "hello", 8)).await;
    assert!(end.is_ok() && !text.is_empty(), "{end:?}");
    assert_ne!(own.runner(), runner);
}

#[tokio::test(flavor = "multi_thread")]
async fn real_runner_that_hangs_is_a_typed_failure_within_its_time() {
    let Some(own) = Own::start().await else { return };
    let upstream = Upstream { first_byte_ms: 1_500, stall_ms: 1_500, ..Upstream::new("own", Kind::Ollama, own.url()) };
    let backend = open(&upstream).unwrap();
    backend.refresh().await.unwrap();
    while backend.warm("tiny").await.is_err() {}
    let runner = own.runner();
    signal(runner, "STOP");
    let began = Instant::now();
    let (_, end) = chat(&backend, asking("tiny", "hello", 100)).await;
    let Err(BackendError::Failed(Failure::Backend { message })) = end else { panic!("{end:?}") };
    assert!(message.contains("said nothing") || message.contains("stalled"), "{message}");
    assert!(began.elapsed() < Duration::from_millis(2_500), "{:?}", began.elapsed());
    signal(runner, "CONT");
}

#[tokio::test(flavor = "multi_thread")]
async fn real_server_that_restarts_is_used_again() {
    let Some(mut own) = Own::start().await else { return };
    let backend = backend_of(Kind::Ollama, &own.url()).await;
    assert!(chat(&backend, asking("tiny", "hello", 4)).await.1.is_ok());
    let runner = own.runner();
    own.child.kill().unwrap();
    own.child.wait().unwrap();
    signal(runner, "KILL");
    let began = Instant::now();
    let (_, end) = chat(&backend, asking("tiny", "hello", 4)).await;
    assert!(matches!(end, Err(BackendError::Failed(Failure::Backend { .. }))), "{end:?}");
    assert!(backend.refresh().await.is_err());
    assert!(backend.serves("tiny"), "a server that is away for a moment keeps its models");
    assert!(began.elapsed() < Duration::from_secs(5));
    own.restart().await;
    assert!(chat(&backend, asking("tiny", "hello", 4)).await.1.is_ok());
}
