//! `lyceum model`: the catalogue, fetching, checking and trying models.

use llm_worker::cache::FileState;
use llm_worker::probe::model::{Outcome, Report};
use llm_worker::{Catalog, probe, pull};

use crate::args::ModelCommand;
use crate::config::Config;
use crate::exit::{FAILED, Failure, OK, Result};
use crate::out::Out;

impl From<llm_worker::Error> for Failure {
    fn from(error: llm_worker::Error) -> Self {
        Self::new(FAILED, error.to_string())
    }
}

pub(crate) async fn run(command: &ModelCommand, config: &Config, dry_run: bool, out: &Out) -> Result<u8> {
    let cache = crate::models::cache(config);
    let catalog = Catalog::built_in()?;
    match command {
        ModelCommand::List => list(&pull::files(&cache, &catalog, false)?, out),
        ModelCommand::Verify => {
            let files = pull::files(&cache, &catalog, true)?;
            list(&files, out);
            let bad =
                files.iter().filter(|file| !matches!(file.state, FileState::Verified | FileState::Missing)).count();
            if bad > 0 {
                return Err(Failure::new(
                    FAILED,
                    format!("{bad} files are not what the catalogue says; remove them and run: lyceum model pull"),
                ));
            }
        }
        ModelCommand::Pull { alias } => {
            let alias = alias.as_deref().unwrap_or("minilm");
            if dry_run {
                list(&pull::files(&cache, &catalog, false)?, out);
                return Ok(OK);
            }
            let shown = out.clone();
            let progress =
                move |what: &str, done: u64, total: u64| shown.progress(what, done, total.max(done), "bytes");
            let report = pull::pull(&cache, &catalog, alias, &progress).await?;
            out.result(&report, |report| {
                let mut text = format!("models in {}\n", cache.root().display());
                for (file, origin) in &report.files {
                    text.push_str(&format!("  {file}  {}\n", format!("{origin:?}").to_lowercase()));
                }
                for note in &report.notes {
                    text.push_str(&format!("  note: {note}\n"));
                }
                text
            });
        }
        ModelCommand::Probe { model } => {
            let probed = probe::probe(&cache, &catalog).await?;
            let wanted = |id: &str| model.as_deref().is_none_or(|model| id.starts_with(model));
            let shown: Vec<_> = probed
                .iter()
                .filter(|one| one.outcome.as_ref().map_or(true, |measured| wanted(&measured.model)))
                .collect();
            let servers = servers(config, &wanted, out).await?;
            out.result(&serde_json::json!({"probes": shown, "servers": servers}), |_| {
                let mut text = String::new();
                for one in &shown {
                    let engine = format!("{:?} {:?}", one.engine, one.precision).to_lowercase();
                    text.push_str(&match &one.outcome {
                        Ok(found) => format!(
                            "{engine:<12} {:<26} query {:.1} ms, {:.0} sentences/s, {:.1} passages/s, agreement {:.6}\n",
                            found.model, found.query_ms, found.sentences_per_second, found.chunks_per_second, found.agreement
                        ),
                        Err(reason) => format!("{engine:<12} not usable: {reason}\n"),
                    });
                }
                for (server, report) in &servers {
                    text.push_str(&format!("{server:<12} {}\n", found(report)));
                }
                text
            });
        }
    }
    Ok(OK)
}

/// Tries every model of the servers that the configuration names.
async fn servers(config: &Config, wanted: &dyn Fn(&str) -> bool, out: &Out) -> Result<Vec<(String, Report)>> {
    let mut reports = Vec::new();
    for upstream in &config.upstream {
        let backend = llm_worker::upstream::open(upstream)?;
        if let Err(error) = backend.refresh().await {
            out.note(format!("the model server \"{}\" cannot be asked: {error:?}", upstream.name));
        }
        for model in backend.models().iter().filter(|model| wanted(&model.id)) {
            out.note(format!("trying {} of {}", model.id, upstream.name));
            reports.push((upstream.name.clone(), probe::model::probe(&backend, model).await));
        }
    }
    Ok(reports)
}

/// One line about a model of a server.
fn found(report: &Report) -> String {
    let said = |outcome: &Outcome| match outcome {
        Outcome::Works => "yes".to_owned(),
        Outcome::Wrong { reason } => format!("wrong ({reason})"),
        Outcome::Refused { .. } => "no".to_owned(),
        Outcome::Failed { reason } => format!("failed ({reason})"),
        Outcome::TimedOut => "no answer in time".to_owned(),
        Outcome::NotTried => "not tried".to_owned(),
    };
    let (model, abilities) = (&report.model, &report.model.abilities);
    let number =
        |value: Option<u32>, unit: &str| value.map_or_else(|| "-".to_owned(), |value| format!("{value} {unit}"));
    format!(
        "{:<26} answers {}, tools {}, schema {}, schema with thinking {}, context {}, {}, load {}",
        model.id,
        said(&report.answers),
        said(&report.tools),
        said(&report.schema),
        said(&report.schema_thinking),
        model.max_tokens.map_or_else(|| "-".to_owned(), |tokens| tokens.to_string()),
        number(abilities.tokens_per_second, "tokens/s"),
        number(abilities.load_ms, "ms"),
    )
}

fn list(files: &[pull::Listed], out: &Out) {
    out.result(&serde_json::json!({"files": files}), |_| {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING).set_header(["model", "file", "MB", "licence", "state"]);
        for file in files {
            table.add_row([
                file.owner.clone(),
                file.file.clone(),
                format!("{:.1}", megabytes(file.size)),
                file.licence.clone(),
                format!("{:?}", file.state).to_lowercase(),
            ]);
        }
        table.to_string()
    });
}

fn megabytes(bytes: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "file sizes shown with one decimal")]
    let bytes = bytes as f64;
    bytes / 1e6
}
