//! A plain folder. Links are not followed, hidden and built things are not read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use domain::ingestion::{Failure, SourceKind, failure};
use serde_json::json;

use super::outline::{natural, tree};
use super::{Bytes, Fetched, FetchedDocument, Outline, Place, Source, blocking, cannot_open, sha256};
use crate::parse::code::{LARGEST as LARGEST_CODE, language};
use crate::parse::{Format, title_of_path, warning};
use crate::sandbox::Sandbox;

/// Folders that hold no course text.
const SKIPPED: &[&str] = &["node_modules", "target", "__pycache__", "venv", "_site", "_build", "dist"];
/// Folders of a repository that hold the code of others.
const OTHERS: &[&str] = &["vendor", "third_party", "build"];
/// Deepest folder.
const DEEPEST: usize = 24;
/// Most files looked at.
const MOST_FILES: usize = 50_000;
/// Largest text document.
const LARGEST_TEXT: u64 = 8 << 20;
/// Largest PDF or office document.
pub(super) const LARGEST_PDF: u64 = 256 << 20;
/// Most bytes of documents together.
const LARGEST_SOURCE: u64 = 2 << 30;

/// The folder source.
pub(super) struct Dir;

#[async_trait::async_trait]
impl Source for Dir {
    fn kind(&self) -> SourceKind {
        SourceKind::Dir
    }

    async fn fetch(&self, place: &Place, _sandbox: &Sandbox, _scratch: &Path) -> Result<Fetched, Failure> {
        let (root, shown) = (place.path()?.to_owned(), place.shown().to_owned());
        blocking(move || read(&root, &shown)).await
    }
}

fn read(root: &Path, shown: &str) -> Result<Fetched, Failure> {
    let state = std::fs::metadata(root).map_err(|error| cannot_open(shown, &error))?;
    if !state.is_dir() {
        let message =
            format!("\"{shown}\" is a file, not a folder; use \"ingest file\", \"ingest scorm\" or \"ingest video\"");
        return Err(Failure::new(failure::UNSUPPORTED_FORMAT, message));
    }
    let root = root.canonicalize().map_err(|error| cannot_open(shown, &error))?;
    let mut files = Vec::new();
    walk(&root, &root, 0, &mut files).map_err(|error| cannot_open(shown, &error))?;
    if files.len() >= MOST_FILES {
        return Err(Failure::new(
            failure::TOO_LARGE,
            format!("\"{shown}\" has more than {MOST_FILES} files; ingest the folder of the text"),
        ));
    }
    let folder = Folder { root: root.clone() };
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    collect(&title_of_path(&name), shown, files, &folder, None)
}

/// Every file of a folder with its bytes, as long as they are `most` together.
pub(super) fn walked(root: &Path, shown: &str, most: u64) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let root = root.canonicalize().map_err(|error| cannot_open(shown, &error))?;
    let mut files = Vec::new();
    walk(&root, &root, 0, &mut files).map_err(|error| cannot_open(shown, &error))?;
    files.sort_by_cached_key(|(path, _)| natural(path));
    if files.iter().map(|(_, size)| size).sum::<u64>() > most {
        let message =
            format!("the files of \"{shown}\" are larger than {} MiB together; ingest parts of it", most >> 20);
        return Err(Failure::new(failure::TOO_LARGE, message));
    }
    let folder = Folder { root };
    Ok(files.into_iter().filter_map(|(path, _)| folder.bytes(&path).map(|bytes| (path, bytes))).collect())
}

/// Regular files below `folder`, by path from `root`, hidden ones and links left out.
fn walk(root: &Path, folder: &Path, depth: usize, files: &mut Vec<(String, u64)>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if files.len() >= MOST_FILES || name.starts_with('.') {
            continue;
        }
        // The entry's own type: a link is neither.
        let kind = entry.file_type()?;
        if kind.is_dir() {
            if depth < DEEPEST && !SKIPPED.contains(&name.as_str()) {
                walk(root, &entry.path(), depth + 1, files)?;
            }
        } else if kind.is_file() {
            let path = entry.path();
            let inner = path.strip_prefix(root).unwrap_or(&path);
            files.push((inner.to_string_lossy().replace('\\', "/"), entry.metadata()?.len()));
        }
    }
    Ok(())
}

/// Reads files of a source by their path from its root.
pub(super) trait Reader {
    /// The bytes; `None` when there is no such file.
    fn bytes(&self, path: &str) -> Option<Vec<u8>>;
}

struct Folder {
    root: PathBuf,
}

impl Reader for Folder {
    fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let file = self.root.join(path).canonicalize().ok()?;
        // A link that leaves the folder is not part of it.
        let inside = file.starts_with(&self.root)
            && std::fs::metadata(&file).is_ok_and(|state| state.is_file() && state.len() <= LARGEST_PDF);
        if inside { std::fs::read(file).ok() } else { None }
    }
}

/// Documents and tree of a set of files.
pub(super) fn collect(
    title: &str,
    shown: &str,
    mut files: Vec<(String, u64)>,
    reader: &dyn Reader,
    commit: Option<String>,
) -> Result<Fetched, Failure> {
    files.sort_by_cached_key(|(path, _)| natural(path));
    let mut failures: Vec<(String, Failure)> = Vec::new();
    let mut total = 0_u64;
    let code = commit.is_some();
    files.retain(|(path, size)| {
        let Some(format) = kind_of(path, *size, code) else { return false };
        let most = largest(format);
        if *size > most {
            let message = format!("\"{path}\" is larger than {} MiB; split it", most >> 20);
            failures.push((path.clone(), Failure::new(failure::TOO_LARGE, message)));
            return false;
        }
        total += size;
        // Plain text and tables of a repository are licences and data more often than lessons.
        format != Format::Csv && !path.to_ascii_lowercase().ends_with(".txt")
    });
    if total > LARGEST_SOURCE {
        return Err(Failure::new(
            failure::TOO_LARGE,
            format!("the documents of \"{shown}\" are larger than 2 GiB together; ingest parts of it"),
        ));
    }
    let paths: Vec<String> = files.into_iter().map(|(path, _)| path).collect();
    let text = |path: &str| reader.bytes(path).and_then(|bytes| crate::parse::text(path, &bytes).ok());
    let tree = tree(&paths, &text);
    let mut warnings = tree.warnings;
    let mut modules = tree.modules;
    let mut documents = Vec::new();
    let include = |path: &str| text(path);
    for module in &mut modules {
        module.lessons.retain(|lesson| {
            let path = &lesson.path;
            let Some(bytes) = reader.bytes(path) else {
                failures.push((
                    path.clone(),
                    Failure::new(failure::UNREADABLE, format!("\"{path}\" cannot be read; check its permissions")),
                ));
                return false;
            };
            let Some(format) = kind_of(path, 0, code) else { return false };
            let includes = if format == Format::Markdown && language(path).is_none() {
                includes(path, &bytes, &include)
            } else {
                BTreeMap::new()
            };
            documents.push(FetchedDocument {
                path: path.clone(),
                kind: format.kind(),
                sha256: sha256(&bytes),
                bytes: Bytes::Memory(bytes),
                media_type: media_type(format),
                includes,
                media: None,
                extra: json!({}),
            });
            true
        });
    }
    modules.retain(|module| !module.lessons.is_empty());
    if documents.is_empty() && failures.is_empty() {
        let message = format!(
            "\"{shown}\" has no document that we read (Markdown, HTML, PDF, DOCX, PPTX, notebooks, VTT or SRT)"
        );
        return Err(Failure::new(failure::EMPTY, message));
    }
    if paths.iter().any(|path| path.ends_with("SUMMARY.md")) && !modules.iter().any(|module| module.chapter) {
        warnings.push(warning(
            "SUMMARY_UNUSED",
            "the summary lists no chapter that is here; folders were used instead",
            shown,
        ));
    }
    let outline = Outline { title: title.to_owned(), modules, failures, ..Outline::default() };
    Ok(Fetched { outline, commit, documents, files: Vec::new(), warnings })
}

/// The format of a file; code is read by item out of a repository alone, and where nobody keeps others' code.
fn kind_of(path: &str, size: u64, code: bool) -> Option<Format> {
    let own = || path.split('/').all(|step| !SKIPPED.contains(&step) && !OTHERS.contains(&step));
    let item = || (code && size <= LARGEST_CODE && language(path).is_some() && own()).then_some(Format::Markdown);
    Format::of(path).or_else(item)
}

/// The files that a Markdown text includes, and those that they include.
fn includes(path: &str, bytes: &[u8], read: &dyn Fn(&str) -> Option<String>) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let Ok(text) = crate::parse::text(path, bytes) else { return found };
    let mut open = vec![(path.to_owned(), text)];
    while let Some((at, text)) = open.pop() {
        for target in crate::parse::include_targets(&at, &text) {
            if found.len() < 2_000
                && !found.contains_key(&target)
                && let Some(text) = read(&target)
            {
                found.insert(target.clone(), text.clone().into_bytes());
                open.push((target, text));
            }
        }
    }
    found
}

/// Largest document of a format; notebooks carry pictures in their text.
pub(super) fn largest(format: Format) -> u64 {
    match format {
        Format::Notebook => 64 << 20,
        _ if format.binary() => LARGEST_PDF,
        _ => LARGEST_TEXT,
    }
}

pub(super) fn media_type(format: Format) -> &'static str {
    match format {
        Format::Markdown => "text/markdown",
        Format::Html => "text/html",
        Format::Pdf => "application/pdf",
        Format::Captions => "text/vtt",
        Format::Docx => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Format::Pptx => "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        Format::Notebook => "application/x-ipynb+json",
        Format::Csv => "text/csv",
    }
}
