//! Modules and lessons of a tree of files: `SUMMARY.md` as mdBook reads it, else the table of contents of
//! another generator (`outline/listed.rs`), else folders by number.

mod listed;
mod literal;

use std::collections::{BTreeMap, BTreeSet};

use domain::document::Warning;

use super::{Lesson, Module, summary};
use crate::parse::{Format, normal, title_of_path, warning};

/// The tree of these files. `read` yields the text of one.
pub(super) struct Tree {
    pub(super) modules: Vec<Module>,
    pub(super) warnings: Vec<Warning>,
}

/// Builds the tree of `paths`, all of which are documents that can be read.
pub(super) fn tree(paths: &[String], read: &dyn Fn(&str) -> Option<String>) -> Tree {
    let shallow = |path: &&String| (path.matches('/').count(), path.len());
    let book = paths.iter().filter(|path| path.rsplit('/').next() == Some("SUMMARY.md")).min_by_key(shallow);
    if let Some(book) = book
        && let Some(tree) = read(book).and_then(|text| {
            let folder = book.strip_suffix("SUMMARY.md").unwrap_or_default();
            from_parts(book, folder, &summary::parse(&text), paths)
        })
    {
        return tree;
    }
    if let Some(tree) = from_listed(paths, read) {
        return tree;
    }
    Tree { modules: by_folder(paths, read), warnings: Vec::new() }
}

/// The contents that a site or book generator lists, in the folder that is nearest to the root.
fn from_listed(paths: &[String], read: &dyn Fn(&str) -> Option<String>) -> Option<Tree> {
    let mut folders: BTreeSet<(usize, String)> = BTreeSet::from([(0, String::new())]);
    for path in paths {
        for (at, _) in path.match_indices('/').take(2) {
            let folder = path.get(..=at).unwrap_or_default();
            folders.insert((folder.matches('/').count(), folder.to_owned()));
        }
    }
    // A tree of many folders is looked at near its root alone.
    folders.iter().take(64).find_map(|(_, folder)| {
        listed::FILES.iter().find_map(|(name, _)| {
            let file = format!("{folder}{name}");
            let listed = listed::read(name, &read(&file)?)?;
            let begin = normal(&format!("{folder}{}", listed.folder));
            let begin = if begin.is_empty() { begin } else { format!("{begin}/") };
            from_parts(&file, &begin, &listed.parts, paths)
        })
    })
}

/// The document that a table of contents means: its path, with an ending that was left out, or a folder's index.
fn meant(path: &str, paths: &[String]) -> Option<String> {
    const ENDS: [&str; 9] = ["", ".md", ".mdx", ".qmd", ".ipynb", ".markdown", ".html", "/index.md", "/README.md"];
    ENDS.iter().map(|end| format!("{path}{end}")).find(|candidate| paths.contains(candidate))
}

fn from_parts(book: &str, folder: &str, parts: &[summary::Part], paths: &[String]) -> Option<Tree> {
    let mut missing = Vec::new();
    let mut listed: Vec<String> = Vec::new();
    let mut lesson = |entry: &summary::Entry| {
        let named = entry.path.as_ref().map(|path| normal(&format!("{folder}{path}")))?;
        let Some(path) = meant(&named, paths) else {
            missing.push(named);
            return None;
        };
        if listed.contains(&path) {
            return None;
        }
        listed.push(path.clone());
        let title = Some(entry.title.clone()).filter(|title| !title.is_empty());
        Some(Lesson { title, kind: "DOCUMENT".into(), path, hidden: false })
    };
    let mut modules: Vec<Module> = Vec::new();
    for part in parts {
        let lessons: Vec<Lesson> = part.entries.iter().filter_map(&mut lesson).collect();
        if !lessons.is_empty() {
            let title = Some(part.title.clone()).filter(|title| !title.is_empty());
            modules.push(Module { chapter: part.chapter && title.is_some(), title, lessons });
        }
    }
    if modules.is_empty() {
        return None;
    }
    let mut warnings = Vec::new();
    if let Some(first) = missing.first() {
        let message =
            format!("{} entries of the table of contents have no document, such as \"{first}\"", missing.len());
        warnings.push(warning("MISSING_CHAPTER", message, book));
    }
    let unlisted =
        paths.iter().filter(|path| path.starts_with(folder) && path.as_str() != book && !listed.contains(path));
    // Code is listed by nobody.
    let unlisted = unlisted.filter(|path| Format::of(path).is_some()).count();
    if unlisted > 0 {
        warnings.push(warning(
            "UNLISTED_FILES",
            format!("{unlisted} documents are not in the table of contents and were left out"),
            book,
        ));
    }
    Some(Tree { modules, warnings })
}

/// A module for each folder of the first level with documents, in the order of their numbers.
fn by_folder(paths: &[String], read: &dyn Fn(&str) -> Option<String>) -> Vec<Module> {
    let mut folders: BTreeMap<Vec<Part>, (String, Vec<String>)> = BTreeMap::new();
    // A single folder around everything says nothing about modules.
    let prefix = common_folder(paths);
    for path in paths {
        let inner = path.strip_prefix(&prefix).unwrap_or(path);
        let folder = inner.split_once('/').map_or("", |(folder, _)| folder);
        folders.entry(natural(folder)).or_insert_with(|| (folder.to_owned(), Vec::new())).1.push(path.clone());
    }
    let single = folders.len() == 1;
    let mut modules: Vec<(u64, Module)> = folders
        .into_values()
        .map(|(folder, mut paths)| {
            paths.sort_by_cached_key(|path| {
                (!is_index(path) || path.matches('/').count() > prefix.matches('/').count() + 1, natural(path))
            });
            let index = paths.iter().find(|path| is_index(path) && !folder.is_empty()).cloned();
            let titled = index.filter(|path| Format::of(path) == Some(Format::Markdown)).and_then(|path| {
                let text = read(&path)?;
                let document = crate::parse::markdown::parse(&path, &text, &crate::parse::markdown::NoFiles).ok()?;
                (document.title != title_of_path(&path)).then_some(document.title)
            });
            let category = category(&format!("{prefix}{folder}"), read);
            let named = category.as_ref().and_then(|(label, _)| label.clone());
            if category.is_some() {
                paths.sort_by_cached_key(|path| (!is_index(path), position(path, read), natural(path)));
            }
            let title =
                if folder.is_empty() { None } else { named.or(titled).or_else(|| Some(title_of_path(&folder))) };
            let lessons = paths
                .into_iter()
                .map(|path| Lesson { title: None, kind: "DOCUMENT".into(), path, hidden: false })
                .collect();
            let order = category.and_then(|(_, position)| position).unwrap_or(u64::MAX);
            (order, Module { chapter: title.is_some() && !single, title, lessons })
        })
        .collect();
    // The pages of the root first, then folders by their position, then those without one in the order of their names.
    modules.sort_by_key(|(order, module)| (module.title.is_some(), *order));
    modules.into_iter().map(|(_, module)| module).collect()
}

/// Label and position of a folder of Docusaurus, from its `_category_.json`.
fn category(folder: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<(Option<String>, Option<u64>)> {
    let about: serde_json::Value = serde_json::from_str(&read(&format!("{folder}/_category_.json"))?).ok()?;
    let label = about.get("label").and_then(serde_json::Value::as_str).map(crate::parse::squeeze);
    Some((label.filter(|label| !label.is_empty()), about.get("position").and_then(serde_json::Value::as_u64)))
}

/// The `sidebar_position` that a page's front matter gives; those without come last.
fn position(path: &str, read: &dyn Fn(&str) -> Option<String>) -> u64 {
    let found = read(path).and_then(|text| {
        let mut lines = text.lines().take(60);
        lines.next().filter(|line| line.trim_end() == "---")?;
        lines
            .take_while(|line| line.trim_end() != "---")
            .find_map(|line| line.strip_prefix("sidebar_position:")?.trim().parse().ok())
    });
    found.unwrap_or(u64::MAX)
}

fn is_index(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let stem = name.split('.').next().unwrap_or_default();
    matches!(stem, "index" | "_index" | "readme" | "introduction")
}

fn common_folder(paths: &[String]) -> String {
    let mut prefix = paths
        .first()
        .and_then(|path| path.rsplit_once('/'))
        .map(|(folder, _)| format!("{folder}/"))
        .unwrap_or_default();
    while !prefix.is_empty() && !paths.iter().all(|path| path.starts_with(&prefix)) {
        let shorter = prefix.trim_end_matches('/').rsplit_once('/').map(|(folder, _)| format!("{folder}/"));
        prefix = shorter.unwrap_or_default();
    }
    prefix
}

/// A name as words and numbers, so that 2 comes before 10.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Number(u64, usize),
    Text(String),
}

pub(super) fn natural(name: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        parts.push(if digits {
            Part::Number(part.parse().unwrap_or(u64::MAX), part.len())
        } else {
            Part::Text(part.to_lowercase())
        });
        rest = after;
    }
    parts
}
