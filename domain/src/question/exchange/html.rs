//! The words of a piece of HTML, as other programs put them into question texts. Not a parser of
//! documents: what it gives is plain text, and whoever shows it escapes it like any other.

/// Tags that end a line.
const BREAKS: &[&str] = &["br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "ul", "ol"];
/// Tags whose loss nobody notices.
const SILENT: &[&str] = &["br", "p", "div", "span"];
/// Longest entity that is known, in characters.
const ENTITY: usize = 10;

/// The text without its tags, and whether one of them meant something: a picture, a link, a script.
pub(super) fn text(html: &str) -> (String, bool) {
    let (mut out, mut lost, mut rest) = (String::new(), false, html);
    // Looked for once: many `<` without a `>` must not be searched many times.
    let last = html.rfind('>').unwrap_or(0);
    while let Some(at) = rest.find(['<', '&']) {
        let (before, marked) = rest.split_at(at);
        words(&mut out, before);
        let open = marked.starts_with('<') && html.len() - marked.len() < last;
        let (taken, length) = if open { tag(marked, &mut lost) } else { entity(marked) };
        match taken {
            Some(c @ '\n') => {
                out.truncate(out.trim_end_matches(' ').len());
                if !out.is_empty() && !out.ends_with('\n') {
                    out.push(c);
                }
            }
            Some(c) => out.push(c),
            None => {}
        }
        rest = marked.get(length..).unwrap_or_default();
    }
    words(&mut out, rest);
    (out.trim().to_owned(), lost)
}

/// Words as a browser shows them: white space is one space.
fn words(out: &mut String, text: &str) {
    for c in text.chars() {
        if !c.is_whitespace() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with([' ', '\n']) {
            out.push(' ');
        }
    }
}

/// What a tag leaves, and its length. A `<` that opens no tag is itself.
fn tag(marked: &str, lost: &mut bool) -> (Option<char>, usize) {
    let inner = marked.get(1..).unwrap_or_default();
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!') {
        return (Some('<'), 1);
    }
    let Some(end) = marked.find('>') else { return (Some('<'), 1) };
    let name: String = inner
        .trim_start_matches('/')
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase();
    if !SILENT.contains(&name.as_str()) {
        *lost = true;
    }
    (BREAKS.contains(&name.as_str()).then_some('\n'), end + 1)
}

/// The character of an entity, and its length. What opens none is itself.
fn entity(marked: &str) -> (Option<char>, usize) {
    if marked.starts_with('<') {
        return (Some('<'), 1);
    }
    let end = marked.char_indices().take(ENTITY).find(|(_, c)| *c == ';').map(|(at, _)| at);
    let Some((end, name)) = end.and_then(|end| Some((end, marked.get(1..end)?))) else { return (Some('&'), 1) };
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let found = match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some(' '),
        _ => match name.strip_prefix('#') {
            Some(hex) if hex.starts_with(['x', 'X']) => number(hex.get(1..).unwrap_or_default(), 16),
            Some(digits) => number(digits, 10),
            None => None,
        },
    };
    match found.filter(|c| !c.is_control()) {
        Some(c) => (Some(c), end + 1),
        None => (Some('&'), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn words_stay_and_what_meant_something_is_noticed() {
        for (html, words, lost) in [
            ("<p>One &amp; two</p><p>three</p>", "One & two\nthree", false),
            ("a<br/>b  \n c", "a\nb c", false),
            ("1 < 2 &lt;b&gt; &#65;&#x42; &nope; & <", "1 < 2 <b> AB &nope; & <", false),
            ("<img src=x>seen", "seen", true),
            ("<script>f()</script>", "f()", true),
            ("&#0;&#xFFFFFFFF;", "&#0;&#xFFFFFFFF;", false),
        ] {
            assert_eq!(text(html), (words.to_owned(), lost), "{html}");
        }
    }
}
