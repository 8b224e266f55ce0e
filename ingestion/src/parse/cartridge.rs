//! Common Cartridges (1EdTech, 1.0 to 1.3, and as Canvas writes them): the organisation tree to modules
//! and lessons; pages, documents, links and discussion topics to lessons; tests to questions.
//!
//! The format: <https://www.imsglobal.org/cc/index.html>.

use std::collections::{BTreeMap, HashSet};

use domain::document::DocumentKind;
use domain::ingestion::{Failure, SourceKind, failure};
use domain::xml::Element;

use super::package::{Bundle, Files, address, escaped, module, page_of, title_in};
use super::{Format, qti, squeeze, title_of_path, visible};
use crate::source::Module;

/// What a resource of the manifest is.
struct Resource<'e> {
    kind: String,
    path: String,
    element: &'e Element,
}

/// Reads a cartridge.
///
/// # Errors
/// `BAD_MANIFEST`, `EMPTY`, or `UNSUPPORTED_FORMAT` for another kind of package.
pub fn parse(files: &Files) -> Result<Bundle, Failure> {
    let bad = |why: &str| {
        let message =
            format!("imsmanifest.xml of the cartridge cannot be used: {why}; export it again from its platform");
        Failure::new(failure::BAD_MANIFEST, message)
    };
    let Some(root) = files.xml("imsmanifest.xml") else {
        return Err(files
            .other_kind(SourceKind::Cartridge)
            .unwrap_or_else(|| bad("it is not at the root of the archive")));
    };
    let root = root.map_err(|why| bad(&why))?;
    if root.name != "manifest" {
        return Err(bad(&format!("its root element is \"{}\", not \"manifest\"", root.name)));
    }
    if let Some(other) = files.other_kind(SourceKind::Cartridge) {
        return Err(other);
    }
    let metadata = root.child("metadata");
    let about = |name: &str| metadata.and_then(|metadata| title_in(metadata.child(name)));
    let title =
        metadata.and_then(|metadata| metadata.first("general")).and_then(|general| title_in(general.child("title")));
    let title = title.unwrap_or_else(|| title_of_path(&files.name));
    let version = format!("Common Cartridge {}", about("schemaversion").unwrap_or_else(|| "without version".into()));
    let mut resources: BTreeMap<&str, Resource<'_>> = BTreeMap::new();
    let mut order = Vec::new();
    for list in root.all("resources") {
        let base = list.attribute("base").unwrap_or_default();
        for element in list.all("resource") {
            let Some(id) = element.attribute("identifier") else { continue };
            let base = address(base, element.attribute("base").unwrap_or_default());
            let href =
                element.attribute("href").or_else(|| element.child("file").and_then(|file| file.attribute("href")));
            let path = href.map(|href| address(&base, href)).unwrap_or_default();
            let kind = element.attribute("type").unwrap_or_default().to_lowercase();
            order.push(id);
            resources.insert(id, Resource { kind, path, element });
        }
    }
    if resources.is_empty() {
        return Err(bad("it has no resources"));
    }
    let mut import = Import {
        files,
        resources: &resources,
        bundle: Bundle { title: title.clone(), version, files: files.all.len(), ..Bundle::default() },
        used: HashSet::new(),
        attached: resources.values().flat_map(attachments).collect(),
    };
    let organizations: Vec<&Element> = root.below("organization");
    if let Some(organization) = organizations.first() {
        let mut items: Vec<&Element> = organization.all("item").collect();
        // A rooted hierarchy has one item around everything, without a title.
        while let [only] = items.as_slice()
            && only.attribute("identifierref").is_none()
            && only.child("title").is_none()
        {
            items = only.all("item").collect();
        }
        import.level(&title, &items, 0);
    }
    import.rest(&order);
    let Import { mut bundle, .. } = import;
    let paths = qti::question_files(files, &mut bundle);
    if !paths.is_empty() {
        let bank = qti::questions(&paths, files, &mut bundle);
        if !bank.drafts.is_empty() {
            qti::record(&mut bundle, bank);
        }
    }
    if bundle.pages.is_empty() {
        let why =
            bundle.lost.iter().filter_map(|lost| lost.get("why")?.as_str()).take(3).collect::<Vec<_>>().join("; ");
        let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
        let message = format!("\"{}\" has no page, link, topic or question that can be imported{why}", files.name);
        return Err(Failure::new(failure::EMPTY, message));
    }
    Ok(bundle)
}

/// Files of a resource besides the one it opens, and files of resources that it needs.
fn attachments(resource: &Resource<'_>) -> Vec<String> {
    let files = resource.element.all("file").filter_map(|file| file.attribute("href")).map(|href| address("", href));
    files.filter(|path| *path != resource.path).collect()
}

struct Import<'p> {
    files: &'p Files,
    resources: &'p BTreeMap<&'p str, Resource<'p>>,
    bundle: Bundle,
    used: HashSet<String>,
    attached: HashSet<String>,
}

impl Import<'_> {
    /// Leaves of a level are the lessons of one module; an item with items is a module of its own.
    fn level(&mut self, title: &str, items: &[&Element], depth: usize) {
        let mut own = module(title, depth > 0);
        for item in items {
            let inner: Vec<&Element> = item.all("item").collect();
            let shown = title_in(item.child("title")).unwrap_or_else(|| "Without a title".into());
            let reference = item.attribute("identifierref").unwrap_or_default();
            if inner.is_empty() {
                if reference.is_empty() {
                    self.bundle.change(&shown, "it opens nothing; it was a heading");
                } else {
                    self.resource(&mut own, reference, Some(&shown));
                }
            } else {
                self.bundle.close(&mut own);
                let name = if depth == 0 { shown.clone() } else { format!("{title}: {shown}") };
                if !reference.is_empty() {
                    let mut first = module(&name, true);
                    self.resource(&mut first, reference, Some(&shown));
                    self.bundle.close(&mut first);
                }
                self.level(&name, &inner, depth + 1);
            }
        }
        self.bundle.close(&mut own);
    }

    /// Pages that no item of the tree opens: Canvas leaves pages and assignments out of it.
    fn rest(&mut self, order: &[&str]) {
        let (mut pages, mut assignments) = (module("Other pages", false), module("Assignments", false));
        for id in order {
            let Some(resource) = self.resources.get(id) else { continue };
            if self.used.contains(*id) || self.attached.contains(&resource.path) {
                continue;
            }
            let assignment = resource
                .element
                .all("file")
                .any(|file| file.attribute("href").is_some_and(|href| href.ends_with("assignment_settings.xml")));
            let into = if assignment { &mut assignments } else { &mut pages };
            self.resource(into, id, None);
        }
        self.bundle.close(&mut pages);
        self.bundle.close(&mut assignments);
    }

    fn resource(&mut self, into: &mut Module, id: &str, title: Option<&str>) {
        let Some(resource) = self.resources.get(id) else {
            let shown = title.unwrap_or(id).to_owned();
            let why = format!("its resource \"{id}\" is not in the manifest");
            self.bundle.failures.push((
                shown.clone(),
                Failure::new(failure::BAD_DOCUMENT, format!("item \"{shown}\": {why}; export the cartridge again")),
            ));
            return self.bundle.lose(&shown, why);
        };
        let shown = title.unwrap_or(&resource.path).to_owned();
        if !self.used.insert(id.to_owned()) {
            return self.bundle.change(&shown, "it stands in the tree twice; the first place is kept");
        }
        let (kind, path) = (resource.kind.as_str(), resource.path.as_str());
        if kind.contains("assessment") || kind.contains("question-bank") || kind.contains("imsqti") {
            // Questions are read from all files at the end; the tree only says where the test stood.
            return;
        }
        if kind.starts_with("imsbasiclti") {
            return self.bundle.lose(&shown, "an external tool (LTI); register it with the institution and link it");
        }
        if path.is_empty() {
            return self.bundle.lose(&shown, "its resource opens no file");
        }
        if !self.files.has(path) {
            // Settings that Canvas names and did not write are no loss of content.
            if title.is_some() || Format::of(path).is_some() {
                let why = format!("its file \"{path}\" is not in the cartridge");
                self.bundle.lose(&shown, why);
            }
            return;
        }
        if kind.starts_with("imswl") {
            return self.link(into, path, &shown);
        }
        if kind.starts_with("imsdt") {
            return self.topic(into, path, &shown);
        }
        self.document(into, path, title, &shown);
    }

    fn document(&mut self, into: &mut Module, path: &str, title: Option<&str>, shown: &str) {
        if title.is_none() && path.starts_with("course_settings/") && Format::of(path) != Some(Format::Html) {
            return;
        }
        let Some(format) = Format::of(path) else {
            if path.ends_with(".xml") || path.ends_with(".qti") {
                return;
            }
            return self.bundle.lose(shown, format!("\"{path}\" is a file of a kind that lessons do not show"));
        };
        let Some(bytes) = self.files.read.get(path).cloned() else {
            return self.bundle.lose(shown, format!("\"{path}\" is too large to be a lesson"));
        };
        let empty = format == Format::Html
            && super::text(path, &bytes)
                .and_then(|text| super::html::parse(path, &text))
                .is_ok_and(|page| page.blocks.is_empty());
        let unpublished = format == Format::Html && unpublished(&String::from_utf8_lossy(&bytes));
        if !self.bundle.page(into, title.map(str::to_owned), path, format.kind(), bytes) {
            return self.bundle.change(shown, "its file is a lesson already");
        }
        if let (true, Some(lesson)) = (unpublished, into.lessons.last_mut()) {
            lesson.hidden = true;
            self.bundle.change(shown, "it was not published; it is a hidden lesson");
        } else if empty {
            self.bundle.change(shown, "the page has no text; it is an empty lesson");
        } else {
            self.bundle.keep(shown, "its text");
        }
    }

    fn link(&mut self, into: &mut Module, path: &str, shown: &str) {
        let root = match self.files.xml(path) {
            Some(Ok(root)) => root,
            _ => return self.bundle.lose(shown, format!("\"{path}\" is not the description of a link")),
        };
        let href = root.first("url").and_then(|url| url.attribute("href")).unwrap_or_default().trim();
        if !(href.starts_with("https://") || href.starts_with("http://")) {
            return self.bundle.lose(shown, "its link leads to no web address");
        }
        let title = title_in(root.child("title")).unwrap_or_else(|| shown.to_owned());
        let inner = format!("<p>This lesson is a link: <a href=\"{0}\">{0}</a></p>", escaped(href));
        self.bundle.page(into, Some(title.clone()), path, DocumentKind::Html, page_of(&title, &inner));
        self.bundle.change(&title, "the link became a page that names it");
    }

    fn topic(&mut self, into: &mut Module, path: &str, shown: &str) {
        let root = match self.files.xml(path) {
            Some(Ok(root)) => root,
            _ => return self.bundle.lose(shown, format!("\"{path}\" is not a discussion topic")),
        };
        let title = title_in(root.child("title")).unwrap_or_else(|| shown.to_owned());
        let text = root.child("text");
        let words = text.map(Element::text).unwrap_or_default();
        let html =
            text.and_then(|text| text.attribute("texttype")).is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        let inner = if html { words } else { format!("<p>{}</p>", escaped(&squeeze(&visible(&words)))) };
        self.bundle.page(into, Some(title.clone()), path, DocumentKind::Html, page_of(&title, &inner));
        self.bundle.change(&title, "the discussion became a page with its opening text");
    }
}

/// Whether Canvas says that learners do not see the page.
fn unpublished(html: &str) -> bool {
    let head = html.split("<body").next().unwrap_or_default();
    let state = head.split("name=\"workflow_state\"").nth(1).and_then(|rest| rest.split('>').next());
    state.is_some_and(|state| state.contains("unpublished"))
}
