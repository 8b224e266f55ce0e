//! Tables of contents of book and site generators, as the parts of a summary: `mkdocs.yml`, `_toc.yml`
//! of Jupyter Book, `_quarto.yml`, and the sidebars of Docusaurus.
//!
//! Nothing is run: YAML and JSON are parsed, and of JavaScript only a literal is read.

use serde_yaml_ng::Value;

use super::super::summary::{Entry, Part};
use super::literal;

/// Files that list contents, the most telling first; each with the folder that its paths begin in.
pub(super) const FILES: &[(&str, &str)] = &[
    ("_toc.yml", ""),
    ("_quarto.yml", ""),
    ("mkdocs.yml", "docs"),
    ("mkdocs.yaml", "docs"),
    ("sidebars.json", "docs"),
    ("sidebars.js", "docs"),
    ("sidebars.ts", "docs"),
];
/// Largest file that is looked at, in bytes.
const LARGEST: usize = 1 << 20;
/// Deepest nesting that is followed.
const DEEPEST: usize = 32;

/// What such a file lists.
pub(super) struct Listed {
    /// Folder that the paths begin in, from that of the file; without a final `/`.
    pub(super) folder: String,
    pub(super) parts: Vec<Part>,
}

/// The parts of a file of this name, when it lists any.
pub(super) fn read(name: &str, text: &str) -> Option<Listed> {
    if text.len() > LARGEST {
        return None;
    }
    let (_, folder) = FILES.iter().find(|(known, _)| *known == name)?;
    let mut found = Listed { folder: (*folder).to_owned(), parts: Vec::new() };
    let mut to = Builder::default();
    match name {
        "_toc.yml" => toc(&yaml(text)?, &mut to),
        "_quarto.yml" => quarto(&yaml(text)?, &mut to),
        "mkdocs.yml" | "mkdocs.yaml" => {
            let site = yaml(text)?;
            if let Some(given) = site.get("docs_dir").and_then(Value::as_str) {
                given.trim_matches('/').clone_into(&mut found.folder);
            }
            nav(site.get("nav")?, &mut to, 0);
        }
        _ => {
            let sidebars = if name.ends_with(".json") { yaml(text)? } else { literal::exported(text)? };
            match &sidebars {
                Value::Mapping(sidebars) => sidebars.values().for_each(|sidebar| items(sidebar, &mut to, 0)),
                sidebar => items(sidebar, &mut to, 0),
            }
        }
    }
    found.parts = to.parts;
    found.parts.retain(|part| !part.entries.is_empty());
    (!found.parts.is_empty()).then_some(found)
}

/// YAML, of which JSON is a part; keys keep their order, tags are dropped.
fn yaml(text: &str) -> Option<Value> {
    fn untagged(value: Value, depth: usize) -> Value {
        match value {
            _ if depth > DEEPEST * 2 => Value::Null,
            Value::Sequence(items) => {
                Value::Sequence(items.into_iter().map(|item| untagged(item, depth + 1)).collect())
            }
            Value::Mapping(fields) => {
                Value::Mapping(fields.into_iter().map(|(key, value)| (key, untagged(value, depth + 1))).collect())
            }
            Value::Tagged(tagged) => untagged(tagged.value, depth + 1),
            plain => plain,
        }
    }
    // The parser's time grows with the square of the depth.
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = depth.max(deepest);
    }
    let value = (deepest <= 8 * DEEPEST).then(|| serde_yaml_ng::from_str(text).ok()).flatten();
    value.map(|value| untagged(value, 0))
}

/// Puts pages into parts: a section of the first level is one, pages beside sections are gathered.
#[derive(Default)]
struct Builder {
    parts: Vec<Part>,
    /// Pages go to a section of this name.
    within: bool,
}

impl Builder {
    fn page(&mut self, title: &str, path: &str) {
        if path.contains("://") || path.starts_with('#') {
            return;
        }
        let path = path.split(['#', '?']).next().unwrap_or_default().trim_start_matches('/').to_owned();
        let entry = Entry { title: crate::parse::squeeze(title), path: (!path.is_empty()).then_some(path) };
        match self.parts.last_mut() {
            Some(part) if self.within || !part.chapter => part.entries.push(entry),
            found => {
                let title = if found.is_none() { "Introduction" } else { "More" };
                self.parts.push(Part { title: title.into(), chapter: false, entries: vec![entry] });
            }
        }
    }

    /// What `fill` adds belongs to the section; one within another joins it.
    fn section(&mut self, title: &str, fill: impl FnOnce(&mut Self)) {
        if self.within {
            return fill(self);
        }
        self.parts.push(Part { title: crate::parse::squeeze(title), chapter: true, entries: Vec::new() });
        self.within = true;
        fill(self);
        self.within = false;
    }
}

fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

/// The `nav` of `MkDocs`: paths, `title: path`, `title: [...]`.
fn nav(value: &Value, to: &mut Builder, depth: usize) {
    for item in value.as_sequence().into_iter().flatten().filter(|_| depth < DEEPEST) {
        match item {
            Value::String(path) => to.page("", path),
            Value::Mapping(fields) => {
                for (title, value) in fields {
                    let title = title.as_str().unwrap_or_default();
                    match value {
                        Value::String(path) => to.page(title, path),
                        inner => to.section(title, |to| nav(inner, to, depth + 1)),
                    }
                }
            }
            _ => {}
        }
    }
}

/// `_toc.yml`, in the form with `root` and the older list.
fn toc(value: &Value, to: &mut Builder) {
    fn chapters(value: &Value, to: &mut Builder, depth: usize) {
        for item in value.as_sequence().into_iter().flatten().filter(|_| depth < DEEPEST) {
            if let Some(path) = text(item, "file") {
                to.page(text(item, "title").unwrap_or_default(), path);
            }
            if let Some(part) = text(item, "part").or_else(|| text(item, "caption")) {
                to.section(part, |to| inner(item, to, depth));
            } else {
                inner(item, to, depth);
            }
        }
    }
    fn inner(item: &Value, to: &mut Builder, depth: usize) {
        for name in ["chapters", "sections", "parts"] {
            if let Some(list) = item.get(name) {
                chapters(list, to, depth + 1);
            }
        }
        for nested in
            item.get("subtrees").and_then(Value::as_sequence).into_iter().flatten().filter(|_| depth < DEEPEST)
        {
            to.section(text(nested, "caption").unwrap_or_default(), |to| inner(nested, to, depth + 1));
        }
    }
    if value.is_sequence() {
        return chapters(value, to, 0);
    }
    if let Some(root) = text(value, "root") {
        to.page("", root);
    }
    inner(value, to, 0);
}

/// `_quarto.yml`: chapters of a book, or the sidebar of a site.
fn quarto(value: &Value, to: &mut Builder) {
    fn contents(value: &Value, to: &mut Builder, depth: usize) {
        for item in value.as_sequence().into_iter().flatten().filter(|_| depth < DEEPEST) {
            let inner = item.get("chapters").or_else(|| item.get("contents"));
            match (item, text(item, "part").or_else(|| text(item, "section")), inner) {
                (Value::String(path), ..) => to.page("", path),
                (_, Some(title), Some(inner)) => {
                    // A part may be a page, whose own heading is its title.
                    let page = title.ends_with(".qmd") || title.ends_with(".md");
                    let named = if page { crate::parse::title_of_path(title) } else { title.to_owned() };
                    to.section(&named, |to| {
                        if page {
                            to.page("", title);
                        }
                        contents(inner, to, depth + 1);
                    });
                }
                _ => {
                    if let Some(path) = text(item, "href").or_else(|| text(item, "file")) {
                        to.page(text(item, "text").unwrap_or_default(), path);
                    }
                }
            }
        }
    }
    if let Some(book) = value.get("book") {
        for name in ["chapters", "appendices"] {
            if let Some(list) = book.get(name) {
                contents(list, to, 0);
            }
        }
    }
    match value.get("website").and_then(|site| site.get("sidebar")) {
        Some(Value::Sequence(sidebars)) => {
            for sidebar in sidebars {
                if let Some(list) = sidebar.get("contents") {
                    to.section(text(sidebar, "title").unwrap_or("Pages"), |to| contents(list, to, 1));
                }
            }
        }
        Some(sidebar) => {
            if let Some(list) = sidebar.get("contents") {
                contents(list, to, 0);
            }
        }
        None => {}
    }
}

/// A sidebar of Docusaurus: ids of documents, categories, and the short form `label: [...]`.
fn items(value: &Value, to: &mut Builder, depth: usize) {
    if depth >= DEEPEST {
        return;
    }
    match value {
        Value::Sequence(list) => list.iter().for_each(|item| items(item, to, depth + 1)),
        Value::String(id) => to.page("", id),
        Value::Mapping(fields) => match text(value, "type") {
            Some("doc" | "ref") => {
                if let Some(id) = text(value, "id") {
                    to.page(text(value, "label").unwrap_or_default(), id);
                }
            }
            Some("category") => to.section(text(value, "label").unwrap_or_default(), |to| {
                let own = value.get("link").filter(|link| text(link, "type") == Some("doc"));
                if let Some(id) = own.and_then(|link| text(link, "id")) {
                    to.page("", id);
                }
                if let Some(inner) = value.get("items") {
                    items(inner, to, depth + 1);
                }
            }),
            Some(_) => {}
            None => {
                for (label, inner) in fields {
                    to.section(label.as_str().unwrap_or_default(), |to| items(inner, to, depth + 1));
                }
            }
        },
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, text: &str) -> Vec<String> {
        let Some(listed) = read(name, text) else { return Vec::new() };
        let entry = |entry: &Entry| format!("{}={}", entry.title, entry.path.as_deref().unwrap_or("-"));
        let part = |part: &Part| {
            let mark = if part.chapter { "#" } else { "" };
            format!("{mark}{}: {}", part.title, part.entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        };
        listed.parts.iter().map(part).collect()
    }

    #[test]
    fn mkdocs_lists_pages_and_sections() {
        let text = "site_name: Harbour\nplugins: !!python/name:x.y\nnav:\n  - index.md\n  - Guide:\n    - boats.md\n    \
            - Sails: guide/sails.md\n    - Deep:\n      - guide/deep.md\n  - About: about.md\n  - Elsewhere: https://example.org\n";
        let expected = [
            "Introduction: =index.md",
            "#Guide: =boats.md, Sails=guide/sails.md, =guide/deep.md",
            "More: About=about.md",
        ];
        assert_eq!(shown("mkdocs.yml", text), expected);
        assert_eq!(read("mkdocs.yml", "docs_dir: /content/\nnav: [a.md]").unwrap().folder, "content");
        assert!(shown("mkdocs.yml", "site_name: x").is_empty());
    }

    #[test]
    fn jupyter_books_list_parts_chapters_and_sections() {
        let text = "format: jb-book\nroot: intro\nparts:\n  - caption: Basics\n    chapters:\n      - file: boats\n        \
            title: Boats\n        sections:\n          - file: hulls\n  - caption: More\n    chapters:\n      - file: sails\n";
        let expected = ["Introduction: =intro", "#Basics: Boats=boats, =hulls", "#More: =sails"];
        assert_eq!(shown("_toc.yml", text), expected);
        let old = "- file: intro\n- part: Basics\n  chapters:\n  - file: boats\n";
        assert_eq!(shown("_toc.yml", old), ["Introduction: =intro", "#Basics: =boats"]);
    }

    #[test]
    fn quarto_lists_books_and_sites() {
        let book = "project:\n  type: book\nbook:\n  chapters:\n    - index.qmd\n    - part: Basics\n      chapters:\n        \
            - boats.qmd\n        - text: Sails\n          file: sails.qmd\n  appendices:\n    - tools.qmd\n";
        let expected = ["Introduction: =index.qmd", "#Basics: =boats.qmd, Sails=sails.qmd", "More: =tools.qmd"];
        assert_eq!(shown("_quarto.yml", book), expected);
        let site = "website:\n  sidebar:\n    contents:\n      - section: Basics\n        contents: [boats.qmd]\n      - auto\n";
        assert_eq!(shown("_quarto.yml", site), ["#Basics: =boats.qmd", "More: =auto"]);
    }

    #[test]
    fn docusaurus_sidebars_are_read_from_json_and_from_a_literal() {
        let json = r#"{"docs":["intro",{"type":"category","label":"Basics","link":{"type":"doc","id":"basics"},"items":["boats",{"type":"doc","id":"sails","label":"Sails"},{"type":"link","href":"https://example.org"}]},{"Short":["knots"]}]}"#;
        let expected = ["Introduction: =intro", "#Basics: =basics, =boats, Sails=sails", "#Short: =knots"];
        assert_eq!(shown("sidebars.json", json), expected);
        let script = "// a comment\nconst sidebars = {\n  docs: ['intro', /* the basics */ {type: 'category', label: \"Basics\", \
            link: {type: 'doc', id: 'basics'}, items: ['boats', {type: `doc`, id: 'sails', label: 'Sails'},],}, {Short: ['knots']}],\n};\nmodule.exports = sidebars;\n";
        assert_eq!(shown("sidebars.js", script), expected);
        assert!(shown("sidebars.js", "module.exports = require('./other')").is_empty());
        assert!(shown("sidebars.js", "module.exports = {docs: [{type: 'autogenerated', dirName: '.'}]}").is_empty());
    }

    #[test]
    fn hostile_lists_end() {
        let deep = format!("nav: {}{}", "[".repeat(5_000), "]".repeat(5_000));
        let laughs = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\n\
            d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]\n\
            g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f]\nh: &h [*g, *g, *g, *g, *g, *g, *g, *g, *g]\nnav: [*h, *h, *h, *h, *h, *h, *h, *h, *h]\n";
        let began = std::time::Instant::now();
        for (name, text) in [
            ("mkdocs.yml", deep.as_str()),
            ("mkdocs.yml", laughs),
            ("_toc.yml", "\0"),
            ("sidebars.js", &format!("module.exports = {}", "{a:[".repeat(100_000))),
            ("sidebars.json", &"[".repeat(100_000)),
        ] {
            let _ = read(name, text);
        }
        assert!(began.elapsed().as_secs() < 2);
    }
}
