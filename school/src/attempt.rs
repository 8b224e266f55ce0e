//! Taking a quiz: the server's clock, autosave, scoring and results.

use domain::assessment::{Assessment, Attempt};
use domain::course::Course;
use domain::policy::{Action, Actor, Subject};
use domain::question::{Asked, Response};
use domain::{AssessmentId, AttemptId, Error, ErrorKind, Micros, QuestionId, SubmissionId, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Tx;
use store::sql::attempt::Saved;
use store::sql::event::NewEvent;
use store::sql::institution::Owned;
use store::sql::{self};

use crate::unit::announce;
use crate::{Result, School, access};

mod hint;
mod score;

use score::{Told, outcome, submit};

pub use hint::{Hint, NO_HINT_YET};

/// The time is over, or the attempt was submitted.
pub const ATTEMPT_OVER: &str = "ATTEMPT_OVER";
/// The quiz takes no attempts now.
pub const NOT_OPEN: &str = "ASSESSMENT_NOT_OPEN";
/// The quiz asks for more than one text.
pub const NOT_ONE_TEXT: &str = "NOT_ONE_TEXT";
/// No attempt is left.
pub const NO_ATTEMPT_LEFT: &str = "NO_ATTEMPT_LEFT";
/// Longest text of an answer, characters.
const LONGEST: usize = 20_000;

/// Use cases of taking quizzes.
pub struct Attempts<'a> {
    pub(crate) school: &'a School,
}

/// An attempt as its taker sees it. It has no place for a key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Taking {
    /// The attempt.
    pub attempt: Attempt,
    /// Title of the quiz.
    pub title: String,
    /// The server's clock, to show the time that is left.
    pub now: Micros,
    /// What is asked, in order.
    pub questions: Vec<Posed>,
}

/// A question as posed in an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Posed {
    /// What is asked.
    pub asked: Asked,
    /// Points for a full answer.
    pub points: f64,
    /// What was saved last, with its number.
    pub saved: Option<(i64, Response)>,
}

/// A submitted attempt with what may be told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The attempt; without score while feedback is not released.
    pub attempt: Attempt,
    /// Whether score and feedback are released.
    pub released: bool,
    /// Each question's feedback; empty while not released.
    pub feedback: Vec<Feedback>,
}

/// What is told of one question after its release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Feedback {
    /// Which question.
    pub question: QuestionId,
    /// What was asked.
    pub stem: String,
    /// What was answered.
    pub response: Option<Response>,
    /// Share of the points; nothing where a person has to judge.
    pub fraction: Option<f64>,
    /// Points for a full answer.
    pub points: f64,
    /// The right answer in words.
    pub key: Vec<String>,
    /// Option ids with why each is right or wrong.
    pub rationales: Vec<(String, String)>,
    /// The passage that it rests on.
    pub source: Option<domain::question::Source>,
}

impl Attempts<'_> {
    /// Begins an attempt, or goes on with the open one. Instructors get a preview, which never counts.
    ///
    /// # Errors
    /// Not found, not open now, or no attempt left.
    pub async fn start(&self, actor: &Actor, id: AssessmentId) -> Result<Taking> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (quiz, attempt, now) = begin(tx, actor, id).await?;
                    taking(tx, &quiz, attempt, now).await
                })
            })
            .await
    }

    /// Hands in the one text that a quiz asks for: begins, saves and submits in one go.
    ///
    /// # Errors
    /// Not found, not open now, no attempt left, or the quiz asks for more than this text.
    pub async fn hand_in(
        &self,
        actor: &Actor,
        id: AssessmentId,
        question: QuestionId,
        text: String,
    ) -> Result<Option<SubmissionId>> {
        let response = Response::Text { text };
        check_length(&response)?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (quiz, attempt, now) = begin(tx, actor, id).await?;
                    if attempt.preview {
                        let message = "only learners hand in; try the quiz by an attempt, which is a preview";
                        return Err(Error::new(ErrorKind::Forbidden, message).into());
                    }
                    if quiz.items.len() != 1 || quiz.items.iter().any(|item| item.question != question) {
                        let message = "this quiz asks for more than one text; begin an attempt and save each answer";
                        return Err(Error::new(ErrorKind::Conflict, message).with_code(NOT_ONE_TEXT).into());
                    }
                    let missing = || Error::not_found("question", question);
                    let asked = sql::question::get(tx, quiz.institution_id, question).await?.ok_or_else(missing)?;
                    asked.draft.body.score(&response)?;
                    let saved = Saved {
                        question_id: question,
                        question_version: asked.version,
                        seq: now,
                        response,
                        saved_at: now,
                        fraction: None,
                    };
                    sql::attempt::save(tx, quiz.institution_id, attempt.id, &saved).await?;
                    let attempt = submit(tx, actor, &quiz, attempt, now).await?;
                    let wanted = sql::submission::Wanted { attempt: Some(attempt.id), limit: 1, ..Default::default() };
                    let found = sql::submission::list(tx, quiz.institution_id, quiz.course_id, &wanted).await?;
                    Ok(found.first().map(|one| one.id))
                })
            })
            .await
    }

    /// One's own attempt.
    ///
    /// # Errors
    /// Not found when it is another's.
    pub async fn get(&self, actor: &Actor, id: AttemptId) -> Result<Taking> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let (attempt, quiz) = own(tx, &acting, id).await?;
                    let now = tx.now().await?;
                    taking(tx, &quiz, attempt, now).await
                })
            })
            .await
    }

    /// Saves an answer of an open attempt; `seq` rises with each change, so that a late one is dropped.
    /// Yields whether this one is the newest.
    ///
    /// # Errors
    /// Not found, an answer of another type, too long, or the time is over.
    pub async fn save(
        &self,
        actor: &Actor,
        id: AttemptId,
        question: QuestionId,
        seq: i64,
        response: Response,
    ) -> Result<bool> {
        check_length(&response)?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (attempt, quiz) = own(tx, actor, id).await?;
                    let now = tx.now().await?;
                    // Closing a quiz ends every attempt at it: its keys may be told from then on.
                    if !attempt.takes_answers(now) || (quiz.state == "closed" && !attempt.preview) {
                        return Err(over(&attempt).into());
                    }
                    let missing = || Error::not_found("question", question);
                    quiz.items.iter().find(|item| item.question == question).ok_or_else(missing)?;
                    let asked = sql::question::get(tx, quiz.institution_id, question).await?.ok_or_else(missing)?;
                    asked.draft.body.score(&response)?;
                    let saved = Saved {
                        question_id: question,
                        question_version: asked.version,
                        seq,
                        response,
                        saved_at: now,
                        fraction: None,
                    };
                    sql::attempt::save(tx, quiz.institution_id, id, &saved).await
                })
            })
            .await
    }

    /// Submits one's open attempt at a quiz; submitting again answers the same.
    ///
    /// # Errors
    /// Not found when nothing was begun.
    pub async fn submit(&self, actor: &Actor, id: AssessmentId) -> Result<Outcome> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (quiz, _, user, _) = takable(tx, actor, id).await?;
                    let now = tx.now().await?;
                    let mut all = sql::attempt::list(tx, quiz.institution_id, quiz.id, Some(user)).await?;
                    let place = all.iter().position(|attempt| attempt.state == "open");
                    let attempt = match place {
                        Some(place) => submit(tx, actor, &quiz, all.swap_remove(place), now).await?,
                        None => all.pop().ok_or_else(|| Error::not_found("attempt at assessment", id))?,
                    };
                    let told = if attempt.preview || quiz.released(now) { Told::All } else { Told::Nothing };
                    outcome(tx, &quiz, attempt, told).await
                })
            })
            .await
    }

    /// Attempts at a quiz: one's own as far as released, or everybody's for those who may read grades.
    ///
    /// # Errors
    /// Not found when the caller may not see the quiz.
    pub async fn results(&self, actor: &Actor, id: AssessmentId) -> Result<Vec<Outcome>> {
        let acting = actor.clone();
        let (found, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let missing = || Error::not_found("assessment", id);
                    let (quiz, course) = crate::assessment::find(tx, &acting, id).await?;
                    let everybody = crate::course::subject(&course);
                    let reads_keys = access::may(&acting, Action::QuestionRead, &everybody);
                    let see =
                        if quiz.state == "draft" { Action::ReadUnpublished } else { crate::course::read(&course) };
                    let (user, audited) = match access::known(&acting, Action::GradeRead, &everybody) {
                        Ok(allowed) => (None, allowed.audited),
                        Err(error) if error.code == access::REASON_REQUIRED => return Err(error.into()),
                        Err(_) => {
                            let subject = Subject { user: acting.user_id, ..everybody };
                            access::seen(&acting, Action::GradeRead, &subject, see, missing)?;
                            access::hidden(&acting, see, &subject, missing)?;
                            (acting.user_id, false)
                        }
                    };
                    let now = tx.now().await?;
                    let mut outcomes = Vec::new();
                    let all = sql::attempt::list(tx, quiz.institution_id, quiz.id, user).await?;
                    let being_taken = all.iter().any(|attempt| attempt.takes_answers(now));
                    for attempt in all {
                        if attempt.state == "submitted" {
                            let told = match user {
                                // Who reads grades need not be one who may read keys.
                                None if !reads_keys => Told::Marks,
                                None => Told::All,
                                // The keys of the first attempt would serve the second.
                                Some(_) if being_taken && quiz.released(now) => Told::Marks,
                                Some(_) if attempt.preview || quiz.released(now) => Told::All,
                                Some(_) => Told::Nothing,
                            };
                            outcomes.push(outcome(tx, &quiz, attempt, told).await?);
                        }
                    }
                    Ok((outcomes, quiz.institution_id, audited))
                })
            })
            .await?;
        self.school.note_access(actor, audited, institution, Action::GradeRead, format!("assessment:{id}")).await?;
        Ok(found)
    }
}

/// Begins an attempt, or goes on with the open one.
async fn begin(tx: &mut Tx, actor: &Actor, id: AssessmentId) -> store::Result<(Assessment, Attempt, Micros)> {
    let (quiz, course, user, preview) = takable(tx, actor, id).await?;
    let now = tx.now().await?;
    let earlier = sql::attempt::list(tx, quiz.institution_id, quiz.id, Some(user)).await?;
    if let Some(open) = earlier.iter().find(|attempt| attempt.state == "open") {
        if open.takes_answers(now) {
            return Ok((quiz, open.clone(), now));
        }
        submit(tx, actor, &quiz, open.clone(), now).await?;
    }
    if !preview && !quiz.is_open(now) {
        let message = "this quiz takes no attempts now; look at its opening times";
        return Err(Error::new(ErrorKind::Conflict, message).with_code(NOT_OPEN).into());
    }
    let counted = earlier.iter().filter(|attempt| !attempt.preview).count();
    if let Some(allowed) = quiz.attempts_allowed
        && !preview
        && i64::try_from(counted).is_ok_and(|counted| counted >= allowed)
    {
        let message = format!("all {allowed} attempts are used");
        return Err(Error::new(ErrorKind::Conflict, message).with_code(NO_ATTEMPT_LEFT).into());
    }
    let attempt_id = AttemptId::fresh();
    let (high, low) = attempt_id.0.as_u64_pair();
    let attempt = Attempt {
        id: attempt_id,
        institution_id: quiz.institution_id,
        course_id: course.id,
        assessment_id: quiz.id,
        user_id: user,
        preview,
        state: "open".into(),
        seed: i64::from_be_bytes((high ^ low).to_be_bytes()),
        started_at: now,
        deadline: quiz.deadline(now),
        submitted_at: None,
        score: None,
        most: None,
        needs_person: false,
    };
    if !sql::attempt::insert(tx, &attempt).await? {
        // Another request of the same person began it at the same moment.
        let all = sql::attempt::list(tx, quiz.institution_id, quiz.id, Some(user)).await?;
        let open = all.into_iter().find(|attempt| attempt.state == "open");
        let open = open.ok_or_else(|| Error::new(ErrorKind::Conflict, "the attempt has just ended"))?;
        return Ok((quiz, open, now));
    }
    let event = NewEvent::new("assessment.started", quiz.institution_id, attempt.id).course(course.id);
    let payload = json!({ "assessmentId": quiz.id, "preview": preview });
    announce(tx, actor, event.payload(payload)).await?;
    Ok((quiz, attempt, now))
}

/// The quiz, if the caller may take it now: learners who are enrolled, instructors as a preview.
async fn takable(tx: &mut Tx, actor: &Actor, id: AssessmentId) -> store::Result<(Assessment, Course, UserId, bool)> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("assessment", id) };
    let (quiz, course) = crate::assessment::find(tx, actor, id).await?;
    let everybody = crate::course::subject(&course);
    let see = if quiz.state == "draft" { Action::ReadUnpublished } else { crate::course::read(&course) };
    let Some(user) = actor.user_id else {
        let message = "taking a quiz needs a user; name one with --as";
        return Err(if actor.operator { Error::invalid("as", "REQUIRED", message) } else { missing() }.into());
    };
    if access::may(actor, Action::AttemptTake, &everybody) {
        return Ok((quiz, course, user, true));
    }
    let subject = Subject { user: Some(user), ..everybody };
    access::seen(actor, Action::AttemptTake, &subject, see, missing)?;
    access::hidden(actor, see, &subject, missing)?;
    let enrolled = sql::enrollment::of(tx, course.institution_id, user, course.id).await?;
    if !enrolled.is_some_and(|one| matches!(one.status.as_str(), "enrolled" | "completed")) {
        return Err(Error::new(ErrorKind::Forbidden, "enrol in the course to take its quizzes").into());
    }
    Ok((quiz, course, user, false))
}

/// One's own attempt with its quiz.
async fn own(tx: &mut Tx, actor: &Actor, id: AttemptId) -> store::Result<(Attempt, Assessment)> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("attempt", id) };
    let institution = sql::institution::of(tx, Owned::Attempt(id)).await?.ok_or_else(missing)?;
    let attempt = sql::attempt::get(tx, institution, id).await?.ok_or_else(missing)?;
    if institution != actor.institution || actor.user_id != Some(attempt.user_id) {
        return Err(missing().into());
    }
    // Whoever lost the role lost the attempt.
    let (quiz, ..) = takable(tx, actor, attempt.assessment_id).await?;
    Ok((attempt, quiz))
}

async fn taking(tx: &mut Tx, quiz: &Assessment, attempt: Attempt, now: Micros) -> store::Result<Taking> {
    let saved = sql::attempt::responses(tx, quiz.institution_id, attempt.id).await?;
    let mut questions = Vec::with_capacity(quiz.items.len());
    for item in &quiz.items {
        let Some(question) = sql::question::get(tx, quiz.institution_id, item.question).await? else { continue };
        let seed = u64::from_be_bytes(attempt.seed.to_be_bytes());
        let answer = saved.iter().find(|saved| saved.question_id == item.question);
        questions.push(Posed {
            asked: question.asked(seed),
            points: item.points,
            saved: answer.map(|saved| (saved.seq, saved.response.clone())),
        });
    }
    // Until it is released nobody learns the score from here.
    let attempt = Attempt { score: None, most: None, ..attempt };
    Ok(Taking { attempt, title: quiz.title.clone(), now, questions })
}

fn over(attempt: &Attempt) -> Error {
    let what = if attempt.state == "open" { "its time is over" } else { "it was submitted" };
    Error::new(ErrorKind::Conflict, format!("this attempt takes no more answers: {what}")).with_code(ATTEMPT_OVER)
}

fn check_length(response: &Response) -> Result<()> {
    let long = |text: &String| text.chars().count() > LONGEST;
    let too_long = match response {
        Response::Text { text } => long(text),
        Response::Blanks { texts } => texts.len() > 200 || texts.iter().any(long),
        Response::Choices { options } => options.len() > 200 || options.iter().any(long),
        Response::Order { items } => items.len() > 200 || items.iter().any(long),
        Response::Pairs { pairs } => pairs.len() > 200 || pairs.iter().any(|(left, right)| long(left) || long(right)),
        Response::Choice { option } => long(option),
        Response::Number { unit, .. } => long(unit),
        Response::Truth { .. } => false,
    };
    if too_long {
        return Err(Error::invalid("response", "TOO_LONG", format!("an answer has at most {LONGEST} characters")));
    }
    Ok(())
}
