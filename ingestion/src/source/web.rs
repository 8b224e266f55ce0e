//! A page of the web, or the pages of one site that it links to, within limits.
//!
//! Every address goes through [`crate::safe_client`]; `robots.txt` is asked first; other hosts are left
//! alone. A page that was fetched before is asked for by its `ETag` and date, so that an unchanged site
//! costs little. The main text is taken out of the page by the HTML parser, in the child.

mod page;
mod robots;

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use domain::document::DocumentKind;
use domain::ingestion::{Crawl, Failure, SourceKind, failure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use url::Url;

use self::robots::Robots;
use super::{Bytes, Fetched, FetchedDocument, Lesson, Module, Outline, Outside, Place, Source, sha256};
use crate::parse::warning;
use crate::safe_client::{Answer, Known, Limits, SafeClient};
use crate::sandbox::Sandbox;

/// Most redirects of one page.
const REDIRECTS: usize = 3;
/// Most bytes of all pages.
const MOST_BYTES: usize = 200 << 20;
/// Addresses that may wait to be read.
const MOST_WAITING: usize = 20_000;

/// The source of web pages.
pub(super) struct Web;

#[async_trait::async_trait]
impl Source for Web {
    fn kind(&self) -> SourceKind {
        SourceKind::Web
    }

    async fn fetch(&self, place: &Place, sandbox: &Sandbox, scratch: &Path) -> Result<Fetched, Failure> {
        self.fetch_with(place, sandbox, scratch, &Outside::default()).await
    }

    async fn fetch_with(
        &self,
        place: &Place,
        _sandbox: &Sandbox,
        _scratch: &Path,
        outside: &Outside,
    ) -> Result<Fetched, Failure> {
        let client = SafeClient::new(Limits { redirects: REDIRECTS, ..Limits::default() }, &outside.hosts);
        let client = match &outside.resolver {
            Some(resolver) => client.with_resolver(resolver.clone()),
            None => client,
        };
        let start = client.address(&place.origin)?;
        let cache = outside.cache.as_ref().map(|folder| folder.join("pages"));
        let robots = robots(&client, &start).await?;
        let pages = place.crawl.max_pages.clamp(1, Crawl::MOST_PAGES);
        let crawl = Crawl { max_pages: if place.crawl.site { pages } else { 1 }, ..place.crawl };
        let reader = Reader { client, robots, cache, start, crawl, began: Instant::now(), whole: outside.whole };
        reader.read().await
    }

    fn canonical(&self, origin: &str) -> Option<String> {
        let mut url = Url::parse(origin).ok()?;
        url.set_fragment(None);
        Some(url.to_string())
    }
}

/// What the site asks of robots. A file that is not there asks nothing; a site that cannot say is left alone.
async fn robots(client: &SafeClient, start: &Url) -> Result<Robots, Failure> {
    let mut url = start.clone();
    url.set_path("/robots.txt");
    url.set_query(None);
    let answer = client.get(url.as_str()).await?;
    match answer.status {
        200..=299 => Ok(Robots::parse(&String::from_utf8_lossy(&answer.body))),
        400..=499 => Ok(Robots::default()),
        status => {
            let message = format!(
                "\"{url}\" answers {status}, so that it is not known what the site asks of robots; try again later"
            );
            Err(Failure::new(failure::ROBOTS_DISALLOWED, message))
        }
    }
}

/// A page as the cache keeps it.
#[derive(Serialize, Deserialize)]
struct Kept {
    etag: Option<String>,
    last_modified: Option<String>,
    url: String,
    html: String,
}

struct Reader {
    client: SafeClient,
    robots: Robots,
    cache: Option<PathBuf>,
    start: Url,
    crawl: Crawl,
    began: Instant,
    whole: Duration,
}

impl Reader {
    async fn read(&self) -> Result<Fetched, Failure> {
        let mut waiting = VecDeque::from([(self.start.clone(), 0)]);
        let mut seen: HashSet<String> = HashSet::from([self.start.to_string()]);
        let mut kept: HashSet<String> = HashSet::new();
        let (mut documents, mut lessons, mut failures, mut warnings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut bytes, mut closed, mut tried) = (0_usize, 0_usize, 0_usize);
        while let Some((url, depth)) = waiting.pop_front() {
            if documents.len() >= self.crawl.max_pages {
                let message =
                    format!("{} more addresses were found; raise --max-pages to read them", waiting.len() + 1);
                warnings.push(warning("PAGES_LEFT", message, self.start.as_str()));
                break;
            }
            if self.began.elapsed() > self.whole || bytes > MOST_BYTES || tried > Crawl::MOST_PAGES * 2 {
                let message = "the site took too long or is too large; the pages read so far are kept";
                warnings.push(warning("SITE_CUT", message, self.start.as_str()));
                break;
            }
            if tried > 0 {
                tokio::time::sleep(self.robots.delay).await;
            }
            tried += 1;
            let (address, html) = match self.page(&url).await {
                Ok(Some(page)) => page,
                // Something else than a page is no failure of a site, but it is of the address that was asked for.
                Ok(None) if depth > 0 => continue,
                Ok(None) => return Err(not_html(&url)),
                Err(why) if depth == 0 => return Err(why),
                Err(why) if why.code == failure::ROBOTS_DISALLOWED => {
                    closed += 1;
                    continue;
                }
                Err(why) => {
                    failures.push((url.to_string(), why));
                    continue;
                }
            };
            let said = page::read(&address, &html);
            // A page names its one address itself, as long as that stays on its site.
            let canonical = said.canonical.filter(|canonical| self.own(canonical)).unwrap_or_else(|| address.clone());
            seen.insert(canonical.to_string());
            if self.crawl.site && depth < self.crawl.depth.min(Crawl::DEEPEST) && !said.no_follow {
                for link in said.links.into_iter().filter(|link| self.own(link)) {
                    if waiting.len() < MOST_WAITING && seen.insert(link.to_string()) {
                        waiting.push_back((link, depth + 1));
                    }
                }
            }
            if said.no_index && depth > 0 {
                closed += 1;
                continue;
            }
            if said.no_index {
                let message = format!("the page \"{address}\" asks robots not to keep it; ask its owner for the text");
                return Err(Failure::new(failure::ROBOTS_DISALLOWED, message));
            }
            if !kept.insert(path_of(&canonical)) {
                continue;
            }
            bytes += html.len();
            let document = document(&canonical, html, said.licence.as_ref());
            lessons.push(Lesson { title: None, kind: "DOCUMENT".into(), path: document.path.clone(), hidden: false });
            documents.push(document);
        }
        if closed > 0 {
            let message = format!("{closed} pages were left out because the site asks robots to");
            warnings.push(warning("ROBOTS_DISALLOWED", message, self.start.as_str()));
        }
        let host = self.start.host_str().unwrap_or_default().to_owned();
        let title = if self.crawl.site { host } else { self.start.to_string() };
        let modules = vec![Module { title: None, chapter: false, lessons }];
        let outline = Outline { title, modules, failures, import: None, questions: Vec::new() };
        Ok(Fetched { outline, commit: None, documents, files: Vec::new(), warnings })
    }

    /// On the site that was asked for: same scheme, host and port.
    fn own(&self, url: &Url) -> bool {
        url.origin() == self.start.origin()
    }

    /// The page at an address with where it was found; `None` when something else is there.
    async fn page(&self, url: &Url) -> Result<Option<(Url, String)>, Failure> {
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
            if !self.robots.allows(&path) {
                let message = format!("the site asks robots not to read \"{url}\"; ask its owner for the text");
                return Err(Failure::new(failure::ROBOTS_DISALLOWED, message));
            }
            let file =
                self.cache.as_ref().map(|folder| folder.join(format!("{}.json", sha256(url.as_str().as_bytes()))));
            let kept = file.as_ref().and_then(|file| kept(file)).filter(|kept| kept.url == url.as_str());
            let known =
                kept.as_ref().map(|kept| Known { etag: kept.etag.clone(), last_modified: kept.last_modified.clone() });
            let answer = self.client.once(url.as_str(), &known.unwrap_or_default()).await?;
            if let Some(next) = &answer.redirect {
                if !self.own(next) {
                    let message =
                        format!("\"{url}\" leads to another site, \"{next}\"; give that address if you want it");
                    return Err(Failure::new(failure::TOO_MANY_REDIRECTS, message));
                }
                url = next.clone();
                url.set_fragment(None);
                continue;
            }
            return match (answer.status, kept) {
                (304, Some(kept)) => Ok(Some((url, kept.html))),
                (200..=299, _) => self.take(url, answer, file),
                (status, _) => Err(refused(&url, status)),
            };
        }
        Err(crate::safe_client::Refused::TooManyRedirects(REDIRECTS).into())
    }

    fn take(&self, url: Url, answer: Answer, file: Option<PathBuf>) -> Result<Option<(Url, String)>, Failure> {
        let kind = answer.media_type.split(';').next().unwrap_or_default().trim().to_owned();
        if !matches!(kind.as_str(), "text/html" | "application/xhtml+xml") {
            return Ok(None);
        }
        let html = crate::parse::text(url.path(), &answer.body)?;
        if let Some(file) = file.filter(|_| answer.etag.is_some() || answer.last_modified.is_some()) {
            let kept = Kept {
                etag: answer.etag,
                last_modified: answer.last_modified,
                url: url.to_string(),
                html: html.clone(),
            };
            keep(&file, &kept);
        }
        Ok(Some((url, html)))
    }
}

fn kept(file: &Path) -> Option<Kept> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// What cannot be kept is fetched again next time.
fn keep(file: &Path, kept: &Kept) {
    let written = serde_json::to_vec(kept).map_err(std::io::Error::other).and_then(|bytes| {
        let folder = file.parent().unwrap_or_else(|| Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut new = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut new, &bytes)?;
        new.persist(file).map(|_| ()).map_err(|error| error.error)
    });
    if let Err(error) = written {
        tracing::debug!(%error, "a page was not cached");
    }
}

fn refused(url: &Url, status: u16) -> Failure {
    match status {
        404 | 410 => Failure::new(failure::NOT_FOUND, format!("there is no page at \"{url}\"; check the address")),
        401..=403 => Failure::new(
            failure::LOGIN_WANTED,
            format!("\"{url}\" answers {status}: it is not for everybody; save the page and ingest the file"),
        ),
        429 | 503 => Failure::new(
            failure::RATE_LIMITED,
            format!("\"{url}\" answers {status}: the site refuses for a while; try again in an hour"),
        ),
        _ => Failure::new(failure::SITE_ERROR, format!("\"{url}\" answers {status}; try again later")),
    }
}

fn not_html(url: &Url) -> Failure {
    let message = format!("\"{url}\" is no HTML page; download it and use \"ingest file\"");
    Failure::new(failure::NOT_HTML, message)
}

fn document(url: &Url, html: String, licence: Option<&Url>) -> FetchedDocument {
    let bytes = html.into_bytes();
    let mut extra = json!({ "url": url.as_str() });
    if let Some(licence) = licence {
        extra["licence"] = json!(licence.as_str());
    }
    FetchedDocument {
        path: path_of(url),
        kind: DocumentKind::Html,
        sha256: sha256(&bytes),
        bytes: Bytes::Memory(bytes),
        media_type: "text/html",
        includes: std::collections::BTreeMap::new(),
        media: None,
        extra,
    }
}

/// The path of a page within its site; a query is part of it.
fn path_of(url: &Url) -> String {
    let mut path = url.path().trim_start_matches('/').to_owned();
    if path.is_empty() || path.ends_with('/') {
        path.push_str("index.html");
    }
    if let Some(query) = url.query() {
        path = format!("{path}?{query}");
    }
    path
}
