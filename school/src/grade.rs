//! Grades: proposals that never count, marks that a person sets, and their release by a person.

use domain::calibration::{Allows, Calibration};
use domain::course::Course;
use domain::grade::{Example, Grade, Mark, Proposal, Work, points};
use domain::policy::{Action, Actor};
use domain::rubric::Rubric;
use domain::submission::{State, Submission};
use domain::{Error, ErrorKind, GradeId, ProposalId, QuestionId, SubmissionId, UserId};
use serde::Deserialize;
use serde_json::json;
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::grade::{Graded, Proposed};
use store::sql::submission::Wanted;
use store::sql::{self};

use crate::submission::{question, readable};
use crate::unit::{announce, record};
use crate::{Result, School, access};

mod export;
mod regrade;
mod release;

pub use export::Line;
pub use regrade::Regraded;

/// Proposals rate weak answers to this question too high.
pub const PROPOSALS_OFF: &str = "PROPOSALS_OFF";
/// Too few graded submissions agree with their proposals.
pub const NOT_CALIBRATED: &str = "NOT_CALIBRATED";
/// A grade that differs from what was proposed or set before needs a reason.
pub const OVERRIDE_REASON: &str = "OVERRIDE_REASON_REQUIRED";
/// A mark does not fit the rubric.
pub const WRONG_MARK: &str = "WRONG_MARK";
/// There is nothing to release, or nobody who could.
pub const NOT_RELEASABLE: &str = "NOT_RELEASABLE";
/// Graded submissions that a proposal may learn from, and that agreement is measured on.
const MOST_GRADED: i64 = 200;

/// Use cases of grading.
pub struct Grades<'a> {
    pub(crate) school: &'a School,
}

/// What a person gives for one criterion.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewMark {
    /// Which criterion of the newest rubric.
    pub criterion: String,
    /// Which level of it.
    pub level: String,
    /// To the learner.
    #[serde(default)]
    pub comment: Option<String>,
}

/// A grade to set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewGrade {
    /// One for each criterion.
    pub marks: Vec<NewMark>,
    /// To the learner.
    #[serde(default)]
    pub comment: Option<String>,
    /// Why it differs from the proposal or from the grade before.
    #[serde(default)]
    pub reason: Option<String>,
}

impl Grades<'_> {
    /// What whoever may have grades proposed works from.
    ///
    /// # Errors
    /// Not found, forbidden, or proposals are off for this question.
    pub async fn ground(&self, actor: &Actor, id: SubmissionId) -> Result<Work> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let (submission, course, _) = readable(tx, &acting, Action::GradePropose, id).await?;
                    let question = question(tx, &submission).await?;
                    let rubric = crate::rubric::current(tx, &course, &question).await?;
                    let graded = sql::grade::graded(tx, course.institution_id, question.id, MOST_GRADED).await?;
                    let measured = measure(&rubric, &graded);
                    if measured.allows() == Allows::Nothing {
                        return Err(refuse(PROPOSALS_OFF, &measured).into());
                    }
                    let others = graded.into_iter().filter(|one| one.submission != id);
                    let same = others.filter(|one| one.grade.rubric_version == rubric.version);
                    let example = |one: Graded| Example {
                        text: one.text,
                        shares: one.grade.marks.into_iter().map(|mark| (mark.criterion, mark.share)).collect(),
                    };
                    let graded = same.map(example).collect();
                    Ok(Work {
                        stem: question.draft.stem,
                        rubric,
                        text: submission.text,
                        graded,
                        course: Some(course.id),
                    })
                })
            })
            .await
    }

    /// Stores a proposal; it is no grade.
    ///
    /// # Errors
    /// Not found, forbidden, evidence that does not stand in the text, or a rubric that changed meanwhile.
    pub async fn propose(
        &self,
        actor: &Actor,
        id: SubmissionId,
        proposal: Proposal,
        inputs_hash: String,
    ) -> Result<ProposalId> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (submission, course, _) = readable(tx, actor, Action::GradePropose, id).await?;
                    let question = question(tx, &submission).await?;
                    let rubric = crate::rubric::current(tx, &course, &question).await?;
                    check_proposal(&proposal, &rubric, &submission)?;
                    let proposed =
                        Proposed { id: ProposalId::fresh(), proposal, inputs_hash, created_at: tx.now().await? };
                    sql::grade::propose(tx, submission.institution_id, id, &proposed).await?;
                    let payload = json!({
                        "proposalId": proposed.id,
                        "rubricVersion": rubric.version,
                        "origin": proposed.proposal.origin.kind,
                        "flags": proposed.proposal.flags,
                    });
                    tell(tx, actor, "grade.proposed", &submission, payload).await?;
                    let subject = format!("submission:{id}");
                    record(tx, actor, course.institution_id, "grade.propose", &subject).await?;
                    Ok(proposed.id)
                })
            })
            .await
    }

    /// Sets a grade, as the next of the submission's history; the learner sees it when it is released.
    ///
    /// # Errors
    /// Not found, forbidden, a mark that does not fit the rubric, or no reason for an override.
    pub async fn set(&self, actor: &Actor, id: SubmissionId, new: NewGrade) -> Result<Grade> {
        let person = a_person(actor)?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let (submission, course, _) = readable(tx, actor, Action::GradeSet, id).await?;
                    let question = question(tx, &submission).await?;
                    let rubric = crate::rubric::current(tx, &course, &question).await?;
                    let institution = submission.institution_id;
                    let history = sql::grade::history(tx, institution, id).await?;
                    let proposed = sql::grade::proposal(tx, institution, id).await?;
                    let proposed = proposed.filter(|one| one.proposal.rubric_version == rubric.version);
                    let marks = marks(&rubric, &new.marks, proposed.as_ref())?;
                    let reason = new.reason.filter(|text| !text.trim().is_empty());
                    if reason.is_none() && overrides(&marks, proposed.as_ref(), history.last()) {
                        let message = "this grade differs from what was proposed or set before: give a reason";
                        return Err(Error::invalid("reason", OVERRIDE_REASON, message).into());
                    }
                    let grade = build(&rubric, &submission, &history, marks, person, tx.now().await?)?;
                    let grade = Grade { comment: new.comment, reason, ..grade };
                    add(tx, actor, &submission, &grade, proposed.map(|one| one.id)).await?;
                    Ok(grade)
                })
            })
            .await
    }

    /// How well proposals to a question agree with the people who graded.
    ///
    /// # Errors
    /// Not found, or forbidden.
    pub async fn calibration(&self, actor: &Actor, question: QuestionId) -> Result<Calibration> {
        let acting = actor.clone();
        let (measured, course, audited) = self
            .school
            .read(move |tx| {
                Box::pin(async move {
                    let (question, course, audited) = course_of(tx, &acting, Action::GradeDraftRead, question).await?;
                    let rubric = crate::rubric::current(tx, &course, &question).await?;
                    let graded = sql::grade::graded(tx, course.institution_id, question.id, MOST_GRADED).await?;
                    Ok((measure(&rubric, &graded), course, audited))
                })
            })
            .await?;
        let subject = format!("question:{question}");
        self.school.note_access(actor, audited, course.institution_id, Action::GradeDraftRead, subject).await?;
        Ok(measured)
    }

    /// The submissions to a question that wait without a grade and without a proposal by its newest rubric, for
    /// proposals in one go: a batch that was interrupted goes on where it stood.
    ///
    /// # Errors
    /// Not found, forbidden, or the agreement does not allow a batch: the message carries the figures.
    pub async fn batch(&self, actor: &Actor, question: QuestionId) -> Result<Vec<SubmissionId>> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let (question, course, _) = course_of(tx, &acting, Action::GradePropose, question).await?;
                    let rubric = crate::rubric::current(tx, &course, &question).await?;
                    let graded = sql::grade::graded(tx, course.institution_id, question.id, MOST_GRADED).await?;
                    let measured = measure(&rubric, &graded);
                    match measured.allows() {
                        Allows::Batch => {}
                        Allows::OneByOne => return Err(refuse(NOT_CALIBRATED, &measured).into()),
                        Allows::Nothing => return Err(refuse(PROPOSALS_OFF, &measured).into()),
                    }
                    let wanted = Wanted {
                        question: Some(question.id),
                        state: Some(State::Waiting),
                        limit: i64::MAX,
                        ..Wanted::default()
                    };
                    let mut without = Vec::new();
                    for one in sql::submission::list(tx, course.institution_id, course.id, &wanted).await? {
                        let known = sql::grade::proposal(tx, course.institution_id, one.id).await?;
                        if known.is_none_or(|known| known.proposal.rubric_version != rubric.version) {
                            without.push(one.id);
                        }
                    }
                    Ok(without)
                })
            })
            .await
    }
}

/// The person who acts: a grade always names one.
fn a_person(actor: &Actor) -> Result<UserId> {
    actor.user_id.ok_or_else(|| {
        let message = "a grade is set and released by a person of the course; name one with --as";
        if actor.operator { Error::invalid("as", "REQUIRED", message) } else { access::log_in() }
    })
}

/// Agreement under the newest rubric alone: an older one says nothing of it.
fn measure(rubric: &Rubric, graded: &[Graded]) -> Calibration {
    let same = graded.iter().filter(|one| one.grade.rubric_version == rubric.version);
    let pairs: Vec<(f64, f64)> = same.filter_map(|one| Some((one.proposed?, one.share))).collect();
    Calibration::of(rubric.version, &pairs)
}

fn refuse(code: &str, measured: &Calibration) -> Error {
    let figure = |value: Option<f64>| value.map_or_else(|| "unknown".into(), |value| format!("{value:.2}"));
    let what = if code == PROPOSALS_OFF {
        "proposals are off: weak answers to this question are rated too high"
    } else {
        "grade more submissions one by one first: proposals in one go need 20 graded ones that agree"
    };
    let message = format!(
        "{what} (graded {}, kappa {}, mean error {}, weak answers over-scored by {} of the scale)",
        measured.graded,
        figure(measured.kappa),
        figure(measured.error),
        figure(measured.overscore),
    );
    Error::new(ErrorKind::Conflict, message).with_code(code)
}

/// Refuses what does not fit rubric and text: every criterion once, known levels, evidence that stands there.
fn check_proposal(proposal: &Proposal, rubric: &Rubric, submission: &Submission) -> Result<()> {
    let wrong = |what: &str| Err(Error::invalid("proposal", WRONG_MARK, what));
    if proposal.rubric_version != rubric.version {
        let message = "the rubric was changed meanwhile; propose again";
        return Err(Error::new(ErrorKind::Conflict, message).with_code(WRONG_MARK));
    }
    let listed: Vec<&str> = proposal.criteria.iter().map(|judged| judged.criterion.as_str()).collect();
    if listed != rubric.criteria.iter().map(|one| one.id.as_str()).collect::<Vec<_>>() {
        return wrong("a proposal lists each criterion of the rubric once, in its order");
    }
    for (judged, criterion) in proposal.criteria.iter().zip(&rubric.criteria) {
        let known = judged.level.as_deref().map(|id| criterion.level(id));
        match known {
            Some(None) => return wrong("a level that the rubric does not have"),
            Some(Some(level)) if judged.share.is_none_or(|share| (share - level.share).abs() > 1e-9) => {
                return wrong("a share that is not the level's");
            }
            None if judged.share.is_some() || judged.why_not.is_none() => {
                return wrong("a criterion without a level says why");
            }
            _ => {}
        }
        if !judged.evidence.iter().all(|evidence| evidence.holds(&submission.text)) {
            return wrong("evidence that does not stand in the text");
        }
    }
    Ok(())
}

/// A person's marks by the rubric, with the evidence of the proposal where both agree.
fn marks(rubric: &Rubric, given: &[NewMark], proposed: Option<&Proposed>) -> Result<Vec<Mark>> {
    let wrong = |message: String| Error::invalid("marks", WRONG_MARK, message);
    if let Some(extra) = given.iter().find(|mark| rubric.criterion(&mark.criterion).is_none()) {
        return Err(wrong(format!("the rubric has no criterion \"{}\"", extra.criterion)));
    }
    let mut marks = Vec::with_capacity(rubric.criteria.len());
    for criterion in &rubric.criteria {
        let mut of = given.iter().filter(|mark| mark.criterion == criterion.id);
        let (Some(mark), None) = (of.next(), of.next()) else {
            return Err(wrong(format!("give \"{}\" exactly one level", criterion.id)));
        };
        let level = criterion.level(&mark.level).ok_or_else(|| {
            let known: Vec<&str> = criterion.levels.iter().map(|level| level.id.as_str()).collect();
            wrong(format!("\"{}\" has no level \"{}\"; it has {}", criterion.id, mark.level, known.join(", ")))
        })?;
        let judged = proposed.and_then(|one| one.proposal.criteria.iter().find(|one| one.criterion == criterion.id));
        let agrees = judged.filter(|judged| judged.level.as_deref() == Some(level.id.as_str()));
        marks.push(Mark {
            criterion: criterion.id.clone(),
            level: level.id.clone(),
            share: level.share,
            comment: mark.comment.clone().filter(|text| !text.trim().is_empty()),
            evidence: agrees.map(|judged| judged.evidence.clone()).unwrap_or_default(),
        });
    }
    Ok(marks)
}

/// Whether marks differ from the grade before, or else from a whole proposal.
fn overrides(marks: &[Mark], proposed: Option<&Proposed>, before: Option<&Grade>) -> bool {
    if let Some(before) = before {
        let same =
            |mark: &Mark| before.marks.iter().any(|old| old.criterion == mark.criterion && old.level == mark.level);
        return !marks.iter().all(same);
    }
    proposed.filter(|one| one.proposal.share.is_some()).is_some_and(|one| {
        marks.iter().any(|mark| {
            let judged = one.proposal.criteria.iter().find(|judged| judged.criterion == mark.criterion);
            judged.is_none_or(|judged| judged.level.as_deref() != Some(mark.level.as_str()))
        })
    })
}

/// The next grade of a history; its points come from the rubric and never pass the cap.
fn build(
    rubric: &Rubric,
    submission: &Submission,
    history: &[Grade],
    marks: Vec<Mark>,
    by: UserId,
    now: domain::Micros,
) -> Result<Grade> {
    let shares: Vec<(String, f64)> = marks.iter().map(|mark| (mark.criterion.clone(), mark.share)).collect();
    let share = rubric
        .share(&shares)
        .ok_or_else(|| Error::invalid("marks", WRONG_MARK, "each criterion has exactly one mark"))?;
    Ok(Grade {
        id: GradeId::fresh(),
        submission_id: submission.id,
        version: history.last().map_or(1, |last| last.version + 1),
        rubric_version: rubric.version,
        marks,
        share,
        points: points(share, submission.most),
        most: submission.most,
        comment: None,
        reason: None,
        graded_by: by,
        graded_at: now,
        released: None,
    })
}

async fn add(
    tx: &mut Tx,
    actor: &Actor,
    submission: &Submission,
    grade: &Grade,
    proposal: Option<ProposalId>,
) -> store::Result<()> {
    sql::grade::insert(tx, submission.institution_id, grade, proposal).await?;
    let payload = json!({ "gradeId": grade.id, "version": grade.version, "rubricVersion": grade.rubric_version });
    tell(tx, actor, "grade.set", submission, payload).await?;
    record(tx, actor, submission.institution_id, "grade.set", &format!("submission:{}", submission.id)).await
}

/// Announces something about a submission.
async fn tell(
    tx: &mut Tx,
    actor: &Actor,
    name: &'static str,
    submission: &Submission,
    payload: serde_json::Value,
) -> store::Result<()> {
    let event = NewEvent::new(name, submission.institution_id, submission.id).course(submission.course_id);
    announce(tx, actor, event.payload(payload)).await
}

/// A question and its course that the caller may do `action` in, and the audit flag.
async fn course_of(
    tx: &mut Tx,
    actor: &Actor,
    action: Action,
    id: QuestionId,
) -> store::Result<(domain::question::Question, Course, bool)> {
    let (question, course) = crate::question::find(tx, actor, id).await?;
    let missing = || Error::not_found("question", id);
    let allowed = access::seen(actor, action, &crate::course::subject(&course), Action::QuestionRead, missing)?;
    Ok((question, course, allowed.audited))
}
