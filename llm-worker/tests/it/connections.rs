//! Connections to a model server: used again, replaced when the server closed them, closed when nobody wants them.

use std::sync::Arc;
use std::time::Duration;

use domain::wire::Dialect;
use llm_worker::backend::{Backend, BackendError};
use llm_worker::upstream::Kind;

use crate::fake_server::{FakeServer, Step, answer, end, head, piece};
use crate::servers::{asking, backend, chat, drain, forwarding, message_of};

const PATH: &str = "/v1/chat/completions";
const WHOLE: &str = r#"{"choices":[{"finish_reason":"stop"}]}"#;
const DONE: &str = "data: [DONE]\n\n";

fn whole() -> Step {
    answer(200, "application/json", WHOLE)
}

async fn ask(backend: &Arc<dyn Backend>, stream: bool) -> Result<String, BackendError> {
    let (text, end) = drain(backend.forward(forwarding(Dialect::OpenAi, PATH, stream)).await?).await;
    end.map(|_| text)
}

/// A server that answers so, and its answer to a first request.
async fn asked(steps: Vec<Step>) -> (FakeServer, Arc<dyn Backend>, Result<String, BackendError>) {
    let (server, backend) = backend(Kind::OpenAi).await;
    server.on(PATH, steps);
    let answer = ask(&backend, false).await;
    (server, backend, answer)
}

#[tokio::test]
async fn requests_one_after_another_share_a_connection_and_those_at_once_do_not() {
    let (server, backend, first) = asked(vec![whole()]).await;
    assert_eq!(first.unwrap(), WHOLE);
    for _ in 0..5 {
        assert_eq!(ask(&backend, false).await.unwrap(), WHOLE);
    }
    server.on(PATH, vec![head("text/event-stream"), piece(DONE), end()]);
    for _ in 0..5 {
        assert_eq!(ask(&backend, true).await.unwrap(), DONE);
    }
    assert_eq!((server.accepted(), server.bodies(PATH).len()), (1, 11));
    let (left, right) = tokio::join!(ask(&backend, true), ask(&backend, true));
    assert_eq!((left.unwrap(), right.unwrap(), server.accepted()), (DONE.to_owned(), DONE.to_owned(), 2));
}

#[tokio::test]
async fn a_chat_that_ended_gives_its_connection_back() {
    let last = "{\"message\":{\"content\":\"\"},\"done\":true,\"prompt_eval_count\":7,\"eval_count\":3}\n";
    for (kind, path, content_type, last) in
        [(Kind::OpenAi, PATH, "text/event-stream", DONE), (Kind::Ollama, "/api/chat", "application/x-ndjson", last)]
    {
        let (server, backend) = backend(kind).await;
        server.on(path, vec![head(content_type), piece(last), end()]);
        chat(&backend, asking("talk", "hi")).await.1.unwrap();
        let before = server.accepted();
        for _ in 0..5 {
            chat(&backend, asking("talk", "hi")).await.1.unwrap();
        }
        assert_eq!(server.accepted(), before, "{path}");
        // A server that does not end its body has the chat's answer all the same, and another connection.
        server.on(path, vec![head(content_type), piece(last), Step::Hang]);
        chat(&backend, asking("talk", "hi")).await.1.unwrap();
        server.on(path, vec![head(content_type), piece(last), end()]);
        chat(&backend, asking("talk", "hi")).await.1.unwrap();
        assert_eq!(server.accepted(), before + 1, "{path}");
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closed_in_between_is_replaced() {
    let (server, backend, first) = asked(vec![whole(), Step::Close]).await;
    assert_eq!(first.unwrap(), WHOLE);
    for count in 2..6 {
        while server.open() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(ask(&backend, false).await.unwrap(), WHOLE);
        assert_eq!((server.accepted(), server.bodies(PATH).len()), (count, count), "each request arrives once");
    }
}

#[tokio::test]
async fn a_request_that_a_server_read_is_never_sent_again() {
    let (server, backend, first) = asked(vec![Step::Close]).await;
    assert!(message_of(&first.unwrap_err()).contains("broke off"));
    assert_eq!(server.bodies(PATH).len(), 1);
    server.on(PATH, vec![whole()]);
    assert_eq!(ask(&backend, false).await.unwrap(), WHOLE);
    server.on(PATH, vec![Step::Close]);
    assert!(message_of(&ask(&backend, false).await.unwrap_err()).contains("broke off"));
    assert_eq!((server.accepted(), server.bodies(PATH).len()), (2, 3), "also on a connection that was used before");
}

#[tokio::test]
async fn a_connection_that_nobody_wants_is_closed() {
    let (server, backend, first) = asked(vec![whole()]).await;
    assert_eq!(first.unwrap(), WHOLE);
    assert_eq!(server.open(), 1);
    tokio::time::pause();
    while server.open() > 0 {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    tokio::time::resume();
    assert_eq!(ask(&backend, false).await.unwrap(), WHOLE);
    assert_eq!(server.accepted(), 2);
}
