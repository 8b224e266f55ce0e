//! The stand-in for yt-dlp: a shell script that records how it was called and replays files.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use domain::ingestion::{Failure, SourceKind};
use ingestion::source::{Fetched, Outside, Place, of};
use serde_json::{Value, json};

use crate::testkit::sandbox;

/// Records its arguments and environment, then answers by its last argument.
const SCRIPT: &str = r#"#!/bin/sh
here=$(dirname "$0")
{ for argument in "$@"; do printf '%s\001' "$argument"; done; printf '\n'; } >> "$here/calls"
env | sed 's/=.*//' >> "$here/environment"
for argument in "$@"; do
  case "$argument" in
    --version) cat "$here/version"; exit 0 ;;
    --load-info-json)
      cp info.json "$here/asked"
      [ -f "$here/captions.err" ] && { cat "$here/captions.err" >&2; exit 1; }
      [ -f "$here/captions" ] && cp "$here/captions" "captions.wanted.$(cat "$here/ext")"
      exit 0 ;;
    --format) cp "$here/recording" recording.mp4; exit 0 ;;
  esac
  last=$argument
done
name=$(printf '%s' "$last" | tr -c 'A-Za-z0-9-' '_')
[ -f "$here/list" ] && case "$last" in */playlist*|*/videos) name=list ;; esac
[ -f "$here/$name.hangs" ] && { sleep 600 & wait; }
[ -f "$here/$name.floods" ] && exec cat /dev/zero
[ -f "$here/$name.err" ] && cat "$here/$name.err" >&2
[ -f "$here/$name.rc" ] && exit "$(cat "$here/$name.rc")"
cat "$here/$name"
"#;

pub(super) struct StandIn {
    folder: tempfile::TempDir,
    pub(super) outside: Outside,
}

impl StandIn {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("yt-dlp");
        // Written by another process: a file that this one still has open for writing cannot be run.
        let mut writer = Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod +x \"$0\""])
            .arg(&program)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writer.stdin.take().unwrap().write_all(SCRIPT.as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        let outside = Outside { ytdlp: program, cache: Some(folder.path().join("cache")), ..Outside::default() };
        let made = Self { folder, outside };
        made.write("version", "2026.01.31\n");
        made.write("ext", "json3");
        made
    }

    pub(super) fn languages(mut self, languages: &[&str]) -> Self {
        self.outside.languages = languages.iter().map(|language| (*language).to_owned()).collect();
        self
    }

    pub(super) fn most(mut self, most: usize) -> Self {
        self.outside.most_videos = most;
        self
    }

    pub(super) fn hosts(mut self, hosts: &[&str]) -> Self {
        self.outside.hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        self
    }

    /// Ends a command after this time.
    pub(super) fn impatient(mut self, time: Duration) -> Self {
        self.outside.command = time;
        self
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn key(url: &str) -> String {
        url.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
    }

    pub(super) fn page(&self, url: &str, info: &Value) {
        self.write(&Self::key(url), info.to_string());
    }

    /// A video that is shown.
    pub(super) fn video(&self, id: &str, info: &Value) {
        let key = Self::key(&format!("https://www.youtube.com/watch?v={id}"));
        for old in ["err", "rc"] {
            let _ = std::fs::remove_file(self.path().join(format!("{key}.{old}")));
        }
        self.write(&key, info.to_string());
    }

    /// A video that is not.
    pub(super) fn fails(&self, id: &str, said: &str) {
        self.says(id, said);
        self.write(&format!("{}.rc", Self::key(&format!("https://www.youtube.com/watch?v={id}"))), "1");
    }

    pub(super) fn says(&self, id: &str, said: &str) {
        self.write(&format!("{}.err", Self::key(&format!("https://www.youtube.com/watch?v={id}"))), said);
    }

    pub(super) fn misbehaves(&self, id: &str, how: &str) {
        self.write(&format!("{}.{how}", Self::key(&format!("https://www.youtube.com/watch?v={id}"))), "");
    }

    pub(super) fn list(&self, info: &Value) {
        self.write("list", info.to_string());
    }

    pub(super) fn captions(&self, json3: &Value) {
        self.write("captions", json3.to_string());
    }

    pub(super) fn recording(&self, bytes: &[u8]) {
        self.write("recording", bytes);
    }

    pub(super) async fn fetch(&self, origin: &str) -> Result<Fetched, Failure> {
        self.fetch_with(SourceKind::Youtube, origin, false).await
    }

    pub(super) async fn fetch_with(&self, kind: SourceKind, origin: &str, rights: bool) -> Result<Fetched, Failure> {
        let place = Place {
            origin: origin.into(),
            name: None,
            captions: None,
            local: false,
            rights,
            crawl: Default::default(),
        };
        let scratch = tempfile::tempdir_in(self.path()).unwrap().keep();
        of(kind).unwrap().fetch_with(&place, &sandbox(), &scratch, &self.outside).await
    }

    /// Every call, its arguments parted by spaces.
    pub(super) fn calls(&self) -> Vec<String> {
        self.arguments().into_iter().map(|arguments| arguments.join(" ")).collect()
    }

    /// Every call as its arguments.
    pub(super) fn arguments(&self) -> Vec<Vec<String>> {
        let text = std::fs::read_to_string(self.path().join("calls")).unwrap_or_default();
        text.lines().map(|line| line.trim_end_matches('\u{1}').split('\u{1}').map(str::to_owned).collect()).collect()
    }

    /// Names of the variables that it saw.
    pub(super) fn environment(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path().join("environment")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The metadata that the caption run was given.
    pub(super) fn asked(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path().join("asked")).unwrap()).unwrap()
    }
}

/// Metadata of a video as `--dump-single-json` prints them, with the fields that matter.
pub(super) fn metadata(id: &str, title: &str) -> Value {
    json!({
        "_type": "video", "id": id, "title": title, "extractor": "youtube", "extractor_key": "Youtube",
        "webpage_url": format!("https://www.youtube.com/watch?v={id}"), "duration": 90, "channel": "A channel",
        "channel_id": "UCabcdefghijklmnopqrstuv", "upload_date": "20240229", "language": "en",
        "license": "Creative Commons Attribution license (reuse allowed)", "playable_in_embed": true,
        "live_status": "not_live", "availability": "public", "subtitles": {}, "automatic_captions": {},
        "formats": [{"format_id": "18", "ext": "mp4", "url": "https://rr1.googlevideo.com/videoplayback"}],
    })
}

/// The files of a caption track.
pub(super) fn human(language: &str) -> Value {
    let url = |format: &str| format!("https://www.youtube.com/api/timedtext?v=x&lang={language}&fmt={format}");
    json!([
        {"ext": "json3", "url": url("json3"), "name": language, "impersonate": true},
        {"ext": "vtt", "url": url("vtt"), "name": language},
    ])
}

/// Automatic captions: a window, lines that roll, a line break appended to each, a line that is repeated.
pub(super) fn automatic() -> Value {
    json!({"wireMagic": "pb3", "pens": [{}], "wsWinStyles": [{}], "wpWinPositions": [{}], "events": [
        {"tStartMs": 0, "dDurationMs": 90000, "id": 1, "wpWinPosId": 1, "wsWinStyleId": 1},
        {"tStartMs": 0, "dDurationMs": 3000, "wWinId": 1, "segs": [{"utf8": "[Music]"}]},
        {"tStartMs": 1000, "dDurationMs": 5000, "wWinId": 1, "segs": [
            {"utf8": "so", "acAsrConf": 0}, {"utf8": " today", "tOffsetMs": 500, "acAsrConf": 0},
            {"utf8": " we sort.", "tOffsetMs": 1000}]},
        {"tStartMs": 3190, "dDurationMs": 10, "wWinId": 1, "aAppend": 1, "segs": [{"utf8": "\n"}]},
        {"tStartMs": 3200, "dDurationMs": 2800, "wWinId": 1, "segs": [
            {"utf8": "so today we sort."}, {"utf8": " Then"}, {"utf8": " we", "tOffsetMs": 800},
            {"utf8": " rest.", "tOffsetMs": 1300}]},
        {"tStartMs": 6000, "dDurationMs": 1000, "wWinId": 1, "aAppend": 1, "segs": [{"utf8": "\n"}]},
    ]})
}

/// A flat list as `--flat-playlist --dump-single-json` prints it.
pub(super) fn list(id: &str, title: &str, ids: &[&str]) -> Value {
    let entries: Vec<Value> = ids
        .iter()
        .map(|id| {
            json!({"_type": "url", "ie_key": "Youtube", "id": id, "title": format!("Video {id}"),
                "url": format!("https://www.youtube.com/watch?v={id}"), "live_status": null, "availability": null})
        })
        .collect();
    json!({"_type": "playlist", "id": id, "title": title, "playlist_count": ids.len(), "entries": entries})
}
