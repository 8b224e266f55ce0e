//! What a recording consists of, by ffprobe, within limits.

use std::path::Path;
use std::time::Duration;

use domain::ingestion::{Failure, failure};
use serde::Deserialize;

use super::{Container, Tools, argument, input};
use crate::sandbox::{Allowance, Sandbox};

/// Longest recording: a day of a conference.
const LONGEST_SECONDS: f64 = 12.0 * 3600.0;
/// Most streams of a file.
const MOST_STREAMS: usize = 32;
/// Most pixels of a picture: 8K.
const MOST_PIXELS: u64 = 7680 * 4320;
/// Most frames a second.
const MOST_FPS: f64 = 240.0;
/// Reading heads and indexes takes no longer, also on a slow disk.
const TIME: Duration = Duration::from_secs(30);
/// Address space of ffprobe: the index of a long recording is some tens of MiB.
const MEMORY: u64 = 2 << 30;

/// What a recording consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Its container.
    pub container: Container,
    /// Length.
    pub seconds: f64,
    /// Bytes of the file.
    pub size: u64,
    /// The picture that is shown.
    pub video: Option<Video>,
    /// The sound that is heard.
    pub audio: Option<Audio>,
    /// Starts in milliseconds and titles of the container's chapters.
    pub chapters: Vec<(i64, String)>,
}

/// A picture stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Video {
    /// Its number in the file.
    pub index: u32,
    /// Codec by ffmpeg's name.
    pub codec: String,
    /// Profile, where the codec has one.
    pub profile: String,
    /// Pixels across as they are stored.
    pub width: u32,
    /// Pixels down as they are stored.
    pub height: u32,
    /// Frames a second.
    pub fps: f64,
    /// Degrees by which a player turns it.
    pub rotation: i32,
    /// Pixels are square.
    pub square: bool,
    /// Lines come in two fields.
    pub interlaced: bool,
    /// Pixel format.
    pub pixels: String,
}

/// A sound stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audio {
    /// Its number in the file.
    pub index: u32,
    /// Codec by ffmpeg's name.
    pub codec: String,
    /// Profile, where the codec has one.
    pub profile: String,
    /// Channels.
    pub channels: u32,
    /// Language, where the file tells a usable one.
    pub language: Option<String>,
}

impl Video {
    /// Width and height as they are shown: turned, with square pixels left to the encoder.
    #[must_use]
    pub fn shown(&self) -> (u32, u32) {
        if self.rotation.rem_euclid(180) == 90 { (self.height, self.width) } else { (self.width, self.height) }
    }
}

impl Probe {
    /// Mean bits a second of the whole file.
    #[must_use]
    pub fn bits(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let bits = self.size as f64 * 8.0;
        bits / self.seconds.max(0.1)
    }
}

/// Reads what a recording consists of.
///
/// # Errors
/// `UNSUPPORTED_FORMAT` by its first bytes or for want of a stream, `TOO_LARGE` beyond a limit,
/// `BAD_DOCUMENT` for damaged bytes, `PARSER_KILLED` when ffprobe does not come to an end.
pub async fn probe(sandbox: &Sandbox, tools: &Tools, recording: &Path, name: &str) -> Result<Probe, Failure> {
    let (path, text) = argument(recording, name)?;
    let container = Container::of_file(&path, name)?;
    let size = std::fs::metadata(&path).map_err(|error| crate::source::cannot_open(name, &error))?.len();
    let mut arguments: Vec<String> = ["-v", "error"].map(str::to_owned).to_vec();
    arguments.extend(input(container, &text));
    arguments.extend(["-show_format", "-show_streams", "-show_chapters", "-of", "json"].map(str::to_owned));
    let allowance = Allowance { memory: MEMORY, cpu_seconds: TIME.as_secs(), file: 0, reads: vec![path], folder: None };
    let mut json = String::new();
    let ended = sandbox.run(&tools.ffprobe, &arguments, &allowance, TIME, &mut |line| json.push_str(line)).await?;
    if !ended.success {
        let why = reason(&ended.messages).unwrap_or(ended.how);
        let message = format!("\"{name}\" cannot be read as a recording ({why}); export it again, for instance as MP4");
        return Err(Failure::new(failure::BAD_DOCUMENT, message));
    }
    read(&json, container, size, name)
}

/// The last of a program's messages, made short and harmless.
pub(crate) fn reason(messages: &str) -> Option<String> {
    let line = messages.lines().rev().find(|line| !line.trim().is_empty())?;
    // The address of a message's context and paths say nothing to a reader.
    let line = line.rsplit_once("] ").map_or(line, |(_, text)| text);
    let line: String = line.split_whitespace().filter(|word| !word.contains('/')).collect::<Vec<_>>().join(" ");
    Some(line.chars().filter(|c| !c.is_control()).take(160).collect())
}

#[derive(Deserialize)]
struct Chapter {
    #[serde(default)]
    start_time: String,
    #[serde(default)]
    tags: ChapterTags,
}

#[derive(Deserialize, Default)]
struct ChapterTags {
    #[serde(default)]
    title: String,
}

#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    chapters: Vec<Chapter>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Format {
    #[serde(default)]
    duration: String,
}

#[derive(Deserialize)]
struct Stream {
    index: u32,
    #[serde(default)]
    codec_type: String,
    #[serde(default)]
    codec_name: String,
    #[serde(default)]
    profile: String,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    #[serde(default)]
    pix_fmt: String,
    #[serde(default)]
    field_order: String,
    #[serde(default)]
    sample_aspect_ratio: String,
    #[serde(default)]
    avg_frame_rate: String,
    #[serde(default)]
    duration: String,
    #[serde(default)]
    channels: u32,
    #[serde(default)]
    disposition: Disposition,
    #[serde(default)]
    tags: Tags,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize, Default)]
struct Disposition {
    #[serde(default)]
    default: u8,
    #[serde(default)]
    attached_pic: u8,
}

#[derive(Deserialize, Default)]
struct Tags {
    #[serde(default)]
    language: String,
}

#[derive(Deserialize)]
struct SideData {
    #[serde(default)]
    rotation: f64,
}

/// ffprobe's answer within the limits.
fn read(json: &str, container: Container, size: u64, name: &str) -> Result<Probe, Failure> {
    let said: Said = serde_json::from_str(json).map_err(|_| {
        Failure::new(failure::BAD_DOCUMENT, format!("ffprobe says nothing about \"{name}\" that can be read"))
    })?;
    let large = |why: String| Err(Failure::new(failure::TOO_LARGE, format!("\"{name}\" {why}")));
    if said.streams.len() > MOST_STREAMS {
        return large(format!("has {} streams; at most {MOST_STREAMS} are read", said.streams.len()));
    }
    let number = |text: &str| text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    let seconds = number(&said.format.duration)
        .or_else(|| said.streams.iter().filter_map(|stream| number(&stream.duration)).reduce(f64::max));
    let Some(seconds) = seconds else {
        let message = format!("\"{name}\" does not say how long it is; export it again, for instance as MP4");
        return Err(Failure::new(failure::BAD_DOCUMENT, message));
    };
    if seconds > LONGEST_SECONDS {
        return large(format!("is {:.1} hours long; at most 12 are read, so split it", seconds / 3600.0));
    }
    // A cover of a sound recording is no picture of it.
    let shown = said.streams.iter().filter(|stream| stream.disposition.attached_pic == 0);
    let of = |kind: &'static str| {
        let mut all = shown.clone().filter(move |stream| stream.codec_type == kind).collect::<Vec<_>>();
        all.sort_by_key(|stream| (stream.disposition.default == 0, stream.index));
        all.into_iter().next()
    };
    let video = of("video").filter(|stream| stream.width > 0 && stream.height > 0).map(video);
    let audio = of("audio").filter(|stream| stream.channels > 0).map(audio);
    if let Some(video) = &video {
        if u64::from(video.width) * u64::from(video.height) > MOST_PIXELS {
            return large(format!("has {} x {} pixels; at most 7680 x 4320 are read", video.width, video.height));
        }
        if video.fps > MOST_FPS {
            return large(format!("has {:.0} frames a second; at most {MOST_FPS} are read", video.fps));
        }
    }
    if video.is_none() && audio.is_none() {
        let message = format!("\"{name}\" has neither picture nor sound that can be read; export it as H.264 and AAC");
        return Err(Failure::new(failure::UNSUPPORTED_FORMAT, message));
    }
    let chapters = said.chapters.iter().take(domain::chapter::MOST).filter_map(|chapter| {
        let start: f64 = chapter.start_time.parse().ok().filter(|start| (0.0..=seconds).contains(start))?;
        #[expect(clippy::cast_possible_truncation, reason = "within twelve hours")]
        let start = (start * 1000.0).round() as i64;
        Some((start, chapter.tags.title.clone()))
    });
    Ok(Probe { container, seconds, size, video, audio, chapters: chapters.collect() })
}

fn video(stream: &Stream) -> Video {
    let fps = stream.avg_frame_rate.split_once('/').and_then(|(frames, seconds)| {
        let (frames, seconds): (f64, f64) = (frames.parse().ok()?, seconds.parse().ok()?);
        (frames > 0.0 && seconds > 0.0).then(|| frames / seconds)
    });
    #[expect(clippy::cast_possible_truncation, reason = "whole degrees")]
    let rotation = stream.side_data_list.iter().map(|data| data.rotation.clamp(-360.0, 360.0) as i32).find(|r| *r != 0);
    Video {
        index: stream.index,
        codec: stream.codec_name.clone(),
        profile: stream.profile.clone(),
        width: stream.width,
        height: stream.height,
        fps: fps.unwrap_or(25.0),
        rotation: rotation.unwrap_or(0),
        square: matches!(stream.sample_aspect_ratio.as_str(), "" | "1:1" | "0:1"),
        interlaced: matches!(stream.field_order.as_str(), "tt" | "bb" | "tb" | "bt"),
        pixels: stream.pix_fmt.clone(),
    }
}

fn audio(stream: &Stream) -> Audio {
    let language = Some(stream.tags.language.to_lowercase())
        .filter(|tag| (2..=3).contains(&tag.len()) && tag != "und" && tag.bytes().all(|b| b.is_ascii_lowercase()));
    Audio {
        index: stream.index,
        codec: stream.codec_name.clone(),
        profile: stream.profile.clone(),
        channels: stream.channels,
        language,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(streams: &str, duration: &str) -> Result<Probe, String> {
        let json = format!("{{\"streams\":[{streams}],\"format\":{{\"duration\":\"{duration}\"}}}}");
        read(&json, Container::Mp4, 1_000_000, "a.mp4").map_err(|failure| failure.code)
    }

    const PICTURE: &str = r#"{"index":0,"codec_type":"video","codec_name":"h264","width":1080,"height":1920,
        "avg_frame_rate":"30000/1001","side_data_list":[{"rotation":-90}]}"#;
    const SOUND: &str = r#"{"index":1,"codec_type":"audio","codec_name":"aac","channels":2,"tags":{"language":"eng"}}"#;

    #[test]
    fn the_default_streams_are_taken_and_turned() {
        let cover = r#"{"index":2,"codec_type":"video","codec_name":"mjpeg","width":9,"height":9,"disposition":{"attached_pic":1}}"#;
        let probe = outcome(&format!("{cover},{PICTURE},{SOUND}"), "8.5").unwrap();
        let video = probe.video.unwrap();
        assert_eq!((video.index, video.shown(), video.rotation), (0, (1920, 1080), -90));
        assert!((video.fps - 29.97).abs() < 0.01);
        assert_eq!(probe.audio.unwrap().language.as_deref(), Some("eng"));
        assert!(outcome(&format!("{cover},{SOUND}"), "8.5").unwrap().video.is_none());
    }

    #[test]
    fn what_is_beyond_a_limit_is_refused_by_type() {
        let many = vec![SOUND; 33].join(",");
        let wide = PICTURE.replace("1080", "100000");
        let quick = PICTURE.replace("30000/1001", "100000/1");
        for (streams, duration, code) in [
            (many.as_str(), "8", failure::TOO_LARGE),
            (wide.as_str(), "8", failure::TOO_LARGE),
            (quick.as_str(), "8", failure::TOO_LARGE),
            (PICTURE, "999999", failure::TOO_LARGE),
            (PICTURE, "N/A", failure::BAD_DOCUMENT),
            ("", "8", failure::UNSUPPORTED_FORMAT),
        ] {
            assert_eq!(outcome(streams, duration).unwrap_err(), code, "{duration}");
        }
        assert_eq!(read("no", Container::Mp4, 1, "a").unwrap_err().code, failure::BAD_DOCUMENT);
    }

    #[test]
    fn a_message_is_shown_without_addresses_and_paths() {
        let said = "[mov @ 0x55] first\nfile:/data/tmp/x: Invalid data found when processing input\n\n";
        assert_eq!(reason(said).as_deref(), Some("Invalid data found when processing input"));
    }
}
