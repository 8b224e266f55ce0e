//! Attempts at an item of a package, and the batches that a player commits to them.
//!
//! A player keeps what the script sets, in order, and sends it in batches with a key of its own and a
//! number that counts from 1 in each session. A batch sent twice has one effect; a batch out of its
//! order or of a session that another one has followed is refused by a code, never dropped in silence.

use serde::{Deserialize, Serialize};

use super::{Api, Completion, Edition, Launch, Refused, Set, Standing, State, Success};
use crate::{CourseId, Error, ErrorKind, InstitutionId, LessonId, Micros, ScormAttemptId, SourceId, UserId};

/// Another session of this attempt was begun since; what this one still holds came too late.
pub const OTHER_SESSION: &str = "SCORM_OTHER_SESSION";
/// Batches are missing before this one, or one of this number was taken already.
pub const OUT_OF_ORDER: &str = "SCORM_OUT_OF_ORDER";
/// The session was ended by the script.
pub const ENDED: &str = "SCORM_SESSION_ENDED";
/// The key was used for a batch with other values.
pub const KEY_REUSED: &str = "SCORM_KEY_REUSED";

/// Most values of a batch.
pub const MOST_VALUES: usize = 2_000;
/// Most bytes of a batch: no more than an attempt can hold.
pub const MOST_BYTES: usize = super::LARGEST;
/// Longest key of a batch.
const LONGEST_KEY: usize = 100;
/// A session's secret: this many characters.
const NONCE: std::ops::RangeInclusive<usize> = 16..=128;

/// An attempt of a user at an item of a package.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Identity.
    pub id: ScormAttemptId,
    /// Tenant.
    pub institution_id: InstitutionId,
    /// Course.
    pub course_id: CourseId,
    /// The package.
    pub source_id: SourceId,
    /// The item of its manifest.
    pub item: String,
    /// The lesson that it was opened from last.
    pub lesson_id: LessonId,
    /// Whose it is.
    pub user_id: UserId,
    /// 1 for the first.
    pub number: i64,
    /// An instructor's look, which never counts.
    pub preview: bool,
    /// Which standard.
    pub edition: Edition,
    /// The data model.
    pub api: Api,
    /// What the last session was launched with.
    pub launch: Launch,
    /// Sessions so far.
    pub revision: i64,
    /// The last batch of this session; 0 before the first.
    pub sequence: i64,
    /// Hash of the secret that the session's player holds.
    pub nonce_hash: String,
    /// Batches so far, of all sessions.
    pub commits: i64,
    /// When it was begun.
    pub created_at: Micros,
    /// When it was changed.
    pub updated_at: Micros,
    /// When it was over; the next session begins another attempt.
    pub ended_at: Option<Micros>,
}

/// What a player sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Batch {
    /// Made by the player; the same for the same batch, however often it is sent.
    pub key: String,
    /// The secret that the session was opened with.
    pub nonce: String,
    /// The session, as opening it answered.
    pub revision: i64,
    /// Counts from 1 in each session, without gaps.
    pub sequence: i64,
    /// What the script set, in its order.
    pub values: Vec<Set>,
    /// Whether the script then ended the session.
    #[serde(default)]
    pub terminate: bool,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Its number.
    pub sequence: i64,
    /// How many values were kept.
    pub kept: usize,
    /// The others, each with its reason.
    pub refused: Vec<Refused>,
    /// What the attempt has come to.
    pub standing: Standing,
    /// Where the session is.
    pub state: State,
    /// Whether the attempt is over.
    pub ended: bool,
}

/// A batch as the trace keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// Counts from 1 in the attempt.
    pub position: i64,
    /// Which session.
    pub revision: i64,
    /// Which batch of it.
    pub sequence: i64,
    /// The player's key.
    pub key: String,
    /// Hash of what was sent.
    #[serde(skip_serializing, default)]
    pub request_hash: String,
    /// Whether the session ended with it.
    pub terminated: bool,
    /// What the script set, in its order.
    pub values: Vec<Set>,
    /// What became of it.
    pub outcome: Outcome,
    /// When it was taken.
    pub at: Micros,
}

/// What an attempt came to, for lists of results. The score is the package's own word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scored {
    /// Which attempt.
    pub attempt_id: ScormAttemptId,
    /// At which package.
    pub source_id: SourceId,
    /// At which item of it.
    pub item: String,
    /// The lesson that it was opened from last.
    pub lesson_id: LessonId,
    /// Whose.
    pub user_id: UserId,
    /// 1 for the first.
    pub number: i64,
    /// Which standard.
    pub edition: Edition,
    /// Gone through.
    pub completion: Completion,
    /// Mastered.
    pub success: Success,
    /// -1 to 1.
    pub scaled: Option<f64>,
    /// As the package counts.
    pub raw: Option<f64>,
    /// 0 to 1.
    pub progress: Option<f64>,
    /// Of the sessions that are over.
    pub total_time_seconds: i64,
    /// When it was begun.
    pub created_at: Micros,
    /// When it was changed.
    pub updated_at: Micros,
    /// When it was over.
    pub ended_at: Option<Micros>,
}

/// Hash of a session's secret, as it is stored.
#[must_use]
pub fn nonce_hash(nonce: &str) -> String {
    use sha2::{Digest as _, Sha256};
    hex::encode(Sha256::digest(nonce.as_bytes()))
}

/// Whether a secret is long enough, and short enough.
///
/// # Errors
/// A validation error otherwise.
pub fn check_nonce(nonce: &str) -> Result<(), Error> {
    if NONCE.contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let message = format!("\"nonce\" is {} to {} letters, digits and signs", NONCE.start(), NONCE.end());
    Err(Error::invalid("nonce", "INVALID_FORMAT", message))
}

impl Batch {
    /// Whether it is within its bounds.
    ///
    /// # Errors
    /// A validation error that names the field.
    pub fn check(&self) -> Result<(), Error> {
        let printable = self.key.bytes().all(|byte| byte.is_ascii_graphic());
        if self.key.is_empty() || self.key.len() > LONGEST_KEY || !printable {
            let message = format!("\"key\" is 1 to {LONGEST_KEY} letters, digits and signs");
            return Err(Error::invalid("key", "INVALID_FORMAT", message));
        }
        let bytes: usize = self.values.iter().map(|set| set.element.len() + set.value.len()).sum();
        if self.values.len() > MOST_VALUES || bytes > MOST_BYTES {
            let message = format!("a batch has at most {MOST_VALUES} values and {MOST_BYTES} bytes; send several");
            return Err(Error::invalid("values", "TOO_LONG", message));
        }
        Ok(())
    }

    /// Hash of everything that decides its effect.
    #[must_use]
    pub fn hash(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let mut hasher = Sha256::new();
        let mut part = |text: &str| {
            hasher.update(text.len().to_be_bytes());
            hasher.update(text);
        };
        part(&format!("{} {} {}", self.revision, self.sequence, self.terminate));
        for set in &self.values {
            part(&set.element);
            part(&set.value);
        }
        hex::encode(hasher.finalize())
    }
}

fn conflict(code: &str, message: String) -> Error {
    Error::new(ErrorKind::Conflict, message).with_code(code)
}

impl Attempt {
    /// Begins the next session of an attempt that goes on.
    pub fn next_session(&mut self, launch: Launch, nonce: &str, lesson: LessonId, now: Micros) {
        self.api = self.api.clone().resumed(&launch);
        self.launch = launch;
        self.nonce_hash = nonce_hash(nonce);
        self.lesson_id = lesson;
        (self.revision, self.sequence, self.updated_at) = (self.revision + 1, 0, now);
    }

    /// Takes the next batch of the session.
    ///
    /// # Errors
    /// Conflict for a batch of another session, out of its order, or after the end.
    pub fn take(&mut self, batch: &Batch, now: Micros) -> Result<Outcome, Error> {
        if batch.revision != self.revision || nonce_hash(&batch.nonce) != self.nonce_hash {
            let message = "the package was opened anew since; reload to go on from what was stored".to_owned();
            return Err(conflict(OTHER_SESSION, message));
        }
        if batch.sequence != self.sequence + 1 {
            let message = format!("batch {} came, batch {} is next; send it first", batch.sequence, self.sequence + 1);
            return Err(conflict(OUT_OF_ORDER, message));
        }
        if self.api.state() == State::Terminated || self.ended_at.is_some() {
            return Err(conflict(ENDED, "the package ended this session; open it again".to_owned()));
        }
        if self.api.state() == State::NotInitialized {
            self.api.initialize("");
        }
        let refused = self.api.replay(&batch.values);
        if batch.terminate {
            self.api.terminate("");
        }
        self.sequence += 1;
        self.commits += 1;
        self.updated_at = now;
        if !self.api.goes_on() {
            self.ended_at = Some(now);
        }
        Ok(Outcome {
            sequence: self.sequence,
            kept: batch.values.len() - refused.len(),
            refused,
            standing: self.api.standing(),
            state: self.api.state(),
            ended: self.ended_at.is_some(),
        })
    }

    /// The batch that ends a session which its script left without an end, as a browser does that is
    /// closed: what it said of its exit holds, else everything is kept for the next session. Nothing
    /// where no session runs.
    #[must_use]
    pub fn leaving(&self, nonce: &str) -> Option<Batch> {
        if self.api.state() != State::Running {
            return None;
        }
        let exit = self.api.prefixed("exit");
        let suspend = Set { element: exit.clone(), value: "suspend".into() };
        Some(Batch {
            // No key of a player has a space.
            key: format!("leave {}", self.revision),
            nonce: nonce.to_owned(),
            revision: self.revision,
            sequence: self.sequence + 1,
            values: if self.api.kept(&exit).is_none() { vec![suspend] } else { Vec::new() },
            terminate: true,
        })
    }
}

/// The data model that a trace leads to: each session on what the one before left.
#[must_use]
pub fn replayed(edition: Edition, launch: &Launch, commits: &[Commit]) -> Api {
    let mut api = Api::open(edition, launch);
    let mut revision = commits.first().map(|commit| commit.revision);
    for commit in commits {
        if revision != Some(commit.revision) {
            api = api.resumed(launch);
            revision = Some(commit.revision);
        }
        if api.state() == State::NotInitialized {
            api.initialize("");
        }
        api.replay(&commit.values);
        if commit.terminated {
            api.terminate("");
        }
    }
    api
}
