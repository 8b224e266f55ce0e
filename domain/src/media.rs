//! Renditions of a recording: what a player gets instead of the file that was taken in.
//!
//! Playlists are written here from what is known of the renditions (RFC 8216, fMP4 with byte
//! ranges); nothing here runs ffmpeg or reads a file.

pub mod protect;

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// Name of the playlist that lists the renditions.
pub const MASTER: &str = "master.m3u8";
/// Name of the playlist of the captions.
pub const CAPTIONS_PLAYLIST: &str = "captions.m3u8";
/// Name of the captions as `WebVTT`.
pub const CAPTIONS: &str = "captions.vtt";

/// How the renditions came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The streams were taken as they were.
    Remuxed,
    /// The streams were encoded anew.
    Encoded,
}

/// A picture rendition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VideoRendition {
    /// Name of its playlist.
    pub playlist: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Frames a second.
    pub fps: f64,
    /// Bits a second of its busiest segment.
    pub peak_bits: u64,
    /// Bits a second over all.
    pub mean_bits: u64,
    /// RFC 6381, such as `avc1.4d401f`.
    pub codec: String,
}

/// The sound, which all picture renditions share and which plays by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AudioRendition {
    /// Name of its playlist.
    pub playlist: String,
    /// Bits a second of its busiest segment.
    pub peak_bits: u64,
    /// Bits a second over all.
    pub mean_bits: u64,
    /// RFC 6381, such as `mp4a.40.2`.
    pub codec: String,
}

/// What was made of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Length.
    pub seconds: f64,
    /// How.
    pub way: Way,
    /// Pictures, smallest first; none for a sound recording.
    pub videos: Vec<VideoRendition>,
    /// Sound, where there is any.
    pub audio: Option<AudioRendition>,
    /// Name of the still picture.
    #[serde(default)]
    pub poster: Option<String>,
    /// Name of the `WebVTT` file that says which thumbnail shows which second.
    #[serde(default)]
    pub thumbnails: Option<String>,
}

/// The captions that a player may offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptionsOffer<'a> {
    /// BCP 47 tag, where it is known.
    pub language: Option<&'a str>,
    /// They were written by a machine that errs often.
    pub rough: bool,
}

impl Manifest {
    /// The multivariant playlist.
    #[must_use]
    pub fn master(&self, captions: Option<CaptionsOffer<'_>>) -> String {
        let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n");
        let audio = self.audio.as_ref();
        // Writing to a string does not fail.
        if let Some(audio) = audio {
            let _ = writeln!(
                text,
                "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"Sound\",DEFAULT=YES,AUTOSELECT=YES,URI=\"{}\"",
                audio.playlist
            );
        }
        if let Some(captions) = captions {
            let name = if captions.rough { "Captions (automatic, rough)" } else { "Captions" };
            // A tag from outside stands in quotes here: what is no tag is left out.
            let language = captions
                .language
                .filter(|tag| !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
                .map(|tag| format!(",LANGUAGE=\"{tag}\""))
                .unwrap_or_default();
            let _ = writeln!(
                text,
                "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"captions\",NAME=\"{name}\"{language},DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI=\"{CAPTIONS_PLAYLIST}\""
            );
        }
        let groups = format!(
            "{}{}",
            if audio.is_some() { ",AUDIO=\"sound\"" } else { "" },
            if captions.is_some() { ",SUBTITLES=\"captions\"" } else { "" }
        );
        let (sound_peak, sound_mean) = audio.map_or((0, 0), |audio| (audio.peak_bits, audio.mean_bits));
        for video in &self.videos {
            let codecs = audio.map_or_else(|| video.codec.clone(), |audio| format!("{},{}", video.codec, audio.codec));
            let _ = writeln!(
                text,
                "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{codecs}\",RESOLUTION={}x{},FRAME-RATE={:.3}{groups}\n{}",
                video.peak_bits + sound_peak,
                video.mean_bits + sound_mean,
                video.width,
                video.height,
                video.fps,
                video.playlist
            );
        }
        if let Some(audio) = audio {
            let _ = writeln!(
                text,
                "#EXT-X-STREAM-INF:BANDWIDTH={sound_peak},AVERAGE-BANDWIDTH={sound_mean},CODECS=\"{}\"{groups}\n{}",
                audio.codec, audio.playlist
            );
        }
        text
    }

    /// The playlist of the captions: one segment as long as the recording.
    #[must_use]
    pub fn captions_playlist(&self) -> String {
        format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXTINF:{:.3},\n{CAPTIONS}\n#EXT-X-ENDLIST\n",
            self.seconds.ceil().max(1.0),
            self.seconds.max(0.001)
        )
    }
}

/// How a transcript came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TranscriptNote {
    /// The model that wrote it down.
    pub model: String,
    /// BCP 47 tag, where the model tells it.
    pub language: Option<String>,
    /// 0 to 1, mean over the words, where the model tells it.
    pub confidence: Option<f64>,
    /// Good enough to search in, not to be read.
    pub rough: bool,
    /// Length of the recording.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let video = |height: u32, peak_bits| VideoRendition {
            playlist: format!("video-{height}.m3u8"),
            width: height * 16 / 9,
            height,
            fps: 30.0,
            peak_bits,
            mean_bits: peak_bits / 2,
            codec: "avc1.4d401f".into(),
        };
        Manifest {
            seconds: 20.5,
            way: Way::Encoded,
            videos: vec![video(360, 800_000), video(720, 2_800_000)],
            audio: Some(AudioRendition {
                playlist: "audio.m3u8".into(),
                peak_bits: 130_000,
                mean_bits: 128_000,
                codec: "mp4a.40.2".into(),
            }),
            poster: None,
            thumbnails: None,
        }
    }

    #[test]
    fn the_master_lists_pictures_sound_and_captions() {
        let text = manifest().master(Some(CaptionsOffer { language: Some("en"), rough: false }));
        let expected = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n\
            #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"Sound\",DEFAULT=YES,AUTOSELECT=YES,URI=\"audio.m3u8\"\n\
            #EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"captions\",NAME=\"Captions\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI=\"captions.m3u8\"\n\
            #EXT-X-STREAM-INF:BANDWIDTH=930000,AVERAGE-BANDWIDTH=528000,CODECS=\"avc1.4d401f,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=30.000,AUDIO=\"sound\",SUBTITLES=\"captions\"\n\
            video-360.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=2930000,AVERAGE-BANDWIDTH=1528000,CODECS=\"avc1.4d401f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=30.000,AUDIO=\"sound\",SUBTITLES=\"captions\"\n\
            video-720.m3u8\n\
            #EXT-X-STREAM-INF:BANDWIDTH=130000,AVERAGE-BANDWIDTH=128000,CODECS=\"mp4a.40.2\",AUDIO=\"sound\",SUBTITLES=\"captions\"\n\
            audio.m3u8\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_silent_picture_has_no_sound_group_and_a_false_language_is_left_out() {
        let silent = Manifest { audio: None, ..manifest() };
        let text = silent.master(Some(CaptionsOffer { language: Some("en\"\n#EVIL"), rough: true }));
        assert!(!text.contains("AUDIO") && !text.contains("EVIL") && !text.contains("LANGUAGE"), "{text}");
        assert!(text.contains("NAME=\"Captions (automatic, rough)\""), "{text}");
    }

    #[test]
    fn the_captions_are_one_segment_as_long_as_the_recording() {
        let text = manifest().captions_playlist();
        assert!(
            text.contains("#EXT-X-TARGETDURATION:21\n") && text.contains("#EXTINF:20.500,\ncaptions.vtt\n"),
            "{text}"
        );
    }
}
