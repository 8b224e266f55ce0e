//! Packages of other programs: their files in memory within limits, and what becomes of them.
//!
//! Each kind is one file beside this one that makes a [`Bundle`] of [`Files`]. All of it runs in the child.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use domain::document::DocumentKind;
use domain::ingestion::{Failure, SourceKind, failure};
use domain::question::Draft;
use domain::xml::{self, Element};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::archive::{Archive, Limits};
use super::{Format, squeeze, visible};
use crate::source::{Lesson, Module};

/// Largest file of a package that is read rather than passed over.
const LARGEST_FILE: u64 = 48 << 20;
/// Most bytes of files that are read.
const LARGEST_READ: usize = 160 << 20;
/// Signature of the EICAR test file (eicar.org): what virus scanners are tried with.
const EICAR: &[u8] = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!";

/// The files of a package.
#[derive(Debug, Default)]
pub struct Files {
    /// What the package is called.
    pub name: String,
    /// Every file and its size.
    pub all: Vec<(String, u64)>,
    /// Those that are read.
    pub read: BTreeMap<String, Vec<u8>>,
    /// The first bytes of those that are not.
    pub heads: BTreeMap<String, Vec<u8>>,
    /// One file that is no archive.
    pub bare: bool,
}

/// A document that a package gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Path within the package.
    pub path: String,
    /// What it is.
    pub kind: DocumentKind,
    /// Its bytes; beside the JSON on their way out of the child.
    #[serde(skip)]
    pub bytes: Vec<u8>,
    /// Length of them.
    pub size: usize,
    /// What it is played with: launch path, item, run-time; nothing for a page that is only read.
    #[serde(default)]
    pub extra: Value,
}

/// What becomes of a package.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Bundle {
    /// Name for people.
    pub title: String,
    /// Format and version, as the report says it.
    pub version: String,
    /// Number of files.
    pub files: usize,
    /// The tree.
    pub modules: Vec<Module>,
    /// Documents in the order of the tree.
    pub pages: Vec<Page>,
    /// Questions for the bank of the course.
    pub questions: Vec<Draft>,
    /// What came over as it is.
    pub kept: Vec<Value>,
    /// What became something else.
    pub changed: Vec<Value>,
    /// What did not come over.
    pub lost: Vec<Value>,
    /// Code, message and place.
    pub warnings: Vec<(String, String, String)>,
    /// Failures of parts: path or title, and why.
    pub failures: Vec<(String, Failure)>,
}

impl Bundle {
    /// Adds a document and the lesson that shows it.
    pub(super) fn page(
        &mut self,
        module: &mut Module,
        title: Option<String>,
        path: &str,
        kind: DocumentKind,
        bytes: Vec<u8>,
    ) -> bool {
        if self.pages.iter().any(|page| page.path == path) {
            return false;
        }
        self.pages.push(Page { path: path.to_owned(), kind, size: bytes.len(), bytes, extra: json!({}) });
        module.lessons.push(Lesson { title, kind: "DOCUMENT".into(), path: path.to_owned(), hidden: false });
        true
    }

    /// Makes the first page one that is played: its lesson opens `path` of the package's files with `runtime`.
    pub(super) fn plays(&mut self, module: &mut Module, path: &str, item: &str, runtime: &str) {
        if let (Some(page), Some(lesson)) = (self.pages.first_mut(), module.lessons.first_mut()) {
            page.kind = DocumentKind::Scorm;
            page.extra = json!({ "launch": path, "item": item, "runtime": runtime });
            lesson.kind = "INTERACTIVE".into();
        }
    }

    /// Closes a module; one without lessons leaves nothing.
    pub(super) fn close(&mut self, module: &mut Module) {
        if !module.lessons.is_empty() {
            let lessons = std::mem::take(&mut module.lessons);
            self.modules.push(Module { lessons, ..module.clone() });
        }
    }

    pub(super) fn keep(&mut self, item: &str, what: &str) {
        self.kept.push(json!({ "item": item, "what": what }));
    }

    pub(super) fn change(&mut self, item: &str, why: impl Into<String>) {
        self.changed.push(json!({ "item": item, "why": why.into() }));
    }

    pub(super) fn lose(&mut self, item: &str, why: impl Into<String>) {
        self.lost.push(json!({ "item": item, "why": why.into() }));
    }
}

/// A module that is a chapter of its lessons.
pub(super) fn module(title: &str, chapter: bool) -> Module {
    Module { title: Some(title.to_owned()), chapter, lessons: Vec::new() }
}

/// Whether a file is read rather than passed over.
fn wanted(name: &str, size: u64) -> bool {
    let extension = name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
    let known =
        matches!(extension.as_str(), "xml" | "qti" | "json" | "opf" | "ncx" | "xhtml") || Format::of(name).is_some();
    known && size <= LARGEST_FILE
}

impl Files {
    /// Reads a package; every file is inflated once, so that a bomb in a picture is found too.
    pub(crate) fn unpack<R: Read + Seek>(name: &str, mut reader: R) -> Result<Self, Failure> {
        let unreadable = |error: std::io::Error| Failure::new(failure::UNREADABLE, format!("\"{name}\": {error}"));
        let mut start = [0; 2];
        let count = reader.read(&mut start).map_err(unreadable)?;
        reader.rewind().map_err(unreadable)?;
        let lower = name.to_ascii_lowercase();
        let bare = start.get(..count) != Some(b"PK") && (lower.ends_with(".xml") || lower.ends_with(".qti"));
        if bare {
            let mut bytes = Vec::new();
            reader.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
            return Self::of(name, vec![(name.to_owned(), bytes)], true);
        }
        let mut archive = Archive::open(reader, Limits::default())?;
        let entries = archive.entries().to_vec();
        let mut files = Self { name: name.to_owned(), ..Self::default() };
        let mut sum = 0;
        for entry in &entries {
            let kept = wanted(&entry.name, entry.size);
            let mut bytes = Vec::new();
            archive.read(entry, &mut |part| {
                if kept {
                    bytes.extend_from_slice(part);
                } else if bytes.len() < 256 {
                    bytes.extend(part.iter().take(256 - bytes.len()));
                }
            })?;
            sum += if kept { bytes.len() } else { 0 };
            files.all.push((entry.name.clone(), entry.size));
            files.add(entry.name.clone(), bytes, kept)?;
            if sum > LARGEST_READ {
                return Err(too_large(name));
            }
        }
        Ok(files)
    }

    /// The files of a folder, or one alone.
    pub(crate) fn of(name: &str, files: Vec<(String, Vec<u8>)>, bare: bool) -> Result<Self, Failure> {
        let mut found = Self { name: name.to_owned(), bare, ..Self::default() };
        for (path, bytes) in files {
            if bytes.len() as u64 > LARGEST_FILE {
                return Err(too_large(&path));
            }
            let size = bytes.len() as u64;
            found.all.push((path.clone(), size));
            let kept = wanted(&path, size);
            found.add(path, bytes, kept)?;
        }
        Ok(found)
    }

    fn add(&mut self, name: String, bytes: Vec<u8>, kept: bool) -> Result<(), Failure> {
        if bytes.starts_with(EICAR) {
            let message = format!(
                "\"{name}\" in \"{}\" is the EICAR test virus; take it out, and scan the machine that made the package",
                self.name
            );
            return Err(Failure::new(failure::HOSTILE_ARCHIVE, message));
        }
        if kept {
            self.read.insert(name, bytes)
        } else {
            self.heads.insert(name, bytes)
        };
        Ok(())
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, path: &str) -> bool {
        self.read.contains_key(path) || self.heads.contains_key(path)
    }

    /// The text of a file.
    pub(super) fn text(&self, path: &str) -> Option<Result<String, Failure>> {
        self.read.get(path).map(|bytes| super::text(path, bytes))
    }

    /// A file as XML; the reason when it is none.
    pub(super) fn xml(&self, path: &str) -> Option<Result<Element, String>> {
        let text = self.text(path)?;
        // Documents of real tools name their DTD; it is skipped and never applied.
        let limits = xml::Limits { bytes: 32 << 20, doctype: true, ..xml::Limits::default() };
        Some(text.map_err(|failure| failure.message).and_then(|text| xml::parse(&text, limits)))
    }

    /// The package by another name of its kind, when its files say that it is one.
    pub(super) fn other_kind(&self, here: SourceKind) -> Option<Failure> {
        let found = kind_of(self.all.iter().map(|(name, _)| name.as_str()), &|name| {
            self.read.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        });
        match found {
            Ok(Some(kind)) if kind != here => {
                let message = format!("this is {}; use \"ingest {}\"", named(kind), kind.as_str());
                Some(Failure::new(failure::UNSUPPORTED_FORMAT, message))
            }
            Ok(_) => None,
            Err(failure) => Some(failure),
        }
    }
}

fn named(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Scorm => "a SCORM package",
        SourceKind::Cmi5 => "a cmi5 course",
        SourceKind::Cartridge => "a Common Cartridge",
        SourceKind::Qti => "a QTI package",
        SourceKind::H5p => "an H5P package",
        _ => "a document",
    }
}

fn too_large(name: &str) -> Failure {
    let message = format!("the documents of \"{name}\" are larger than {} MiB; split the package", LARGEST_READ >> 20);
    Failure::new(failure::TOO_LARGE, message)
}

/// What kind of package has these files; `None` when none that is known.
///
/// # Errors
/// `UNSUPPORTED_FORMAT` for one that is known and not read, by its name.
pub(crate) fn kind_of<'n>(
    names: impl Iterator<Item = &'n str>,
    read: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<SourceKind>, Failure> {
    let names: Vec<&str> = names.collect();
    let has = |name: &str| names.contains(&name);
    if has("cmi5.xml") {
        return Ok(Some(SourceKind::Cmi5));
    }
    if has("h5p.json") {
        return Ok(Some(SourceKind::H5p));
    }
    let office = ["word/document.xml", "ppt/presentation.xml", "META-INF/container.xml"];
    if office.iter().any(|name| has(name)) {
        return Ok(Some(SourceKind::File));
    }
    let manifest = names
        .iter()
        .filter(|name| **name == "imsmanifest.xml" || name.ends_with("/imsmanifest.xml"))
        .min_by_key(|name| name.len());
    if let Some(manifest) = manifest {
        let text = read(manifest).unwrap_or_default();
        let scorm = ["adlcp_rootv1p2", "adlcp_v1p3", "ADL SCORM", "scormtype", "scormType"]
            .iter()
            .any(|sign| text.contains(sign));
        return Ok(Some(
            if text.contains("imsccv1p")
                || text.contains("IMS Common Cartridge")
                || text.contains("IMS Thin Common Cartridge")
            {
                SourceKind::Cartridge
            } else if !scorm && (text.contains("imsqti") || text.contains("QTI")) {
                SourceKind::Qti
            } else {
                SourceKind::Scorm
            },
        ));
    }
    let ends = |end: &str| names.iter().any(|name| name.to_ascii_lowercase().ends_with(end));
    let other = |what: &str, advice: &str| {
        Err(Failure::new(failure::UNSUPPORTED_FORMAT, format!("this is {what}, which is not read; {advice}")))
    };
    if ends(".crs") && (ends(".au") || ends(".des") || ends(".cst")) {
        return other(
            "an AICC course (a set of .crs, .au, .des and .cst files)",
            "export it as SCORM 1.2 or 2004, or cmi5",
        );
    }
    if has("tincan.xml") {
        return other("an xAPI (Tin Can) package", "export it as SCORM 1.2 or 2004, or cmi5");
    }
    if has("moodle_backup.xml") {
        return other(
            "a Moodle backup",
            "export the course's pages, its SCORM activities, or its question bank as GIFT",
        );
    }
    if names.iter().any(|name| name.to_ascii_lowercase().ends_with(".qti")) {
        return Ok(Some(SourceKind::Qti));
    }
    Ok(None)
}

/// The words of an XML element as a title.
pub(super) fn title_in(element: Option<&Element>) -> Option<String> {
    let title = squeeze(&visible(&element?.text()));
    (!title.is_empty()).then_some(title)
}

/// HTML of a page of our own.
pub(super) fn page_of(title: &str, inner: &str) -> Vec<u8> {
    format!("<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>{0}</title></head><body><h1>{0}</h1>\n{inner}\n</body></html>\n", escaped(title))
        .into_bytes()
}

/// Text as HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// An address within a package: without query, percent signs resolved, never above the root.
pub(super) fn address(base: &str, href: &str) -> String {
    let path = href.split(['?', '#']).next().unwrap_or_default();
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{base}/{path}") };
    let mut parts: Vec<String> = Vec::new();
    for part in whole.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(super::manifest::percent_decoded(name)),
        }
    }
    parts.join("/")
}
