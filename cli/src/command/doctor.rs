//! `lyceum doctor`: what this machine has, what it lacks, and what each absence costs.

use std::path::Path;

use ingestion::sandbox::{Level, Sandbox};
use llm_worker::{Catalog, Engine};
use serde::Serialize;

use crate::config::Config;
use crate::exit::{OK, Result};
use crate::out::Out;

#[derive(Serialize)]
struct Check {
    name: &'static str,
    state: &'static str,
    detail: String,
}

pub(crate) async fn run(data_dir: &Path, config: &Config, out: &Out) -> Result<u8> {
    let mut checks = vec![
        program("git", &["--version"], "git sources cannot be read; install git"),
        program("ffprobe", &["-version"], "the length of videos is read by our own reader, MP4 only; install ffmpeg"),
        program(
            "python3",
            &["-m", "pip", "--version"],
            "no ONNX export: the embedding model runs in candle, about three times slower; install python3 and python3-pip",
        ),
    ];
    checks.push(sandbox().await);
    checks.push(model(config));
    let database = if config.database_url.is_empty() { "SQLite".to_owned() } else { config.masked().database_url };
    checks.push(Check { name: "database", state: "ok", detail: database });
    let index =
        if config.qdrant_url.is_empty() { "exact scan over the rows".to_owned() } else { config.qdrant_url.clone() };
    checks.push(Check { name: "vector index", state: "ok", detail: index });
    let owned = match store::owner::DataDirOwner::acquire(data_dir) {
        Ok(_) => "free".to_owned(),
        Err(error) => error.to_string(),
    };
    checks.push(Check { name: "data directory", state: "ok", detail: format!("{} ({owned})", data_dir.display()) });
    out.result(&serde_json::json!({"checks": checks}), |_| {
        checks.iter().map(|check| format!("  {:<9} {:<18} {}\n", check.state, check.name, check.detail)).collect()
    });
    Ok(OK)
}

fn program(name: &'static str, arguments: &[&str], cost: &str) -> Check {
    let found = std::process::Command::new(name).args(arguments).stdin(std::process::Stdio::null()).output();
    match found {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned();
            Check { name, state: "ok", detail: text }
        }
        _ => Check { name, state: "missing", detail: cost.to_owned() },
    }
}

async fn sandbox() -> Check {
    let name = "parsers' sandbox";
    match Sandbox::default().level().await {
        Ok(Level::Full) => {
            Check { name, state: "ok", detail: "memory, time, files, network and file system are limited".into() }
        }
        Ok(Level::Reduced(reasons)) => {
            Check { name, state: "degraded", detail: format!("sandbox reduced: {}", reasons.join("; ")) }
        }
        Err(failure) => Check { name, state: "missing", detail: failure.message },
    }
}

fn model(config: &Config) -> Check {
    let name = "embedding model";
    let cache = crate::models::cache(config);
    let opened = Catalog::built_in()
        .and_then(|catalog| llm_worker::open_embedding(&cache, &catalog, &llm_worker::Settings::default()));
    match opened {
        Ok(opened) if opened.engine == Engine::Onnx => {
            Check { name, state: "ok", detail: format!("{} by ONNX Runtime", opened.model) }
        }
        Ok(opened) => Check {
            name,
            state: "degraded",
            detail: format!("{} by candle: {}", opened.model, opened.notices.join("; ")),
        },
        Err(error) => Check {
            name,
            state: "missing",
            detail: format!("keyword search only; fetch it with: lyceum model pull ({error})"),
        },
    }
}
