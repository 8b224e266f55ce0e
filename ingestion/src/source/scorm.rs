//! A SCORM package: organisation tree to modules and lessons, text of its pages, import report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use domain::document::{DocumentKind, Warning};
use domain::ingestion::{Failure, SourceKind, failure};
use serde_json::{Value, json};

use super::{
    Bytes, Fetched, FetchedDocument, Lesson, Media, Module, Outline, Place, Source, blocking, cannot_open, file_sha256,
    sha256,
};
use crate::parse::manifest::{Item, Manifest, Resource};
use crate::parse::{title_of_path, warning};
use crate::sandbox::{Package, Page, Sandbox};

/// Largest package.
const LARGEST: u64 = 2 << 30;
/// A page with fewer words is a frame or a menu, not a lesson.
const FEWEST_WORDS: usize = 5;

/// The SCORM source.
pub(super) struct Scorm;

#[async_trait::async_trait]
impl Source for Scorm {
    fn kind(&self) -> SourceKind {
        SourceKind::Scorm
    }

    async fn fetch(&self, place: &Place, sandbox: &Sandbox, scratch: &Path) -> Result<Fetched, Failure> {
        let (path, shown) = (place.path()?.to_owned(), place.shown().to_owned());
        let opened = {
            let (path, shown) = (path.clone(), shown.clone());
            blocking(move || open(&path, &shown)).await?
        };
        let name = shown.rsplit(['/', '\\']).next().unwrap_or(&shown).to_owned();
        let folder = scratch.join("package");
        tokio::fs::create_dir_all(&folder).await.map_err(|error| cannot_open(&shown, &error))?;
        let package = sandbox.package(opened, &name, Some(&folder)).await?;
        blocking(move || {
            let sha256 = file_sha256(&path).map_err(|error| cannot_open(&shown, &error))?;
            import(&name, package, Media { path, sha256, media_type: "application/zip" })
        })
        .await
    }
}

fn open(path: &Path, shown: &str) -> Result<std::fs::File, Failure> {
    let state = std::fs::metadata(path).map_err(|error| cannot_open(shown, &error))?;
    if state.is_dir() {
        let message = format!("\"{shown}\" is a folder; zip its contents so that imsmanifest.xml lies at the root");
        return Err(Failure::new(failure::UNSUPPORTED_FORMAT, message));
    }
    if state.len() > LARGEST {
        return Err(Failure::new(failure::TOO_LARGE, format!("\"{shown}\" is larger than 2 GiB; split the package")));
    }
    std::fs::File::open(path).map_err(|error| cannot_open(shown, &error))
}

/// What becomes of a package, gathered while its tree is walked.
struct Import<'p> {
    manifest: &'p Manifest,
    base: &'p str,
    pages: BTreeMap<&'p str, &'p Page>,
    files: BTreeSet<&'p str>,
    used: BTreeSet<String>,
    modules: Vec<Module>,
    documents: Vec<FetchedDocument>,
    failures: Vec<(String, Failure)>,
    kept: Vec<Value>,
    changed: Vec<Value>,
    lost: Vec<Value>,
    completes: bool,
    /// Items that are played and have no text.
    silent: usize,
}

fn import(name: &str, mut package: Package, archive: Media) -> Result<Fetched, Failure> {
    let files = std::mem::take(&mut package.unpacked);
    let manifest = &package.manifest;
    let html = |page: &&Page| !page.path.to_ascii_lowercase().ends_with(".js");
    let mut import = Import {
        manifest,
        base: &package.base,
        pages: package.pages.iter().map(|page| (page.path.as_str(), page)).collect(),
        files: package.files.iter().map(|(path, _)| path.as_str()).collect(),
        used: BTreeSet::new(),
        modules: Vec::new(),
        documents: Vec::new(),
        failures: Vec::new(),
        kept: Vec::new(),
        changed: Vec::new(),
        lost: Vec::new(),
        completes: false,
        silent: 0,
    };
    let title = if manifest.title.is_empty() { title_of_path(name) } else { manifest.title.clone() };
    import.level(&title, &manifest.items, 0);
    import.modules.retain(|module| !module.lessons.is_empty());
    let mut warnings: Vec<Warning> =
        manifest.warnings.iter().map(|(code, message)| warning(code, message.clone(), "imsmanifest.xml")).collect();
    warnings.extend(activities(&package));
    if !import.completes {
        let message = "no page of this package calls the SCORM interface, so it never reports completion; mark it complete by hand";
        warnings.push(warning("NEVER_REPORTS_COMPLETION", message, name));
    }
    let html_pages = package.pages.iter().filter(html).count();
    let with_text = package.pages.iter().filter(html).filter(|page| page.words >= FEWEST_WORDS).count();
    let coverage = (100 * (import.documents.len() - import.silent)).checked_div(html_pages).unwrap_or(0);
    let report = json!({
        "version": manifest.version, "schemaVersion": manifest.schema_version, "files": package.files.len(), "htmlPages": html_pages,
        "pagesWithText": with_text, "coveragePercent": coverage, "reportsCompletion": import.completes,
        "kept": import.kept, "changed": import.changed, "lost": import.lost, "packageSha256": archive.sha256,
    });
    if import.documents.is_empty() {
        return Err(match import.failures.into_iter().next() {
            Some((_, failure)) => failure,
            None => Failure::new(
                failure::EMPTY,
                format!(
                    "\"{name}\" has {html_pages} HTML pages and none has text; its text may be in scripts or pictures, so export it with an HTML or PDF version"
                ),
            ),
        });
    }
    if let Some(first) = import.documents.first_mut() {
        first.media = Some(archive);
    }
    let outline = Outline {
        title,
        modules: import.modules,
        failures: import.failures,
        import: Some(report),
        questions: Vec::new(),
    };
    Ok(Fetched { outline, commit: None, documents: import.documents, files, warnings })
}

impl Import<'_> {
    /// Leaves of a level are the lessons of one module; an item with children is a module of its own.
    fn level(&mut self, title: &str, items: &[Item], depth: usize) {
        let mut own = Module { title: Some(title.to_owned()), chapter: depth > 0, lessons: Vec::new() };
        for item in items {
            let shown = if item.title.is_empty() { item.id.clone() } else { item.title.clone() };
            if item.children.is_empty() {
                match self.leaf(item, &shown) {
                    Leaf::Lessons(lessons) => own.lessons.extend(lessons),
                    Leaf::Module(module) => {
                        self.close(&mut own);
                        self.modules.push(module);
                    }
                }
            } else {
                self.close(&mut own);
                let name = if depth == 0 { shown.clone() } else { format!("{title}: {shown}") };
                if item.resource.is_some()
                    && let Leaf::Lessons(lessons) = self.leaf(item, &shown)
                {
                    self.modules.push(Module { title: Some(name.clone()), chapter: true, lessons });
                }
                self.level(&name, &item.children, depth + 1);
            }
        }
        self.close(&mut own);
    }

    fn close(&mut self, module: &mut Module) {
        if !module.lessons.is_empty() {
            let lessons = std::mem::take(&mut module.lessons);
            self.modules.push(Module { lessons, ..module.clone() });
        }
    }

    fn leaf(&mut self, item: &Item, shown: &str) -> Leaf {
        let Some(id) = &item.resource else {
            self.changed.push(json!({ "item": shown, "why": "it launches nothing; it was a heading" }));
            return Leaf::Lessons(Vec::new());
        };
        let Some(resource) = self.manifest.resources.get(id) else {
            return self.lose(shown, format!("its resource \"{id}\" is not in the manifest"));
        };
        let Some(href) = &resource.href else {
            return self.lose(shown, format!("its resource \"{id}\" has no address"));
        };
        if href.contains("://") {
            return self.lose(shown, format!("it launches \"{href}\" outside the package"));
        }
        let href = self.inside(href);
        if !self.files.contains(href.as_str()) {
            return self.lose(shown, format!("its file \"{href}\" is not in the package"));
        }
        let pages = self.pages_of(resource, &href);
        self.completes |= self.calls_interface(resource, &href);
        let parameters = parameters(resource.query.as_deref(), item.parameters.as_deref());
        let readable: Vec<String> =
            pages.into_iter().filter(|path| self.take(path, item, (&href, parameters.as_deref()), shown)).collect();
        let lesson = |path: &String, title: Option<String>| Lesson {
            title,
            kind: "INTERACTIVE".into(),
            path: path.clone(),
            hidden: item.hidden,
        };
        match readable.as_slice() {
            [] => {
                let path = self.played(item, (&href, parameters.as_deref()), shown);
                let why = "its pages have no text that is not shown elsewhere; it is played, and not searched";
                self.changed.push(json!({ "item": shown, "pages": 0, "why": why }));
                Leaf::Lessons(vec![lesson(&path, Some(shown.to_owned()))])
            }
            [only] => {
                self.kept.push(json!({ "item": shown, "pages": 1 }));
                Leaf::Lessons(vec![lesson(only, Some(shown.to_owned()))])
            }
            many => {
                self.changed.push(json!({ "item": shown, "pages": many.len(), "why": "one item with several pages became a module with a lesson a page" }));
                let lessons = many.iter().map(|path| lesson(path, None)).collect();
                Leaf::Module(Module { title: Some(shown.to_owned()), chapter: true, lessons })
            }
        }
    }

    fn lose(&mut self, shown: &str, why: String) -> Leaf {
        self.lost.push(json!({ "item": shown, "why": why }));
        let message = format!("item \"{shown}\": {why}; export the package again");
        self.failures.push((shown.to_owned(), Failure::new(failure::BAD_DOCUMENT, message)));
        Leaf::Lessons(Vec::new())
    }

    fn inside(&self, href: &str) -> String {
        format!("{}{href}", self.base)
    }

    /// The HTML pages of a resource and of what it needs: in the order in which its launch page names
    /// them, else in that of the manifest.
    fn pages_of(&self, resource: &Resource, href: &str) -> Vec<String> {
        let mut paths = vec![href.to_owned()];
        let mut open = vec![resource];
        let mut seen = BTreeSet::new();
        while let Some(resource) = open.pop() {
            for file in &resource.files {
                let path = self.inside(file);
                if self.pages.contains_key(path.as_str())
                    && !path.to_ascii_lowercase().ends_with(".js")
                    && !paths.contains(&path)
                {
                    paths.push(path);
                }
            }
            for id in &resource.dependencies {
                if seen.insert(id.clone())
                    && let Some(needed) = self.manifest.resources.get(id)
                    && needed.kind != "sco"
                {
                    open.push(needed);
                }
            }
        }
        let launch =
            self.pages.get(href).map(|page| String::from_utf8_lossy(&page.bytes).into_owned()).unwrap_or_default();
        let named = |path: &String| {
            let relative = path.strip_prefix(self.base).unwrap_or(path);
            let name = relative.rsplit('/').next().unwrap_or(relative);
            launch.find(relative).or_else(|| launch.find(&format!("\"{name}\""))).unwrap_or(usize::MAX)
        };
        let mut rest = paths.split_off(1);
        rest.sort_by_cached_key(named);
        paths.append(&mut rest);
        paths
    }

    /// Whether a page or script of the resource uses `LMSInitialize` or `Initialize` of the run-time.
    fn calls_interface(&self, resource: &Resource, href: &str) -> bool {
        const CALLS: [&str; 6] =
            ["LMSInitialize", "API_1484_11", "LMSFinish", "LMSSetValue", "SetValue(", "window.API"];
        let calls = |path: &str| {
            self.pages.get(path).is_some_and(|page| {
                let text = String::from_utf8_lossy(&page.bytes);
                CALLS.iter().any(|call| text.contains(call))
            })
        };
        calls(href)
            || resource.files.iter().any(|file| calls(&self.inside(file)))
            || self.pages.keys().any(|path| path.to_ascii_lowercase().ends_with(".js") && calls(path))
    }

    /// Takes a page over as a document; whether it has text and is not taken yet.
    fn take(&mut self, path: &str, item: &Item, launch: (&str, Option<&str>), shown: &str) -> bool {
        let Some(page) = self.pages.get(path).copied() else { return false };
        if let Some(why) = &page.error {
            self.failures.push((path.to_owned(), Failure::new(failure::BAD_DOCUMENT, why.clone())));
            self.lost.push(json!({ "item": shown, "page": path, "why": why }));
            return false;
        }
        if page.words < FEWEST_WORDS || !self.used.insert(path.to_owned()) {
            return false;
        }
        self.document(path, page.bytes.clone(), item, launch, shown);
        true
    }

    /// An item that has to be played to say anything: a lesson without text. Items may share their page and differ
    /// in its parameters alone, so these are part of the name.
    fn played(&mut self, item: &Item, launch: (&str, Option<&str>), shown: &str) -> String {
        let with = format!("{}{}", launch.0, launch.1.unwrap_or_default());
        let names = [launch.0.to_owned(), with.clone(), format!("{with}#{}", item.id)];
        let path = names
            .into_iter()
            .find(|name| !self.used.contains(name))
            .unwrap_or_else(|| format!("{with}#{}-{}", item.id, self.documents.len()));
        self.used.insert(path.clone());
        self.silent += 1;
        self.document(&path, nameplate(shown), item, launch, shown);
        path
    }

    fn document(
        &mut self,
        path: &str,
        bytes: Vec<u8>,
        item: &Item,
        (launch, parameters): (&str, Option<&str>),
        shown: &str,
    ) {
        self.documents.push(FetchedDocument {
            path: path.to_owned(),
            kind: DocumentKind::Scorm,
            sha256: sha256(&bytes),
            bytes: Bytes::Memory(bytes),
            media_type: "text/html",
            includes: BTreeMap::new(),
            media: None,
            extra: json!({
                "item": item.id, "title": shown, "launch": launch, "parameters": parameters, "facts": item.facts,
            }),
        });
    }
}

/// What follows the path of a launched page: its resource's own query, then the item's parameters.
fn parameters(query: Option<&str>, more: Option<&str>) -> Option<String> {
    let query = query.filter(|query| query.len() > 1);
    let more = more.map(|more| more.trim_start_matches(['?', '&'])).filter(|more| !more.is_empty());
    match (query, more) {
        (Some(query), Some(more)) if query.starts_with('?') && !more.starts_with('#') => {
            Some(format!("{query}&{more}"))
        }
        (Some(query), Some(more)) if query.starts_with('?') => Some(format!("{query}{more}")),
        (Some(query), _) => Some(query.to_owned()),
        (None, more) => more.map(|more| if more.starts_with('#') { more.to_owned() } else { format!("?{more}") }),
    }
}

/// A page that says nothing but its name.
fn nameplate(title: &str) -> Vec<u8> {
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    format!("<!doctype html><title>{title}</title>").into_bytes()
}

enum Leaf {
    Lessons(Vec<Lesson>),
    Module(Module),
}

/// Scripts that hold questions or course text which no lesson shows.
fn activities(package: &Package) -> Vec<Warning> {
    package
        .pages
        .iter()
        .filter(|page| page.path.to_ascii_lowercase().ends_with(".js"))
        .filter_map(|page| {
            let text = String::from_utf8_lossy(&page.bytes);
            let name = page.path.rsplit('/').next().unwrap_or(&page.path).to_ascii_lowercase();
            let questions = text.matches("AddQuestion(").count().max(text.matches("new Question").count());
            let activity =
                questions > 0 && name != "scormfunctions.js" || name.contains("question") || name.contains("quiz");
            let count = if questions > 0 { format!("{questions} questions") } else { "an activity".into() };
            activity.then(|| {
                warning(
                    "DROPPED_ACTIVITY",
                    format!("{count} in a script run in the package only; their text is not searched"),
                    &page.path,
                )
            })
        })
        .collect()
}
