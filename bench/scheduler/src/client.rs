//! One request over HTTP, and what became of it.

use std::time::Duration;

use anyhow::Result;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use serde_json::{Value, json};

use crate::text;
use crate::trace::Request;

/// Longer than any run: what has not ended by then is lost.
const LOST_AFTER: Duration = Duration::from_secs(240);

/// How far past its deadline a request may end, on this machine's clock.
const DEADLINE_GRACE: Duration = Duration::from_secs(1);

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer; whether its text is the one that belongs to the request.
    Answered { right: bool },
    /// Refused at the door (429); whether it said when to come again.
    Refused { retry_after: bool },
    /// Accepted and then given up at its deadline, and said so.
    Expired,
    /// The client of a peer hung up at its deadline.
    Left,
    /// Anything else, and everything that must not be.
    Failed(String),
}

/// Where requests go: an address, and the key to show there.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
}

impl Client {
    /// A client with its own connections.
    pub fn new() -> Result<Self> {
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(1_000).timeout(LOST_AFTER).build()?;
        Ok(Self { http })
    }

    /// The status of a page, to see whether a server is up.
    pub async fn status(&self, url: &str, key: &str) -> Result<u16> {
        let answer = self.http.get(url).header(AUTHORIZATION, format!("Bearer {key}")).send().await?;
        Ok(answer.status().as_u16())
    }

    /// Sends a request; `on_token` is called for every token of a streamed answer as it comes.
    pub async fn complete(
        &self,
        base: &str,
        key: Option<&str>,
        request: &Request,
        on_token: &mut (dyn FnMut() + Send),
    ) -> Outcome {
        let limit = request.deadline.map_or(LOST_AFTER, |deadline| deadline + DEADLINE_GRACE);
        match tokio::time::timeout(limit, self.exchange(base, key, request, on_token)).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Outcome::Failed(format!("{error:#}")),
            Err(_) => Outcome::Failed(format!("no end after {} ms", limit.as_millis())),
        }
    }

    async fn exchange(
        &self,
        base: &str,
        key: Option<&str>,
        request: &Request,
        on_token: &mut (dyn FnMut() + Send),
    ) -> Result<Outcome> {
        let url = format!("{base}/v1/chat/completions");
        let mut post = self.http.post(url).header(CONTENT_TYPE, "application/json").body(body(request));
        if let Some(key) = key {
            post = post.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        if let Some(deadline) = request.deadline {
            post = post.header("Lyceum-Deadline-Ms", deadline.as_millis().to_string());
        }
        let mut answer = post.send().await?;
        let status = answer.status().as_u16();
        if status != 200 {
            let retry_after = answer.headers().contains_key(RETRY_AFTER);
            let text = answer.text().await?;
            return Ok(match status {
                429 => Outcome::Refused { retry_after },
                408 | 503 | 504 if request.deadline.is_some() => Outcome::Expired,
                _ => Outcome::Failed(format!("status {status}: {}", text.chars().take(200).collect::<String>())),
            });
        }
        let wanted = text::reply(&request.id, request.completion_tokens);
        if !request.stream {
            let value: Value = serde_json::from_slice(&answer.bytes().await?)?;
            let given = value.pointer("/choices/0/message/content").and_then(Value::as_str);
            return Ok(Outcome::Answered { right: given == Some(wanted.as_str()) });
        }
        let mut events = Events::default();
        while let Some(bytes) = answer.chunk().await? {
            events.read(&bytes, on_token)?;
        }
        Ok(events.end(&wanted, request.deadline.is_some()))
    }
}

fn body(request: &Request) -> String {
    let messages: Vec<Value> =
        request.messages.iter().map(|message| json!({"role": message.role, "content": message.text})).collect();
    json!({
        "model": request.model, "messages": messages, "max_tokens": request.completion_tokens,
        "stream": request.stream,
    })
    .to_string()
}

/// A stream of server-sent events as it is read.
#[derive(Default)]
struct Events {
    pending: Vec<u8>,
    text: String,
    done: bool,
    error: Option<String>,
}

impl Events {
    fn read(&mut self, bytes: &[u8], on_token: &mut (dyn FnMut() + Send)) -> Result<()> {
        self.pending.extend_from_slice(bytes);
        while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8(line)?;
            let Some(data) = line.trim_end().strip_prefix("data:").map(str::trim_start) else { continue };
            if data == "[DONE]" {
                self.done = true;
                continue;
            }
            let value: Value = serde_json::from_str(data)?;
            if let Some(error) = value.get("error") {
                self.error = Some(error.to_string());
            }
            if let Some(token) = value.pointer("/choices/0/delta/content").and_then(Value::as_str)
                && !token.is_empty()
            {
                self.text.push_str(token);
                on_token();
            }
        }
        Ok(())
    }

    fn end(self, wanted: &str, has_deadline: bool) -> Outcome {
        match self.error {
            Some(_) if has_deadline => Outcome::Expired,
            Some(error) => Outcome::Failed(format!("error in the stream: {error}")),
            None if self.done => Outcome::Answered { right: self.text == wanted },
            None => Outcome::Failed("the stream broke off".to_owned()),
        }
    }
}
