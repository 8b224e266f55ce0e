//! Makes the renditions of a recording in a folder, and says what it made.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::ingestion::{Failure, failure};
use domain::media::{AudioRendition, Manifest, VideoRendition, Way};

use super::plan::{AUDIO, POSTER, Plan, Remux, Rung, THUMBNAILS, plan, thumbnail_list};
use super::playlist::{Playlist, h264_codec};
use super::probe::{Probe, reason};
use super::{Tools, argument, whole};
use crate::sandbox::{Allowance, Sandbox};

/// Address space: five encoders with their look-ahead, and the frames of a large source.
const MEMORY: u64 = 6 << 30;
/// Processor seconds for a second of recording; the ladder of a 1080p source takes about eight on a slow core.
const CPU_PER_SECOND: u64 = 60;
/// Wall seconds for a second of recording, on a machine that does other things.
const TIME_PER_SECOND: u64 = 40;
/// What a short recording may take.
const LEAST_SECONDS: u64 = 120;
/// A player that has to load more than this to seek is a bad one: such a recording is encoded.
const LONGEST_SEGMENT: f64 = 12.0;
/// Bytes at the begin of a stream in which its codec is described.
const HEAD: usize = 4096;

/// A file that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its name, as playlists call it.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// MIME type.
    pub media_type: &'static str,
}

/// The renditions of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Transcoded {
    /// What there is.
    pub manifest: Manifest,
    /// Its files.
    pub files: Vec<Made>,
}

/// Makes the renditions of `recording` in `folder`, which is empty and private; `on_progress` hears the
/// seconds that are done.
///
/// # Errors
/// `TRANSCODE_FAILED` when ffmpeg cannot, `PARSER_KILLED` when it does not come to an end.
pub async fn transcode(
    sandbox: &Sandbox,
    tools: &Tools,
    recording: &Path,
    probe: &Probe,
    folder: &Path,
    on_progress: &mut (dyn FnMut(f64) + Send),
) -> Result<Transcoded, Failure> {
    let (path, text) = argument(recording, "the recording")?;
    let folder = folder.canonicalize().map_err(|error| internal(&error))?;
    let mut made = plan(probe, &text, Remux::Allowed);
    run(sandbox, tools, &path, probe, &made, &folder, on_progress).await?;
    if made.way == Way::Remuxed && longest(&made, &folder)? > LONGEST_SEGMENT {
        made = plan(probe, &text, Remux::Refused);
        clear(&folder).map_err(|error| internal(&error))?;
        run(sandbox, tools, &path, probe, &made, &folder, on_progress).await?;
    }
    let probe = probe.clone();
    crate::source::blocking(move || read(&made, &probe, &folder)).await
}

async fn run(
    sandbox: &Sandbox,
    tools: &Tools,
    recording: &Path,
    probe: &Probe,
    plan: &Plan,
    folder: &Path,
    on_progress: &mut (dyn FnMut(f64) + Send),
) -> Result<(), Failure> {
    let seconds = whole(probe.seconds);
    let allowance = Allowance {
        memory: MEMORY,
        cpu_seconds: LEAST_SECONDS + seconds * CPU_PER_SECOND,
        // Twice what the busiest rung may take, or the recording itself where it is copied.
        file: (probe.size + (64 << 20)).max(seconds * 2_000_000 + (64 << 20)),
        reads: vec![recording.to_owned()],
        folder: Some(folder.to_owned()),
    };
    let time = Duration::from_secs(LEAST_SECONDS + seconds * TIME_PER_SECOND);
    for (number, arguments) in plan.runs.iter().enumerate() {
        // Pictures of key frames take no time worth telling.
        let mut on_line = |line: &str| {
            if number == 0
                && let Some(done) = line.strip_prefix("out_time_us=").and_then(|value| value.parse::<f64>().ok())
            {
                on_progress((done / 1e6).clamp(0.0, probe.seconds));
            }
        };
        let ended = sandbox.run(&tools.ffmpeg, arguments, &allowance, time, &mut on_line).await?;
        if !ended.success {
            let why = reason(&ended.messages).unwrap_or(ended.how);
            let message = format!(
                "the recording could not be made ready for players ({why}); export it again as MP4 (H.264, AAC)"
            );
            return Err(Failure::new(failure::TRANSCODE_FAILED, message));
        }
    }
    Ok(())
}

fn longest(plan: &Plan, folder: &Path) -> Result<f64, Failure> {
    let lengths: Result<Vec<f64>, Failure> =
        plan.rungs.iter().map(|rung| Ok(playlist(folder, &rung.name)?.longest())).collect();
    Ok(lengths?.into_iter().fold(0.0, f64::max))
}

fn clear(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        std::fs::remove_file(entry?.path())?;
    }
    Ok(())
}

fn playlist(folder: &Path, name: &str) -> Result<Playlist, Failure> {
    let text = std::fs::read_to_string(folder.join(format!("{name}.m3u8"))).map_err(|error| internal(&error))?;
    let playlist = Playlist::read(&text);
    if playlist.ended && !playlist.segments.is_empty() {
        return Ok(playlist);
    }
    let message = "the recording has a stream without content; export it again as MP4 (H.264, AAC)";
    Err(Failure::new(failure::TRANSCODE_FAILED, message))
}

/// What lies in the folder, as a manifest and a list.
fn read(plan: &Plan, probe: &Probe, folder: &Path) -> Result<Transcoded, Failure> {
    let mut files = Vec::new();
    let mut add = |name: String, media_type: &'static str| {
        let path = folder.join(&name);
        let there = path.is_file();
        if there {
            files.push(Made { name, path, media_type });
        }
        there
    };
    let mut videos = Vec::new();
    for rung in &plan.rungs {
        videos.push(video(rung, folder)?);
        add(format!("{}.m3u8", rung.name), "application/vnd.apple.mpegurl");
        add(format!("{}.m4s", rung.name), "video/mp4");
    }
    let audio = if plan.audio {
        let (peak_bits, mean_bits) = playlist(folder, AUDIO)?.bits();
        add(format!("{AUDIO}.m3u8"), "application/vnd.apple.mpegurl");
        add(format!("{AUDIO}.m4s"), "audio/mp4");
        // What is copied and what is written here are both AAC-LC.
        Some(AudioRendition { playlist: format!("{AUDIO}.m3u8"), peak_bits, mean_bits, codec: "mp4a.40.2".into() })
    } else {
        None
    };
    let poster = add(POSTER.to_owned(), "image/jpeg").then(|| POSTER.to_owned());
    let mut sheets = 0;
    while add(format!("thumbnails-{:03}.jpg", sheets + 1), "image/jpeg") {
        sheets += 1;
    }
    let thumbnails = plan.thumbnails.filter(|_| sheets > 0).map(|thumbnails| {
        let list = thumbnail_list(thumbnails, probe.seconds);
        std::fs::write(folder.join(THUMBNAILS), list).map(|()| THUMBNAILS.to_owned())
    });
    let thumbnails = thumbnails.transpose().map_err(|error| internal(&error))?;
    if thumbnails.is_some() {
        add(THUMBNAILS.to_owned(), "text/vtt");
    }
    let manifest = Manifest { seconds: probe.seconds, way: plan.way, videos, audio, poster, thumbnails };
    Ok(Transcoded { manifest, files })
}

fn video(rung: &Rung, folder: &Path) -> Result<VideoRendition, Failure> {
    use std::io::Read as _;
    let (peak_bits, mean_bits) = playlist(folder, &rung.name)?.bits();
    let mut head = Vec::new();
    std::fs::File::open(folder.join(format!("{}.m4s", rung.name)))
        .and_then(|file| file.take(HEAD as u64).read_to_end(&mut head))
        .map_err(|error| internal(&error))?;
    Ok(VideoRendition {
        playlist: format!("{}.m3u8", rung.name),
        width: rung.width,
        height: rung.height,
        fps: rung.fps,
        peak_bits,
        mean_bits,
        // Main profile, level 4: what nearly every recording is, where its head says nothing.
        codec: h264_codec(&head).unwrap_or_else(|| "avc1.4d4028".into()),
    })
}

fn internal(error: &std::io::Error) -> Failure {
    Failure::new(failure::INTERNAL, format!("the renditions cannot be kept: {error}; check free space"))
}
