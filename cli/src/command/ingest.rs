//! `lyceum ingest`: start a run, show each stage, end with the report.

mod pack;

use domain::ingestion::{Outcome, Report, SourceKind};
use ingestion::IngestRequest;

use crate::args::IngestCommand;
use crate::command::Context;
use crate::exit::{FAILED, NOT_FOUND, OK, PARTIAL, Result};

pub(crate) async fn run(context: &Context<'_>, command: &IngestCommand) -> Result<u8> {
    let mut address = None;
    let (mut captions, mut rights) = (None, false);
    let (kind, path, common) = match command {
        IngestCommand::Dir { path, common } => (SourceKind::Dir, path.as_str(), common),
        IngestCommand::Git { path, common } => (SourceKind::Git, path.as_str(), common),
        IngestCommand::Scorm { path, common } => (SourceKind::Scorm, path.as_str(), common),
        IngestCommand::File { path, common } => (SourceKind::File, path.as_str(), common),
        IngestCommand::Video { path, captions: file, common } => {
            captions = file.as_ref();
            (SourceKind::Video, path.as_str(), common)
        }
        IngestCommand::Youtube { address: given, id, rights: asserted, common } => {
            rights = *asserted;
            address = Some(match id {
                Some(id) => video(id)?,
                None => given.clone().unwrap_or_default(),
            });
            (SourceKind::Youtube, "", common)
        }
        IngestCommand::VideoPage { address: given, rights: asserted, common } => {
            rights = *asserted;
            address = Some(given.clone());
            (SourceKind::VideoPage, "", common)
        }
        IngestCommand::Cartridge { path, common } => (SourceKind::Cartridge, path.as_str(), common),
        IngestCommand::Qti { path, common } => (SourceKind::Qti, path.as_str(), common),
        IngestCommand::H5p { path, common } => (SourceKind::H5p, path.as_str(), common),
        IngestCommand::Cmi5 { path, common } => (SourceKind::Cmi5, path.as_str(), common),
        IngestCommand::Offline(command) => return pack::run(context, command).await,
        IngestCommand::Status { course } => return status(context, course.as_deref()).await,
    };
    if kind == SourceKind::Git && !context.path(path).exists() {
        address = ingestion::source::github_address(path);
    }
    let remote = path.contains("://");
    let place = || if remote { path.to_owned() } else { context.path(path).display().to_string() };
    let request = IngestRequest {
        course: common.course.clone(),
        kind,
        origin: address.unwrap_or_else(place),
        captions: captions.map(|file| context.path(file)),
        local: true,
        rights,
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

/// The address of a video, made from its bare id.
fn video(id: &str) -> Result<String> {
    let target = domain::youtube::Target::video(id);
    target.map(|target| target.url()).map_err(crate::exit::Failure::usage)
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
