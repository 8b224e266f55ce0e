//! Front matter of Markdown: a YAML (`---`) or TOML (`+++`) block before the text.

use serde::Deserialize;

/// Front matter longer than this is text.
const MOST_LINES: usize = 400;

/// Number of lines that the front matter takes (with its fences), and the title in it.
pub(super) fn read(text: &str) -> (usize, Option<String>) {
    let mut lines = text.lines();
    let fence = lines.next().map(str::trim_end).unwrap_or_default();
    if fence != "---" && fence != "+++" {
        return (0, None);
    }
    let mut body = String::new();
    for (index, line) in lines.take(MOST_LINES).enumerate() {
        let end = line.trim_end();
        if end == fence || (fence == "---" && end == "...") {
            let title = if fence == "---" { yaml_title(&body) } else { line_title(&body, '=') };
            // A thematic break at the top followed by prose is no front matter.
            let keyed = body.lines().any(|line| line.contains(if fence == "---" { ':' } else { '=' }))
                || body.trim().is_empty();
            return if keyed { (index + 2, title.filter(|title| !title.is_empty())) } else { (0, None) };
        }
        body.push_str(line);
        body.push('\n');
    }
    (0, None)
}

#[derive(Deserialize)]
struct Fields {
    title: Option<serde_yaml_ng::Value>,
}

fn yaml_title(body: &str) -> Option<String> {
    match serde_yaml_ng::from_str::<Fields>(body) {
        Ok(fields) => fields.title.and_then(|title| match title {
            serde_yaml_ng::Value::String(text) => Some(clean(&text)),
            serde_yaml_ng::Value::Number(number) => Some(number.to_string()),
            serde_yaml_ng::Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        }),
        // Titles with a bare colon or a template tag are common and are not YAML.
        Err(_) => line_title(body, ':'),
    }
}

fn line_title(body: &str, separator: char) -> Option<String> {
    body.lines().find_map(|line| {
        let (key, value) = line.split_once(separator)?;
        (key.trim_end() == "title").then(|| clean(value.trim().trim_matches(['"', '\''])))
    })
}

fn clean(title: &str) -> String {
    super::squeeze(&super::visible(&super::template::strip_inline(title)))
}
