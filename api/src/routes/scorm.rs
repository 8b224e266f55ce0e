//! SCORM packages: opened, committed to, read.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::scorm::Standing;
use domain::scorm::attempt::{Batch, Commit, Outcome, Scored};
use domain::{CourseId, LessonId, ScormAttemptId};
use school::scorm::{Card, Opening, SCORE_SOURCE};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

use crate::App;
use crate::content_origin::login_of;
use crate::envelope::{Page, Resource, created, many, one, rfc3339};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::routes::course::check_limit;

/// How to open a package.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScormOpening {
    /// A secret made by the player for this session, 16 to 128 letters, digits and signs; every batch carries it.
    nonce: String,
    /// Begin another attempt, even where one goes on.
    #[serde(default)]
    restart: bool,
}

/// A value that a script set.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScormSet {
    /// Name of the element.
    element: String,
    /// The value as text.
    value: String,
}

/// What a script set since the last batch.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScormBatch {
    /// Made by the player; the same for the same batch, however often it is sent.
    key: String,
    /// The secret that the session was opened with.
    nonce: String,
    /// The session, as opening it answered.
    revision: i64,
    /// Counts from 1 in each session, without gaps.
    sequence: i64,
    /// What the script set, in its order; at most 2000 values and 1 MiB.
    values: Vec<ScormSet>,
    /// Whether the script then ended the session.
    #[serde(default)]
    terminate: bool,
}

/// Which session is left.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ScormLeaving {
    /// The secret that the session was opened with.
    nonce: String,
    /// The session, as opening it answered.
    revision: i64,
}

/// What an attempt has come to, as its package says.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormStandingAttributes {
    /// `completed`, `incomplete`, `not_attempted` or `unknown`.
    completion: &'static str,
    /// `passed`, `failed` or `unknown`.
    success: &'static str,
    /// -1 to 1.
    scaled: Option<f64>,
    /// As the package counts.
    raw: Option<f64>,
    /// 0 to 1.
    progress: Option<f64>,
    /// Where the learner was; only the package can read it.
    bookmark: Option<String>,
    /// Of the sessions that are over.
    total_time_seconds: f64,
}

/// An attempt at an item of a package.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormAttemptAttributes {
    /// The item of the package's manifest.
    item: String,
    /// 1 for the first.
    number: i64,
    /// An instructor's look, which never counts.
    preview: bool,
    /// `1.2`, `2004-3` or `2004-4`.
    edition: &'static str,
    /// The session, to be sent with each batch.
    revision: i64,
    /// The last batch of the session; the next one is one more.
    sequence: i64,
    /// `notInitialized`, `running` or `terminated`.
    #[schema(value_type = String)]
    state: domain::scorm::State,
    /// What it has come to.
    standing: ScormStandingAttributes,
    /// Who says so: always `client-reported`.
    score_source: &'static str,
    /// When it was over; the next opening begins another one.
    ended_at: Option<String>,
}

/// An item of a package.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormItemAttributes {
    /// Its identifier in the manifest.
    item: String,
    /// Its name.
    title: String,
    /// The lessons that show its pages; any of them opens it.
    lessons: Vec<String>,
}

/// What a player needs to begin a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormOpenedAttributes {
    /// The attempt, with the session's number.
    attempt: ScormAttemptAttributes,
    /// Title of the package.
    title: String,
    /// Whether its files are kept; a package of an older import has to be imported again to be played.
    playable: bool,
    /// Whether any page of the package calls the interface; the rest is marked by hand.
    reports_completion: bool,
    /// Every item that the caller may open, in order.
    items: Vec<ScormItemAttributes>,
    /// Every value of the data model by its name.
    values: BTreeMap<String, String>,
    /// The origin that the package is shown on.
    origin: String,
    /// The page that plays it, to be framed.
    player_url: String,
    /// What it launches.
    launch_url: String,
    /// When these addresses end.
    expires_at: String,
}

/// A value that was not taken.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormRefusedAttributes {
    /// Which of the values, from 0.
    index: usize,
    /// Name of the element.
    element: String,
    /// Error code of the standard.
    code: u16,
    /// What is wrong.
    message: String,
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormOutcomeAttributes {
    /// Its number.
    sequence: i64,
    /// How many values were kept.
    kept: usize,
    /// The others, each with its reason.
    refused: Vec<ScormRefusedAttributes>,
    /// What the attempt has come to.
    standing: ScormStandingAttributes,
    /// `notInitialized`, `running` or `terminated`.
    #[schema(value_type = String)]
    state: domain::scorm::State,
    /// Whether the attempt is over.
    ended: bool,
}

/// A batch as the trace keeps it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormCommitAttributes {
    /// Counts from 1 in the attempt.
    position: i64,
    /// Which session.
    revision: i64,
    /// What the script set, in its order.
    values: Vec<ScormSet>,
    /// Whether the session ended with it.
    terminated: bool,
    /// What became of it.
    outcome: ScormOutcomeAttributes,
    /// When it was taken.
    at: String,
}

/// Everything that an attempt was sent.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormTraceAttributes {
    /// The attempt.
    attempt: ScormAttemptAttributes,
    /// Every value of the data model by its name.
    values: BTreeMap<String, String>,
    /// What was sent, oldest first.
    commits: Vec<ScormCommitAttributes>,
    /// Whether nothing of it was dropped for its size.
    complete: bool,
    /// Whether replaying it leads to what is stored; nothing where it is not complete.
    agrees: Option<bool>,
}

/// What an attempt came to, in a list of results.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScormResultAttributes {
    /// The item of the package's manifest.
    item: String,
    /// 1 for the first.
    number: i64,
    /// `1.2`, `2004-3` or `2004-4`.
    edition: &'static str,
    /// `completed`, `incomplete`, `not_attempted` or `unknown`.
    completion: &'static str,
    /// `passed`, `failed` or `unknown`.
    success: &'static str,
    /// -1 to 1.
    scaled: Option<f64>,
    /// As the package counts.
    raw: Option<f64>,
    /// 0 to 1.
    progress: Option<f64>,
    /// Of the sessions that are over.
    total_time_seconds: i64,
    /// Who says so: always `client-reported`.
    score_source: &'static str,
    /// When it was over.
    ended_at: Option<String>,
}

/// Query of a course's results.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    #[serde(default)]
    limit: i64,
    cursor: Option<ScormAttemptId>,
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

fn link(id: ScormAttemptId) -> String {
    format!("/api/v1/scorm-attempts/{id}")
}

fn told(card: &Card) -> ScormAttemptAttributes {
    ScormAttemptAttributes {
        item: card.item.clone(),
        number: card.number,
        preview: card.preview,
        edition: card.edition.as_str(),
        revision: card.revision,
        sequence: card.sequence,
        state: card.state,
        standing: card.standing.clone().into(),
        score_source: SCORE_SOURCE,
        ended_at: card.ended_at.map(rfc3339),
    }
}

fn about<A: Serialize>(card: &Card, attributes: A) -> Resource<A> {
    Resource::new("scorm-attempts", card.id, attributes)
        .related("course", "courses", card.course_id)
        .related("content", "content", card.lesson_id)
        .related("user", "users", card.user_id)
        .at(card.created_at, card.updated_at)
}

pub(super) async fn open(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<LessonId>,
    headers: HeaderMap,
    Json(new): Json<ScormOpening>,
) -> ApiResult<Response> {
    // Asked first: a session that cannot be shown would end the one that goes on elsewhere.
    let from = app.content.app_of(&headers)?;
    let opening = Opening { nonce: new.nonce, restart: new.restart };
    let opened = app.ports.school.scorm().open(&caller.actor, id, opening).await?;
    let address = app.content.address(from, &opened, login_of(&app, &caller).await?);
    let address = address.ok_or_else(|| domain::Error::new(domain::ErrorKind::Internal, "packages have no origin"))?;
    let item = |item: school::scorm::Item| ScormItemAttributes {
        item: item.item,
        title: item.title,
        lessons: item.lessons.iter().map(ToString::to_string).collect(),
    };
    let launch = opened.launch;
    let path = launch.path.split('/').map(encoded).collect::<Vec<_>>().join("/");
    let attributes = ScormOpenedAttributes {
        attempt: told(&opened.attempt),
        title: launch.title,
        playable: launch.playable,
        reports_completion: launch.reports_completion,
        items: launch.items.into_iter().map(item).collect(),
        values: opened.values,
        launch_url: format!(
            "{}{path}{}",
            address.files,
            query(launch.parameters.as_deref().unwrap_or_default(), &path)
        ),
        origin: address.origin,
        player_url: address.player,
        expires_at: rfc3339(address.until.saturating_mul(1_000_000)),
    };
    Ok(created(link(opened.attempt.id), about(&opened.attempt, attributes)))
}

/// A step of a path as addresses write it.
fn encoded(step: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~!$'()*,;=:@".contains(&byte);
    step.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Parameters of an item as its address takes them (SCORM 2004 CAM 3.4.1.5: `?` and `&` are put where they miss).
fn query(parameters: &str, path: &str) -> String {
    let rest = parameters.trim_start_matches(['?', '&']);
    if rest.is_empty() || rest.chars().any(|c| c.is_control() || c == ' ') {
        return String::new();
    }
    if rest.starts_with('#') {
        return if path.contains('#') { String::new() } else { rest.to_owned() };
    }
    format!("{}{rest}", if path.contains('?') { '&' } else { '?' })
}

pub(super) async fn commit(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ScormAttemptId>,
    Json(new): Json<ScormBatch>,
) -> ApiResult<Response> {
    let set = |set: ScormSet| domain::scorm::Set { element: set.element, value: set.value };
    let batch = Batch {
        key: new.key,
        nonce: new.nonce,
        revision: new.revision,
        sequence: new.sequence,
        values: new.values.into_iter().map(set).collect(),
        terminate: new.terminate,
    };
    let outcome = app.ports.school.scorm().commit(&caller.actor, id, batch).await?;
    Ok(one(link(id), Resource::new("scorm-outcomes", id, ScormOutcomeAttributes::from(outcome))))
}

pub(super) async fn finish(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ScormAttemptId>,
    Json(leaving): Json<ScormLeaving>,
) -> ApiResult<Response> {
    let scorm = app.ports.school.scorm();
    let card = scorm.finish(&caller.actor, id, leaving.revision, leaving.nonce).await?;
    Ok(one(link(id), about(&card, told(&card))))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<ScormAttemptId>) -> ApiResult<Response> {
    let card = app.ports.school.scorm().get(&caller.actor, id).await?;
    Ok(one(link(id), about(&card, told(&card))))
}

pub(super) async fn trace(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<ScormAttemptId>,
) -> ApiResult<Response> {
    let trace = app.ports.school.scorm().trace(&caller.actor, id).await?;
    let attributes = ScormTraceAttributes {
        attempt: told(&trace.attempt),
        values: trace.values,
        commits: trace.commits.into_iter().map(Into::into).collect(),
        complete: trace.complete,
        agrees: trace.agrees,
    };
    Ok(one(format!("{}/trace", link(id)), about(&trace.attempt, attributes)))
}

fn result(scored: &Scored) -> Resource<ScormResultAttributes> {
    let attributes = ScormResultAttributes {
        item: scored.item.clone(),
        number: scored.number,
        edition: scored.edition.as_str(),
        completion: scored.completion.as_str(),
        success: scored.success.as_str(),
        scaled: scored.scaled,
        raw: scored.raw,
        progress: scored.progress,
        total_time_seconds: scored.total_time_seconds,
        score_source: SCORE_SOURCE,
        ended_at: scored.ended_at.map(rfc3339),
    };
    Resource::new("scorm-results", scored.attempt_id, attributes)
        .related("attempt", "scorm-attempts", scored.attempt_id)
        .related("content", "content", scored.lesson_id)
        .related("user", "users", scored.user_id)
        .at(scored.created_at, scored.updated_at)
}

pub(super) async fn results(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<CourseId>,
    Query(query): Query<PageQuery>,
) -> ApiResult<Response> {
    let limit = check_limit(query.limit)?;
    let found = app.ports.school.scorm().results(&caller.actor, id, query.cursor, limit).await?.attempts;
    let page = Page::of(&found, limit, query.cursor.map(|id| id.to_string()), |one| one.attempt_id.to_string());
    Ok(many(&format!("/api/v1/courses/{id}/scorm-results"), found.iter().map(result).collect(), &page))
}

#[cfg(test)]
mod tests {
    use super::{encoded, query};

    #[test]
    fn parameters_follow_the_path_as_the_standard_puts_them() {
        for (parameters, path, expected) in [
            ("", "a.html", ""),
            ("x=1", "a.html", "?x=1"),
            ("?x=1", "a.html", "?x=1"),
            ("&x=1", "a.html", "?x=1"),
            ("&x=1", "a.html?y=2", "&x=1"),
            ("#part", "a.html", "#part"),
            ("x=1 2", "a.html", ""),
        ] {
            assert_eq!(query(parameters, path), expected, "{parameters} {path}");
        }
        assert_eq!(encoded("a b#ä?.html"), "a%20b%23%C3%A4%3F.html");
    }
}
