//! Source code to blocks by item: each function and type with the documentation above it, in order.
//!
//! Read line by line, without a grammar: Rust, Python, JavaScript and TypeScript, Go, Java, C and C++.
//! Items are found where they begin a line, at the outer level or one level in; what a macro makes,
//! methods of JavaScript classes, and an item within a string of several lines are not told apart.
//! Nothing is lost by that: each line belongs to the item before it.

use domain::document::{Block, BlockKind, Document, DocumentKind, Mark, Notes};
use domain::ingestion::{Failure, failure};
use domain::{Locator, LocatorKind};

use super::visible;

/// Largest file; longer ones are data or made by a program.
pub const LARGEST: u64 = 256 << 10;
/// A line longer than this was not written by a person.
const LONGEST_LINE: usize = 2_000;

/// A language that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Rust.
    Rust,
    /// Python.
    Python,
    /// JavaScript and TypeScript.
    Script,
    /// Go.
    Go,
    /// Java.
    Java,
    /// C and C++.
    C,
}

/// The language of a path, by its ending.
#[must_use]
pub fn language(path: &str) -> Option<Language> {
    let (_, end) = path.rsplit('/').next()?.rsplit_once('.')?;
    Some(match end {
        "rs" => Language::Rust,
        "py" => Language::Python,
        "js" | "mjs" | "cjs" | "jsx" | "ts" | "tsx" => Language::Script,
        "go" => Language::Go,
        "java" => Language::Java,
        "c" | "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" => Language::C,
        _ => return None,
    })
}

/// Parses a file of code.
///
/// # Errors
/// `EMPTY`, or `UNSUPPORTED_FORMAT` for what no person wrote.
pub fn parse(path: &str, text: &str) -> Result<Document, Failure> {
    let unsupported = |why: &str| Failure::new(failure::UNSUPPORTED_FORMAT, format!("\"{path}\" {why}"));
    let language = language(path).ok_or_else(|| unsupported("is code in a language that is not read by item"))?;
    let text = visible(text);
    let lines: Vec<&str> = text.lines().collect();
    if lines.iter().all(|line| line.trim().is_empty()) {
        return Err(Failure::new(failure::EMPTY, format!("\"{path}\" is empty")));
    }
    if lines.iter().any(|line| line.len() > LONGEST_LINE) {
        return Err(unsupported("has lines that no person wrote; it was left out"));
    }
    let items = items(language, &lines);
    let mut blocks = Vec::new();
    let first = items.first().map_or(lines.len(), |item| item.begin);
    region(language, &lines, 0, first, &mut blocks);
    for (index, item) in items.iter().enumerate() {
        let end = items.get(index + 1).map_or(lines.len(), |next| next.begin);
        let place = place(item.line, item.line);
        blocks.push(Block { kind: BlockKind::Heading(2), text: item.name.clone(), locator: place, marks: Vec::new() });
        region(language, &lines, item.begin, end, &mut blocks);
    }
    Ok(Document {
        path: path.to_owned(),
        title: path.rsplit('/').next().unwrap_or(path).to_owned(),
        kind: DocumentKind::Markdown,
        blocks,
        warnings: Vec::new(),
        notes: Notes::default(),
    })
}

struct Item {
    /// First line of it or of what is written about it, from 0.
    begin: usize,
    /// The line that names it, from 0.
    line: usize,
    name: String,
}

/// Lines `from` to `to`, from 0, as a place.
fn place(from: usize, to: usize) -> Locator {
    let line = |number: usize| i64::try_from(number + 1).unwrap_or(i64::MAX);
    Locator::new(LocatorKind::Lines, line(from), line(to))
}

/// A comment, decorator or attribute that belongs to the item below it.
fn about(language: Language, line: &str) -> bool {
    let line = line.trim_start();
    match language {
        Language::Rust => line.starts_with("//") || line.starts_with("#["),
        Language::Python => line.starts_with('#') || line.starts_with('@'),
        Language::C => line.starts_with("//") || line.starts_with("/*") || line.starts_with('*'),
        Language::Script | Language::Go | Language::Java => {
            line.starts_with("//") || line.starts_with("/*") || line.starts_with('*') || line.starts_with('@')
        }
    }
}

/// The words of a line of documentation; `None` for a line of code.
fn words(language: Language, line: &str) -> Option<&str> {
    let line = line.trim();
    let marks: &[&str] = match language {
        Language::Rust => &["///", "//!", "//"],
        Language::Python => &["#"],
        _ => &["///", "//", "/**", "/*", "*/", "*"],
    };
    let mark = marks.iter().find(|mark| line.starts_with(**mark))?;
    // The pointer at the start of a line of C is code.
    if *mark == "*" && language == Language::C && !line.starts_with("* ") && line != "*" {
        return None;
    }
    line.strip_prefix(mark).map(|rest| rest.trim_end_matches("*/").trim())
}

/// Documentation and code of some lines, each as a block of its own.
fn region(language: Language, lines: &[&str], from: usize, to: usize, blocks: &mut Vec<Block>) {
    let code_from = (from..to)
        .find(|at| lines.get(*at).is_some_and(|line| !line.trim().is_empty() && words(language, line).is_none()))
        .unwrap_or(to);
    let written = (from..code_from).filter_map(|at| Some((at, words(language, lines.get(at)?)?)));
    block(BlockKind::Paragraph, written.filter(|(_, text)| !text.is_empty()), blocks);
    let last = (code_from..to).rev().find(|at| lines.get(*at).is_some_and(|line| !line.trim().is_empty()));
    if let Some(last) = last {
        let code = (code_from..=last).filter_map(|at| Some((at, lines.get(at)?.trim_end())));
        block(BlockKind::Code, code, blocks);
    }
}

/// Lines with their numbers as one block, each with its place.
fn block<'l>(kind: BlockKind, lines: impl Iterator<Item = (usize, &'l str)>, blocks: &mut Vec<Block>) {
    let (mut text, mut marks, mut whole) = (String::new(), Vec::new(), None::<Locator>);
    for (number, line) in lines {
        if !marks.is_empty() {
            text.push('\n');
        }
        let locator = place(number, number);
        marks.push(Mark { at: text.len(), locator });
        text.push_str(line);
        whole = Some(whole.map_or(locator, |whole| whole.union(locator)));
    }
    if let Some(locator) = whole.filter(|_| !text.trim().is_empty()) {
        blocks.push(Block { kind, text, locator, marks });
    }
}

/// Where items begin, with what is written directly above each.
fn items(language: Language, lines: &[&str]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    let mut inside: Option<&str> = None;
    for (at, line) in lines.iter().enumerate() {
        if let Some(end) = inside {
            if line.contains(end) {
                inside = None;
            }
            continue;
        }
        let found = name(language, line);
        inside = opened(language, line);
        let Some(name) = found else { continue };
        let least = items.last().map_or(0, |item| item.line + 1);
        let mut begin = at;
        while begin > least && lines.get(begin - 1).is_some_and(|above| about(language, above)) {
            begin -= 1;
        }
        items.push(Item { begin, line: at, name });
    }
    items
}

/// What ends the comment or string of several lines that a line begins.
fn opened(language: Language, line: &str) -> Option<&'static str> {
    if language == Language::Python {
        return ["\"\"\"", "'''"].into_iter().find(|quote| line.matches(quote).count() % 2 == 1);
    }
    let after = line.rfind("/*").and_then(|at| line.get(at..))?;
    let quoted = line.trim_start().starts_with("//") || line.contains("\"/*") || line.contains("'/*");
    (!after.contains("*/") && !quoted).then_some("*/")
}

/// The item that a line begins, as a heading names it.
fn name(language: Language, line: &str) -> Option<String> {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let deepest = if line.starts_with('\t') { 1 } else { 4 };
    if text.is_empty() || indent > deepest {
        return None;
    }
    let outer = indent == 0;
    match language {
        Language::Rust => rust(text, outer),
        Language::Python => {
            let text = text.strip_prefix("async ").unwrap_or(text);
            keyword(text, if outer { &["def", "class"] } else { &["def"] })
        }
        Language::Script => outer.then(|| script(text)).flatten(),
        Language::Go => outer.then(|| go(text)).flatten(),
        Language::Java => java(text),
        Language::C => outer.then(|| c(text)).flatten(),
    }
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// `keyword name` at the start of a text.
fn keyword(text: &str, words: &[&str]) -> Option<String> {
    let (word, rest) = text.split_once(' ')?;
    let name = identifier(rest.trim_start());
    (words.contains(&word) && !name.is_empty()).then(|| format!("{word} {name}"))
}

/// A text without words that may stand before an item.
fn without<'t>(mut text: &'t str, words: &[&str]) -> &'t str {
    while let Some((_, rest)) = text.split_once(' ').filter(|(word, _)| words.contains(word)) {
        text = rest.trim_start();
    }
    text
}

fn rust(text: &str, outer: bool) -> Option<String> {
    let text = match text.strip_prefix("pub(") {
        Some(rest) => rest.split_once(')')?.1.trim_start(),
        None => text,
    };
    let text = without(text, &["pub", "async", "unsafe", "default", "extern", "\"C\""]);
    let text = text.strip_prefix("const fn").map_or_else(|| text.to_owned(), |rest| format!("fn{rest}"));
    if !outer {
        return keyword(&text, &["fn"]);
    }
    if let Some(rest) = text.strip_prefix("macro_rules! ") {
        return Some(format!("macro {}", identifier(rest)));
    }
    if text.starts_with("impl") && text.get(4..5).is_some_and(|next| next == " " || next == "<") {
        return Some(text.trim_end_matches(['{', ' ']).to_owned());
    }
    if text.starts_with("mod ") && text.trim_end().ends_with(';') {
        return None;
    }
    keyword(&text, &["fn", "struct", "enum", "trait", "type", "union", "mod", "const", "static"])
}

fn script(text: &str) -> Option<String> {
    let text = without(text, &["export", "default", "declare", "abstract", "async"]);
    if let Some(rest) = text.strip_prefix("function*").or_else(|| text.strip_prefix("function")) {
        let name = identifier(rest.trim_start());
        return (!name.is_empty()).then(|| format!("function {name}"));
    }
    if let Some(found) = keyword(text, &["class", "interface", "enum", "namespace", "type"]) {
        return Some(found);
    }
    let found = keyword(text, &["const", "let", "var"])?;
    let (_, value) = text.split_once('=')?;
    let value = without(value.trim_start(), &["async"]);
    let function =
        value.starts_with("function") || value.contains("=>") || (value.starts_with('(') && !value.contains(';'));
    function.then_some(found)
}

fn go(text: &str) -> Option<String> {
    if let Some(method) = text.strip_prefix("func (") {
        let (receiver, rest) = method.split_once(')')?;
        let kind = receiver.rsplit(' ').next().unwrap_or_default().trim_start_matches('*');
        return Some(format!("func {kind}.{}", identifier(rest.trim_start())));
    }
    keyword(text, &["func", "type"])
}

fn java(text: &str) -> Option<String> {
    const BEFORE: [&str; 10] = [
        "public",
        "protected",
        "private",
        "static",
        "final",
        "abstract",
        "synchronized",
        "default",
        "sealed",
        "native",
    ];
    let rest = without(text, &BEFORE);
    if let Some(found) = keyword(rest, &["class", "interface", "enum", "record", "@interface"]) {
        return Some(found);
    }
    let (before, _) = rest.split_once('(')?;
    let declared = rest.len() < text.len() && !before.contains('=') && !text.trim_end().ends_with(';');
    let name = before.rsplit([' ', '>']).next().unwrap_or_default();
    (declared && !name.is_empty() && identifier(name) == name).then(|| format!("method {name}"))
}

fn c(text: &str) -> Option<String> {
    const NOT: [&str; 9] = ["if", "for", "while", "switch", "return", "else", "do", "case", "using"];
    let first = identifier(text);
    if first.is_empty() || NOT.contains(&first) {
        return None;
    }
    let text = without(text, &["static", "inline", "extern", "const", "constexpr", "typedef", "template"]);
    let ended = text.trim_end().ends_with(';');
    if let Some(found) =
        keyword(text, &["struct", "enum", "union", "class", "namespace"]).filter(|_| text.contains('{'))
    {
        return Some(found);
    }
    let (before, _) = text.split_once('(')?;
    let name = before.trim_end().rsplit([' ', '*', '&']).next().unwrap_or_default();
    let named = !name.is_empty()
        && name.split("::").all(|part| identifier(part.trim_start_matches('~')) == part.trim_start_matches('~'));
    (!ended && named && before.trim() != name && !before.contains('=')).then(|| format!("function {name}"))
}
