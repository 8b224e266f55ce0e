//! The model API in both protocols: translated, carried byte by byte, replayed, refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode};
use axum::http::{Request, header};
use domain::policy::Actor;
use domain::wire::{
    Dialect, Down, Finish, ForwardRequest, Model, Reply, Request as Asked, Segment, Task, Transcript, Up, Vectors,
};
use futures::StreamExt as _;
use llm_gateway::{Direct, Forwarded, Gateway, GatewayError};
use school::api_key::NewApiKey;
use school::institution::NewInstitution;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::world::{Answer, World, request};

/// A worker that says back what it was asked, while this lives.
pub(crate) struct Echo(tokio::task::JoinHandle<()>);

impl Drop for Echo {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) async fn echo(gateway: &Gateway) -> Echo {
    let (mut link, serve) = gateway.attach_in_process();
    tokio::spawn(serve);
    let models = vec![
        Model::new("echo", Task::Chat, "test"),
        Model { dimension: Some(2), ..Model::new("vectors", Task::Embed, "test") },
        Model::new("ears", Task::Transcribe, "test"),
    ];
    let work = tokio::spawn(async move {
        for message in [Up::Register { worker: "echo".into(), models }, Up::Credit { count: 64 }] {
            link.outgoing.send(message).await.unwrap();
        }
        while let Some(message) = link.incoming.recv().await {
            let Down::Assign { assignment } = message else { continue };
            let id = assignment.id;
            let reply = match assignment.request {
                Asked::Chat(chat) => {
                    let said = chat.messages.last().map(|message| message.content.clone()).unwrap_or_default();
                    for word in said.split_inclusive(' ') {
                        link.outgoing.send(Up::Token { id, text: word.into() }).await.unwrap();
                    }
                    Reply::Chat { finish: Finish::Stop, usage: None }
                }
                Asked::Embed(embed) => Reply::Embed {
                    vectors: Vectors(embed.texts.iter().map(|text| vec![text.len() as f32, 1.0]).collect()),
                },
                _ => {
                    let segment = Segment { start: 1.5, end: 2.25, text: " Hello. ".into(), ..Segment::default() };
                    Reply::Transcribe { transcript: Transcript { segments: vec![segment], ..Transcript::default() } }
                }
            };
            link.outgoing.send(Up::Done { id, reply }).await.unwrap();
            link.outgoing.send(Up::Credit { count: 1 }).await.unwrap();
        }
    });
    while !gateway.workers().iter().any(|worker| worker.name == "echo" && worker.slots == 64) {
        tokio::task::yield_now().await;
    }
    Echo(work)
}

/// The request of a case of the matrix: a key of that role's user stands for its login.
pub(crate) async fn key_of(world: &World, role: &str) -> Option<String> {
    let user = world.users.get(role)?.id;
    let new = NewApiKey { user: Some(user), ..NewApiKey::default() };
    let operator = Actor::operator(world.home);
    Some(world.school.api_key().create(&operator, new).await.unwrap().secret)
}

/// Whether a path belongs to the model API.
pub(crate) fn is(path: &str) -> bool {
    path.starts_with("/v1/") || (path.starts_with("/api/") && !path.starts_with("/api/v1/") && path != "/api/version")
}

/// A sound request of each door.
pub(crate) fn aim(path: &str) -> Option<(String, Option<Value>)> {
    let messages = json!([{ "role": "user", "content": "hello there" }]);
    let body = match path {
        "/v1/chat/completions" => Some(json!({ "model": "echo", "messages": messages })),
        "/v1/completions" => Some(json!({ "model": "echo", "prompt": "hello" })),
        "/v1/embeddings" => Some(json!({ "model": "vectors", "input": "hello" })),
        "/v1/audio/transcriptions" => Some(json!({})),
        "/api/chat" => Some(json!({ "model": "echo", "messages": messages, "stream": false })),
        "/api/generate" => Some(json!({ "model": "echo", "prompt": "hello" })),
        "/api/embed" => Some(json!({ "model": "vectors", "input": ["a", "bb"] })),
        "/api/embeddings" => Some(json!({ "model": "vectors", "prompt": "a" })),
        "/api/show" => Some(json!({ "model": "echo" })),
        "/v1/models" | "/v1/models/{model}" | "/api/tags" | "/api/ps" => None,
        _ => return None,
    };
    Some((path.replace("{model}", "echo"), body))
}

/// The upload of a recording.
pub(crate) fn upload(token: Option<&str>, format: &str) -> Request<Body> {
    let body = format!(
        "--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nears\r\n\
         --x\r\ncontent-disposition: form-data; name=\"response_format\"\r\n\r\n{format}\r\n\
         --x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nRIFF\r\n--x--\r\n"
    );
    let mut request = Request::builder().method(Method::POST).uri("/v1/audio/transcriptions");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request.header(header::CONTENT_TYPE, "multipart/form-data; boundary=x").body(Body::from(body)).unwrap()
}

async fn post(world: &World, key: &str, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
    world.send(request(Some(key), Method::POST, path, Some(body.clone()), headers)).await
}

store::both_databases!(a_model_is_asked_in_either_protocol, |store| async move {
    let world = World::new(store).await;
    let _echo = echo(&world.gateway).await;
    let key = key_of(&world, "IN").await.unwrap();
    let messages = json!([{ "role": "system", "content": "be kind" }, { "role": "user", "content": [{ "type": "text", "text": "one two" }] }]);
    let whole =
        post(&world, &key, "/v1/chat/completions", &json!({ "model": "echo", "messages": messages }), &[]).await;
    assert_eq!(whole.status, StatusCode::OK, "{}", whole.text);
    let value = whole.json();
    assert_eq!(value["choices"][0]["message"], json!({ "role": "assistant", "content": "one two" }));
    assert_eq!((&value["object"], &value["choices"][0]["finish_reason"]), (&json!("chat.completion"), &json!("stop")));

    let asked =
        json!({ "model": "echo", "messages": messages, "stream": true, "stream_options": { "include_usage": true } });
    let stream = post(&world, &key, "/v1/chat/completions", &asked, &[]).await;
    assert_eq!(stream.headers[header::CONTENT_TYPE], "text/event-stream");
    let events: Vec<&str> = stream.text.split("\n\n").filter_map(|event| event.strip_prefix("data: ")).collect();
    assert_eq!(events.last(), Some(&"[DONE]"));
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let said: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, "one two");
    assert!(chunks.last().unwrap()["usage"]["total_tokens"].as_u64() > Some(0), "{}", stream.text);

    let lines = post(&world, &key, "/api/chat", &json!({ "model": "echo:latest", "messages": messages }), &[]).await;
    assert_eq!(lines.headers[header::CONTENT_TYPE], "application/x-ndjson");
    let lines: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: String = lines.iter().filter_map(|line| line["message"]["content"].as_str()).collect();
    assert_eq!((said.as_str(), &lines.last().unwrap()["done"]), ("one two", &json!(true)));

    let floats = post(&world, &key, "/v1/embeddings", &json!({ "model": "vectors", "input": ["a", "bb"] }), &[]).await;
    assert_eq!(floats.json()["data"][1]["embedding"], json!([2.0, 1.0]));
    let packed = json!({ "model": "vectors", "input": "abc", "encoding_format": "base64" });
    let packed = post(&world, &key, "/v1/embeddings", &packed, &[]).await;
    assert_eq!(packed.json()["data"][0]["embedding"], "AABAQAAAgD8=");

    let captions = world.send(upload(Some(&key), "srt")).await;
    assert_eq!(captions.text, "1\n00:00:01,500 --> 00:00:02,250\nHello.\n\n");
});

store::both_databases!(refusals_speak_the_protocol_and_name_the_reason, |store| async move {
    let world = World::new(store).await;
    let _echo = echo(&world.gateway).await;
    let key = key_of(&world, "IN").await.unwrap();
    let sound = json!({ "model": "echo", "messages": [{ "role": "user", "content": "x" }] });
    let with = |key: &str, value: Value| {
        let mut body = sound.clone();
        body[key] = value;
        body
    };
    for (body, status, code) in [
        (with("model", json!("nobody")), 404, "model_not_found"),
        (with("model", json!("")), 400, "invalid_request"),
        (with("model", json!("vectors")), 400, "invalid_request"),
        (with("messages", json!([])), 400, "invalid_request"),
        (with("messages", json!([{ "role": "tool", "content": "x" }])), 400, "invalid_request"),
        (with("tools", json!([{ "type": "function" }])), 400, "invalid_request"),
    ] {
        let refused = post(&world, &key, "/v1/chat/completions", &body, &[]).await;
        assert_eq!((refused.status.as_u16(), refused.json()["error"]["code"].as_str()), (status, Some(code)), "{body}");
    }
    let broken = Request::builder().method(Method::POST).uri("/v1/chat/completions");
    let broken =
        broken.header(header::AUTHORIZATION, format!("Bearer {key}")).body(Body::from("{\"model\": ")).unwrap();
    assert_eq!(world.send(broken).await.status, StatusCode::BAD_REQUEST);
    for wrong in ["lyk_wrong", world.tokens["IN"].as_str()] {
        let refused = post(&world, wrong, "/v1/chat/completions", &sound, &[]).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    }
    let ollama = post(&world, "lyk_wrong", "/api/chat", &sound, &[]).await;
    assert!(ollama.json()["error"].is_string(), "{}", ollama.text);
    let learner = key_of(&world, "LE").await.unwrap();
    assert_eq!(post(&world, &learner, "/v1/chat/completions", &sound, &[]).await.status, StatusCode::FORBIDDEN);
    for headers in [[("lyceum-class", "urgent")], [("lyceum-deadline-ms", "soon")]] {
        assert_eq!(post(&world, &key, "/v1/chat/completions", &sound, &headers).await.status, StatusCode::BAD_REQUEST);
    }
    // What looks like the pattern of a route is a name like any other; a door's other methods are refused by name.
    let get = |path| world.send(request(Some(&key), Method::GET, path, None, &[]));
    assert_eq!(get("/v1/models/{model}").await.json()["error"]["code"], "model_not_found");
    assert_eq!(get("/v1/models/echo").await.json()["id"], "echo");
    assert_eq!(get("/v1/chat/completions").await.status, StatusCode::METHOD_NOT_ALLOWED);
    // Nothing that fetches, makes or removes a model is there.
    for path in ["/api/pull", "/api/push", "/api/create", "/api/delete", "/api/copy", "/api/blobs/sha256:00"] {
        let status = post(&world, &key, path, &sound, &[]).await.status;
        assert!([StatusCode::UNAUTHORIZED, StatusCode::NOT_FOUND].contains(&status), "{path} {status}");
    }
});

const PIECES: [&str; 3] = [
    "data: {\"x\":\"h\u{e9}\"}\n\nda",
    "ta: {\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n",
    "data: [DONE]\n\n",
];

/// A model server: says its pieces, dies in the middle, or never goes on, by what it is asked.
#[derive(Default)]
struct Server {
    asked: AtomicUsize,
    open: Arc<AtomicUsize>,
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait::async_trait]
impl Direct for Server {
    async fn forward(&self, request: ForwardRequest) -> Result<Forwarded, GatewayError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        let open = Open(Arc::clone(&self.open));
        let asked = String::from_utf8_lossy(&request.body.0).into_owned();
        if asked.contains("refuse") {
            let body = futures::stream::iter([Ok(Bytes::from_static(b"{\"error\":\"bad tool\"}"))]).boxed();
            return Ok(Forwarded { status: 400, content_type: "application/json".into(), body });
        }
        if !request.stream {
            let body = futures::stream::iter([Ok(Bytes::from(asked))]).boxed();
            return Ok(Forwarded { status: 200, content_type: "application/json; charset=utf-8".into(), body });
        }
        let pieces = PIECES.map(|piece| Ok(Bytes::from_static(piece.as_bytes())));
        let body = if asked.contains("die") {
            let dead = Err(GatewayError::Backend("the server went away".into()));
            futures::stream::iter([pieces[0].clone(), dead]).boxed()
        } else if asked.contains("hang") {
            futures::stream::iter([pieces[0].clone()]).chain(futures::stream::pending()).boxed()
        } else {
            futures::stream::iter(pieces).boxed()
        };
        let body = body.map(move |piece| {
            let _open = &open;
            piece
        });
        Ok(Forwarded { status: 200, content_type: "text/event-stream; charset=utf-8".into(), body: body.boxed() })
    }
}

async fn serve(gateway: &Gateway, server: &Arc<Server>) -> llm_gateway::WorkerLink {
    let (link, serve) = gateway.attach_server(server.clone(), None);
    tokio::spawn(serve);
    let models = vec![Model { dialects: vec![Dialect::OpenAi], ..Model::new("far", Task::Chat, "openai") }];
    link.outgoing.send(Up::Register { worker: "server".into(), models }).await.unwrap();
    link.outgoing.send(Up::Credit { count: 4 }).await.unwrap();
    while !gateway.workers().iter().any(|worker| worker.slots == 4) {
        tokio::task::yield_now().await;
    }
    link
}

store::both_databases!(what_a_server_understands_is_carried_byte_by_byte, |store| async move {
    let world = World::new(store).await;
    let server = Arc::new(Server::default());
    let _link = serve(&world.gateway, &server).await;
    let key = key_of(&world, "TA").await.unwrap();
    let body = json!({ "model": "far", "messages": [{ "role": "user", "content": "hé", "own": [1.50] }], "own": null });
    let sent = request(Some(&key), Method::POST, "/v1/chat/completions", Some(body.clone()), &[]);
    let whole = world.send(sent).await;
    assert_eq!((whole.status, whole.text.as_str()), (StatusCode::OK, body.to_string().as_str()));
    assert_eq!(whole.headers[header::CONTENT_TYPE], "application/json; charset=utf-8");

    let ask = |what: &str| json!({ "model": "far", "stream": true, "messages": [{ "role": "user", "content": what }] });
    let stream = post(&world, &key, "/v1/chat/completions", &ask("go"), &[]).await;
    assert_eq!(stream.text, PIECES.concat());
    let usage = world.gateway.counters()[0].1.clone();
    assert_eq!((usage.completed, usage.running), (2, 0));

    // A dead server is an error event, never a clean end.
    let dead = post(&world, &key, "/v1/chat/completions", &ask("die"), &[]).await;
    assert!(dead.text.starts_with(PIECES[0]) && !dead.text.contains("[DONE]"), "{}", dead.text);
    let last: Value = serde_json::from_str(dead.text.trim_end().rsplit("data: ").next().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "model_failed");

    // What the server itself refuses is passed on as it is.
    let refused = post(&world, &key, "/v1/chat/completions", &json!({ "model": "far", "prompt": "refuse" }), &[]).await;
    assert_eq!((refused.status.as_u16(), refused.text.as_str()), (400, "{\"error\":\"bad tool\"}"));

    // A client that goes away takes its request back.
    let hang = request(Some(&key), Method::POST, "/v1/chat/completions", Some(ask("hang")), &[]);
    let response = world.router.clone().oneshot(hang).await.unwrap();
    let mut pieces = response.into_body().into_data_stream();
    assert!(pieces.next().await.unwrap().is_ok());
    assert_eq!((server.open.load(Ordering::SeqCst), world.gateway.workers()[0].running), (1, 1));
    drop(pieces);
    assert_eq!((server.open.load(Ordering::SeqCst), world.gateway.workers()[0].running), (0, 0));
});

store::both_databases!(determined_answers_are_made_once_and_kept_within_their_institution, |store| async move {
    let world = World::new(store).await;
    let server = Arc::new(Server::default());
    let _link = serve(&world.gateway, &server).await;
    let key = key_of(&world, "IN").await.unwrap();
    let body = |stream: bool| json!({ "model": "far", "stream": stream, "temperature": 0, "messages": [{ "role": "user", "content": "go" }] });
    let way = |answer: &Answer| answer.headers["lyceum-cache"].to_str().unwrap().to_owned();
    let first = post(&world, &key, "/v1/chat/completions", &body(true), &[]).await;
    let again = post(&world, &key, "/v1/chat/completions", &body(true), &[]).await;
    assert_eq!((way(&first).as_str(), way(&again).as_str()), ("miss", "hit"));
    assert_eq!((first.text.as_str(), again.text.as_str()), (PIECES.concat().as_str(), PIECES.concat().as_str()));
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
    // Another user of the institution shares it; another institution, another body or "no-store" does not.
    let ta = key_of(&world, "TA").await.unwrap();
    assert_eq!(way(&post(&world, &ta, "/v1/chat/completions", &body(true), &[]).await), "hit");
    assert_eq!(way(&post(&world, &key, "/v1/chat/completions", &body(false), &[]).await), "miss");
    let anew = post(&world, &key, "/v1/chat/completions", &body(true), &[("cache-control", "no-store")]).await;
    assert!(!anew.headers.contains_key("lyceum-cache"));
    let operator = Actor::operator(world.other);
    let stranger = world.stranger(world.other, "far", "plain").await;
    let grant =
        crate::world::grant(domain::user::Role::InstitutionAdmin, domain::user::Scope::Institution(world.other));
    world.school.role().grant(&operator, stranger.id, grant).await.unwrap();
    let new = NewApiKey { user: Some(stranger.id), ..NewApiKey::default() };
    let theirs = world.school.api_key().create(&operator, new).await.unwrap().secret;
    assert_eq!(way(&post(&world, &theirs, "/v1/chat/completions", &body(true), &[]).await), "miss");
    // What broke off is not kept.
    let dies = json!({ "model": "far", "stream": true, "seed": 1, "messages": [{ "role": "user", "content": "die" }] });
    for _ in 0..2 {
        assert_eq!(way(&post(&world, &key, "/v1/chat/completions", &dies, &[]).await), "miss");
    }
});

store::both_databases!(thousands_of_look_ups_never_cross_institutions, |store| async move {
    let world = World::new(store).await;
    let server = Arc::new(Server::default());
    let _link = serve(&world.gateway, &server).await;
    let operator = world.operator();
    let mut keys = Vec::new();
    for number in 0..20 {
        let slug = format!("school-{number}");
        let new = NewInstitution { slug: slug.clone(), name: slug };
        let institution = world.school.institution().create(&operator, new).await.unwrap().id;
        let user = world.stranger(institution, "ia", "plain").await;
        let actor = Actor::operator(institution);
        let grant =
            crate::world::grant(domain::user::Role::InstitutionAdmin, domain::user::Scope::Institution(institution));
        world.school.role().grant(&actor, user.id, grant).await.unwrap();
        let new = NewApiKey { user: Some(user.id), ..NewApiKey::default() };
        keys.push(world.school.api_key().create(&actor, new).await.unwrap().secret);
    }
    // Ten questions a school: each school has each made once, whatever the others asked before.
    for look_up in 0..10_000 {
        let key = &keys[look_up % 20];
        let body = json!({ "model": "far", "seed": 1, "prompt": format!("question {}", look_up / 20 % 10) });
        let answer = post(&world, key, "/v1/completions", &body, &[]).await;
        assert_eq!(answer.headers["lyceum-cache"], if look_up < 200 { "miss" } else { "hit" }, "look-up {look_up}");
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 200);
});

store::both_databases!(a_request_may_be_answered_later, |store| async move {
    let world = World::new(store).await;
    let key = key_of(&world, "IN").await.unwrap();
    let body = json!({ "model": "echo", "messages": [{ "role": "user", "content": "later" }] });
    let headers = [("prefer", "respond-async"), ("idempotency-key", "k1")];
    let first = post(&world, &key, "/v1/chat/completions", &body, &headers).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let again = post(&world, &key, "/v1/chat/completions", &body, &headers).await;
    assert_eq!(first.json()["id"], again.json()["id"]);
    let other = post(&world, &key, "/v1/chat/completions", &json!({ "model": "echo", "prompt": "x" }), &headers).await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    // Nobody serves the model yet: it waits. Then a worker comes.
    let mut options = store::queue::QueueOptions::new("test");
    options.poll = Duration::from_millis(20);
    let mut queue = store::queue::Queue::new(world.store.clone(), options);
    let runner = Arc::new(api::ModelRunner::new(world.gateway.clone()));
    world.school.model_request().register(&mut queue, runner);
    let _echo = echo(&world.gateway).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { queue.run(stop).await }
    });
    let place = first.json()["links"]["self"].as_str().unwrap().to_owned();
    let done = loop {
        let answer = world.get("IN", &place).await;
        if answer.json()["data"]["attributes"]["state"] == "done" {
            break answer.json();
        }
        tokio::task::yield_now().await;
    };
    assert!(done.to_string().contains("later"), "{done}");
    stop.cancel();
    running.await.unwrap();
});
