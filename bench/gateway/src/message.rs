//! The bytes that go up and down: prompts with a place for a number, and the stub's replies.

/// The model that every gateway is told of.
pub(crate) const MODEL: &str = "stub-model";
/// How many pieces a streamed reply has.
pub(crate) const PIECES: usize = 50;
/// Stands before the word that tells the stub how to behave.
pub(crate) const MARK: &str = "mark:";
const DIGITS: usize = 12;
const PLACE: &str = "000000000000";

/// A request whose last digits change each time, so that no cache and no coalescing answers in the
/// upstream's stead.
#[derive(Clone)]
pub(crate) struct Prompt {
    bytes: Vec<u8>,
    digits: usize,
    next: u64,
}

impl Prompt {
    /// A chat completion; `mark` tells the stub how to behave, `extra` is added to the JSON object.
    pub(crate) fn chat(target: &crate::plan::Target, mark: &str, extra: &str, first: u64) -> Self {
        let body = format!(
            concat!(
                r#"{{"model":"{}","messages":[{{"role":"system","content":"You are the tutor of a course on waves. "#,
                r#"Answer from the passages you are given, name the passage, and say so when they do not hold the "#,
                r#"answer."}},{{"role":"user","content":"Why does a string fixed at both ends carry only some "#,
                r#"frequencies? {}{} question {}"}}],"max_tokens":256,"temperature":0.2{}}}"#
            ),
            MODEL, MARK, mark, PLACE, extra
        );
        let mut head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: application/json\r\naccept: */*\r\n",
            target.port
        );
        for (name, value) in &target.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let digits = head.len() + body.find(PLACE).unwrap_or(body.len());
        Self { bytes: [head.into_bytes(), body.into_bytes()].concat(), digits, next: first }
    }

    /// The bytes of the next request.
    pub(crate) fn next(&mut self) -> &[u8] {
        let number = format!("{:0width$}", self.next, width = DIGITS);
        self.next += 1;
        if let Some(place) = self.bytes.get_mut(self.digits..self.digits + DIGITS) {
            place.copy_from_slice(number.as_bytes());
        }
        &self.bytes
    }
}

/// The stub's whole completion, about 1.1 KB.
pub(crate) fn completion() -> String {
    let text = "A string that is held at both ends can only swing in shapes that are still at the ends [1]. "
        .repeat(8)
        .trim_end()
        .to_owned();
    format!(
        concat!(
            r#"{{"id":"chatcmpl-7f3a","object":"chat.completion","created":1700000000,"model":"{}","choices":[{{"#,
            r#""index":0,"message":{{"role":"assistant","content":"{}","refusal":null}},"logprobs":null,"#,
            r#""finish_reason":"stop"}}],"usage":{{"prompt_tokens":61,"completion_tokens":168,"total_tokens":229}},"#,
            r#""system_fingerprint":"stub"}}"#
        ),
        MODEL, text
    )
}

/// The stub's pieces, each an event of its own, without the closing `[DONE]`.
pub(crate) fn pieces() -> Vec<String> {
    (0..PIECES)
        .map(|piece| {
            let role = if piece == 0 { r#""role":"assistant","# } else { "" };
            let reason = if piece + 1 == PIECES { r#""stop""# } else { "null" };
            format!(
                concat!(
                    "data: {{\"id\":\"chatcmpl-7f3a\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,",
                    "\"model\":\"{}\",\"choices\":[{{\"index\":0,\"delta\":{{{}\"content\":\" word{}\"}},",
                    "\"logprobs\":null,\"finish_reason\":{}}}]}}\n\n"
                ),
                MODEL, role, piece, reason
            )
        })
        .collect()
}

/// The event that carries the counts, sent only to those who ask with `stream_options`.
pub(crate) fn usage_piece() -> String {
    format!(
        concat!(
            "data: {{\"id\":\"chatcmpl-7f3a\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,",
            "\"model\":\"{}\",\"choices\":[],\"usage\":{{\"prompt_tokens\":61,\"completion_tokens\":50,",
            "\"total_tokens\":111}}}}\n\n"
        ),
        MODEL
    )
}
