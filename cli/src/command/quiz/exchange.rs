//! Question banks as files, out and in; what a format cannot hold is named.

use std::path::Path;

use domain::question::Draft;
use domain::question::State;
use domain::question::exchange::{self, Format, Loss};
use serde_json::json;

use crate::command::Context;
use crate::exit::{Failure, NOT_FOUND, OK, PARTIAL, Result};

pub(super) async fn export(
    context: &Context<'_>,
    course: &str,
    format: &str,
    state: Option<&str>,
    file: Option<&Path>,
) -> Result<u8> {
    let actor = context.actor().await?;
    let format = Format::parse(format).ok_or_else(|| unknown(format))?;
    let course = context.node.school.course().by_slug(&actor, actor.institution, course).await?;
    let bank = context.node.school.question().bank(&actor, course.id, state.and_then(State::parse)).await?;
    let drafts: Vec<Draft> = bank.into_iter().map(|question| question.draft).collect();
    let written = exchange::write(format, &drafts);
    match file {
        Some(file) => {
            let path = context.path(file);
            std::fs::write(&path, &written.text)?;
            let counts = json!({ "questions": drafts.len(), "file": path.display().to_string() });
            context.out.result(&with_losses(counts, &written.losses), |_| {
                format!("{} questions in \"{}\"", drafts.len(), path.display())
            });
        }
        None => {
            let found = json!({ "questions": drafts.len(), "text": written.text });
            context.out.result(&with_losses(found, &written.losses), |_| written.text.clone());
        }
    }
    Ok(name(context, &written.losses))
}

pub(super) async fn import(context: &Context<'_>, file: &Path, course: &str, format: Option<&str>) -> Result<u8> {
    let actor = context.actor().await?;
    let path = context.path(file);
    let by_name = path.extension().and_then(|end| end.to_str()).unwrap_or_default();
    // The XML of questions that other programs write is QTI.
    let by_name = if by_name.eq_ignore_ascii_case("xml") { "qti" } else { by_name };
    let wanted = format.unwrap_or(by_name);
    let format = Format::parse(wanted).ok_or_else(|| unknown(wanted))?;
    let course = context.node.school.course().by_slug(&actor, actor.institution, course).await?;
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Failure::new(NOT_FOUND, format!("cannot read \"{}\": {error}", path.display())))?;
    let read = exchange::read(format, &text)?;
    let (count, mut losses) = (read.drafts.len(), read.losses);
    let mut ids = Vec::new();
    if !context.cli.dry_run && count > 0 {
        let (made, elsewhere) = context.node.school.question().import(&actor, course.id, read.drafts).await?;
        ids = made.into_iter().map(|question| question.id).collect();
        if elsewhere > 0 {
            let what = format!("{elsewhere} questions named a lesson that this course does not have");
            losses.push(Loss { place: path.display().to_string(), what });
        }
    }
    let found = json!({ "dryRun": context.cli.dry_run, "questions": count, "ids": ids });
    context.out.result(&with_losses(found, &losses), |_| {
        let verb = if context.cli.dry_run { "would be drafts" } else { "are drafts now" };
        format!("{count} questions {verb} in {}", course.slug)
    });
    Ok(name(context, &losses))
}

fn unknown(format: &str) -> Failure {
    let known: Vec<&str> = Format::ALL.iter().map(|format| format.as_str()).collect();
    Failure::usage(format!("\"{format}\" is no format of questions; name one with --format ({})", known.join(", ")))
}

fn with_losses(mut found: serde_json::Value, losses: &[Loss]) -> serde_json::Value {
    let losses: Vec<_> = losses.iter().map(|loss| json!({ "place": loss.place, "what": loss.what })).collect();
    found["losses"] = json!(losses);
    found
}

/// Names each loss; with one the command did its work in part.
fn name(context: &Context<'_>, losses: &[Loss]) -> u8 {
    for loss in losses.iter().filter(|_| !context.out.json()) {
        context.out.note(format!("lost: {}: {}", loss.place, loss.what));
    }
    if losses.is_empty() { OK } else { PARTIAL }
}
