//! SCORM packages: opened, committed to, read.

mod attributes;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use domain::scorm::H5P;
use domain::scorm::attempt::{Batch, Scored};
use domain::{CourseId, LessonId, ScormAttemptId};
use school::scorm::{Card, Opening, SCORE_SOURCE};
use serde::{Deserialize, Serialize};

pub(crate) use self::attributes::{
    ScormAttemptAttributes, ScormBatch, ScormItemAttributes, ScormLeaving, ScormOpenedAttributes, ScormOpening,
    ScormOutcomeAttributes, ScormResultAttributes, ScormSet, ScormTraceAttributes,
};
use crate::App;
use crate::content_origin::{check_player, login_of};
use crate::envelope::{Page, Resource, created, many, one, rfc3339};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path, Query};
use crate::routes::course::check_limit;

/// Query of a course's results.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    #[serde(default)]
    limit: i64,
    cursor: Option<ScormAttemptId>,
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
    let h5p_refused = check_player(app.options.h5p_player.as_deref()).err();
    let opening = Opening { nonce: new.nonce, restart: new.restart, h5p_refused };
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
    let parameters = query(launch.parameters.as_deref().unwrap_or_default(), &path);
    let launch_url = if launch.runtime.as_deref() == Some(H5P) {
        address.h5p
    } else {
        format!("{}{path}{parameters}", address.files)
    };
    let attributes = ScormOpenedAttributes {
        attempt: told(&opened.attempt),
        title: launch.title,
        playable: launch.playable,
        reports_completion: launch.reports_completion,
        items: launch.items.into_iter().map(item).collect(),
        values: opened.values,
        launch_url,
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
