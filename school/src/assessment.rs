//! Quizzes: putting reviewed questions together, publishing and closing.

use domain::assessment::{Assessment, FEEDBACK, Item};
use domain::course::Course;
use domain::policy::{Action, Actor};
use domain::question::State;
use domain::{AssessmentId, CourseId, Error, ErrorKind, LessonId, Micros};
use serde::Deserialize;
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::institution::Owned;
use store::sql::{self};

use crate::course::{check_text, one_of, page};
use crate::unit::{announce, record};
use crate::{Result, School, access};

/// A question of the quiz was not reviewed.
pub const UNREVIEWED: &str = "UNREVIEWED_QUESTION";
/// Most questions of one quiz.
const MOST_ITEMS: usize = 200;

/// Use cases of quizzes.
pub struct Assessments<'a> {
    pub(crate) school: &'a School,
}

/// What a quiz is made from.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct NewAssessment {
    /// Name for people.
    pub title: String,
    /// The lesson that it belongs to.
    pub lesson: Option<LessonId>,
    /// How long an attempt may take, 10 s to a day.
    pub time_limit_seconds: Option<i64>,
    /// How many attempts a learner has; unlimited when missing.
    pub attempts_allowed: Option<i64>,
    /// `after_submit` when missing.
    pub feedback: Option<String>,
    /// Not before.
    pub opens_at: Option<Micros>,
    /// Not after.
    pub closes_at: Option<Micros>,
    /// Questions of the course with their points.
    pub items: Vec<Item>,
}

impl NewAssessment {
    fn check(&self) -> Result<()> {
        check_text("title", &self.title, 1, 200)?;
        one_of("feedback", self.feedback.as_deref().unwrap_or("after_submit"), FEEDBACK)?;
        let range = |field: &str, value: Option<i64>, least: i64, most: i64| match value {
            Some(value) if !(least..=most).contains(&value) => {
                Err(Error::invalid(field, "OUT_OF_RANGE", format!("\"{field}\" is {least} to {most}")))
            }
            _ => Ok(()),
        };
        range("timeLimitSeconds", self.time_limit_seconds, 10, 86_400)?;
        range("attemptsAllowed", self.attempts_allowed, 1, 1_000)?;
        if self.items.is_empty() || self.items.len() > MOST_ITEMS {
            return Err(Error::invalid("items", "OUT_OF_RANGE", format!("a quiz has 1 to {MOST_ITEMS} questions")));
        }
        let mut seen = std::collections::HashSet::new();
        if !self.items.iter().all(|item| seen.insert(item.question)) {
            return Err(Error::invalid("items", "DUPLICATE", "a question stands in a quiz once"));
        }
        if !self.items.iter().all(|item| item.points.is_finite() && item.points > 0.0 && item.points <= 1_000.0) {
            return Err(Error::invalid("items", "OUT_OF_RANGE", "points are above 0 and at most 1000"));
        }
        if let (Some(opens), Some(closes)) = (self.opens_at, self.closes_at)
            && closes <= opens
        {
            return Err(Error::invalid("closesAt", "OUT_OF_RANGE", "a quiz closes after it opens"));
        }
        Ok(())
    }
}

impl Assessments<'_> {
    /// Makes a quiz, not yet published.
    ///
    /// # Errors
    /// Refused by policy, a field out of range, or a question that is not the course's.
    pub async fn create(&self, actor: &Actor, course: CourseId, new: NewAssessment) -> Result<Assessment> {
        new.check()?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, actor, Action::AssessmentPublish, course).await?;
                    for item in &new.items {
                        let found = sql::question::get(tx, course.institution_id, item.question).await?;
                        if found.is_none_or(|question| question.course != course.id || question.state == State::Retired)
                        {
                            let message = format!("\"{}\" is no question of this course in use", item.question);
                            return Err(Error::invalid("items", "NOT_FOUND", message).into());
                        }
                    }
                    let now = tx.now().await?;
                    let quiz = Assessment {
                        id: AssessmentId::fresh(),
                        institution_id: course.institution_id,
                        course_id: course.id,
                        title: new.title.trim().to_owned(),
                        state: "draft".into(),
                        lesson_id: new.lesson,
                        time_limit_seconds: new.time_limit_seconds,
                        attempts_allowed: new.attempts_allowed,
                        feedback: new.feedback.unwrap_or_else(|| "after_submit".into()),
                        opens_at: new.opens_at,
                        closes_at: new.closes_at,
                        created_by: actor.user_id,
                        created_at: now,
                        updated_at: now,
                        items: new.items,
                    };
                    sql::assessment::insert(tx, &quiz).await?;
                    tell(tx, actor, &quiz, "assessment.created").await?;
                    Ok(quiz)
                })
            })
            .await
    }

    /// Publishes a quiz; its questions go live and are closed to the tutor.
    ///
    /// # Errors
    /// Not found, or a question that nobody reviewed.
    pub async fn publish(&self, actor: &Actor, id: AssessmentId) -> Result<Assessment> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (mut quiz, course) = publishable(tx, actor, id).await?;
                    if quiz.state == "published" {
                        return Ok(quiz);
                    }
                    for item in &quiz.items {
                        let question = sql::question::get(tx, quiz.institution_id, item.question).await?;
                        let Some(mut question) =
                            question.filter(|one| matches!(one.state, State::Reviewed | State::Live))
                        else {
                            let message = format!("question \"{}\" was not reviewed; approve it first", item.question);
                            return Err(Error::new(ErrorKind::Conflict, message).with_code(UNREVIEWED).into());
                        };
                        if question.state == State::Reviewed {
                            let from = question.version;
                            question.version += 1;
                            question.state = State::Live;
                            crate::question::write(tx, actor, &course, &question, from).await?;
                        }
                    }
                    move_to(tx, actor, &mut quiz, "published").await?;
                    Ok(quiz)
                })
            })
            .await
    }

    /// Closes a published quiz: no attempt begins any more.
    ///
    /// # Errors
    /// Not found, or it was never published.
    pub async fn close(&self, actor: &Actor, id: AssessmentId) -> Result<Assessment> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (mut quiz, _) = publishable(tx, actor, id).await?;
                    match quiz.state.as_str() {
                        "closed" => {}
                        "published" => move_to(tx, actor, &mut quiz, "closed").await?,
                        _ => {
                            let message = "only a published quiz can be closed";
                            return Err(Error::new(ErrorKind::Conflict, message)
                                .with_code(crate::question::WRONG_STATE)
                                .into());
                        }
                    }
                    Ok(quiz)
                })
            })
            .await
    }

    /// A quiz's card; a draft only for those who may read what is not published.
    ///
    /// # Errors
    /// Not found when the caller may not see it.
    pub async fn get(&self, actor: &Actor, id: AssessmentId) -> Result<Assessment> {
        let acting = actor.clone();
        let (quiz, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (quiz, course) = find(tx, &acting, id).await?;
                    let missing = || Error::not_found("assessment", id);
                    let action =
                        if quiz.state == "draft" { Action::ReadUnpublished } else { crate::course::read(&course) };
                    let allowed = access::hidden(&acting, action, &crate::course::subject(&course), missing)?;
                    Ok((quiz, allowed.audited))
                })
            })
            .await?;
        let subject = format!("assessment:{id}");
        self.school.note_access(actor, audited, quiz.institution_id, Action::ReadPublished, subject).await?;
        Ok(quiz)
    }

    /// The quizzes of a course, by id; drafts only for those who may read what is not published.
    ///
    /// # Errors
    /// Not found when the caller may not know of the course.
    pub async fn list(
        &self,
        actor: &Actor,
        course: CourseId,
        after: Option<AssessmentId>,
        limit: i64,
    ) -> Result<Vec<Assessment>> {
        let acting = actor.clone();
        let (found, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (course, drafts, audited) = crate::course::readable(tx, &acting, course).await?;
                    let institution = course.institution_id;
                    let found = sql::assessment::list(tx, institution, course.id, drafts, after, page(limit)).await?;
                    Ok((found, institution, audited))
                })
            })
            .await?;
        self.school.note_access(actor, audited, institution, Action::ReadPublished, format!("course:{course}")).await?;
        Ok(found)
    }
}

/// A quiz and its course, wherever they are.
pub(crate) async fn find(tx: &mut Tx, actor: &Actor, id: AssessmentId) -> store::Result<(Assessment, Course)> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("assessment", id) };
    let institution = sql::institution::of(tx, Owned::Assessment(id)).await?.ok_or_else(missing)?;
    let quiz = sql::assessment::get(tx, institution, id).await?.ok_or_else(missing)?;
    let course = sql::course::get(tx, institution, quiz.course_id).await?.ok_or_else(missing)?;
    Ok((quiz, course))
}

async fn publishable(tx: &mut Tx, actor: &Actor, id: AssessmentId) -> store::Result<(Assessment, Course)> {
    let (quiz, course) = find(tx, actor, id).await?;
    let see = if quiz.state == "draft" { Action::ReadUnpublished } else { crate::course::read(&course) };
    let missing = || Error::not_found("assessment", id);
    access::seen(actor, Action::AssessmentPublish, &crate::course::subject(&course), see, missing)?;
    Ok((quiz, course))
}

async fn move_to(tx: &mut Tx, actor: &Actor, quiz: &mut Assessment, state: &'static str) -> store::Result<()> {
    let event = if state == "closed" { "assessment.closed" } else { "assessment.published" };
    quiz.state = state.to_owned();
    sql::assessment::set_state(tx, quiz.institution_id, quiz.id, state).await?;
    tell(tx, actor, quiz, event).await?;
    record(tx, actor, quiz.institution_id, event, &format!("assessment:{}", quiz.id)).await
}

async fn tell(tx: &mut Tx, actor: &Actor, quiz: &Assessment, name: &'static str) -> store::Result<()> {
    let payload = serde_json::json!({ "items": quiz.items.len() });
    announce(tx, actor, NewEvent::new(name, quiz.institution_id, quiz.id).course(quiz.course_id).payload(payload)).await
}
