//! Text by `/api/chat`.

use domain::wire::{ChatRequest, Failure, Finish, Message, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use super::list::Detail;
use super::{Ollama, RequestOptions};
use crate::backend::http::{media_type, said};
use crate::backend::{BackendError, ChatEnd};

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: &'a [Message],
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_alive: Option<Value>,
    /// A model that thinks first would think within the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<bool>,
    /// Newer servers then refuse what they would cut; older ones do not know it.
    truncate: bool,
    /// Newer servers then stop at the end of the context; older ones do not know it.
    shift: bool,
    options: RequestOptions<'a>,
}

#[derive(Deserialize)]
struct Line {
    error: Option<serde::de::IgnoredAny>,
    message: Option<Said>,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<u32>,
    eval_count: Option<u32>,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    content: String,
}

impl Ollama {
    /// Sends the text of the reply into `pieces` as it comes.
    pub(super) async fn text(
        &self,
        detail: &Detail,
        request: &ChatRequest,
        pieces: &mpsc::Sender<String>,
    ) -> Result<ChatEnd, BackendError> {
        let size = Size::of(&request.messages);
        if detail.most_tokens().is_some_and(|most| size.least_tokens() > most) {
            return Err(too_long(detail));
        }
        let body = Body {
            model: &detail.model.id,
            messages: &request.messages,
            stream: true,
            format: request.schema.as_ref(),
            keep_alive: self.keep_alive(&request.model),
            think: (detail.thinks && request.schema.is_some()).then_some(false),
            truncate: false,
            shift: false,
            options: RequestOptions {
                num_predict: Some(request.max_tokens),
                seed: request.seed,
                temperature: request.temperature,
                stop: &request.stop,
                ..self.load_options(detail)
            },
        };
        let body = serde_json::to_vec(&body).map_err(BackendError::backend)?;
        let answer = self.http.post("/api/chat", body.into(), self.http.timing().first_byte).await?;
        let answer = answer.successful(&request.model).await?;
        if !media_type(&answer.content_type).eq_ignore_ascii_case("application/x-ndjson") {
            let found = media_type(&answer.content_type);
            return Err(BackendError::backend(format!("the model server answers with \"{found}\"")));
        }
        let mut lines = answer.body.lines();
        while let Some(line) = lines.next().await? {
            let parsed: Line = serde_json::from_slice(&line)
                .map_err(|error| BackendError::backend(format!("a line of the stream cannot be read: {error}")))?;
            // The status has long been 200.
            if parsed.error.is_some() {
                return Err(BackendError::backend(format!("the model server failed: {}", said(&line))));
            }
            if let Some(text) = parsed.message.map(|message| message.content).filter(|text| !text.is_empty())
                && pieces.send(text).await.is_err()
            {
                return Err(BackendError::Failed(Failure::Cancelled));
            }
            if parsed.done {
                lines.finish().await;
                let usage = match (parsed.prompt_eval_count, parsed.eval_count) {
                    (Some(prompt_tokens), Some(completion_tokens)) => Some(Usage { prompt_tokens, completion_tokens }),
                    _ => None,
                };
                if usage.is_some_and(|usage| size.was_cut(usage.prompt_tokens, detail.window)) {
                    return Err(too_long(detail));
                }
                let length = parsed.done_reason.as_deref() == Some("length");
                return Ok(ChatEnd { finish: if length { Finish::Length } else { Finish::Stop }, usage });
            }
        }
        // So it ends when the runner gives up, for instance after too many equal tokens.
        Err(BackendError::backend("the model server did not finish: its stream ends without \"done\":true"))
    }
}

fn too_long(detail: &Detail) -> BackendError {
    let window = detail.most_tokens().map_or_else(String::new, |most| format!(" of {most} tokens"));
    let message = format!("the prompt is longer than the context{window} of \"{}\"", detail.model.id);
    BackendError::Failed(Failure::Invalid { message })
}

/// What can be said of the tokens of a prompt without its tokeniser.
struct Size {
    words: usize,
    bytes: usize,
}

impl Size {
    fn of(messages: &[Message]) -> Self {
        let words = messages.iter().map(|message| message.content.split_whitespace().count()).sum();
        Self { words, bytes: messages.iter().map(|message| message.content.len()).sum() }
    }

    /// No tokeniser in use joins two words into one token.
    fn least_tokens(&self) -> usize {
        self.words
    }

    /// Whether the server, which read `read` tokens, cut the prompt in silence. It drops old
    /// messages that do not fit, and then the middle until the context is exactly full. Prose has
    /// less than five bytes a token, so what is estimated beyond the window was cut.
    fn was_cut(&self, read: u32, window: Option<u32>) -> bool {
        let tokens = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
        if tokens(read) < self.least_tokens() {
            return true;
        }
        window.is_some_and(|window| read >= window || self.bytes / 5 > tokens(window))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(words: usize, bytes: usize) -> Size {
        Size { words, bytes }
    }

    #[test]
    fn a_cut_prompt_is_noticed_by_its_count() {
        assert!(!size(100, 500).was_cut(130, Some(512)));
        assert!(size(300, 1_500).was_cut(512, Some(512)), "the context is exactly full");
        assert!(size(300, 1_500).was_cut(250, None), "fewer tokens than words");
        assert!(size(400, 4_000).was_cut(420, Some(512)), "an estimate beyond the window");
        assert!(!size(100, 500).was_cut(4_000, None), "no window is known");
    }
}
