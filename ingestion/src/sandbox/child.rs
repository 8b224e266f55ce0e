//! The child's side: confine, then parse what arrives.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;

use domain::ingestion::{Failure, SourceKind, failure};

use super::{Package, Page, Reply, Request, WITH_FILES, confine, frame, program};
use crate::parse::archive::{Archive, Entry, Limits};
use crate::parse::package::{Files, kind_of};
use crate::parse::{self, Format, manifest};

/// Largest document taken, as the parent's own limit.
const LARGEST: usize = 600 << 20;
/// Largest page of a package that is read.
const LARGEST_PAGE: u64 = 8 << 20;

/// Runs the child; the caller's `main` does nothing before it. Yields the exit code.
#[must_use]
pub fn child_main() -> i32 {
    if std::env::args().nth(2).as_deref() == Some(program::MODE) {
        return program::become_program();
    }
    let level = confine::confine();
    // A parser's panic is an answer of one document, not text on a terminal.
    std::panic::set_hook(Box::new(|_| {}));
    let mut output = std::io::stdout().lock();
    if frame::write(&mut output, &Reply::Ready(level), &[]).is_err() {
        return 1;
    }
    let done = match std::env::args().nth(2).as_deref() {
        Some("documents") => documents(&mut output),
        Some("package") => package(&mut output),
        Some("bundle") => bundle(&mut output, false),
        Some("folder") => bundle(&mut output, true),
        Some("kind") => kind(&mut output),
        _ => return 2,
    };
    i32::from(done.is_err())
}

fn documents(output: &mut impl Write) -> std::io::Result<()> {
    let mut input = std::io::stdin().lock();
    while let Some((request, bytes)) = frame::read::<Request>(&mut input, LARGEST)? {
        let Request::Document { format, path } = request else { break };
        let outcome = guarded(&path, || parse::document(format, &path, &bytes));
        frame::write(output, &Reply::Document(outcome.map(Box::new)), &[])?;
    }
    Ok(())
}

/// A package of the kind and name that the arguments give, from a file or from the files of a folder.
fn bundle(output: &mut impl Write, folder: bool) -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(3);
    let kind = arguments.next().and_then(|kind| SourceKind::parse(&kind));
    let name = arguments.next().unwrap_or_default();
    let read = || {
        let files = if folder {
            Files::of(&name, folder_files()?, false)?
        } else {
            Files::unpack(&name, std::io::BufReader::with_capacity(128 * 1024, input_file()?))?
        };
        match kind {
            Some(SourceKind::Cartridge) => parse::cartridge::parse(&files),
            Some(SourceKind::Qti) => parse::qti::parse(&files),
            Some(SourceKind::H5p) => parse::h5p::parse(&files),
            Some(SourceKind::Cmi5) => parse::cmi5::parse(&files),
            Some(SourceKind::File) => parse::epub::parse(&files),
            _ => Err(Failure::new(failure::INTERNAL, "the parser does not know this kind of package")),
        }
    };
    let mut outcome = guarded(&name, read);
    if outcome.is_ok() && arguments.next().as_deref() == Some(WITH_FILES) {
        let sent = input_file().and_then(|file| guarded(&name, || send_files(file, output)));
        if let Err(failure) = sent {
            outcome = Err(failure);
        }
    }
    let pages = outcome.iter().flat_map(|bundle| &bundle.pages);
    let body = pages.map(|page| page.bytes.as_slice()).collect::<Vec<_>>().concat();
    frame::write(output, &Reply::Bundle(outcome.map(Box::new)), &body)
}

/// Every file of an archive, part by part.
fn send_files(file: File, output: &mut impl Write) -> Result<(), Failure> {
    let mut archive = Archive::open(std::io::BufReader::with_capacity(128 * 1024, file), Limits::default())?;
    for entry in &archive.entries().to_vec() {
        read_entry(&mut archive, entry, Some(output), &mut |_| {})?;
    }
    Ok(())
}

/// Reads a file of an archive, and sends it part by part where there is an `output`.
fn read_entry(
    archive: &mut Archive<impl Read + Seek>,
    entry: &Entry,
    mut output: Option<&mut impl Write>,
    taken: &mut dyn FnMut(&[u8]),
) -> Result<(), Failure> {
    let mut send =
        |path, part: &[u8]| output.as_mut().map_or(Ok(()), |to| frame::write(*to, &Reply::Part { path }, part));
    let mut sent = send(Some(entry.name.clone()), &[]);
    archive.read(entry, &mut |part| {
        taken(part);
        if sent.is_ok() {
            sent = send(None, part);
        }
    })?;
    sent.map_err(|error| Failure::new(failure::INTERNAL, error.to_string()))
}

fn folder_files() -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let internal = |why: &str| Failure::new(failure::INTERNAL, format!("the folder did not arrive: {why}"));
    let mut input = std::io::stdin().lock();
    let arrived = frame::read::<Request>(&mut input, LARGEST).map_err(|error| internal(&error.to_string()))?;
    let Some((Request::Folder { files }, bytes)) = arrived else { return Err(internal("something else came")) };
    let mut found = Vec::with_capacity(files.len());
    let mut at = 0_usize;
    for (path, size) in files {
        let end = at.saturating_add(size);
        let part = bytes.get(at..end).ok_or_else(|| internal("it is cut off"))?;
        found.push((path, part.to_vec()));
        at = end;
    }
    Ok(found)
}

/// The file that stands on the standard input.
fn input_file() -> Result<File, Failure> {
    let owned = std::io::stdin().as_fd().try_clone_to_owned();
    owned.map(File::from).map_err(|error| Failure::new(failure::INTERNAL, error.to_string()))
}

fn kind(output: &mut impl Write) -> std::io::Result<()> {
    let name = std::env::args().nth(3).unwrap_or_default();
    let read = || {
        let mut archive =
            Archive::open(std::io::BufReader::with_capacity(128 * 1024, input_file()?), Limits::default())?;
        let entries = archive.entries().to_vec();
        let manifest = entries
            .iter()
            .filter(|entry| entry.name == "imsmanifest.xml" || entry.name.ends_with("/imsmanifest.xml"))
            .min_by_key(|entry| entry.name.len());
        let mut text = Vec::new();
        if let Some(entry) = manifest.filter(|entry| entry.size <= LARGEST_PAGE) {
            archive.read(entry, &mut |part| text.extend_from_slice(part))?;
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let found = kind_of(entries.iter().map(|entry| entry.name.as_str()), &|_| Some(text.clone()))?;
        found.ok_or_else(|| {
            let message =
                format!("\"{name}\" is a zip archive of no kind that is read; unpack it and use \"ingest dir\"");
            Failure::new(failure::UNSUPPORTED_FORMAT, message)
        })
    };
    frame::write(output, &Reply::Kind(guarded(&name, read)), &[])
}

/// A panic of a parser as a failure of its document.
fn guarded<T>(path: &str, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let message =
            format!("the parser gave up on \"{path}\"; save the file again from its program and ingest the copy");
        Err(Failure::new(failure::BAD_DOCUMENT, message))
    })
}

fn package(output: &mut impl Write) -> std::io::Result<()> {
    let outcome = input_file().and_then(|file| guarded("the package", || read_package(file, output)));
    frame::write(output, &Reply::Package(outcome.map(Box::new)), &[])
}

fn read_package(file: File, output: &mut impl Write) -> Result<Package, Failure> {
    let mut archive = Archive::open(std::io::BufReader::with_capacity(128 * 1024, file), Limits::default())?;
    let entries = archive.entries().to_vec();
    let manifest_entry = find_manifest(&entries)?;
    let base = manifest_entry.name.strip_suffix("imsmanifest.xml").unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    archive.read(&manifest_entry, &mut |part| bytes.extend_from_slice(part))?;
    let mut manifest = manifest::parse(&bytes)?;
    if !base.is_empty() {
        manifest.warnings.push((
            "MANIFEST_IN_FOLDER".into(),
            format!("the manifest lies in \"{base}\" instead of the root of the package"),
        ));
    }
    let with_files = std::env::args().nth(3).as_deref() == Some(WITH_FILES);
    for entry in &entries {
        let name = entry.name.to_ascii_lowercase();
        let is_html = Format::of(&name) == Some(Format::Html);
        let wanted = (is_html || name.ends_with(".js")) && entry.size <= LARGEST_PAGE;
        let mut bytes = Vec::new();
        // Everything is inflated once, so that a bomb in an image is found too.
        read_entry(&mut archive, entry, with_files.then_some(&mut *output), &mut |part| {
            if wanted {
                bytes.extend_from_slice(part);
            }
        })?;
        if !wanted {
            continue;
        }
        let parsed = is_html.then(|| guarded(&entry.name, || parse::document(Format::Html, &entry.name, &bytes)));
        let (title, words, error) = match parsed {
            None => (String::new(), 0, None),
            Some(Ok(document)) => {
                let words = document.blocks.iter().map(|block| block.text.split_whitespace().count()).sum();
                (document.title, words, None)
            }
            Some(Err(failure)) => (String::new(), 0, Some(failure.message)),
        };
        let page = Page { path: entry.name.clone(), title, words, error, bytes: Vec::new() };
        let sent = frame::write(output, &Reply::Page(page), &bytes);
        sent.map_err(|error| Failure::new(failure::INTERNAL, error.to_string()))?;
    }
    let files = entries.into_iter().map(|entry| (entry.name, entry.size)).collect();
    Ok(Package { manifest, base, files, pages: Vec::new(), unpacked: Vec::new() })
}

/// The manifest at the root, or in the only folder; another kind of package is refused by its name.
fn find_manifest(entries: &[Entry]) -> Result<Entry, Failure> {
    let find = |name: &str| entries.iter().find(|entry| entry.name == name);
    if let Some(entry) = find("imsmanifest.xml") {
        return Ok(entry.clone());
    }
    let mut nested =
        entries.iter().filter(|entry| entry.name.matches('/').count() == 1 && entry.name.ends_with("/imsmanifest.xml"));
    if let (Some(entry), None) = (nested.next(), nested.next()) {
        return Ok(entry.clone());
    }
    let other = [
        ("cmi5.xml", "a cmi5 course", "use \"ingest cmi5\""),
        ("tincan.xml", "an xAPI (Tin Can) package", "export it as SCORM 1.2 or 2004"),
        ("h5p.json", "an H5P package", "use \"ingest h5p\""),
        ("moodle_backup.xml", "a Moodle backup", "export the course's pages or SCORM activities"),
        ("[Content_Types].xml", "an Office document", "use \"ingest file\""),
        ("META-INF/container.xml", "an EPUB book", "use \"ingest file\""),
    ];
    for (name, what, advice) in other {
        if find(name).is_some() {
            return Err(Failure::new(
                failure::UNSUPPORTED_FORMAT,
                format!("this is {what}, not a SCORM package; {advice}"),
            ));
        }
    }
    // What has a name and no reader, such as AICC, is refused by that name.
    kind_of(entries.iter().map(|entry| entry.name.as_str()), &|_| None)?;
    let message = "the archive has no imsmanifest.xml, so it is not a SCORM package; export it as SCORM 1.2 or 2004";
    Err(Failure::new(failure::BAD_MANIFEST, message))
}
