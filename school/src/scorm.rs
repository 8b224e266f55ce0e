//! The run-time of SCORM packages: opening an item, committing what its script sets, reading the trace.
//!
//! What a player sends is replayed through the data model here, so that a forged or broken script can
//! set nothing that the standard does not let it. Scores stay the package's own word: they are kept with
//! the attempt and told as [`SCORE_SOURCE`], and never become a grade that nobody set.

use std::collections::BTreeMap;

use domain::course::Course;
use domain::policy::{Action, Actor, Subject};
use domain::scorm::attempt::{Attempt, Batch, Commit, Outcome, Scored};
use domain::scorm::{Edition, Standing, State, attempt};
use domain::{CourseId, Error, ErrorKind, InstitutionId, LessonId, Micros, ScormAttemptId, SourceId, UserId};
use serde::{Deserialize, Serialize};
use store::Tx;
use store::sql::institution::Owned;
use store::sql::{self};

use crate::course::page;
use crate::{Result, School, access};

mod file;
mod launch;
mod progress;
mod session;

pub use file::{Ticket, fresh_key};
pub use launch::{Item, Launching};
use session::{open, take};

/// Where scores of packages come from: a script in the learner's browser.
pub const SCORE_SOURCE: &str = "client-reported";
/// The lesson shows no page of a SCORM package.
pub const NO_PACKAGE: &str = "SCORM_NO_PACKAGE";

/// Use cases of SCORM packages.
pub struct Scorms<'a> {
    pub(crate) school: &'a School,
}

/// How to open a package.
#[derive(Debug, Clone, Default)]
pub struct Opening {
    /// A secret made by the player for this session; every batch carries it.
    pub nonce: String,
    /// Begin another attempt, even where one goes on.
    pub restart: bool,
    /// Why an H5P package cannot be played here; nothing where it can.
    pub h5p_refused: Option<Error>,
}

/// An attempt as its learner and those who teach see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Card {
    /// Identity.
    pub id: ScormAttemptId,
    /// Course.
    pub course_id: CourseId,
    /// The lesson that it was opened from last.
    pub lesson_id: LessonId,
    /// The package.
    pub source_id: SourceId,
    /// The item of its manifest.
    pub item: String,
    /// Whose it is.
    pub user_id: UserId,
    /// 1 for the first.
    pub number: i64,
    /// An instructor's look, which never counts.
    pub preview: bool,
    /// Which standard.
    pub edition: Edition,
    /// The session, to be sent with each batch.
    pub revision: i64,
    /// The last batch of the session; the next one is one more.
    pub sequence: i64,
    /// Where the session is.
    pub state: State,
    /// What the attempt has come to.
    pub standing: Standing,
    /// Who says so: always [`SCORE_SOURCE`].
    pub score_source: String,
    /// When it was begun.
    pub created_at: Micros,
    /// When it was changed.
    pub updated_at: Micros,
    /// When it was over.
    pub ended_at: Option<Micros>,
}

/// What a player needs to begin a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opened {
    /// The attempt, with the session's number.
    pub attempt: Card,
    /// The tenant that the package belongs to.
    pub institution_id: InstitutionId,
    /// What to show.
    pub launch: Launching,
    /// Every value of the data model by its name.
    pub values: BTreeMap<String, String>,
}

/// Everything that an attempt was sent, and whether it explains what is stored.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// The attempt.
    pub attempt: Card,
    /// Every value of the data model by its name.
    pub values: BTreeMap<String, String>,
    /// What was sent, oldest first.
    pub commits: Vec<Commit>,
    /// Whether nothing of it was dropped for its size.
    pub complete: bool,
    /// Whether replaying it leads to what is stored; nothing where it is not complete.
    pub agrees: Option<bool>,
}

/// What learners came to in the packages of a course.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// Who says so: always [`SCORE_SOURCE`].
    pub score_source: String,
    /// Attempts by id.
    pub attempts: Vec<Scored>,
}

impl Scorms<'_> {
    /// Opens the item that a lesson of a package belongs to: begins an attempt, or the next session of
    /// the one that goes on. A session that is open elsewhere can commit no more.
    ///
    /// # Errors
    /// Not found, not enrolled, or the lesson shows no page of a package.
    pub async fn open(&self, actor: &Actor, lesson: LessonId, opening: Opening) -> Result<Opened> {
        attempt::check_nonce(&opening.nonce)?;
        self.school
            .commit(actor, move |tx, actor| Box::pin(async move { open(tx, actor, lesson, &opening).await }))
            .await
    }

    /// Takes a batch of what the script set. The same key again answers the same.
    ///
    /// # Errors
    /// Not found when it is another's; conflict by the codes of [`domain::scorm::attempt`].
    pub async fn commit(&self, actor: &Actor, id: ScormAttemptId, batch: Batch) -> Result<Outcome> {
        batch.check()?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (attempt, course) = own(tx, actor, id).await?;
                    take(tx, actor, attempt, &course, &batch).await
                })
            })
            .await
    }

    /// Ends a session that its script did not end, as when the page is left; what is stored stays, and
    /// doing so again changes nothing.
    ///
    /// # Errors
    /// Not found when it is another's; conflict when another session was begun since.
    pub async fn finish(&self, actor: &Actor, id: ScormAttemptId, revision: i64, nonce: String) -> Result<Card> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (attempt, course) = own(tx, actor, id).await?;
                    if let Some(leaving) = attempt.leaving(&nonce) {
                        let leaving = Batch { revision, ..leaving };
                        take(tx, actor, attempt, &course, &leaving).await?;
                    }
                    let (attempt, _) = own(tx, actor, id).await?;
                    Ok(card(&attempt))
                })
            })
            .await
    }

    /// An attempt and what it has come to: one's own, or a learner's for those who teach.
    ///
    /// # Errors
    /// Not found when the caller may not see it.
    pub async fn get(&self, actor: &Actor, id: ScormAttemptId) -> Result<Card> {
        let acting = actor.clone();
        let (found, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (attempt, allowed) = visible(tx, &acting, id).await?;
                    Ok((card(&attempt), attempt.institution_id, allowed.audited))
                })
            })
            .await?;
        let subject = format!("user:{}", found.user_id);
        self.school.note_access(actor, audited, institution, Action::ScormTrace, subject).await?;
        Ok(found)
    }

    /// Everything that an attempt was sent, replayed: one's own, or a learner's for those who teach.
    ///
    /// # Errors
    /// Not found when the caller may not see it.
    pub async fn trace(&self, actor: &Actor, id: ScormAttemptId) -> Result<Trace> {
        let acting = actor.clone();
        let (found, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (attempt, allowed) = visible(tx, &acting, id).await?;
                    let commits = sql::scorm::commits(tx, attempt.institution_id, id).await?;
                    let complete = i64::try_from(commits.len()).is_ok_and(|count| count == attempt.commits);
                    let agrees = complete.then(|| agrees(&attempt, &commits));
                    let values = attempt.api.values().clone();
                    let trace = Trace { attempt: card(&attempt), values, commits, complete, agrees };
                    Ok((trace, attempt.institution_id, allowed.audited))
                })
            })
            .await?;
        let subject = format!("user:{}", found.attempt.user_id);
        self.school.note_access(actor, audited, institution, Action::ScormTrace, subject).await?;
        Ok(found)
    }

    /// What learners came to in the packages of a course: one's own, or everybody's for those who may
    /// read grades. Previews are left out.
    ///
    /// # Errors
    /// Not found when the caller may not see the course.
    pub async fn results(
        &self,
        actor: &Actor,
        course: CourseId,
        after: Option<ScormAttemptId>,
        limit: i64,
    ) -> Result<Results> {
        let acting = actor.clone();
        let (attempts, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (course, ..) = crate::course::readable(tx, &acting, course).await?;
                    let everybody = crate::course::subject(&course);
                    let (user, audited) = match access::known(&acting, Action::GradeRead, &everybody) {
                        Ok(allowed) => (None, allowed.audited),
                        Err(error) if error.code == access::REASON_REQUIRED => return Err(error.into()),
                        Err(_) => {
                            let subject = Subject { user: acting.user_id, ..everybody };
                            access::known(&acting, Action::GradeRead, &subject)?;
                            (acting.user_id, false)
                        }
                    };
                    let institution = course.institution_id;
                    let found = sql::scorm::scored(tx, institution, course.id, user, after, page(limit)).await?;
                    Ok((found, institution, audited))
                })
            })
            .await?;
        self.school.note_access(actor, audited, institution, Action::GradeRead, format!("course:{course}")).await?;
        Ok(Results { score_source: SCORE_SOURCE.into(), attempts })
    }
}

fn missing(actor: &Actor, id: ScormAttemptId) -> Error {
    if actor.is_guest() { access::log_in() } else { Error::not_found("attempt", id) }
}

fn card(attempt: &Attempt) -> Card {
    Card {
        id: attempt.id,
        course_id: attempt.course_id,
        lesson_id: attempt.lesson_id,
        source_id: attempt.source_id,
        item: attempt.item.clone(),
        user_id: attempt.user_id,
        number: attempt.number,
        preview: attempt.preview,
        edition: attempt.edition,
        revision: attempt.revision,
        sequence: attempt.sequence,
        state: attempt.api.state(),
        standing: attempt.api.standing(),
        score_source: SCORE_SOURCE.into(),
        created_at: attempt.created_at,
        updated_at: attempt.updated_at,
        ended_at: attempt.ended_at,
    }
}

/// Whether a trace leads to the standing that is stored.
fn agrees(attempt: &Attempt, commits: &[Commit]) -> bool {
    let mut api = attempt::replayed(attempt.edition, &attempt.launch, commits);
    if commits.last().is_some_and(|last| last.revision < attempt.revision) {
        api = api.resumed(&attempt.launch);
    }
    api.standing() == attempt.api.standing()
}

/// Who attempts: learners who are enrolled, those who teach as a preview.
async fn allowed(
    tx: &mut Tx,
    actor: &Actor,
    course: &Course,
    see: Action,
    missing: impl Fn() -> Error,
) -> store::Result<(UserId, bool)> {
    let everybody = crate::course::subject(course);
    let Some(user) = actor.user_id else {
        let message = "taking a package needs a user; name one with --as";
        return Err(if actor.operator { Error::invalid("as", "REQUIRED", message) } else { missing() }.into());
    };
    if access::may(actor, Action::ScormAttempt, &everybody) {
        return Ok((user, true));
    }
    let subject = Subject { user: Some(user), ..everybody };
    access::seen(actor, Action::ScormAttempt, &subject, see, &missing)?;
    access::hidden(actor, see, &subject, &missing)?;
    let enrolled = sql::enrollment::of(tx, course.institution_id, user, course.id).await?;
    if !enrolled.is_some_and(|one| matches!(one.status.as_str(), "enrolled" | "completed")) {
        return Err(Error::new(ErrorKind::Forbidden, "enrol in the course to take its packages").into());
    }
    Ok((user, false))
}

async fn find(tx: &mut Tx, actor: &Actor, id: ScormAttemptId) -> store::Result<(Attempt, Course)> {
    let missing = || missing(actor, id);
    let institution = sql::institution::of(tx, Owned::ScormAttempt(id)).await?.ok_or_else(missing)?;
    let attempt = sql::scorm::get(tx, institution, id).await?.ok_or_else(missing)?;
    let course = sql::course::get(tx, institution, attempt.course_id).await?.ok_or_else(missing)?;
    Ok((attempt, course))
}

/// An attempt that the caller may look into.
async fn visible(tx: &mut Tx, actor: &Actor, id: ScormAttemptId) -> store::Result<(Attempt, access::Allowed)> {
    let (attempt, course) = find(tx, actor, id).await?;
    let subject = Subject { user: Some(attempt.user_id), ..crate::course::subject(&course) };
    let allowed = access::hidden(actor, Action::ScormTrace, &subject, || missing(actor, id))?;
    Ok((attempt, allowed))
}

/// One's own attempt, as long as one may still attempt.
async fn own(tx: &mut Tx, actor: &Actor, id: ScormAttemptId) -> store::Result<(Attempt, Course)> {
    let (attempt, course) = find(tx, actor, id).await?;
    if attempt.institution_id != actor.institution || actor.user_id != Some(attempt.user_id) {
        return Err(missing(actor, id).into());
    }
    allowed(tx, actor, &course, crate::course::read(&course), || missing(actor, id)).await?;
    Ok((attempt, course))
}
