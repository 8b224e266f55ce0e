//! Names of elements, and the tables that say what each is.

use super::Edition;
use super::kind::Kind;

/// Who may do what with an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    Both,
}

/// An element of a data model. `n` stands for an index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element {
    pub(super) path: &'static str,
    pub(super) access: Access,
    pub(super) kind: Kind,
    /// What is read before anything was set; without one, 2004 answers that there is no value.
    pub(super) default: Option<&'static str>,
}

pub(super) const fn read(path: &'static str, kind: Kind) -> Element {
    Element { path, access: Access::Read, kind, default: None }
}

pub(super) const fn write(path: &'static str, kind: Kind) -> Element {
    Element { path, access: Access::Write, kind, default: None }
}

pub(super) const fn both(path: &'static str, kind: Kind) -> Element {
    Element { path, access: Access::Both, kind, default: None }
}

impl Element {
    pub(super) const fn or(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }
}

/// What an edition's data model consists of.
pub(super) struct Model {
    pub(super) elements: &'static [Element],
    /// Element and the answer to its `_children`.
    pub(super) children: &'static [(&'static str, &'static str)],
    /// Elements that are lists, with `_count`.
    pub(super) lists: &'static [&'static str],
    pub(super) version: &'static str,
}

impl Model {
    pub(super) fn of(edition: Edition) -> &'static Self {
        match edition {
            Edition::V12 => &super::v12::MODEL,
            Edition::V2004Third => &super::v2004::THIRD,
            Edition::V2004Fourth => &super::v2004::FOURTH,
        }
    }

    pub(super) fn element(&self, pattern: &str) -> Option<&'static Element> {
        self.elements.iter().find(|element| element.path == pattern)
    }

    pub(super) fn is_list(&self, pattern: &str) -> bool {
        self.lists.contains(&pattern)
    }

    /// Whether anything of the model has this name or begins with it.
    pub(super) fn knows(&self, pattern: &str) -> bool {
        self.elements.iter().any(|element| {
            element.path.strip_prefix(pattern).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}

/// A name as a script wrote it: its pattern, and the lists with indexes on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// With `n` for each index.
    pub(super) pattern: String,
    /// Each list as written, and the index in it.
    pub(super) steps: Vec<(String, usize)>,
    /// As written, with indexes in their plain form.
    pub(super) path: String,
}

/// Parts of a name of this system: deeper names exist in no data model.
const DEEPEST: usize = 8;

impl Name {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut name = Self { pattern: String::new(), steps: Vec::new(), path: String::new() };
        for (depth, part) in text.split('.').enumerate() {
            if part.is_empty() || depth >= DEEPEST {
                return None;
            }
            if part.bytes().all(|byte| byte.is_ascii_digit()) {
                let index: usize = part.parse().ok()?;
                name.steps.push((name.path.clone(), index));
                name.push("n", &index.to_string());
            } else if part == "n" {
                // Else the pattern itself would be taken for a name.
                return None;
            } else {
                name.push(part, part);
            }
        }
        Some(name)
    }

    fn push(&mut self, pattern: &str, path: &str) {
        if !self.path.is_empty() {
            self.pattern.push('.');
            self.path.push('.');
        }
        self.pattern.push_str(pattern);
        self.path.push_str(path);
    }

    /// The name without its last part, and that part.
    pub(super) fn parent(&self) -> Option<(&str, &str)> {
        self.path.rsplit_once('.')
    }
}
