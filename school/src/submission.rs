//! What was handed in: read by its learner, looked through by those who grade.

use domain::appeal::{Appeal, Outcome};
use domain::course::Course;
use domain::grade::Grade;
use domain::policy::{Action, Actor, Subject};
use domain::question::Question;
use domain::rubric::{Level, Rubric};
use domain::submission::{State, Submission};
use domain::{CourseId, Error, SubmissionId};
use serde::Serialize;
use store::Tx;
use store::sql::grade::Proposed;
use store::sql::institution::Owned;
use store::sql::submission::Wanted;
use store::sql::{self};

use crate::course::page;
use crate::{Result, School, access};

/// Most released submissions of a queue; what waits for a person is always whole.
const MOST_RELEASED: i64 = 500;

/// Use cases of submissions.
pub struct Submissions<'a> {
    pub(crate) school: &'a School,
}

/// A criterion as a learner may see it: without what a full answer says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownCriterion {
    /// Name within the rubric.
    pub id: String,
    /// For people.
    pub title: String,
    /// What is looked at.
    pub description: String,
    /// Its weight.
    pub points: f64,
    /// From best to worst.
    pub levels: Vec<Level>,
}

/// A submission as its learner sees it: no proposal, no grade that is not released.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HandedIn {
    /// The text and where it stands.
    pub submission: Submission,
    /// What was asked.
    pub stem: String,
    /// What it was judged by; empty while nothing is released.
    pub criteria: Vec<ShownCriterion>,
    /// The grade that was released last.
    pub grade: Option<Grade>,
    /// Its appeals, oldest first.
    pub appeals: Vec<Appeal>,
}

/// A submission as those see it who grade.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bench {
    /// The text and where it stands.
    pub submission: Submission,
    /// What was asked.
    pub stem: String,
    /// A full answer, as the question has it.
    pub key: Vec<String>,
    /// The newest rubric.
    pub rubric: Rubric,
    /// The newest proposal.
    pub proposal: Option<Proposed>,
    /// Every grade, oldest first.
    pub history: Vec<Grade>,
    /// Its appeals, oldest first.
    pub appeals: Vec<Appeal>,
}

/// A line of the queue of those who grade.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Queued {
    /// The text and where it stands.
    pub submission: Submission,
    /// What was asked.
    pub stem: String,
    /// The newest proposal.
    pub proposal: Option<Proposed>,
    /// The current grade.
    pub grade: Option<Grade>,
    /// The open appeal.
    pub appeal: Option<Appeal>,
}

impl Queued {
    /// What is looked at first: open appeals by their time, then waiting texts without a judgement, with flags,
    /// and by how unsure the proposal is; graded ones last.
    fn rank(&self) -> (u8, i64, i64) {
        let waits = self.submission.state == State::Waiting;
        match (&self.appeal, &self.proposal) {
            (Some(appeal), _) => (0, appeal.due_at, 0),
            (None, _) if self.submission.state == State::Released => (5, self.submission.submitted_at, 0),
            (None, _) if !waits => (4, self.submission.submitted_at, 0),
            (None, Some(found)) if found.proposal.share.is_some() && found.proposal.flags.is_empty() => {
                #[expect(clippy::cast_possible_truncation, reason = "a confidence is 0 to 1")]
                let sure = (found.proposal.confidence * 1_000.0) as i64;
                (3, sure, self.submission.submitted_at)
            }
            (None, Some(_)) => (1, self.submission.submitted_at, 0),
            (None, None) => (2, self.submission.submitted_at, 0),
        }
    }
}

impl Submissions<'_> {
    /// A submission with what of its grade is released.
    ///
    /// # Errors
    /// Not found when the caller may not read it.
    pub async fn get(&self, actor: &Actor, id: SubmissionId) -> Result<HandedIn> {
        let acting = actor.clone();
        let (found, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (submission, course, audited) = readable(tx, &acting, Action::SubmissionRead, id).await?;
                    let reads = access::may(&acting, Action::GradeRead, &subject(&submission, &course));
                    let found = handed_in(tx, &course, submission, reads).await?;
                    Ok((found, audited))
                })
            })
            .await?;
        let institution = found.submission.institution_id;
        self.school
            .note_access(actor, audited, institution, Action::SubmissionRead, format!("submission:{id}"))
            .await?;
        Ok(found)
    }

    /// The submissions of a course that the caller may read: one's own, or all, by id.
    ///
    /// # Errors
    /// Not found when the caller may not know of the course, forbidden when it may read none.
    pub async fn list(&self, actor: &Actor, course: CourseId, wanted: Wanted) -> Result<Vec<HandedIn>> {
        let acting = actor.clone();
        let (found, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let missing = || Error::not_found("course", course);
                    let found = crate::course::find(tx, course).await?;
                    let Some(course) = found else {
                        return Err(if acting.is_guest() { access::log_in() } else { missing() }.into());
                    };
                    let everybody = crate::course::subject(&course);
                    let see = crate::course::see(&course);
                    let card = crate::course::card(&acting, &course);
                    let mut wanted = Wanted { limit: page(wanted.limit), ..wanted };
                    let audited = match access::known(&acting, Action::SubmissionRead, &everybody) {
                        Ok(allowed) => allowed.audited,
                        Err(error) if error.code == access::REASON_REQUIRED => return Err(error.into()),
                        Err(_) => {
                            wanted.user = acting.user_id;
                            let own = Subject { user: acting.user_id, ..card };
                            access::seen(&acting, Action::SubmissionRead, &own, see, missing)?;
                            access::hidden(&acting, see, &own, missing)?;
                            false
                        }
                    };
                    let mut all = Vec::new();
                    for one in sql::submission::list(tx, course.institution_id, course.id, &wanted).await? {
                        let reads = access::may(&acting, Action::GradeRead, &subject(&one, &course));
                        all.push(handed_in(tx, &course, one, reads).await?);
                    }
                    Ok((all, course.institution_id, audited))
                })
            })
            .await?;
        let subject = format!("course:{course}");
        self.school.note_access(actor, audited, institution, Action::SubmissionRead, subject).await?;
        Ok(found)
    }

    /// A submission with rubric, proposal and history, for those who grade.
    ///
    /// # Errors
    /// Not found when the caller may not read it, forbidden when not what is unreleased.
    pub async fn bench(&self, actor: &Actor, id: SubmissionId) -> Result<Bench> {
        let acting = actor.clone();
        let (found, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (submission, course, audited) = readable(tx, &acting, Action::GradeDraftRead, id).await?;
                    let question = question(tx, &submission).await?;
                    let institution = submission.institution_id;
                    let mut rubric = crate::rubric::current(tx, &course, &question).await?;
                    let mut key = question.draft.body.key();
                    // Who reads drafts of grades need not be one who may read keys.
                    if !access::may(&acting, Action::QuestionRead, &crate::course::subject(&course)) {
                        key.clear();
                        rubric.criteria.iter_mut().for_each(|criterion| criterion.reference = None);
                    }
                    let bench = Bench {
                        stem: question.draft.stem.clone(),
                        key,
                        rubric,
                        proposal: sql::grade::proposal(tx, institution, id).await?,
                        history: sql::grade::history(tx, institution, id).await?,
                        appeals: sql::appeal::of_submission(tx, institution, id).await?,
                        submission,
                    };
                    Ok((bench, audited))
                })
            })
            .await?;
        let institution = found.submission.institution_id;
        self.school
            .note_access(actor, audited, institution, Action::GradeDraftRead, format!("submission:{id}"))
            .await?;
        Ok(found)
    }

    /// What waits for a person in a course, most urgent first, and some of what is released.
    ///
    /// # Errors
    /// Not found when the caller may not know of the course, forbidden when not of what is unreleased.
    pub async fn queue(&self, actor: &Actor, course: CourseId, state: Option<State>) -> Result<Vec<Queued>> {
        let acting = actor.clone();
        let (mut found, institution, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, &acting, Action::GradeDraftRead, course).await?;
                    let allowed = access::known(&acting, Action::GradeDraftRead, &crate::course::subject(&course))?;
                    let institution = course.institution_id;
                    let mut found: Vec<Submission> = Vec::new();
                    for stands in [State::Waiting, State::Graded, State::Released] {
                        if state.is_some_and(|state| state != stands) {
                            continue;
                        }
                        let limit = if stands == State::Released { MOST_RELEASED } else { i64::MAX };
                        let wanted = Wanted { state: Some(stands), limit, ..Wanted::default() };
                        found.extend(sql::submission::list(tx, institution, course.id, &wanted).await?);
                    }
                    for appeal in sql::appeal::list(tx, institution, course.id, Some(Outcome::Open)).await? {
                        if state.is_none() && !found.iter().any(|one| one.id == appeal.submission_id) {
                            found.extend(sql::submission::get(tx, institution, appeal.submission_id).await?);
                        }
                    }
                    let mut all = Vec::new();
                    for submission in found {
                        let appeals = sql::appeal::of_submission(tx, institution, submission.id).await?;
                        all.push(Queued {
                            stem: question(tx, &submission).await?.draft.stem,
                            proposal: sql::grade::proposal(tx, institution, submission.id).await?,
                            grade: sql::grade::history(tx, institution, submission.id).await?.pop(),
                            appeal: appeals.into_iter().find(|appeal| appeal.outcome == Outcome::Open),
                            submission,
                        });
                    }
                    Ok((all, institution, allowed.audited))
                })
            })
            .await?;
        let subject = format!("course:{course}");
        self.school.note_access(actor, audited, institution, Action::GradeDraftRead, subject).await?;
        found.sort_by_key(Queued::rank);
        Ok(found)
    }
}

/// What the policy is asked about: the learner in the course.
pub(crate) fn subject(submission: &Submission, course: &Course) -> Subject {
    Subject { user: Some(submission.user_id), ..crate::course::subject(course) }
}

/// A submission and its course, wherever they are.
pub(crate) async fn find(tx: &mut Tx, actor: &Actor, id: SubmissionId) -> store::Result<(Submission, Course)> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("submission", id) };
    let institution = sql::institution::of(tx, Owned::Submission(id)).await?.ok_or_else(missing)?;
    let submission = sql::submission::get(tx, institution, id).await?.ok_or_else(missing)?;
    let course = sql::course::get(tx, institution, submission.course_id).await?.ok_or_else(missing)?;
    Ok((submission, course))
}

/// A submission that the caller may do `action` to; who may only read it learns that `action` needs more.
pub(crate) async fn readable(
    tx: &mut Tx,
    actor: &Actor,
    action: Action,
    id: SubmissionId,
) -> store::Result<(Submission, Course, bool)> {
    let (submission, course) = find(tx, actor, id).await?;
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("submission", id) };
    let target = subject(&submission, &course);
    let allowed = access::seen(actor, action, &target, Action::SubmissionRead, missing)?;
    Ok((submission, course, allowed.audited))
}

/// What was asked.
pub(crate) async fn question(tx: &mut Tx, submission: &Submission) -> store::Result<Question> {
    let found = sql::question::get(tx, submission.institution_id, submission.question_id).await?;
    Ok(found.ok_or_else(|| Error::not_found("question", submission.question_id))?)
}

async fn handed_in(
    tx: &mut Tx,
    course: &Course,
    submission: Submission,
    reads_grades: bool,
) -> store::Result<HandedIn> {
    let question = question(tx, &submission).await?;
    let history = sql::grade::history(tx, submission.institution_id, submission.id).await?;
    let grade = history.into_iter().rev().find(|grade| grade.released.is_some()).filter(|_| reads_grades);
    let rubric = match &grade {
        Some(grade) => crate::rubric::in_version(tx, course, &question, grade.rubric_version).await?,
        None => None,
    };
    let appeals = if reads_grades {
        sql::appeal::of_submission(tx, submission.institution_id, submission.id).await?
    } else {
        Vec::new()
    };
    // A grade that is set but not released looks like one that is not set.
    let state = if grade.is_some() { State::Released } else { State::Waiting };
    let shown = rubric.into_iter().flat_map(|rubric| rubric.criteria).map(|criterion| ShownCriterion {
        id: criterion.id,
        title: criterion.title,
        description: criterion.description,
        points: criterion.points,
        levels: criterion.levels,
    });
    Ok(HandedIn {
        criteria: shown.collect(),
        stem: question.draft.stem,
        submission: Submission { state, ..submission },
        grade,
        appeals,
    })
}
