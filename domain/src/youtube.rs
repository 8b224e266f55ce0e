//! Addresses of `YouTube`: what people paste, taken apart; only a well-formed id survives.
//!
//! Nothing of the pasted text is passed on: whoever needs an address makes it from the id.

use std::fmt;

/// What an address of `YouTube` names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// One video, by its 11 characters.
    Video(String),
    /// A playlist.
    Playlist(String),
    /// A channel, by its `UC` id.
    Channel(String),
    /// A channel, by its handle without the `@`.
    Handle(String),
}

/// The hosts that show the same videos.
const HOSTS: [&str; 6] = [
    "youtube.com",
    "www.youtube.com",
    "m.youtube.com",
    "music.youtube.com",
    "youtube-nocookie.com",
    "www.youtube-nocookie.com",
];
/// The host of short addresses.
const SHORT: [&str; 2] = ["youtu.be", "www.youtu.be"];
/// Longer text is no address.
const LONGEST: usize = 2_000;

impl Target {
    /// Takes an address apart: a video, a playlist, a channel or a handle.
    ///
    /// A video of a playlist is the video; a playlist is named by its own page.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence that says what to give instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.len() > LONGEST || text.chars().any(|c| c.is_control() || c.is_whitespace() || !c.is_ascii()) {
            return Err(advice("is not an address"));
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        let (rest, _) = rest.split_once('#').unwrap_or((rest, ""));
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut steps = path.split('/').filter(|step| !step.is_empty());
        let host = steps.next().unwrap_or_default().to_ascii_lowercase();
        let steps: Vec<&str> = steps.collect();
        if SHORT.contains(&host.as_str()) {
            return steps.first().copied().map_or_else(|| Err(advice("names no video")), Self::video);
        }
        if !HOSTS.contains(&host.as_str()) {
            return Err(advice("is not an address of YouTube"));
        }
        match steps.as_slice() {
            ["watch"] => field(query, "v").map_or_else(|| Err(advice("names no video")), Self::video),
            ["playlist"] | ["embed", "videoseries"] => {
                field(query, "list").map_or_else(|| Err(advice("names no playlist")), Self::playlist)
            }
            ["shorts" | "live" | "embed" | "v" | "e", id, ..] => Self::video(id),
            ["channel", id, ..] => Self::channel(id),
            [handle, ..] if handle.starts_with('@') => Self::handle(handle),
            ["c" | "user", ..] => Err(advice("names a channel in the old way")),
            _ => Err(advice("names no video, playlist or channel")),
        }
    }

    /// A bare id of a video, as `dQw4w9WgXcQ`.
    ///
    /// # Errors
    /// It has not the 11 characters of one.
    pub fn video(id: &str) -> Result<Self, String> {
        let good = id.len() == 11 && plain(id);
        if good { Ok(Self::Video(id.to_owned())) } else { Err(advice("has no id of 11 letters, digits, - and _")) }
    }

    /// A bare id of a playlist.
    ///
    /// # Errors
    /// It is none, or one that depends on who is looking.
    pub fn playlist(id: &str) -> Result<Self, String> {
        if id.starts_with("RD") || matches!(id, "WL" | "LL" | "LM") {
            return Err(advice("is a mix or a private list, which is another one for everybody"));
        }
        let known = ["PL", "UU", "FL", "OLAK5uy_", "EC"].iter().any(|begin| id.starts_with(begin));
        let good = known && (12..=64).contains(&id.len()) && plain(id);
        if good { Ok(Self::Playlist(id.to_owned())) } else { Err(advice("names no playlist")) }
    }

    fn channel(id: &str) -> Result<Self, String> {
        let good = id.len() == 24 && id.starts_with("UC") && plain(id);
        if good { Ok(Self::Channel(id.to_owned())) } else { Err(advice("names no channel")) }
    }

    fn handle(text: &str) -> Result<Self, String> {
        let name = text.trim_start_matches('@');
        let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        let ends = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if letters && ends && (3..=30).contains(&name.len()) && !name.contains("..") {
            return Ok(Self::Handle(name.to_owned()));
        }
        Err(advice("has a handle that cannot be read here"))
    }

    /// The one address of it, made by us.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Video(id) => format!("https://www.youtube.com/watch?v={id}"),
            Self::Playlist(id) => format!("https://www.youtube.com/playlist?list={id}"),
            Self::Channel(id) => format!("https://www.youtube.com/channel/{id}/videos"),
            Self::Handle(name) => format!("https://www.youtube.com/@{name}/videos"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url())
    }
}

/// Letters, digits, `-` and `_`.
fn plain(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn field<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn advice(what: &str) -> String {
    format!(
        "the address {what}; give https://www.youtube.com/watch?v=ID, https://www.youtube.com/playlist?list=ID, https://www.youtube.com/channel/ID or https://www.youtube.com/@HANDLE"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_video_is_the_same_video() {
        for text in [
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
            "http://youtube.com/watch?v=dQw4w9WgXcQ&t=42s",
            "youtube.com/watch?app=desktop&v=dQw4w9WgXcQ",
            "https://m.youtube.com/watch?v=dQw4w9WgXcQ&list=PLabcdefghijklmnop&index=2",
            "https://music.youtube.com/watch?v=dQw4w9WgXcQ",
            "https://youtu.be/dQw4w9WgXcQ?si=tracking",
            "https://www.youtube.com/shorts/dQw4w9WgXcQ",
            "https://www.youtube.com/live/dQw4w9WgXcQ?feature=share",
            "https://www.youtube.com/embed/dQw4w9WgXcQ?rel=0",
            "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ",
            "https://www.youtube.com/v/dQw4w9WgXcQ",
            "https://WWW.YouTube.com/watch?v=dQw4w9WgXcQ#t=3",
        ] {
            assert_eq!(Target::parse(text), Ok(Target::Video("dQw4w9WgXcQ".into())), "{text}");
        }
        assert_eq!(Target::video("-bcdefghij_").unwrap().url(), "https://www.youtube.com/watch?v=-bcdefghij_");
    }

    #[test]
    fn lists_and_channels_have_types_of_their_own() {
        for (text, url) in [
            (
                "https://www.youtube.com/playlist?list=PLabcdefghijkl-_1",
                "https://www.youtube.com/playlist?list=PLabcdefghijkl-_1",
            ),
            (
                "https://www.youtube.com/embed/videoseries?list=PLabcdefghijkl-_1",
                "https://www.youtube.com/playlist?list=PLabcdefghijkl-_1",
            ),
            (
                "https://music.youtube.com/playlist?list=OLAK5uy_abcdefgh",
                "https://www.youtube.com/playlist?list=OLAK5uy_abcdefgh",
            ),
            (
                "https://www.youtube.com/channel/UCabcdefghijklmnopqrstuv/featured",
                "https://www.youtube.com/channel/UCabcdefghijklmnopqrstuv/videos",
            ),
            ("youtube.com/@some.handle_1/videos", "https://www.youtube.com/@some.handle_1/videos"),
        ] {
            assert_eq!(Target::parse(text).map(|target| target.url()), Ok(url.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_id_is_refused_with_advice() {
        for text in [
            "",
            "dQw4w9WgXcQ",
            "--exec=touch x",
            "https://www.youtube.com/watch?v=--exec",
            "https://www.youtube.com/watch?v=dQw4w9WgXcQ%20-x",
            "https://www.youtube.com/watch?v=dQw4w9WgXc",
            "https://www.youtube.com/watch?v=dQw4w9WgXcQQ",
            "https://www.youtube.com.evil.example/watch?v=dQw4w9WgXcQ",
            "https://evil.example/youtube.com/watch?v=dQw4w9WgXcQ",
            "https://user@www.youtube.com/watch?v=dQw4w9WgXcQ",
            "https://www.youtube.com:8080/watch?v=dQw4w9WgXcQ",
            "https://www.youtube.com/playlist?list=RDdQw4w9WgXcQ",
            "https://www.youtube.com/playlist?list=WL",
            "https://www.youtube.com/@-bad",
            "https://www.youtube.com/@a/../..",
            "https://www.youtube.com/c/Name",
            "https://www.youtube.com/channel/UCshort",
            "file:///etc/passwd",
            "ytsearch:cats",
            "https://www.youtube.com/results?search_query=cats",
        ] {
            let refused = Target::parse(text).unwrap_err();
            assert!(refused.contains("https://www.youtube.com/watch?v=ID"), "{text}: {refused}");
        }
    }
}
