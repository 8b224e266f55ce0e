//! Spans for a collector that the environment names.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::Duration;

use crate::support::{School, demo};

/// What a collector is sent until a text is in it.
fn collected(listener: &TcpListener, wanted: &str) -> String {
    let mut all = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut request = Vec::new();
        let mut piece = [0; 64 * 1024];
        let whole = |request: &[u8]| {
            let text = String::from_utf8_lossy(request).to_lowercase();
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
            let head = request.windows(4).position(|four| four == b"\r\n\r\n");
            head.zip(length).is_some_and(|(head, length): (usize, usize)| request.len() >= head + 4 + length)
        };
        while !whole(&request) {
            let count = stream.read(&mut piece).unwrap_or(0);
            if count == 0 {
                break;
            }
            request.extend_from_slice(&piece[..count]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        all.extend(request);
        let text = String::from_utf8_lossy(&all).into_owned();
        if text.contains(wanted) {
            return text;
        }
    }
}

#[test]
fn model_requests_are_spans_without_a_word_of_what_was_asked() {
    let promised = std::env::var("LYCEUM_TEST_PROMISED").unwrap_or_default();
    if !promised.contains("minilm") {
        eprintln!("skipped: the embedding model is not promised");
        return;
    }
    let school = School::new();
    let folder = demo().join("second");
    school.json(&["ingest", "dir", folder.to_str().unwrap(), "--course", "bread", "--json"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let collector = std::thread::spawn(move || collected(&listener, "embeddings"));
    let mut command = school.command(&["tutor", "ask", "--course", "bread", "What makes dough rise?", "--json"]);
    let asked = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}")).output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let spans = collector.join().unwrap();
    assert!(spans.contains("POST /v1/traces"), "{spans}");
    for name in ["gen_ai.operation.name", "gen_ai.request.model", "all-MiniLM-L6-v2", "lyceum.feature"] {
        assert!(spans.contains(name), "{name}");
    }
    assert!(!spans.contains("dough"), "what was asked stays here");
}
