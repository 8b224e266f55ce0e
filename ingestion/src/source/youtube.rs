//! Videos, playlists and channels of `YouTube` through `yt-dlp`: metadata, chapters and captions;
//! the recording stays where it is unless its keeping is asserted to be allowed.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use domain::document::Warning;
use domain::ingestion::{Failure, SourceKind, failure};
use domain::youtube::Target;
use serde_json::Value;
use url::Url;

use super::ytdlp::cache::{Cache, prune};
use super::ytdlp::recording::{Recording, Wanted, document};
use super::ytdlp::{COMMON, Program, said};
use super::{Fetched, FetchedDocument, Lesson, Module, Outline, Outside, Place, Source, blocking};
use crate::parse::{squeeze, visible, warning};
use crate::sandbox::Sandbox;

/// The extractors of a video, and of playlists and channels.
const VIDEO: &str = "youtube";
const LIST: &str = "youtube:tab";
/// So many failures in a row that concern the site and not the video end the rest of a list.
const IN_A_ROW: usize = 3;
/// How long the site is left alone then; it limits an address for up to an hour.
const PAUSE: Duration = Duration::from_secs(3600);

/// The `YouTube` source.
pub(super) struct Youtube;

#[async_trait::async_trait]
impl Source for Youtube {
    fn kind(&self) -> SourceKind {
        SourceKind::Youtube
    }

    async fn fetch(&self, place: &Place, sandbox: &Sandbox, scratch: &Path) -> Result<Fetched, Failure> {
        self.fetch_with(place, sandbox, scratch, &Outside::default()).await
    }

    async fn fetch_with(
        &self,
        place: &Place,
        _sandbox: &Sandbox,
        scratch: &Path,
        outside: &Outside,
    ) -> Result<Fetched, Failure> {
        let target = Target::parse(&place.origin).map_err(|why| Failure::new(failure::BAD_ADDRESS, why))?;
        if let (Some(folder), age) = (outside.cache.clone(), outside.cache_age) {
            blocking(move || {
                prune(&folder, age);
                Ok(())
            })
            .await?;
        }
        let program = Program::ready(outside, scratch).await?;
        match &target {
            Target::Video(id) => one(&program, id, place.rights, scratch).await,
            list => many(&program, list, place.rights, scratch).await,
        }
    }

    fn canonical(&self, origin: &str) -> Option<String> {
        Target::parse(origin).ok().map(|target| target.url())
    }
}

/// Captions come from this one door of the site.
fn captions_of_ours(url: &Url) -> bool {
    url.scheme() == "https" && url.host_str() == Some("www.youtube.com") && url.path() == "/api/timedtext"
}

/// A video out of the cache or from the site.
async fn video(program: &Program<'_>, id: &str, rights: bool, scratch: &Path) -> Result<Recording, Failure> {
    let url = Target::Video(id.to_owned()).url();
    let wanted = Wanted { provider: "youtube", extractor: VIDEO, id, url: &url, rights };
    let cache = Cache::of(program.outside, &wanted);
    if let Some(known) = cache.as_ref().and_then(|cache| cache.get(rights)) {
        return Ok(known);
    }
    let (info, complaints) = program.metadata(&wanted, scratch).await?;
    let mut recording = program.recording(&wanted, (&info, &complaints), scratch, captions_of_ours).await?;
    if let Some(cache) = cache {
        cache.put(&mut recording);
    }
    Ok(recording)
}

async fn one(program: &Program<'_>, id: &str, rights: bool, scratch: &Path) -> Result<Fetched, Failure> {
    let mut recording = video(program, id, rights, scratch).await?;
    let warnings = std::mem::take(&mut recording.warnings);
    let title = recording.meta.title.clone();
    let document = document(recording, format!("{id}.vtt")).await?;
    let lessons = vec![lesson(Some(title.clone()), &document)];
    let outline = Outline {
        title: title.clone(),
        modules: vec![Module { title: Some(title), chapter: false, lessons }],
        failures: Vec::new(),
        import: None,
        questions: Vec::new(),
    };
    Ok(Fetched { outline, commit: None, documents: vec![document], files: Vec::new(), warnings })
}

pub(super) fn lesson(title: Option<String>, document: &FetchedDocument) -> Lesson {
    Lesson { title, kind: "VIDEO".into(), path: document.path.clone(), hidden: false }
}

/// A video of a list, and what the list itself says of it.
struct Entry {
    id: String,
    known: Option<Failure>,
}

async fn many(program: &Program<'_>, list: &Target, rights: bool, scratch: &Path) -> Result<Fetched, Failure> {
    let began = Instant::now();
    let (title, entries, mut warnings) = listed(program, list, scratch).await?;
    let (mut lessons, mut documents, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    let mut row: Vec<Failure> = Vec::new();
    let mut ended: Option<Failure> = None;
    for Entry { id, known } in entries {
        let path = format!("{id}.vtt");
        if let Some(why) = &ended {
            failures.push((path, why.clone()));
            continue;
        }
        if began.elapsed() > program.outside.whole {
            let message = "the list took too long; run the same command again to go on with the videos that are left";
            ended = Some(Failure::new(failure::TOO_SLOW, message));
        } else if let Some(why) = known {
            failures.push((path, why));
            continue;
        } else {
            let fetched = match video(program, &id, rights, scratch).await {
                Ok(mut recording) => {
                    warnings.append(&mut recording.warnings);
                    let title = recording.meta.title.clone();
                    document(recording, path.clone()).await.map(|document| (title, document))
                }
                Err(why) => Err(why),
            };
            match fetched {
                Ok((title, document)) => {
                    row.clear();
                    lessons.push(lesson(Some(title), &document));
                    documents.push(document);
                    continue;
                }
                Err(why) => {
                    if of_the_site(&why) {
                        row.push(why.clone())
                    } else {
                        row.clear()
                    }
                    failures.push((path, why.clone()));
                    if row.len() >= IN_A_ROW {
                        warnings.push(paused(&why));
                        ended = Some(untried(&why));
                    }
                    continue;
                }
            }
        }
        failures.extend(ended.clone().map(|why| (path, why)));
    }
    if documents.is_empty() {
        let first = failures.into_iter().next().map(|(_, why)| why);
        let none = || Failure::new(failure::EMPTY, "the playlist or channel shows no video; check the address");
        return Err(first.unwrap_or_else(none));
    }
    let modules = vec![Module { title: Some(title.clone()), chapter: true, lessons }];
    let outline = Outline { title, modules, failures, import: None, questions: Vec::new() };
    Ok(Fetched { outline, commit: None, documents, files: Vec::new(), warnings })
}

/// Failures that the next video would meet too.
fn of_the_site(why: &Failure) -> bool {
    matches!(
        why.code.as_str(),
        failure::RATE_LIMITED | failure::EXTRACTOR_BROKEN | failure::OFFLINE | failure::TOO_SLOW
    )
}

fn untried(why: &Failure) -> Failure {
    let message = format!("not tried after {IN_A_ROW} failures of this kind in a row: {}", why.message);
    Failure::new(&why.code, message)
}

/// When it is worth trying again. In a warning, because a time in a failure would make every run another version.
fn paused(why: &Failure) -> Warning {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let minutes = PAUSE.as_secs() / 60;
    let at = (now + PAUSE).as_secs();
    let (hour, minute) = (at / 3600 % 24, at / 60 % 60);
    let message = format!(
        "{IN_A_ROW} videos in a row failed with {}, so that the rest was not tried; run the same command again in {minutes} minutes, at {hour:02}:{minute:02} UTC: only what is missing is fetched",
        why.code
    );
    Warning { code: "RETRY_LATER".into(), message, place: None }
}

/// The title of a list and its videos, each once.
async fn listed(
    program: &Program<'_>,
    list: &Target,
    scratch: &Path,
) -> Result<(String, Vec<Entry>, Vec<Warning>), Failure> {
    let most = program.outside.most_videos;
    let (range, url) = (format!("1:{most}"), list.url());
    let mut arguments = COMMON.to_vec();
    arguments.extend(["--use-extractors", LIST, "--yes-playlist", "--flat-playlist", "--playlist-items", &range]);
    arguments.extend(["--skip-download", "--dump-single-json", "--", &url]);
    let (info, complaints) = program.json(&arguments, scratch).await?;
    let mut warnings = Vec::new();
    let mut seen = HashSet::new();
    let entries: Vec<Entry> = info
        .get("entries")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(most)
        .filter_map(|entry| {
            // A channel of channels, or an id that is none, is no video.
            let id = entry.get("id").and_then(Value::as_str)?;
            Target::video(id).ok()?;
            seen.insert(id.to_owned()).then(|| Entry { id: id.to_owned(), known: known(entry) })
        })
        .collect();
    if entries.is_empty()
        && let Some(why) = said::warned(&complaints)
    {
        return Err(why);
    }
    let count = info.get("playlist_count").and_then(Value::as_u64).unwrap_or_default();
    if count > most as u64 {
        let message = format!("the list has {count} videos and the first {most} are read; ingest its parts as lists");
        warnings.push(warning("LIST_CUT", message, &url));
    }
    let title = info.get("title").and_then(Value::as_str).map(|title| squeeze(&visible(title))).unwrap_or_default();
    let title: String = title.chars().take(300).collect();
    Ok((if title.is_empty() { url } else { title }, entries, warnings))
}

/// What a list says of a video that cannot be watched; asking for it would only cost a request.
fn known(entry: &Value) -> Option<Failure> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    match (text("title"), text("live_status")) {
        ("[Private video]", _) => Some(said::typed(failure::VIDEO_PRIVATE, "")),
        ("[Deleted video]", _) => Some(said::typed(failure::VIDEO_REMOVED, "")),
        (_, "is_live" | "is_upcoming") => Some(said::typed(failure::LIVE_NOT_ENDED, "")),
        _ => said::availability(text("availability")),
    }
}
