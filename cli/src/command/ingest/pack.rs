//! `lyceum ingest pack` and `lyceum ingest load`.

use std::path::Path;

use domain::Error;
use domain::ingestion::{Outcome, Report, SourceKind, failure};
use ingestion::pack::{Key, key_named};
use ingestion::{LoadReport, PackReport, Progress};

use crate::args::PackCommand;
use crate::command::Context;
use crate::exit::{FAILED, Failure, OK, PARTIAL, Result};

/// The key of this school that signs packs.
const KEY_FILE: &str = "pack-key";
/// Files that are recordings.
const RECORDINGS: &[&str] =
    &["mp4", "m4v", "mov", "webm", "mkv", "ogv", "ogg", "oga", "opus", "mp3", "m4a", "wav", "flac"];

pub(crate) async fn run(context: &Context<'_>, command: &PackCommand) -> Result<u8> {
    match command {
        PackCommand::Pack { sources, out, rights } => pack(context, sources, &context.path(out), *rights).await,
        PackCommand::Load { file, trust, common } => load(context, &context.path(file), trust, &common.course).await,
    }
}

/// A failure with its typed code in front, as scripts look for it.
fn typed(error: Error) -> Failure {
    let message = format!("{}: {}", error.code, error.message);
    Failure { message, ..Failure::from(error) }
}

fn key_file(context: &Context<'_>) -> std::path::PathBuf {
    context.node.data_dir.join(KEY_FILE)
}

fn failed(failure: domain::ingestion::Failure) -> Failure {
    Failure::new(FAILED, failure.message)
}

async fn pack(context: &Context<'_>, sources: &[String], to: &Path, rights: bool) -> Result<u8> {
    let actor = context.actor().await?;
    let sources: Vec<(SourceKind, String)> = sources.iter().map(|source| place(context, source)).collect();
    let to =
        if context.cli.dry_run { None } else { Some((to.to_owned(), Key::open(&key_file(context)).map_err(failed)?)) };
    let out = context.out.clone();
    let progress = move |at: &Progress| {
        let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
        out.progress(&at.stage, unsigned(at.done), unsigned(at.total), "");
    };
    let packed = context.node.pipeline.pack(&actor, &sources, rights, to, progress).await;
    let report = packed.map_err(typed)?;
    context.out.result(&report, shown);
    let whole = report.sources.iter().all(|source| source.error.is_none() && source.failures.is_empty());
    Ok(if whole { OK } else { PARTIAL })
}

/// Kind and place of a source: named as KIND:PLACE, or told by what it looks like.
fn place(context: &Context<'_>, text: &str) -> (SourceKind, String) {
    let named = text.split_once(':').and_then(|(kind, place)| Some((SourceKind::parse(kind)?, place)));
    let (kind, place) = match named {
        Some((kind, place)) => (Some(kind), place),
        None => (None, text),
    };
    if domain::youtube::Target::parse(place).is_ok() && kind.is_none_or(|kind| kind == SourceKind::Youtube) {
        return (SourceKind::Youtube, place.to_owned());
    }
    if kind.is_none_or(|kind| kind == SourceKind::Git)
        && !context.path(place).exists()
        && let Some(address) = ingestion::source::github_address(place)
    {
        return (SourceKind::Git, address);
    }
    if place.contains("://") {
        return (kind.unwrap_or(SourceKind::Git), place.to_owned());
    }
    let path = context.path(place);
    let kind = kind.unwrap_or_else(|| {
        let end = path.extension().map(|end| end.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        if path.is_dir() {
            let repository =
                path.join(".git").exists() || (path.join("HEAD").is_file() && path.join("objects").is_dir());
            if repository { SourceKind::Git } else { SourceKind::Dir }
        } else if end == "bundle" {
            SourceKind::Git
        } else if RECORDINGS.contains(&end.as_str()) {
            SourceKind::Video
        } else {
            SourceKind::File
        }
    });
    (kind, path.display().to_string())
}

fn shown(report: &PackReport) -> String {
    let mut text = String::new();
    for source in &report.sources {
        let kind = source.kind.as_str();
        match &source.error {
            Some(error) => {
                text.push_str(&format!("not packed: {kind} {}\n  {}: {}\n", source.origin, error.code, error.message))
            }
            None => text.push_str(&format!("{kind} {}: {} documents\n", source.origin, source.documents)),
        }
        for (path, failure) in &source.failures {
            text.push_str(&format!("  not read: {path} ({}: {})\n", failure.code, failure.message));
        }
        for warning in &source.warnings {
            text.push_str(&format!("  warning {}: {}\n", warning.code, warning.message));
        }
    }
    let size = report.bytes as f64 / 1e6;
    match &report.file {
        Some(file) => text.push_str(&format!("wrote {} ({} files, {size:.1} MB)\n", file.display(), report.files)),
        None => text.push_str(&format!("would write {} files, {size:.1} MB\n", report.files)),
    }
    if let (Some(file), Some(key)) = (&report.file, &report.key) {
        text.push_str(&format!(
            "signed by {key}\non the other machine: lyceum ingest load {} --course SLUG --trust {key}\n",
            file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default()
        ));
    }
    text
}

async fn load(context: &Context<'_>, file: &Path, trust: &[String], course: &str) -> Result<u8> {
    let actor = context.actor().await?;
    let own = key_file(context);
    let mut trusted = Vec::new();
    if own.exists() {
        trusted.push(Key::open(&own).map_err(failed)?.name());
    }
    for key in trust.iter().chain(&context.node.config.pack_trust) {
        let named = key_named(key).ok_or_else(|| {
            Failure::usage(format!(
                "\"{key}\" is no key; give it as \"ingest pack\" printed it: ed25519: and 64 digits"
            ))
        })?;
        trusted.push(named);
    }
    let unsigned = |count: i64| u64::try_from(count).unwrap_or_default();
    let progress = |at: &Progress| context.out.progress(&at.stage, unsigned(at.done), unsigned(at.total), "");
    let pipeline = &context.node.pipeline;
    let loaded = pipeline.load(&actor, course, file, trusted, context.cli.dry_run, progress).await.map_err(typed)?;
    let mut reports: Vec<Report> = Vec::new();
    for id in &loaded.ingestions {
        reports.push(pipeline.wait(&actor, *id, progress).await?);
    }
    context.out.result(&serde_json::json!({ "pack": loaded, "reports": reports }), |_| {
        told(&loaded, &reports, context.cli.dry_run)
    });
    let succeeded = reports.iter().filter(|report| report.outcome == Outcome::Succeeded).count();
    let failed = reports.iter().filter(|report| report.outcome == Outcome::Failed).count();
    Ok(if succeeded == reports.len() {
        OK
    } else if failed == reports.len() {
        FAILED
    } else {
        PARTIAL
    })
}

fn told(loaded: &LoadReport, reports: &[Report], dry: bool) -> String {
    let mut text = format!("signed by {}, written by {}\n", loaded.key, loaded.program);
    let checked = if dry { "checked" } else { "loaded" };
    text.push_str(&format!(
        "{checked} {} files, {:.1} MB; {} were here before\n",
        loaded.files,
        loaded.bytes as f64 / 1e6,
        loaded.known
    ));
    for (kind, origin, documents) in &loaded.sources {
        text.push_str(&format!("{} {origin}: {documents} documents\n", kind.as_str()));
    }
    reports.iter().for_each(|report| text.push_str(&super::shown(report)));
    let damaged = |report: &&Report| report.error.as_ref().is_some_and(|error| error.code == failure::PACK_DAMAGED);
    if reports.iter().any(|report| damaged(&report)) {
        text.push_str("run the same command again\n");
    }
    text
}
