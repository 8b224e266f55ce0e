//! Small XML trees from outside: read whole, within limits, nothing fetched and nothing expanded.
//!
//! For manifests, question texts and the parts of office documents. No DTD is ever applied: a DOCTYPE
//! is refused or skipped, and an entity that XML itself does not define stays the text it is.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// What a text may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes.
    pub bytes: usize,
    /// Elements.
    pub elements: usize,
    /// Depth of elements; the tree is walked by recursion.
    pub depth: usize,
    /// Attributes of one element.
    pub attributes: usize,
    /// A DOCTYPE is skipped instead of refused.
    pub doctype: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 8 << 20, elements: 200_000, depth: 96, attributes: 64, doctype: false }
    }
}

/// What stands in an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// An element.
    Element(Element),
    /// Text, entities resolved.
    Text(String),
}

/// An element with its content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Name without its prefix.
    pub name: String,
    /// Prefix as written; empty without one.
    pub prefix: String,
    /// Attributes, each with its prefix as written.
    pub attributes: Vec<(String, String)>,
    /// Content in order.
    pub children: Vec<Node>,
    /// Line on which it begins.
    pub line: usize,
}

impl Element {
    /// An attribute by its name as written, else by its name without prefix.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let exact = self.attributes.iter().find(|(key, _)| key == name);
        let local = || self.attributes.iter().find(|(key, _)| key.split_once(':').is_some_and(|(_, key)| key == name));
        exact.or_else(local).map(|(_, value)| value.as_str())
    }

    /// The elements in it.
    pub fn elements(&self) -> impl DoubleEndedIterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// The first element in it of that name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|element| element.name == name)
    }

    /// The elements in it of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.elements().filter(move |element| element.name == name)
    }

    /// All elements below it of that name, in order of the text; those inside a found one too.
    #[must_use]
    pub fn below<'a>(&'a self, name: &str) -> Vec<&'a Self> {
        let mut found = Vec::new();
        let mut open: Vec<&Self> = self.elements().rev().collect();
        while let Some(element) = open.pop() {
            if element.name == name {
                found.push(element);
            }
            open.extend(element.elements().rev());
        }
        found
    }

    /// The first element below it of that name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&Self> {
        self.below(name).into_iter().next()
    }

    /// All text in it, as written.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut open: Vec<&Node> = self.children.iter().rev().collect();
        while let Some(node) = open.pop() {
            match node {
                Node::Text(part) => text.push_str(part),
                Node::Element(element) => open.extend(element.children.iter().rev()),
            }
        }
        text
    }

    /// All text in it with single spaces.
    #[must_use]
    pub fn words(&self) -> String {
        self.text().split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// Reads a text; what is wrong with it as the end of a sentence that begins with its name.
///
/// # Errors
/// Too large, not well-formed, or with a DOCTYPE that is not skipped.
pub fn parse(text: &str, limits: Limits) -> Result<Element, String> {
    if text.len() > limits.bytes {
        return Err(format!("it is larger than {} MiB", limits.bytes >> 20));
    }
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let (mut open, mut root, mut count): (Vec<Element>, Option<Element>, usize) = (Vec::new(), None, 0);
    let (mut line, mut counted) = (1, 0);
    loop {
        let event = reader
            .read_event()
            .map_err(|error| format!("it is not well-formed XML near byte {}: {error}", reader.error_position()))?;
        match event {
            Event::Start(start) => {
                count += 1;
                if count > limits.elements {
                    return Err(format!("it has more than {} elements", limits.elements));
                }
                if open.len() >= limits.depth {
                    return Err(format!("its elements are nested deeper than {}", limits.depth));
                }
                if open.is_empty() && root.is_some() {
                    return Err("it has more than one root element".into());
                }
                let at = usize::try_from(reader.buffer_position()).unwrap_or(text.len()).min(text.len());
                line += text.as_bytes().get(counted..at).unwrap_or_default().iter().filter(|b| **b == b'\n').count();
                counted = at.max(counted);
                open.push(element(&start, line, limits.attributes)?);
            }
            Event::End(_) => {
                let Some(done) = open.pop() else { return Err("it closes an element that is not open".into()) };
                match open.last_mut() {
                    Some(above) => above.children.push(Node::Element(done)),
                    None => root = Some(done),
                }
            }
            Event::Text(part) => add(&mut open, &part),
            Event::CData(part) => add(&mut open, &part),
            Event::GeneralRef(entity) => match entity.resolve_char_ref() {
                Ok(Some(c)) => add(&mut open, c.encode_utf8(&mut [0; 4])),
                Ok(None) => match quick_xml::escape::resolve_predefined_entity(&entity) {
                    Some(known) => add(&mut open, known),
                    None if &*entity == "nbsp" => add(&mut open, "\u{a0}"),
                    None => add(&mut open, &format!("&{};", &*entity)),
                },
                Err(error) => return Err(error.to_string()),
            },
            Event::DocType(_) if !limits.doctype => {
                return Err("it declares a DOCTYPE, which such files do not need and attacks do".into());
            }
            Event::Eof => break,
            Event::DocType(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::Empty(_) => {}
        }
    }
    if !open.is_empty() {
        return Err("it ends before its elements are closed".into());
    }
    root.ok_or_else(|| "it has no root element".into())
}

fn add(open: &mut [Element], part: &str) {
    let Some(element) = open.last_mut() else { return };
    match element.children.last_mut() {
        Some(Node::Text(text)) => text.push_str(part),
        _ => element.children.push(Node::Text(part.to_owned())),
    }
}

fn element(start: &BytesStart<'_>, line: usize, most: usize) -> Result<Element, String> {
    let whole = start.name().as_ref().to_owned();
    let (prefix, name) = whole.split_once(':').unwrap_or(("", &whole));
    let mut attributes: Vec<(String, String)> = Vec::new();
    for attribute in start.attributes().with_checks(false) {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let key = attribute.key.as_ref().to_owned();
        if attributes.len() >= most {
            return Err(format!("element \"{name}\" has more than {most} attributes"));
        }
        if attributes.iter().any(|(known, _)| *known == key) {
            return Err(format!("element \"{name}\" repeats attribute \"{key}\""));
        }
        // What XML does not define stays what it is, as in text.
        let value = quick_xml::escape::unescape(&attribute.value)
            .map_or_else(|_| attribute.value.to_string(), std::borrow::Cow::into_owned);
        attributes.push((key, value));
    }
    Ok(Element { name: name.to_owned(), prefix: prefix.to_owned(), attributes, children: Vec::new(), line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_text_and_places_are_kept() {
        let text = "<?xml version=\"1.0\"?>\n<a:x xmlns:a=\"u\" id=\"1\" r:id=\"2\">one &amp; <![CDATA[<two>]]>&#33;\n<b/> &nope;</a:x>";
        let root = parse(text, Limits::default()).unwrap();
        assert_eq!((root.name.as_str(), root.prefix.as_str(), root.line), ("x", "a", 2));
        assert_eq!(
            (root.attribute("id"), root.attribute("r:id"), root.attribute("none")),
            (Some("1"), Some("2"), None)
        );
        assert_eq!(root.words(), "one & <two>! &nope;");
        assert_eq!(root.child("b").map(|b| b.line), Some(3));
    }

    #[test]
    fn hostile_texts_are_refused() {
        let deep = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
        let wide = format!("<a {}/>", (0..100).map(|n| format!("b{n}=\"\" ")).collect::<String>());
        for (text, says) in [
            ("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "DOCTYPE"),
            (deep.as_str(), "nested deeper"),
            (wide.as_str(), "more than 64 attributes"),
            ("<a b=\"1\" b=\"2\"/>", "repeats attribute"),
            ("<a><b></a>", "well-formed"),
            ("<a>", "closed"),
            ("<a/><b/>", "more than one root"),
            ("", "no root"),
        ] {
            let why = parse(text, Limits::default()).unwrap_err();
            assert!(why.contains(says), "{text:.40}: {why}");
        }
        let skipped = Limits { doctype: true, ..Limits::default() };
        assert_eq!(parse("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", skipped).unwrap().text(), "&x;");
    }
}
