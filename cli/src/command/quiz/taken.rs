//! Quizzes at the command line: made, published, taken.

use std::collections::BTreeMap;
use std::path::Path;

use domain::assessment::Assessment;
use domain::question::Response;
use domain::{AssessmentId, QuestionId};
use school::assessment::NewAssessment;
use school::attempt::{Outcome, Taking};
use serde_json::json;

use crate::command::Context;
use crate::exit::{Failure, NOT_FOUND, OK, Result};

pub(super) async fn create(context: &Context<'_>, course: &str, new: NewAssessment, publish: bool) -> Result<u8> {
    let node = context.node;
    let actor = context.actor().await?;
    let course = node.school.course().by_slug(&actor, actor.institution, course).await?;
    if context.cli.dry_run {
        let count = new.items.len();
        context.out.result(&json!({ "dryRun": true, "questions": count }), |_| {
            format!("would make \"{}\" of {count} questions in {}", new.title, course.slug)
        });
        return Ok(OK);
    }
    let mut quiz = node.school.assessment().create(&actor, course.id, new).await?;
    if publish {
        quiz = node.school.assessment().publish(&actor, quiz.id).await?;
    }
    context.out.result(&quiz, card);
    Ok(OK)
}

fn card(quiz: &Assessment) -> String {
    format!("{}  {}  \"{}\", {} questions", quiz.id, quiz.state, quiz.title, quiz.items.len())
}

pub(super) async fn publish(context: &Context<'_>, id: AssessmentId) -> Result<u8> {
    let actor = context.actor().await?;
    context.out.result(&context.node.school.assessment().publish(&actor, id).await?, card);
    Ok(OK)
}

pub(super) async fn close(context: &Context<'_>, id: AssessmentId) -> Result<u8> {
    let actor = context.actor().await?;
    context.out.result(&context.node.school.assessment().close(&actor, id).await?, card);
    Ok(OK)
}

pub(super) async fn list(context: &Context<'_>, course: &str) -> Result<u8> {
    let actor = context.actor().await?;
    let course = context.node.school.course().by_slug(&actor, actor.institution, course).await?;
    let all = context.node.school.assessment().list(&actor, course.id, None, 200).await?;
    context.out.result(&json!({ "quizzes": all }), |_| {
        if all.is_empty() {
            return format!("{} has no quiz yet; make one with: lyceum quiz create", course.slug);
        }
        all.iter().map(card).collect::<Vec<_>>().join("\n")
    });
    Ok(OK)
}

pub(super) async fn take(context: &Context<'_>, id: AssessmentId, answers: Option<&Path>) -> Result<u8> {
    let actor = context.actor().await?;
    let attempts = context.node.school.attempt();
    let taking = attempts.start(&actor, id).await?;
    let Some(file) = answers else {
        context.out.result(&taking, asked);
        return Ok(OK);
    };
    let path = context.path(file);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::new(NOT_FOUND, format!("cannot read \"{}\": {error}", path.display())))?;
    let answers: BTreeMap<String, Response> = serde_json::from_str(&text)
        .map_err(|error| Failure::usage(format!("\"{}\" holds no answers: {error}", path.display())))?;
    for (question, response) in answers {
        let question: QuestionId = question.parse()?;
        let known = taking.questions.iter().find(|posed| posed.asked.id == question);
        let seq = known.and_then(|posed| posed.saved.as_ref()).map_or(1, |(seq, _)| seq.saturating_add(1));
        attempts.save(&actor, taking.attempt.id, question, seq, response).await?;
    }
    let outcome = attempts.submit(&actor, id).await?;
    context.out.result(&outcome, told);
    Ok(OK)
}

pub(super) async fn hand_in(context: &Context<'_>, id: AssessmentId, question: QuestionId, file: &Path) -> Result<u8> {
    let actor = context.actor().await?;
    let path = context.path(file);
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::new(NOT_FOUND, format!("cannot read \"{}\": {error}", path.display())))?;
    let handed = context.node.school.attempt().hand_in(&actor, id, question, text).await?;
    context.out.result(&json!({ "submission": handed }), |_| {
        handed.map_or_else(|| "marked at once: nothing waits for a person".into(), |id| format!("{id}  handed in"))
    });
    Ok(OK)
}

pub(super) async fn submissions(context: &Context<'_>, course: &str) -> Result<u8> {
    let actor = context.actor().await?;
    let course = context.node.school.course().by_slug(&actor, actor.institution, course).await?;
    let wanted = store::sql::submission::Wanted { limit: 200, ..Default::default() };
    let all = context.node.school.submission().list(&actor, course.id, wanted).await?;
    context.out.result(&json!({ "submissions": all }), |_| {
        if all.is_empty() {
            return "nothing was handed in yet".into();
        }
        let line = |one: &school::submission::HandedIn| {
            let grade = one.grade.as_ref().map_or_else(
                || "waits for a person".into(),
                |grade| format!("{} of {} points", grade.points, grade.most),
            );
            format!("{}  {grade}  {}", one.submission.id, one.stem)
        };
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(OK)
}

/// What is asked, for a person.
fn asked(taking: &Taking) -> String {
    use domain::question::asked::Shown;
    let mut text =
        format!("{}{}\n", taking.title, if taking.attempt.preview { " (preview, never counts)" } else { "" });
    for (number, posed) in (1..).zip(&taking.questions) {
        text.push_str(&format!("\n{number}. {} [{} points]\n   {}\n", posed.asked.stem, posed.points, posed.asked.id));
        let lines: Vec<String> = match &posed.asked.shown {
            Shown::MultipleChoice { options } | Shown::MultipleAnswer { options } => {
                options.iter().map(|option| format!("{}) {}", option.id, option.text)).collect()
            }
            Shown::Ordering { items } => items.iter().map(|item| format!("{}) {}", item.id, item.text)).collect(),
            Shown::Matching { left, right } => {
                left.iter().chain(right).map(|item| format!("{}) {}", item.id, item.text)).collect()
            }
            Shown::Cloze { parts } => vec![parts.join("____")],
            Shown::TrueFalse => vec!["true or false".into()],
            Shown::Numeric { unit } => vec![if *unit { "a number with its unit" } else { "a number" }.into()],
            Shown::ShortAnswer | Shown::Essay { .. } => vec!["in your own words".into()],
        };
        for line in lines {
            text.push_str(&format!("   {line}\n"));
        }
    }
    text
}

/// What became of an attempt, for a person.
fn told(outcome: &Outcome) -> String {
    let attempt = &outcome.attempt;
    let Some((score, most)) = attempt.score.zip(attempt.most) else {
        return format!("{}  submitted; the result is not released yet", attempt.id);
    };
    let wait = if attempt.needs_person { ", and a part waits for a person" } else { "" };
    let mut text = format!("{}  {score:.2} of {most} points{wait}\n", attempt.id);
    for one in &outcome.feedback {
        let share = one.fraction.map_or_else(|| "waits".into(), |share| format!("{:.0} %", share * 100.0));
        text.push_str(&format!("  {share:>6}  {}", one.stem));
        if !one.key.is_empty() && one.fraction.is_none_or(|share| share < 1.0) {
            text.push_str(&format!("  (right: {})", one.key.join("; ")));
        }
        text.push('\n');
    }
    text
}

pub(super) async fn results(context: &Context<'_>, id: AssessmentId) -> Result<u8> {
    let actor = context.actor().await?;
    let all = context.node.school.attempt().results(&actor, id).await?;
    context.out.result(&json!({ "results": all }), |_| {
        if all.is_empty() {
            return "nobody has submitted it yet".into();
        }
        all.iter().map(told).collect::<Vec<_>>().join("\n")
    });
    Ok(OK)
}
