//! The question bank at the command line.

use std::io::IsTerminal as _;

use domain::policy::Actor;
use domain::question::{Question, State};
use domain::{CourseId, QuestionId};
use serde_json::json;

use crate::command::Context;
use crate::exit::{FAILED, Failure, OK, Result};

pub(super) async fn list(context: &Context<'_>, course: &str, state: Option<&str>) -> Result<u8> {
    let node = context.node;
    let actor = context.actor().await?;
    let course = node.school.course().by_slug(&actor, actor.institution, course).await?;
    let all = every(context, &actor, course.id, state).await?;
    context.out.result(&json!({ "questions": all }), |_| {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_header(["id", "state", "type", "question", "key"]);
        for question in &all {
            let draft = &question.draft;
            let (id, key) = (question.id.to_string(), short(&draft.body.key().join("; "), 32));
            table.add_row([&id, question.state.as_str(), draft.body.type_name(), &short(&draft.stem, 60), &key]);
        }
        format!("{table}\n{} questions", all.len())
    });
    Ok(OK)
}

/// Every question of a course in that state, retired ones included.
async fn every(context: &Context<'_>, actor: &Actor, course: CourseId, state: Option<&str>) -> Result<Vec<Question>> {
    let bank = context.node.school.question();
    let mut all = bank.bank(actor, course, state.and_then(State::parse)).await?;
    if state.is_none() {
        all.extend(bank.bank(actor, course, Some(State::Retired)).await?);
    }
    Ok(all)
}

/// Shows drafts; at a terminal that owns the school each is decided by a line.
pub(super) async fn review(context: &Context<'_>, course: &str) -> Result<u8> {
    let actor = context.actor().await?;
    let course = context.node.school.course().by_slug(&actor, actor.institution, course).await?;
    let drafts = every(context, &actor, course.id, Some("draft")).await?;
    let asks = std::io::stdin().is_terminal() && !context.out.json() && !context.cli.dry_run && !context.forwarded;
    if !asks {
        context.out.result(&json!({ "questions": drafts }), |_| {
            let mut text: String = drafts.iter().map(|question| format!("{}\n", person(question))).collect();
            text.push_str(&format!(
                "{} drafts; decide with: lyceum quiz approve ID, lyceum quiz retire ID",
                drafts.len()
            ));
            text
        });
        return Ok(OK);
    }
    let (mut approved, mut retired) = (0, 0);
    for (number, question) in (1..).zip(&drafts) {
        context.out.line(format!("\n{number} of {}  {}", drafts.len(), person(question)));
        context.out.line("[a]pprove  [r]etire  [s]kip  [q]uit?");
        let next = match read_line().await?.trim() {
            "a" | "approve" => State::Reviewed,
            "r" | "retire" => State::Retired,
            "q" | "quit" => break,
            _ => continue,
        };
        context.node.school.question().set_state(&actor, question.id, next).await?;
        if next == State::Reviewed { approved += 1 } else { retired += 1 }
    }
    context.out.line(format!("{approved} approved, {retired} retired"));
    Ok(OK)
}

async fn read_line() -> Result<String> {
    let read = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|count| if count == 0 { "q".to_owned() } else { line })
    });
    Ok(read.await.map_err(|error| Failure::new(FAILED, error.to_string()))??)
}

fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['\u{2026}']).collect()
}

pub(super) async fn show(context: &Context<'_>, ids: &[QuestionId]) -> Result<u8> {
    let actor = context.actor().await?;
    for id in ids {
        let question = context.node.school.question().get(&actor, *id).await?;
        context.out.result(&question, person);
    }
    Ok(OK)
}

/// A question for a person who reviews it.
fn person(question: &Question) -> String {
    let draft = &question.draft;
    let mut text =
        format!("{}  {}  {}\n\n{}\n", question.id, question.state.as_str(), draft.body.type_name(), draft.stem);
    if let domain::question::Body::Cloze(body) = &draft.body {
        text.push_str(&format!("  {}\n", body.parts.join("____")));
    }
    let key = draft.body.key();
    for option in super::options(&draft.body) {
        let mark = if key.iter().any(|right| right == option) { "*" } else { " " };
        text.push_str(&format!("  {mark} {option}\n"));
    }
    text.push_str(&format!("\nkey: {}\n", key.join("; ")));
    for (option, why) in draft.body.rationales() {
        text.push_str(&format!("  {option}: {why}\n"));
    }
    if let Some(source) = &draft.source {
        text.push_str(&format!("source: {}, {}\n  \"{}\"\n", source.source_path, source.locator, source.quote));
    }
    for flaw in &draft.lint {
        text.push_str(&format!("lint: {} {}\n", flaw.code, flaw.message));
    }
    text
}

pub(super) async fn set_state(context: &Context<'_>, ids: &[QuestionId], next: State) -> Result<u8> {
    let actor = context.actor().await?;
    let mut done = Vec::new();
    for id in ids {
        if context.cli.dry_run {
            done.push(context.node.school.question().get(&actor, *id).await?);
        } else {
            done.push(context.node.school.question().set_state(&actor, *id, next).await?);
        }
    }
    let states: Vec<_> = done.iter().map(|question| json!({ "id": question.id, "state": question.state })).collect();
    context.out.result(&json!({ "questions": states }), |_| {
        let would = if context.cli.dry_run { "would be" } else { "are" };
        format!("{} questions {would} {}", done.len(), next.as_str())
    });
    Ok(OK)
}
