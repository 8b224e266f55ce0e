//! Playlists of protected recordings: each segment an address of its own, encrypted on its way out with
//! AES-128 (RFC 8216, section 4.3.2.4). The stored streams stay as they are.

use std::fmt::Write as _;
use std::ops::Range;

/// Name of the key of a protected recording.
pub const KEY: &str = "stream.key";

/// A file of a protected stream, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'n> {
    /// The playlist of a stream.
    Playlist {
        /// Name of the stream.
        stem: &'n str,
    },
    /// How a stream begins; it holds no picture and no sound, and is in the clear.
    Head {
        /// Name of the stream.
        stem: &'n str,
    },
    /// A segment, from 0.
    Segment {
        /// Name of the stream.
        stem: &'n str,
        /// Number of the segment.
        number: usize,
    },
}

impl<'n> Wanted<'n> {
    /// What a name asks for; `None` when it is no name of a protected stream.
    #[must_use]
    pub fn parse(name: &'n str) -> Option<Self> {
        let plain = |stem: &str| !stem.is_empty() && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let found = if let Some(stem) = name.strip_suffix(".m3u8") {
            Self::Playlist { stem }
        } else if let Some(stem) = name.strip_suffix(".head.mp4") {
            Self::Head { stem }
        } else {
            let (stem, number) = name.strip_suffix(".enc")?.rsplit_once('.')?;
            Self::Segment { stem, number: number.parse().ok().filter(|number| *number < 1_000_000)? }
        };
        plain(found.stem()).then_some(found)
    }

    /// Name of the stream.
    #[must_use]
    pub fn stem(&self) -> &'n str {
        match self {
            Self::Playlist { stem } | Self::Head { stem } | Self::Segment { stem, .. } => stem,
        }
    }
}

fn range(text: &str) -> Option<Range<u64>> {
    let (length, start) = text.trim_matches('"').split_once('@')?;
    let (length, start): (u64, u64) = (length.parse().ok()?, start.parse().ok()?);
    Some(start..start.checked_add(length)?)
}

/// The bytes of a stream's head, from its playlist.
#[must_use]
pub fn head(playlist: &str) -> Option<Range<u64>> {
    let map = playlist.lines().find_map(|line| line.strip_prefix("#EXT-X-MAP:"))?;
    range(map.split_once("BYTERANGE=")?.1)
}

/// The bytes of a segment, from the playlist.
#[must_use]
pub fn segment(playlist: &str, number: usize) -> Option<Range<u64>> {
    range(playlist.lines().filter_map(|line| line.strip_prefix("#EXT-X-BYTERANGE:")).nth(number)?)
}

/// The playlist that a player of a protected recording gets.
#[must_use]
pub fn playlist(plain: &str, stem: &str) -> String {
    let mut text = String::with_capacity(plain.len());
    let mut number = 0;
    for line in plain.lines() {
        // Writing to a string does not fail.
        let _ = if line.starts_with("#EXT-X-MAP:") {
            // The key stands after the head, so that the head is in the clear.
            writeln!(text, "#EXT-X-MAP:URI=\"{stem}.head.mp4\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"{KEY}\"")
        } else if line.starts_with("#EXT-X-BYTERANGE:") {
            Ok(())
        } else if line.starts_with('#') || line.is_empty() {
            writeln!(text, "{line}")
        } else {
            number += 1;
            writeln!(text, "{stem}.{}.enc", number - 1)
        };
    }
    text
}

/// The initialisation vector of a segment: its number, as the standard has it where none is given.
#[must_use]
pub fn vector(number: usize) -> [u8; 16] {
    (number as u128).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-MAP:URI=\"audio.m4s\",BYTERANGE=\"765@0\"\n\
        #EXTINF:4.0,\n#EXT-X-BYTERANGE:1000@765\naudio.m4s\n#EXTINF:2.0,\n#EXT-X-BYTERANGE:500@1765\naudio.m4s\n#EXT-X-ENDLIST\n";

    #[test]
    fn each_segment_has_an_address_and_the_key_comes_after_the_head() {
        assert_eq!(
            playlist(PLAIN, "audio"),
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-MAP:URI=\"audio.head.mp4\"\n\
             #EXT-X-KEY:METHOD=AES-128,URI=\"stream.key\"\n#EXTINF:4.0,\naudio.0.enc\n#EXTINF:2.0,\naudio.1.enc\n#EXT-X-ENDLIST\n"
        );
        assert_eq!((head(PLAIN), segment(PLAIN, 1), segment(PLAIN, 2)), (Some(0..765), Some(1765..2265), None));
        assert_eq!(vector(258)[14..], [1, 2]);
    }

    #[test]
    fn a_name_says_what_is_wanted_and_nothing_else_does() {
        assert_eq!(Wanted::parse("video-720.12.enc"), Some(Wanted::Segment { stem: "video-720", number: 12 }));
        assert_eq!(Wanted::parse("audio.head.mp4"), Some(Wanted::Head { stem: "audio" }));
        assert_eq!(Wanted::parse("audio.m3u8").map(|wanted| wanted.stem()), Some("audio"));
        for name in ["audio.m4s", "a.b.head.mp4", ".m3u8", "audio.x.enc", "audio..enc", "../a.m3u8"] {
            assert_eq!(Wanted::parse(name), None, "{name}");
        }
    }
}
