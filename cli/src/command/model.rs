//! `lyceum model`: the catalogue, fetching, checking and trying models.

use llm_worker::cache::FileState;
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
            out.result(&serde_json::json!({"probes": shown}), |_| {
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
                text
            });
        }
    }
    Ok(OK)
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
