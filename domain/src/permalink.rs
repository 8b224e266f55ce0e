//! Addresses of lines of a file at a commit, on the sites that host repositories.
//!
//! Only sites whose form of address is known have one; nothing is asked of them.

use crate::{Locator, LocatorKind};

/// The address that shows `place` of the file `path` of the repository at `origin`, as it was at `commit`.
///
/// Of pages, cells and sections the site knows no address: then it is that of the file.
#[must_use]
pub fn permalink(origin: &str, commit: &str, path: &str, place: Locator) -> Option<String> {
    let repository = origin.strip_prefix("https://")?.trim_end_matches('/').trim_end_matches(".git");
    let (host, project) = repository.split_once('/')?;
    // A branch or tag that was asked for: the commit says more.
    let project = project.split('@').next().unwrap_or(project).trim_end_matches(".git");
    let hash = (40..=64).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !hash || project.split('/').count() < 2 {
        return None;
    }
    let (folder, line, joint) = match host {
        "github.com" => ("blob", "#L", "-L"),
        "gitlab.com" => ("-/blob", "#L", "-"),
        "codeberg.org" => ("src/commit", "#L", "-L"),
        _ => return None,
    };
    let file: Vec<String> = path.split('/').map(encoded).collect();
    let mut address = format!("https://{host}/{project}/{folder}/{commit}/{}", file.join("/"));
    if place.kind == LocatorKind::Lines {
        // These sites show Markdown as a page, where lines cannot be pointed at, unless they are told not to.
        let lower = path.to_ascii_lowercase();
        if [".md", ".markdown"].iter().any(|end| lower.ends_with(end)) {
            address.push_str(if host == "codeberg.org" { "?display=source" } else { "?plain=1" });
        }
        address.push_str(&format!("{line}{}", place.start));
        if place.end > place.start {
            address.push_str(&format!("{joint}{}", place.end));
        }
    }
    Some(address)
}

/// A step of a path as addresses write it (RFC 3986).
fn encoded(step: &str) -> String {
    step.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_an_address_on_the_sites_that_are_known() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let lines = |start, end| Locator::new(LocatorKind::Lines, start, end);
        let of = |origin: &str, path: &str, place| permalink(origin, commit, path, place);
        let github = "https://github.com/rust-lang/book";
        assert_eq!(of(github, "src/lib.rs", lines(3, 9)), Some(format!("{github}/blob/{commit}/src/lib.rs#L3-L9")));
        assert_eq!(
            of(&format!("{github}.git/"), "a b/ü.rs", lines(4, 4)),
            Some(format!("{github}/blob/{commit}/a%20b/%C3%BC.rs#L4"))
        );
        assert_eq!(
            of(github, "src/ch01.md", lines(3, 9)),
            Some(format!("{github}/blob/{commit}/src/ch01.md?plain=1#L3-L9"))
        );
        assert_eq!(
            of("https://gitlab.com/a/b/c", "x.py", lines(1, 2)),
            Some(format!("https://gitlab.com/a/b/c/-/blob/{commit}/x.py#L1-2"))
        );
        assert_eq!(
            of("https://codeberg.org/a/b", "x.md", lines(1, 2)),
            Some(format!("https://codeberg.org/a/b/src/commit/{commit}/x.md?display=source#L1-L2"))
        );
        let cell = Locator::new(LocatorKind::Cell, 2, 3);
        assert_eq!(of(github, "a.ipynb", cell), Some(format!("{github}/blob/{commit}/a.ipynb")));
        for (origin, commit) in [
            ("https://example.org/a/b", commit),
            ("https://github.com/only", commit),
            ("/home/x/github.com/a/b", commit),
            ("http://github.com/a/b", commit),
            (github, "main"),
            (github, ""),
        ] {
            assert_eq!(permalink(origin, commit, "a.md", lines(1, 1)), None);
        }
    }
}
