//! What the SCORM routes take and answer.

use std::collections::BTreeMap;

use domain::scorm::Standing;
use domain::scorm::attempt::{Commit, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::envelope::rfc3339;

/// How to open a package.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScormOpening {
    /// A secret made by the player for this session, 16 to 128 letters, digits and signs; every batch carries it.
    pub(super) nonce: String,
    /// Begin another attempt, even where one goes on.
    #[serde(default)]
    pub(super) restart: bool,
}

/// A value that a script set.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScormSet {
    /// Name of the element.
    pub(super) element: String,
    /// The value as text.
    pub(super) value: String,
}

/// What a script set since the last batch.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScormBatch {
    /// Made by the player; the same for the same batch, however often it is sent.
    pub(super) key: String,
    /// The secret that the session was opened with.
    pub(super) nonce: String,
    /// The session, as opening it answered.
    pub(super) revision: i64,
    /// Counts from 1 in each session, without gaps.
    pub(super) sequence: i64,
    /// What the script set, in its order; at most 2000 values and 1 MiB.
    pub(super) values: Vec<ScormSet>,
    /// Whether the script then ended the session.
    #[serde(default)]
    pub(super) terminate: bool,
}

/// Which session is left.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScormLeaving {
    /// The secret that the session was opened with.
    pub(super) nonce: String,
    /// The session, as opening it answered.
    pub(super) revision: i64,
}

/// What an attempt has come to, as its package says.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormStandingAttributes {
    /// `completed`, `incomplete`, `not_attempted` or `unknown`.
    pub(super) completion: &'static str,
    /// `passed`, `failed` or `unknown`.
    pub(super) success: &'static str,
    /// -1 to 1.
    pub(super) scaled: Option<f64>,
    /// As the package counts.
    pub(super) raw: Option<f64>,
    /// 0 to 1.
    pub(super) progress: Option<f64>,
    /// Where the learner was; only the package can read it.
    pub(super) bookmark: Option<String>,
    /// Of the sessions that are over.
    pub(super) total_time_seconds: f64,
}

/// An attempt at an item of a package.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormAttemptAttributes {
    /// The item of the package's manifest.
    pub(super) item: String,
    /// 1 for the first.
    pub(super) number: i64,
    /// An instructor's look, which never counts.
    pub(super) preview: bool,
    /// `1.2`, `2004-3` or `2004-4`.
    pub(super) edition: &'static str,
    /// The session, to be sent with each batch.
    pub(super) revision: i64,
    /// The last batch of the session; the next one is one more.
    pub(super) sequence: i64,
    /// `notInitialized`, `running` or `terminated`.
    #[schema(value_type = String)]
    pub(super) state: domain::scorm::State,
    /// What it has come to.
    pub(super) standing: ScormStandingAttributes,
    /// Who says so: always `client-reported`.
    pub(super) score_source: &'static str,
    /// When it was over; the next opening begins another one.
    pub(super) ended_at: Option<String>,
}

/// An item of a package.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormItemAttributes {
    /// Its identifier in the manifest.
    pub(super) item: String,
    /// Its name.
    pub(super) title: String,
    /// The lessons that show its pages; any of them opens it.
    pub(super) lessons: Vec<String>,
}

/// What a player needs to begin a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormOpenedAttributes {
    /// The attempt, with the session's number.
    pub(super) attempt: ScormAttemptAttributes,
    /// Title of the package.
    pub(super) title: String,
    /// Whether its files are kept; a package of an older import has to be imported again to be played.
    pub(super) playable: bool,
    /// Whether any page of the package calls the interface; the rest is marked by hand.
    pub(super) reports_completion: bool,
    /// Every item that the caller may open, in order.
    pub(super) items: Vec<ScormItemAttributes>,
    /// Every value of the data model by its name.
    pub(super) values: BTreeMap<String, String>,
    /// The origin that the package is shown on.
    pub(super) origin: String,
    /// The page that plays it, to be framed.
    pub(super) player_url: String,
    /// What it launches.
    pub(super) launch_url: String,
    /// When these addresses end.
    pub(super) expires_at: String,
}

/// A value that was not taken.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormRefusedAttributes {
    /// Which of the values, from 0.
    pub(super) index: usize,
    /// Name of the element.
    pub(super) element: String,
    /// Error code of the standard.
    pub(super) code: u16,
    /// What is wrong.
    pub(super) message: String,
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormOutcomeAttributes {
    /// Its number.
    pub(super) sequence: i64,
    /// How many values were kept.
    pub(super) kept: usize,
    /// The others, each with its reason.
    pub(super) refused: Vec<ScormRefusedAttributes>,
    /// What the attempt has come to.
    pub(super) standing: ScormStandingAttributes,
    /// `notInitialized`, `running` or `terminated`.
    #[schema(value_type = String)]
    pub(super) state: domain::scorm::State,
    /// Whether the attempt is over.
    pub(super) ended: bool,
}

/// A batch as the trace keeps it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormCommitAttributes {
    /// Counts from 1 in the attempt.
    pub(super) position: i64,
    /// Which session.
    pub(super) revision: i64,
    /// What the script set, in its order.
    pub(super) values: Vec<ScormSet>,
    /// Whether the session ended with it.
    pub(super) terminated: bool,
    /// What became of it.
    pub(super) outcome: ScormOutcomeAttributes,
    /// When it was taken.
    pub(super) at: String,
}

/// Everything that an attempt was sent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormTraceAttributes {
    /// The attempt.
    pub(super) attempt: ScormAttemptAttributes,
    /// Every value of the data model by its name.
    pub(super) values: BTreeMap<String, String>,
    /// What was sent, oldest first.
    pub(super) commits: Vec<ScormCommitAttributes>,
    /// Whether nothing of it was dropped for its size.
    pub(super) complete: bool,
    /// Whether replaying it leads to what is stored; nothing where it is not complete.
    pub(super) agrees: Option<bool>,
}

/// What an attempt came to, in a list of results.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormResultAttributes {
    /// The item of the package's manifest.
    pub(super) item: String,
    /// 1 for the first.
    pub(super) number: i64,
    /// `1.2`, `2004-3` or `2004-4`.
    pub(super) edition: &'static str,
    /// `completed`, `incomplete`, `not_attempted` or `unknown`.
    pub(super) completion: &'static str,
    /// `passed`, `failed` or `unknown`.
    pub(super) success: &'static str,
    /// -1 to 1.
    pub(super) scaled: Option<f64>,
    /// As the package counts.
    pub(super) raw: Option<f64>,
    /// 0 to 1.
    pub(super) progress: Option<f64>,
    /// Of the sessions that are over.
    pub(super) total_time_seconds: i64,
    /// Who says so: always `client-reported`.
    pub(super) score_source: &'static str,
    /// When it was over.
    pub(super) ended_at: Option<String>,
}

impl From<Standing> for ScormStandingAttributes {
    fn from(standing: Standing) -> Self {
        Self {
            completion: standing.completion.as_str(),
            success: standing.success.as_str(),
            scaled: standing.scaled,
            raw: standing.raw,
            progress: standing.progress,
            bookmark: standing.bookmark,
            // Kept in hundredths; a learner's time is far below where a float loses them.
            total_time_seconds: standing.total_time as f64 / 100.0,
        }
    }
}

impl From<Outcome> for ScormOutcomeAttributes {
    fn from(outcome: Outcome) -> Self {
        let refused = outcome.refused.into_iter().map(|one| ScormRefusedAttributes {
            index: one.index,
            element: one.element,
            code: one.code,
            message: one.message,
        });
        Self {
            sequence: outcome.sequence,
            kept: outcome.kept,
            refused: refused.collect(),
            standing: outcome.standing.into(),
            state: outcome.state,
            ended: outcome.ended,
        }
    }
}

impl From<Commit> for ScormCommitAttributes {
    fn from(commit: Commit) -> Self {
        let values = commit.values.into_iter().map(|set| ScormSet { element: set.element, value: set.value });
        Self {
            position: commit.position,
            revision: commit.revision,
            values: values.collect(),
            terminated: commit.terminated,
            outcome: commit.outcome.into(),
            at: rfc3339(commit.at),
        }
    }
}
