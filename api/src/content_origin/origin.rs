//! The setting `content_origin`: which hosts are those of packages, and how they are written.

use domain::ScormAttemptId;

/// A place like `http://*.localhost:8080`; the star stands for the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    scheme: &'static str,
    /// Each attempt has a host of its own under it.
    apart: bool,
    host: String,
    port: Option<u16>,
}

/// Whether a text is the origin of a page: scheme, host, maybe a port, and nothing that could end a header's word.
pub(crate) fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| {
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        (1..=255).contains(&rest.len()) && rest.chars().all(plain)
    })
}

/// The host of an authority, in small letters and without its port.
pub(crate) fn host_of(authority: &str) -> String {
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let end = if authority.starts_with('[') {
        authority.find(']').map_or(authority.len(), |end| end + 1)
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    authority.get(..end).unwrap_or_default().trim_end_matches('.').to_ascii_lowercase()
}

impl Origin {
    /// Reads the setting.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bad =
            || "must be an origin such as https://*.content.example.org, where * stands for the attempt".to_owned();
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => ("http", rest),
            Some(("https", rest)) => ("https", rest),
            _ => return Err(bad()),
        };
        let (apart, rest) = rest.strip_prefix("*.").map_or((false, rest), |rest| (true, rest));
        let (host, port) = match rest.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| bad())?)),
            None => (rest, None),
        };
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let whole = !host.is_empty() && host.split('.').all(|part| !part.is_empty());
        if !whole || !host.chars().all(letters) || host.len() > 200 {
            return Err(bad());
        }
        Ok(Self { scheme, apart, host: host.to_ascii_lowercase(), port })
    }

    /// What a host of packages stands for: the attempt's label, or nothing where all share a host. `None` for
    /// every other host.
    pub(crate) fn label<'h>(&self, host: &'h str) -> Option<Option<&'h str>> {
        if self.apart {
            host.strip_suffix(self.host.as_str())?.strip_suffix('.').map(Some)
        } else {
            (host == self.host).then_some(None)
        }
    }

    fn with(&self, label: &str) -> String {
        let dot = if self.apart { "." } else { "" };
        let label = if self.apart { label } else { "" };
        let port = self.port.map_or_else(String::new, |port| format!(":{port}"));
        format!("{}://{label}{dot}{}{port}", self.scheme, self.host)
    }

    /// Where an attempt's package is shown.
    pub(crate) fn of(&self, attempt: ScormAttemptId) -> String {
        self.with(&attempt.to_string())
    }

    /// Every place of packages, as a source of a content security policy.
    pub(crate) fn source(&self) -> String {
        self.with("*")
    }

    /// Whether only browsers on this machine find it.
    pub(crate) fn this_machine_only(&self) -> bool {
        self.host == "localhost" || self.host.ends_with(".localhost")
    }
}

#[cfg(test)]
mod tests {
    use super::{Origin, host_of, is_origin};

    #[test]
    fn hosts_of_packages_are_told_from_the_others() {
        let apart = Origin::parse("http://*.localhost:8080").unwrap();
        assert_eq!(apart.label("one.localhost"), Some(Some("one")));
        assert_eq!(apart.label("a.b.localhost"), Some(Some("a.b")));
        for other in ["localhost", "xlocalhost", "127.0.0.1", "one.localhost.example.org", ""] {
            assert_eq!(apart.label(other), None, "{other}");
        }
        assert_eq!(apart.source(), "http://*.localhost:8080");
        let shared = Origin::parse("https://content.example.org").unwrap();
        assert_eq!(shared.label("content.example.org"), Some(None));
        assert_eq!(shared.label("x.content.example.org"), None);
        assert_eq!(shared.source(), "https://content.example.org");
        assert!(apart.this_machine_only() && !shared.this_machine_only());
        for bad in [
            "",
            "localhost",
            "ftp://a",
            "http://",
            "http://*.",
            "http://a b",
            "http://a/b",
            "http://a:x",
            "http://*.*.a",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_host_has_no_port_no_dot_at_its_end_and_no_capital() {
        for (authority, host) in [
            ("A.Localhost:80", "a.localhost"),
            ("a.localhost.", "a.localhost"),
            ("a.localhost.:80", "a.localhost"),
            ("[::1]:80", "[::1]"),
            ("user@a.localhost", "a.localhost"),
        ] {
            assert_eq!(host_of(authority), host, "{authority}");
        }
        assert!(is_origin("http://127.0.0.1:8080") && is_origin("https://[::1]:1"));
        for bad in ["null", "", "http://", "http://a b", "http://a;b", "http://a\"", "javascript://a", "http://a/b"] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
