//! Recordings: what they are, and what is made of them for players.
//!
//! ffprobe and ffmpeg read hostile bytes, so they run confined ([`crate::sandbox`]), with the format
//! that the first bytes tell, whitelisted decoders and no text of anybody in their arguments.
//! Where they are missing, a recording is served as it is.

pub mod plan;
pub mod playlist;
pub mod probe;
pub mod transcode;

use std::path::{Path, PathBuf};

use domain::ingestion::{Failure, failure};

pub use probe::{Probe, probe};
pub use transcode::{Transcoded, transcode};

/// The programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    /// ffmpeg.
    pub ffmpeg: PathBuf,
    /// ffprobe.
    pub ffprobe: PathBuf,
}

impl Tools {
    /// The programs of the search path; `None` when one is missing.
    #[must_use]
    pub fn find() -> Option<Self> {
        let path = std::env::var_os("PATH")?;
        let find =
            |name: &str| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
        Some(Self { ffmpeg: find("ffmpeg")?, ffprobe: find("ffprobe")? })
    }
}

/// A container that is read; told by its first bytes, never by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// ISO base media: MP4, M4A, MOV.
    Mp4,
    /// Matroska: `WebM`, MKV.
    Matroska,
    /// Ogg.
    Ogg,
    /// MP3.
    Mp3,
    /// WAV.
    Wav,
    /// FLAC.
    Flac,
}

impl Container {
    /// The container of a file that begins with `head`.
    ///
    /// # Errors
    /// `UNSUPPORTED_FORMAT`, with what it is instead where that is known.
    pub fn of(head: &[u8], name: &str) -> Result<Self, Failure> {
        let unsupported = |why: &str| {
            let message = format!("\"{name}\" {why}; MP4, WebM, Ogg, MP3, WAV and FLAC recordings are read");
            Err(Failure::new(failure::UNSUPPORTED_FORMAT, message))
        };
        match head {
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Ok(Self::Mp4),
            [0x1a, 0x45, 0xdf, 0xa3, ..] => Ok(Self::Matroska),
            [b'O', b'g', b'g', b'S', ..] => Ok(Self::Ogg),
            [b'I', b'D', b'3', ..] => Ok(Self::Mp3),
            // A frame of MPEG audio: eleven bits of synchronisation, layer III.
            [0xff, second, ..] if second & 0xe6 == 0xe2 => Ok(Self::Mp3),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Ok(Self::Wav),
            [b'f', b'L', b'a', b'C', ..] => Ok(Self::Flac),
            // Both make ffmpeg open other files.
            [b'#', b'E', b'X', b'T', ..] => unsupported("is a playlist, not a recording"),
            [b'f', b'f', b'c', b'o', ..] => unsupported("is a list of other files, not a recording"),
            _ => unsupported("is not a recording"),
        }
    }

    /// The container of a file.
    ///
    /// # Errors
    /// As [`Self::of`], or the file cannot be read.
    pub fn of_file(path: &Path, name: &str) -> Result<Self, Failure> {
        use std::io::Read as _;
        let mut head = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(16).read_to_end(&mut head))
            .map_err(|error| crate::source::cannot_open(name, &error))?;
        Self::of(&head, name)
    }

    /// ffmpeg's name of it.
    #[must_use]
    pub fn demuxer(self) -> &'static str {
        match self {
            Self::Mp4 => "mov",
            Self::Matroska => "matroska",
            Self::Ogg => "ogg",
            Self::Mp3 => "mp3",
            Self::Wav => "wav",
            Self::Flac => "flac",
        }
    }

    /// MIME type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Mp4 => "video/mp4",
            Self::Matroska => "video/webm",
            Self::Ogg => "video/ogg",
            Self::Mp3 => "audio/mpeg",
            Self::Wav => "audio/wav",
            Self::Flac => "audio/flac",
        }
    }
}

/// Decoders that hostile bytes may reach: what browsers, cameras and recorders write.
const DECODERS: &str = "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,av1,libdav1d,libaom-av1,mpeg4,mpeg2video,theora,mjpeg,prores,\
    aac,mp3,mp3float,opus,libopus,vorbis,flac,alac,ac3,eac3,pcm_s16le,pcm_s16be,pcm_s24le,pcm_s32le,pcm_f32le,pcm_u8";

/// What stands before `-i`: one file, of one format, by these decoders.
pub(crate) fn input(container: Container, path: &str) -> Vec<String> {
    let demuxer = container.demuxer();
    [
        "-protocol_whitelist",
        "file",
        "-format_whitelist",
        demuxer,
        "-codec_whitelist",
        DECODERS,
        "-f",
        demuxer,
        "-i",
        path,
    ]
    .map(str::to_owned)
    .to_vec()
}

/// An absolute path as an argument; ffmpeg takes `file:` as the protocol, so no name is read as another.
pub(crate) fn argument(path: &Path, name: &str) -> Result<(PathBuf, String), Failure> {
    let path = path.canonicalize().map_err(|error| crate::source::cannot_open(name, &error))?;
    let text = path.to_str().ok_or_else(|| {
        Failure::new(failure::UNREADABLE, format!("the path of \"{name}\" is not UTF-8; rename its folder"))
    })?;
    let text = format!("file:{text}");
    Ok((path, text))
}

/// A length without its unit's fraction, for limits.
pub(crate) fn whole(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a length below a day")]
    let whole = seconds.clamp(0.0, 86_400.0).ceil() as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_say_what_it_is_and_lists_of_files_are_refused_by_name() {
        let of = |head: &[u8]| Container::of(head, "a.mp4");
        assert_eq!(of(b"\0\0\0\x18ftypmp42"), Ok(Container::Mp4));
        assert_eq!(of(b"RIFF\0\0\0\0WAVEfmt "), Ok(Container::Wav));
        assert_eq!(of(&[0xff, 0xfb, 0x90, 0]), Ok(Container::Mp3));
        for (head, why) in [
            (b"#EXTM3U\n#EXT-X-TARG".as_slice(), "a playlist"),
            (b"ffconcat version 1.0", "a list of other files"),
            (b"RIFF\0\0\0\0AVI LIST", "not a recording"),
            (b"", "not a recording"),
        ] {
            let failure = of(head).unwrap_err();
            assert_eq!(failure.code, failure::UNSUPPORTED_FORMAT);
            assert!(failure.message.contains(why), "{failure}");
        }
    }
}
