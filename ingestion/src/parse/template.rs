//! Template tags in Markdown: mdBook directives, Jinja, Liquid and Hugo tags. Resolved or removed,
//! with the line of each kept line known.

use super::markdown::Files;

/// Text after the tags, the source line of each of its lines, and the includes that found no file.
pub(super) struct Expanded {
    pub(super) lines: Vec<(i64, String)>,
    pub(super) unresolved: Vec<String>,
}

/// An include inside an included file is followed this deep.
const DEEPEST_INCLUDE: usize = 4;

/// Expands `text` whose first line is line `first`.
pub(super) fn expand(path: &str, text: &str, skip: usize, files: &dyn Files) -> Expanded {
    let mut expanded = Expanded { lines: Vec::new(), unresolved: Vec::new() };
    let mut fence: Option<(char, usize)> = None;
    let mut comment = false;
    for (index, line) in text.lines().enumerate() {
        let number = i64::try_from(index).unwrap_or(i64::MAX) + 1;
        if index < skip {
            expanded.lines.push((number, String::new()));
            continue;
        }
        let mark = fence_of(line);
        let in_code = fence.is_some();
        match (fence, mark) {
            (None, Some(open)) if !comment => fence = Some((open.0, open.1)),
            (Some(open), Some(close)) if close.0 == open.0 && close.1 >= open.1 && close.2 => fence = None,
            _ => {}
        }
        if let Some(directive) = directive(line) {
            include(path, number, line, &directive, files, DEEPEST_INCLUDE, &mut expanded);
            continue;
        }
        if in_code || fence.is_some() {
            expanded.lines.push((number, line.to_owned()));
            continue;
        }
        let highlight = line.trim_start().strip_prefix("{%").map(|rest| rest.trim_start_matches('-').trim_start());
        if highlight.is_some_and(|tag| {
            tag.starts_with("highlight")
                || tag.starts_with("endhighlight")
                || tag.starts_with("codeblock")
                || tag.starts_with("endcodeblock")
        }) {
            expanded.lines.push((number, "```".into()));
            continue;
        }
        let (kept, open) = strip(line, comment);
        comment = open;
        expanded.lines.push((number, kept));
    }
    expanded
}

/// The character, length and emptiness of the info string of a code fence.
fn fence_of(line: &str) -> Option<(char, usize, bool)> {
    let rest = line.trim_start_matches([' ', '>', '\t']);
    let mark = rest.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = rest.chars().take_while(|c| *c == mark).count();
    let info = rest.get(length..).unwrap_or_default();
    (length >= 3 && !(mark == '`' && info.contains('`'))).then(|| (mark, length, info.trim().is_empty()))
}

/// An mdBook directive that fills its line: name and argument.
fn directive(line: &str) -> Option<(String, String)> {
    let inner = line.trim().strip_prefix("{{#")?.strip_suffix("}}")?;
    let (name, argument) = inner.trim().split_once(char::is_whitespace).unwrap_or_else(|| (inner.trim(), ""));
    (!argument.contains("}}")).then(|| (name.to_owned(), argument.trim().to_owned()))
}

fn include(
    path: &str,
    number: i64,
    line: &str,
    (name, argument): &(String, String),
    files: &dyn Files,
    deeper: usize,
    out: &mut Expanded,
) {
    if !matches!(name.as_str(), "include" | "rustdoc_include" | "playground" | "playpen") {
        // `{{#quiz ...}}`, `{{#title ...}}` and other plug-ins yield nothing to read.
        out.lines.push((number, String::new()));
        return;
    }
    let target = argument.split_whitespace().next().unwrap_or_default();
    let (file, part) = target.split_once(':').map_or((target, ""), |(file, part)| (file, part));
    let found =
        deeper.checked_sub(1).and_then(|_| resolve(path, file)).and_then(|at| files.read(&at).map(|text| (at, text)));
    let Some((at, text)) = found else {
        out.unresolved.push(target.to_owned());
        out.lines.push((number, String::new()));
        return;
    };
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    for kept in part_of(&text, part) {
        match directive(kept) {
            Some(inner) => include(&at, number, kept, &inner, files, deeper - 1, out),
            None => out.lines.push((number, format!("{indent}{kept}"))),
        }
    }
}

/// `file` beside `path`, without leaving the source.
pub(super) fn resolve(path: &str, file: &str) -> Option<String> {
    if file.is_empty() || file.starts_with('/') || file.contains('\\') {
        return None;
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The lines of an mdBook part: nothing, `3`, `3:`, `:5`, `3:5` or the name of an anchor; anchor
/// comments themselves are dropped.
fn part_of<'t>(text: &'t str, part: &str) -> Vec<&'t str> {
    let is_anchor = |line: &str| line.contains("ANCHOR:") || line.contains("ANCHOR_END:");
    let named = |line: &str, mark: &str| {
        line.split_once(mark).is_some_and(|(_, rest)| {
            rest.trim_start().split(|c: char| c.is_whitespace() || c == '*').next() == Some(part)
        })
    };
    if part.is_empty() {
        return text.lines().filter(|line| !is_anchor(line)).collect();
    }
    if part.chars().all(|c| c.is_ascii_digit() || c == ':') {
        let (from, to) = part.split_once(':').unwrap_or((part, part));
        let (from, to) = (from.parse().unwrap_or(1_usize).max(1), to.parse().unwrap_or(usize::MAX));
        return text
            .lines()
            .skip(from - 1)
            .take((to.saturating_add(1)).saturating_sub(from))
            .filter(|line| !is_anchor(line))
            .collect();
    }
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if named(line, "ANCHOR:") {
            inside = true;
        } else if named(line, "ANCHOR_END:") {
            inside = false;
        } else if inside && !is_anchor(line) {
            lines.push(line);
        }
    }
    lines
}

/// A line without template tags outside code spans; `open` says that a comment of several lines is open.
fn strip(line: &str, open: bool) -> (String, bool) {
    let mut rest = line;
    if open {
        match line.split_once("#}") {
            Some((_, after)) => rest = after,
            None => return (String::new(), true),
        }
    }
    let mut kept = String::with_capacity(rest.len());
    let mut ticks = 0;
    while let Some(c) = rest.chars().next() {
        let run = rest.chars().take_while(|c| *c == '`').count();
        if run > 0 {
            let tail = rest.get(run..).unwrap_or_default();
            if ticks == 0 && tail.contains(&"`".repeat(run)) {
                ticks = run;
            } else if ticks == run {
                ticks = 0;
            }
            kept.push_str(rest.get(..run).unwrap_or_default());
            rest = tail;
            continue;
        }
        if ticks == 0 && c == '{' && !kept.ends_with('\\') {
            if let Some((_, tail)) = rest.strip_prefix("{%").and_then(|tag| tag.split_once("%}")) {
                rest = tail;
                continue;
            }
            if let Some(tag) = rest.strip_prefix("{# ") {
                match tag.split_once("#}") {
                    Some((_, tail)) => rest = tail,
                    None => return (kept, true),
                }
                continue;
            }
            if let Some((inner, tail)) = rest.strip_prefix("{{").and_then(|tag| tag.split_once("}}")) {
                let after_letter =
                    kept.chars().next_back().is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '^' | '}'));
                let tag_like = inner.starts_with([' ', '#', '<', '%', '/', '>', '!', '&', '-'])
                    || (!after_letter && inner.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '$'));
                if tag_like && !inner.contains('{') {
                    rest = tail.strip_prefix('}').filter(|_| inner.starts_with('{')).unwrap_or(tail);
                    continue;
                }
            }
        }
        kept.push(c);
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
    }
    // A line that was nothing but tags is empty, so that it does not split or open a block.
    if kept.trim().is_empty() && !line.trim().is_empty() { (String::new(), false) } else { (kept, false) }
}

/// A title without template tags.
pub(super) fn strip_inline(text: &str) -> String {
    strip(text, false).0
}

/// The files that mdBook directives of a text name, as paths from the root of the source.
pub(super) fn targets(path: &str, text: &str) -> Vec<String> {
    text.lines()
        .filter_map(directive)
        .filter(|(name, _)| matches!(name.as_str(), "include" | "rustdoc_include" | "playground" | "playpen"))
        .filter_map(|(_, argument)| {
            let target = argument.split_whitespace().next()?.to_owned();
            resolve(path, target.split(':').next()?)
        })
        .collect()
}
