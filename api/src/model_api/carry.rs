//! Carries a request to a model server and its answer back, byte by byte.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use domain::wire::{Blob, ForwardRequest, Usage};
use futures::{Stream, StreamExt as _};
use llm_gateway::{Answer, AnswerBody, Forwarding, Gateway, GatewayError};
use serde::Deserialize;

use super::Terms;
use super::fault::{Fault, Style};
use super::scan::Scan;

/// Most bytes of an answer that does not come in pieces.
pub(super) const MOST_ANSWER: usize = 64 * 1024 * 1024;
/// The end of a stream that is kept to read the usage from.
const TAIL: usize = 4 * 1024;
/// A stream that waits longer than this for a worker is told its place in the queue.
const QUIET: Duration = Duration::from_millis(1_000);

/// How a request is carried.
pub(crate) struct Carry {
    pub(crate) style: Style,
    pub(crate) path: &'static str,
    pub(crate) stream: bool,
    pub(crate) terms: Terms,
}

impl Carry {
    pub(crate) async fn run(self, gateway: &Gateway, body: Bytes, scan: &Scan<'_>) -> Result<Response, Fault> {
        let request = ForwardRequest {
            model: scan.model.clone().into_owned(),
            dialect: self.style.dialect(),
            path: self.path.into(),
            body: Blob(body),
            stream: self.stream,
        };
        let forwarding = gateway.forward(self.terms.class, request, scan.weight(), self.terms.deadline).await?;
        if !self.stream {
            return whole(forwarding.answer().await?).await;
        }
        if forwarding.position().is_none() {
            return Ok(self.pieces(forwarding.answer().await?));
        }
        self.queued(forwarding).await
    }

    fn pieces(&self, answer: Answer) -> Response {
        let kind = HeaderValue::from_str(&answer.content_type).ok();
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
        response(status, kind, Body::from_stream(Carried::new(answer.body, self.style)))
    }

    /// A short wait is silent; a long one is told as comments, and the head goes out before the server's.
    async fn queued(self, forwarding: Forwarding) -> Result<Response, Fault> {
        let place = forwarding.place();
        let mut answer = Box::pin(forwarding.answer());
        tokio::select! {
            answer = &mut answer => return Ok(self.pieces(answer?)),
            () = tokio::time::sleep(QUIET) => {}
        }
        let style = self.style;
        let stream = async_stream(move |mut say| async move {
            loop {
                tokio::select! {
                    answer = &mut answer => {
                        match answer {
                            Ok(answer) if answer.status >= 300 => {
                                let message = format!("the model server answered {}", answer.status);
                                say.last(Fault::from(GatewayError::Backend(message)).event(style));
                            }
                            Ok(answer) => say.rest(Carried::new(answer.body, style)),
                            Err(error) => say.last(Fault::from(error).event(style)),
                        }
                        return;
                    }
                    () = tokio::time::sleep(QUIET) => {}
                }
                if let (Style::OpenAi, Some(ahead)) = (style, place.position())
                    && !say.now(format!(": queued, {ahead} ahead\n\n")).await
                {
                    return;
                }
            }
        });
        let kind = HeaderValue::from_static(style.stream_type());
        Ok(response(StatusCode::OK, Some(kind), Body::from_stream(stream)))
    }
}

pub(crate) fn response(status: StatusCode, kind: Option<HeaderValue>, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Some(kind) = kind {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// An answer that is one value: read whole, so that its length is known and a broken one is an error.
async fn whole(mut answer: Answer) -> Result<Response, Fault> {
    let kind = HeaderValue::from_str(&answer.content_type).ok();
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut first = Bytes::new();
    let mut all: Option<Vec<u8>> = None;
    while let Some(piece) = answer.body.next().await {
        let piece = piece?;
        match &mut all {
            None if first.is_empty() => first = piece,
            None => all = Some([&first[..], &piece[..]].concat()),
            Some(all) => all.extend_from_slice(&piece),
        }
        if all.as_ref().map_or(0, Vec::len) > MOST_ANSWER {
            return Err(GatewayError::Backend("the answer is too long".to_owned()).into());
        }
        // One piece is nearly always all: the usage is told before the end of the body is seen. What ends without a
        // brace is no whole answer, and not worth reading yet.
        let so_far = all.as_deref().unwrap_or(&first);
        if so_far.trim_ascii_end().ends_with(b"}")
            && let Some(usage) = usage_of(so_far)
        {
            answer.body.used(usage);
        }
    }
    Ok(response(status, kind, Body::from(all.map_or(first, Bytes::from))))
}

#[derive(Deserialize)]
struct Counted {
    #[serde(default)]
    usage: Option<OpenAiUsage>,
    #[serde(default)]
    prompt_eval_count: Option<u32>,
    #[serde(default)]
    eval_count: Option<u32>,
}

#[derive(Deserialize)]
struct OpenAiUsage {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
}

fn usage_of(body: &[u8]) -> Option<Usage> {
    let counted: Counted = serde_json::from_slice(body).ok()?;
    match (counted.usage, counted.eval_count) {
        (Some(usage), _) => {
            Some(Usage { prompt_tokens: usage.prompt_tokens, completion_tokens: usage.completion_tokens })
        }
        (None, Some(completion_tokens)) => {
            Some(Usage { prompt_tokens: counted.prompt_eval_count.unwrap_or(0), completion_tokens })
        }
        (None, None) => None,
    }
}

/// A body in pieces on its way to the client: counted, and ended honestly when it breaks off.
pub(crate) struct Carried {
    body: AnswerBody,
    style: Style,
    tail: VecDeque<u8>,
    pieces: u32,
    over: bool,
}

impl Carried {
    fn new(body: AnswerBody, style: Style) -> Self {
        Self { body, style, tail: VecDeque::new(), pieces: 0, over: false }
    }

    fn note(&mut self, piece: &[u8]) {
        let tokens = piece.split(|byte| *byte == b'\n').filter(|line| says_something(line)).count();
        self.pieces = self.pieces.saturating_add(u32::try_from(tokens).unwrap_or(u32::MAX));
        let kept = piece.get(piece.len().saturating_sub(TAIL)..).unwrap_or(piece);
        self.tail.extend(kept);
        let beyond = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..beyond);
        // The end of the stream closes the books, so the usage is told as soon as it is known.
        let marks: [&[u8]; 2] = [b"[DONE]", b"\"done\":true"];
        if marks.iter().any(|mark| memchr::memmem::find(piece, mark).is_some()) {
            let usage = self.usage();
            self.body.used(usage);
        }
    }

    /// The usage as the last events tell it, else a token for each event that brings words.
    fn usage(&mut self) -> Usage {
        let tail = self.tail.make_contiguous();
        let told = tail
            .split(|byte| *byte == b'\n')
            .rev()
            .map(|line| line.strip_prefix(b"data:").unwrap_or(line))
            .find_map(usage_of);
        told.unwrap_or(Usage { prompt_tokens: 0, completion_tokens: self.pieces })
    }
}

/// Whether a line of a stream brings words, and not only a role, a reason to end or the end.
fn says_something(line: &[u8]) -> bool {
    const FIELDS: [&[u8]; 6] =
        [b"content\":", b"\"text\":", b"\"response\":", b"\"arguments\":", b"\"thinking\":", b"\"reasoning\":"];
    let words = |field: &[u8]| {
        memchr::memmem::find_iter(line, field).any(|at| {
            let value = line.get(at + field.len()..).unwrap_or_default().trim_ascii_start();
            value.starts_with(b"\"") && !value.starts_with(b"\"\"")
        })
    };
    FIELDS.iter().any(|field| words(field))
}

impl Stream for Carried {
    type Item = Result<Bytes, std::convert::Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        let piece = match std::task::ready!(self.body.poll_next_unpin(context)) {
            Some(Ok(piece)) => {
                self.note(&piece);
                Some(piece)
            }
            Some(Err(error)) => {
                self.over = true;
                Some(Bytes::from(Fault::from(error).event(self.style)))
            }
            None => {
                self.over = true;
                None
            }
        };
        Poll::Ready(piece.map(Ok))
    }
}

/// The writing end of a stream that begins before its answer.
pub(crate) struct Say {
    sender: tokio::sync::mpsc::Sender<Next>,
}

enum Next {
    Piece(Bytes),
    Rest(Box<Carried>),
}

impl Say {
    async fn now(&self, text: String) -> bool {
        self.sender.send(Next::Piece(Bytes::from(text))).await.is_ok()
    }

    fn last(&mut self, text: String) {
        // A full channel means a reader that does not read; nobody is left to be told.
        drop(self.sender.try_send(Next::Piece(Bytes::from(text))));
    }

    fn rest(&mut self, carried: Carried) {
        drop(self.sender.try_send(Next::Rest(Box::new(carried))));
    }
}

/// A stream that is written by a future, which is polled by the stream itself: dropping the stream
/// drops the future and with it the request.
fn async_stream<F>(write: impl FnOnce(Say) -> F) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send
where
    F: Future<Output = ()> + Send + 'static,
{
    let (sender, mut receiver) = tokio::sync::mpsc::channel(8);
    let mut writing = Some(Box::pin(write(Say { sender })));
    let mut rest: Option<Box<Carried>> = None;
    futures::stream::poll_fn(move |context| {
        loop {
            if let Some(rest) = &mut rest {
                return rest.poll_next_unpin(context);
            }
            if let Some(future) = &mut writing
                && future.as_mut().poll(context).is_ready()
            {
                writing = None;
            }
            match receiver.poll_recv(context) {
                Poll::Ready(Some(Next::Piece(piece))) => return Poll::Ready(Some(Ok(piece))),
                Poll::Ready(Some(Next::Rest(carried))) => rest = Some(carried),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use domain::wire::{Class, Dialect, Model, Task, Up};
    use llm_gateway::{Caller, Direct, Forwarded, Held, Meter, Options, Used};

    use super::*;

    /// A server that tells the usage before a text longer than any end that is kept.
    struct Server;

    #[async_trait::async_trait]
    impl Direct for Server {
        async fn forward(&self, _: ForwardRequest) -> Result<Forwarded, GatewayError> {
            let usage = r#"{"usage" : {"prompt_tokens":7,"completion_tokens":4},"choices":[{"text":""#;
            let pieces = [usage.to_owned(), "x".repeat(20_000), r#"","finish_reason":"stop"}]}"#.to_owned()];
            let body = futures::stream::iter(pieces.map(|piece| Ok(Bytes::from(piece)))).boxed();
            Ok(Forwarded { status: 200, content_type: "application/json".into(), body })
        }
    }

    struct Books(Mutex<Vec<(u64, u64)>>);

    struct Free;

    impl Held for Free {
        fn settle(self: Box<Self>, _: u64) {}
    }

    #[async_trait::async_trait]
    impl Meter for Books {
        async fn reserve(&self, _: &Caller, _: u64) -> Result<Box<dyn Held>, GatewayError> {
            Ok(Box::new(Free))
        }

        fn record(&self, used: Used) {
            self.0.lock().unwrap().push((used.prompt_tokens, used.completion_tokens));
        }
    }

    #[tokio::test]
    async fn the_usage_of_a_whole_answer_is_counted_wherever_it_stands() {
        let books = Arc::new(Books(Mutex::default()));
        let gateway = Gateway::with_meter(Options::default(), Some(books.clone()));
        let (link, serving) = gateway.attach_server(Arc::new(Server), None);
        tokio::spawn(serving);
        let models = vec![Model { dialects: vec![Dialect::OpenAi], ..Model::new("far", Task::Chat, "openai") }];
        link.outgoing.send(Up::Register { worker: "server".into(), models }).await.unwrap();
        link.outgoing.send(Up::Credit { count: 1 }).await.unwrap();
        while !gateway.workers().iter().any(|worker| worker.slots == 1) {
            tokio::task::yield_now().await;
        }
        let terms = Terms { class: Class::Chat, deadline: Duration::from_secs(30) };
        let carry = Carry { style: Style::OpenAi, path: "/v1/chat/completions", stream: false, terms };
        let body = Bytes::from_static(br#"{"model":"far","messages":[{"role":"user","content":"go"}]}"#);
        let answer = carry.run(&gateway, body.clone(), &Scan::of(&body).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(*books.0.lock().unwrap(), [(7, 4)]);
    }

    #[test]
    fn usage_is_a_name_of_the_answer_and_no_word_of_its_text() {
        for (told, body) in [
            (Some((7, 4)), r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":4,"total_tokens":11}}"#),
            (Some((7, 4)), r#"{"usage" : {"prompt_tokens":7,"completion_tokens":4},"system_fingerprint":"x"}"#),
            (Some((7, 4)), r#"{"usage":{"prompt_tokens":7,"completion_tokens":4},"more":{"usage":{"seats":1}}}"#),
            (Some((7, 4)), r#"{"response":"a","done":true,"prompt_eval_count":7,"eval_count":4}"#),
            (Some((0, 0)), r#"{"usage":{"prompt_tokens":0,"completion_tokens":0}}"#),
            (None, r#"{"text":"\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":9}"}"#),
            (None, r#"{"usage":null}"#),
            (None, "[DONE]"),
        ] {
            let found = usage_of(body.as_bytes()).map(|usage| (usage.prompt_tokens, usage.completion_tokens));
            assert_eq!(found, told, "{body}");
        }
    }

    #[test]
    fn an_event_counts_when_it_brings_words() {
        for (words, line) in [
            (true, r#"data: {"choices":[{"delta":{"content":"a"}}]}"#),
            (true, r#"data: {"choices":[{"delta":{"content":null,"reasoning_content":"hm"}}]}"#),
            (true, r#"{"message":{"role":"assistant","content": "a"},"done":false}"#),
            (true, r#"{"response":"a","done":false}"#),
            (false, r#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#),
            (false, r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#),
            (false, r#"data: {"choices":[{"delta":{"content":null}}]}"#),
            (false, "data: [DONE]"),
            (false, ""),
        ] {
            assert_eq!(says_something(line.as_bytes()), words, "{line}");
        }
    }
}
