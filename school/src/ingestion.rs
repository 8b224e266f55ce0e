//! Ingestions as people start and watch them. The pipeline itself is wired in as a [`Starter`].

use std::path::PathBuf;
use std::sync::Arc;

use domain::event::Event;
use domain::ingestion::{Crawl, SourceKind};
use domain::policy::{Action, Actor};
use domain::{CourseId, Error, ErrorKind, IngestionId, InstitutionId, UploadId, VersionId};
use serde::{Deserialize, Serialize};
use store::sql::ingestion::Ingestion;
use store::sql::institution::Owned;
use store::sql::{self};

use crate::unit::record;
use crate::{Result, School, access};

pub mod control;

/// Where the content of an ingestion comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An https address on the list of allowed hosts.
    Url(String),
    /// A file that was uploaded; the one who starts the ingestion takes it over and removes it.
    Upload {
        /// Where it lies for now.
        path: PathBuf,
        /// What its sender called it.
        name: String,
        /// A caption file that came with it.
        captions: Option<PathBuf>,
    },
}

/// A request to the pipeline, already allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartRequest {
    /// Tenant.
    pub institution: InstitutionId,
    /// Course.
    pub course: CourseId,
    /// Slug of that course.
    pub course_slug: String,
    /// What kind of source.
    pub kind: SourceKind,
    /// From where.
    pub location: Location,
    /// How much of a web site.
    pub crawl: Crawl,
}

/// Starts ingestions: implemented by the pipeline, wired by whoever opens it.
#[async_trait::async_trait]
pub trait Starter: Send + Sync {
    /// Writes the ingestion row, its event and its first job in one transaction.
    async fn start(&self, actor: &Actor, request: StartRequest) -> Result<IngestionId>;

    /// What the request would bring, as JSON for people and programs; nothing is written.
    async fn plan(&self, actor: &Actor, request: StartRequest) -> Result<serde_json::Value>;

    /// Checks that a file of so many bytes has room: on the disk, and in what the institution may store.
    async fn room(&self, institution: InstitutionId, bytes: u64) -> Result<()>;

    /// A published version is gone from its course: indexes beside the rows forget it.
    async fn removed(&self, institution: InstitutionId, course: CourseId, version: VersionId);
}

/// What is ingested, as a caller asks for it.
#[derive(Debug, Clone)]
pub struct NewIngestion {
    /// Into which course.
    pub course: CourseId,
    /// What kind of source.
    pub kind: SourceKind,
    /// From where.
    pub location: Location,
    /// How much of a web site.
    pub crawl: Crawl,
    /// Uploads that the location stands for; they end with the start.
    pub uploads: Vec<UploadId>,
}

/// Use cases of ingestions.
pub struct Ingestions<'a> {
    pub(crate) school: &'a School,
}

/// The receipt of a started ingestion.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Started {
    id: IngestionId,
}

impl Ingestions<'_> {
    /// Starts an ingestion. The interface takes https addresses on the list of allowed hosts and uploads only.
    ///
    /// # Errors
    /// Refused by policy, an address that is not allowed, or no pipeline in this process.
    pub async fn start(&self, actor: &Actor, new: NewIngestion) -> Result<Ingestion> {
        let starter: Arc<dyn Starter> = self
            .school
            .inner
            .starter
            .get()
            .cloned()
            .ok_or_else(|| Error::new(ErrorKind::Unavailable, "this process does not ingest; ask one that does"))?;
        let acting = actor.clone();
        let course = self
            .school
            .read(move |tx| {
                Box::pin(async move { crate::course::editable(tx, &acting, Action::Ingest, new.course).await })
            })
            .await?;
        check_location(new.kind, &new.location, &self.school.options().ingest_hosts)?;
        if let Some(before) = self.answered(actor).await? {
            return Ok(before);
        }
        let request = StartRequest {
            institution: course.institution_id,
            course: course.id,
            course_slug: course.slug,
            kind: new.kind,
            location: new.location,
            crawl: new.crawl,
        };
        let id = starter.start(actor, request).await?;
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let subject = format!("course:{}", course.id);
                    record(tx, actor, course.institution_id, Action::Ingest.as_str(), &subject).await?;
                    for upload in new.uploads {
                        crate::upload::taken(tx, actor, upload).await?;
                    }
                    Ok(Started { id })
                })
            })
            .await?;
        self.get(actor, id).await
    }

    /// What the same request, by its idempotency key, started before.
    ///
    /// # Errors
    /// The key was used for another request.
    pub async fn answered(&self, actor: &Actor) -> Result<Option<Ingestion>> {
        match self.school.replayed(actor).await? {
            Some(Started { id }) => self.get(actor, id).await.map(Some),
            None => Ok(None),
        }
    }

    /// What an ingestion would bring: documents, bytes, time, disk, what is unchanged. Nothing is written.
    ///
    /// # Errors
    /// As [`Self::start`], and the source's own typed failure.
    pub async fn plan(&self, actor: &Actor, new: NewIngestion) -> Result<serde_json::Value> {
        let starter = self.school.inner.starter.get().cloned();
        let starter = starter
            .ok_or_else(|| Error::new(ErrorKind::Unavailable, "this process does not ingest; ask one that does"))?;
        let acting = actor.clone();
        let editable = self.school.read(move |tx| {
            Box::pin(async move { crate::course::editable(tx, &acting, Action::Ingest, new.course).await })
        });
        let course = editable.await?;
        check_location(new.kind, &new.location, &self.school.options().ingest_hosts)?;
        let request = StartRequest {
            institution: course.institution_id,
            course: course.id,
            course_slug: course.slug,
            kind: new.kind,
            location: new.location,
            crawl: new.crawl,
        };
        starter.plan(actor, request).await
    }

    /// An ingestion with its state.
    ///
    /// # Errors
    /// Not found when the caller may not ingest into that course.
    pub async fn get(&self, actor: &Actor, id: IngestionId) -> Result<Ingestion> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let missing = || {
                        if acting.is_guest() { access::log_in() } else { Error::not_found("ingestion", id) }
                    };
                    let institution = sql::institution::of(tx, Owned::Ingestion(id)).await?.ok_or_else(missing)?;
                    let found = sql::ingestion::get(tx, institution, id).await?.ok_or_else(missing)?;
                    let course = sql::course::get(tx, institution, found.course_id).await?.ok_or_else(missing)?;
                    access::hidden(&acting, Action::Ingest, &crate::course::subject(&course), missing)?;
                    Ok(found)
                })
            })
            .await
    }

    /// The latest ingestions into a course, newest first.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn list(&self, actor: &Actor, course: CourseId) -> Result<Vec<Ingestion>> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, &acting, Action::Ingest, course).await?;
                    sql::ingestion::list(tx, course.institution_id, course.id).await
                })
            })
            .await
    }

    /// What the log says of an ingestion after place `seq`, with the places.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub async fn events(&self, actor: &Actor, id: IngestionId, seq: i64) -> Result<Vec<(i64, Event)>> {
        let found = self.get(actor, id).await?;
        self.school
            .read(move |tx| {
                Box::pin(
                    async move { sql::event::correlated(tx, found.institution_id, &id.to_string(), seq, 500).await },
                )
            })
            .await
    }
}

/// Checks what a request may name. The pipeline checks addresses again when it resolves them.
fn check_location(kind: SourceKind, location: &Location, hosts: &[String]) -> Result<()> {
    let invalid = |code: &str, message: String| Err(Error::invalid("url", code, message));
    match location {
        Location::Upload { .. }
            if matches!(
                kind,
                SourceKind::Dir | SourceKind::Git | SourceKind::Youtube | SourceKind::VideoPage | SourceKind::Web
            ) =>
        {
            let message = format!("a source of kind \"{}\" is not uploaded as one file", kind.as_str());
            Err(Error::invalid("kind", "INVALID_FORMAT", message))
        }
        Location::Upload { .. } => Ok(()),
        // Only an id is taken out of it and the host is ours, so that no list is asked.
        Location::Url(text) if kind == SourceKind::Youtube => {
            domain::youtube::Target::parse(text).map(|_| ()).map_err(|why| Error::invalid("url", "INVALID_FORMAT", why))
        }
        Location::Url(_) if !matches!(kind, SourceKind::Git | SourceKind::VideoPage | SourceKind::Web) => {
            let message = format!("a source of kind \"{}\" is uploaded, not fetched", kind.as_str());
            Err(Error::invalid("kind", "INVALID_FORMAT", message))
        }
        Location::Url(text) => {
            // A web page of a listed host:port is one of the administrator's own network.
            let named = |rest: &str| rest.split(['/', '?']).next().unwrap_or_default().to_ascii_lowercase();
            let own = text.strip_prefix("http://").map(named).filter(|host| host.contains(':') && hosts.contains(host));
            if kind == SourceKind::Web && own.is_some() {
                return Ok(());
            }
            let Some(rest) = text.strip_prefix("https://") else {
                return invalid("INVALID_FORMAT", "\"url\" must begin with https://".into());
            };
            // A page may be named by its query; a repository is a path.
            let page = matches!(kind, SourceKind::VideoPage | SourceKind::Web);
            let query = |c: char| page && matches!(c, '%' | '?');
            let odd = |c: char| {
                c.is_control() || c.is_whitespace() || (matches!(c, '@' | '\\' | '%' | '?' | '#') && !query(c))
            };
            let host = rest.split(['/', '?']).next().unwrap_or_default().to_ascii_lowercase();
            if text.len() > 2_000 || rest.chars().any(odd) || host.contains(':') || host.is_empty() {
                return invalid(
                    "INVALID_FORMAT",
                    "\"url\" is a plain https address: host and path, for a page its query, nothing else".into(),
                );
            }
            // The guarded client goes to public addresses alone; "*" lists every host for it.
            let any = kind == SourceKind::Web && hosts.iter().any(|known| known == "*");
            if !any && !hosts.contains(&host) {
                return invalid("HOST_NOT_ALLOWED", format!("the host \"{host}\" is not on the list of allowed hosts"));
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_needs_no_list_and_a_page_does() {
        let hosts = ["video.example.org".to_owned()];
        for (kind, url, good) in [
            (SourceKind::Youtube, "https://www.youtube.com/watch?v=dQw4w9WgXcQ", true),
            (SourceKind::Youtube, "https://youtu.be/dQw4w9WgXcQ", true),
            (SourceKind::Youtube, "https://www.youtube.com/@some.handle", true),
            (SourceKind::Youtube, "https://evil.example/watch?v=dQw4w9WgXcQ", false),
            (SourceKind::Youtube, "https://www.youtube.com/watch?v=--exec", false),
            (SourceKind::VideoPage, "https://video.example.org/talk?id=7", true),
            (SourceKind::VideoPage, "https://video.example.org?id=7", true),
            (SourceKind::VideoPage, "https://other.example.org/talk", false),
            (SourceKind::VideoPage, "https://video.example.org@other.example.org/", false),
            (SourceKind::VideoPage, "http://video.example.org/talk", false),
            (SourceKind::Git, "https://video.example.org/repository", true),
            (SourceKind::Git, "https://video.example.org/repository?x=1", false),
            (SourceKind::Scorm, "https://video.example.org/package.zip", false),
        ] {
            let checked = check_location(kind, &Location::Url(url.into()), &hosts);
            assert_eq!(checked.is_ok(), good, "{kind:?} {url}: {checked:?}");
        }
        let upload = Location::Upload { path: PathBuf::new(), name: "x".into(), captions: None };
        for kind in [SourceKind::Youtube, SourceKind::VideoPage] {
            assert!(check_location(kind, &upload, &hosts).is_err(), "{kind:?} is not uploaded");
        }
    }
}
