//! Raw HTML inside Markdown: its text, headings and captions; tags, comments and scripts dropped.

use super::squeeze;

/// The value of a quoted attribute of a tag.
pub(super) fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, after) = tag.split_once(&format!(" {name}=")).or_else(|| tag.split_once(&format!("\n{name}=")))?;
    let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let value = after.get(1..)?.split(quote).next()?;
    Some(squeeze(&value.replace('`', "")))
}

/// The text of raw HTML in pieces; a piece has a level when it is a heading.
pub(super) fn pieces(html: &str) -> Vec<(Option<u8>, String)> {
    let mut pieces: Vec<(Option<u8>, String)> = vec![(None, String::new())];
    let mut rest = html;
    let mut silent: Option<&str> = None;
    while let Some(c) = rest.chars().next() {
        if rest.starts_with("<!--") {
            rest = rest.split_once("-->").map_or("", |(_, after)| after);
        } else if c == '<'
            && rest
                .get(1..2)
                .is_some_and(|next| next.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')))
        {
            let end = tag_end(rest);
            let tag = rest.get(..end).unwrap_or(rest);
            rest = rest.get(end..).unwrap_or_default();
            let closing = tag.starts_with("</");
            let name: String = tag
                .trim_start_matches(['<', '/'])
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect::<String>()
                .to_ascii_lowercase();
            if let Some(waiting) = silent {
                if closing && name == waiting {
                    silent = None;
                }
                continue;
            }
            match name.as_str() {
                "script" if !closing => silent = Some("script"),
                "style" if !closing => silent = Some("style"),
                "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                    let level = name.as_bytes().get(1).map(|digit| digit - b'0').filter(|_| !closing);
                    pieces.push((level, String::new()));
                }
                "p" | "div" | "li" | "tr" | "br" | "table" | "ul" | "ol" | "dt" | "dd" | "summary" | "figure" => {
                    add(&mut pieces, "\n")
                }
                "td" | "th" if closing => add(&mut pieces, " | "),
                _ => {}
            }
            if !closing {
                if let Some(caption) = attribute(tag, "caption") {
                    let number = attribute(tag, "number").map(|number| {
                        let label: String =
                            tag.trim_start_matches('<').chars().take_while(char::is_ascii_alphanumeric).collect();
                        format!("{label} {number}: ")
                    });
                    add(&mut pieces, &format!("{}{caption}\n", number.unwrap_or_default()));
                } else if let Some(alt) = attribute(tag, "alt").filter(|_| name == "img") {
                    add(&mut pieces, &alt);
                }
            }
        } else {
            if silent.is_none() {
                let mut buffer = [0; 4];
                add(&mut pieces, c.encode_utf8(&mut buffer));
            }
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    pieces
        .into_iter()
        .map(|(level, text)| {
            let lines: Vec<String> = text
                .lines()
                .map(|line| unescape(squeeze(line).trim_end_matches(" |")))
                .filter(|line| !line.is_empty())
                .collect();
            (level, lines.join(if level.is_some() { " " } else { "\n" }))
        })
        .filter(|(_, text)| !text.is_empty())
        .collect()
}

fn add(pieces: &mut [(Option<u8>, String)], text: &str) {
    if let Some(last) = pieces.last_mut() {
        last.1.push_str(text);
    }
}

/// The byte after the tag that `html` begins with; `>` inside quotes does not end it.
fn tag_end(html: &str) -> usize {
    let mut quote: Option<char> = None;
    for (at, c) in html.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '>') => return at + 1,
            _ => {}
        }
    }
    html.len()
}

fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&nbsp;", " "), ("&amp;", "&")]
        .iter()
        .fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain))
}
