//! What a recommendation may look at: whose record, of which course; and an instructor's word on prerequisites.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use domain::course::Course;
use domain::policy::{self, Action, Actor, Cap, Decision, Subject};
use domain::{AttemptId, CourseId, Error, ErrorKind, InstitutionId, LessonId, Micros, QuestionId, UserId};
use store::sql::enrollment::{Seen, Wanted};
use store::sql::event::NewEvent;
use store::sql::learning::{self, Deed, Edit};
use store::sql::{self};
use store::{Scope, Tx};

use crate::unit::{announce, record};
use crate::{Result, School, access};

/// The events that tell what a learner knows and cares for.
const SIGNALS: [&str; 3] = ["quiz.answered", "review.answered", "tutor.answered"];
/// Those of them that are answers.
const ANSWERS: [&str; 2] = ["quiz.answered", "review.answered"];
/// Learners that figures over a course look at.
const COHORT: i64 = 500;

/// Use cases of learning records.
pub struct Learning<'a> {
    pub(crate) school: &'a School,
}

/// A learner in a course, whose record the caller may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learner {
    scope: Scope,
    user: UserId,
}

impl Learner {
    /// What this learner sees of the course.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// Who it is.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }
}

/// Whom recommendations are for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// One person.
    Person(Learner),
    /// Somebody without a record.
    Guest(Scope),
    /// Everybody who takes the course, as figures; for those who teach or oversee it.
    Everybody(Scope),
}

/// What one learner did in one course.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    /// Lessons that were read.
    pub seen: Vec<Seen>,
    /// Answers and questions, oldest first.
    pub deeds: Vec<Deed>,
    /// The time of the reading.
    pub now: Micros,
}

impl Learning<'_> {
    /// Decides whose recommendations the caller gets: those of `user`, else the own, else figures over the course.
    ///
    /// # Errors
    /// Not found when the caller may not know of the course; forbidden for another learner's.
    pub async fn view(&self, actor: &Actor, course: CourseId, user: Option<UserId>) -> Result<View> {
        let acting = actor.clone();
        let (view, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (found, _, audited) = crate::course::readable(tx, &acting, course).await?;
                    let scope = Scope { institution: found.institution_id, course, hidden: false };
                    let view = viewed(tx, &acting, &found, scope, user).await?;
                    Ok((view, found.institution_id, audited))
                })
            })
            .await?;
        let subject = format!("course:{course}");
        self.school.note_access(actor, audited, institution, Action::RecommendationsRead, subject).await?;
        Ok(view)
    }

    /// A learner whose mastery the caller may read; the caller when nobody is named.
    ///
    /// # Errors
    /// Not found or forbidden by policy.
    pub async fn learner(&self, actor: &Actor, course: CourseId, user: Option<UserId>) -> Result<Learner> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    if acting.is_guest() {
                        return Err(access::log_in().into());
                    }
                    let found = crate::course::visible(tx, &acting, course).await?;
                    let who = user.or(acting.user_id).ok_or_else(name_somebody)?;
                    let institution = found.institution_id;
                    let target = person(tx, &found, who).await?;
                    access::known(&acting, Action::LearnerAnalytics, &target)?;
                    sql::user::get(tx, institution, who).await?.ok_or_else(|| Error::not_found("user", who))?;
                    Ok(Learner { scope: Scope { institution, course, hidden: false }, user: who })
                })
            })
            .await
    }

    /// What a learner did in the course.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub async fn record(&self, learner: Learner) -> Result<Record> {
        self.school.read(move |tx| Box::pin(async move { record_of(tx, learner.scope, learner.user).await })).await
    }

    /// What everybody who takes the course did, without saying who; at most 500 learners.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub async fn cohort(&self, scope: Scope) -> Result<Vec<Record>> {
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let all = policy::Visible { all: true, ..policy::Visible::default() };
                    let wanted = Wanted { course: Some(scope.course), limit: COHORT, ..Wanted::default() };
                    let mut records = Vec::new();
                    for one in sql::enrollment::list(tx, scope.institution, &all, &wanted).await? {
                        records.push(record_of(tx, scope, one.user_id).await?);
                    }
                    Ok(records)
                })
            })
            .await
    }

    /// The caller's own answers in every course, oldest first, and the time of the reading.
    ///
    /// # Errors
    /// Refused by policy.
    pub async fn answers(&self, actor: &Actor) -> Result<(Vec<Deed>, Micros)> {
        let user = own_reviews(actor)?;
        let institution = actor.institution;
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let now = tx.now().await?;
                    let deeds = learning::deeds(tx, institution, user, None, &ANSWERS).await?;
                    Ok((released(tx, institution, deeds, now).await?, now))
                })
            })
            .await
    }

    /// Records how well the caller remembered a question that was answered before: 1 not at all, 2 with effort,
    /// 3 well, 4 at once.
    ///
    /// # Errors
    /// Refused by policy; not found when the caller never answered it or may no longer read its course.
    pub async fn review(&self, actor: &Actor, question: String, rating: u64) -> Result<()> {
        let user = own_reviews(actor)?;
        if !(1..=4).contains(&rating) {
            return Err(Error::invalid("rating", "OUT_OF_RANGE", "\"rating\" is 1 to 4"));
        }
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let missing = || Error::not_found("question", &question);
                    let now = tx.now().await?;
                    let deeds = learning::deeds(tx, actor.institution, user, None, &ANSWERS).await?;
                    let deeds = released(tx, actor.institution, deeds, now).await?;
                    let named =
                        |deed: &&Deed| deed.payload.get("questionId").and_then(|id| id.as_str()) == Some(&question);
                    let last = deeds.iter().rev().find(named).ok_or_else(missing)?;
                    let course = last.course.ok_or_else(missing)?;
                    crate::course::readable(tx, actor, course).await.map_err(|_| missing())?;
                    let payload = serde_json::json!({
                        "questionId": question,
                        "lessonId": last.payload.get("lessonId"),
                        "correct": rating > 1,
                        "rating": rating,
                    });
                    let event = NewEvent::new("review.answered", actor.institution, &question).course(course);
                    announce(tx, actor, event.payload(payload)).await
                })
            })
            .await
    }

    /// What instructors said of the prerequisites of a course that the caller may read.
    ///
    /// # Errors
    /// Refused by policy.
    pub async fn edits(&self, actor: &Actor, course: CourseId) -> Result<(Scope, Vec<Edit>)> {
        let scope = self.school.scope_for(actor, course, Action::ReadPublished).await?;
        let edits = self
            .school
            .read(move |tx| Box::pin(async move { learning::edits(tx, scope.institution, course).await }))
            .await?;
        Ok((scope, edits))
    }

    /// The same for a course of a scope that was already allowed.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub async fn edits_within(&self, scope: Scope) -> Result<Vec<Edit>> {
        self.school
            .read(move |tx| Box::pin(async move { learning::edits(tx, scope.institution, scope.course).await }))
            .await
    }

    /// Says that a lesson needs another, or that it does not.
    ///
    /// # Errors
    /// Refused by policy; not found for a lesson of another course; conflict when it would close a circle.
    pub async fn set_prerequisite(&self, actor: &Actor, course: CourseId, edit: Edit) -> Result<Edit> {
        let wanted = edit.clone();
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let found = crate::course::editable(tx, actor, Action::CourseEdit, course).await?;
                    let institution = found.institution_id;
                    let lessons = sql::lesson::in_course(tx, institution, course, true).await?;
                    for id in [wanted.lesson, wanted.needs] {
                        if !lessons.iter().any(|lesson| lesson.id == id) {
                            return Err(Error::not_found("lesson", id).into());
                        }
                    }
                    check_circle(&learning::edits(tx, institution, course).await?, &wanted)?;
                    learning::put_edit(tx, institution, course, &wanted, actor.user_id).await?;
                    let payload = serde_json::json!({
                        "lessonId": wanted.lesson, "needsId": wanted.needs, "required": wanted.required,
                    });
                    let event = NewEvent::new("prerequisite.changed", institution, course).course(course);
                    announce(tx, actor, event.payload(payload)).await?;
                    record(tx, actor, institution, "prerequisite.set", &format!("lesson:{}", wanted.lesson)).await?;
                    Ok(())
                })
            })
            .await?;
        Ok(edit)
    }
}

async fn viewed(
    tx: &mut Tx,
    actor: &Actor,
    course: &Course,
    scope: Scope,
    user: Option<UserId>,
) -> store::Result<View> {
    if let Some(user) = user {
        let target = person(tx, course, user).await?;
        let missing = || Error::not_found("user", user);
        let allowed = match policy::decide(actor, Action::RecommendationsRead, &target) {
            Decision::Denied => return Err(missing().into()),
            decision => access::settle(actor, decision, missing)?,
        };
        if allowed.cap == Some(Cap::Aggregates) {
            let message = "your role sees figures over all learners here, not one learner's recommendations";
            return Err(Error::new(ErrorKind::Forbidden, message).into());
        }
        sql::user::get(tx, scope.institution, user).await?.ok_or_else(missing)?;
        return Ok(View::Person(Learner { scope, user }));
    }
    let content = crate::course::subject(course);
    // Who teaches a course may learn elsewhere: here the class comes first.
    let class = Subject { public: false, ..content.clone() };
    if policy::decide(actor, Action::RecommendationsRead, &class).allowed() {
        return Ok(View::Everybody(scope));
    }
    let own = Subject { user: actor.user_id, ..class };
    if let Some(user) = actor.user_id.filter(|_| policy::decide(actor, Action::RecommendationsRead, &own).allowed()) {
        return Ok(View::Person(Learner { scope, user }));
    }
    access::known(actor, Action::RecommendationsRead, &content)?;
    Ok(View::Guest(scope))
}

/// A person as the policy looks at a learner of a course: those who teach it reach those who take it.
async fn person(tx: &mut Tx, course: &Course, user: UserId) -> store::Result<Subject> {
    let roles = sql::user::courses(tx, course.institution_id, user).await?;
    let enrolled = sql::enrollment::of(tx, course.institution_id, user, course.id).await?.is_some();
    let courses = if enrolled || roles.contains(&course.id) { vec![course.id] } else { Vec::new() };
    Ok(Subject::person(course.institution_id, user, courses))
}

async fn record_of(tx: &mut Tx, scope: Scope, user: UserId) -> store::Result<Record> {
    let (institution, course) = (scope.institution, scope.course);
    let seen = match sql::enrollment::of(tx, institution, user, course).await? {
        Some(enrollment) => sql::enrollment::seen(tx, institution, enrollment.id).await?,
        None => Vec::new(),
    };
    let now = tx.now().await?;
    let deeds = learning::deeds(tx, institution, user, Some(course), &SIGNALS).await?;
    Ok(Record { seen, deeds: released(tx, scope.institution, deeds, now).await?, now })
}

/// Without answers whose marks are not released yet, so that no figure tells of them; with what the question is about.
async fn released(tx: &mut Tx, institution: InstitutionId, deeds: Vec<Deed>, now: Micros) -> store::Result<Vec<Deed>> {
    let (mut open, mut about) = (HashMap::new(), HashMap::new());
    let mut kept = Vec::with_capacity(deeds.len());
    for mut deed in deeds {
        let id = |name: &str| deed.payload.get(name).and_then(|id| id.as_str()).map(str::to_owned);
        if let Some(attempt) = id("attemptId").and_then(|id| id.parse::<AttemptId>().ok()) {
            if let Entry::Vacant(unknown) = open.entry(attempt) {
                let quiz = match sql::attempt::get(tx, institution, attempt).await? {
                    Some(attempt) => sql::assessment::get(tx, institution, attempt.assessment_id).await?,
                    None => None,
                };
                unknown.insert(quiz.is_some_and(|quiz| quiz.released(now)));
            }
            if open.get(&attempt) != Some(&true) {
                continue;
            }
        }
        if let Some(question) = id("questionId").and_then(|id| id.parse::<QuestionId>().ok()) {
            if let Entry::Vacant(unknown) = about.entry(question) {
                let found = sql::question::get(tx, institution, question).await?;
                unknown.insert(found.map(|question| {
                    let quote = question.draft.source.map(|source| source.quote).unwrap_or_default();
                    (format!("{} {quote}", question.draft.stem), question.draft.difficulty)
                }));
            }
            if let Some(Some((words, difficulty))) = about.get(&question) {
                deed.payload["about"] = serde_json::json!(words);
                deed.payload["difficulty"] = serde_json::json!(difficulty);
            }
        }
        kept.push(deed);
    }
    Ok(kept)
}

fn check_circle(edits: &[Edit], wanted: &Edit) -> Result<()> {
    if wanted.lesson == wanted.needs {
        return Err(Error::invalid("needs", "INVALID_FORMAT", "a lesson does not need itself"));
    }
    let mut needs: HashMap<LessonId, Vec<LessonId>> = HashMap::new();
    for edit in edits.iter().filter(|edit| edit.required) {
        needs.entry(edit.lesson).or_default().push(edit.needs);
    }
    let (mut open, mut seen) = (vec![wanted.needs], std::collections::HashSet::new());
    while let Some(at) = open.pop() {
        if at == wanted.lesson && wanted.required {
            let message =
                format!("\"{}\" needs \"{}\" already; this would close a circle", wanted.needs, wanted.lesson);
            return Err(Error::new(ErrorKind::Conflict, message).with_code("PREREQUISITE_CIRCLE"));
        }
        if seen.insert(at) {
            open.extend(needs.get(&at).into_iter().flatten());
        }
    }
    Ok(())
}

fn name_somebody() -> Error {
    Error::invalid("user", "REQUIRED", "name a user")
}

/// The caller, who must be somebody that learns.
fn own_reviews(actor: &Actor) -> Result<UserId> {
    let user = actor.user_id.ok_or_else(|| if actor.is_guest() { access::log_in() } else { name_somebody() })?;
    access::known(actor, Action::ReviewOwn, &Subject::person(actor.institution, user, Vec::new()))?;
    Ok(user)
}
