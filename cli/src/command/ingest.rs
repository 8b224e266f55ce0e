//! `lyceum ingest`: plan or start a run, show each stage, end with the report.

mod control;
mod pack;

use domain::ingestion::{Crawl, Outcome, Report, SourceKind};
use ingestion::IngestRequest;

use crate::args::{IngestCommand, IngestSource};
use crate::command::Context;
use crate::exit::{FAILED, NOT_FOUND, OK, PARTIAL, Result};

pub(crate) async fn run(context: &Context<'_>, command: &IngestCommand) -> Result<u8> {
    match command {
        IngestCommand::Source(source) if context.cli.dry_run => plan(context, source).await,
        IngestCommand::Plan(source) => plan(context, source).await,
        IngestCommand::Offline(command) => pack::run(context, command).await,
        IngestCommand::Source(source) => {
            let request = request(context, source)?;
            let report = run_one(context.node, &context.actor().await?, request, context.out).await?;
            Ok(end(context, &report))
        }
        IngestCommand::Status { id: Some(id), watch, .. } => control::status(context, id.parse()?, *watch).await,
        IngestCommand::Status { id: None, course, .. } => control::statuses(context, course.as_deref()).await,
        IngestCommand::Pause { id } => control::change(context, control::Change::Pause, id.parse()?, true).await,
        IngestCommand::Resume { id, detach } => {
            control::change(context, control::Change::Resume, id.parse()?, *detach).await
        }
        IngestCommand::Retry { id, detach } => {
            control::change(context, control::Change::Retry, id.parse()?, *detach).await
        }
        IngestCommand::Cancel { id } => control::change(context, control::Change::Cancel, id.parse()?, true).await,
        IngestCommand::Limits { stored, runs } => control::limits(context, stored.as_deref(), runs.as_deref()).await,
    }
}

/// Prints a report; its outcome as the exit code.
pub(crate) fn end(context: &Context<'_>, report: &Report) -> u8 {
    context.out.result(report, shown);
    match (&report.outcome, &report.error) {
        (Outcome::Succeeded, _) => OK,
        (Outcome::Partial, _) => PARTIAL,
        (Outcome::Failed, Some(error)) if error.code == domain::ingestion::failure::NOT_FOUND => NOT_FOUND,
        (Outcome::Failed, _) => FAILED,
    }
}

/// What the command line asks for.
fn request(context: &Context<'_>, source: &IngestSource) -> Result<IngestRequest> {
    let mut address = None;
    let (mut captions, mut rights, mut crawl) = (None, false, Crawl::default());
    let (kind, path, common) = match source {
        IngestSource::Dir { path, common } => (SourceKind::Dir, path.as_str(), common),
        IngestSource::Git { path, common } => (SourceKind::Git, path.as_str(), common),
        IngestSource::Scorm { path, common } => (SourceKind::Scorm, path.as_str(), common),
        IngestSource::File { path, common } => (SourceKind::File, path.as_str(), common),
        IngestSource::Video { path, captions: file, common } => {
            captions = file.as_ref();
            (SourceKind::Video, path.as_str(), common)
        }
        IngestSource::Youtube { address: given, id, rights: asserted, common } => {
            rights = *asserted;
            address = Some(match id {
                Some(id) => video(id)?,
                None => given.clone().unwrap_or_default(),
            });
            (SourceKind::Youtube, "", common)
        }
        IngestSource::VideoPage { address: given, rights: asserted, common } => {
            rights = *asserted;
            address = Some(given.clone());
            (SourceKind::VideoPage, "", common)
        }
        IngestSource::Web { address: given, site, max_pages, depth, common } => {
            crawl = Crawl { site: *site, max_pages: *max_pages, depth: *depth };
            if !(1..=Crawl::MOST_PAGES).contains(max_pages) || *depth > Crawl::DEEPEST {
                let message = format!("--max-pages is 1 to {} and --depth 0 to {}", Crawl::MOST_PAGES, Crawl::DEEPEST);
                return Err(crate::exit::Failure::usage(message));
            }
            address = Some(given.clone());
            (SourceKind::Web, "", common)
        }
        IngestSource::Cartridge { path, common } => (SourceKind::Cartridge, path.as_str(), common),
        IngestSource::Qti { path, common } => (SourceKind::Qti, path.as_str(), common),
        IngestSource::H5p { path, common } => (SourceKind::H5p, path.as_str(), common),
        IngestSource::Cmi5 { path, common } => (SourceKind::Cmi5, path.as_str(), common),
    };
    if kind == SourceKind::Git && !context.path(path).exists() {
        address = ingestion::source::github_address(path);
    }
    let remote = path.contains("://");
    let place = || if remote { path.to_owned() } else { context.path(path).display().to_string() };
    Ok(IngestRequest {
        course: common.course.clone(),
        kind,
        origin: address.unwrap_or_else(place),
        captions: captions.map(|file| context.path(file)),
        local: true,
        rights,
        crawl,
    })
}

/// What a run would do.
async fn plan(context: &Context<'_>, source: &IngestSource) -> Result<u8> {
    let request = request(context, source)?;
    let plan = context.node.pipeline.plan(&context.actor().await?, &request).await?;
    context.out.result(&plan, planned);
    Ok(OK)
}

/// A plan as a person reads it.
fn planned(plan: &ingestion::Plan) -> String {
    let changes = &plan.changes;
    let lessons: usize = plan.modules.iter().map(|module| module.lessons.len()).sum();
    let mut text = format!(
        "{}: {} documents, {}, {} modules with {lessons} lessons, about {:.0} passages, {} questions; nothing was written\n",
        plan.title,
        plan.documents,
        size(plan.bytes),
        plan.modules.len(),
        plan.passages,
        plan.questions
    );
    text.push_str(&if changes.nothing {
        "nothing has changed: a run would end after looking\n".to_owned()
    } else {
        format!(
            "{} new, {} changed, {} unchanged, {} tried again, {} no longer there (their lessons would be hidden)\n",
            changes.new, changes.changed, changes.unchanged, changes.again, changes.vanished
        )
    });
    text.push_str(&format!("about {} ({})\n", time(plan.estimate.seconds), plan.estimate.basis));
    for (stage, seconds) in &plan.stages {
        text.push_str(&format!("  {stage:<9} {:>10}\n", time(*seconds)));
    }
    let free = plan.disk.free.map_or_else(|| "unknown".into(), size);
    let fits = if plan.disk.enough { "it fits" } else { "it does not fit: free space first" };
    text.push_str(&format!(
        "disk: about {} needed, {free} free, {} kept back; {fits}\n",
        size(plan.disk.needed),
        size(plan.disk.reserve)
    ));
    for warning in &plan.warnings {
        text.push_str(&format!("warning {}: {}\n", warning.code, warning.message));
    }
    for (path, failure) in &plan.failures {
        text.push_str(&format!("cannot read {path} ({}: {})\n", failure.code, failure.message));
    }
    text
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rounded figure")]
    let mib = bytes as f64 / f64::from(1 << 20);
    match mib {
        mib if mib >= 1024.0 => format!("{:.1} GiB", mib / 1024.0),
        mib if mib >= 1.0 => format!("{mib:.1} MiB"),
        mib => format!("{:.1} KiB", mib * 1024.0),
    }
}

/// Seconds as people read them.
pub(crate) fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds >= 5_400.0 => format!("{:.1} h", seconds / 3_600.0),
        seconds if seconds >= 90.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{seconds:.1} s"),
    }
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
    follow(node, actor, id, out).await
}

/// Follows a run to its end and shows its progress.
pub(crate) async fn follow(
    node: &crate::node::Node,
    actor: &domain::policy::Actor,
    id: domain::IngestionId,
    out: &crate::out::Out,
) -> Result<Report> {
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
