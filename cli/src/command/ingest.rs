//! `lyceum ingest`: start a run, show each stage, end with the report.

use domain::ingestion::{Outcome, Report, SourceKind};
use ingestion::IngestRequest;

use crate::args::IngestCommand;
use crate::command::Context;
use crate::exit::{FAILED, NOT_FOUND, OK, PARTIAL, Result};

pub(crate) async fn run(context: &Context<'_>, command: &IngestCommand) -> Result<u8> {
    let (kind, path, captions, common) = match command {
        IngestCommand::Dir { path, common } => (SourceKind::Dir, path, None, common),
        IngestCommand::Git { path, common } => (SourceKind::Git, path, None, common),
        IngestCommand::Scorm { path, common } => (SourceKind::Scorm, path, None, common),
        IngestCommand::File { path, common } => (SourceKind::File, path, None, common),
        IngestCommand::Video { path, captions, common } => (SourceKind::Video, path, captions.as_ref(), common),
        IngestCommand::Status { course } => return status(context, course.as_deref()).await,
    };
    let remote = path.contains("://");
    let request = IngestRequest {
        course: common.course.clone(),
        kind,
        origin: if remote { path.clone() } else { context.path(path).display().to_string() },
        captions: captions.map(|file| context.path(file)),
        local: true,
    };
    let actor = context.actor().await?;
    if context.cli.dry_run {
        let plan = context.node.pipeline.plan(&actor, &request).await?;
        context.out.result(&plan, |plan| serde_json::to_string_pretty(plan).unwrap_or_default());
        return Ok(OK);
    }
    let report = run_one(context.node, &actor, request, context.out).await?;
    context.out.result(&report, shown);
    Ok(match (&report.outcome, &report.error) {
        (Outcome::Succeeded, _) => OK,
        (Outcome::Partial, _) => PARTIAL,
        (Outcome::Failed, Some(error)) if error.code == domain::ingestion::failure::NOT_FOUND => NOT_FOUND,
        (Outcome::Failed, _) => FAILED,
    })
}

/// Runs one ingestion to its end and shows its progress.
pub(crate) async fn run_one(
    node: &crate::node::Node,
    actor: &domain::policy::Actor,
    request: IngestRequest,
    out: &crate::out::Out,
) -> Result<Report> {
    let id = node.pipeline.start(actor, request).await?;
    let report = node
        .pipeline
        .wait(actor, id, |progress| {
            let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
            let eta = progress.eta_seconds.map(|seconds| format!("about {seconds:.0} s left")).unwrap_or_default();
            out.progress(&progress.stage, unsigned(progress.done), unsigned(progress.total), eta);
        })
        .await?;
    Ok(report)
}

/// A report as a person reads it.
pub(crate) fn shown(report: &Report) -> String {
    let mut text = format!(
        "{}: course \"{}\" has {} modules, {} lessons, {} passages from this source; {} embedded by this run\n",
        report.outcome.as_str(),
        report.course,
        report.modules,
        report.lessons,
        report.chunks,
        report.embedded
    );
    if let Some(error) = &report.error {
        text.push_str(&format!("{}: {}\n", error.code, error.message));
    }
    for warning in &report.warnings {
        let place = warning.place.as_deref().map(|place| format!(" ({place})")).unwrap_or_default();
        text.push_str(&format!("warning {}: {}{place}\n", warning.code, warning.message));
    }
    for stage in &report.stages {
        text.push_str(&format!("  {:<9} {:<10} {:>7.2} s\n", stage.name, stage.outcome, stage.seconds));
    }
    text
}

async fn status(context: &Context<'_>, course: Option<&str>) -> Result<u8> {
    let actor = context.actor().await?;
    let school = &context.node.school;
    let courses = match course {
        Some(slug) => vec![school.course().by_slug(&actor, actor.institution, slug).await?],
        None => super::course::every(context, &actor).await?,
    };
    let mut runs = Vec::new();
    for course in courses {
        for run in school.ingestion().list(&actor, course.id).await? {
            let error = run.error.as_ref().map(|error| error.code.clone());
            runs.push(serde_json::json!({
                "id": run.id, "course": course.slug, "state": run.state, "stage": run.stage.as_str(),
                "done": run.done, "total": run.total, "error": error,
            }));
        }
    }
    context.out.result(&serde_json::json!({"ingestions": runs}), |_| {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_header(["id", "course", "state", "stage", "done", "of", "error"]);
        for run in &runs {
            let shown =
                |key: &str| run.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            table.add_row(
                ["id", "course", "state", "stage", "done", "total", "error"].map(|key| shown(key).unwrap_or_default()),
            );
        }
        table.to_string()
    });
    Ok(OK)
}
