//! A session of an attempt: opened, and told what the script sets.

use domain::course::Course;
use domain::policy::{Action, Actor};
use domain::scorm::attempt::{Attempt, Batch, Commit, KEY_REUSED, OUT_OF_ORDER, Outcome};
use domain::scorm::{Api, H5P, Launch, State, attempt};
use domain::{Error, ErrorKind, LessonId, ScormAttemptId};
use serde_json::json;
use store::Tx;
use store::sql;
use store::sql::event::NewEvent;
use store::sql::institution::Owned;

use super::launch::Launching;
use super::{Opened, Opening, SCORE_SOURCE, allowed, card, launch, progress};
use crate::access;
use crate::unit::announce;

pub(super) async fn open(tx: &mut Tx, actor: &Actor, id: LessonId, opening: &Opening) -> store::Result<Opened> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("content", id) };
    let institution = sql::institution::of(tx, Owned::Lesson(id)).await?.ok_or_else(missing)?;
    let lesson = sql::lesson::get(tx, institution, id).await?.ok_or_else(missing)?;
    let course = sql::course::get(tx, institution, lesson.course_id).await?.ok_or_else(missing)?;
    let see = if lesson.hidden { Action::ReadUnpublished } else { crate::course::read(&course) };
    let (user, preview) = allowed(tx, actor, &course, see, missing).await?;
    let plan = launch::plan(tx, &course, &lesson, preview).await?;
    if plan.launching.runtime.as_deref() == Some(H5P)
        && let Some(refused) = &opening.h5p_refused
    {
        return Err(refused.clone().into());
    }
    let person = crate::user::find(tx, user).await?.ok_or_else(missing)?;
    let launch = Launch {
        learner_id: user.to_string(),
        learner_name: person.display_name,
        browse: preview,
        facts: plan.facts,
        navigation: plan.navigation,
    };
    let now = tx.now().await?;
    let last = sql::scorm::last(tx, institution, user, plan.source_id, &plan.launching.item).await?;
    let number = last.as_ref().map_or(1, |last| last.number + 1);
    if let Some(mut open) = last.filter(|last| last.ended_at.is_none()) {
        let (revision, sequence) = (open.revision, open.sequence);
        let same = open.edition == plan.launching.edition && open.preview == preview && open.course_id == course.id;
        let event = if same && !opening.restart {
            open.next_session(launch.clone(), &opening.nonce, id, now);
            "scorm.resumed"
        } else {
            (open.ended_at, open.updated_at) = (Some(now), now);
            "scorm.ended"
        };
        if !sql::scorm::update(tx, &open, revision, sequence).await? {
            return Err(raced().into());
        }
        tell(tx, actor, event, &open).await?;
        if open.ended_at.is_none() {
            return Ok(opened(&open, plan.launching));
        }
    }
    let attempt = Attempt {
        id: ScormAttemptId::fresh(),
        institution_id: institution,
        course_id: course.id,
        source_id: plan.source_id,
        item: plan.launching.item.clone(),
        lesson_id: id,
        user_id: user,
        number,
        preview,
        edition: plan.launching.edition,
        api: Api::open(plan.launching.edition, &launch),
        launch,
        revision: 1,
        sequence: 0,
        nonce_hash: attempt::nonce_hash(&opening.nonce),
        commits: 0,
        created_at: now,
        updated_at: now,
        ended_at: None,
    };
    if !sql::scorm::insert(tx, &attempt).await? {
        return Err(raced().into());
    }
    tell(tx, actor, "scorm.started", &attempt).await?;
    Ok(opened(&attempt, plan.launching))
}

fn opened(attempt: &Attempt, launch: Launching) -> Opened {
    let values = attempt.api.values().clone();
    Opened { attempt: card(attempt), institution_id: attempt.institution_id, launch, values }
}

fn raced() -> Error {
    Error::new(ErrorKind::Conflict, "it was opened twice at the same moment; open it again")
}

pub(super) async fn take(
    tx: &mut Tx,
    actor: &Actor,
    mut attempt: Attempt,
    course: &Course,
    batch: &Batch,
) -> store::Result<Outcome> {
    let institution = attempt.institution_id;
    if let Some(known) = sql::scorm::by_key(tx, institution, attempt.id, &batch.key).await? {
        if known.request_hash != batch.hash() {
            let message = format!("the key \"{}\" was used for another batch", batch.key);
            return Err(Error::new(ErrorKind::Conflict, message).with_code(KEY_REUSED).into());
        }
        return Ok(known.outcome);
    }
    let now = tx.now().await?;
    let (revision, sequence) = (attempt.revision, attempt.sequence);
    let outcome = attempt.take(batch, now)?;
    if !sql::scorm::update(tx, &attempt, revision, sequence).await? {
        let message = "another batch was taken at the same moment; send this one again";
        return Err(Error::new(ErrorKind::Conflict, message).with_code(OUT_OF_ORDER).into());
    }
    let commit = Commit {
        position: attempt.commits,
        revision: batch.revision,
        sequence: batch.sequence,
        key: batch.key.clone(),
        request_hash: batch.hash(),
        terminated: batch.terminate,
        values: batch.values.clone(),
        outcome: outcome.clone(),
        at: now,
    };
    sql::scorm::record(tx, &attempt, &commit).await?;
    let event = match outcome.state {
        _ if outcome.ended => "scorm.ended",
        State::Terminated => "scorm.suspended",
        _ => "scorm.committed",
    };
    tell(tx, actor, event, &attempt).await?;
    progress::credit(tx, actor, &attempt, course).await?;
    Ok(outcome)
}

async fn tell(tx: &mut Tx, actor: &Actor, event: &'static str, attempt: &Attempt) -> store::Result<()> {
    let standing = attempt.api.standing();
    let payload = json!({
        "lessonId": attempt.lesson_id, "sourceId": attempt.source_id, "item": attempt.item, "userId": attempt.user_id,
        "number": attempt.number, "preview": attempt.preview, "revision": attempt.revision,
        "sequence": attempt.sequence, "completion": standing.completion, "success": standing.success,
        "scoreScaled": standing.scaled, "scoreSource": SCORE_SOURCE,
    });
    let event = NewEvent::new(event, attempt.institution_id, attempt.id).course(attempt.course_id);
    announce(tx, actor, event.payload(payload)).await
}
