//! What the parts of an office document (ECMA-376) have in common: the zip, its XML parts and their relations.

use std::collections::BTreeMap;
use std::io::Cursor;

use domain::ingestion::{Failure, failure};
use domain::xml::{self, Element};

use super::archive::{Archive, Entry, Limits};
use super::{normal, squeeze, visible};

/// Elements of one part; the child that parses has a memory limit besides.
const PART: xml::Limits =
    xml::Limits { bytes: 96 << 20, elements: 1_500_000, depth: 128, attributes: 128, doctype: false };

/// An opened office document.
pub(super) struct Office<'b> {
    archive: Archive<Cursor<&'b [u8]>>,
    path: &'b str,
}

impl<'b> Office<'b> {
    /// Opens it and checks its directory.
    pub(super) fn open(path: &'b str, bytes: &'b [u8]) -> Result<Self, Failure> {
        // Encrypted documents lie in a compound file (MS-OFFCRYPTO), as the formats before 2007 do.
        if bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
            let message = format!(
                "\"{path}\" needs a password or is in the format of before 2007; save it in today's format without a password"
            );
            return Err(Failure::new(failure::PASSWORD_PROTECTED, message));
        }
        let limits = Limits { total: 1 << 30, ..Limits::default() };
        Ok(Self { archive: Archive::open(Cursor::new(bytes), limits)?, path })
    }

    /// A part as a tree; `None` when there is none of that name.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<Element>, Failure> {
        let wanted = name.trim_start_matches('/');
        let found = self.archive.entries().iter().find(|entry| entry.name.eq_ignore_ascii_case(wanted)).cloned();
        let Some(entry) = found else { return Ok(None) };
        if entry.size > PART.bytes as u64 {
            let message = format!("\"{}\" has a part of more than {} MiB; split it", self.path, PART.bytes >> 20);
            return Err(Failure::new(failure::TOO_LARGE, message));
        }
        let text = super::text(&entry.name, &self.bytes(&entry)?)?;
        xml::parse(&text, PART).map(Some).map_err(|why| self.broken(&format!("{}: {why}", entry.name)))
    }

    fn bytes(&mut self, entry: &Entry) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        self.archive.read(entry, &mut |part| bytes.extend_from_slice(part))?;
        Ok(bytes)
    }

    /// Inflates what no parser looks at, so that a bomb in a picture is found too.
    pub(super) fn check_rest(&mut self) -> Result<(), Failure> {
        let rest: Vec<Entry> =
            self.archive.entries().iter().filter(|entry| !entry.name.ends_with(".xml")).cloned().collect();
        rest.iter().try_for_each(|entry| self.archive.read(entry, &mut |_| {}))
    }

    /// The relations of a part: id to kind and target, as a path within the archive.
    pub(super) fn relations(&mut self, part: &str) -> Result<BTreeMap<String, (String, String)>, Failure> {
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let sheet =
            if folder.is_empty() { format!("_rels/{name}.rels") } else { format!("{folder}/_rels/{name}.rels") };
        let Some(root) = self.part(&sheet)? else { return Ok(BTreeMap::new()) };
        let mut found = BTreeMap::new();
        for relation in root.all("Relationship") {
            let get = |name: &str| relation.attribute(name).unwrap_or_default();
            if get("TargetMode") == "External" {
                continue;
            }
            let kind = get("Type").rsplit('/').next().unwrap_or_default().to_owned();
            found.insert(get("Id").to_owned(), (kind, within(folder, get("Target"))));
        }
        Ok(found)
    }

    /// The main part, as the package names it.
    pub(super) fn main(&mut self, usual: &str) -> Result<String, Failure> {
        let relations = self.relations("")?;
        let named = relations.into_values().find(|(kind, _)| kind == "officeDocument").map(|(_, target)| target);
        Ok(named.unwrap_or_else(|| usual.to_owned()))
    }

    /// The title that its properties give.
    pub(super) fn title(&mut self) -> Option<String> {
        let core = self.part("docProps/core.xml").ok().flatten()?;
        let title = squeeze(&visible(&core.child("title")?.text()));
        (!title.is_empty()).then_some(title)
    }

    pub(super) fn broken(&self, why: &str) -> Failure {
        let message = format!("\"{}\" is damaged: {why}; open it in its program and save it again", self.path);
        Failure::new(failure::BAD_DOCUMENT, message)
    }
}

/// A target as a path within the archive.
fn within(folder: &str, target: &str) -> String {
    normal(&if target.starts_with('/') { target.to_owned() } else { format!("{folder}/{target}") })
}

/// Whether a switch such as `<w:vanish/>` is there and on.
pub(super) fn on(element: Option<&Element>) -> bool {
    element.is_some_and(|element| !matches!(element.attribute("val"), Some("0" | "false" | "off" | "none")))
}

/// A warning when hidden text read like instructions; its words are dropped either way.
pub(super) fn hidden_orders(hidden: &[String], path: &str) -> Option<domain::document::Warning> {
    let count = hidden.iter().filter(|text| domain::injection::instruction_like(text).is_some()).count();
    (count > 0).then(|| {
        let message = format!("{count} hidden passages that read like instructions to a model were dropped");
        super::warning("HIDDEN_TEXT", message, path)
    })
}
