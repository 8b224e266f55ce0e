//! The child's side: confine, then parse what arrives.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;

use domain::ingestion::{Failure, failure};

use super::{Package, Page, Reply, Request, confine, frame, program};
use crate::parse::archive::{Archive, Entry, Limits};
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
        _ => return 2,
    };
    i32::from(done.is_err())
}

fn documents(output: &mut impl Write) -> std::io::Result<()> {
    let mut input = std::io::stdin().lock();
    while let Some((request, bytes)) = frame::read::<Request>(&mut input, LARGEST)? {
        let Request::Document { format, path } = request;
        let outcome = guarded(&path, || parse::document(format, &path, &bytes));
        frame::write(output, &Reply::Document(outcome.map(Box::new)), &[])?;
    }
    Ok(())
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
    let outcome = std::io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| Failure::new(failure::INTERNAL, error.to_string()))
        .and_then(|file| guarded("the package", || read_package(File::from(file), output)));
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
    for entry in &entries {
        let name = entry.name.to_ascii_lowercase();
        let is_html = Format::of(&name) == Some(Format::Html);
        let wanted = (is_html || name.ends_with(".js")) && entry.size <= LARGEST_PAGE;
        let mut bytes = Vec::new();
        // Everything is inflated once, so that a bomb in an image is found too.
        archive.read(entry, &mut |part| {
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
    Ok(Package { manifest, base, files, pages: Vec::new() })
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
        ("cmi5.xml", "a cmi5 course", "export it as SCORM 1.2 or 2004"),
        ("tincan.xml", "an xAPI (Tin Can) package", "export it as SCORM 1.2 or 2004"),
        ("h5p.json", "an H5P package", "export it as SCORM 1.2 or 2004"),
        ("moodle_backup.xml", "a Moodle backup", "export the course's pages or SCORM activities"),
        ("[Content_Types].xml", "an Office document", "save it as PDF and ingest that with \"ingest file\""),
        ("META-INF/container.xml", "an EPUB book", "convert it to HTML or PDF and ingest that"),
    ];
    for (name, what, advice) in other {
        if find(name).is_some() {
            return Err(Failure::new(
                failure::UNSUPPORTED_FORMAT,
                format!("this is {what}, not a SCORM package; {advice}"),
            ));
        }
    }
    let message = "the archive has no imsmanifest.xml, so it is not a SCORM package; export it as SCORM 1.2 or 2004";
    Err(Failure::new(failure::BAD_MANIFEST, message))
}
