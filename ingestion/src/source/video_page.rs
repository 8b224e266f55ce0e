//! A page that shows a recording, on a host that the administrator lists, through the same program
//! with its generic reader.

use std::path::Path;

use domain::document::Warning;
use domain::ingestion::{Failure, SourceKind, failure};
use serde_json::Value;
use url::Url;

use super::youtube::lesson;
use super::ytdlp::Program;
use super::ytdlp::recording::{Wanted, document};
use super::{Fetched, Module, Outline, Outside, Place, Source, sha256};
use crate::parse::warning;
use crate::sandbox::Sandbox;

/// The reader of any page, and the one of the recordings that a page itself plays.
const EXTRACTORS: &str = "generic,html5";
/// Most recordings of a page.
const MOST: usize = 20;

/// The source of listed pages.
pub(super) struct VideoPage;

#[async_trait::async_trait]
impl Source for VideoPage {
    fn kind(&self) -> SourceKind {
        SourceKind::VideoPage
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
        let url = address(&place.origin, &outside.hosts)?;
        let program = Program::ready(outside, scratch).await?;
        page(&program, &url, place.rights, scratch).await
    }

    fn canonical(&self, origin: &str) -> Option<String> {
        let mut url = Url::parse(origin).ok()?;
        url.set_fragment(None);
        Some(url.to_string())
    }
}

/// Whether a host, with its port where it has one, is on the list; only such an entry may be without TLS.
fn listed(url: &Url, hosts: &[String]) -> bool {
    let Some(host) = url.host_str() else { return false };
    let named = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let safe = url.scheme() == "https" || (url.scheme() == "http" && url.port().is_some());
    safe && hosts.iter().any(|known| known.trim().eq_ignore_ascii_case(&named))
}

/// The address of a page on a listed host, put together from its parts.
fn address(origin: &str, hosts: &[String]) -> Result<Url, Failure> {
    let refuse = |why: &str| {
        Failure::new(failure::BAD_ADDRESS, format!("the address {why}; give the https address of the page"))
    };
    if origin.len() > 2_000 || origin.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(refuse("has unusual characters"));
    }
    let mut url = Url::parse(origin).map_err(|error| refuse(&format!("cannot be read ({error})")))?;
    if !matches!(url.scheme(), "https" | "http") || !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("is more than host, path and query"));
    }
    url.set_fragment(None);
    if !listed(&url, hosts) {
        let host = url.host_str().unwrap_or_default();
        let message = format!(
            "pages of the host \"{host}\" may not be read; an administrator allows it in \"ingest_allow_hosts\" of the configuration"
        );
        return Err(Failure::new(failure::HOST_NOT_ALLOWED, message));
    }
    Ok(url)
}

async fn page(program: &Program<'_>, url: &Url, rights: bool, scratch: &Path) -> Result<Fetched, Failure> {
    let hosts = &program.outside.hosts;
    let id = sha256(url.as_str().as_bytes());
    let id = id.get(..12).unwrap_or_default();
    let wanted = Wanted { provider: "page", extractor: EXTRACTORS, id, url: url.as_str(), rights };
    let (info, complaints) = program.metadata(&wanted, scratch).await?;
    let found: Vec<&Value> = match info.get("entries").and_then(Value::as_array) {
        Some(entries) => entries.iter().filter(|entry| entry.is_object()).take(MOST).collect(),
        None => vec![&info],
    };
    let alone = found.len() == 1;
    let mut warnings: Vec<Warning> = Vec::new();
    if rights && !alone {
        let message = "the page shows more than one recording, so that none of them was stored";
        warnings.push(warning("MEDIA_NOT_KEPT", message, url.as_str()));
    }
    let (mut lessons, mut documents, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for (number, info) in found.into_iter().enumerate() {
        let path = if alone { format!("{id}.vtt") } else { format!("{id}-{}.vtt", number + 1) };
        let wanted = Wanted { rights: rights && alone, ..wanted };
        let mut info = info.clone();
        // The reader numbers the recordings of a page, an only one too.
        let title = info.get("title").and_then(Value::as_str).and_then(|title| title.strip_suffix(" (1)"));
        if let (true, Some(title)) = (alone, title.map(str::to_owned))
            && let Some(info) = info.as_object_mut()
        {
            info.insert("title".into(), title.into());
        }
        let read = program.recording(&wanted, (&info, &complaints), scratch, |url| listed(url, hosts)).await;
        match read {
            Ok(mut recording) => {
                warnings.append(&mut recording.warnings);
                let title = recording.meta.title.clone();
                let document = document(recording, path).await?;
                lessons.push(lesson(Some(title), &document));
                documents.push(document);
            }
            Err(why) => failures.push((path, why)),
        }
    }
    if documents.is_empty() {
        let none = || Failure::new(failure::EMPTY, "the page shows no recording; check the address");
        return Err(failures.into_iter().next().map_or_else(none, |(_, why)| why));
    }
    let title = lessons.first().and_then(|lesson| lesson.title.clone()).unwrap_or_else(|| url.to_string());
    let modules = vec![Module { title: Some(title.clone()), chapter: false, lessons }];
    Ok(Fetched {
        outline: Outline { title, modules, failures, import: None, questions: Vec::new() },
        commit: None,
        documents,
        files: Vec::new(),
        warnings,
    })
}
