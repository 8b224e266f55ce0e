//! PPTX (ECMA-376, `PresentationML`) to blocks, slide by slide: title, texts, tables, speaker notes.
//!
//! Places are slides. Slides and shapes that the show hides are dropped, and counted.

use domain::document::{Block, BlockKind, Document, DocumentKind, Notes};
use domain::ingestion::{Failure, failure};
use domain::xml::Element;
use domain::{Locator, LocatorKind};

use super::office::{Office, hidden_orders, on};
use super::{squeeze, title_of_path, visible, warning};

/// A longer presentation is split before it is useful.
const MOST_SLIDES: usize = 5_000;
/// Placeholders that say nothing of the slide's own.
const FURNITURE: &[&str] = &["dt", "ftr", "hdr", "sldNum", "sldImg"];

/// Parses a PPTX.
///
/// # Errors
/// `BAD_DOCUMENT`, `PASSWORD_PROTECTED`, `NO_TEXT`, `TOO_LARGE`, or what the archive says.
pub fn parse(path: &str, bytes: &[u8]) -> Result<Document, Failure> {
    let mut office = Office::open(path, bytes)?;
    let main = office.main("ppt/presentation.xml")?;
    let Some(root) = office.part(&main)?.filter(|root| root.name == "presentation") else {
        return Err(office.broken("it has no presentation part, so it is no PPTX"));
    };
    let relations = office.relations(&main)?;
    let order: Vec<String> = root
        .child("sldIdLst")
        .map(|list| list.all("sldId").collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
        .filter_map(|slide| relations.get(slide.attribute("r:id")?).map(|(_, target)| target.clone()))
        .collect();
    if order.len() > MOST_SLIDES {
        let message = format!("\"{path}\" has {} slides; split it into parts of at most {MOST_SLIDES}", order.len());
        return Err(Failure::new(failure::TOO_LARGE, message));
    }
    let mut reader = Reader::default();
    let (mut warnings, mut unshown) = (Vec::new(), 0);
    for (number, name) in (1..).zip(&order) {
        reader.slide = number;
        let Some(slide) = office.part(name)? else {
            warnings.push(warning("PAGE_UNREADABLE", format!("slide {number} is not in the file"), path));
            continue;
        };
        if slide.attribute("show").is_some_and(|show| matches!(show, "0" | "false")) {
            unshown += 1;
            reader.hidden.push(slide.text());
            continue;
        }
        reader.slide(&slide);
        let related: Vec<(String, String)> = office.relations(name)?.into_values().collect();
        for (kind, target) in related {
            match kind.as_str() {
                "diagramData" => {
                    if let Some(diagram) = office.part(&target)? {
                        let lines = diagram.below("pt").into_iter().map(|point| squeeze(&visible(&point.text())));
                        let lines: Vec<String> =
                            lines.filter(|line| !line.is_empty()).map(|line| format!("- {line}")).collect();
                        reader.add(BlockKind::List, &lines.join("\n"));
                    }
                }
                "notesSlide" => {
                    if let Some(notes) = office.part(&target)? {
                        reader.notes(&notes);
                    }
                }
                _ => {}
            }
        }
    }
    office.check_rest()?;
    if unshown > 0 {
        let noun = if unshown == 1 { "slide is" } else { "slides are" };
        warnings.push(warning(
            "HIDDEN_SLIDES",
            format!("{unshown} hidden {noun} left out; show them to import them"),
            path,
        ));
    }
    warnings.extend(hidden_orders(&reader.hidden, path));
    if reader.blocks.is_empty() {
        let message =
            format!("\"{path}\" has {} slides and no text; if they are pictures, run OCR on a PDF of it", order.len());
        return Err(Failure::new(failure::NO_TEXT, message));
    }
    let first =
        reader.blocks.iter().find(|block| matches!(block.kind, BlockKind::Heading(_))).map(|block| block.text.clone());
    let title = office.title().filter(|title| !matches!(title.as_str(), "PowerPoint Presentation" | "Presentation"));
    let title = title.or(first).unwrap_or_else(|| title_of_path(path));
    Ok(Document {
        path: path.to_owned(),
        title,
        kind: DocumentKind::Pptx,
        blocks: reader.blocks,
        warnings,
        notes: Notes::default(),
    })
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    slide: i64,
    hidden: Vec<String>,
}

/// The kind of placeholder that a shape fills; empty for the body, `None` for a free shape.
fn placeholder(shape: &Element) -> Option<&str> {
    let properties = shape.child("nvSpPr")?.child("nvPr")?;
    properties.child("ph").map(|holder| holder.attribute("type").unwrap_or_default())
}

impl Reader {
    fn slide(&mut self, slide: &Element) {
        let Some(tree) = slide.child("cSld").and_then(|content| content.child("spTree")) else { return };
        // The title is read first, wherever it lies in the file.
        let is_title = |shape: &&Element| matches!(placeholder(shape), Some("title" | "ctrTitle"));
        let titles: Vec<&Element> = tree.below("sp").into_iter().filter(is_title).collect();
        let title =
            titles.iter().map(|shape| shape.child("txBody").map(|body| lines(body).0.join(" ")).unwrap_or_default());
        let title = squeeze(&title.collect::<Vec<_>>().join(" "));
        self.add(BlockKind::Heading(2), &title);
        self.shapes(tree);
    }

    fn shapes(&mut self, tree: &Element) {
        for shape in tree.elements() {
            let hidden = shape.elements().find_map(|properties| properties.child("cNvPr")).is_some_and(on_hidden);
            if hidden {
                self.hidden.push(shape.text());
                continue;
            }
            match shape.name.as_str() {
                "sp" => {
                    let holder = placeholder(shape);
                    if matches!(holder, Some("title" | "ctrTitle"))
                        || holder.is_some_and(|kind| FURNITURE.contains(&kind))
                    {
                        continue;
                    }
                    let Some(body) = shape.child("txBody") else { continue };
                    let (text, nested) = lines(body);
                    let bullets = matches!(holder, Some("" | "body" | "obj")) && text.len() > 1 || nested;
                    if bullets {
                        let items: Vec<String> = text.iter().map(|line| item(line)).collect();
                        self.add(BlockKind::List, &items.join("\n"));
                    } else {
                        self.add(BlockKind::Paragraph, text.join("\n").trim());
                    }
                }
                "grpSp" => self.shapes(shape),
                "graphicFrame" => {
                    for table in shape.below("tbl") {
                        let rows = table.all("tr").map(|row| {
                            let cells = row.all("tc").map(|cell| {
                                cell.child("txBody").map(|body| squeeze(&lines(body).0.join(" "))).unwrap_or_default()
                            });
                            cells.collect::<Vec<_>>().join(" | ")
                        });
                        let rows: Vec<String> = rows.filter(|row| row.chars().any(char::is_alphanumeric)).collect();
                        self.add(BlockKind::Table, &rows.join("\n"));
                    }
                }
                "pic" => {
                    let told = shape.first("cNvPr").and_then(|own| own.attribute("descr")).unwrap_or_default();
                    self.add(BlockKind::Paragraph, &squeeze(&visible(told)));
                }
                "AlternateContent" => {
                    if let Some(choice) = shape.elements().next() {
                        self.shapes(choice);
                    }
                }
                _ => {}
            }
        }
    }

    fn notes(&mut self, notes: &Element) {
        for shape in notes.below("sp") {
            if placeholder(shape) == Some("body")
                && let Some(body) = shape.child("txBody")
            {
                let text: Vec<String> = lines(body).0.iter().map(|line| line.trim().to_owned()).collect();
                let text = text.join("\n");
                if !text.trim().is_empty() {
                    self.add(BlockKind::Paragraph, &format!("Speaker notes: {}", text.trim()));
                }
            }
        }
    }

    fn add(&mut self, kind: BlockKind, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let locator = Locator::new(LocatorKind::Slide, self.slide, self.slide);
        self.blocks.push(Block { kind, text: text.to_owned(), locator, marks: Vec::new() });
    }
}

fn on_hidden(own: &Element) -> bool {
    own.attribute("hidden").is_some_and(|hidden| matches!(hidden, "1" | "true"))
}

/// A line of a text body as an item of a list, by its depth.
fn item(line: &str) -> String {
    let text = line.trim_start_matches('\t');
    format!("{}- {text}", "  ".repeat(line.len() - text.len()))
}

/// The paragraphs of a text body, a tab before each for its depth; whether one is indented or has a bullet.
fn lines(body: &Element) -> (Vec<String>, bool) {
    let (mut found, mut nested) = (Vec::new(), false);
    for paragraph in body.all("p") {
        let mut text = String::new();
        for part in paragraph.elements() {
            match part.name.as_str() {
                "r" | "fld" => text.push_str(&part.child("t").map(Element::text).unwrap_or_default()),
                "br" => text.push(' '),
                "m" | "AlternateContent" => text.push_str(&part.elements().next().unwrap_or(part).text()),
                _ => {}
            }
        }
        let text = squeeze(&visible(&text));
        if text.is_empty() {
            continue;
        }
        let properties = paragraph.child("pPr");
        let level = properties.and_then(|own| own.attribute("lvl")).and_then(|level| level.parse::<usize>().ok());
        let level = level.unwrap_or(0).min(8);
        nested |= level > 0 || properties.is_some_and(|own| on(own.child("buChar")) || on(own.child("buAutoNum")));
        found.push(format!("{}{text}", "\t".repeat(level)));
    }
    (found, nested)
}
