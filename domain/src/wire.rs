//! The worker protocol: what a gateway and a model worker say to each other over one stream.
//!
//! A worker dials in, names its models and grants credits; assignments come down, tokens and
//! results go up; closing the stream releases everything that was assigned over it. In process
//! the messages travel as they are; over TCP each is one length-delimited JSON frame. Readers
//! ignore fields and messages that they do not know, so that either side may be newer. This
//! module opens no socket and runs no clock.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod bytes;
mod model;
mod request;

pub use bytes::{Blob, Vectors};
pub use model::{Abilities, Dialect, Model, Task};
pub use request::{
    ChatRequest, EmbedRequest, ForwardRequest, Message, Role, Segment, TranscribeRequest, Transcript, Usage, Word,
};

/// Version of the protocol that this build speaks.
pub const PROTOCOL: u32 = 1;
/// The largest frame either side accepts, in bytes.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;
/// The largest first frame: nothing bigger is read from a peer that has not proved its token.
pub const MAX_HELLO_FRAME: usize = 4 * 1024;
/// The most texts of one embedding request; keeps the reply within [`MAX_FRAME`].
pub const MAX_EMBED_TEXTS: usize = 2_048;

/// How urgent a request is; the order of the variants is the order of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A person is waiting.
    Chat,
    /// A submission is being graded.
    Grade,
    /// Questions are being drafted.
    Quiz,
    /// Content is being indexed.
    Embed,
    /// Speech is being written down.
    Transcribe,
}

impl Class {
    /// All classes, most urgent first.
    pub const ALL: [Self; 5] = [Self::Chat, Self::Grade, Self::Quiz, Self::Embed, Self::Transcribe];

    /// Whether a person waits for the reply; such requests have credits reserved.
    #[must_use]
    pub fn interactive(self) -> bool {
        matches!(self, Self::Chat)
    }

    /// Position in the order of service, 0 first.
    #[must_use]
    pub fn rank(self) -> usize {
        self as usize
    }

    /// The spelling used in metrics and on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Grade => "grade",
            Self::Quiz => "quiz",
            Self::Embed => "embed",
            Self::Transcribe => "transcribe",
        }
    }
}

/// Identifies one request on one gateway.
pub type RequestId = u64;

/// Work for a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Request {
    /// Vectors wanted.
    Embed(EmbedRequest),
    /// Text wanted.
    Chat(ChatRequest),
    /// A request in the protocol of the server behind the model, to be carried over as it is.
    Forward(ForwardRequest),
    /// Speech to be written down.
    Transcribe(TranscribeRequest),
    /// A request that this build does not know; it is answered with [`Failure::Invalid`].
    #[serde(other)]
    Unknown,
}

impl Request {
    /// The model that is asked for.
    #[must_use]
    pub fn model(&self) -> &str {
        match self {
            Self::Embed(request) => &request.model,
            Self::Chat(request) => &request.model,
            Self::Forward(request) => &request.model,
            Self::Transcribe(request) => &request.model,
            Self::Unknown => "",
        }
    }
}

/// One request with its urgency and the time that is left for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Names the request in every message about it.
    pub id: RequestId,
    /// How urgent it is.
    pub class: Class,
    /// Milliseconds left when it was sent; afterwards nobody waits for the reply.
    pub deadline_ms: u64,
    /// The work.
    pub request: Request,
}

/// Why a generated text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model was done.
    Stop,
    /// The limit of tokens was reached.
    Length,
}

/// The end of a request that went well.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reply {
    /// One vector a text, in the order of the texts.
    Embed {
        /// The vectors.
        vectors: Vectors,
    },
    /// All text has been sent as tokens.
    Chat {
        /// Why it ended.
        finish: Finish,
        /// Tokens, where the backend counts them.
        #[serde(default)]
        usage: Option<Usage>,
    },
    /// The body has been sent as bytes.
    Forward {
        /// Tokens, where the server said them.
        #[serde(default)]
        usage: Option<Usage>,
    },
    /// What was said.
    Transcribe {
        /// The text with its times.
        transcript: Transcript,
    },
}

/// The end of a request that did not go well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Failure {
    /// The worker does not serve this model.
    #[error("no model \"{model}\" here")]
    NoModel {
        /// The id that was asked for.
        model: String,
    },
    /// The request makes no sense to this worker.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
    },
    /// The time was up.
    #[error("the deadline passed")]
    Deadline,
    /// The gateway took the request back.
    #[error("cancelled")]
    Cancelled,
    /// The model failed.
    #[error("{message}")]
    Backend {
        /// What it said.
        message: String,
    },
    /// A failure that this build does not know.
    #[error("an unknown failure")]
    #[serde(other)]
    Unknown,
}

/// The first frame of a worker over TCP, alone in its limit [`MAX_HELLO_FRAME`].
#[derive(Clone, Serialize, Deserialize)]
pub struct Hello {
    /// The shared secret; checked before anything else is read.
    pub token: String,
    /// The protocol that the worker speaks.
    pub protocol: u32,
}

impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// The gateway's answer to [`Hello`]; after a refusal the stream is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Welcome {
    /// Come in.
    Accepted {
        /// The protocol that the gateway speaks.
        protocol: u32,
    },
    /// Stay out.
    Refused {
        /// Why, without a hint about the token.
        reason: String,
    },
}

/// Worker to gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Up {
    /// First message: who this is and what it serves, best first.
    Register {
        /// Name for people.
        worker: String,
        /// Models, in the order of preference.
        models: Vec<Model>,
    },
    /// The worker takes this many assignments more.
    Credit {
        /// How many.
        count: u32,
    },
    /// A piece of generated text.
    Token {
        /// The request.
        id: RequestId,
        /// The text.
        text: String,
    },
    /// A forwarded request is being answered: what stands before the body.
    Head {
        /// The request.
        id: RequestId,
        /// HTTP status of the server.
        status: u16,
        /// Its content type.
        content_type: String,
    },
    /// A piece of a forwarded body, as it came.
    Bytes {
        /// The request.
        id: RequestId,
        /// The bytes.
        data: Blob,
    },
    /// The worker keeps only so many models loaded; without this word it has all of them always.
    Capacity {
        /// How many.
        resident: u32,
    },
    /// Models that are loaded now; sent when it changes.
    Resident {
        /// Their ids.
        models: Vec<String>,
    },
    /// The request is done.
    Done {
        /// The request.
        id: RequestId,
        /// What came of it.
        reply: Reply,
    },
    /// The request failed.
    Fail {
        /// The request.
        id: RequestId,
        /// Why.
        failure: Failure,
    },
    /// Still alive.
    Heartbeat,
    /// The worker takes nothing new and leaves when it is done.
    Draining,
    /// A message that this build does not know; it is ignored.
    #[serde(other)]
    Unknown,
}

/// Gateway to worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Down {
    /// Work; it uses one credit.
    Assign {
        /// The work.
        assignment: Assignment,
    },
    /// Nobody waits for this request any longer.
    Cancel {
        /// The request.
        id: RequestId,
    },
    /// Still alive.
    Heartbeat,
    /// Finish what you have and leave.
    Drain,
    /// A message that this build does not know; it is ignored.
    #[serde(other)]
    Unknown,
}

/// One message as the bytes of a frame.
///
/// # Errors
/// When the frame would be larger than the peer accepts.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, crate::Error> {
    let bytes = serde_json::to_vec(message)
        .map_err(|error| crate::Error::new(crate::ErrorKind::Internal, format!("cannot encode a frame: {error}")))?;
    if bytes.len() > MAX_FRAME {
        return Err(crate::Error::invalid(
            "frame",
            "TOO_LARGE",
            format!("a frame of {} bytes is too large", bytes.len()),
        ));
    }
    Ok(bytes)
}

/// The message in the bytes of a frame.
///
/// # Errors
/// When the bytes are not such a message.
pub fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, crate::Error> {
    serde_json::from_slice(bytes)
        .map_err(|error| crate::Error::invalid("frame", "INVALID_FRAME", format!("cannot read a frame: {error}")))
}

/// Whether two secrets are equal, in a time that does not depend on where they differ.
#[must_use]
pub fn same_secret(left: &str, right: &str) -> bool {
    // Hashing first makes both sides equally long and unrelated to the bytes that were sent.
    let (left, right) = (Sha256::digest(left.as_bytes()), Sha256::digest(right.as_bytes()));
    left.iter().zip(right.iter()).fold(0_u8, |different, (a, b)| std::hint::black_box(different | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    #[test]
    fn vectors_cross_the_wire_bit_by_bit() {
        let vectors = Vectors(vec![vec![0.1, -0.0, f32::MIN_POSITIVE, 1.0e-45, 3.402_823_5e38], vec![]]);
        let back: Vectors = decode(&encode(&vectors).unwrap()).unwrap();
        let bits = |v: &Vectors| v.0.iter().map(|r| r.iter().map(|x| x.to_bits()).collect()).collect::<Vec<Vec<u32>>>();
        assert_eq!(bits(&vectors), bits(&back));
        assert!(decode::<Vectors>(b"[\"0102\"]").is_err());
    }

    #[test]
    fn unknown_fields_and_messages_are_tolerated() {
        let up: Up = decode(br#"{"type":"credit","count":2,"colour":"blue"}"#).unwrap();
        assert_eq!(up, Up::Credit { count: 2 });
        assert_eq!(decode::<Up>(br#"{"type":"telemetry","cpu":3}"#).unwrap(), Up::Unknown);
        assert_eq!(decode::<Down>(br#"{"type":"dance"}"#).unwrap(), Down::Unknown);
        let assign: Down = decode(
            br#"{"type":"assign","assignment":{"id":1,"class":"chat","deadline_ms":5,"request":{"kind":"paint","size":3}}}"#,
        )
        .unwrap();
        assert!(matches!(assign, Down::Assign { assignment } if assignment.request == Request::Unknown));
    }

    #[test]
    fn secrets_compare_whole() {
        assert!(same_secret("abc", "abc"));
        assert!(!same_secret("abc", "abd"));
        assert!(!same_secret("abc", "abcd"));
        assert!(!same_secret("", "a"));
    }

    #[test]
    fn a_hello_does_not_print_its_token() {
        let hello = Hello { token: "canary".into(), protocol: PROTOCOL };
        assert!(!format!("{hello:?}").contains("canary"));
    }
}
