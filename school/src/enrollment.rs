//! Enrolling, unenrolling, and progress as the server computes it.

use domain::course::Course;
use domain::enrollment::Enrollment;
use domain::policy::{self, Action, Actor, Subject};
use domain::user::{Grant, Role, Scope};
use domain::{CourseId, EnrollmentId, Error, ErrorKind, UserId};
use store::Tx;
use store::sql::enrollment::Seen;
use store::sql::event::NewEvent;
use store::sql::institution::Owned;
use store::sql::{self};

use crate::course::page;
use crate::unit::{announce, record};
use crate::{Result, School, access};

mod progress;

pub use progress::Report;
pub(crate) use progress::{apply, raise};

/// Use cases of enrolments.
pub struct Enrollments<'a> {
    pub(crate) school: &'a School,
}

impl Enrollments<'_> {
    /// Enrols somebody, the caller when nobody is named, as a learner of a published course.
    ///
    /// # Errors
    /// Not found for a course that is not published or not for the caller; conflict for a second one.
    pub async fn enrol(&self, actor: &Actor, course: CourseId, user: Option<UserId>) -> Result<Enrollment> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let learner = user.or(actor.user_id).ok_or_else(access::log_in)?;
                    let course = enrollable(tx, actor, course, learner).await?;
                    insert(tx, actor, &course, learner).await
                })
            })
            .await
    }

    /// Enrols many or nobody: one refusal writes nothing.
    ///
    /// # Errors
    /// The first refusal.
    pub async fn enrol_all(&self, actor: &Actor, course: CourseId, users: Vec<UserId>) -> Result<Vec<Enrollment>> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let mut all = Vec::with_capacity(users.len());
                    for learner in users {
                        let course = enrollable(tx, actor, course, learner).await?;
                        all.push(insert(tx, actor, &course, learner).await?);
                    }
                    Ok(all)
                })
            })
            .await
    }

    /// Ends an enrolment: the role goes with the next request, what was learned stays.
    ///
    /// # Errors
    /// Not found when the caller may not see it.
    pub async fn drop(&self, actor: &Actor, id: EnrollmentId) -> Result<Enrollment> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (mut enrollment, course) = find(tx, actor, id).await?;
                    let missing = || Error::not_found("enrollment", id);
                    let target = person(&enrollment);
                    if !access::may(actor, Action::EnrolOthers, &crate::course::subject(&course)) {
                        access::hidden(actor, Action::UserRead, &target, missing)?;
                        access::known(actor, Action::EnrolOthers, &crate::course::subject(&course))?;
                    }
                    let institution = enrollment.institution_id;
                    enrollment.status = "dropped".into();
                    enrollment.updated_at = tx.now().await?;
                    sql::enrollment::update(tx, &enrollment).await?;
                    let grant = learner_of(course.id);
                    if sql::role::delete(tx, institution, enrollment.user_id, grant).await? {
                        sql::user::raise_epoch(tx, institution, enrollment.user_id).await?;
                    }
                    let event = NewEvent::new("enrollment.updated", institution, id).course(course.id);
                    announce(tx, actor, event.payload(serde_json::json!({ "status": "dropped" }))).await?;
                    record(tx, actor, institution, "enrollment.drop", &format!("course:{}", course.id)).await?;
                    Ok(enrollment)
                })
            })
            .await
    }

    /// An enrolment.
    ///
    /// # Errors
    /// Not found when the caller may not see it.
    pub async fn get(&self, actor: &Actor, id: EnrollmentId) -> Result<Enrollment> {
        let acting = actor.clone();
        let (enrollment, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let missing =
                        || if acting.is_guest() { access::log_in() } else { Error::not_found("enrollment", id) };
                    let (enrollment, _) = find(tx, &acting, id).await?;
                    let allowed = access::hidden(&acting, Action::UserRead, &person(&enrollment), missing)?;
                    Ok((enrollment, allowed.audited))
                })
            })
            .await?;
        let subject = format!("user:{}", enrollment.user_id);
        self.school.note_access(actor, audited, enrollment.institution_id, Action::UserRead, subject).await?;
        Ok(enrollment)
    }

    /// The enrolments of a course that the caller may see.
    ///
    /// # Errors
    /// Not found when the caller may not see the course.
    pub async fn in_course(
        &self,
        actor: &Actor,
        course: CourseId,
        after: Option<EnrollmentId>,
        limit: i64,
    ) -> Result<Vec<Enrollment>> {
        let acting = actor.clone();
        let (found, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    if acting.is_guest() {
                        return Err(access::log_in().into());
                    }
                    let course = crate::course::visible(tx, &acting, course).await?;
                    let filter = access::listed(&acting, Action::UserRead, course.institution_id)?;
                    let wanted =
                        sql::enrollment::Wanted { course: Some(course.id), after, limit: page(limit), user: None };
                    let found = sql::enrollment::list(tx, course.institution_id, &filter, &wanted).await?;
                    Ok((found, course.institution_id, filter.audited))
                })
            })
            .await?;
        self.school.note_access(actor, audited, institution, Action::UserRead, format!("course:{course}")).await?;
        Ok(found)
    }

    /// Takes a learner's report of what was done in a lesson, and computes the progress from it.
    ///
    /// # Errors
    /// Not found for another's enrolment, a validation error for a report that cannot be or goes back.
    pub async fn report(&self, actor: &Actor, id: EnrollmentId, report: Report) -> Result<Enrollment> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let missing =
                        || if actor.is_guest() { access::log_in() } else { Error::not_found("enrollment", id) };
                    let (enrollment, course) = find(tx, actor, id).await?;
                    access::hidden(actor, Action::ProgressReport, &person(&enrollment), missing)?;
                    progress::apply(tx, actor, enrollment, &course, &report).await
                })
            })
            .await
    }

    /// What a learner has seen, lesson by lesson.
    ///
    /// # Errors
    /// Not found when the caller may not see the enrolment.
    pub async fn seen(&self, actor: &Actor, id: EnrollmentId) -> Result<Vec<Seen>> {
        let enrollment = self.get(actor, id).await?;
        self.school.read(move |tx| Box::pin(sql::enrollment::seen(tx, enrollment.institution_id, id))).await
    }
}

fn learner_of(course: CourseId) -> Grant {
    Grant { role: Role::Learner, scope: Scope::Course(course) }
}

/// An enrolment as the policy looks at it: the learner, in that course alone.
fn person(enrollment: &Enrollment) -> Subject {
    Subject::person(enrollment.institution_id, enrollment.user_id, vec![enrollment.course_id])
}

async fn find(tx: &mut Tx, actor: &Actor, id: EnrollmentId) -> store::Result<(Enrollment, Course)> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("enrollment", id) };
    let institution = sql::institution::of(tx, Owned::Enrollment(id)).await?.ok_or_else(missing)?;
    let enrollment = sql::enrollment::get(tx, institution, id).await?.ok_or_else(missing)?;
    let course = sql::course::get(tx, institution, enrollment.course_id).await?.ok_or_else(missing)?;
    Ok((enrollment, course))
}

/// The course, if `actor` may enrol `learner` in it.
async fn enrollable(tx: &mut Tx, actor: &Actor, id: CourseId, learner: UserId) -> store::Result<Course> {
    let missing = || Error::not_found("published course", id);
    let course = crate::course::find(tx, id).await?.filter(|course| course.status == "published");
    let course = course.ok_or_else(|| if actor.is_guest() { access::log_in() } else { missing() })?;
    let card = crate::course::card(actor, &course);
    if actor.user_id == Some(learner) {
        // Nobody enrols or invites oneself by the right to enrol others.
        let open = Subject { public: card.public && course.enrollment_type == "open", ..card.clone() };
        let home = course.institution_id == actor.institution;
        if home && access::may(actor, Action::EnrolSelf, &open) {
            return Ok(course);
        }
        access::hidden(actor, Action::CourseSee, &card, missing)?;
        // A refusal names nothing that the caller did not say.
        let message = "you cannot enrol yourself in this course";
        return Err(Error::new(ErrorKind::Forbidden, message).with_code("ENROLLMENT_CLOSED").into());
    }
    access::seen(actor, Action::EnrolOthers, &card, Action::CourseSee, missing)?;
    let user = crate::user::find(tx, learner).await?;
    if user.is_none_or(|user| user.institution_id != course.institution_id || user.status != "active") {
        return Err(Error::not_found("user", learner).into());
    }
    Ok(course)
}

async fn insert(tx: &mut Tx, actor: &Actor, course: &Course, learner: UserId) -> store::Result<Enrollment> {
    let institution = course.institution_id;
    let now = tx.now().await?;
    let twice = || Error::new(ErrorKind::Conflict, "already enrolled in this course");
    let enrollment = match sql::enrollment::of(tx, institution, learner, course.id).await? {
        Some(earlier) if earlier.status == "dropped" => {
            let again = Enrollment { status: "enrolled".into(), updated_at: now, ..earlier };
            sql::enrollment::update(tx, &again).await?;
            again
        }
        Some(_) => return Err(twice().into()),
        None => {
            let fresh = Enrollment {
                id: EnrollmentId::fresh(),
                institution_id: institution,
                user_id: learner,
                course_id: course.id,
                status: "enrolled".into(),
                progress: 0.0,
                created_at: now,
                updated_at: now,
            };
            if !sql::enrollment::insert(tx, &fresh).await? {
                return Err(twice().into());
            }
            fresh
        }
    };
    sql::role::insert(tx, institution, learner, learner_of(course.id), actor.user_id).await?;
    sql::user::raise_epoch(tx, institution, learner).await?;
    let id = enrollment.id;
    let payload = serde_json::json!({ "enrollmentId": id, "userId": learner, "courseId": course.id });
    let created = NewEvent::new("enrollment.created", institution, id).course(course.id).payload(payload.clone());
    announce(tx, actor, created).await?;
    let enrolled = NewEvent::new("user.enrolled", institution, learner).course(course.id).payload(payload.clone());
    announce(tx, actor, enrolled).await?;
    let started = NewEvent::new("progress.initialized", institution, id).course(course.id).payload(payload);
    announce(tx, actor, started).await?;
    record(tx, actor, institution, "enrollment.create", &format!("course:{}", course.id)).await?;
    Ok(enrollment)
}

/// Whether the caller is a learner or teacher of that course right now.
#[must_use]
pub fn belongs(actor: &Actor, course: CourseId) -> bool {
    actor.grants.iter().any(|grant| grant.scope == Scope::Course(course))
        && policy::conceivable(actor, Action::TutorChat)
}
