//! Playing recordings: addresses that a player can ask without a login of its own, where a learner left
//! off, and courses that protect their recordings.

mod ticket;

use domain::enrollment::Enrollment;
use domain::policy::{Action, Actor};
use domain::{CourseId, Error, ErrorKind, InstitutionId, LessonId, Micros, UserId};
use serde_json::json;
use store::sql::event::NewEvent;
use store::sql::{self};

use crate::enrollment::Report;
use crate::lesson::{LessonContent, StreamFile};
use crate::unit::{announce, record};
use crate::{Result, School, access};

pub use ticket::StreamKey;
use ticket::Ticket;

/// An address of a stream is good for this long.
pub const TICKET_SECONDS: i64 = 4 * 3600;
/// The lesson has no recording that is kept here.
pub const NO_RECORDING: &str = "NO_RECORDING";
/// The name by which a ticket gives out the recording itself.
pub const RECORDING: &str = "recording";
/// A position within a recording is at most this (100 hours).
const MOST_SECONDS: f64 = 360_000.0;

/// Use cases of playing.
pub struct Playback<'a> {
    pub(crate) school: &'a School,
}

/// What a player needs to begin.
#[derive(Debug, Clone)]
pub struct Streaming {
    /// Stands for the caller in addresses.
    pub ticket: String,
    /// From here on it does not.
    pub expires_at: Micros,
    /// The lesson.
    pub content: LessonContent,
    /// The recording itself may be played by range.
    pub by_range: bool,
}

/// A learner's place in a recording.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// Seconds at which it was left; nothing when it was never played.
    pub seconds: Option<f64>,
}

impl Playback<'_> {
    /// A ticket for the streams of a lesson. The rights of its holder are looked at again with each use.
    ///
    /// # Errors
    /// As reading the lesson; a validation error with [`NO_RECORDING`].
    pub async fn begin(&self, actor: &Actor, id: LessonId) -> Result<Streaming> {
        let lessons = self.school.lesson();
        let (course, content, audited) = lessons.look(actor, id, false).await?;
        lessons.note(actor, &course, audited).await?;
        if content.media().is_none() {
            let message = "this lesson has no recording that is kept here; the site that shows it plays it";
            return Err(Error::new(ErrorKind::ValidationError, message).with_code(NO_RECORDING));
        }
        let by_range = lessons.recording(actor, &course, &content).await.is_ok_and(|(_, found)| found.is_some());
        let now = self.school.read(|tx| Box::pin(async move { tx.now().await })).await?;
        let expires_at = now + TICKET_SECONDS * 1_000_000;
        let ticket = Ticket {
            institution: actor.institution,
            user: actor.user_id,
            lesson: id,
            expires_at,
            reasoned: actor.reason.is_some(),
        };
        Ok(Streaming { ticket: self.school.inner.stream_key.seal(&ticket), expires_at, content, by_range })
    }

    /// Who a ticket stands for, with the rights of this moment, and its lesson.
    async fn holder(&self, sealed: &str) -> Result<(Actor, LessonId)> {
        let missing = || Error::not_found("stream", "of this address");
        let ticket = self.school.inner.stream_key.open(sealed).ok_or_else(missing)?;
        let found = self.school.read(move |tx| {
            Box::pin(async move {
                if tx.now().await? >= ticket.expires_at {
                    let message = "this address has expired; ask for a new one at \"streaming-url\" of the content";
                    return Err(Error::new(ErrorKind::Unauthorized, message).with_code("STREAM_EXPIRED").into());
                }
                let Some(user) = ticket.user else { return Ok(Some(Actor::guest(ticket.institution))) };
                match sql::user::get(tx, ticket.institution, user).await? {
                    Some(user) => crate::session::actor_of(tx, &user).await,
                    None => Ok(None),
                }
            })
        });
        let mut actor = found.await?.ok_or_else(missing)?;
        // The access was noted, with its reason, when the ticket was given.
        actor.reason = ticket.reasoned.then(|| "playing what was opened with a reason".to_owned());
        Ok((actor, ticket.lesson))
    }

    /// A file of the lesson that a ticket is for; [`RECORDING`] is the recording itself.
    ///
    /// # Errors
    /// Not found for a ticket that is none, unauthorized for one that expired, else as reading the lesson.
    pub async fn file(&self, ticket: &str, name: &str) -> Result<(Actor, LessonId, InstitutionId, Option<StreamFile>)> {
        let (actor, id) = self.holder(ticket).await?;
        let lessons = self.school.lesson();
        let (course, content, _) = lessons.look(&actor, id, false).await?;
        let (institution, found) = if name == RECORDING {
            let (institution, found) = lessons.recording(&actor, &course, &content).await?;
            (institution, found.map(StreamFile::Blob))
        } else {
            lessons.stream_of(&content, name).await?
        };
        Ok((actor, id, institution, found))
    }

    /// Where the caller left the recording of a lesson that was read; nothing for who is no learner of its course.
    ///
    /// # Errors
    /// The store is gone.
    pub async fn place(&self, actor: &Actor, content: &LessonContent) -> Result<Option<Place>> {
        let Some(user) = actor.user_id else { return Ok(None) };
        let (institution, course, id) = (content.lesson.institution_id, content.lesson.course_id, content.lesson.id);
        let found = self.school.read(move |tx| {
            Box::pin(async move {
                if learning(tx, institution, course, user).await?.is_none() {
                    return Ok(None);
                }
                Ok(Some(Place { seconds: sql::playback::get(tx, institution, user, id).await? }))
            })
        });
        found.await
    }

    /// Notes where a learner is in a recording, and raises the progress of the enrolment by what that adds.
    ///
    /// # Errors
    /// As reading the lesson, forbidden without an enrolment, a validation error for a time that cannot be.
    pub async fn pause(&self, actor: &Actor, id: LessonId, seconds: f64) -> Result<()> {
        if !(0.0..=MOST_SECONDS).contains(&seconds) {
            return Err(Error::invalid("seconds", "OUT_OF_RANGE", "\"seconds\" is 0 to 360000"));
        }
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let user = actor.user_id.ok_or_else(access::log_in)?;
                    let (course, _, _) = crate::lesson::found(tx, actor, id).await?;
                    let enrollment = learning(tx, course.institution_id, course.id, user).await?.ok_or_else(|| {
                        let message = "only learners who are enrolled in the course have a place in its recordings";
                        Error::new(ErrorKind::Forbidden, message)
                    })?;
                    let shown = sql::lesson::shown(tx, course.institution_id, id).await?;
                    if shown.is_none_or(|shown| shown.kind != "video") {
                        let message = format!("the lesson \"{id}\" is no recording");
                        return Err(Error::new(ErrorKind::ValidationError, message).with_code(NO_RECORDING).into());
                    }
                    sql::playback::put(tx, course.institution_id, user, id, seconds).await?;
                    let report = Report { lesson_id: id, position: None, page: None, seconds_watched: Some(seconds) };
                    crate::enrollment::raise(tx, actor, enrollment, &course, &report).await?;
                    let event = NewEvent::new("video.paused", course.institution_id, id).course(course.id);
                    announce(tx, actor, event.payload(json!({ "lessonId": id, "seconds": seconds }))).await
                })
            })
            .await
    }

    /// Whether recordings of a course are protected, for those who see the course.
    ///
    /// # Errors
    /// Not found.
    pub async fn protected(&self, actor: &Actor, course: CourseId) -> Result<bool> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let course = crate::course::visible(tx, &acting, course).await?;
                    sql::course_media::protected(tx, course.institution_id, course.id).await
                })
            })
            .await
    }

    /// Protects the recordings of a course, or no longer. It bites with the next request of a player.
    ///
    /// # Errors
    /// Not found, or refused by policy.
    pub async fn protect(&self, actor: &Actor, course: CourseId, protected: bool) -> Result<()> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, actor, Action::CourseEdit, course).await?;
                    let institution = course.institution_id;
                    if sql::course_media::protected(tx, institution, course.id).await? == protected {
                        return Ok(());
                    }
                    sql::course_media::set(tx, institution, course.id, protected, actor.user_id).await?;
                    let event = NewEvent::new("course.media_protected", institution, course.id).course(course.id);
                    announce(tx, actor, event.payload(json!({ "protected": protected }))).await?;
                    let subject = format!("course:{}", course.id);
                    record(tx, actor, institution, Action::CourseEdit.as_str(), &subject).await
                })
            })
            .await
    }
}

/// The enrolment of a learner who may report.
async fn learning(
    tx: &mut store::Tx,
    institution: InstitutionId,
    course: CourseId,
    user: UserId,
) -> store::Result<Option<Enrollment>> {
    let found = sql::enrollment::of(tx, institution, user, course).await?;
    Ok(found.filter(|one| matches!(one.status.as_str(), "enrolled" | "completed")))
}
