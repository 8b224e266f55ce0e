//! A worker over TCP: the same behaviour as in process, through real sockets.

use std::sync::Arc;
use std::time::Duration;

use domain::wire::Class;
use futures::StreamExt;
use llm_gateway::{Gateway, GatewayError, ListenOptions, Options};
use llm_worker::backend::scripted::{EMBED_MODEL, End, Reply, Rule, Scripted};
use llm_worker::{Error, Worker};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::scripted::request;

const LONG: Duration = Duration::from_secs(20);

async fn listening() -> (Gateway, String, CancellationToken) {
    let gateway = Gateway::new(Options::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let shutdown = CancellationToken::new();
    let (serving, stop) = (gateway.clone(), shutdown.clone());
    tokio::spawn(async move { serving.listen(listener, ListenOptions::with_token("secret"), stop).await });
    (gateway, address, shutdown)
}

fn worker() -> Worker {
    let rules = vec![
        Rule::new("stall", Reply::text("half a").broken_after(1, End::Stall)),
        Rule::new("", Reply::text("one two three four")),
    ];
    Worker::new("tcp").with_backend(Arc::new(Scripted::new(rules).with_embedding()))
}

async fn until(condition: impl Fn() -> bool) {
    tokio::time::timeout(LONG, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("the condition should hold in time");
}

#[tokio::test]
async fn embeds_and_chats_over_tcp() {
    let (gateway, address, shutdown) = listening().await;
    let stop = shutdown.clone();
    let dialled = tokio::spawn(async move { worker().dial(&address, "secret", stop).await });
    until(|| gateway.embedding_model().is_some()).await;
    // Large enough for several network reads in both directions.
    let texts: Vec<String> = (0..2_000).map(|i| format!("text number {i} {}", "filler ".repeat(20))).collect();
    let vectors = gateway.embed(Class::Embed, EMBED_MODEL, texts, LONG).await.unwrap();
    assert_eq!(vectors.len(), 2_000);
    let deltas: Vec<_> = gateway.chat(Class::Chat, request("hi"), LONG).await.unwrap().collect().await;
    let text: String = deltas.into_iter().map(|delta| delta.unwrap().text).collect();
    assert_eq!(text, "one two three four");
    shutdown.cancel();
    dialled.await.unwrap().unwrap();
}

#[tokio::test]
async fn wrong_token_is_refused_and_not_tried_again() {
    let (gateway, address, shutdown) = listening().await;
    let refused = worker().dial(&address, "Secret", shutdown).await;
    assert!(matches!(refused, Err(Error::Connection(reason)) if reason.contains("refused")));
    assert!(gateway.models().is_empty());
}

#[tokio::test]
async fn killed_worker_loses_the_chat_and_a_new_one_takes_over() {
    let (gateway, address, shutdown) = listening().await;
    let (to, stop) = (address.clone(), shutdown.clone());
    let first = tokio::spawn(async move { worker().dial(&to, "secret", stop).await });
    until(|| gateway.chat_model().is_some()).await;
    let mut stream = gateway.chat(Class::Chat, request("stall"), LONG).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().text, "half a");
    first.abort();
    assert_eq!(stream.next().await, Some(Err(GatewayError::WorkerLost)));
    assert_eq!(stream.next().await, None);
    until(|| gateway.chat_model().is_none()).await;
    let none = gateway.embed(Class::Chat, EMBED_MODEL, vec!["x".into()], LONG).await;
    assert_eq!(none, Err(GatewayError::NoModel { alias: EMBED_MODEL.into() }));
    tokio::spawn(async move { worker().dial(&address, "secret", shutdown).await });
    until(|| gateway.embedding_model().is_some()).await;
    assert!(gateway.embed(Class::Chat, EMBED_MODEL, vec!["x".into()], LONG).await.is_ok());
}

#[tokio::test]
async fn worker_dials_again_after_the_gateway_was_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let shutdown = CancellationToken::new();
    let (to, stop) = (address.clone(), shutdown.clone());
    let dialled = tokio::spawn(async move { worker().dial(&to, "secret", stop).await });
    for _ in 0..2 {
        let gateway = Gateway::default();
        let listener = TcpListener::bind(&address).await.unwrap();
        let closing = CancellationToken::new();
        let (serving, stop) = (gateway.clone(), closing.clone());
        let served =
            tokio::spawn(async move { serving.listen(listener, ListenOptions::with_token("secret"), stop).await });
        until(|| gateway.embedding_model().is_some()).await;
        closing.cancel();
        served.await.unwrap().unwrap();
    }
    shutdown.cancel();
    dialled.await.unwrap().unwrap();
}
