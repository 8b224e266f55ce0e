//! `imsmanifest.xml` of SCORM 1.2 and 2004: the organisation tree and the resources it launches.
//!
//! Read event by event; a DOCTYPE is refused, so no entity is ever declared or expanded.

use std::collections::BTreeMap;

use domain::ingestion::{Failure, failure};
use domain::scorm::Facts;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde::{Deserialize, Serialize};

use super::{squeeze, visible};

/// Largest manifest in bytes.
const LARGEST: usize = 8 * 1024 * 1024;
/// Deepest element.
const DEEPEST: usize = 64;
/// Most elements.
const MOST_NODES: usize = 100_000;
/// Most attributes of an element; a duplicate check of many is quadratic.
const MOST_ATTRIBUTES: usize = 64;
/// Most objectives, and most shared data, of an item.
const MOST_FACTS: usize = 100;

/// Which SCORM a package follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// SCORM 1.2.
    #[serde(rename = "1.2")]
    V12,
    /// SCORM 2004, any edition.
    #[serde(rename = "2004")]
    V2004,
}

/// An item of the organisation tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its identifier.
    pub id: String,
    /// Its title for people.
    pub title: String,
    /// The resource that it launches.
    pub resource: Option<String>,
    /// Query that is added to the resource's address.
    pub parameters: Option<String>,
    /// Not shown in a table of contents.
    pub hidden: bool,
    /// What the run-time has to know of it.
    #[serde(default)]
    pub facts: Facts,
    /// Items below it.
    pub children: Vec<Item>,
}

/// A resource: what is launched and which files belong to it, as paths within the package.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Where it starts, without query.
    pub href: Option<String>,
    /// What follows the path in its address, with its `?` or `#`.
    #[serde(default)]
    pub query: Option<String>,
    /// `sco`, `asset` or empty.
    pub kind: String,
    /// Its files in the order of the manifest.
    pub files: Vec<String>,
    /// Other resources that it needs.
    pub dependencies: Vec<String>,
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version.
    pub version: Version,
    /// `schemaversion` as written.
    pub schema_version: String,
    /// Title of the organisation.
    pub title: String,
    /// Its items.
    pub items: Vec<Item>,
    /// Resources by identifier.
    pub resources: BTreeMap<String, Resource>,
    /// Oddities: code and sentence.
    pub warnings: Vec<(String, String)>,
}

/// Parses a manifest.
///
/// # Errors
/// `BAD_MANIFEST`, or `UNSUPPORTED_FORMAT` for another kind of package.
pub fn parse(bytes: &[u8]) -> Result<Manifest, Failure> {
    if bytes.len() > LARGEST {
        return Err(bad("it is larger than 8 MiB"));
    }
    let text = super::text("imsmanifest.xml", bytes).map_err(|failure| bad(&failure.message))?;
    let mut reader = Reader::from_str(&text);
    reader.config_mut().expand_empty_elements = true;
    let mut state = State::default();
    let mut nodes = 0_usize;
    loop {
        match reader.read_event().map_err(|error| {
            bad(&format!("it is not well-formed XML near byte {}: {error}", reader.error_position()))
        })? {
            Event::Start(start) => {
                nodes += 1;
                if nodes > MOST_NODES {
                    return Err(bad("it has more than 100,000 elements"));
                }
                if state.path.len() >= DEEPEST {
                    return Err(bad("its elements are nested deeper than 64"));
                }
                state.open(&start)?;
            }
            Event::End(_) => state.close(),
            Event::Text(text) => {
                state.text.push_str(&text);
            }
            Event::CData(data) => state.text.push_str(&data),
            Event::GeneralRef(entity) => match entity.resolve_char_ref() {
                Ok(Some(c)) => state.text.push(c),
                Ok(None) => {
                    state.text.push_str(quick_xml::escape::resolve_predefined_entity(&entity).unwrap_or_default())
                }
                Err(error) => return Err(bad(&error.to_string())),
            },
            Event::DocType(_) => return Err(bad("it declares a DOCTYPE, which packages do not need and attacks do")),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Empty(_) => {}
        }
    }
    if !state.path.is_empty() {
        return Err(bad("it ends before its elements are closed"));
    }
    state.finish()
}

fn bad(reason: &str) -> Failure {
    Failure::new(
        failure::BAD_MANIFEST,
        format!("imsmanifest.xml cannot be used: {reason}; export the package again from its authoring tool"),
    )
}

#[derive(Default)]
struct Organization {
    id: String,
    title: String,
    items: Vec<Item>,
}

#[derive(Default)]
struct State {
    path: Vec<String>,
    bases: Vec<String>,
    text: String,
    root: String,
    schema: String,
    schema_version: String,
    namespaces: String,
    default: Option<String>,
    organizations: Vec<Organization>,
    items: Vec<Item>,
    resources: BTreeMap<String, Resource>,
    resource: Option<(String, Resource)>,
    types: Vec<String>,
    /// The primary objective of the open item is satisfied by its measure.
    by_measure: bool,
    warnings: Vec<(String, String)>,
}

impl State {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Failure> {
        let name = start.local_name().as_ref().to_lowercase();
        let mut attributes: BTreeMap<String, String> = BTreeMap::new();
        for (index, attribute) in start.attributes().with_checks(false).enumerate() {
            if index >= MOST_ATTRIBUTES {
                return Err(bad(&format!("element \"{name}\" has more than {MOST_ATTRIBUTES} attributes")));
            }
            let attribute = attribute.map_err(|error| bad(&error.to_string()))?;
            let key = attribute.key.as_ref().to_lowercase();
            let value =
                quick_xml::escape::unescape(&attribute.value).map_err(|error| bad(&error.to_string()))?.into_owned();
            if key.starts_with("xmlns") {
                self.namespaces.push_str(&value);
                self.namespaces.push(' ');
                continue;
            }
            let local = key.rsplit(':').next().unwrap_or(&key).to_owned();
            if attributes.insert(local, value).is_some() && !key.contains(':') {
                return Err(bad(&format!("element \"{name}\" repeats attribute \"{key}\"")));
            }
        }
        let mut take = |key: &str| attributes.remove(key).unwrap_or_default();
        let base = take("base");
        let outer = self.bases.last().cloned().unwrap_or_default();
        self.bases.push(if base.is_empty() { outer } else { join(&outer, &base) });
        if self.path.is_empty() {
            self.root.clone_from(&name);
        }
        let parent = self.path.last().map(String::as_str).unwrap_or_default();
        match name.as_str() {
            "organizations" => self.default = Some(take("default")).filter(|id| !id.is_empty()),
            "organization" => {
                self.organizations.push(Organization { id: take("identifier"), ..Organization::default() })
            }
            "item" if matches!(parent, "organization" | "item") => {
                let item = Item {
                    id: take("identifier"),
                    resource: Some(take("identifierref")).filter(|id| !id.is_empty()),
                    parameters: Some(take("parameters")).filter(|text| !text.is_empty()),
                    hidden: take("isvisible") == "false",
                    ..Item::default()
                };
                self.items.push(item);
            }
            "limitconditions" => {
                if let (Some(item), limit) = (self.items.last_mut(), take("attemptabsolutedurationlimit"))
                    && !limit.is_empty()
                {
                    item.facts.max_time_allowed = Some(limit);
                }
            }
            "primaryobjective" | "objective" if parent == "objectives" => {
                let (id, by_measure) = (take("objectiveid"), take("satisfiedbymeasure") == "true");
                let primary = name == "primaryobjective";
                if let Some(item) = self.items.last_mut() {
                    // The measure is 1 where nothing else is said (SCORM 2004 SN 3.10).
                    if primary && by_measure {
                        item.facts.scaled_passing_score = Some("1.0".into());
                    }
                    if !id.is_empty() && item.facts.objectives.len() < MOST_FACTS {
                        let place = if primary { 0 } else { item.facts.objectives.len() };
                        item.facts.objectives.insert(place, id);
                    }
                }
                self.by_measure = primary && by_measure;
            }
            // The fourth edition has attributes, the third edition the number as text.
            "completionthreshold" if parent == "item" => {
                let (by_measure, least) = (take("completedbymeasure") == "true", take("minprogressmeasure"));
                if let Some(item) = self.items.last_mut().filter(|_| by_measure) {
                    item.facts.completion_threshold = Some(if least.is_empty() { "1.0".into() } else { least });
                }
            }
            "map" if parent == "data" => {
                let id = take("targetid");
                if let Some(item) = self.items.last_mut().filter(|item| item.facts.shared.len() < MOST_FACTS)
                    && !id.is_empty()
                {
                    item.facts.shared.push(id);
                }
            }
            "resource" if parent == "resources" => {
                let base = self.bases.last().cloned().unwrap_or_default();
                let href = take("href");
                self.types.push(take("type"));
                let query = href.find(['?', '#']).and_then(|at| href.get(at..)).map(str::to_owned);
                let resource = Resource {
                    query,
                    href: Some(href).filter(|href| !href.is_empty()).map(|href| join(&base, &href)),
                    kind: take("scormtype").to_lowercase(),
                    ..Resource::default()
                };
                self.resource = Some((take("identifier"), resource));
            }
            "file" => {
                let base = self.bases.last().cloned().unwrap_or_default();
                if let Some((_, resource)) = &mut self.resource {
                    resource.files.push(join(&base, &take("href")));
                }
            }
            "dependency" => {
                if let Some((_, resource)) = &mut self.resource {
                    resource.dependencies.push(take("identifierref"));
                }
            }
            _ => {}
        }
        self.text.clear();
        self.path.push(name);
        Ok(())
    }

    fn close(&mut self) {
        let Some(name) = self.path.pop() else { return };
        self.bases.pop();
        let parent = self.path.last().map(String::as_str).unwrap_or_default().to_owned();
        let text = squeeze(&visible(&std::mem::take(&mut self.text)));
        match (name.as_str(), parent.as_str()) {
            ("schema", "metadata") if self.schema.is_empty() => self.schema = text,
            ("schemaversion", "metadata") if self.schema_version.is_empty() => self.schema_version = text,
            ("title", "item") => {
                if let Some(item) = self.items.last_mut() {
                    item.title = text;
                }
            }
            ("masteryscore" | "maxtimeallowed" | "timelimitaction" | "datafromlms" | "completionthreshold", "item")
                if !text.is_empty() =>
            {
                if let Some(item) = self.items.last_mut() {
                    let fact = match name.as_str() {
                        "masteryscore" => &mut item.facts.mastery_score,
                        "maxtimeallowed" => &mut item.facts.max_time_allowed,
                        "timelimitaction" => &mut item.facts.time_limit_action,
                        "datafromlms" => &mut item.facts.launch_data,
                        _ => &mut item.facts.completion_threshold,
                    };
                    *fact = Some(text);
                }
            }
            ("minnormalizedmeasure", "primaryobjective") if self.by_measure && !text.is_empty() => {
                if let Some(item) = self.items.last_mut() {
                    item.facts.scaled_passing_score = Some(text);
                }
            }
            ("title", "organization") => {
                if let Some(organization) = self.organizations.last_mut() {
                    organization.title = text;
                }
            }
            ("item", "item") => {
                if let Some(item) = self.items.pop()
                    && let Some(above) = self.items.last_mut()
                {
                    above.children.push(item);
                }
            }
            ("item", "organization") => {
                if let Some(item) = self.items.pop()
                    && let Some(organization) = self.organizations.last_mut()
                {
                    organization.items.push(item);
                }
            }
            ("resource", _) => {
                if let Some((id, resource)) = self.resource.take()
                    && self.resources.insert(id.clone(), resource).is_some()
                {
                    self.warnings.push((
                        "DUPLICATE_RESOURCE".into(),
                        format!("resource \"{id}\" is declared twice; the last one is used"),
                    ));
                }
            }
            _ => {}
        }
    }

    fn finish(mut self) -> Result<Manifest, Failure> {
        if self.root != "manifest" {
            return Err(bad(&format!("its root element is \"{}\", not \"manifest\"", self.root)));
        }
        let schema = self.schema.to_lowercase();
        let other = |name: &str, advice: &str| {
            Err(Failure::new(failure::UNSUPPORTED_FORMAT, format!("this is {name}, not a SCORM package; {advice}")))
        };
        if schema.contains("common cartridge") || self.namespaces.contains("imsccv1p") {
            return other("a Common Cartridge", "use \"ingest cartridge\"");
        }
        let version = match self.schema_version.to_lowercase() {
            text if text.starts_with("1.2") => Some(Version::V12),
            text if text.contains("2004") || text.contains("1.3") => Some(Version::V2004),
            _ if self.namespaces.contains("adlcp_rootv1p2") => Some(Version::V12),
            _ if self.namespaces.contains("adlcp_v1p3") => Some(Version::V2004),
            _ => None,
        };
        if version.is_none() && (schema.contains("qti") || self.types.iter().any(|kind| kind.contains("imsqti"))) {
            return other("a QTI package", "use \"ingest qti\"");
        }
        let version = version.unwrap_or_else(|| {
            let message = "the manifest names no SCORM version; it was read as SCORM 1.2".to_owned();
            self.warnings.push(("NO_VERSION".into(), message));
            Version::V12
        });
        let wanted = self.default.take();
        let index =
            wanted.as_ref().and_then(|id| self.organizations.iter().position(|organization| organization.id == *id));
        if let (Some(id), None, false) = (&wanted, index, self.organizations.is_empty()) {
            self.warnings.push((
                "NO_DEFAULT_ORGANIZATION".into(),
                format!("the default organisation \"{id}\" is missing; the first one was used"),
            ));
        }
        if self.organizations.len() > 1 {
            let message = format!("{} organisations; only the default one was imported", self.organizations.len());
            self.warnings.push(("OTHER_ORGANIZATIONS".into(), message));
        }
        let organization =
            if self.organizations.is_empty() { None } else { Some(self.organizations.swap_remove(index.unwrap_or(0))) };
        let Some(organization) = organization.filter(|organization| !organization.items.is_empty()) else {
            return Err(bad("it has no organisation with items, so there is nothing to launch"));
        };
        if self.resources.is_empty() {
            return Err(bad("it has no resources"));
        }
        Ok(Manifest {
            version,
            schema_version: self.schema_version,
            title: organization.title,
            items: organization.items,
            resources: self.resources,
            warnings: self.warnings,
        })
    }
}

/// `href` below `base`, both as in the manifest, as a path within the package without query.
fn join(base: &str, href: &str) -> String {
    if href.contains("://") {
        return href.to_owned();
    }
    let path = href.split(['?', '#']).next().unwrap_or_default();
    let mut parts: Vec<String> = Vec::new();
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{base}/{path}") };
    let folder = href.ends_with('/');
    for part in whole.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(percent_decoded(name)),
        }
    }
    let joined = parts.join("/");
    if folder { format!("{joined}/") } else { joined }
}

pub(super) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = (*byte == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .flatten();
        match hex {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}
