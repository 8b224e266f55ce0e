//! The networked door: strangers, nonsense, giants and the silent.

use std::time::Duration;

use bytes::Bytes;
use domain::wire::{self, Class, Down, Hello, MAX_FRAME, MAX_HELLO_FRAME, PROTOCOL, Up, Welcome};
use futures::{SinkExt, StreamExt};
use llm_gateway::{Gateway, GatewayError, ListenOptions, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Framed, LengthDelimitedCodec};
use tokio_util::sync::CancellationToken;

use crate::worker::{EMBED, models};

const LONG: Duration = Duration::from_secs(20);

async fn listening(options: Options, timeout: Duration) -> (Gateway, String) {
    let gateway = Gateway::new(options);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = gateway.clone();
    let options = ListenOptions { timeout, ..ListenOptions::with_token("secret") };
    tokio::spawn(async move { serving.listen(listener, options, CancellationToken::new()).await });
    (gateway, address)
}

type Raw = Framed<TcpStream, LengthDelimitedCodec>;

async fn dial(address: &str, token: &str, protocol: u32) -> (Raw, Welcome) {
    let codec = LengthDelimitedCodec::builder().max_frame_length(MAX_FRAME).new_codec();
    let mut raw = Framed::new(TcpStream::connect(address).await.unwrap(), codec);
    send(&mut raw, &Hello { token: token.into(), protocol }).await;
    let welcome = wire::decode(&raw.next().await.unwrap().unwrap()).unwrap();
    (raw, welcome)
}

async fn send<M: serde::Serialize>(raw: &mut Raw, message: &M) {
    raw.send(Bytes::from(wire::encode(message).unwrap())).await.unwrap();
}

async fn say(raw: &mut Raw, text: &str) {
    raw.send(Bytes::from(text.to_owned())).await.unwrap();
}

async fn registered(gateway: &Gateway, address: &str) -> Raw {
    let (mut raw, welcome) = dial(address, "secret", PROTOCOL).await;
    assert_eq!(welcome, Welcome::Accepted { protocol: PROTOCOL });
    send(&mut raw, &Up::Register { worker: "raw".into(), models: models() }).await;
    send(&mut raw, &Up::Credit { count: 2 }).await;
    until(|| gateway.embedding_model().is_some()).await;
    raw
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

/// Reads until the peer closes; panics when it does not.
async fn closed(raw: &mut Raw) {
    let read = async { while let Some(Ok(_)) = raw.next().await {} };
    tokio::time::timeout(LONG, read).await.expect("the stream should be closed");
}

#[tokio::test]
async fn wrong_token_and_other_protocol_are_refused() {
    let (gateway, address) = listening(Options::default(), LONG).await;
    for (token, protocol) in [("", PROTOCOL), ("secre", PROTOCOL), ("secret ", PROTOCOL), ("secret", PROTOCOL + 1)] {
        let (mut raw, welcome) = dial(&address, token, protocol).await;
        assert!(matches!(&welcome, Welcome::Refused { reason } if !reason.contains("secret")), "{welcome:?}");
        closed(&mut raw).await;
    }
    assert!(gateway.models().is_empty());
}

#[tokio::test]
async fn door_without_a_token_is_never_opened() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let opened = Gateway::default().listen(listener, ListenOptions::with_token(""), CancellationToken::new()).await;
    assert!(matches!(opened, Err(GatewayError::Invalid(_))));
}

#[tokio::test]
async fn stranger_cannot_make_the_gateway_read_much() {
    let (_gateway, address) = listening(Options::default(), LONG).await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let length = u32::try_from(MAX_HELLO_FRAME + 1).unwrap();
    stream.write_all(&length.to_be_bytes()).await.unwrap();
    // Refused by its length alone, before a byte of it was sent.
    let mut answer = Vec::new();
    tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("refused"));
}

#[tokio::test]
async fn stranger_that_says_nothing_is_cut_off() {
    let (_gateway, address) = listening(Options::default(), Duration::from_millis(50)).await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
}

#[tokio::test]
async fn oversized_and_malformed_frames_close_the_stream() {
    let (gateway, address) = listening(Options::default(), LONG).await;
    let mut giant = registered(&gateway, &address).await;
    let length = u32::try_from(MAX_FRAME + 1).unwrap();
    giant.get_mut().write_all(&length.to_be_bytes()).await.unwrap();
    closed(&mut giant).await;
    until(|| gateway.models().is_empty()).await;
    let mut babbler = registered(&gateway, &address).await;
    say(&mut babbler, "{\"type\":").await;
    closed(&mut babbler).await;
    until(|| gateway.models().is_empty()).await;
}

#[tokio::test]
async fn messages_of_a_newer_worker_are_ignored() {
    let (gateway, address) = listening(Options::default(), LONG).await;
    let mut raw = registered(&gateway, &address).await;
    say(&mut raw, r#"{"type":"telemetry","temperature":71}"#).await;
    say(&mut raw, r#"{"type":"credit","count":1,"of":"gpu"}"#).await;
    let pending = tokio::spawn(async move { gateway.embed(Class::Chat, EMBED, vec!["x".into()], LONG).await });
    loop {
        let frame = raw.next().await.unwrap().unwrap();
        if let Down::Assign { assignment } = wire::decode(&frame).unwrap() {
            let bits = "0000803f";
            let done = format!(
                r#"{{"type":"done","id":{},"reply":{{"kind":"embed","vectors":["{bits}"],"took":3}}}}"#,
                assignment.id
            );
            say(&mut raw, &done).await;
            break;
        }
    }
    assert_eq!(pending.await.unwrap(), Ok(vec![vec![1.0]]));
}

#[tokio::test]
async fn silent_worker_is_lost_and_its_work_released() {
    let options = Options { silence: Duration::from_millis(60), ..Options::default() };
    let (gateway, address) = listening(options, LONG).await;
    let mut raw = registered(&gateway, &address).await;
    let lost = gateway.embed(Class::Chat, EMBED, vec!["x".into()], LONG).await;
    assert_eq!(lost, Err(GatewayError::WorkerLost));
    closed(&mut raw).await;
}

#[tokio::test]
async fn more_streams_than_allowed_are_closed() {
    let gateway = Gateway::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = gateway.clone();
    let options = ListenOptions { max_connections: 1, ..ListenOptions::with_token("secret") };
    tokio::spawn(async move { serving.listen(listener, options, CancellationToken::new()).await });
    let _first = registered(&gateway, &address).await;
    let mut second = TcpStream::connect(&address).await.unwrap();
    let mut answer = Vec::new();
    // Closed or reset, depending on the system; never served.
    let _ = tokio::time::timeout(LONG, second.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.is_empty());
}
