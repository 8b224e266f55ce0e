//! Recordings of any common format to samples, by ffmpeg as a child process.
//!
//! ffmpeg reads what it is given and nothing else: the format is told by the first bytes and
//! forced, no other file and no address can be opened, and a playlist is no format here.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use domain::wire::Failure;

use super::BackendError;
use super::child::{self, Limits};

/// Samples a second.
pub(super) const RATE: usize = 16_000;
/// Quieter than this for a quarter of a second is a silence; measured on spoken lectures.
const SILENCE: &str = "silencedetect=noise=-35dB:d=0.25";
/// Decoding takes about a hundredth of the recording's time; a busy machine is slower.
const TIME: Duration = Duration::from_secs(300);

/// Samples at 16 kHz, one channel.
pub(super) struct Audio {
    pub(super) samples: Vec<i16>,
    /// Begin and end of silences, in seconds.
    pub(super) silences: Vec<(f64, f64)>,
}

impl Audio {
    pub(super) fn seconds(&self) -> f64 {
        self.samples.len() as f64 / RATE as f64
    }
}

/// The format of a recording by its first bytes, by ffmpeg's name.
fn format(bytes: &[u8]) -> Option<&'static str> {
    let at = |place: usize, mark: &[u8]| bytes.get(place..place + mark.len()) == Some(mark);
    Some(match bytes {
        _ if at(0, b"RIFF") && at(8, b"WAVE") => "wav",
        _ if at(0, b"fLaC") => "flac",
        _ if at(0, b"OggS") => "ogg",
        _ if at(0, &[0x1A, 0x45, 0xDF, 0xA3]) => "matroska",
        _ if at(4, b"ftyp") => "mov",
        _ if at(0, b"ID3") => "mp3",
        [0xFF, second, ..] if second & 0xF6 == 0xF0 => "aac",
        [0xFF, second, ..] if second & 0xE0 == 0xE0 => "mp3",
        _ => return None,
    })
}

fn invalid(message: impl Into<String>) -> BackendError {
    BackendError::Failed(Failure::Invalid { message: message.into() })
}

/// Decodes a recording of at most `max_seconds`; a longer one is refused, never cut.
pub(super) async fn decode(ffmpeg: &Path, recording: Bytes, max_seconds: u32) -> Result<Audio, BackendError> {
    let Some(format) = format(&recording) else {
        return Err(invalid("the recording is none of WAV, FLAC, Ogg, MP3, AAC, MP4 and WebM"));
    };
    // The index of an MP4 may stand at its end, so it needs a file; the others come as a stream.
    let file = if format == "mov" { Some(written(recording.clone()).await?) } else { None };
    let (whitelist, input, stdin) = match &file {
        Some(file) => ("file", PathBuf::from(file.path()), Bytes::new()),
        None => ("pipe", PathBuf::from("pipe:0"), recording),
    };
    let mut arguments: Vec<std::ffi::OsString> =
        ["-hide_banner", "-nostdin", "-nostats", "-loglevel", "info"].map(Into::into).to_vec();
    arguments.extend(["-max_alloc", "268435456", "-threads", "1", "-protocol_whitelist", whitelist].map(Into::into));
    arguments.extend(["-f".into(), format.into(), "-i".into(), input.into_os_string()]);
    arguments
        .extend(["-map", "0:a:0", "-vn", "-sn", "-dn", "-ac", "1", "-ar", "16000", "-af", SILENCE].map(Into::into));
    arguments.extend(["-f", "s16le", "pipe:1"].map(Into::into));
    let limits = Limits { time: TIME, stdout: max_seconds as usize * RATE * 2 };
    let output = child::run(ffmpeg, arguments, stdin, &limits).await.map_err(|error| match error {
        BackendError::Failed(Failure::Invalid { .. }) => {
            invalid(format!("the recording is longer than {} minutes", max_seconds / 60))
        }
        other => other,
    })?;
    let (pairs, _) = output.stdout.as_chunks::<2>();
    if pairs.is_empty() {
        return Err(invalid("the recording has no sound that can be read"));
    }
    let samples = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
    Ok(Audio { samples, silences: silences(&String::from_utf8_lossy(&output.stderr)) })
}

/// Writes the recording where nobody else reads.
async fn written(recording: Bytes) -> Result<tempfile::NamedTempFile, BackendError> {
    let write = move || {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(&recording)?;
        Ok::<_, std::io::Error>(file)
    };
    tokio::task::spawn_blocking(write)
        .await
        .map_err(BackendError::backend)?
        .map_err(|error| BackendError::backend(format!("cannot write the recording: {error}")))
}

fn silences(messages: &str) -> Vec<(f64, f64)> {
    let number = |line: &str, name: &str| -> Option<f64> {
        let rest = line.split_once(name)?.1.trim_start();
        rest.split_whitespace().next()?.parse().ok().filter(|number: &f64| number.is_finite())
    };
    let mut begun = None;
    let mut silences = Vec::new();
    for line in messages.lines().filter(|line| line.contains("silencedetect")) {
        if let Some(start) = number(line, "silence_start:") {
            begun = Some(start.max(0.0));
        } else if let (Some(start), Some(end)) = (begun, number(line, "silence_end:")) {
            silences.push((start, end));
            begun = None;
        }
    }
    silences
}

#[cfg(test)]
mod tests {
    use super::{format, silences};

    #[test]
    fn formats_are_told_by_their_first_bytes() {
        assert_eq!(format(b"RIFF\0\0\0\0WAVEfmt "), Some("wav"));
        assert_eq!(format(b"\0\0\0\x20ftypM4A "), Some("mov"));
        assert_eq!(format(&[0xFF, 0xFB, 0x90]), Some("mp3"));
        assert_eq!(format(&[0xFF, 0xF1, 0x50]), Some("aac"));
        for hostile in ["#EXTM3U\nfile:///etc/passwd", "ffconcat version 1.0\nfile x", "", "RIFF\0\0\0\0AVI "] {
            assert_eq!(format(hostile.as_bytes()), None);
        }
    }

    #[test]
    fn silences_are_read_from_the_messages() {
        let said = "[silencedetect @ 0x1] silence_start: -0.01\n[silencedetect @ 0x1] silence_end: 0.5 | silence_duration: 0.5\n[silencedetect @ 0x1] silence_start: 3\n";
        assert_eq!(silences(said), [(0.0, 0.5)]);
    }
}
