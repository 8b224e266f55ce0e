//! The demo's loop of learning: questions made and approved, a quiz taken, texts graded by a person, what next.

use std::sync::Arc;

use assistant::quiz::Wanted;
use domain::assessment::{Assessment, Item};
use domain::course::Course;
use domain::grade::Flag;
use domain::policy::Actor;
use domain::question::exchange::{self, Format};
use domain::question::{Body, Draft, Essay, Origin, OriginKind, Question, Response, ShortAnswer, State as Stands};
use domain::user::{Grant, Role, Scope};
use domain::{QuestionId, SubmissionId};
use school::assessment::NewAssessment;
use school::grade::{NewGrade, NewMark};

use super::super::content::{Content, Graded, Grading};
use super::super::scorecard::{Scorecard, State};
use super::{COURSE, Home};
use crate::exit::{Failure, Result};
use crate::node::Node;
use crate::out::Out;

/// Questions that are asked for.
const WANTED: usize = 12;
/// Questions of the quiz.
const ASKED: usize = 8;

struct Class<'a> {
    node: &'a Arc<Node>,
    course: Course,
    teacher: Actor,
    home: &'a Home,
}

impl Class<'_> {
    async fn learner(&self, name: &str) -> Result<Actor> {
        Ok(self.node.school.session().impersonate(self.home.institution.id, name).await?)
    }
}

pub(super) async fn all(
    node: &Arc<Node>,
    content: &Content,
    home: &Home,
    card: &mut Scorecard,
    out: &Out,
) -> Result<()> {
    out.note("a quiz, grading, and what to learn next");
    let course = node.school.course().by_slug(&home.operator, home.institution.id, COURSE).await?;
    let teacher = node.school.user().by_username(&home.operator, home.institution.id, "ines").await?.user;
    let teaches = Grant { role: Role::Instructor, scope: Scope::Course(course.id) };
    node.school.role().grant(&home.operator, teacher.id, teaches).await?;
    for name in ["mara", "otto", "paula", "nils"] {
        let user = node.school.user().by_username(&home.operator, home.institution.id, name).await?.user;
        match node.school.enrollment().enrol(&home.operator, course.id, Some(user.id)).await {
            Err(error) if error.kind != domain::ErrorKind::Conflict => return Err(error.into()),
            _ => {}
        }
    }
    let teacher = node.school.session().impersonate(home.institution.id, "ines").await?;
    let class = Class { node, course, teacher, home };
    let bank = questions(&class, card).await?;
    quiz(&class, &bank, card).await?;
    grading(&class, &content.grading, card).await?;
    next(&class, card).await
}

/// Drafts, of which a person takes some.
async fn questions(class: &Class<'_>, card: &mut Scorecard) -> Result<Vec<Question>> {
    let bank = class.node.school.question();
    let (scope, known) = bank.ground(&class.teacher, class.course.id).await?;
    let model_time = std::time::Duration::from_secs(60);
    let wanted = Wanted { lesson: None, count: WANTED, seed: 7, known, model_time };
    let offered = class.node.assistant.questions(&scope, &wanted).await?;
    let hard = offered.items.iter().flat_map(|draft| &draft.lint).filter(|flaw| flaw.hard).count();
    let sourced = offered.items.iter().all(|draft| draft.source.is_some());
    let kinds: std::collections::BTreeSet<&str> = offered.items.iter().map(|draft| draft.body.type_name()).collect();
    card.check(
        "ten questions from the course",
        offered.items.len() >= 10 && hard == 0 && sourced,
        format!("{} drafts of {} types, each with its place; 0 hard flaws", offered.items.len(), kinds.len()),
    );
    let made = bank.propose(&class.teacher, class.course.id, offered.items).await?;
    let (good, bad) = made.split_at(ASKED.min(made.len()));
    let mut approved = Vec::new();
    for question in good {
        approved.push(bank.set_state(&class.teacher, question.id, Stands::Reviewed).await?);
    }
    for question in bad {
        bank.set_state(&class.teacher, question.id, Stands::Retired).await?;
    }
    card.check(
        "a person approves or rejects",
        !bad.is_empty(),
        format!("{} approved, {} rejected by the instructor", approved.len(), bad.len()),
    );
    let drafts: Vec<Draft> = approved.iter().map(|question| question.draft.clone()).collect();
    let written = exchange::write(Format::Gift, &drafts);
    let read = exchange::read(Format::Gift, &written.text)?;
    card.check(
        "GIFT out and in is equal",
        read.drafts == drafts && read.losses.is_empty(),
        format!("{} questions, {} losses for other programs named", drafts.len(), written.losses.len()),
    );
    Ok(approved)
}

async fn published(class: &Class<'_>, title: &str, items: Vec<Item>) -> Result<Assessment> {
    let quizzes = class.node.school.assessment();
    let new = NewAssessment { title: title.into(), items, ..NewAssessment::default() };
    let quiz = quizzes.create(&class.teacher, class.course.id, new).await?;
    Ok(quizzes.publish(&class.teacher, quiz.id).await?)
}

/// A strong learner answers all, a weak one few.
async fn quiz(class: &Class<'_>, bank: &[Question], card: &mut Scorecard) -> Result<()> {
    let items = bank.iter().map(|question| Item { question: question.id, points: 1.0 }).collect();
    let quiz = published(class, "What sound becomes", items).await?;
    let mut scores = Vec::new();
    for (name, right) in [("mara", bank.len()), ("leo", bank.len() / 3)] {
        let learner = class.learner(name).await?;
        let attempts = class.node.school.attempt();
        let taking = attempts.start(&learner, quiz.id).await?;
        for (place, question) in bank.iter().enumerate() {
            let response = answer(&question.draft.body, place < right);
            attempts.save(&learner, taking.attempt.id, question.id, 1, response).await?;
        }
        let done = attempts.submit(&learner, quiz.id).await?;
        scores.push(done.attempt.score.unwrap_or_default());
    }
    let most = quiz.most();
    let good = matches!(scores.as_slice(), [strong, weak] if *strong >= most && weak < strong);
    let detail = format!("{} of {most} and {} of {most} points", scores[0], scores[1]);
    card.check("a quiz is taken and marked", good, detail);
    Ok(())
}

/// A right answer to a question, or a wrong one.
fn answer(body: &Body, right: bool) -> Response {
    let other = |options: &[domain::question::Choice], key: &str| {
        options.iter().map(|option| &option.id).find(|id| *id != key).cloned().unwrap_or_default()
    };
    match body {
        Body::MultipleChoice(body) => {
            let option = if right { body.right.clone() } else { other(&body.options, &body.right) };
            Response::Choice { option }
        }
        Body::MultipleAnswer(body) => {
            Response::Choices { options: if right { body.right.clone() } else { Vec::new() } }
        }
        Body::TrueFalse(body) => Response::Truth { value: body.right == right },
        Body::Cloze(body) => {
            let text = |accepted: &Vec<String>| accepted.first().filter(|_| right).cloned().unwrap_or_default();
            Response::Blanks { texts: body.blanks.iter().map(text).collect() }
        }
        Body::ShortAnswer(body) => {
            Response::Text { text: body.accepted.first().filter(|_| right).cloned().unwrap_or_default() }
        }
        Body::Matching(body) => Response::Pairs { pairs: if right { body.pairs.clone() } else { Vec::new() } },
        Body::Ordering(body) => {
            let mut items: Vec<String> = body.items.iter().map(|item| item.id.clone()).collect();
            if !right {
                items.reverse();
            }
            Response::Order { items }
        }
        Body::Numeric(body) => {
            let value = if right { body.value } else { body.value + 1.0 + 2.0 * body.tolerance };
            Response::Number { value, unit: body.unit.clone() }
        }
        Body::Essay(_) => Response::Text { text: String::new() },
    }
}

/// Makes a question that a person judges, live in a quiz of its own.
async fn asked(class: &Class<'_>, stem: &str, body: Body, points: f64) -> Result<(QuestionId, Assessment)> {
    let bank = class.node.school.question();
    let draft = Draft {
        lesson: None,
        stem: stem.into(),
        body,
        source: None,
        bloom: None,
        difficulty: None,
        origin: Origin::of(OriginKind::Manual),
        lint: Vec::new(),
        hints: Vec::new(),
    };
    let made = bank.create(&class.teacher, class.course.id, vec![draft]).await?;
    let question = made.first().ok_or_else(|| Failure::new(crate::exit::FAILED, "no question was made"))?.id;
    bank.set_state(&class.teacher, question, Stands::Reviewed).await?;
    let quiz = published(class, stem, vec![Item { question, points }]).await?;
    Ok((question, quiz))
}

/// A text in the demo: whose, which submission, and what the teacher gives for it.
struct Handed {
    id: SubmissionId,
    who: String,
    planted: bool,
    marks: Vec<NewMark>,
}

async fn hand_in(class: &Class<'_>, wanted: &Grading) -> Result<Vec<Handed>> {
    let attempts = class.node.school.attempt();
    let mut handed = Vec::new();
    let mark =
        |criterion: &str, level: &str| NewMark { criterion: criterion.into(), level: level.into(), comment: None };
    let (essay, quiz) = asked(class, &wanted.essay.stem, Body::Essay(Essay::default()), wanted.essay.points).await?;
    class.node.school.rubric().set(&class.teacher, essay, wanted.essay.criteria.clone()).await?;
    for one in &wanted.essays {
        let learner = class.learner(&one.who).await?;
        let id = attempts.hand_in(&learner, quiz.id, essay, one.text.clone()).await?;
        let criteria = wanted.essay.criteria.iter().map(|criterion| criterion.id.as_str());
        let marks = criteria.zip(&one.levels).map(|(criterion, level)| mark(criterion, level)).collect();
        let id = id.ok_or_else(|| Failure::new(crate::exit::FAILED, "an essay waits for nobody"))?;
        handed.push(Handed { id, who: one.who.clone(), planted: one.planted, marks });
    }
    for short in &wanted.short {
        let body = ShortAnswer { accepted: Vec::new(), reference: Some(short.reference.clone()) };
        let (question, quiz) = asked(class, &short.stem, Body::ShortAnswer(body), 2.0).await?;
        for Graded { who, level, text } in &short.answers {
            let learner = class.learner(who).await?;
            let id = attempts.hand_in(&learner, quiz.id, question, text.clone()).await?;
            let id = id.ok_or_else(|| Failure::new(crate::exit::FAILED, "an answer waits for nobody"))?;
            handed.push(Handed { id, who: who.clone(), planted: false, marks: vec![mark("answer", level)] });
        }
    }
    Ok(handed)
}

/// Proposals with evidence, an override, a release by a person, an appeal that changes a grade.
async fn grading(class: &Class<'_>, wanted: &Grading, card: &mut Scorecard) -> Result<()> {
    let (grades, submissions) = (class.node.school.grade(), class.node.school.submission());
    let handed = hand_in(class, wanted).await?;
    let (mut holds, mut listed, mut quotes, mut caught, mut overrides) = (true, true, 0, false, 0);
    for one in &handed {
        let work = grades.ground(&class.teacher, one.id).await?;
        let made = class.node.assistant.proposal(&work).await?;
        let judged = &made.proposal.criteria;
        listed &= judged.len() == work.rubric.criteria.len();
        holds &= judged.iter().flat_map(|one| &one.evidence).all(|evidence| evidence.holds(&work.text));
        quotes += judged.iter().map(|one| one.evidence.len()).sum::<usize>();
        if one.planted {
            let full = made.proposal.share.is_some_and(|share| share >= 0.5);
            caught = made.proposal.flags.contains(&Flag::Instruction) && !full;
        }
        let differs = |mark: &NewMark| {
            judged.iter().any(|found| {
                found.criterion == mark.criterion && found.level.as_ref().is_some_and(|level| *level != mark.level)
            })
        };
        let reason = one.marks.iter().any(differs).then(|| "read in full by the instructor".to_owned());
        overrides += usize::from(reason.is_some());
        grades.propose(&class.teacher, one.id, made.proposal, made.inputs_hash).await?;
        let new = NewGrade { marks: one.marks.clone(), comment: None, reason };
        grades.set(&class.teacher, one.id, new).await?;
    }
    let detail = format!("{} texts, {quotes} quotes that stand where they say", handed.len());
    card.check("proposals with evidence", holds && listed && quotes > 0, detail);
    card.check("\"give full marks\" is flagged", caught, "in the queue for a person, with nothing proposed for it");
    let operator = handed.first().map(|one| one.id);
    let refused = match operator {
        Some(id) => grades.release(&class.home.operator, id).await.is_err(),
        None => false,
    };
    card.check("only a person releases", refused, "the operator of the machine is refused, by the database too");
    for one in &handed {
        grades.release(&class.teacher, one.id).await?;
    }
    card.check(
        "graded, overridden with a reason",
        overrides > 0,
        format!("{} grades released, {overrides} differ from their proposal", handed.len()),
    );

    let Some(appealed) = handed.iter().find(|one| one.who == "leo" && one.marks.len() > 1) else { return Ok(()) };
    let learner = class.learner("leo").await?;
    let text = "My first paragraph says that a tone appears as a lower frequency, measured too seldom.";
    let appeals = class.node.school.appeal();
    let appeal = appeals.open(&learner, appealed.id, Some("what".into()), text.into()).await?;
    let better = |mark: &NewMark| match mark.criterion.as_str() {
        "what" => NewMark { level: "full".into(), ..mark.clone() },
        _ => mark.clone(),
    };
    let marks = appealed.marks.iter().map(better).collect();
    let reason = Some("the appeal is right about the lower frequency".to_owned());
    grades.set(&class.teacher, appealed.id, NewGrade { marks, comment: None, reason }).await?;
    grades.release(&class.teacher, appealed.id).await?;
    let told = appeals
        .answer(
            &class.teacher,
            appeal.id,
            "Read again: too seldom is the limit, and the lower frequency is there. The criterion is met.".into(),
        )
        .await?;
    let seen = submissions.get(&learner, appealed.id).await?;
    let points = seen.grade.map(|grade| format!("{} of {} points now", grade.points, grade.most));
    card.check(
        "an appeal changes a grade",
        told.outcome == domain::appeal::Outcome::Changed,
        points.unwrap_or_else(|| "no grade is seen".into()),
    );
    Ok(())
}

/// What a new, a strong and a weak learner see.
async fn next(class: &Class<'_>, card: &mut Scorecard) -> Result<()> {
    for (name, kind) in [("nils", "a new"), ("mara", "a strong"), ("leo", "a weak")] {
        let learner = class.learner(name).await?;
        let found = class.node.recommender.recommend(&learner, class.course.id, None, 5).await?;
        let first = found.items.first();
        let detail = first.map_or_else(|| "nothing".into(), |item| format!("{}: {}", item.title, item.reason.text));
        let reasons = found.items.iter().all(|item| !item.reason.text.is_empty());
        let state = if first.is_some() && reasons { State::Ok } else { State::Missed };
        card.add(&format!("next for {kind} learner"), state, detail);
    }
    Ok(())
}
