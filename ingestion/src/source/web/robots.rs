//! `robots.txt` (RFC 9309): what a site asks of robots.

use std::time::Duration;

/// Our name in `robots.txt`.
const AGENT: &str = "lyceum";
/// Longest pause that a site is granted between two pages.
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// More of the file is not read (RFC 9309 asks for at least this much).
const MOST_BYTES: usize = 500 * 1024;

/// The rules that concern us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Robots {
    /// Pattern, and whether it allows.
    rules: Vec<(String, bool)>,
    /// Pause between two pages.
    pub(super) delay: Duration,
}

impl Robots {
    /// Reads the file: the groups that name us, else those for everybody.
    pub(super) fn parse(text: &str) -> Self {
        let end = text.char_indices().map(|(at, _)| at).find(|at| *at > MOST_BYTES).unwrap_or(text.len());
        let (mut ours, mut others) = (None::<Self>, Self::default());
        let (mut for_us, mut for_all, mut naming) = (false, false, false);
        for line in text.get(..end).unwrap_or_default().lines() {
            let line = line.split('#').next().unwrap_or_default();
            let Some((name, value)) = line.split_once(':') else { continue };
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
            if name == "user-agent" {
                if !naming {
                    (for_us, for_all) = (false, false);
                }
                naming = true;
                let token: String =
                    value.chars().take_while(|c| c.is_ascii_alphabetic() || "-_".contains(*c)).collect();
                for_us |= token.eq_ignore_ascii_case(AGENT);
                for_all |= value == "*";
                if for_us {
                    ours.get_or_insert_default();
                }
                continue;
            }
            let mut groups = Vec::new();
            groups.extend(ours.as_mut().filter(|_| for_us));
            groups.extend(Some(&mut others).filter(|_| for_all));
            match name.as_str() {
                "allow" | "disallow" => {
                    naming = false;
                    // An empty rule says nothing.
                    for group in groups.into_iter().filter(|_| !value.is_empty()) {
                        group.rules.push((value.to_owned(), name == "allow"));
                    }
                }
                "crawl-delay" => {
                    naming = false;
                    if let Some(seconds) = value.parse::<f64>().ok().filter(|seconds| (0.0..1e6).contains(seconds)) {
                        let delay = Duration::from_secs_f64(seconds).min(LONGEST_DELAY);
                        groups.into_iter().for_each(|group| group.delay = delay);
                    }
                }
                _ => {}
            }
        }
        ours.unwrap_or(others)
    }

    /// Whether a path with its query may be read: the longest rule wins, and of equal ones the allowing.
    pub(super) fn allows(&self, path: &str) -> bool {
        path == "/robots.txt"
            || self
                .rules
                .iter()
                .filter(|(pattern, _)| matches(pattern, path))
                .max_by_key(|(pattern, allows)| (pattern.len(), *allows))
                .is_none_or(|(_, allows)| *allows)
    }
}

/// `*` stands for anything, `$` at the end for the end; the rest is a prefix. Linear in both.
fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, whole) = pattern.strip_suffix('$').map_or((pattern, false), |pattern| (pattern, true));
    let mut parts = pattern.split('*');
    let Some(mut rest) = path.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return !whole || rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    if whole { rest.ends_with(last) } else { rest.contains(last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_rule_of_our_group_wins() {
        let text = "User-agent: *\nDisallow: /\n\nUser-agent: other\nUser-agent: Lyceum/1.0\nDisallow: /private # no\n\
                    Allow: /private/open\nDisallow: /*.pdf$\nDisallow:\nCrawl-delay: 60\n";
        let robots = Robots::parse(text);
        for (path, allowed) in [
            ("/", true),
            ("/robots.txt", true),
            ("/private", false),
            ("/private/x", false),
            ("/private/open/x", true),
            ("/a/b.pdf", false),
            ("/a/b.pdf?x", true),
            ("/privat", true),
        ] {
            assert_eq!(robots.allows(path), allowed, "{path}");
        }
        assert_eq!(robots.delay, LONGEST_DELAY);
        let others = Robots::parse("user-agent: *\ndisallow: /x\nuser-agent: bad\ndisallow: /\n");
        assert!(others.allows("/y") && !others.allows("/x/y"));
        assert!(Robots::parse("").allows("/anything"));
        assert!(Robots::parse("<html>Disallow: /</html>").allows("/anything"));
    }
}
