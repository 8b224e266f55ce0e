//! SCORM packages at the command line: what came of them, and what they set.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use domain::scorm::attempt::Scored;
use domain::{ScormAttemptId, UserId};
use school::scorm::{SCORE_SOURCE, Trace};
use serde_json::json;

use crate::args::ScormCommand;
use crate::command::{Context, day};
use crate::exit::{FAILED, OK, Result};

/// Attempts read at a time.
const PAGE: i64 = 200;

pub(crate) async fn run(context: &Context<'_>, command: &ScormCommand) -> Result<u8> {
    match command {
        ScormCommand::Results { course } => results(context, course).await,
        ScormCommand::Trace { attempt, replay } => trace(context, attempt.parse()?, *replay).await,
    }
}

async fn results(context: &Context<'_>, course: &str) -> Result<u8> {
    let school = &context.node.school;
    let actor = context.actor().await?;
    let course = school.course().by_slug(&actor, actor.institution, course).await?;
    let mut all: Vec<Scored> = Vec::new();
    loop {
        let after = all.last().map(|last| last.attempt_id);
        let page = school.scorm().results(&actor, course.id, after, PAGE).await?.attempts;
        let full = i64::try_from(page.len()).is_ok_and(|count| count >= PAGE);
        all.extend(page);
        if !full {
            break;
        }
    }
    let mut names: BTreeMap<UserId, String> = BTreeMap::new();
    for one in &all {
        if let Entry::Vacant(entry) = names.entry(one.user_id) {
            // Who may not look at users sees their ids.
            let name = school.user().get(&actor, one.user_id).await.map(|profile| profile.user.username);
            entry.insert(name.unwrap_or_else(|_| one.user_id.to_string()));
        }
    }
    context.out.result(&json!({ "scoreSource": SCORE_SOURCE, "attempts": all }), |_| {
        if all.is_empty() {
            return format!("nobody has opened a SCORM package of {} yet", course.slug);
        }
        format!("{}\nscores are the packages' own word ({SCORE_SOURCE})", table(&all, &names))
    });
    Ok(OK)
}

fn table(all: &[Scored], names: &BTreeMap<UserId, String>) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["attempt", "learner", "item", "no", "completion", "success", "score", "time", "changed"]);
    for one in all {
        let score = match (one.raw, one.scaled) {
            (Some(raw), _) => raw.to_string(),
            (None, Some(scaled)) => format!("{:.0} %", scaled * 100.0),
            (None, None) => "-".into(),
        };
        let seconds = one.total_time_seconds;
        table.add_row([
            one.attempt_id.to_string(),
            names.get(&one.user_id).cloned().unwrap_or_default(),
            one.item.clone(),
            one.number.to_string(),
            one.completion.as_str().into(),
            one.success.as_str().into(),
            score,
            format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
            day(one.updated_at),
        ]);
    }
    table
}

async fn trace(context: &Context<'_>, id: ScormAttemptId, replay: bool) -> Result<u8> {
    let actor = context.actor().await?;
    let trace = context.node.school.scorm().trace(&actor, id).await?;
    if replay {
        let verdict = json!({
            "attempt": id, "commits": trace.commits.len(), "complete": trace.complete, "agrees": trace.agrees,
        });
        context.out.result(&verdict, |_| self::verdict(&trace));
    } else {
        context.out.result(&trace, |trace| format!("{}{}", shown(trace), self::verdict(trace)));
    }
    Ok(if replay && trace.agrees == Some(false) { FAILED } else { OK })
}

fn verdict(trace: &Trace) -> String {
    match trace.agrees {
        Some(true) => format!("replaying {} batches leads to what is stored", trace.commits.len()),
        Some(false) => format!("replaying {} batches does NOT lead to what is stored", trace.commits.len()),
        None => "the oldest batches were dropped for their size, so nothing can be replayed".into(),
    }
}

fn shown(trace: &Trace) -> String {
    let mut text = String::new();
    for commit in &trace.commits {
        let refused = &commit.outcome.refused;
        let end = if commit.terminated { ", ends the session" } else { "" };
        let _ = writeln!(text, "{} session {} batch {}{end}", day(commit.at), commit.revision, commit.sequence);
        for (index, set) in commit.values.iter().enumerate() {
            let why = refused.iter().find(|one| one.index == index);
            let why = why.map_or_else(String::new, |one| format!("   refused {}: {}", one.code, one.message));
            // A script's value is shown as one line, without what acts on a terminal.
            let value: String = set.value.chars().take(120).map(|c| if c.is_control() { ' ' } else { c }).collect();
            let more = if set.value.chars().count() > 120 { "…" } else { "" };
            let element: String = set.element.chars().filter(|c| !c.is_control()).take(120).collect();
            let _ = writeln!(text, "  {element} = {value}{more}{why}");
        }
    }
    text
}
