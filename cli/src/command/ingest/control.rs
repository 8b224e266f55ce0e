//! Runs as an operator handles them: watch, hold, resume, try again, call off, limits.

use std::time::Duration;

use domain::IngestionId;
use school::ingestion::control::Status;
use serde_json::{Value, json};
use store::sql::institution::IngestLimits;

use super::{end, follow, size, time};
use crate::command::{Context, day};
use crate::exit::{Failure, OK, Result};

/// How often a watched run is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What is done with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Pause,
    Resume,
    Retry,
    Cancel,
}

impl Change {
    fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Cancel => "cancel",
        }
    }
}

/// Holds, resumes, repeats or calls off a run, and follows one that goes on.
pub(super) async fn change(context: &Context<'_>, change: Change, id: IngestionId, detach: bool) -> Result<u8> {
    let actor = context.actor().await?;
    let runs = context.node.school.ingestion();
    if context.cli.dry_run {
        let status = runs.status(&actor, id).await?;
        let can = status.actions.contains(&change.name());
        let answer = json!({ "id": id, "action": change.name(), "possible": can, "state": status.run.shown_state() });
        context.out.result(&answer, |_| {
            let would = if can { "would be done" } else { "is not possible now" };
            format!("{} of run {id} {would}: it is {}", change.name(), status.run.shown_state())
        });
        return Ok(OK);
    }
    let changed = match change {
        Change::Pause => runs.pause(&actor, id).await?,
        Change::Resume => runs.resume(&actor, id).await?,
        Change::Retry => runs.retry(&actor, id).await?,
        Change::Cancel => runs.cancel(&actor, id).await?,
    };
    if detach {
        context.out.result(&changed, |changed| format!("run {}: {}", changed.id, changed.message));
        return Ok(OK);
    }
    context.out.note(format!("run {}: {}", changed.id, changed.message));
    let report = follow(context.node, &actor, changed.id, context.out).await?;
    Ok(end(context, &report))
}

/// One run, once or until it ends.
pub(super) async fn status(context: &Context<'_>, id: IngestionId, watch: bool) -> Result<u8> {
    let actor = context.actor().await?;
    let runs = context.node.school.ingestion();
    let mut last = Value::Null;
    let mut waited = String::new();
    loop {
        let status = runs.status(&actor, id).await?;
        let over = status.run.state != "running" || status.run.held.is_some() || status.actions.contains(&"retry");
        if !watch || over {
            context.out.result(&as_json(&status), |_| shown(&status));
            return Ok(if watch { status.run.report().map_or(OK, |report| code(&report)) } else { OK });
        }
        if context.out.json() {
            let key = json!([status.run.stage.as_str(), status.run.done, status.run.total, status.waiting]);
            if key != last {
                last = key;
                context.out.object(&as_json(&status));
            }
        } else {
            let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
            let left = status.left.as_ref().map(|left| format!("about {} left in all", time(left.seconds)));
            let run = &status.run;
            context.out.progress(run.stage.as_str(), unsigned(run.done), unsigned(run.total), left.unwrap_or_default());
            let waiting =
                status.waiting.as_ref().map(|waiting| format!("waiting {}: {}", waiting.code, waiting.message));
            let waiting = waiting.unwrap_or_default();
            if waiting != waited && !waiting.is_empty() {
                context.out.note(waiting.clone());
            }
            waited = waiting;
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn code(report: &domain::ingestion::Report) -> u8 {
    match report.outcome {
        domain::ingestion::Outcome::Succeeded => OK,
        domain::ingestion::Outcome::Partial => crate::exit::PARTIAL,
        domain::ingestion::Outcome::Failed => crate::exit::FAILED,
    }
}

/// A run for programs.
pub(crate) fn as_json(status: &Status) -> Value {
    let run = &status.run;
    let failed: Vec<Value> = status
        .failed
        .iter()
        .map(|(path, failure)| json!({ "path": path, "code": failure.code, "message": failure.message }))
        .collect();
    json!({
        "id": run.id, "course": run.course, "source": run.source_id, "state": run.shown_state(),
        "stage": run.stage.as_str(), "done": run.done, "total": run.total, "documents": run.documents,
        "bytes": run.bytes, "modules": run.modules, "lessons": run.lessons, "chunks": run.chunks,
        "embedded": run.embedded, "stages": run.stages, "elapsedSeconds": status.elapsed_seconds,
        "left": status.left, "waiting": status.waiting, "error": run.error, "warnings": run.warnings,
        "failed": failed, "actions": status.actions,
    })
}

/// A run for people.
fn shown(status: &Status) -> String {
    let run = &status.run;
    let mut text = format!(
        "run {}: {} in course \"{}\", source {}, since {} UTC\n",
        run.id,
        run.shown_state(),
        run.course,
        run.source_id,
        day(run.created_at)
    );
    if run.state == "running" {
        let left =
            status.left.as_ref().map(|left| format!(", about {} left in all ({})", time(left.seconds), left.basis));
        text.push_str(&format!(
            "stage {}: {} of {}{}\n",
            run.stage.as_str(),
            run.done,
            run.total,
            left.unwrap_or_default()
        ));
    } else {
        text.push_str(&format!(
            "{} modules, {} lessons, {} passages from this source; {} embedded by this run\n",
            run.modules, run.lessons, run.chunks, run.embedded
        ));
    }
    if let Some(waiting) = &status.waiting {
        let until = waiting.until.map(|until| format!("; tried again at {} UTC", day(until))).unwrap_or_default();
        text.push_str(&format!("waiting {}: {}{until}\n", waiting.code, waiting.message));
    }
    if let Some(error) = &run.error {
        text.push_str(&format!("{}: {}\n", error.code, error.message));
    }
    for stage in &run.stages {
        text.push_str(&format!("  {:<9} {:<10} {:>10}\n", stage.name, stage.outcome, time(stage.seconds)));
    }
    for (path, failure) in &status.failed {
        text.push_str(&format!("could not read {path} ({}: {})\n", failure.code, failure.message));
    }
    for warning in &run.warnings {
        text.push_str(&format!("warning {}: {}\n", warning.code, warning.message));
    }
    for action in &status.actions {
        text.push_str(&format!("possible now: lyceum ingest {action} {}\n", run.id));
    }
    text
}

/// The latest runs of one course or of all.
pub(super) async fn statuses(context: &Context<'_>, course: Option<&str>) -> Result<u8> {
    let actor = context.actor().await?;
    let school = &context.node.school;
    let courses = match course {
        Some(slug) => vec![school.course().by_slug(&actor, actor.institution, slug).await?],
        None => crate::command::course::every(context, &actor).await?,
    };
    let mut runs = Vec::new();
    for course in courses {
        runs.extend(school.ingestion().statuses(&actor, course.id).await?);
    }
    let all: Vec<Value> = runs.iter().map(as_json).collect();
    context.out.result(&json!({ "ingestions": all }), |_| {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_header(["id", "course", "state", "stage", "done", "of", "left", "why"]);
        for status in &runs {
            let run = &status.run;
            let left = status.left.as_ref().map(|left| time(left.seconds)).unwrap_or_default();
            let why = status.waiting.as_ref().map(|waiting| waiting.code.clone());
            let why = why.or_else(|| run.error.as_ref().map(|error| error.code.clone())).unwrap_or_default();
            table.add_row([
                run.id.to_string(),
                run.course.clone(),
                run.shown_state().to_owned(),
                run.stage.as_str().to_owned(),
                run.done.to_string(),
                run.total.to_string(),
                left,
                why,
            ]);
        }
        table.to_string()
    });
    Ok(OK)
}

/// Shows or sets what the institution may store and run at once.
pub(super) async fn limits(context: &Context<'_>, stored: Option<&str>, runs: Option<&str>) -> Result<u8> {
    let actor = context.actor().await?;
    let sources = context.node.school.source();
    let (known, bytes) = sources.limits(&actor, actor.institution).await?;
    let mut limits = known;
    if let Some(text) = stored {
        limits.stored_bytes = none_or(text, bytes_of)?;
    }
    if let Some(text) = runs {
        limits.runs = none_or(text, |text| text.parse().ok())?;
    }
    if limits != known && !context.cli.dry_run {
        limits = sources.set_limits(&actor, actor.institution, limits).await?;
    }
    let answer = json!({ "storedBytes": limits.stored_bytes, "runs": limits.runs, "storedNow": bytes });
    context.out.result(&answer, |_| {
        let IngestLimits { stored_bytes, runs } = limits;
        let most = stored_bytes.map_or_else(|| "without limit".into(), |most| size(most.unsigned_abs()));
        let runs = runs.map_or_else(|| "any number".into(), |runs| runs.to_string());
        format!("stored {} of {most}; {runs} of runs at once", size(bytes.unsigned_abs()))
    });
    Ok(OK)
}

fn none_or<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
    if text == "none" {
        return Ok(None);
    }
    let wrong = || Failure::usage(format!("\"{text}\" is no limit: a number, a size such as 20GiB, or none"));
    read(text).map(Some).ok_or_else(wrong)
}

/// `500MiB`, `20GB` or a number of bytes.
fn bytes_of(text: &str) -> Option<i64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: i64 = text.get(..end)?.parse().ok()?;
    let unit = match text.get(end..)?.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return None,
    };
    number.checked_mul(unit)
}
