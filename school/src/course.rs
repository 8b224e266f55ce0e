//! Courses: making, finding, changing and publishing them.

use domain::course::{Course, ENROLLMENT_TYPES, STATUSES, VISIBILITIES};
use domain::institution::check_slug;
use domain::policy::{self, Action, Actor, Subject};
use domain::{CourseId, Error, ErrorKind, InstitutionId};
use serde::Deserialize;
use store::Tx;
use store::sql::course::{Cards, Counts, Wanted};
use store::sql::event::NewEvent;
use store::sql::institution::Owned;
use store::sql::{self};

use crate::unit::{announce, record};
use crate::{Result, School, access};

/// The course was changed since it was read.
pub const PRECONDITION_FAILED: &str = "PRECONDITION_FAILED";

/// Use cases of courses.
pub struct Courses<'a> {
    pub(crate) school: &'a School,
}

/// What a course is made from.
#[derive(Debug, Clone, Default)]
pub struct NewCourse {
    /// Name in addresses; made from the title when missing.
    pub slug: Option<String>,
    /// Name for people.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// `draft` when missing.
    pub status: Option<String>,
    /// `institution` when missing.
    pub visibility: Option<String>,
    /// `open` when missing.
    pub enrollment_type: Option<String>,
    /// Length in weeks.
    pub duration_weeks: Option<i64>,
    /// Credit hours.
    pub credit_hours: Option<i64>,
    /// Free JSON.
    pub metadata: Option<serde_json::Value>,
}

/// What may be changed of a course; what is missing stays.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub struct CourseChange {
    /// Name for people.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// `draft`, `review`, `published` or `archived`.
    pub status: Option<String>,
    /// `private`, `institution` or `public`.
    pub visibility: Option<String>,
    /// `open`, `invite_only` or `closed`.
    pub enrollment_type: Option<String>,
    /// Length in weeks.
    pub duration_weeks: Option<i64>,
    /// Credit hours.
    pub credit_hours: Option<i64>,
    /// Free JSON.
    pub metadata: Option<serde_json::Value>,
}

/// Which courses to list.
#[derive(Debug, Clone, Default)]
pub struct CourseQuery {
    /// In this state.
    pub status: Option<String>,
    /// After this one.
    pub after: Option<CourseId>,
    /// At most so many; 50 when zero.
    pub limit: i64,
}

impl Courses<'_> {
    /// Makes a course in an institution.
    ///
    /// # Errors
    /// Refused by policy, bad fields, or a slug that is taken.
    pub async fn create(&self, actor: &Actor, institution: InstitutionId, new: NewCourse) -> Result<Course> {
        let slug = new.slug.clone().unwrap_or_else(|| slug_of(&new.title));
        check_slug("slug", &slug)?;
        let mut course = Course {
            id: CourseId::fresh(),
            institution_id: institution,
            slug,
            title: new.title,
            description: new.description,
            status: new.status.unwrap_or_else(|| "draft".into()),
            visibility: new.visibility.unwrap_or_else(|| "institution".into()),
            enrollment_type: new.enrollment_type.unwrap_or_else(|| "open".into()),
            duration_weeks: new.duration_weeks,
            credit_hours: new.credit_hours,
            metadata: new.metadata.unwrap_or_else(|| serde_json::json!({})),
            created_by: actor.user_id,
            version: 1,
            created_at: 0,
            updated_at: 0,
        };
        check(&course)?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    allow_in(actor, Action::CourseCreate, institution)?;
                    if sql::institution::get(tx, institution).await?.is_none() {
                        return Err(Error::not_found("institution", institution).into());
                    }
                    if sql::course::by_slug(tx, institution, &course.slug).await?.is_some() {
                        let message = format!("there is a course \"{}\" already", course.slug);
                        return Err(Error::new(ErrorKind::Conflict, message).into());
                    }
                    course.created_at = tx.now().await?;
                    course.updated_at = course.created_at;
                    sql::course::insert(tx, &course).await?;
                    announce(tx, actor, NewEvent::new("course.created", institution, course.id).course(course.id))
                        .await?;
                    if course.status == "published" {
                        let published = NewEvent::new("course.published", institution, course.id).course(course.id);
                        announce(tx, actor, published).await?;
                    }
                    record(tx, actor, institution, Action::CourseCreate.as_str(), &format!("course:{}", course.id))
                        .await?;
                    Ok(course)
                })
            })
            .await
    }

    /// The card of a course.
    ///
    /// # Errors
    /// Not found when there is none that the caller may see.
    pub async fn get(&self, actor: &Actor, id: CourseId) -> Result<Course> {
        let actor = actor.clone();
        self.school.read(move |tx| Box::pin(async move { visible(tx, &actor, id).await })).await
    }

    /// The card of the course of that slug.
    ///
    /// # Errors
    /// Not found when there is none that the caller may see.
    pub async fn by_slug(&self, actor: &Actor, institution: InstitutionId, slug: &str) -> Result<Course> {
        let (acting, wanted) = (actor.clone(), slug.to_owned());
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let missing = || Error::not_found("course", &wanted);
                    let course = sql::course::by_slug(tx, institution, &wanted).await?.ok_or_else(missing)?;
                    access::hidden(&acting, see(&course), &card(&acting, &course), missing)?;
                    Ok(course)
                })
            })
            .await
    }

    /// The courses of an institution that the caller may see.
    ///
    /// # Errors
    /// Refused by policy, or an unknown state.
    pub async fn list(&self, actor: &Actor, institution: InstitutionId, query: CourseQuery) -> Result<Vec<Course>> {
        if let Some(status) = &query.status {
            one_of("status", status, &STATUSES)?;
        }
        let cards = Cards {
            published: policy::visible(actor, Action::CourseSee, institution),
            drafts: policy::visible(actor, Action::CourseSeeDraft, institution),
            member: member(actor, institution),
        };
        let wanted = Wanted { status: query.status, after: query.after, limit: page(query.limit) };
        self.school
            .read(move |tx| Box::pin(async move { sql::course::list(tx, institution, &cards, &wanted).await }))
            .await
    }

    /// How much is in a course.
    ///
    /// # Errors
    /// Not found when the caller may not see it.
    pub async fn counts(&self, actor: &Actor, id: CourseId) -> Result<Counts> {
        let course = self.get(actor, id).await?;
        self.school.read(move |tx| Box::pin(sql::course::counts(tx, course.institution_id, id))).await
    }

    /// Changes a course that is still at version `expected` (any, when `None`).
    ///
    /// # Errors
    /// Refused by policy, bad fields, or [`PRECONDITION_FAILED`].
    pub async fn update(
        &self,
        actor: &Actor,
        id: CourseId,
        change: CourseChange,
        expected: Option<i64>,
    ) -> Result<Course> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let mut course = editable(tx, actor, Action::CourseEdit, id).await?;
                    let read_version = course.version;
                    if expected.is_some_and(|version| version != read_version) {
                        return Err(changed().into());
                    }
                    let was_published = course.status == "published";
                    apply(&mut course, change);
                    check(&course)?;
                    course.version += 1;
                    course.updated_at = tx.now().await?;
                    if !sql::course::update(tx, &course, read_version).await? {
                        return Err(changed().into());
                    }
                    let institution = course.institution_id;
                    announce(tx, actor, NewEvent::new("course.updated", institution, id).course(id)).await?;
                    if course.status == "published" && !was_published {
                        announce(tx, actor, NewEvent::new("course.published", institution, id).course(id)).await?;
                    }
                    record(tx, actor, institution, Action::CourseEdit.as_str(), &format!("course:{id}")).await?;
                    Ok(course)
                })
            })
            .await
    }
}

fn changed() -> Error {
    Error::new(ErrorKind::Conflict, "the course was changed since it was read; read it again")
        .with_code(PRECONDITION_FAILED)
}

fn apply(course: &mut Course, change: CourseChange) {
    let set = |field: &mut String, value: Option<String>| {
        if let Some(value) = value {
            *field = value;
        }
    };
    set(&mut course.title, change.title);
    set(&mut course.description, change.description);
    set(&mut course.status, change.status);
    set(&mut course.visibility, change.visibility);
    set(&mut course.enrollment_type, change.enrollment_type);
    course.duration_weeks = change.duration_weeks.or(course.duration_weeks);
    course.credit_hours = change.credit_hours.or(course.credit_hours);
    if let Some(metadata) = change.metadata {
        course.metadata = metadata;
    }
}

/// Checks the fields that people write.
fn check(course: &Course) -> Result<()> {
    check_text("title", &course.title, 1, 200)?;
    check_text("description", &course.description, 0, 20_000)?;
    one_of("status", &course.status, &STATUSES)?;
    one_of("visibility", &course.visibility, &VISIBILITIES)?;
    one_of("enrollmentType", &course.enrollment_type, &ENROLLMENT_TYPES)?;
    for (field, value) in [("durationWeeks", course.duration_weeks), ("creditHours", course.credit_hours)] {
        if value.is_some_and(|value| !(0..=10_000).contains(&value)) {
            return Err(Error::invalid(field, "OUT_OF_RANGE", format!("\"{field}\" is 0 to 10000")));
        }
    }
    if !course.metadata.is_object() || course.metadata.to_string().len() > 64 * 1024 {
        return Err(Error::invalid("metadata", "INVALID_FORMAT", "\"metadata\" is a JSON object of at most 64 KiB"));
    }
    Ok(())
}

/// Checks the length of a text, in characters.
pub(crate) fn check_text(field: &str, text: &str, least: usize, most: usize) -> Result<()> {
    let length = text.trim().chars().count();
    if length < least {
        return Err(Error::invalid(field, "TOO_SHORT", format!("\"{field}\" needs at least {least} characters")));
    }
    if text.chars().count() > most {
        return Err(Error::invalid(field, "TOO_LONG", format!("\"{field}\" has at most {most} characters")));
    }
    Ok(())
}

/// Checks a spelling against the allowed ones.
pub(crate) fn one_of(field: &str, value: &str, allowed: &[&str]) -> Result<()> {
    if allowed.contains(&value) {
        return Ok(());
    }
    let message = format!("\"{value}\" is no {field}; it is one of {}", allowed.join(", "));
    Err(Error::invalid(field, "INVALID_FORMAT", message))
}

/// The size of a page: 50 unless asked otherwise, at most 200.
pub(crate) fn page(limit: i64) -> i64 {
    if limit <= 0 { 50 } else { limit.min(200) }
}

/// A slug from a title: letters and digits of ASCII, the rest is a dash.
fn slug_of(title: &str) -> String {
    let mut slug = String::new();
    for letter in title.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
        if slug.len() >= 60 {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

/// Whether the caller belongs to an institution.
pub(crate) fn member(actor: &Actor, institution: InstitutionId) -> bool {
    actor.institution == institution && actor.user_id.is_some()
}

/// Checks an action that makes something in an institution.
pub(crate) fn allow_in(actor: &Actor, action: Action, institution: InstitutionId) -> Result<access::Allowed> {
    let subject = Subject::institution(institution);
    if institution == actor.institution || actor.is_guest() {
        access::known(actor, action, &subject)
    } else {
        access::hidden(actor, action, &subject, || Error::not_found("institution", institution))
    }
}

/// A course as the policy looks at its content: public only where anybody may read it.
pub(crate) fn subject(course: &Course) -> Subject {
    Subject {
        institution: course.institution_id,
        courses: vec![course.id],
        owner: course.created_by,
        user: None,
        public: course.status == "published" && course.visibility == "public",
    }
}

/// A course as the policy looks at its card: a member also sees what is open to the institution.
pub(crate) fn card(actor: &Actor, course: &Course) -> Subject {
    let open =
        course.visibility == "public" || (course.visibility == "institution" && member(actor, course.institution_id));
    Subject { public: course.status == "published" && open, ..subject(course) }
}

/// The action by which a course's card is seen.
pub(crate) fn see(course: &Course) -> Action {
    if course.status == "published" { Action::CourseSee } else { Action::CourseSeeDraft }
}

/// The action by which a course's content is read.
pub(crate) fn read(course: &Course) -> Action {
    if course.status == "published" { Action::ReadPublished } else { Action::ReadUnpublished }
}

/// The row of a course, wherever it is.
pub(crate) async fn find(tx: &mut Tx, id: CourseId) -> store::Result<Option<Course>> {
    match sql::institution::of(tx, Owned::Course(id)).await? {
        Some(institution) => sql::course::get(tx, institution, id).await,
        None => Ok(None),
    }
}

/// The course, if the caller may see its card.
pub(crate) async fn visible(tx: &mut Tx, actor: &Actor, id: CourseId) -> store::Result<Course> {
    let missing = || Error::not_found("course", id);
    let course = find(tx, id).await?.ok_or_else(missing)?;
    access::hidden(actor, see(&course), &card(actor, &course), missing)?;
    Ok(course)
}

/// The course, if the caller may do `action` to it; forbidden only to those who may see it.
pub(crate) async fn editable(tx: &mut Tx, actor: &Actor, action: Action, id: CourseId) -> store::Result<Course> {
    let missing = || Error::not_found("course", id);
    let Some(course) = find(tx, id).await? else {
        return Err(if actor.is_guest() { access::log_in() } else { missing() }.into());
    };
    let target = card(actor, &course);
    access::seen(actor, action, &target, see(&course), missing)?;
    Ok(course)
}

/// The course, if the caller may read its content; with whether hidden lessons are included, and the audit flag.
pub(crate) async fn readable(tx: &mut Tx, actor: &Actor, id: CourseId) -> store::Result<(Course, bool, bool)> {
    let missing = || Error::not_found("course", id);
    let course = find(tx, id).await?.ok_or_else(missing)?;
    let content = subject(&course);
    let allowed = match policy::decide(actor, read(&course), &content) {
        // Who sees the card learns that the content needs more; anybody else learns nothing.
        policy::Decision::Denied if access::may(actor, see(&course), &card(actor, &course)) => {
            access::known(actor, read(&course), &content)?
        }
        _ => access::hidden(actor, read(&course), &content, missing)?,
    };
    Ok((course, access::may(actor, Action::ReadUnpublished, &content), allowed.audited))
}
