//! JSON of a shape that was asked for, from models that do not always keep to it.
//!
//! A reply is held against the schema here, whatever the backend promises: backends ignore schemas, cut replies off,
//! think aloud before them or fence them. What does not fit is asked for again in other ways, then fails by type.

use std::time::Duration;

use domain::wire::{ChatRequest, Class, Finish, Message, Role};
use jsonschema::Validator;
use serde_json::Value;
use tokio::time::Instant;

use crate::error::GatewayError;
use crate::gateway::Gateway;

/// Most bytes of a reply.
const MOST_BYTES: usize = 256 * 1024;
/// Most bytes of what was wrong, as the model and the caller are told it.
const MOST_WHY: usize = 300;

/// How the shape is asked for; one after the other until a reply fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The backend keeps the reply to the schema.
    Constrained,
    /// The same, shown its reply and what was wrong with it.
    Repair,
    /// The schema stands in the prompt and the backend is free: for backends whose constraint breaks the model.
    InWords,
    /// An answer in free words, then a second call that only brings it into the shape.
    TwoCalls,
}

const WAYS: [Way; 4] = [Way::Constrained, Way::Repair, Way::InWords, Way::TwoCalls];

/// A reply that fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Structured {
    /// The value; valid against the schema.
    pub value: Value,
    /// How it was had.
    pub way: Way,
    /// Requests that it took.
    pub calls: u32,
}

impl Gateway {
    /// A value that is valid against the request's schema (JSON Schema, draft 2020-12 unless it names another),
    /// within `deadline` from now, over all calls that it takes.
    ///
    /// # Errors
    /// [`GatewayError::Shape`] when no reply fits, [`GatewayError::Backend`] when there was none; [`GatewayError::Invalid`] when the request has no
    /// schema or none that can be used; else as [`Gateway::chat`].
    pub async fn structured(
        &self,
        class: Class,
        request: ChatRequest,
        deadline: Duration,
    ) -> Result<Structured, GatewayError> {
        let schema = request.schema.clone().ok_or_else(|| GatewayError::Invalid("the request has no schema".into()))?;
        let validator = jsonschema::validator_for(&schema)
            .map_err(|error| GatewayError::Invalid(format!("the schema cannot be used: {error}")))?;
        let mut asking =
            Asking { gateway: self, class, request, schema, end: Instant::now() + deadline, last: None, calls: 0 };
        let mut why = String::new();
        for way in WAYS {
            if way == Way::Repair && asking.last.is_none() {
                continue;
            }
            let reply = match asking.reply(way, &why).await {
                Ok(reply) => reply,
                // Another way may do better; whose time or quota is up has none.
                Err(GatewayError::Backend(message)) => {
                    why = short(message);
                    continue;
                }
                Err(error) => return Err(error),
            };
            match fitting(&validator, &reply) {
                Ok(value) => return Ok(Structured { value, way, calls: asking.calls }),
                Err(wrong) => {
                    tracing::info!(?way, why = %wrong, "a reply does not fit its schema");
                    why = wrong;
                    asking.last = Some(reply);
                }
            }
        }
        // Where no reply ever came, its shape is not what was wrong.
        Err(if asking.last.is_none() { GatewayError::Backend(why) } else { GatewayError::Shape(why) })
    }
}

/// What is asked, and how far it came.
struct Asking<'a> {
    gateway: &'a Gateway,
    class: Class,
    request: ChatRequest,
    schema: Value,
    end: Instant,
    /// The last reply, which did not fit.
    last: Option<String>,
    calls: u32,
}

impl Asking<'_> {
    async fn reply(&mut self, way: Way, why: &str) -> Result<String, GatewayError> {
        let mut request = self.request.clone();
        // Equal seeds would give the reply again that did not fit.
        request.seed = request.seed.map(|seed| seed.wrapping_add(u64::from(self.calls)));
        match way {
            Way::Constrained => {}
            Way::Repair => {
                if let Some(last) = &self.last {
                    request.messages.push(Message { role: Role::Assistant, content: last.clone() });
                }
                let told = format!(
                    "Your last reply could not be used: {why}. Reply again with JSON that fits the schema and nothing else."
                );
                request.messages.push(Message { role: Role::User, content: told });
            }
            Way::InWords => {
                request.schema = None;
                self.demand(&mut request);
            }
            Way::TwoCalls => {
                let free = ChatRequest { schema: None, ..request.clone() };
                let said = self.whole(free).await?;
                let content = format!("Write the following as JSON and add nothing to it.\n\n{}", said.trim());
                request.messages = vec![Message { role: Role::User, content }];
                self.demand(&mut request);
            }
        }
        self.whole(request).await
    }

    /// Says the shape in the last message.
    fn demand(&self, request: &mut ChatRequest) {
        let demand =
            format!("Reply with one JSON value that fits this JSON Schema, and nothing else:\n{}", self.schema);
        match request.messages.last_mut().filter(|message| message.role == Role::User) {
            Some(message) => message.content = format!("{}\n\n{demand}", message.content),
            None => request.messages.push(Message { role: Role::User, content: demand }),
        }
    }

    /// A reply to its end; one that is cut or too long is a failure of the model.
    async fn whole(&mut self, request: ChatRequest) -> Result<String, GatewayError> {
        self.calls += 1;
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(GatewayError::Deadline);
        }
        let limit = request.max_tokens;
        match self.gateway.chat(self.class, request, left).await?.whole(MOST_BYTES).await? {
            (text, Finish::Stop) => Ok(text),
            (_, Finish::Length) => Err(GatewayError::Backend(format!("the reply was cut off at {limit} tokens"))),
        }
    }
}

fn fitting(validator: &Validator, reply: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(bare(reply)).map_err(|error| short(format!("it is no JSON: {error}")))?;
    let wrong = validator.iter_errors(&value).next();
    let wrong = wrong.map(|error| short(format!("at \"{}\": {error}", error.instance_path())));
    wrong.map_or(Ok(value), Err)
}

fn short(mut text: String) -> String {
    let end = text.floor_char_boundary(MOST_WHY);
    text.truncate(end);
    text
}

/// The JSON of a reply: without thoughts before it and a fence around it.
#[must_use]
pub fn bare(reply: &str) -> &str {
    let after = reply.rsplit_once("</think>").map_or(reply, |(_, rest)| rest).trim();
    let Some(open) = after.strip_prefix("```") else { return after };
    let open = open.strip_prefix("json").unwrap_or(open);
    open.trim_end().strip_suffix("```").map_or(after, str::trim)
}
