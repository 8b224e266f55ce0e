//! DOCX (ECMA-376, `WordprocessingML`) to blocks: headings, lists, tables, footnotes; what is hidden is dropped.
//!
//! Places count sections, the headings seen so far, as in HTML: pages exist only once it is printed.

use std::collections::{BTreeMap, HashMap};

use domain::document::{Block, BlockKind, Document, DocumentKind, Notes};
use domain::ingestion::{Failure, failure};
use domain::xml::{Element, Node};
use domain::{Locator, LocatorKind};

use super::office::{Office, hidden_orders, on};
use super::{squeeze, title_of_path, visible};

/// Parses a DOCX.
///
/// # Errors
/// `BAD_DOCUMENT`, `PASSWORD_PROTECTED`, `TOO_LARGE`, or what the archive says.
pub fn parse(path: &str, bytes: &[u8]) -> Result<Document, Failure> {
    let mut office = Office::open(path, bytes)?;
    let main = office.main("word/document.xml")?;
    let Some(root) = office.part(&main)?.filter(|root| root.name == "document") else {
        return Err(office.broken("it has no text part, so it is no DOCX"));
    };
    let relations = office.relations(&main)?;
    let target = |kind: &str| relations.values().find(|(of, _)| of == kind).map(|(_, target)| target.clone());
    let mut optional = |kind: &str| match target(kind) {
        Some(name) => office.part(&name),
        None => Ok(None),
    };
    let (styles, numbers) = (optional("styles")?, optional("numbering")?);
    let (footnotes, endnotes) = (optional("footnotes")?, optional("endnotes")?);
    office.check_rest()?;
    let mut reader = Reader {
        styles: styles.as_ref().map(styles_of).unwrap_or_default(),
        numbers: numbers.as_ref().map(numbers_of).unwrap_or_default(),
        notes: [("footnote", &footnotes), ("endnote", &endnotes)]
            .into_iter()
            .filter_map(|(kind, part)| part.as_ref().map(|part| (kind, part)))
            .flat_map(|(kind, part)| part.all(kind).map(move |note| (kind, note)))
            .filter_map(|(kind, note)| Some(((kind, note.attribute("id")?), note)))
            .collect(),
        ..Reader::default()
    };
    let body = root.child("body").ok_or_else(|| office.broken("it has no body"))?;
    reader.blocks_of(body);
    reader.end_list();
    if reader.blocks.is_empty() {
        let message = format!("\"{path}\" has no text; if its pages are pictures, run OCR on a PDF of it");
        return Err(Failure::new(failure::NO_TEXT, message));
    }
    let mut tops = reader.blocks.iter().filter(|block| block.kind == BlockKind::Heading(1));
    let top = tops.next().filter(|_| tops.next().is_none()).map(|block| block.text.clone());
    let title = reader.title.take().or(top).or_else(|| office.title()).unwrap_or_else(|| title_of_path(path));
    let warnings = hidden_orders(&reader.hidden, path).into_iter().collect();
    Ok(Document {
        path: path.to_owned(),
        title,
        kind: DocumentKind::Docx,
        blocks: reader.blocks,
        warnings,
        notes: Notes::default(),
    })
}

/// What a style says of a paragraph or run.
#[derive(Clone, Copy, Default)]
struct Style {
    heading: Option<u8>,
    title: bool,
    hidden: bool,
    quote: bool,
    code: bool,
    list: bool,
}

fn styles_of(root: &Element) -> HashMap<String, Style> {
    let known: HashMap<&str, &Element> =
        root.all("style").filter_map(|style| Some((style.attribute("styleId")?, style))).collect();
    let mut found = HashMap::new();
    for id in known.keys() {
        let mut style = Style::default();
        let mut next = Some(*id);
        // A style is based on another at most so often; a circle ends here too.
        for _ in 0..16 {
            let Some(element) = next.and_then(|id| known.get(id)) else { break };
            let name = element.child("name").and_then(|name| name.attribute("val")).unwrap_or_default().to_lowercase();
            let outline =
                element.child("pPr").and_then(|p| p.child("outlineLvl")).and_then(|level| level.attribute("val"));
            let level = name.strip_prefix("heading ").and_then(|level| level.trim().parse::<u8>().ok());
            let level = level
                .or_else(|| outline.and_then(|level| level.parse::<u8>().ok()).map(|level| level.saturating_add(1)));
            let level = level.filter(|level| (1..=9).contains(level)).map(|level| level.min(6));
            style.heading = style.heading.or(level);
            style.title |= name == "title";
            style.quote |= name == "quote" || name == "intense quote";
            style.code |= name.contains("code") || name == "html preformatted" || name == "plain text";
            style.hidden |= on(element.child("rPr").and_then(|run| run.child("vanish")));
            style.list |= element.child("pPr").is_some_and(|p| p.child("numPr").is_some());
            next = element.child("basedOn").and_then(|base| base.attribute("val"));
        }
        found.insert((*id).to_owned(), style);
    }
    found
}

/// Whether the levels of a list are numbered, by list and level.
fn numbers_of(root: &Element) -> HashMap<(String, String), bool> {
    let kinds: HashMap<&str, &Element> =
        root.all("abstractNum").filter_map(|kind| Some((kind.attribute("abstractNumId")?, kind))).collect();
    let mut found = HashMap::new();
    for list in root.all("num") {
        let Some(id) = list.attribute("numId") else { continue };
        let kind = list.child("abstractNumId").and_then(|kind| kind.attribute("val")).and_then(|id| kinds.get(id));
        for level in kind.map(|kind| kind.all("lvl").collect::<Vec<_>>()).unwrap_or_default() {
            let format = level.child("numFmt").and_then(|format| format.attribute("val")).unwrap_or_default();
            let number = level.attribute("ilvl").unwrap_or("0").to_owned();
            found.insert((id.to_owned(), number), !matches!(format, "bullet" | "none" | ""));
        }
    }
    found
}

#[derive(Default)]
struct Reader<'e> {
    styles: HashMap<String, Style>,
    numbers: HashMap<(String, String), bool>,
    notes: BTreeMap<(&'static str, &'e str), &'e Element>,
    blocks: Vec<Block>,
    list: Vec<String>,
    /// The next number of each open level of a numbered list.
    counts: HashMap<(String, usize), u64>,
    sections: i64,
    title: Option<String>,
    hidden: Vec<String>,
}

/// A paragraph while it is read.
#[derive(Default)]
struct Line<'e> {
    text: String,
    hidden: String,
    /// Notes that it refers to.
    notes: Vec<(&'static str, &'e str)>,
    /// Text boxes that are anchored in it.
    boxes: Vec<&'e Element>,
    /// What field codes hide: the depth of open fields whose result has not begun.
    codes: usize,
}

impl<'e> Reader<'e> {
    fn blocks_of(&mut self, element: &'e Element) {
        for inner in element.elements() {
            match inner.name.as_str() {
                "p" => self.paragraph(inner),
                "tbl" => {
                    self.end_list();
                    let rows = self.rows(inner);
                    self.add(BlockKind::Table, &rows);
                }
                // What was deleted under "track changes", and what only an editor sees.
                "del" | "moveFrom" | "sectPr" => {}
                "AlternateContent" => {
                    if let Some(choice) = inner.elements().next() {
                        self.blocks_of(choice);
                    }
                }
                _ => self.blocks_of(inner),
            }
        }
    }

    fn paragraph(&mut self, element: &'e Element) {
        let properties = element.child("pPr");
        let value = |name: &str| properties.and_then(|p| p.child(name)).and_then(|value| value.attribute("val"));
        let mut style = value("pStyle").and_then(|id| self.styles.get(id)).copied().unwrap_or_default();
        if let Some(level) = value("outlineLvl").and_then(|level| level.parse::<u8>().ok()) {
            style.heading = (level < 9).then_some(level.saturating_add(1).min(6));
        }
        let mut line = Line::default();
        self.runs(element, style.hidden, &mut line);
        if !line.hidden.trim().is_empty() {
            self.hidden.push(std::mem::take(&mut line.hidden));
        }
        let text = visible(&line.text);
        let numbered = properties.and_then(|p| p.child("numPr"));
        let off = numbered.and_then(|n| n.child("numId")).and_then(|id| id.attribute("val")) == Some("0");
        if let Some(level) = style.heading {
            self.end_list();
            self.add(BlockKind::Heading(level), &squeeze(&text));
        } else if style.title {
            self.end_list();
            let text = squeeze(&text);
            if self.title.is_none() && !text.is_empty() {
                self.title = Some(text.clone());
            }
            self.add(BlockKind::Heading(1), &text);
        } else if (numbered.is_some() || style.list) && !off {
            self.item(numbered, &text);
        } else {
            self.end_list();
            let kind = match style {
                Style { code: true, .. } => BlockKind::Code,
                Style { quote: true, .. } => BlockKind::Quote,
                _ => BlockKind::Paragraph,
            };
            self.add(kind, if kind == BlockKind::Code { text.trim_end() } else { text.trim() });
        }
        for key in line.notes {
            if let Some(note) = self.notes.get(&key).copied() {
                let mut inner = Line::default();
                self.runs(note, false, &mut inner);
                let text = squeeze(&visible(&inner.text));
                if !text.is_empty() {
                    self.end_list();
                    self.add(BlockKind::Paragraph, &format!("Note {}: {text}", key.1));
                }
            }
        }
        for inner in line.boxes {
            self.end_list();
            self.blocks_of(inner);
        }
    }

    fn item(&mut self, numbered: Option<&Element>, text: &str) {
        let text = squeeze(text);
        if text.is_empty() {
            return;
        }
        let get = |name: &str| numbered.and_then(|n| n.child(name)).and_then(|value| value.attribute("val"));
        let (id, level) = (get("numId").unwrap_or_default().to_owned(), get("ilvl").unwrap_or("0").to_owned());
        let depth = level.parse::<usize>().unwrap_or(0).min(8);
        let marker = if self.numbers.get(&(id.clone(), level)) == Some(&true) {
            self.counts.retain(|(list, deep), _| *list != id || *deep <= depth);
            let count = self.counts.entry((id, depth)).or_insert(0);
            *count += 1;
            format!("{count}. ")
        } else {
            "- ".to_owned()
        };
        self.list.push(format!("{}{marker}{text}", "  ".repeat(depth)));
    }

    fn end_list(&mut self) {
        let list = std::mem::take(&mut self.list);
        self.add(BlockKind::List, &list.join("\n"));
    }

    /// The rows of a table, a line each; a table inside a cell is part of the cell's text.
    fn rows(&mut self, table: &'e Element) -> String {
        let mut rows = Vec::new();
        for row in table.below("tr") {
            let cells: Vec<String> = row
                .all("tc")
                .chain(row.all("sdt").filter_map(|sdt| sdt.child("sdtContent")).flat_map(|content| content.all("tc")))
                .map(|cell| {
                    let mut line = Line::default();
                    self.runs(cell, false, &mut line);
                    if !line.hidden.trim().is_empty() {
                        self.hidden.push(line.hidden);
                    }
                    squeeze(&visible(&line.text))
                })
                .collect();
            if cells.iter().any(|cell| !cell.is_empty()) {
                rows.push(cells.join(" | "));
            }
        }
        rows.join("\n")
    }

    /// The words of runs at any depth.
    fn runs(&self, element: &'e Element, hidden: bool, line: &mut Line<'e>) {
        for node in &element.children {
            let Node::Element(inner) = node else { continue };
            match inner.name.as_str() {
                "pPr" | "rPr" | "del" | "moveFrom" | "delText" | "instrText" | "sectPr" | "tblPr" | "Fallback" => {}
                "r" => {
                    let properties = inner.child("rPr");
                    let named = properties
                        .and_then(|run| run.child("rStyle"))
                        .and_then(|style| style.attribute("val"))
                        .and_then(|id| self.styles.get(id))
                        .is_some_and(|style| style.hidden);
                    let own = properties.and_then(|run| run.child("vanish"));
                    // Letters of a point or less are nothing that a reader sees; sizes are half points.
                    let size = properties.and_then(|run| run.child("sz")).and_then(|size| size.attribute("val"));
                    let tiny = size.and_then(|size| size.parse::<u32>().ok()).is_some_and(|size| size <= 2);
                    let hidden = tiny || if own.is_some() { on(own) } else { hidden || named };
                    self.runs(inner, hidden, line);
                }
                "t" if line.codes == 0 => {
                    let into = if hidden { &mut line.hidden } else { &mut line.text };
                    into.push_str(&inner.text());
                }
                "tab" | "ptab" if element.name != "tabs" => line.text.push(' '),
                "noBreakHyphen" => line.text.push('-'),
                "br" | "cr" => line.text.push('\n'),
                "fldChar" => match inner.attribute("fldCharType") {
                    Some("begin") => line.codes += 1,
                    Some("separate" | "end") => line.codes = line.codes.saturating_sub(1),
                    _ => {}
                },
                "footnoteReference" | "endnoteReference" if !hidden => {
                    let kind = if inner.name.starts_with("foot") { "footnote" } else { "endnote" };
                    if let Some(id) = inner.attribute("id") {
                        line.text.push_str(&format!(" [{id}]"));
                        line.notes.push((kind, id));
                    }
                }
                "oMath" => line.text.push_str(&inner.text()),
                "txbxContent" => line.boxes.push(inner),
                "docPr" => {
                    if let Some(told) = inner.attribute("descr").filter(|told| !told.is_empty() && !hidden) {
                        line.text.push_str(&format!(" {told} "));
                    }
                }
                "p" => {
                    self.runs(inner, hidden, line);
                    line.text.push(' ');
                }
                _ => self.runs(inner, hidden, line),
            }
        }
    }

    fn add(&mut self, kind: BlockKind, text: &str) {
        let text = text.trim_end();
        if text.trim().is_empty() {
            return;
        }
        if kind == BlockKind::Code
            && let Some(last) = self.blocks.last_mut()
            && last.kind == BlockKind::Code
        {
            last.text.push('\n');
            last.text.push_str(text);
            return;
        }
        if matches!(kind, BlockKind::Heading(_)) {
            self.sections += 1;
        }
        let section = self.sections.max(1);
        let locator = Locator::new(LocatorKind::Section, section, section);
        self.blocks.push(Block { kind, text: text.to_owned(), locator, marks: Vec::new() });
    }
}
