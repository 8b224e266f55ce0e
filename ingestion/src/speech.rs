//! Speech to captions: sound out of a recording, pieces cut at silences, words to cues that people can read.
//!
//! The models behind the gateway write the pieces down ([`crate::pipeline`] asks them); here is what stands
//! before and after: no model, no network.

mod voice;

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::ingestion::{Failure, failure};

use crate::media::{Probe, Tools};
use crate::sandbox::{Allowance, Sandbox};

pub use domain::caption::{compose as cues, vtt};
pub use voice::{Piece, Sound, pieces};

/// Samples a second of the sound that models hear.
pub const RATE: usize = 16_000;
/// Seconds of processor and of wall time for decoding, besides a share of the length.
const LEAST_SECONDS: u64 = 60;

/// Writes the sound of a recording into `folder` as 16 kHz, one channel, 16 bits without a header.
///
/// # Errors
/// `NO_CAPTIONS` for a recording without sound, `TRANSCRIPTION_FAILED` when ffmpeg cannot decode it.
pub async fn decode(
    sandbox: &Sandbox,
    tools: &Tools,
    recording: &Path,
    probe: &Probe,
    folder: &Path,
    name: &str,
) -> Result<PathBuf, Failure> {
    let Some(audio) = &probe.audio else {
        let message = format!("\"{name}\" has neither captions nor sound to write down; name a caption file");
        return Err(Failure::new(failure::NO_CAPTIONS, message));
    };
    let (path, text) = crate::media::argument(recording, name)?;
    let mut arguments: Vec<String> = ["-hide_banner", "-nostdin", "-v", "error", "-y"].map(str::to_owned).to_vec();
    arguments.extend(crate::media::input(probe.container, &text));
    let map = format!("0:{}", audio.index);
    arguments.extend(
        ["-map", &map, "-ac", "1", "-ar", "16000", "-c:a", "pcm_s16le", "-f", "s16le", "sound.raw"].map(str::to_owned),
    );
    let folder = folder.canonicalize().map_err(|error| crate::source::cannot_open(name, &error))?;
    let seconds = crate::media::whole(probe.seconds);
    let allowance = Allowance {
        memory: 2 << 30,
        cpu_seconds: LEAST_SECONDS + seconds,
        file: (seconds + 60) * 2 * 16_000,
        reads: vec![path],
        folder: Some(folder.clone()),
    };
    let time = Duration::from_secs(LEAST_SECONDS + seconds);
    let ended = sandbox.run(&tools.ffmpeg, &arguments, &allowance, time, &mut |_| {}).await?;
    if !ended.success {
        let why = crate::media::probe::reason(&ended.messages).unwrap_or(ended.how);
        let message =
            format!("the sound of \"{name}\" cannot be decoded ({why}); export it again, for instance as MP4");
        return Err(Failure::new(failure::TRANSCRIPTION_FAILED, message));
    }
    Ok(folder.join("sound.raw"))
}

/// The failure of a recording that has no captions while no model could write any.
#[must_use]
pub fn no_transcriber(name: &str) -> Failure {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let message = format!(
        "\"{name}\" has no captions; put \"{stem}.vtt\" or \"{stem}.srt\" beside it, name a file with --captions, or \
         attach a transcriber: Whisper weights, a server with /v1/audio/transcriptions, or an empty [pocketsphinx] \
         section for rough ones"
    );
    Failure::new(failure::NO_CAPTIONS, message)
}

/// The two-letter code of a language that a file names with three (ISO 639); others are left to the model.
#[must_use]
pub fn two_letters(language: &str) -> Option<&'static str> {
    const CODES: [(&str, &[&str]); 16] = [
        ("en", &["eng"]),
        ("de", &["deu", "ger"]),
        ("fr", &["fra", "fre"]),
        ("es", &["spa"]),
        ("it", &["ita"]),
        ("pt", &["por"]),
        ("nl", &["nld", "dut"]),
        ("pl", &["pol"]),
        ("ru", &["rus"]),
        ("uk", &["ukr"]),
        ("tr", &["tur"]),
        ("ar", &["ara"]),
        ("hi", &["hin"]),
        ("zh", &["zho", "chi"]),
        ("ja", &["jpn"]),
        ("ko", &["kor"]),
    ];
    CODES.iter().find(|(two, three)| *two == language || three.contains(&language)).map(|(two, _)| *two)
}
