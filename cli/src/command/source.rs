//! `lyceum source`: where a course's content comes from, and keeping it up to date.

use school::source::Card;
use serde_json::{Value, json};

use crate::args::SourceCommand;
use crate::command::ingest::{end, follow, size};
use crate::command::{Context, day};
use crate::exit::{Failure, OK, Result};

pub(crate) async fn run(context: &Context<'_>, command: &SourceCommand) -> Result<u8> {
    let actor = context.actor().await?;
    let sources = context.node.school.source();
    match command {
        SourceCommand::List { course } => {
            let course = context.node.school.course().by_slug(&actor, actor.institution, course).await?;
            let cards = sources.list(&actor, course.id).await?;
            let all: Vec<Value> = cards.iter().map(as_json).collect();
            context.out.result(&json!({ "sources": all }), |_| table(&cards));
        }
        SourceCommand::Show { id } => {
            let card = sources.get(&actor, id.parse()?).await?;
            context.out.result(&as_json(&card), |_| shown(&card));
        }
        SourceCommand::Refresh { id, detach } => {
            let id = id.parse()?;
            if context.cli.dry_run {
                let card = sources.get(&actor, id).await?;
                context
                    .out
                    .result(&as_json(&card), |_| format!("source {id} would be fetched again\n{}", shown(&card)));
                return Ok(OK);
            }
            let run = sources.refresh(&actor, id).await?;
            if *detach {
                context.out.result(&json!({ "id": run }), |_| format!("run {run} fetches it again"));
                return Ok(OK);
            }
            let report = follow(context.node, &actor, run, context.out).await?;
            return Ok(end(context, &report));
        }
        SourceCommand::Remove { id, yes } => {
            let id = id.parse()?;
            if !yes || context.cli.dry_run {
                let removal = sources.removal(&actor, id).await?;
                context.out.result(&removal, |removal| {
                    format!(
                        "would remove {} modules, {} lessons, {} passages: {}",
                        removal.modules, removal.lessons, removal.passages, removal.message
                    )
                });
                let dry = context.cli.dry_run;
                return if dry { Ok(OK) } else { Err(Failure::usage("nothing was removed: add --yes to do it")) };
            }
            let removed = sources.remove(&actor, id).await?;
            context.out.result(&removed, |removed| {
                format!(
                    "removed {} modules, {} lessons, {} passages: {}",
                    removed.modules, removed.lessons, removed.passages, removed.message
                )
            });
        }
        SourceCommand::Schedule { id, cron, off: _ } => {
            let id = id.parse()?;
            if context.cli.dry_run {
                if let Some(cron) = cron {
                    domain::ingestion::schedule::Schedule::parse(cron).map_err(Failure::usage)?;
                }
                let card = sources.get(&actor, id).await?;
                context.out.result(&as_json(&card), |_| "the schedule would be set; nothing was changed".into());
                return Ok(OK);
            }
            let set = sources.schedule(&actor, id, cron.clone()).await?;
            context.out.result(&set, |set| match (&set.cron, set.next_at) {
                (Some(cron), Some(next)) => {
                    format!(
                        "source {id} is fetched again at \"{cron}\" UTC while the server runs; next on {} UTC",
                        day(next)
                    )
                }
                _ => format!("source {id} is no longer fetched by itself"),
            });
        }
    }
    Ok(OK)
}

/// A source for programs.
fn as_json(card: &Card) -> Value {
    let (source, counts) = (&card.source, &card.counts);
    let last = card.last.as_ref().map(|last| {
        json!({
            "id": last.id, "state": last.shown_state(), "at": last.created_at, "error": last.error,
            "warnings": last.warnings,
        })
    });
    let gone: Vec<Value> = card
        .gone
        .iter()
        .map(|gone| json!({ "lesson": gone.lesson, "title": gone.title, "since": gone.since, "reason": gone.reason }))
        .collect();
    let failed: Vec<Value> = card
        .failed
        .iter()
        .map(|(path, failure)| json!({ "path": path, "code": failure.code, "message": failure.message }))
        .collect();
    json!({
        "id": source.id, "kind": source.kind.as_str(), "title": source.title, "origin": source.origin,
        "modules": counts.modules, "lessons": counts.lessons, "documents": counts.documents,
        "unread": counts.failed, "passages": counts.chunks, "bytes": counts.bytes, "last": last,
        "provenance": card.provenance, "vanished": gone, "failed": failed, "cron": source.cron,
        "nextAt": source.next_at, "failures": source.failures, "scheduleNote": source.schedule_note,
    })
}

fn table(cards: &[Card]) -> String {
    if cards.is_empty() {
        return "the course has no source".into();
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["id", "kind", "title", "lessons", "passages", "size", "last run", "state", "next run (UTC)"]);
    for card in cards {
        let last = card.last.as_ref();
        table.add_row([
            card.source.id.to_string(),
            card.source.kind.as_str().to_owned(),
            card.source.title.clone(),
            card.counts.lessons.to_string(),
            card.counts.chunks.to_string(),
            size(card.counts.bytes.unsigned_abs()),
            last.map(|last| day(last.created_at)).unwrap_or_default(),
            last.map(|last| last.shown_state().to_owned()).unwrap_or_default(),
            card.source.next_at.map(day).unwrap_or_default(),
        ]);
    }
    table.to_string()
}

/// A source for people.
fn shown(card: &Card) -> String {
    let (source, counts) = (&card.source, &card.counts);
    let mut text = format!(
        "source {} ({}): {}\n{}\n{} modules, {} lessons, {} documents, {} passages, {}\n",
        source.id,
        source.kind.as_str(),
        source.title,
        source.origin,
        counts.modules,
        counts.lessons,
        counts.documents,
        counts.chunks,
        size(counts.bytes.unsigned_abs())
    );
    for (name, key) in [("licence", "licences"), ("by", "authors")] {
        for said in card.provenance.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            text.push_str(&format!("{name}: {said}\n"));
        }
    }
    if let Some(commit) = card.provenance.get("commit").and_then(Value::as_str) {
        text.push_str(&format!("commit: {commit}\n"));
    }
    if let Some(last) = &card.last {
        text.push_str(&format!("last run {}: {} on {} UTC\n", last.id, last.shown_state(), day(last.created_at)));
        if let Some(error) = &last.error {
            text.push_str(&format!("  {}: {}\n", error.code, error.message));
        }
        for warning in &last.warnings {
            text.push_str(&format!("  warning {}: {}\n", warning.code, warning.message));
        }
    }
    for (path, failure) in &card.failed {
        text.push_str(&format!("could not read {path} ({}: {})\n", failure.code, failure.message));
    }
    for gone in &card.gone {
        text.push_str(&format!("hidden since {} UTC: \"{}\": {}\n", day(gone.since), gone.title, gone.reason));
    }
    if let (Some(cron), Some(next)) = (&source.cron, source.next_at) {
        text.push_str(&format!("fetched again at \"{cron}\" UTC; next on {} UTC\n", day(next)));
    }
    if let Some(note) = &source.schedule_note {
        text.push_str(&format!("{note}\n"));
    }
    text
}
