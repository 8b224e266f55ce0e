//! What the head and the links of a page say, read from its tags alone: no tree, linear, bounded.
//!
//! Its text is read later, in the child, by [`crate::parse::html`].

use url::Url;

/// Links of one page that are looked at.
const MOST_LINKS: usize = 5_000;
/// Attributes of one tag that are looked at.
const MOST_ATTRIBUTES: usize = 64;

/// What a page says besides its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Its one address, as it says itself.
    pub(super) canonical: Option<Url>,
    /// Its licence, as it says itself.
    pub(super) licence: Option<Url>,
    /// `<meta name="robots">`: it asks not to be kept.
    pub(super) no_index: bool,
    /// `<meta name="robots">`: it asks not to follow its links.
    pub(super) no_follow: bool,
    /// Where it links to, in order, without fragments.
    pub(super) links: Vec<Url>,
}

/// Reads a page that came from `address`.
pub(super) fn read(address: &Url, html: &str) -> Page {
    let mut page = Page::default();
    let mut base = address.clone();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.find("-->").and_then(|end| comment.get(end + 3..)).unwrap_or_default();
            continue;
        }
        let name_end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let name = rest.get(..name_end).unwrap_or_default().to_ascii_lowercase();
        if name.is_empty() {
            continue;
        }
        let (attributes, after) = attributes(rest.get(name_end..).unwrap_or_default());
        rest = after;
        let value = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let joined = |address: Option<&str>| {
            let mut url = base.join(address?.trim()).ok()?;
            url.set_fragment(None);
            Some(url)
        };
        let has = |wanted: &str, word: &str| {
            value(wanted)
                .is_some_and(|value| value.split([',', ' ']).any(|part| part.trim().eq_ignore_ascii_case(word)))
        };
        match name.as_str() {
            "script" | "style" => {
                // Not a tag until its own end.
                let ends = |at: usize| {
                    rest.get(at + 2..at + 2 + name.len()).is_some_and(|end| end.eq_ignore_ascii_case(&name))
                };
                let end = rest.match_indices("</").map(|(at, _)| at).find(|at| ends(*at));
                rest = end.and_then(|at| rest.get(at..)).unwrap_or_default();
            }
            "base" => base = joined(value("href")).unwrap_or(base),
            "link" if has("rel", "canonical") => {
                page.canonical = page.canonical.take().or_else(|| joined(value("href")))
            }
            "link" | "a" if has("rel", "license") => {
                page.licence = page.licence.take().or_else(|| joined(value("href")));
            }
            "meta" if has("name", "robots") || has("name", "lyceum") => {
                page.no_index |= has("content", "noindex") || has("content", "none");
                page.no_follow |= has("content", "nofollow") || has("content", "none");
            }
            "a" | "area" if !has("rel", "nofollow") && page.links.len() < MOST_LINKS => {
                page.links.extend(joined(value("href")).filter(|url| matches!(url.scheme(), "http" | "https")));
            }
            _ => {}
        }
    }
    page
}

/// The attributes up to the end of a tag, and what comes after it.
fn attributes(text: &str) -> (Vec<(String, String)>, &str) {
    let mut found = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() {
            return (found, rest);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        let end = rest
            .char_indices()
            .find(|(at, c)| *at > 0 && (c.is_whitespace() || matches!(c, '=' | '>' | '/')))
            .map_or(rest.len(), |(at, _)| at);
        let name = rest.get(..end).unwrap_or_default().to_ascii_lowercase();
        rest = rest.get(end..).unwrap_or_default().trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
            (value, rest) = match quote {
                Some(quote) => {
                    let inner = after.get(1..).unwrap_or_default();
                    let end = inner.find(quote).unwrap_or(inner.len());
                    (inner.get(..end).unwrap_or_default(), inner.get(end + 1..).unwrap_or_default())
                }
                None => after.split_at(after.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(after.len())),
            };
        }
        if found.len() < MOST_ATTRIBUTES {
            found.push((name, value.replace("&amp;", "&").replace("&#38;", "&")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_links_are_read_and_scripts_are_not() {
        let address = Url::parse("https://a.example/guide/start.html").unwrap();
        let html = r#"<!doctype html><head><link rel="canonical" href='/guide/start'><link rel=license href="https://l.example/cc">
            <meta content="noindex, nofollow" name="robots"><script>var x = "<a href='/never'>";</script>
            <!-- <a href="/nor"> --></head><body><a href="next.html#part">n</a><A HREF="/top?a=1&amp;b=2">t</A>
            <a rel="nofollow" href="/no">x</a><a href="mailto:a@b">m</a><a href=../up>u</a><a"#;
        let page = read(&address, html);
        assert_eq!(page.canonical.unwrap().as_str(), "https://a.example/guide/start");
        assert_eq!(page.licence.unwrap().as_str(), "https://l.example/cc");
        assert!(page.no_index && page.no_follow);
        let links: Vec<&str> = page.links.iter().map(Url::as_str).collect();
        assert_eq!(
            links,
            ["https://a.example/guide/next.html", "https://a.example/top?a=1&b=2", "https://a.example/up"]
        );
    }

    #[test]
    fn broken_tags_end() {
        let address = Url::parse("https://a.example/").unwrap();
        for html in
            ["<", "<a", "<a href", "<a href=", "<a href=\"", "<!--", "<script>", "<a <a <a", "<a =x>", "<\u{e9}a>"]
        {
            read(&address, html);
        }
    }
}
