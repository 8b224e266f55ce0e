//! H5P packages: checked as the specification wants them, and the text of `content.json` as a lesson.
//!
//! Which texts are content and which are labels of the interface is said by the `semantics.json` of the
//! libraries: fields marked `common` are labels.
//!
//! The format: <https://h5p.org/documentation/developers/h5p-specification>.

use std::collections::BTreeSet;

use domain::document::DocumentKind;
use domain::ingestion::{Failure, SourceKind, failure};
use domain::scorm::H5P;
use serde_json::Value;

use super::package::{Bundle, Files, escaped, module, page_of};
use super::{squeeze, visible};

/// Extensions that content may have, as the reference implementation lists them.
const CONTENT: &[&str] = &[
    "json", "png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp", "svg", "eot", "ttf", "woff", "woff2", "otf",
    "webm", "mp4", "ogg", "mp3", "m4a", "wav", "txt", "pdf", "rtf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt",
    "ods", "odp", "csv", "diff", "patch", "swf", "md", "textile", "vtt", "webvtt", "gltf", "glb", "xml",
];
/// What libraries may have besides.
const LIBRARY: &[&str] = &["js", "css", "map"];
/// Fields that are never shown.
const UNSHOWN: &[&str] = &[
    "path",
    "mime",
    "copyright",
    "license",
    "licenseVersion",
    "library",
    "subContentId",
    "contentType",
    "l10n",
    "metadata",
    "behaviour",
    "behavior",
    "UI",
    "ui",
    "accessibility",
    "a11y",
    "override",
    "color",
    "backgroundColor",
    "aspectRatio",
];
/// Deepest content; `serde_json` stops at 128 of its own.
const DEEPEST: usize = 100;

/// Reads a package.
///
/// # Errors
/// `BAD_MANIFEST` for `h5p.json` and `library.json`, `HOSTILE_ARCHIVE` for files that must not be there,
/// `UNSUPPORTED_FORMAT` for another kind of package.
pub fn parse(files: &Files) -> Result<Bundle, Failure> {
    if !files.has("h5p.json") {
        if let Some(other) = files.other_kind(SourceKind::H5p) {
            return Err(other);
        }
        return Err(bad("h5p.json", "it is not at the root of the archive"));
    }
    allowed(files)?;
    let about = json(files, "h5p.json")?;
    let text = |name: &str| about.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    for field in ["title", "mainLibrary", "language"] {
        if text(field).is_none() {
            return Err(bad("h5p.json", &format!("\"{field}\" is missing")));
        }
    }
    let needed = about.get("preloadedDependencies").and_then(Value::as_array);
    let needed = needed.ok_or_else(|| bad("h5p.json", "\"preloadedDependencies\" is missing"))?;
    let mut libraries = Vec::new();
    for dependency in needed {
        libraries.push(library_name(dependency).ok_or_else(|| {
            bad("h5p.json", "a dependency has no \"machineName\", \"majorVersion\" and \"minorVersion\"")
        })?);
    }
    let main = text("mainLibrary").unwrap_or_default();
    let Some(main) = libraries.iter().find(|name| name.split(' ').next() == Some(main)) else {
        return Err(bad("h5p.json", &format!("the main library \"{main}\" is not among its dependencies")));
    };
    let present = checked_libraries(files)?;
    let content = json(files, "content/content.json")?;
    let title = squeeze(&visible(text("title").unwrap_or_default()));
    let mut reader = Reader { labels: labels(files), ..Reader::default() };
    reader.walk(&content, "", 0);
    let mut bundle =
        Bundle { title: title.clone(), version: format!("H5P: {main}"), files: files.all.len(), ..Bundle::default() };
    let named = libraries.join(", ");
    let inner = format!("{}\n<p>Made with H5P: {}.</p>", reader.html, escaped(&named));
    let mut only = module(&title, false);
    bundle.page(&mut only, Some(title.clone()), "content/content.json", DocumentKind::Html, page_of(&title, &inner));
    let missing: Vec<&String> = libraries.iter().filter(|library| !present.contains(*library)).collect();
    if missing.is_empty() {
        bundle.plays(&mut only, "h5p.json", main, H5P);
    }
    bundle.close(&mut only);
    bundle.keep(&title, &format!("{} texts; libraries: {named}", reader.texts));
    if missing.is_empty() {
        bundle.keep(main, "it is played, where the school has an H5P player (docs/scorm.md)");
        return Ok(bundle);
    }
    for library in missing {
        bundle.lose(
            library,
            "the library is not in the package, so that it cannot be played; export it with its libraries",
        );
        bundle.change(library, "its labels cannot be told from content");
    }
    for name in &reader.activities {
        bundle.change(name, "what it lets learners do is not played; its texts are kept");
    }
    let media = files.all.iter().filter(|(name, _)| name.starts_with("content/") && name != "content/content.json");
    for (name, _) in media.take(200) {
        bundle.lose(name, "pictures, sound and video are not shown without playing it");
    }
    Ok(bundle)
}

fn bad(file: &str, why: &str) -> Failure {
    let message = format!("{file} of the H5P package cannot be used: {why}; export the content again");
    Failure::new(failure::BAD_MANIFEST, message)
}

fn json(files: &Files, path: &str) -> Result<Value, Failure> {
    let text =
        files.text(path).ok_or_else(|| bad(path, "it is missing"))?.map_err(|failure| bad(path, &failure.message))?;
    serde_json::from_str(&text).map_err(|error| bad(path, &format!("it is not valid JSON ({error})")))
}

/// Refuses files that a package must not hold, and pictures that are none.
fn allowed(files: &Files) -> Result<(), Failure> {
    for (name, _) in &files.all {
        let last = name.rsplit('/').next().unwrap_or(name);
        // Hidden files of operating systems are passed over, as the reference implementation does.
        if name.split('/').any(|part| part.starts_with(['.', '_'])) {
            continue;
        }
        let extension = last.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
        let inside = name.starts_with("content/") || name == "h5p.json";
        let known = CONTENT.contains(&extension.as_str()) || (!inside && LIBRARY.contains(&extension.as_str()));
        if !(known || extension.is_empty() && matches!(last, "LICENSE" | "COPYING")) {
            let message = format!(
                "\"{name}\" has an extension that H5P packages must not hold; take it out and export the content again"
            );
            return Err(Failure::new(failure::HOSTILE_ARCHIVE, message));
        }
        let start = files.heads.get(name).or_else(|| files.read.get(name));
        if start.is_some_and(|start| !start.is_empty() && !is_what_it_says(&extension, start)) {
            let message = format!(
                "\"{name}\" is not the .{extension} file that its name says; take it out and export the content again"
            );
            return Err(Failure::new(failure::HOSTILE_ARCHIVE, message));
        }
    }
    Ok(())
}

/// Whether the first bytes are those of the format; formats without a mark are believed.
fn is_what_it_says(extension: &str, start: &[u8]) -> bool {
    let at = |from: usize, sign: &[u8]| start.get(from..from + sign.len()) == Some(sign);
    match extension {
        "png" => at(0, b"\x89PNG"),
        "jpg" | "jpeg" => at(0, b"\xff\xd8\xff"),
        "gif" => at(0, b"GIF8"),
        "bmp" => at(0, b"BM"),
        "webp" => at(0, b"RIFF") && at(8, b"WEBP"),
        "tif" | "tiff" => at(0, b"II*\0") || at(0, b"MM\0*"),
        "pdf" => start.windows(5).any(|window| window == b"%PDF-"),
        "mp4" | "m4a" => at(4, b"ftyp"),
        "webm" => at(0, b"\x1a\x45\xdf\xa3"),
        "ogg" => at(0, b"OggS"),
        "wav" => at(0, b"RIFF"),
        _ => true,
    }
}

fn library_name(value: &Value) -> Option<String> {
    let name = value.get("machineName")?.as_str().map(shown).filter(|name| !name.is_empty())?;
    let number = |field: &str| match value.get(field)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    Some(format!("{name} {}.{}", number("majorVersion")?, number("minorVersion")?))
}

/// The libraries in the package, each checked against its folder.
fn checked_libraries(files: &Files) -> Result<BTreeSet<String>, Failure> {
    let mut found = BTreeSet::new();
    let folders: BTreeSet<&str> =
        files.all.iter().filter_map(|(name, _)| name.split_once('/')).map(|(folder, _)| folder).collect();
    for folder in folders.into_iter().filter(|folder| *folder != "content" && !folder.starts_with(['.', '_'])) {
        let path = format!("{folder}/library.json");
        let library = json(files, &path)?;
        for field in ["title", "machineName", "majorVersion", "minorVersion", "patchVersion", "runnable"] {
            if library.get(field).is_none() {
                return Err(bad(&path, &format!("\"{field}\" is missing")));
            }
        }
        let name = library_name(&library).ok_or_else(|| bad(&path, "its name or version is not one"))?;
        let machine = name.split(' ').next().unwrap_or_default();
        if folder != name.replace(' ', "-") && folder != machine {
            return Err(bad(&path, &format!("it says \"{name}\" and lies in \"{folder}\"")));
        }
        found.insert(name);
    }
    Ok(found)
}

/// Names of fields that hold labels of the interface.
fn labels(files: &Files) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in files.read.keys().filter(|path| path.ends_with("/semantics.json") && path.matches('/').count() == 1) {
        let Ok(semantics) = json(files, path) else { continue };
        let mut open = vec![&semantics];
        while let Some(value) = open.pop() {
            match value {
                Value::Array(list) => open.extend(list),
                Value::Object(fields) => {
                    if fields.get("common") == Some(&Value::Bool(true)) {
                        found.extend(fields.get("name").and_then(Value::as_str).map(str::to_owned));
                    }
                    open.extend(fields.values());
                }
                _ => {}
            }
        }
    }
    found
}

/// A name for a report: bounded, on one line.
fn shown(name: &str) -> String {
    squeeze(&visible(name)).chars().take(120).collect()
}

#[derive(Default)]
struct Reader {
    labels: BTreeSet<String>,
    html: String,
    texts: usize,
    activities: BTreeSet<String>,
}

impl Reader {
    fn walk(&mut self, value: &Value, field: &str, depth: usize) {
        if depth > DEEPEST || UNSHOWN.contains(&field) || self.labels.contains(field) {
            return;
        }
        match value {
            Value::String(text) => self.text(text),
            Value::Array(list) => list.iter().for_each(|inner| self.walk(inner, field, depth + 1)),
            Value::Object(fields) => {
                if let Some(library) = fields.get("library").and_then(Value::as_str) {
                    self.activities.insert(shown(library));
                }
                for (name, inner) in fields {
                    self.walk(inner, name, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// Words for people: no address, no colour, no name of a setting.
    fn text(&mut self, text: &str) {
        let text = visible(text);
        let trimmed = text.trim();
        let word = !trimmed.contains(char::is_whitespace);
        let setting = word && (trimmed.contains("://") || trimmed.starts_with(['#', '/']) || trimmed.contains('_'));
        if setting || !trimmed.chars().any(char::is_alphabetic) {
            return;
        }
        self.texts += 1;
        if trimmed.contains('<') {
            self.html.push_str(&format!("<div>{trimmed}</div>\n"));
        } else {
            self.html.push_str(&format!("<p>{}</p>\n", escaped(trimmed)));
        }
    }
}
