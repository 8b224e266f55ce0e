//! The question bank at the command line.

use domain::QuestionId;
use domain::question::{Question, State};
use serde_json::json;
use store::sql::question::Wanted;

use crate::command::Context;
use crate::exit::{OK, Result};

/// Questions read at a time.
const PAGE: i64 = 200;

pub(super) async fn list(context: &Context<'_>, course: &str, state: Option<&str>) -> Result<u8> {
    let node = context.node;
    let actor = context.actor().await?;
    let course = node.school.course().by_slug(&actor, actor.institution, course).await?;
    let mut all: Vec<Question> = Vec::new();
    let mut wanted = Wanted { state: state.and_then(State::parse), after: None, limit: PAGE };
    loop {
        let page = node.school.question().list(&actor, course.id, wanted.clone()).await?;
        wanted.after = page.last().map(|question| question.id);
        let last = i64::try_from(page.len()).is_ok_and(|read| read < PAGE);
        all.extend(page);
        if last {
            break;
        }
    }
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
