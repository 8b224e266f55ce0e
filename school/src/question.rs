//! The question bank of a course: making, reviewing, changing and retiring questions.

use domain::course::Course;
use domain::policy::{Action, Actor};
use domain::question::{Draft, Flaw, Question, State};
use domain::{CourseId, Error, ErrorKind, FieldError, IngestionId, InstitutionId, QuestionId, SourceId, UserId};
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::institution::Owned;
use store::sql::question::Wanted;
use store::sql::{self};

use crate::course::page;
use crate::unit::{announce, record};
use crate::{Result, School, access};

/// The question is in use and cannot be changed.
pub const IN_USE: &str = "QUESTION_IN_USE";
/// The question was changed since it was read.
pub const CHANGED: &str = "QUESTION_CHANGED";
/// The state cannot follow the one that the question is in.
pub const WRONG_STATE: &str = "WRONG_STATE";
/// Questions of a bank that new ones are compared with.
const MOST_KNOWN: i64 = 10_000;
/// Most questions of one request.
const MOST: usize = 2_000;
/// Questions read at a time.
const PAGE: i64 = 200;

/// Use cases of questions.
pub struct Questions<'a> {
    pub(crate) school: &'a School,
}

impl Questions<'_> {
    /// Adds questions as drafts: all or none.
    ///
    /// # Errors
    /// Refused by policy, or a hard flaw: the field names the question by its place.
    pub async fn create(&self, actor: &Actor, course: CourseId, drafts: Vec<Draft>) -> Result<Vec<Question>> {
        self.add(actor, Action::QuestionEdit, course, drafts).await
    }

    /// Adds generated questions as drafts: all or none.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn propose(&self, actor: &Actor, course: CourseId, drafts: Vec<Draft>) -> Result<Vec<Question>> {
        self.add(actor, Action::QuizGenerate, course, drafts).await
    }

    async fn add(&self, actor: &Actor, action: Action, course: CourseId, drafts: Vec<Draft>) -> Result<Vec<Question>> {
        if drafts.is_empty() || drafts.len() > MOST {
            return Err(Error::invalid("questions", "OUT_OF_RANGE", format!("send 1 to {MOST} questions")));
        }
        check_all(&drafts)?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, actor, action, course).await?;
                    let mut made = Vec::with_capacity(drafts.len());
                    for draft in drafts {
                        let id = QuestionId::fresh();
                        let question = Question { id, course: course.id, version: 1, state: State::Draft, draft };
                        sql::question::insert(tx, course.institution_id, &question, actor.user_id).await?;
                        tell(tx, actor, &course, "question.created", &question).await?;
                        made.push(question);
                    }
                    let subject = format!("course:{}", course.id);
                    record(tx, actor, course.institution_id, action.as_str(), &subject).await?;
                    Ok(made)
                })
            })
            .await
    }

    /// Adds questions from a file as drafts: all or none. What the file says of lessons is believed only for
    /// lessons of this course, and their origin is that they were imported.
    ///
    /// Yields them with how many named a lesson that is not here.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub async fn import(
        &self,
        actor: &Actor,
        course: CourseId,
        mut drafts: Vec<Draft>,
    ) -> Result<(Vec<Question>, usize)> {
        let acting = actor.clone();
        let lessons: std::collections::HashSet<domain::LessonId> = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, &acting, Action::QuestionEdit, course).await?;
                    let all = sql::lesson::in_course(tx, course.institution_id, course.id, true).await?;
                    Ok(all.into_iter().map(|lesson| lesson.id).collect())
                })
            })
            .await?;
        let mut elsewhere = 0;
        for draft in &mut drafts {
            if draft.lesson.is_some_and(|lesson| !lessons.contains(&lesson)) {
                draft.lesson = None;
                elsewhere += 1;
            }
            draft.origin.kind = domain::question::OriginKind::Imported;
        }
        Ok((self.add(actor, Action::QuestionEdit, course, drafts).await?, elsewhere))
    }

    /// The whole bank of a course but for retired questions, to be written to a file.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn bank(&self, actor: &Actor, course: CourseId, state: Option<State>) -> Result<Vec<Question>> {
        let mut all: Vec<Question> = Vec::new();
        loop {
            let after = all.last().map(|question| question.id);
            let page = self.list(actor, course, Wanted { state, after, limit: PAGE }).await?;
            let last = i64::try_from(page.len()).is_ok_and(|read| read < PAGE);
            all.extend(page);
            if last {
                break;
            }
        }
        all.retain(|question| state.is_some() || question.state != State::Retired);
        Ok(all)
    }

    /// A question with its key.
    ///
    /// # Errors
    /// Not found when the caller may not see the bank.
    pub async fn get(&self, actor: &Actor, id: QuestionId) -> Result<Question> {
        let acting = actor.clone();
        let (question, course, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (question, course) = find(tx, &acting, id).await?;
                    let missing = || Error::not_found("question", id);
                    let allowed =
                        access::hidden(&acting, Action::QuestionRead, &crate::course::subject(&course), missing)?;
                    Ok((question, course, allowed.audited))
                })
            })
            .await?;
        let subject = format!("question:{id}");
        self.school.note_access(actor, audited, course.institution_id, Action::QuestionRead, subject).await?;
        Ok(question)
    }

    /// The bank of a course, by id.
    ///
    /// # Errors
    /// Not found when the caller may not know of the course, forbidden when not of its bank.
    pub async fn list(&self, actor: &Actor, course: CourseId, wanted: Wanted) -> Result<Vec<Question>> {
        let acting = actor.clone();
        let wanted = Wanted { limit: page(wanted.limit), ..wanted };
        let (found, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, &acting, Action::QuestionRead, course).await?;
                    let target = crate::course::subject(&course);
                    let allowed = access::known(&acting, Action::QuestionRead, &target)?;
                    let found = sql::question::list(tx, course.institution_id, course.id, &wanted).await?;
                    Ok((found, course.institution_id, allowed.audited))
                })
            })
            .await?;
        let subject = format!("course:{course}");
        self.school.note_access(actor, audited, institution, Action::QuestionRead, subject).await?;
        Ok(found)
    }

    /// Replaces a question's content; it is a draft again, to be reviewed anew.
    ///
    /// # Errors
    /// Not found, a hard flaw, in use, or changed since version `from` was read.
    pub async fn update(&self, actor: &Actor, id: QuestionId, from: i64, draft: Draft) -> Result<Question> {
        check_all(std::slice::from_ref(&draft))?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (mut question, course) = editable(tx, actor, id).await?;
                    if matches!(question.state, State::Live | State::Retired) {
                        let message = "a question in use, or retired, is not changed; make a new one and retire this";
                        return Err(Error::new(ErrorKind::Conflict, message).with_code(IN_USE).into());
                    }
                    question.version = from + 1;
                    question.state = State::Draft;
                    question.draft = draft;
                    write(tx, actor, &course, &question, from).await?;
                    Ok(question)
                })
            })
            .await
    }

    /// Moves a question to another state. `live` is reached by publishing a quiz.
    ///
    /// # Errors
    /// Not found, or the state cannot follow.
    pub async fn set_state(&self, actor: &Actor, id: QuestionId, next: State) -> Result<Question> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (mut question, course) = editable(tx, actor, id).await?;
                    if question.state == next {
                        return Ok(question);
                    }
                    let by_quiz = next == State::Live || (question.state == State::Live && next != State::Retired);
                    if by_quiz || !question.state.may_become(next) {
                        let message = format!(
                            "a {} question cannot become {}; draft -> reviewed -> live (with its quiz) -> retired",
                            question.state.as_str(),
                            next.as_str()
                        );
                        return Err(Error::new(ErrorKind::Conflict, message).with_code(WRONG_STATE).into());
                    }
                    if next == State::Retired && sql::question::is_asked(tx, course.institution_id, id).await? {
                        let message = "a published quiz asks this question; close the quiz first";
                        return Err(Error::new(ErrorKind::Conflict, message).with_code(IN_USE).into());
                    }
                    let from = question.version;
                    question.version += 1;
                    question.state = next;
                    write(tx, actor, &course, &question, from).await?;
                    Ok(question)
                })
            })
            .await
    }

    /// What whoever may have questions made works from: the bounds of the course, and what its bank asks already.
    ///
    /// # Errors
    /// Not found when the caller may not know of the course, forbidden when it may not have questions made.
    pub async fn ground(&self, actor: &Actor, course: CourseId) -> Result<(store::Scope, Vec<String>)> {
        let acting = actor.clone();
        let wanted = Wanted { limit: MOST_KNOWN, ..Wanted::default() };
        let (institution, bank) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, &acting, Action::QuizGenerate, course).await?;
                    let bank = sql::question::list(tx, course.institution_id, course.id, &wanted).await?;
                    Ok((course.institution_id, bank))
                })
            })
            .await?;
        let used = bank.into_iter().filter(|question| question.state != State::Retired);
        let scope = store::Scope { institution, course, hidden: false };
        Ok((scope, used.map(|question| asked_text(&question.draft)).collect()))
    }
}

/// Questions that a source of content brings.
#[derive(Debug, Clone)]
pub struct Brought {
    /// Tenant.
    pub institution: InstitutionId,
    /// Course of the source.
    pub course: CourseId,
    /// Source.
    pub source: SourceId,
    /// The run that brings them.
    pub ingestion: IngestionId,
    /// Who started it; `None` for the operator.
    pub user: Option<UserId>,
    /// The questions.
    pub drafts: Vec<Draft>,
}

/// Adds questions of a source as drafts, in the transaction that publishes it. The right to ingest was
/// asked for when the run began.
///
/// A question is known by its source and its content: what came with an earlier version is left as a
/// person made it, so that publishing again doubles nothing and brings back nothing that was retired.
///
/// Yields how many are new.
///
/// # Errors
/// The database refuses.
pub async fn adopt(tx: &mut Tx, brought: Brought) -> store::Result<usize> {
    let mut count = 0;
    for draft in brought.drafts {
        if check_all(std::slice::from_ref(&draft)).is_err() {
            continue;
        }
        let content = serde_json::to_vec(&(&draft.stem, &draft.body))
            .map_err(|error| store::Error::Damaged { column: "draft".into(), reason: error.to_string() })?;
        let id = QuestionId(uuid::Uuid::new_v5(&brought.source.0, &content));
        if sql::question::get(tx, brought.institution, id).await?.is_some() {
            continue;
        }
        let question = Question { id, course: brought.course, version: 1, state: State::Draft, draft };
        sql::question::insert(tx, brought.institution, &question, brought.user).await?;
        let event = NewEvent::new("question.created", brought.institution, id)
            .course(brought.course)
            .user(brought.user)
            .correlation(brought.ingestion)
            .payload(payload(&question));
        sql::event::append(tx, &event).await?;
        count += 1;
    }
    Ok(count)
}

/// The stem with what a cloze asks around its blanks and with the key: two questions with the same are one.
fn asked_text(draft: &Draft) -> String {
    let mut text = draft.stem.clone();
    if let domain::question::Body::Cloze(body) = &draft.body {
        text = body.parts.join(" ");
    }
    let verdict = matches!(draft.body, domain::question::Body::TrueFalse(_) | domain::question::Body::Numeric(_));
    if !verdict {
        text.push(' ');
        text.push_str(&draft.body.key().join(" "));
    }
    text
}

/// Refuses drafts with a hard flaw, each named by its place.
fn check_all(drafts: &[Draft]) -> Result<()> {
    let flaws = |draft: &Draft| -> Vec<Flaw> {
        let own = draft.body.flaws(&draft.stem);
        own.into_iter().chain(draft.lint.iter().cloned()).filter(|flaw| flaw.hard).collect()
    };
    let details: Vec<FieldError> = drafts
        .iter()
        .enumerate()
        .flat_map(|(place, draft)| flaws(draft).into_iter().map(move |flaw| (place, flaw)))
        .map(|(place, flaw)| FieldError {
            field: format!("questions[{place}]"),
            message: flaw.message,
            code: flaw.code,
        })
        .collect();
    let Some(first) = details.first() else { return Ok(()) };
    let message = format!("{} of {} cannot be used: {}", details.len(), drafts.len(), first.message);
    Err(Error { details, ..Error::new(ErrorKind::ValidationError, message) })
}

/// The question and its course, wherever they are.
pub(crate) async fn find(tx: &mut Tx, actor: &Actor, id: QuestionId) -> store::Result<(Question, Course)> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("question", id) };
    let institution = sql::institution::of(tx, Owned::Question(id)).await?.ok_or_else(missing)?;
    let question = sql::question::get(tx, institution, id).await?.ok_or_else(missing)?;
    let course = sql::course::get(tx, institution, question.course).await?.ok_or_else(missing)?;
    Ok((question, course))
}

async fn editable(tx: &mut Tx, actor: &Actor, id: QuestionId) -> store::Result<(Question, Course)> {
    let (question, course) = find(tx, actor, id).await?;
    let target = crate::course::subject(&course);
    let missing = || Error::not_found("question", id);
    access::seen(actor, Action::QuestionEdit, &target, Action::QuestionRead, missing)?;
    Ok((question, course))
}

/// Writes a changed question with its event.
pub(crate) async fn write(
    tx: &mut Tx,
    actor: &Actor,
    course: &Course,
    question: &Question,
    from: i64,
) -> store::Result<()> {
    let reviewer = actor.user_id.filter(|_| question.state == State::Reviewed);
    if !sql::question::update(tx, course.institution_id, question, from, reviewer).await? {
        let message = format!("the question is no longer at version {from}; read it again");
        return Err(Error::new(ErrorKind::Conflict, message).with_code(CHANGED).into());
    }
    tell(tx, actor, course, "question.updated", question).await?;
    let action = format!("question.{}", question.state.as_str());
    record(tx, actor, course.institution_id, &action, &format!("question:{}", question.id)).await
}

async fn tell(
    tx: &mut Tx,
    actor: &Actor,
    course: &Course,
    name: &'static str,
    question: &Question,
) -> store::Result<()> {
    let event = NewEvent::new(name, course.institution_id, question.id).course(course.id).payload(payload(question));
    announce(tx, actor, event).await
}

fn payload(question: &Question) -> serde_json::Value {
    serde_json::json!({
        "state": question.state.as_str(),
        "type": question.draft.body.type_name(),
        "version": question.version,
    })
}
