//! Reports: a self-contained page with plots, Markdown, and the numbers as JSON.

mod html;
mod markdown;
mod plot;

use std::path::{Path, PathBuf};

use crate::run::Report;
use crate::{Error, Result};

pub use html::page;
pub use markdown::text;

/// Writes `report.html`, `report.md` and `metrics.json` into a folder and yields their paths.
///
/// # Errors
/// The folder cannot be written.
pub fn write(report: &Report, folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |source| Error::Write { path, source }
    };
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let metrics = serde_json::to_string_pretty(report)
        .map_err(|error| Error::Damaged { what: "report".into(), reason: error.to_string() })?;
    let files = [("report.html", page(report)), ("report.md", text(report)), ("metrics.json", metrics)];
    files
        .into_iter()
        .map(|(name, content)| {
            let path = folder.join(name);
            std::fs::write(&path, content).map_err(failed(&path))?;
            Ok(path)
        })
        .collect()
}
