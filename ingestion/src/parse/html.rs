//! HTML to blocks: the main text with headings, lists, tables and code; nothing hidden, nothing run.
//!
//! Places count sections: the headings seen so far, at least 1.

use domain::document::{Block, BlockKind, Document, DocumentKind, Notes};
use domain::ingestion::{Failure, failure};
use domain::{Locator, LocatorKind};
use scraper::{ElementRef, Html, Node, Selector};

use super::{squeeze, title_of_path, visible, warning};

/// Elements whose text is no content.
const DROPPED: &[&str] = &[
    "script", "style", "noscript", "template", "nav", "head", "svg", "math", "iframe", "object", "embed", "applet",
    "canvas", "audio", "video", "button", "select", "option", "textarea", "input", "datalist", "frameset", "noframes",
    "title",
];

/// Elements that begin and end a passage.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "section",
    "article",
    "main",
    "header",
    "footer",
    "aside",
    "blockquote",
    "figure",
    "figcaption",
    "address",
    "details",
    "summary",
    "form",
    "fieldset",
    "legend",
    "hr",
    "center",
    "body",
    "html",
    "caption",
];

/// Nodes deeper than this are flattened into their ancestors by the HTML parser's own rules or refused here.
const DEEPEST: usize = 512;
/// More nodes than this are a bomb, not a page.
const MOST_NODES: usize = 400_000;

/// Parses an HTML page.
///
/// # Errors
/// `TOO_LARGE` when the page has more nodes than a page can.
pub fn parse(path: &str, text: &str) -> Result<Document, Failure> {
    let page = Html::parse_document(text);
    if page.tree.nodes().count() > MOST_NODES {
        return Err(Failure::new(
            failure::TOO_LARGE,
            format!("\"{path}\" has more than {MOST_NODES} HTML nodes; split the page"),
        ));
    }
    let root = main_element(&page).unwrap_or_else(|| page.root_element());
    let mut reader = Reader::default();
    reader.walk(root);
    reader.flush();
    let mut title = heading_title(&reader.blocks);
    if title.is_none() {
        title = first(&page, "title")
            .map(|element| squeeze(&visible(&element.text().collect::<String>())))
            .filter(|title| !title.is_empty());
    }
    let mut warnings = Vec::new();
    if reader.hidden_orders > 0 {
        let message =
            format!("{} hidden passages that read like instructions to a model were dropped", reader.hidden_orders);
        warnings.push(warning("HIDDEN_TEXT", message, path));
    }
    Ok(Document {
        path: path.to_owned(),
        title: title.unwrap_or_else(|| title_of_path(path)),
        kind: DocumentKind::Html,
        blocks: reader.blocks,
        warnings,
        notes: Notes::default(),
    })
}

fn first<'p>(page: &'p Html, selector: &str) -> Option<ElementRef<'p>> {
    let selector = Selector::parse(selector).ok()?;
    page.select(&selector).next()
}

/// `main`, or the only `article`, or the body.
fn main_element(page: &Html) -> Option<ElementRef<'_>> {
    let words = |element: &ElementRef<'_>| element.text().map(|text| text.split_whitespace().count()).sum::<usize>();
    let articles = Selector::parse("article").ok()?;
    let mut articles = page.select(&articles);
    let article = articles.next().filter(|_| articles.next().is_none());
    first(page, "main, [role=main]")
        .filter(|element| words(element) > 0)
        .or_else(|| article.filter(|element| words(element) >= 50))
        .or_else(|| first(page, "body"))
}

fn heading_title(blocks: &[Block]) -> Option<String> {
    let mut tops = blocks.iter().filter(|block| block.kind == BlockKind::Heading(1));
    tops.next().filter(|_| tops.next().is_none()).map(|block| block.text.clone())
}

#[derive(Default)]
struct Reader {
    blocks: Vec<Block>,
    run: String,
    sections: i64,
    /// Open lists: the next number of an ordered one.
    lists: Vec<Option<u64>>,
    quotes: usize,
    table: usize,
    pre: usize,
    heading: Option<u8>,
    cells: usize,
    hidden_orders: usize,
}

enum Step<'d> {
    Enter(ego_tree::NodeRef<'d, Node>, usize),
    Leave(&'d str),
}

impl Reader {
    /// Depth first with a stack of its own: a deep page cannot exhaust the thread's.
    fn walk(&mut self, root: ElementRef<'_>) {
        let mut stack = vec![Step::Enter(*root, 0)];
        while let Some(step) = stack.pop() {
            match step {
                Step::Leave(name) => self.leave(name),
                Step::Enter(node, depth) => match node.value() {
                    Node::Text(text) => self.text(text),
                    Node::Element(element) => {
                        let name = element.name();
                        if DROPPED.contains(&name) {
                            continue;
                        }
                        if hidden(element) {
                            let text: String =
                                ElementRef::wrap(node).map(|element| element.text().collect()).unwrap_or_default();
                            self.hidden_orders += usize::from(domain::injection::instruction_like(&text).is_some());
                            continue;
                        }
                        self.enter(element);
                        stack.push(Step::Leave(name));
                        if depth < DEEPEST {
                            stack.extend(node.children().rev().map(|child| Step::Enter(child, depth + 1)));
                        }
                    }
                    _ => {}
                },
            }
        }
    }

    fn text(&mut self, text: &str) {
        let text = visible(text);
        if self.pre > 0 {
            self.run.push_str(&text);
            return;
        }
        for c in text.chars() {
            if !c.is_whitespace() {
                self.run.push(c);
            } else if !self.run.is_empty() && !self.run.ends_with([' ', '\n']) {
                self.run.push(' ');
            }
        }
    }

    fn enter(&mut self, element: &scraper::node::Element) {
        match element.name() {
            name @ ("h1" | "h2" | "h3" | "h4" | "h5" | "h6") => {
                self.flush();
                self.heading = name.as_bytes().get(1).map(|digit| digit - b'0');
            }
            "pre" => {
                self.flush();
                self.pre += 1;
            }
            "ul" | "ol" | "menu" | "dl" => {
                if self.lists.is_empty() {
                    self.flush();
                }
                let ordered = (element.name() == "ol")
                    .then(|| element.attr("start").and_then(|start| start.parse().ok()).unwrap_or(1));
                self.lists.push(ordered);
            }
            "li" => {
                self.end_line();
                let depth = self.lists.len().saturating_sub(1);
                let marker = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number = number.saturating_add(1);
                        format!("{}. ", number.saturating_sub(1))
                    }
                    _ => "- ".to_owned(),
                };
                self.run.push_str(&"  ".repeat(depth.min(8)));
                self.run.push_str(&marker);
            }
            "dt" | "dd" => self.end_line(),
            "table" => {
                if self.table == 0 {
                    self.flush();
                }
                self.table += 1;
            }
            "tr" => {
                self.end_line();
                self.cells = 0;
            }
            "td" | "th" => {
                if self.cells > 0 {
                    self.run.push_str(" | ");
                }
                self.cells += 1;
            }
            "br" => {
                if self.pre > 0 || (self.lists.is_empty() && self.table == 0 && self.heading.is_none()) {
                    self.run.push('\n');
                } else {
                    self.text(" ");
                }
            }
            "img" => {
                if let Some(alt) = element.attr("alt") {
                    self.text(" ");
                    self.text(alt);
                    self.text(" ");
                }
            }
            "blockquote" => {
                self.flush();
                self.quotes += 1;
            }
            name if BLOCKS.contains(&name) => self.part(),
            _ => {}
        }
    }

    fn leave(&mut self, name: &str) {
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => self.flush(),
            "pre" => {
                self.flush();
                self.pre = self.pre.saturating_sub(1);
            }
            "ul" | "ol" | "menu" | "dl" => {
                if self.lists.len() == 1 {
                    self.flush();
                }
                self.lists.pop();
            }
            "li" | "dt" | "dd" => self.end_line(),
            "table" => {
                if self.table == 1 {
                    self.flush();
                }
                self.table = self.table.saturating_sub(1);
                self.cells = 0;
            }
            "blockquote" => {
                self.flush();
                self.quotes = self.quotes.saturating_sub(1);
            }
            name if BLOCKS.contains(&name) => self.part(),
            _ => {}
        }
    }

    /// The edge of a block element: ends a passage, but only a word inside lists and tables.
    fn part(&mut self) {
        if self.lists.is_empty() && self.table == 0 && self.heading.is_none() && self.pre == 0 {
            self.flush();
        } else {
            self.text(" ");
        }
    }

    fn end_line(&mut self) {
        while self.run.ends_with(' ') {
            self.run.pop();
        }
        if !self.run.is_empty() && !self.run.ends_with('\n') {
            self.run.push('\n');
        }
    }

    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        let kind = match self.heading.take() {
            Some(level) => BlockKind::Heading(level),
            None if self.pre > 0 => BlockKind::Code,
            None if self.table > 0 => BlockKind::Table,
            None if !self.lists.is_empty() => BlockKind::List,
            None if self.quotes > 0 => BlockKind::Quote,
            None => BlockKind::Paragraph,
        };
        let text = match kind {
            BlockKind::Code => run.trim_matches('\n').trim_end().to_owned(),
            BlockKind::Heading(_) => squeeze(&run).trim_end_matches(['¶', '#', ' ']).to_owned(),
            _ => run
                .lines()
                .map(str::trim_end)
                .filter(|line| !matches!(line.trim(), "" | "-" | "|") && line.chars().any(char::is_alphanumeric))
                .collect::<Vec<_>>()
                .join("\n"),
        };
        if text.trim().is_empty() {
            return;
        }
        if matches!(kind, BlockKind::Heading(_)) {
            self.sections += 1;
        }
        let section = self.sections.max(1);
        self.blocks.push(Block {
            kind,
            text,
            locator: Locator::new(LocatorKind::Section, section, section),
            marks: Vec::new(),
        });
    }
}

fn hidden(element: &scraper::node::Element) -> bool {
    if element.attr("hidden").is_some() || element.attr("aria-hidden") == Some("true") {
        return true;
    }
    let style: String = element
        .attr("style")
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect::<String>()
        .to_ascii_lowercase();
    style.split(';').any(|rule| {
        matches!(
            rule.trim_end_matches("!important"),
            "display:none"
                | "visibility:hidden"
                | "visibility:collapse"
                | "opacity:0"
                | "font-size:0"
                | "font-size:0px"
                | "font-size:1px"
        ) || (rule.starts_with("text-indent:-") && rule.len() >= 17)
            || (rule.starts_with("left:-") && rule.len() >= 11)
    })
}
