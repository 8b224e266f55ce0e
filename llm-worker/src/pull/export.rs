//! Makes the ONNX files on this machine: the exporter script runs with pinned packages from a
//! folder that is deleted afterwards, and what it writes must have the hashes of the catalog.

use std::path::Path;

use super::{Progress, accept, program};
use crate::catalog::{CatalogFile, Export};
use crate::error::Error;

/// Start of the name of the folder that the work is done in.
pub(super) const WORK_FOLDER: &str = ".export-";

/// The script, part of the binary.
const EXPORTER: &str = include_str!("../../../models/export_minilm.py");

/// Exports `wanted` from the checked files in `dir`.
pub(super) async fn run(
    export: &Export,
    dir: &Path,
    wanted: &[&CatalogFile],
    progress: Progress<'_>,
) -> Result<(), Error> {
    let failed = |error: Error| Error::Fetch {
        name: "the ONNX files".to_owned(),
        reasons: vec![format!("{error} (the export needs Python {} or newer with pip)", export.python)],
    };
    let folder =
        tempfile::Builder::new().prefix(WORK_FOLDER).tempdir_in(dir).map_err(Error::io("create a folder in", dir))?;
    let packages = folder.path().join("packages");
    let script = folder.path().join("export.py");
    let output = folder.path().join("out");
    std::fs::create_dir(&output).map_err(Error::io("create", &output))?;
    std::fs::write(&script, EXPORTER).map_err(Error::io("write", &script))?;

    progress("packages for the export", 0, 0);
    let mut install: Vec<String> =
        ["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--no-compile", "--disable-pip-version-check"]
            .map(str::to_owned)
            .to_vec();
    install.extend(["--target".to_owned(), packages.display().to_string()]);
    install.extend(export.requirements.iter().cloned());
    program::python(&install, None).await.map_err(failed)?;

    progress("export to ONNX", 0, 0);
    let mut arguments = vec![script.display().to_string()];
    for (option, value) in [("--model-dir", dir), ("--out", output.as_path())] {
        arguments.extend([option.to_owned(), value.display().to_string()]);
    }
    program::python(&arguments, Some(&packages)).await.map_err(failed)?;
    for file in wanted {
        accept(output.join(&file.name), dir, file).await?;
        progress(&file.name, file.size, file.size);
    }
    Ok(())
}
