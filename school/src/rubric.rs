//! Rubrics: what the texts to a question are judged by. A change is a new version.

use domain::course::Course;
use domain::policy::{Action, Actor};
use domain::question::{Body, Question};
use domain::rubric::{Criterion, Rubric};
use domain::{Error, ErrorKind, QuestionId};
use serde_json::json;
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::{self};

use crate::unit::{announce, record};
use crate::{Result, School, access};

/// Only texts are judged by a rubric.
pub const NO_TEXT: &str = "NOT_A_TEXT_QUESTION";

/// Use cases of rubrics.
pub struct Rubrics<'a> {
    pub(crate) school: &'a School,
}

impl Rubrics<'_> {
    /// The newest rubric of a question, or the one that the question implies.
    ///
    /// # Errors
    /// Not found when the caller may not see the bank.
    pub async fn get(&self, actor: &Actor, question: QuestionId) -> Result<Rubric> {
        let acting = actor.clone();
        let (rubric, course, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (question, course) = crate::question::find(tx, &acting, question).await?;
                    let missing = || Error::not_found("question", question.id);
                    let subject = crate::course::subject(&course);
                    let allowed = access::hidden(&acting, Action::QuestionRead, &subject, missing)?;
                    Ok((current(tx, &course, &question).await?, course, allowed.audited))
                })
            })
            .await?;
        let subject = format!("question:{question}");
        self.school.note_access(actor, audited, course.institution_id, Action::QuestionRead, subject).await?;
        Ok(rubric)
    }

    /// Writes the next version of a question's rubric. Grades keep naming the version that they were made by.
    ///
    /// # Errors
    /// Not found, a rubric that cannot be used, a question that asks for no text, or another version came first.
    pub async fn set(&self, actor: &Actor, question: QuestionId, criteria: Vec<Criterion>) -> Result<Rubric> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (question, course) = crate::question::find(tx, actor, question).await?;
                    let missing = || Error::not_found("question", question.id);
                    let target = crate::course::subject(&course);
                    access::seen(actor, Action::QuestionEdit, &target, Action::QuestionRead, missing)?;
                    if !matches!(question.draft.body, Body::Essay(_) | Body::ShortAnswer(_)) {
                        let message = "only essays and short answers are judged by a rubric; others have a key";
                        return Err(Error::new(ErrorKind::Conflict, message).with_code(NO_TEXT).into());
                    }
                    let newest = current(tx, &course, &question).await?.version;
                    let rubric = Rubric { question: question.id, version: newest + 1, criteria };
                    rubric.check()?;
                    sql::rubric::insert(tx, course.institution_id, &rubric, actor.user_id).await?;
                    let event = NewEvent::new("rubric.updated", course.institution_id, question.id).course(course.id);
                    announce(tx, actor, event.payload(json!({ "version": rubric.version }))).await?;
                    let subject = format!("question:{}", question.id);
                    record(tx, actor, course.institution_id, "rubric.set", &subject).await?;
                    Ok(rubric)
                })
            })
            .await
    }
}

/// The newest rubric of a question, or the one that it implies.
pub(crate) async fn current(tx: &mut Tx, course: &Course, question: &Question) -> store::Result<Rubric> {
    let written = sql::rubric::get(tx, course.institution_id, question.id, None).await?;
    Ok(written.unwrap_or_else(|| Rubric::implied(question.id, &question.draft)))
}

/// The rubric of a question in the version that a grade or proposal names.
pub(crate) async fn in_version(
    tx: &mut Tx,
    course: &Course,
    question: &Question,
    version: i64,
) -> store::Result<Option<Rubric>> {
    if version == 0 {
        return Ok(Some(Rubric::implied(question.id, &question.draft)));
    }
    sql::rubric::get(tx, course.institution_id, question.id, Some(version)).await
}
