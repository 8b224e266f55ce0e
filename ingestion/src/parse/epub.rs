//! EPUB 2 and 3: chapters in the order of the spine, titled and grouped as the book's own contents have it.
//!
//! A book is a package: each chapter is a page with its place in the archive.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::document::DocumentKind;
use domain::ingestion::{Failure, SourceKind, failure};
use domain::xml::Element;

use super::package::{Bundle, Files, address, module, title_in};
use super::{Format, squeeze, title_of_path, visible};

/// Reads a book.
///
/// # Errors
/// `BAD_DOCUMENT`, `PASSWORD_PROTECTED` for a book under lock, `NO_TEXT`, or `UNSUPPORTED_FORMAT`.
pub fn parse(files: &Files) -> Result<Bundle, Failure> {
    let bad = |why: &str| {
        let message = format!("\"{}\" is not a readable EPUB: {why}; convert it again, or to HTML", files.name);
        Failure::new(failure::BAD_DOCUMENT, message)
    };
    let Some(container) = files.xml("META-INF/container.xml") else {
        return Err(files.other_kind(SourceKind::File).unwrap_or_else(|| bad("it has no META-INF/container.xml")));
    };
    let container = container.map_err(|why| bad(&why))?;
    let package =
        container.first("rootfile").and_then(|file| file.attribute("full-path")).unwrap_or_default().to_owned();
    let root = files.xml(&package).ok_or_else(|| bad("its package document is missing"))?.map_err(|why| bad(&why))?;
    let folder = package.rsplit_once('/').map_or("", |(folder, _)| folder);
    let items: HashMap<&str, (&Element, String)> = root
        .child("manifest")
        .map(|manifest| manifest.all("item").collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
        .filter_map(|item| Some((item.attribute("id")?, (item, address(folder, item.attribute("href")?)))))
        .collect();
    locked(files, &items)?;
    let spine = root.child("spine").ok_or_else(|| bad("it has no spine"))?;
    let contents = contents(files, spine, &items);
    let title = root.child("metadata").and_then(|metadata| title_in(metadata.child("title")));
    let title = title.unwrap_or_else(|| title_of_path(&files.name));
    let version = format!("EPUB {}", root.attribute("version").unwrap_or("without version"));
    let mut bundle = Bundle { title: title.clone(), version, files: files.all.len(), ..Bundle::default() };
    let mut own = module(&title, false);
    let mut seen = HashSet::new();
    for reference in spine.all("itemref") {
        let Some((item, path)) = reference.attribute("idref").and_then(|id| items.get(id)) else { continue };
        let is_contents =
            item.attribute("properties").is_some_and(|properties| properties.split(' ').any(|one| one == "nav"));
        if is_contents || !seen.insert(path.clone()) {
            continue;
        }
        let entry = contents.get(path);
        let named = entry.map(|entry| entry.title.clone());
        if Format::of(path) != Some(Format::Html) {
            bundle.lose(path, "it is not an HTML chapter");
            continue;
        }
        let Some(Ok(text)) = files.text(path) else {
            let why = "the book names it and does not hold it";
            bundle.failures.push((path.clone(), Failure::new(failure::BAD_DOCUMENT, format!("\"{path}\": {why}"))));
            bundle.lose(path, why);
            continue;
        };
        let text = closed(&text);
        let read = super::html::parse(path, &text);
        if !read.as_ref().is_ok_and(|document| !document.blocks.is_empty()) {
            bundle.lose(path, "it has no text (a cover or a picture)");
            continue;
        }
        // A part begins a module; chapters before the first part are of the book itself.
        let part = entry.and_then(|entry| entry.part.clone());
        let wanted = part.clone().unwrap_or_else(|| title.clone());
        if own.title.as_deref() != Some(wanted.as_str()) {
            bundle.close(&mut own);
            own = module(&wanted, part.is_some());
        }
        bundle.page(&mut own, named.clone(), path, DocumentKind::Html, text.into_bytes());
        bundle.keep(&named.unwrap_or_else(|| path.clone()), "the text of the chapter");
    }
    bundle.close(&mut own);
    if bundle.pages.is_empty() {
        let message =
            format!("\"{}\" has no chapter with text; if its pages are pictures, run OCR on a PDF of it", files.name);
        return Err(Failure::new(failure::NO_TEXT, message));
    }
    Ok(bundle)
}

/// XHTML as HTML: an element that closes itself, such as `<title/>`, would swallow the page otherwise.
fn closed(text: &str) -> String {
    const VOID: &[&str] = &[
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let end = tag.find('>').map_or(tag.len(), |end| end + 1);
        let (tag, after) = tag.split_at(end);
        let name: String = tag.chars().skip(1).take_while(|c| c.is_ascii_alphanumeric() || *c == ':').collect();
        match tag.strip_suffix("/>") {
            Some(open) if !name.is_empty() && !VOID.contains(&name.to_ascii_lowercase().as_str()) => {
                out.push_str(&format!("{open}></{name}>"));
            }
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Refuses a book whose chapters are encrypted; obfuscated fonts (IDPF, Adobe) are no lock.
fn locked(files: &Files, items: &HashMap<&str, (&Element, String)>) -> Result<(), Failure> {
    let Some(Ok(encryption)) = files.xml("META-INF/encryption.xml") else { return Ok(()) };
    let paths: Vec<String> = encryption
        .below("CipherReference")
        .into_iter()
        .filter_map(|reference| Some(address("", reference.attribute("URI")?)))
        .collect();
    let chapter = items.values().any(|(_, path)| Format::of(path) == Some(Format::Html) && paths.contains(path));
    if chapter {
        let message = format!("\"{}\" is locked with digital rights; use a copy without them", files.name);
        return Err(Failure::new(failure::PASSWORD_PROTECTED, message));
    }
    Ok(())
}

/// Where the book's contents put a chapter.
struct Entry {
    title: String,
    /// The part around it.
    part: Option<String>,
}

/// The contents by the path of the chapter: the navigation document of EPUB 3, else the NCX of EPUB 2.
fn contents(files: &Files, spine: &Element, items: &HashMap<&str, (&Element, String)>) -> BTreeMap<String, Entry> {
    let mut found = BTreeMap::new();
    let nav = items.values().find(|(item, _)| {
        item.attribute("properties").is_some_and(|properties| properties.split(' ').any(|one| one == "nav"))
    });
    if let Some((_, path)) = nav
        && let Some(Ok(root)) = files.xml(path)
    {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let navs = root.below("nav");
        let toc = navs.iter().find(|nav| nav.attribute("epub:type") == Some("toc")).or_else(|| navs.first());
        if let Some(list) = toc.and_then(|nav| nav.child("ol")) {
            points(
                list,
                folder,
                None,
                &mut found,
                &|point| {
                    let label = point.child("a").or_else(|| point.child("span"))?;
                    let inner = point.child("ol").map(|list| list.all("li").collect()).unwrap_or_default();
                    Some((label.text(), label.attribute("href").map(str::to_owned), inner))
                },
                "li",
            );
        }
    }
    if found.is_empty() {
        let ncx = spine.attribute("toc").and_then(|id| items.get(id)).map(|(_, path)| path);
        let ncx = ncx.or_else(|| items.values().map(|(_, path)| path).find(|path| path.ends_with(".ncx")));
        if let Some(path) = ncx
            && let Some(Ok(root)) = files.xml(path)
            && let Some(map) = root.child("navMap")
        {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            points(
                map,
                folder,
                None,
                &mut found,
                &|point| {
                    let label = point.child("navLabel")?.text();
                    let href = point.child("content").and_then(|content| content.attribute("src")).map(str::to_owned);
                    Some((label, href, point.all("navPoint").collect()))
                },
                "navPoint",
            );
        }
    }
    found
}

/// What a point of the contents says: its label, its address, and the points below it.
type Point<'e> = (String, Option<String>, Vec<&'e Element>);

fn points<'e>(
    list: &'e Element,
    folder: &str,
    part: Option<&str>,
    found: &mut BTreeMap<String, Entry>,
    read: &dyn Fn(&'e Element) -> Option<Point<'e>>,
    name: &str,
) {
    let mut open: Vec<(&'e Element, Option<String>)> = list
        .elements()
        .filter(|point| point.name == name)
        .rev()
        .map(|point| (point, part.map(str::to_owned)))
        .collect();
    while let Some((point, part)) = open.pop() {
        let Some((label, href, inner)) = read(point) else { continue };
        let title = squeeze(&visible(&label));
        let path = href.as_deref().map(|href| address(folder, href));
        // A point whose own points lead to other files is a part; one that leads into its own file is a chapter.
        let own = path.clone().unwrap_or_default();
        let elsewhere = inner
            .iter()
            .any(|inner| read(inner).and_then(|(_, href, _)| href).is_some_and(|href| address(folder, &href) != own));
        let group = if part.is_none() && elsewhere { Some(title.clone()) } else { part.clone() };
        if let Some(path) = path
            && !title.is_empty()
        {
            found.entry(path).or_insert_with(|| Entry { title, part: group.clone() });
        }
        open.extend(inner.into_iter().rev().map(|inner| (inner, group.clone())));
    }
}
