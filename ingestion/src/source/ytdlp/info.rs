//! The metadata that `yt-dlp -J` prints: what is kept of it, and which captions are the best.

use domain::caption::webvtt::Chapter;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use crate::parse::squeeze;

/// What is kept of a recording's metadata.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::source) struct Meta {
    /// `youtube` or `page`.
    pub(in crate::source) provider: String,
    pub(in crate::source) id: String,
    /// Where it is shown.
    pub(in crate::source) url: String,
    pub(in crate::source) title: String,
    /// Seconds.
    pub(in crate::source) duration: Option<f64>,
    pub(in crate::source) channel: Option<String>,
    pub(in crate::source) channel_id: Option<String>,
    /// As the site says it; none is the site's own licence.
    pub(in crate::source) licence: Option<String>,
    /// `YYYY-MM-DD`.
    pub(in crate::source) upload_date: Option<String>,
    pub(in crate::source) chapters: Vec<Part>,
    /// The owner lets other sites show it.
    pub(in crate::source) embeddable: Option<bool>,
}

/// A chapter, in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::source) struct Part {
    pub(in crate::source) start: f64,
    pub(in crate::source) end: Option<f64>,
    pub(in crate::source) title: String,
}

/// The captions to fetch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::source) struct Choice {
    /// Language as the site codes it.
    pub(in crate::source) language: String,
    /// Made by a program.
    pub(in crate::source) automatic: bool,
    /// Languages that people captioned it in.
    pub(in crate::source) languages: Vec<String>,
    /// `json3`, `vtt` or `srt`.
    pub(in crate::source) format: String,
    url: String,
    impersonate: bool,
}

/// Longest text of a field.
const LONGEST: usize = 300;
/// A recording is not longer than this (100 hours).
const MOST_SECONDS: f64 = 360_000.0;
/// The caption formats that we read, the best first.
const FORMATS: [&str; 3] = ["json3", "vtt", "srt"];

fn text(info: &Value, name: &str) -> Option<String> {
    let text = squeeze(&crate::parse::visible(info.get(name)?.as_str()?));
    let cut: String = text.chars().take(LONGEST).collect();
    (!cut.is_empty()).then_some(cut)
}

fn seconds(value: Option<&Value>) -> Option<f64> {
    value?.as_f64().filter(|seconds| (0.0..=MOST_SECONDS).contains(seconds))
}

impl Meta {
    /// What is kept of a recording of `provider` that is shown at `url`, both ours.
    pub(in crate::source) fn of(info: &Value, provider: &str, id: &str, url: &str) -> Self {
        let chapters = info.get("chapters").and_then(Value::as_array).into_iter().flatten().take(500);
        let day = text(info, "upload_date").filter(|day| day.len() == 8 && day.bytes().all(|c| c.is_ascii_digit()));
        Self {
            provider: provider.to_owned(),
            id: id.to_owned(),
            url: url.to_owned(),
            title: text(info, "title").unwrap_or_else(|| id.to_owned()),
            duration: seconds(info.get("duration")).filter(|seconds| *seconds > 0.0),
            channel: text(info, "channel").or_else(|| text(info, "uploader")),
            channel_id: text(info, "channel_id"),
            licence: text(info, "license"),
            upload_date: day.and_then(|day| Some(format!("{}-{}-{}", day.get(..4)?, day.get(4..6)?, day.get(6..)?))),
            chapters: chapters.filter_map(part).collect(),
            embeddable: info.get("playable_in_embed").and_then(Value::as_bool),
        }
    }

    /// The chapters as captions keep them.
    pub(in crate::source) fn parts(&self) -> Vec<Chapter> {
        #[expect(clippy::cast_possible_truncation, reason = "at most 100 hours")]
        let ms = |seconds: f64| (seconds * 1000.0).round() as i64;
        self.chapters.iter().map(|part| Chapter { start: ms(part.start), title: part.title.clone() }).collect()
    }
}

fn part(value: &Value) -> Option<Part> {
    // A gap between chapters is filled with one that nobody named.
    let title = text(value, "title").filter(|title| !title.starts_with("<Untitled Chapter"))?;
    Some(Part { start: seconds(value.get("start_time"))?, end: seconds(value.get("end_time")), title })
}

/// A language code as sites write them.
fn code(language: &str) -> bool {
    (1..=35).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `en` wants `en`, then `en-GB`.
fn wanted<'t>(tracks: &'t Map<String, Value>, language: &str) -> Option<&'t String> {
    let mut found: Vec<&String> = tracks
        .keys()
        .filter(|key| key.as_str() == language || key.strip_prefix(language).is_some_and(|rest| rest.starts_with('-')))
        .collect();
    found.sort_by_key(|key| (key.len(), key.as_str()));
    found.first().copied()
}

/// The best captions: by people before by programs, in the languages that are wanted before others.
/// Machine translations are never taken.
pub(in crate::source) fn choose(info: &Value, languages: &[String], allowed: impl Fn(&Url) -> bool) -> Option<Choice> {
    let tracks = |name: &str| -> Map<String, Value> {
        let found = info.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        found.into_iter().filter(|(language, _)| code(language) && language != "live_chat").collect()
    };
    let human: Map<String, Value> =
        tracks("subtitles").into_iter().filter(|(_, track)| entry(track, &allowed).is_some()).collect();
    let all = tracks("automatic_captions");
    let spoken = info.get("language").and_then(Value::as_str).unwrap_or_default();
    // Of hundreds of automatic tracks one was heard and the others are translated from it.
    let mut heard: Map<String, Value> = all
        .iter()
        .filter_map(|(language, track)| Some((language.strip_suffix("-orig")?.to_owned(), track.clone())))
        .collect();
    if heard.is_empty() {
        heard = all
            .iter()
            .filter(|(key, _)| all.len() == 1 || *key == spoken)
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
    }
    heard.retain(|_, track| entry(track, &allowed).is_some());
    let first = |tracks: &Map<String, Value>| languages.iter().find_map(|language| wanted(tracks, language)).cloned();
    let any = |tracks: &Map<String, Value>| wanted(tracks, spoken).or_else(|| tracks.keys().min()).cloned();
    let of = |language: String, automatic: bool| {
        let track = if automatic { heard.get(&language) } else { human.get(&language) };
        let (format, url, impersonate) = entry(track?, &allowed)?;
        Some(Choice { language, automatic, languages: human.keys().cloned().collect(), format, url, impersonate })
    };
    first(&human)
        .and_then(|language| of(language, false))
        .or_else(|| of(first(&heard)?, true))
        .or_else(|| of(any(&human)?, false))
        .or_else(|| of(any(&heard)?, true))
}

/// The file of a track that we read best.
fn entry(track: &Value, allowed: &impl Fn(&Url) -> bool) -> Option<(String, String, bool)> {
    FORMATS.iter().find_map(|format| {
        track.as_array()?.iter().find_map(|entry| {
            let plain = entry.get("protocol").and_then(Value::as_str).is_none_or(|name| name.starts_with("http"));
            let url = Url::parse(entry.get("url")?.as_str()?).ok()?;
            let fits = entry.get("ext").and_then(Value::as_str) == Some(format) && plain && allowed(&url);
            let impersonate = entry.get("impersonate").and_then(Value::as_bool).unwrap_or(false);
            fits.then(|| ((*format).to_owned(), url.to_string(), impersonate))
        })
    })
}

impl Choice {
    /// Metadata with nothing but the wanted captions, under names of ours: what the second run reads.
    pub(in crate::source) fn info(&self) -> Value {
        let mut track = json!({ "ext": self.format, "url": self.url });
        if let (true, Some(track)) = (self.impersonate, track.as_object_mut()) {
            track.insert("impersonate".into(), json!(true));
        }
        json!({
            "_type": "video", "id": "recording", "title": "recording", "ext": "mp4",
            "extractor": "generic", "extractor_key": "Generic", "formats": [],
            "subtitles": { "wanted": [track] },
        })
    }
}
