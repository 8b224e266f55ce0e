//! Networked backends against a server that fails in every known way: each ends in a typed outcome, in time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::wire::{
    Blob, ChatRequest, Class, Dialect, EmbedRequest, Failure, Finish, ForwardRequest, Message, Role, Task,
    TranscribeRequest, Up, Usage,
};
use futures::StreamExt;
use llm_worker::Worker;
use llm_worker::backend::{Backend, BackendError, ChatEnd, Forwarded};
use llm_worker::upstream::{Kind, Served, ServedModel, Upstream, open};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::fake_server::{FakeServer, Step, answer, end, head, piece};

const SSE: &str = "text/event-stream; charset=utf-8";
const NDJSON: &str = "application/x-ndjson";
const FIRST_BYTE: Duration = Duration::from_millis(400);
const STALL: Duration = Duration::from_millis(300);

fn upstream(kind: Kind, server: &FakeServer) -> Upstream {
    Upstream {
        models: vec![named("talk", Task::Chat), named("vectors", Task::Embed), named("ears", Task::Transcribe)],
        first_byte_ms: FIRST_BYTE.as_millis() as u64,
        answer_ms: FIRST_BYTE.as_millis() as u64,
        stall_ms: STALL.as_millis() as u64,
        ..Upstream::new("fake", kind, &server.url)
    }
}

fn named(id: &str, task: Task) -> Served {
    Served::Full(ServedModel { id: id.into(), task: Some(task), dimension: Some(2), max_tokens: None })
}

pub(crate) async fn backend(kind: Kind) -> (FakeServer, Arc<dyn Backend>) {
    let server = FakeServer::start().await;
    let backend = open(&upstream(kind, &server)).unwrap();
    (server, backend)
}

pub(crate) fn asking(model: &str, text: &str) -> ChatRequest {
    let messages = vec![Message { role: Role::User, content: text.into() }];
    ChatRequest { model: model.into(), messages, max_tokens: 20, ..ChatRequest::default() }
}

pub(crate) async fn chat(backend: &Arc<dyn Backend>, request: ChatRequest) -> (String, Result<ChatEnd, BackendError>) {
    let (sender, mut pieces) = mpsc::channel::<String>(8);
    let gather = async {
        let mut text = String::new();
        while let Some(piece) = pieces.recv().await {
            text.push_str(&piece);
        }
        text
    };
    let (end, text) = tokio::join!(backend.chat(request, sender), gather);
    (text, end)
}

pub(crate) fn forwarding(dialect: Dialect, path: &'static str, stream: bool) -> ForwardRequest {
    let body = Blob(bytes::Bytes::from_static(b"{\"model\":\"talk\", \"x\" : 1}"));
    ForwardRequest { model: "talk".into(), dialect, path: path.into(), body, stream }
}

/// The bytes that came, and how it ended.
pub(crate) async fn drain(mut answer: Forwarded) -> (String, Result<Option<Usage>, BackendError>) {
    let mut all = Vec::new();
    while let Some(item) = answer.body.next().await {
        match item {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(error) => return (String::from_utf8(all).unwrap(), Err(error)),
        }
    }
    (String::from_utf8(all).unwrap(), Ok(answer.usage.get().copied()))
}

pub(crate) fn message_of(error: &BackendError) -> String {
    match error {
        BackendError::Failed(failure) => failure.to_string(),
        BackendError::Crashed => "crashed".into(),
    }
}

fn delta(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n")
}

fn said(text: &str) -> String {
    format!("{{\"model\":\"talk\",\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"done\":false}}\n")
}

const LAST: &str = "{\"model\":\"talk\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done_reason\":\"stop\",\"done\":true,\"prompt_eval_count\":7,\"eval_count\":3}\n";
const USAGE: Usage = Usage { prompt_tokens: 7, completion_tokens: 3 };

#[tokio::test]
async fn openai_chat_streams_text_and_counts() {
    let (server, backend) = backend(Kind::OpenAi).await;
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n";
    let finish = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}]}\n\n";
    // Cut in the middle of a line: pieces of the network are not lines.
    let all = format!(": ping\n\n{}{}{finish}{usage}data: [DONE]\n\n", delta("one "), delta("two"));
    let (left, right) = all.split_at(40);
    server.on("/v1/chat/completions", vec![head(SSE), piece(left), piece(right), end()]);
    let schema = serde_json::json!({"type": "object"});
    let request = ChatRequest { schema: Some(schema.clone()), seed: Some(4), ..asking("talk", "hi") };
    let (text, outcome) = chat(&backend, request).await;
    assert_eq!((text.as_str(), outcome), ("one two", Ok(ChatEnd { finish: Finish::Length, usage: Some(USAGE) })));
    let sent: serde_json::Value = serde_json::from_str(&server.bodies("/v1/chat/completions")[0]).unwrap();
    assert_eq!(sent["response_format"]["json_schema"]["schema"], schema);
    assert_eq!((&sent["max_tokens"], &sent["seed"]), (&20.into(), &4.into()));
    assert_eq!(sent["stream_options"]["include_usage"], true);
}

#[tokio::test]
async fn ollama_chat_streams_text_and_counts() {
    let (server, backend) = backend(Kind::Ollama).await;
    server.on("/api/chat", vec![head(NDJSON), piece(&said("one ")), piece(&said("two")), piece(LAST), end()]);
    let (text, outcome) = chat(&backend, asking("talk:latest", "hi")).await;
    assert_eq!((text.as_str(), outcome), ("one two", Ok(ChatEnd { finish: Finish::Stop, usage: Some(USAGE) })));
}

/// Every way in which a chat fails, the words that the failure holds, and that it comes in time.
#[tokio::test]
async fn every_failure_of_a_chat_is_typed_and_in_time() {
    let stuck = vec![head(NDJSON), piece(&said("one")), Step::Hang];
    let ollama: Vec<(&str, Vec<Step>)> = vec![
        ("runner has died", vec![head(NDJSON), piece(&said("one")), piece("{\"error\":\"runner has died\"}\n"), end()]),
        ("without \"done\":true", vec![head(NDJSON), piece(&said("one")), end()]),
        ("without \"done\":true", vec![answer(200, NDJSON, "{\"done\":false}")]),
        ("broke off", vec![head(NDJSON), piece(&said("one")), Step::Close]),
        ("stalled", stuck),
        ("said nothing", vec![Step::Hang]),
        ("broke off", vec![Step::Close]),
        ("text/html", vec![answer(200, "text/html", "<h1>Log in</h1>")]),
        ("cannot be read", vec![head(NDJSON), piece("<h1>\n"), end()]),
        ("too long", vec![head(NDJSON), Step::Flood(format!("{:x}\r\n{}\r\n", 65_536, "x".repeat(65_536)))]),
        ("answers 429: slow down", vec![answer(429, "application/json", "{\"error\":\"slow down\"}")]),
        ("answers 500: boom", vec![answer(500, "text/plain", "boom")]),
        ("refuses it: bad", vec![answer(400, "application/json", "{\"error\":\"bad\"}")]),
        ("no model", vec![answer(404, "application/json", "{\"error\":\"model not found\"}")]),
    ];
    for (words, steps) in ollama {
        let (server, backend) = backend(Kind::Ollama).await;
        server.on("/api/chat", steps);
        fails(&backend, words).await;
    }
    let openai: Vec<(&str, Vec<Step>)> = vec![
        ("without [DONE]", vec![head(SSE), piece(&delta("one")), end()]),
        (
            "out of memory",
            vec![
                head(SSE),
                piece(&delta("one")),
                piece("data: {\"error\":{\"message\":\"out of memory\"}}\n\n"),
                end(),
            ],
        ),
        ("broke off", vec![head(SSE), piece(&delta("one")), Step::Close]),
        ("stalled", vec![head(SSE), piece(&delta("one")), Step::Hang]),
        ("said nothing", vec![Step::Hang]),
        ("application/json", vec![answer(200, "application/json", "{\"choices\":[]}")]),
        ("cannot be read", vec![head(SSE), piece("data: {\"choices\"\n\n"), end()]),
        ("answers 503: busy", vec![answer(503, "application/json", "{\"error\":{\"message\":\"busy\"}}")]),
        ("answers 401", vec![answer(401, "application/json", "{}")]),
    ];
    for (words, steps) in openai {
        let (server, backend) = backend(Kind::OpenAi).await;
        server.on("/v1/chat/completions", steps);
        fails(&backend, words).await;
    }
}

async fn fails(backend: &Arc<dyn Backend>, words: &str) {
    let began = Instant::now();
    let (_, outcome) = chat(backend, asking("talk", "hi")).await;
    let said = message_of(&outcome.unwrap_err());
    assert!(said.contains(words), "{said:?} should hold {words:?}");
    assert!(began.elapsed() < FIRST_BYTE + STALL + Duration::from_secs(1), "{words}: {:?}", began.elapsed());
}

#[tokio::test]
async fn server_that_is_not_there_is_said_to_be_so() {
    let mut upstream = Upstream::new("gone", Kind::OpenAi, "http://127.0.0.1:1/v1/");
    upstream.models = vec![named("talk", Task::Chat)];
    let backend = open(&upstream).unwrap();
    let (_, outcome) = chat(&backend, asking("talk", "hi")).await;
    assert!(message_of(&outcome.unwrap_err()).contains("cannot reach"));
    assert!(backend.refresh().await.is_ok(), "named models need no list");
}

#[tokio::test]
async fn slow_first_token_within_its_time_is_no_failure() {
    let (server, backend) = backend(Kind::Ollama).await;
    server.on("/api/chat", vec![Step::Wait(FIRST_BYTE / 2), head(NDJSON), piece(&said("late")), piece(LAST), end()]);
    let (text, outcome) = chat(&backend, asking("talk", "hi")).await;
    assert_eq!(text, "late");
    assert!(outcome.is_ok());
}

#[tokio::test]
async fn prompt_that_ollama_cut_in_silence_is_a_failure() {
    let server = FakeServer::start().await;
    let backend = open(&Upstream { num_ctx: Some(64), ..upstream(Kind::Ollama, &server) }).unwrap();
    server.json("/api/tags", r#"{"models":[{"name":"talk:latest","digest":"d1"}]}"#);
    server.json("/api/show", r#"{"capabilities":["completion"],"model_info":{"general.architecture":"llama"}}"#);
    assert!(backend.refresh().await.unwrap());
    let full = LAST.replace("\"prompt_eval_count\":7", "\"prompt_eval_count\":64");
    server.on("/api/chat", vec![head(NDJSON), piece(&said("x")), piece(&full), end()]);
    let (_, outcome) = chat(&backend, asking("talk", &"word ".repeat(50))).await;
    assert!(matches!(outcome, Err(BackendError::Failed(Failure::Invalid { .. }))), "{outcome:?}");
    let (_, outcome) = chat(&backend, asking("talk", &"word ".repeat(500))).await;
    assert!(matches!(outcome, Err(BackendError::Failed(Failure::Invalid { .. }))), "{outcome:?}");
    assert_eq!(server.bodies("/api/chat").len(), 1, "what is surely too long is not even sent");
}

#[tokio::test]
async fn models_that_appear_later_are_registered() {
    let server = FakeServer::start().await;
    let mut upstream = upstream(Kind::Ollama, &server);
    upstream.models.clear();
    let backend = open(&upstream).unwrap();
    server.json("/api/tags", r#"{"models":[]}"#);
    server.json("/api/ps", r#"{"models":[{"name":"new:latest"}]}"#);
    server.json("/api/show", r#"{"capabilities":["completion","tools"],"model_info":{"general.architecture":"llama","llama.context_length":2048},"parameters":"num_thread 1\nnum_ctx 512"}"#);
    tokio::time::pause();
    let (_down, incoming) = mpsc::channel(8);
    let (outgoing, mut up) = mpsc::channel(64);
    let worker = Worker::new("w").with_backend(Arc::clone(&backend));
    tokio::spawn(async move { worker.serve(incoming, outgoing, CancellationToken::new()).await });
    assert!(matches!(up.recv().await, Some(Up::Register { models, .. }) if models.is_empty()));
    server.json("/api/tags", r#"{"models":[{"name":"new:latest","digest":"d1"}]}"#);
    let mut resident = None;
    let models = loop {
        match up.recv().await.unwrap() {
            Up::Register { models, .. } => break models,
            Up::Resident { models } => resident = Some(models),
            _ => {}
        }
    };
    assert_eq!(resident, Some(vec!["new:latest".to_owned()]));
    assert_eq!((models[0].id.as_str(), models[0].task, models[0].max_tokens), ("new:latest", Task::Chat, Some(512)));
    assert_eq!(models[0].abilities.tools, Some(true));
    assert_eq!(models[0].abilities.version.as_deref(), Some("d1"));
    let two = |first: &str, second: &str| {
        format!(r#"{{"models":[{{"name":"{first}","digest":"d1"}},{{"name":"{second}","digest":"d1"}}]}}"#)
    };
    server.json("/api/tags", &two("new:latest", "other:latest"));
    assert!(backend.refresh().await.unwrap());
    server.json("/api/tags", &two("other:latest", "new:latest"));
    assert!(!backend.refresh().await.unwrap(), "Ollama's order is by chance");
    assert!(backend.serves("new") && backend.serves("new:latest") && !backend.serves("new:7b"));
    assert!(backend.notices()[0].contains("not known"), "a version that is not told is a notice");
}

#[tokio::test]
async fn vectors_are_put_in_order_and_checked() {
    let (server, backend) = backend(Kind::OpenAi).await;
    let texts = || EmbedRequest { model: "vectors".into(), texts: vec!["a".into(), "b".into()] };
    server.json("/v1/embeddings", r#"{"data":[{"index":1,"embedding":[0,2]},{"index":0,"embedding":[1,0]}]}"#);
    assert_eq!(backend.embed(Class::Embed, texts()).await, Ok(vec![vec![1.0, 0.0], vec![0.0, 1.0]]));
    for bad in [
        r#"{"data":[{"index":0,"embedding":[1,0]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1,0]},{"index":0,"embedding":[1,0]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[1,0,0]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[0,0]}]}"#,
        r#"{"data":[{"index":0,"embedding":[1,0]},{"index":1,"embedding":[1e39,0]}]}"#,
        "not json",
    ] {
        server.json("/v1/embeddings", bad);
        let outcome = backend.embed(Class::Embed, texts()).await;
        assert!(matches!(outcome, Err(BackendError::Failed(Failure::Backend { .. }))), "{bad}: {outcome:?}");
    }
    let chat_model = EmbedRequest { model: "talk".into(), texts: vec!["a".into()] };
    assert!(matches!(
        backend.embed(Class::Embed, chat_model).await,
        Err(BackendError::Failed(Failure::Invalid { .. }))
    ));
}

#[tokio::test]
async fn texts_are_normalised_only_for_a_server_that_cuts_them_wrongly() {
    for (second, expected) in [("[1,0]", "a=b naive"), ("[0.5,0.9]", "a = b naive")] {
        let (server, backend) = backend(Kind::Ollama).await;
        server.json("/api/tags", r#"{"models":[{"name":"vectors:latest","digest":"d1"}]}"#);
        server.json("/api/show", r#"{"capabilities":["embedding"],"model_info":{"general.architecture":"bert","tokenizer.ggml.model":"bert"}}"#);
        backend.refresh().await.unwrap();
        // The two spellings first, then the text itself; this server always sends two vectors.
        server.json("/api/embed", &format!("{{\"embeddings\":[[1,0],{second}]}}"));
        let request = EmbedRequest { model: "vectors".into(), texts: vec!["a=b naïve".into(), "b".into()] };
        assert!(backend.embed(Class::Embed, request).await.is_ok());
        let sent: serde_json::Value = serde_json::from_str(&server.bodies("/api/embed")[1]).unwrap();
        assert_eq!(sent["input"][0], expected);
        assert_eq!(sent["truncate"], false);
    }
}

#[tokio::test]
async fn forwarded_bytes_are_those_of_the_server() {
    let (server, backend) = backend(Kind::Ollama).await;
    let body = format!(
        "{}{}data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":7,\"completion_tokens\":3}}}}\n\ndata: [DONE]\n\n",
        delta("one"),
        delta("two")
    );
    for cut in [1, 30, 60, body.len() - 3] {
        let (left, right) = body.split_at(cut);
        server.on("/v1/chat/completions", vec![head(SSE), piece(left), piece(right), end()]);
        let forwarded = backend.forward(forwarding(Dialect::OpenAi, "/v1/chat/completions", true)).await.unwrap();
        assert_eq!((forwarded.status, forwarded.content_type.as_str()), (200, SSE));
        assert_eq!(drain(forwarded).await, (body.clone(), Ok(Some(USAGE))));
    }
    assert_eq!(server.bodies("/v1/chat/completions")[0], "{\"model\":\"talk\", \"x\" : 1}");
    let lines = format!("{}{}{LAST}", said("one"), said("two"));
    for cut in [1, said("one").len(), lines.len() - 40] {
        let (left, right) = lines.split_at(cut);
        server.on("/api/chat", vec![head(NDJSON), piece(left), piece(right), end()]);
        let forwarded = backend.forward(forwarding(Dialect::Ollama, "/api/chat", true)).await.unwrap();
        assert_eq!(drain(forwarded).await, (lines.clone(), Ok(Some(USAGE))));
    }
    server.on("/api/chat", vec![answer(429, "text/plain", "later")]);
    let forwarded = backend.forward(forwarding(Dialect::Ollama, "/api/chat", true)).await.unwrap();
    assert_eq!((forwarded.status, drain(forwarded).await), (429, ("later".to_owned(), Ok(None))));
}

#[tokio::test]
async fn forwarded_answer_without_its_last_word_ends_with_an_error() {
    let cases: Vec<(Dialect, &str, bool, Vec<Step>)> = vec![
        (Dialect::OpenAi, "/v1/chat/completions", true, vec![head(SSE), piece(&delta("one")), end()]),
        (Dialect::OpenAi, "/v1/chat/completions", true, vec![head(SSE), piece(&delta("one")), Step::Close]),
        (Dialect::OpenAi, "/v1/chat/completions", true, vec![head(SSE), piece(&delta("one")), Step::Hang]),
        (Dialect::OpenAi, "/v1/chat/completions", true, vec![head(SSE), piece(&delta("data: [DONE]")), end()]),
        (
            Dialect::OpenAi,
            "/v1/chat/completions",
            false,
            vec![head("application/json"), piece("{\"choices\":[{"), end()],
        ),
        (
            Dialect::OpenAi,
            "/v1/chat/completions",
            false,
            vec![answer(
                200,
                "application/json",
                "{\"choices\":[{\"message\":{},\"finish_reason\":null}],\"usage\":{}}",
            )],
        ),
        (Dialect::Ollama, "/api/chat", true, vec![head(NDJSON), piece(&said("one")), end()]),
        (
            Dialect::Ollama,
            "/api/chat",
            true,
            vec![head(NDJSON), piece(&said("one")), piece("{\"error\":\"died\"}\n"), end()],
        ),
        (Dialect::Ollama, "/api/chat", true, vec![head(NDJSON), piece(LAST), piece(&said("and more")), end()]),
        (Dialect::Ollama, "/api/chat", false, vec![answer(200, "application/json", "{\"message\":{},\"done\":false}")]),
    ];
    for (dialect, path, stream, steps) in cases {
        let (server, backend) = backend(Kind::Ollama).await;
        server.on(path, steps.clone());
        let forwarded = backend.forward(forwarding(dialect, path, stream)).await.unwrap();
        let (came, outcome) = drain(forwarded).await;
        assert!(!came.is_empty() && outcome.is_err(), "{steps:?}: {outcome:?}");
    }
    let (server, backend) = backend(Kind::Ollama).await;
    server.on("/api/chat", vec![answer(200, "text/html", "<h1>Log in</h1>")]);
    assert!(backend.forward(forwarding(Dialect::Ollama, "/api/chat", true)).await.is_err());
}

#[tokio::test]
async fn paths_that_change_models_are_never_carried_over() {
    for kind in [Kind::Ollama, Kind::OpenAi] {
        let (server, backend) = backend(kind).await;
        for path in
            ["/api/pull", "/api/push", "/api/create", "/api/delete", "/api/copy", "/api/chat/../pull", "/v1/files", ""]
        {
            for dialect in [Dialect::Ollama, Dialect::OpenAi, Dialect::Unknown] {
                let refused = backend.forward(forwarding(dialect, path, false)).await;
                assert!(matches!(refused, Err(BackendError::Failed(Failure::Invalid { .. }))), "{path}");
            }
            assert!(server.bodies(path).is_empty());
        }
    }
}

#[tokio::test]
async fn dropped_work_closes_the_connection_to_the_server() {
    for steps in [vec![Step::Hang], vec![head(NDJSON), piece(&said("one")), Step::Hang]] {
        let (mut server, backend) = backend(Kind::Ollama).await;
        server.on("/api/chat", steps.clone());
        let working = Arc::clone(&backend);
        let task = tokio::spawn(async move { chat(&working, asking("talk", "hi")).await });
        server.hanging.recv().await.unwrap();
        let dropped = Instant::now();
        task.abort();
        assert!(server.closed.recv().await.unwrap() - dropped < Duration::from_millis(100));

        let task = tokio::spawn(async move {
            let forwarded = backend.forward(forwarding(Dialect::Ollama, "/api/chat", true)).await?;
            drain(forwarded).await.1
        });
        server.hanging.recv().await.unwrap();
        let dropped = Instant::now();
        task.abort();
        assert!(server.closed.recv().await.unwrap() - dropped < Duration::from_millis(100));
    }
}

#[tokio::test]
async fn recording_is_written_down_with_times_or_without() {
    let (server, backend) = backend(Kind::OpenAi).await;
    let path = "/v1/audio/transcriptions";
    let request = || TranscribeRequest {
        model: "ears".into(),
        audio: Blob(bytes::Bytes::from_static(b"RIFF....")),
        file_name: "a \"b\".wav".into(),
        language: Some("en".into()),
        prompt: None,
    };
    server.json(path, r#"{"language":"english","duration":2.5,"text":"Hello there. Bye.","segments":[{"start":0,"end":1.5,"text":" Hello there.","avg_logprob":-0.1},{"start":1.5,"end":2.5,"text":" Bye."}],"words":[{"word":"Hello","start":0,"end":0.5},{"word":"there","start":0.6,"end":1.4},{"word":"Bye","start":1.6,"end":2.4}]}"#);
    let transcript = backend.transcribe(request()).await.unwrap();
    assert_eq!((transcript.text().as_str(), transcript.language.as_deref()), ("Hello there. Bye.", Some("en")));
    assert_eq!(transcript.segments.iter().map(|s| s.words.len()).collect::<Vec<_>>(), [2, 1]);
    assert!(transcript.segments[0].confidence.unwrap() > 0.9);
    let sent = &server.bodies(path)[0];
    assert!(sent.contains("verbose_json") && sent.contains("filename=\"a__b_.wav\"") && sent.contains("RIFF...."));
    // A server that knows no times refuses them first; this fake one refuses whatever it is asked.
    server.on(path, vec![answer(400, "application/json", "{\"error\":\"no verbose_json\"}")]);
    assert!(matches!(backend.transcribe(request()).await, Err(BackendError::Failed(Failure::Invalid { .. }))));
    assert!(!server.bodies(path)[2].contains("verbose_json"));
    server.json(path, r#"{"text":"Only text."}"#);
    assert_eq!(backend.transcribe(request()).await.unwrap().text(), "Only text.");
}

#[test]
fn configuration_is_checked() {
    let parse = |text: &str| toml::from_str::<Upstream>(text);
    let upstream = parse("name='gpu'\nkind='openai'\nurl='https://llm.example.org/v1'\nkey='canary'\nmodels=['a', {id='b', task='embed'}]").unwrap();
    assert!(!format!("{upstream:?}").contains("canary"));
    assert_eq!((upstream.slots(), upstream.local()), (8, false));
    let backend = open(&upstream).unwrap();
    assert_eq!(backend.models().iter().map(|m| m.task).collect::<Vec<_>>(), [Task::Chat, Task::Embed]);
    assert!(parse("name='x'\nkind='ollama'\nurl='http://h'\ncolour=1").is_err());
    for url in ["ftp://host", "host:11434", "http://user:pass@host", "http://host/?q=1", ""] {
        assert!(open(&Upstream::new("x", Kind::Ollama, url)).is_err(), "{url}");
    }
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key");
    let mut upstream = Upstream::new("x", Kind::OpenAi, "http://127.0.0.1:1");
    upstream.key_file = Some(key_file.clone());
    assert!(open(&upstream).is_err(), "a key that is not there");
    std::fs::write(&key_file, "secret\n").unwrap();
    assert!(open(&upstream).is_ok());
}
