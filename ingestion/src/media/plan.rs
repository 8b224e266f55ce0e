//! What is made of a recording: from a probe to the arguments of ffmpeg, without running anything.
//!
//! A recording that browsers play as it is (H.264, AAC, a usual size) is remuxed. Every other one goes
//! through one process that decodes once and writes all rungs, the sound, the poster and the thumbnails.

use std::fmt::Write as _;

use domain::media::Way;

use super::probe::{Probe, Video};
use super::{input, whole};

/// Heights of the ladder, or widths of an upright picture.
const RUNGS: [u32; 5] = [240, 360, 480, 720, 1080];
/// A rung this close below the largest is not worth its bytes.
const CLOSE: f64 = 0.85;
/// Every rendition has a key frame at each multiple of this, so that a player can change rungs there.
const GOP_SECONDS: u32 = 2;
/// Length of a segment: whole groups of pictures.
const SEGMENT_SECONDS: u32 = 4;
/// Above this a remuxed recording would not reach learners on slow lines: it gets a ladder.
const REMUX_BITS: f64 = 8_000_000.0;
/// Loudness by EBU R 128, at the level that podcasts and players agree on.
const LOUDNESS: &str = "loudnorm=I=-16:TP=-1.5:LRA=11,aresample=48000";
/// Width of a thumbnail.
const THUMBNAIL_WIDTH: u32 = 160;
/// Thumbnails of a sheet, across and down.
const SHEET: u32 = 10;
/// Most frames a second of a rendition.
const MOST_FPS: f64 = 60.0;

/// Name of the sound's playlist without its ending.
pub const AUDIO: &str = "audio";
/// Name of the still picture.
pub const POSTER: &str = "poster.jpg";
/// Name of the list of thumbnails.
pub const THUMBNAILS: &str = "thumbnails.vtt";

/// A picture rendition to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Rung {
    /// Name of its files without their endings.
    pub name: String,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Frames a second.
    pub fps: f64,
}

/// Small pictures of the recording on sheets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thumbnails {
    /// Seconds between two of them.
    pub every: u32,
    /// Pixels across of one.
    pub width: u32,
    /// Pixels down of one.
    pub height: u32,
    /// How many.
    pub count: u32,
}

/// What is made of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// How.
    pub way: Way,
    /// Arguments of each run of ffmpeg, in order.
    pub runs: Vec<Vec<String>>,
    /// Pictures, smallest first.
    pub rungs: Vec<Rung>,
    /// Whether there is sound.
    pub audio: bool,
    /// Thumbnails, where there is a picture.
    pub thumbnails: Option<Thumbnails>,
}

/// What to do with streams that browsers play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remux {
    /// Take them as they are.
    Allowed,
    /// Encode all the same, for instance because key frames are too rare.
    Refused,
}

/// Plans the renditions of a recording; `path` is ffmpeg's argument, the files go to its working folder.
#[must_use]
pub fn plan(probe: &Probe, path: &str, remux: Remux) -> Plan {
    let Some(video) = &probe.video else { return sound(probe, path) };
    if remux == Remux::Allowed && playable(probe, video) {
        copied(probe, video, path)
    } else {
        ladder(probe, video, path)
    }
}

/// Whether browsers play the picture as it is.
fn playable(probe: &Probe, video: &Video) -> bool {
    let (width, height) = video.shown();
    video.codec == "h264"
        && matches!(video.profile.as_str(), "Constrained Baseline" | "Baseline" | "Main" | "High")
        && matches!(video.pixels.as_str(), "yuv420p" | "yuvj420p")
        && video.rotation == 0
        && video.square
        && !video.interlaced
        && width.min(height) <= 1080
        && video.fps <= MOST_FPS + 1.0
        && probe.bits() <= REMUX_BITS
}

fn copied(probe: &Probe, video: &Video, path: &str) -> Plan {
    let rung = Rung { name: "video".into(), width: video.width, height: video.height, fps: video.fps };
    let mut run = start(probe, path);
    run.extend(words(&format!("-map 0:{} -c:v copy", video.index)));
    // Boxes of some cameras carry what no player needs.
    run.extend(words("-map_metadata -1"));
    run.extend(stream("video"));
    if let Some(audio) = &probe.audio {
        if audio.codec == "aac" && audio.profile == "LC" {
            run.extend(words(&format!("-map 0:{} -c:a copy -map_metadata -1", audio.index)));
            run.extend(stream(AUDIO));
        } else {
            run.extend(words(&format!("-map 0:{} -af {LOUDNESS}", audio.index)));
            run.extend(encoded_sound(audio.channels));
        }
    }
    let thumbnails = thumbnails(probe, &rung);
    // Key frames alone are decoded for the pictures: a hundredth of the work.
    let mut pictures = start(probe, path);
    let at = pictures.iter().position(|word| word == "-protocol_whitelist").unwrap_or(0);
    pictures.splice(at..at, words("-skip_frame nokey"));
    pictures.extend([
        "-filter_complex".to_owned(),
        format!("[0:{}]split=2[p0][t0];{};{}", video.index, poster("p0", probe, &rung), sheet("t0", thumbnails)),
    ]);
    pictures.extend(picture_files());
    Plan {
        way: Way::Remuxed,
        runs: vec![run, pictures],
        rungs: vec![rung],
        audio: probe.audio.is_some(),
        thumbnails: Some(thumbnails),
    }
}

fn ladder(probe: &Probe, video: &Video, path: &str) -> Plan {
    let rungs = rungs(video);
    // There is always one: the source's own size, or the largest.
    let top = rungs.last().cloned().unwrap_or_else(|| Rung::of(video.width, video.height, video.fps));
    let thumbnails = thumbnails(probe, &top);
    let mut filter = format!("[0:{}]", video.index);
    if video.interlaced {
        filter.push_str("yadif=deint=interlaced,");
    }
    if video.fps > MOST_FPS + 1.0 {
        let _ = write!(filter, "fps={MOST_FPS},");
    }
    // Each rung is scaled from the one above it, which costs less than from the source.
    let mut from = String::new();
    for (number, rung) in rungs.iter().enumerate().rev() {
        let (name, height) = (&rung.name, rung.height);
        let _ = write!(
            filter,
            "{from}scale={}:{height}:flags=bicubic,setsar=1,format=yuv420p,split={}[{name}]",
            rung.width,
            if number == rungs.len() - 1 { 3 } else { 2 },
        );
        if number == rungs.len() - 1 {
            filter.push_str("[p0]");
        }
        let _ = write!(filter, "[n{number}];");
        from = format!("[n{number}]");
    }
    let _ = write!(filter, "{};{}", sheet("n0", thumbnails), poster("p0", probe, &top));
    let mut run = start(probe, path);
    run.extend(["-filter_complex".to_owned(), filter]);
    for rung in &rungs {
        let bits = most_bits(rung);
        run.extend(words(&format!(
            "-map [{}] -map_metadata -1 -c:v libx264 -preset veryfast -profile:v high -crf 23 -maxrate {bits}k -bufsize {}k",
            rung.name,
            bits * 2
        )));
        run.extend(["-force_key_frames".to_owned(), format!("expr:gte(t,n_forced*{GOP_SECONDS})")]);
        // A key frame that a cut of the scene brings would not be where the other rungs have theirs.
        run.extend(words("-sc_threshold 0 -g 1000"));
        run.extend(stream(&rung.name));
    }
    if let Some(audio) = &probe.audio {
        run.extend(words(&format!("-map 0:{} -map_metadata -1 -af {LOUDNESS}", audio.index)));
        run.extend(encoded_sound(audio.channels));
    }
    run.extend(picture_files());
    Plan { way: Way::Encoded, runs: vec![run], rungs, audio: probe.audio.is_some(), thumbnails: Some(thumbnails) }
}

fn sound(probe: &Probe, path: &str) -> Plan {
    let mut run = start(probe, path);
    if let Some(audio) = &probe.audio {
        run.extend(words(&format!("-map 0:{} -map_metadata -1 -af {LOUDNESS}", audio.index)));
        run.extend(encoded_sound(audio.channels));
    }
    Plan { way: Way::Encoded, runs: vec![run], rungs: Vec::new(), audio: probe.audio.is_some(), thumbnails: None }
}

impl Rung {
    fn of(width: u32, height: u32, fps: f64) -> Self {
        Self { name: format!("video-{}", width.min(height)), width, height, fps: fps.min(MOST_FPS) }
    }
}

/// The rungs of a picture: those below its size, and its own size or the largest.
fn rungs(video: &Video) -> Vec<Rung> {
    let (width, height) = video.shown();
    let short = width.min(height).max(16);
    let largest = short.min(RUNGS.iter().copied().max().unwrap_or(short));
    let below = RUNGS.into_iter().filter(|rung| f64::from(*rung) < f64::from(largest) * CLOSE);
    below
        .chain([largest])
        .map(|side| {
            // Widths and heights of 4:2:0 pictures are even.
            let even = |pixels: f64| -> u32 {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels of a picture")]
                let half = (pixels / 2.0).round().max(1.0) as u32;
                half * 2
            };
            let scale = f64::from(side) / f64::from(short);
            Rung::of(even(f64::from(width) * scale), even(f64::from(height) * scale), video.fps)
        })
        .collect()
}

/// Kilobits a second that a rung may take at its busiest, for 30 frames a second; more for more frames.
fn most_bits(rung: &Rung) -> u32 {
    let base = match rung.width.min(rung.height) {
        0..=260 => 400,
        261..=400 => 800,
        401..=560 => 1_400,
        561..=800 => 2_800,
        _ => 5_000,
    };
    if rung.fps > 35.0 { base * 3 / 2 } else { base }
}

fn thumbnails(probe: &Probe, of: &Rung) -> Thumbnails {
    let seconds = whole(probe.seconds);
    let every = match seconds {
        0..60 => 2,
        60..1800 => 5,
        _ => 10,
    };
    let count = u32::try_from(seconds.div_ceil(every)).unwrap_or(u32::MAX).max(1);
    let height = (THUMBNAIL_WIDTH * of.height.max(1) / of.width.max(1)).clamp(32, 320) / 2 * 2;
    Thumbnails { every: u32::try_from(every).unwrap_or(10), width: THUMBNAIL_WIDTH, height, count }
}

/// One picture from early on, when a title has gone by.
fn poster(from: &str, probe: &Probe, of: &Rung) -> String {
    let at = (probe.seconds / 10.0).min(30.0);
    let (width, height) = if of.width.min(of.height) > 720 { ("-2", "720") } else { ("iw", "ih") };
    format!("[{from}]select='gte(t,{at:.2})',scale={width}:{height}[poster]")
}

fn sheet(from: &str, thumbnails: Thumbnails) -> String {
    let Thumbnails { every, width, height, .. } = thumbnails;
    format!("[{from}]fps=1/{every}:round=up,scale={width}:{height},tile={SHEET}x{SHEET}[sheet]")
}

fn picture_files() -> Vec<String> {
    words(&format!(
        "-map [poster] -map_metadata -1 -frames:v 1 -q:v 4 -f image2 -update 1 {POSTER} \
         -map [sheet] -map_metadata -1 -q:v 5 -f image2 thumbnails-%03d.jpg"
    ))
}

fn start(probe: &Probe, path: &str) -> Vec<String> {
    let mut words = words("-hide_banner -nostdin -v error -y -progress pipe:1 -stats_period 0.5");
    words.extend(input(probe.container, path));
    words
}

fn encoded_sound(channels: u32) -> Vec<String> {
    let mut list =
        words(&format!("-c:a aac -ar 48000 {}", if channels == 1 { "-ac 1 -b:a 96k" } else { "-ac 2 -b:a 128k" }));
    list.extend(stream(AUDIO));
    list
}

/// One fMP4 file with a playlist of its byte ranges: a lesson is some files, not thousands.
fn stream(name: &str) -> Vec<String> {
    words(&format!(
        "-f hls -hls_time {SEGMENT_SECONDS} -hls_playlist_type vod -hls_segment_type fmp4 -hls_flags single_file \
         -hls_segment_filename {name}.m4s {name}.m3u8"
    ))
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// The list of thumbnails (`WebVTT` with media fragments): which part of which sheet shows which second.
#[must_use]
pub fn thumbnail_list(thumbnails: Thumbnails, seconds: f64) -> String {
    let mut text = String::from("WEBVTT\n");
    let clock = |seconds: f64| {
        let whole = whole(seconds.floor());
        let milliseconds = whole_milliseconds(seconds);
        format!("{:02}:{:02}:{:02}.{milliseconds:03}", whole / 3600, whole / 60 % 60, whole % 60)
    };
    for number in 0..thumbnails.count {
        let (sheet, place) = (number / (SHEET * SHEET) + 1, number % (SHEET * SHEET));
        let start = f64::from(number * thumbnails.every);
        let end = (start + f64::from(thumbnails.every)).min(seconds.max(start + 0.001));
        let _ = write!(
            text,
            "\n{} --> {}\nthumbnails-{sheet:03}.jpg#xywh={},{},{},{}\n",
            clock(start),
            clock(end),
            place % SHEET * thumbnails.width,
            place / SHEET * thumbnails.height,
            thumbnails.width,
            thumbnails.height
        );
    }
    text
}

fn whole_milliseconds(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of a second")]
    let fraction = (seconds.fract() * 1000.0) as u64;
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Container;
    use crate::media::probe::Audio;

    fn recording(codec: &str, width: u32, height: u32) -> Probe {
        let video = Video {
            index: 0,
            codec: codec.into(),
            profile: "High".into(),
            width,
            height,
            fps: 30.0,
            rotation: 0,
            square: true,
            interlaced: false,
            pixels: "yuv420p".into(),
        };
        let audio = Audio { index: 1, codec: "aac".into(), profile: "LC".into(), channels: 2, language: None };
        Probe {
            container: Container::Mp4,
            seconds: 60.0,
            size: 6_000_000,
            video: Some(video),
            audio: Some(audio),
            chapters: Vec::new(),
        }
    }

    fn sizes(probe: &Probe) -> Vec<(u32, u32)> {
        plan(probe, "file:/a", Remux::Refused).rungs.iter().map(|rung| (rung.width, rung.height)).collect()
    }

    #[test]
    fn the_ladder_ends_at_the_source() {
        type Size = (u32, u32);
        let table: [(u32, u32, &[Size]); 7] = [
            (3840, 2160, &[(426, 240), (640, 360), (854, 480), (1280, 720), (1920, 1080)]),
            (1920, 1080, &[(426, 240), (640, 360), (854, 480), (1280, 720), (1920, 1080)]),
            (1280, 720, &[(426, 240), (640, 360), (854, 480), (1280, 720)]),
            (1024, 768, &[(320, 240), (480, 360), (640, 480), (1024, 768)]),
            (320, 180, &[(320, 180)]),
            (1080, 1920, &[(240, 426), (360, 640), (480, 854), (720, 1280), (1080, 1920)]),
            (641, 361, &[(426, 240), (642, 362)]),
        ];
        for (width, height, expected) in table {
            assert_eq!(sizes(&recording("vp9", width, height)), expected, "{width} x {height}");
        }
    }

    #[test]
    fn a_turned_picture_keeps_its_turn() {
        let mut probe = recording("vp9", 1280, 720);
        probe.video.as_mut().unwrap().rotation = -90;
        assert_eq!(sizes(&probe).last(), Some(&(720, 1280)));
    }

    #[test]
    fn what_browsers_play_is_not_encoded_and_everything_else_is() {
        let change = |change: fn(&mut Probe)| {
            let mut probe = recording("h264", 1280, 720);
            change(&mut probe);
            plan(&probe, "file:/a", Remux::Allowed).way
        };
        assert_eq!(change(|_| {}), Way::Remuxed);
        assert_eq!(change(|probe| probe.audio = None), Way::Remuxed);
        let encoded: [fn(&mut Probe); 7] = [
            |probe| probe.video.as_mut().unwrap().codec = "hevc".into(),
            |probe| probe.video.as_mut().unwrap().pixels = "yuv422p".into(),
            |probe| probe.video.as_mut().unwrap().rotation = 90,
            |probe| probe.video.as_mut().unwrap().interlaced = true,
            |probe| probe.video.as_mut().unwrap().profile = "High 10".into(),
            |probe| probe.size = 600_000_000,
            |probe| probe.video.as_mut().unwrap().height = 2160,
        ];
        for (number, one) in encoded.into_iter().enumerate() {
            let expected = if number == 6 { Way::Remuxed } else { Way::Encoded };
            // The last is an upright picture whose short side is 1280: too large for a phone.
            let expected = if number == 6 { Way::Encoded } else { expected };
            assert_eq!(change(one), expected, "{number}");
        }
        assert_eq!(plan(&recording("h264", 1280, 720), "file:/a", Remux::Refused).way, Way::Encoded);
    }

    #[test]
    fn remuxing_copies_and_decodes_key_frames_alone() {
        let plan = plan(&recording("h264", 1280, 720), "file:/a", Remux::Allowed);
        let [streams, pictures] = plan.runs.as_slice() else { panic!("two runs") };
        let (streams, pictures) = (streams.join(" "), pictures.join(" "));
        assert!(streams.contains("-map 0:0 -c:v copy") && streams.contains("-map 0:1 -c:a copy"), "{streams}");
        assert!(!streams.contains("libx264") && !streams.contains("loudnorm"), "{streams}");
        assert!(pictures.contains("-skip_frame nokey -protocol_whitelist file"), "{pictures}");
        let mut opus = recording("h264", 1280, 720);
        opus.audio.as_mut().unwrap().codec = "opus".into();
        let streams = super::plan(&opus, "file:/a", Remux::Allowed).runs[0].join(" ");
        assert!(
            streams.contains("-c:v copy") && streams.contains("loudnorm") && streams.contains("-c:a aac"),
            "{streams}"
        );
    }

    #[test]
    fn every_run_names_its_format_and_reads_files_alone() {
        for probe in [recording("h264", 1280, 720), recording("vp9", 1280, 720)] {
            for run in plan(&probe, "file:/a", Remux::Allowed).runs {
                let text = run.join(" ");
                assert!(
                    text.contains("-protocol_whitelist file -format_whitelist mov")
                        && text.contains("-f mov -i file:/a")
                );
                assert!(text.contains("-nostdin"));
            }
        }
    }

    #[test]
    fn one_process_writes_the_whole_ladder() {
        let plan = plan(&recording("vp9", 1280, 720), "file:/a", Remux::Allowed);
        assert_eq!(plan.runs.len(), 1);
        let run = plan.runs[0].join(" ");
        assert_eq!(run.matches("-c:v libx264").count(), 4);
        assert_eq!(run.matches("expr:gte(t,n_forced*2)").count(), 4);
        assert_eq!(run.matches("-c:a aac").count(), 1);
        for name in ["video-240.m3u8", "video-720.m4s", "audio.m3u8", POSTER, "thumbnails-%03d.jpg"] {
            assert!(run.contains(name), "{name}");
        }
    }

    #[test]
    fn a_sound_recording_has_no_picture() {
        let probe = Probe { video: None, ..recording("x", 2, 2) };
        let plan = plan(&probe, "file:/a", Remux::Allowed);
        assert_eq!((plan.rungs.len(), plan.thumbnails, plan.runs.len()), (0, None, 1));
    }

    #[test]
    fn thumbnails_are_found_by_their_second() {
        let thumbnails = Thumbnails { every: 5, width: 160, height: 90, count: 102 };
        let list = thumbnail_list(thumbnails, 508.25);
        assert!(list.starts_with("WEBVTT\n\n00:00:00.000 --> 00:00:05.000\nthumbnails-001.jpg#xywh=0,0,160,90\n"));
        assert!(list.contains("00:00:55.000 --> 00:01:00.000\nthumbnails-001.jpg#xywh=160,90,160,90\n"), "{list}");
        assert!(list.ends_with("00:08:25.000 --> 00:08:28.250\nthumbnails-002.jpg#xywh=160,0,160,90\n"), "{list}");
    }
}
