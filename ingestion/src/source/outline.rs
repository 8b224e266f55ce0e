//! Modules and lessons of a tree of files: `SUMMARY.md` as mdBook reads it, else folders by number.

use std::collections::BTreeMap;

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
        && let Some(tree) = read(book).and_then(|text| from_summary(book, &text, paths))
    {
        return tree;
    }
    Tree { modules: by_folder(paths, read), warnings: Vec::new() }
}

fn from_summary(book: &str, text: &str, paths: &[String]) -> Option<Tree> {
    let folder = book.strip_suffix("SUMMARY.md").unwrap_or_default();
    let mut missing = Vec::new();
    let mut listed: Vec<String> = Vec::new();
    let mut lesson = |entry: &summary::Entry| {
        let path = entry.path.as_ref().map(|path| normal(&format!("{folder}{path}")))?;
        if !paths.contains(&path) {
            missing.push(path);
            return None;
        }
        if listed.contains(&path) {
            return None;
        }
        listed.push(path.clone());
        Some(Lesson { title: Some(entry.title.clone()), kind: "DOCUMENT".into(), path, hidden: false })
    };
    let mut modules: Vec<Module> = Vec::new();
    for part in summary::parse(text) {
        let lessons: Vec<Lesson> = part.entries.iter().filter_map(&mut lesson).collect();
        if !lessons.is_empty() {
            modules.push(Module { title: Some(part.title), chapter: part.chapter, lessons });
        }
    }
    if modules.is_empty() {
        return None;
    }
    let mut warnings = Vec::new();
    if let Some(first) = missing.first() {
        let message = format!("{} chapters of the summary have no file, such as \"{first}\"", missing.len());
        warnings.push(warning("MISSING_CHAPTER", message, book));
    }
    let unlisted =
        paths.iter().filter(|path| path.starts_with(folder) && path.as_str() != book && !listed.contains(path)).count();
    if unlisted > 0 {
        warnings.push(warning(
            "UNLISTED_FILES",
            format!("{unlisted} documents are not in the summary and were left out"),
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
    folders
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
            let title = if folder.is_empty() { None } else { Some(titled.unwrap_or_else(|| title_of_path(&folder))) };
            let lessons = paths
                .into_iter()
                .map(|path| Lesson { title: None, kind: "DOCUMENT".into(), path, hidden: false })
                .collect();
            Module { chapter: title.is_some() && !single, title, lessons }
        })
        .collect()
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
