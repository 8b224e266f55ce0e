//! What a source may use outside its own files: a program, hosts, languages, a cache, time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::safe_client::Resolve;

/// What sources that read other sites are given. The default has no listed host and no cache.
#[derive(Clone)]
pub struct Outside {
    /// The program `yt-dlp`: a path, or a name to find on `PATH`.
    pub ytdlp: PathBuf,
    /// Hosts (`host` or `host:port`) whose pages may be read as video pages.
    pub hosts: Vec<String>,
    /// Languages of captions, the most wanted first.
    pub languages: Vec<String>,
    /// Folder for what was fetched, so that a second run asks only for what is missing; none without one.
    pub cache: Option<PathBuf>,
    /// What is older is fetched again.
    pub cache_age: Duration,
    /// Most videos of a playlist or channel.
    pub most_videos: usize,
    /// Longest run of the program for metadata or captions.
    pub command: Duration,
    /// Longest download of one recording.
    pub download: Duration,
    /// Longest fetch of a whole playlist or channel.
    pub whole: Duration,
    /// Names to addresses for web pages; the system's without one.
    pub resolver: Option<Arc<dyn Resolve>>,
}

impl Default for Outside {
    fn default() -> Self {
        Self {
            ytdlp: PathBuf::from("yt-dlp"),
            hosts: Vec::new(),
            languages: vec!["en".into()],
            cache: None,
            cache_age: Duration::from_secs(7 * 24 * 3600),
            most_videos: 200,
            command: Duration::from_secs(120),
            download: Duration::from_secs(3600),
            whole: Duration::from_secs(2 * 3600),
            resolver: None,
        }
    }
}
