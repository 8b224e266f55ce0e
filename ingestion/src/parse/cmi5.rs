//! cmi5 (AICC, Quartz edition): the course structure to modules and lessons, the text of each unit's page.
//!
//! Rules are checked in the order in which they can be trusted: structure, identifiers, addresses.
//! The numbers in messages are those of the specification's requirements.

use std::collections::HashSet;

use domain::document::DocumentKind;
use domain::ingestion::{Failure, SourceKind, failure};
use domain::xml::Element;
use url::Url;

use super::package::{Bundle, Files, address, escaped, module, page_of, title_in};
use super::{Format, squeeze, title_of_path, visible};
use crate::source::Module;

/// A page with fewer words is a frame or a player, not a text.
const FEWEST_WORDS: usize = 5;
/// More units than this are no course.
const MOST_UNITS: usize = 5_000;

/// Reads a package or a bare course structure.
///
/// # Errors
/// `BAD_MANIFEST` with the rule that is broken, or `UNSUPPORTED_FORMAT` for another kind of package.
pub fn parse(files: &Files) -> Result<Bundle, Failure> {
    let structure = if files.bare { files.name.clone() } else { "cmi5.xml".to_owned() };
    let Some(root) = files.xml(&structure) else {
        if let Some(other) = files.other_kind(SourceKind::Cmi5) {
            return Err(other);
        }
        return Err(bad("14.1.0.0", "there is no cmi5.xml at the root of the archive"));
    };
    let root = root.map_err(|why| bad("13.2", &why))?;
    let course = checked(&root)?;
    let mut units = Vec::new();
    gather(&root, &mut Vec::new(), &mut units);
    if units.len() > MOST_UNITS {
        return Err(Failure::new(failure::TOO_LARGE, format!("the course has {} units; split it", units.len())));
    }
    identifiers(&root, course)?;
    for unit in &units {
        addressed(unit.element, files)?;
    }
    let title = title_of(course).unwrap_or_else(|| title_of_path(&files.name));
    let mut bundle =
        Bundle { title: title.clone(), version: "cmi5".into(), files: files.all.len(), ..Bundle::default() };
    let mut open: Option<(Vec<String>, Module)> = None;
    for (number, unit) in (1..).zip(&units) {
        if open.as_ref().is_none_or(|(path, _)| *path != unit.blocks) {
            if let Some((_, mut done)) = open.take() {
                bundle.close(&mut done);
            }
            let name = if unit.blocks.is_empty() { title.clone() } else { unit.blocks.join(": ") };
            open = Some((unit.blocks.clone(), module(&name, !unit.blocks.is_empty())));
        }
        if let Some((_, module)) = &mut open {
            lesson(&mut bundle, module, unit.element, number, files);
        }
    }
    if let Some((_, mut done)) = open.take() {
        bundle.close(&mut done);
    }
    bundle.warnings.push((
        "NOT_LAUNCHED".into(),
        "the units are imported as texts; launching them, with moveOn and mastery score, is not part of this import"
            .into(),
        structure,
    ));
    Ok(bundle)
}

fn bad(rule: &str, why: &str) -> Failure {
    let message =
        format!("the cmi5 course structure cannot be used: {why} (cmi5 {rule}); export it again from its tool");
    Failure::new(failure::BAD_MANIFEST, message)
}

/// A unit with the titles of the blocks around it.
struct Unit<'e> {
    element: &'e Element,
    blocks: Vec<String>,
}

/// Checks the order and number of elements as the schema has them; elements of other schemas are extensions.
fn checked(root: &Element) -> Result<&Element, Failure> {
    if root.name != "courseStructure" {
        return Err(bad("13.2.0.0-1", &format!("its root element is \"{}\", not \"courseStructure\"", root.name)));
    }
    if root.elements().next().is_none_or(|first| first.name != "course") {
        return Err(bad("13.2.0.0-1", "its first element is not \"course\""));
    }
    let course = root.child("course").ok_or_else(|| bad("13.1.1.0", "it has no course"))?;
    ordered(course, &["title", "description"], 2, root)?;
    let content = |element: &Element| matches!(element.name.as_str(), "au" | "block");
    if !root.elements().any(content) {
        return Err(bad("13.2.0.0-1", "it has no assignable unit and no block"));
    }
    let own = |element: &&Element| element.prefix == root.prefix;
    for part in root.elements().filter(own).skip(1) {
        if !content(part) && part.name != "objectives" {
            return Err(bad("13.2.0.0-1", &format!("line {}: \"{}\" does not belong there", part.line, part.name)));
        }
    }
    for block in root.below("block").into_iter().filter(own) {
        let parts: Vec<&str> = block
            .elements()
            .filter(own)
            .map(|part| part.name.as_str())
            .filter(|name| !matches!(*name, "au" | "block"))
            .collect();
        if !matches!(parts.as_slice(), ["title", "description"] | ["title", "description", "objectives"]) {
            return Err(bad("13.2.0.0-1", &format!("line {}: a block has a title, then a description", block.line)));
        }
        if !block.elements().any(content) {
            return Err(bad("13.2.0.0-1", &format!("line {}: a block holds no unit", block.line)));
        }
    }
    let parts = ["title", "description", "objectives", "url", "launchParameters", "entitlementKey"];
    for unit in root.below("au").into_iter().filter(own) {
        ordered(unit, &parts, 2, root)?;
        if unit.child("url").is_none() {
            return Err(bad("13.1.4.0", &format!("line {}: a unit has no url", unit.line)));
        }
        one_of(unit, "moveOn", &["Passed", "Completed", "CompletedAndPassed", "CompletedOrPassed", "NotApplicable"])?;
        one_of(unit, "launchMethod", &["AnyWindow", "OwnWindow"])?;
        let score = unit.attribute("masteryScore").map(|score| score.trim().parse::<f64>());
        if score.is_some_and(|score| !score.is_ok_and(|score| (0.0..=1.0).contains(&score))) {
            return Err(bad("13.1.4.0", &format!("line {}: masteryScore is not between 0 and 1", unit.line)));
        }
    }
    Ok(course)
}

/// Elements in the order of the schema; the first `needed` must be there.
fn ordered(element: &Element, parts: &[&str], needed: usize, root: &Element) -> Result<(), Failure> {
    let mut at = 0;
    for part in element.elements().filter(|part| part.prefix == root.prefix) {
        let Some(place) = parts.iter().position(|name| *name == part.name) else {
            let why = format!("line {}: \"{}\" does not belong in \"{}\"", part.line, part.name, element.name);
            return Err(bad("13.2.0.0-1", &why));
        };
        if place < at {
            let why = format!(
                "line {}: \"{}\" stands too late in \"{}\"; the order is {}",
                part.line,
                part.name,
                element.name,
                parts.join(", ")
            );
            return Err(bad("13.2.0.0-1", &why));
        }
        at = place + 1;
    }
    match parts.iter().take(needed).find(|name| element.child(name).is_none()) {
        Some(missing) => {
            Err(bad("13.2.0.0-1", &format!("line {}: \"{}\" has no {missing}", element.line, element.name)))
        }
        None => Ok(()),
    }
}

fn one_of(unit: &Element, name: &str, known: &[&str]) -> Result<(), Failure> {
    match unit.attribute(name).filter(|value| !known.contains(value)) {
        Some(value) => {
            Err(bad("13.1.4.0", &format!("line {}: {name} is \"{value}\", not {}", unit.line, known.join(", "))))
        }
        None => Ok(()),
    }
}

fn gather<'e>(element: &'e Element, blocks: &mut Vec<String>, units: &mut Vec<Unit<'e>>) {
    for inner in element.elements() {
        match inner.name.as_str() {
            "au" => units.push(Unit { element: inner, blocks: blocks.clone() }),
            "block" => {
                blocks.push(title_of(inner).unwrap_or_else(|| "Block".into()));
                gather(inner, blocks, units);
                blocks.pop();
            }
            _ => {}
        }
    }
}

/// Each id is an absolute IRI, and no two are equal.
fn identifiers(root: &Element, course: &Element) -> Result<(), Failure> {
    let all = std::iter::once(course).chain(root.below("block")).chain(root.below("au")).chain(root.below("objective"));
    let mut seen: HashSet<(bool, String)> = HashSet::new();
    for element in all {
        let id = element.attribute("id").unwrap_or_default();
        let place = format!("line {}: the id of \"{}\"", element.line, element.name);
        if Url::parse(id).is_err() || id.chars().any(char::is_whitespace) {
            return Err(bad(
                "3.0.0.0-1",
                &format!("{place}, \"{id}\", is not a full IRI such as https://example.org/course/1"),
            ));
        }
        // An objective may be named again; it is the same one then.
        if element.name != "objective" && !seen.insert((element.name == "course", id.to_owned())) {
            let rule = if element.name == "block" { "13.1.2.0-1" } else { "13.1.4.0-1" };
            return Err(bad(rule, &format!("{place}, \"{id}\", stands twice; each must be unique")));
        }
    }
    Ok(())
}

fn addressed(unit: &Element, files: &Files) -> Result<(), Failure> {
    let href = unit.child("url").map(|url| url.text().trim().to_owned()).unwrap_or_default();
    let place = format!("line {}: the url \"{href}\"", unit.line);
    let odd = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`')
    };
    if href.is_empty() || href.chars().any(odd) {
        return Err(bad("13.1.4.0-2", &format!("{place} is not a valid address")));
    }
    if href.contains("://") {
        let address = Url::parse(&href)
            .map_err(|error| bad("13.1.4.0-2", &format!("{place} is not a valid address: {error}")))?;
        if !matches!(address.scheme(), "http" | "https") || address.host_str().is_none() {
            return Err(bad("13.1.4.0-2", &format!("{place} is not a web address")));
        }
        return Ok(());
    }
    if files.bare {
        return Err(bad(
            "14.2.0.0-1",
            &format!("{place} is relative, and a structure without its package has only full ones"),
        ));
    }
    let path = address("", &href);
    if !files.has(&path) {
        return Err(bad("14.1.0.0", &format!("{place} names \"{path}\", which is not in the package")));
    }
    Ok(())
}

/// The first text of a title or description, in whatever language stands first.
fn strings(element: &Element, name: &str) -> Option<String> {
    title_in(element.child(name)?.child("langstring"))
}

fn title_of(element: &Element) -> Option<String> {
    strings(element, "title")
}

fn lesson(bundle: &mut Bundle, module: &mut Module, unit: &Element, number: usize, files: &Files) {
    let title = title_of(unit).unwrap_or_else(|| format!("Unit {number}"));
    let href = unit.child("url").map(|url| url.text().trim().to_owned()).unwrap_or_default();
    let path = address("", &href);
    if !href.contains("://")
        && Format::of(&path) == Some(Format::Html)
        && let Some(Ok(text)) = files.text(&path)
        && words(&path, &text) >= FEWEST_WORDS
        && bundle.page(module, Some(title.clone()), &path, DocumentKind::Html, text.into_bytes())
    {
        bundle.keep(&title, "the text of its page");
        return;
    }
    let told = strings(unit, "description").filter(|told| *told != title).unwrap_or_default();
    let link = if href.contains("://") {
        format!("<p>This unit opens at <a href=\"{0}\">{0}</a></p>", escaped(&href))
    } else {
        String::new()
    };
    let inner = format!("<p>{}</p>{link}", escaped(&squeeze(&visible(&told))));
    bundle.page(
        module,
        Some(title.clone()),
        &format!("cmi5/{number:04}.html"),
        DocumentKind::Html,
        page_of(&title, &inner),
    );
    let why = if href.contains("://") {
        "it lies at another address; title, description and link are kept"
    } else {
        "its page has no text of its own; title and description are kept"
    };
    bundle.change(&title, why);
}

fn words(path: &str, text: &str) -> usize {
    let document = super::html::parse(path, text);
    document.map_or(0, |document| document.blocks.iter().map(|block| block.text.split_whitespace().count()).sum())
}
