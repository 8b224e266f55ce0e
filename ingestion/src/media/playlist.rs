//! Media playlists as ffmpeg wrote them (RFC 8216): how long and how large their segments are.

/// A media playlist read back.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Playlist {
    /// Seconds and bytes of each segment.
    pub segments: Vec<(f64, u64)>,
    /// It is complete.
    pub ended: bool,
}

impl Playlist {
    /// Reads a playlist with byte ranges.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut playlist = Self::default();
        let mut seconds = None;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("#EXTINF:") {
                seconds = rest.split(',').next().and_then(|value| value.parse::<f64>().ok());
            } else if let Some(rest) = line.strip_prefix("#EXT-X-BYTERANGE:") {
                let bytes = rest.split('@').next().and_then(|value| value.parse::<u64>().ok());
                if let (Some(seconds), Some(bytes)) = (seconds.take(), bytes) {
                    playlist.segments.push((seconds, bytes));
                }
            } else if line == "#EXT-X-ENDLIST" {
                playlist.ended = true;
            }
        }
        playlist
    }

    /// Length of all segments.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.segments.iter().map(|(seconds, _)| seconds).sum()
    }

    /// Length of the longest segment.
    #[must_use]
    pub fn longest(&self) -> f64 {
        self.segments.iter().map(|(seconds, _)| *seconds).fold(0.0, f64::max)
    }

    /// Bits a second of the busiest segment and over all. A last crumb of a segment does not count as busy.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates of recordings are far below 2^53"
    )]
    pub fn bits(&self) -> (u64, u64) {
        let rate = |bytes: u64, seconds: f64| (bytes as f64 * 8.0 / seconds.max(0.001)).ceil() as u64;
        let mean = rate(self.segments.iter().map(|(_, bytes)| bytes).sum(), self.seconds());
        let whole = self.segments.iter().filter(|(seconds, _)| *seconds >= self.longest() / 2.0);
        let peak = whole.map(|(seconds, bytes)| rate(*bytes, *seconds)).max();
        (peak.unwrap_or(mean).max(mean), mean)
    }
}

/// The codec of an H.264 stream as RFC 6381 writes it, from the `avcC` box of its first bytes (ISO/IEC 14496-15).
#[must_use]
pub fn h264_codec(head: &[u8]) -> Option<String> {
    let at = head.windows(4).position(|part| part == b"avcC")?;
    match head.get(at + 5..at + 8)? {
        [profile, compatible, level] => Some(format!("avc1.{profile:02x}{compatible:02x}{level:02x}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_have_times_and_bytes() {
        let text = "#EXTM3U\n#EXT-X-MAP:URI=\"a.m4s\",BYTERANGE=\"765@0\"\n#EXTINF:4.000000,\n#EXT-X-BYTERANGE:1000@765\n\
            a.m4s\n#EXTINF:2.0,\n#EXT-X-BYTERANGE:1000@1765\na.m4s\n#EXTINF:0.02,\n#EXT-X-BYTERANGE:300@2765\na.m4s\n#EXT-X-ENDLIST\n";
        let playlist = Playlist::read(text);
        assert_eq!(playlist.segments, [(4.0, 1000), (2.0, 1000), (0.02, 300)]);
        assert!(playlist.ended && (playlist.longest() - 4.0).abs() < 1e-9);
        assert_eq!(playlist.bits(), (4000, 3057));
        assert_eq!(Playlist::read("#EXTM3U\n"), Playlist::default());
    }

    #[test]
    fn the_codec_is_read_from_the_head() {
        assert_eq!(h264_codec(b"\0\0\0\x2aavcC\x01\x4d\x40\x1f\xff").as_deref(), Some("avc1.4d401f"));
        assert_eq!(h264_codec(b"avcC\x01"), None);
    }
}
