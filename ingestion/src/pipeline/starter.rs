//! What people and programs begin through the interface: addresses and uploads, never paths of this machine.

use async_trait::async_trait;
use domain::ingestion::{Crawl, SourceKind};
use domain::policy::Actor;
use domain::{CourseId, Error, ErrorKind, IngestionId, InstitutionId, VersionId};
use school::ingestion::{Location, StartRequest, Starter};
use store::Scope;

use super::{Pipeline, Request, canonical};
use crate::source::Place;

/// Where a request of the interface leads: the origin that names its source, and what is asked of it.
fn located(kind: SourceKind, location: Location, crawl: Crawl) -> (String, Request) {
    match location {
        Location::Url(url) => {
            let origin = canonical(kind, &url);
            let place =
                Place { origin: origin.clone(), name: None, captions: None, local: false, rights: false, crawl };
            (origin, Request { kind, place, uploads: Vec::new(), packed: None })
        }
        Location::Upload { path, name, captions } => {
            let place = Place {
                origin: path.to_string_lossy().into_owned(),
                name: Some(name.clone()),
                captions: captions.clone(),
                local: true,
                rights: false,
                crawl,
            };
            let uploads = std::iter::once(path).chain(captions).collect();
            (format!("upload:{name}"), Request { kind, place, uploads, packed: None })
        }
    }
}

#[async_trait]
impl Starter for Pipeline {
    async fn start(&self, actor: &Actor, request: StartRequest) -> Result<IngestionId, Error> {
        let (origin, asked) = located(request.kind, request.location, request.crawl);
        self.begin(request.institution, request.course, &origin, asked, actor.user_id).await
    }

    async fn plan(&self, _actor: &Actor, request: StartRequest) -> Result<serde_json::Value, Error> {
        let (origin, asked) = located(request.kind, request.location, request.crawl);
        let plan = self.plan_of(request.institution, Some(request.course), asked.kind, asked.place, &origin).await?;
        serde_json::to_value(plan).map_err(|error| Error::new(ErrorKind::Internal, error.to_string()))
    }

    async fn room(&self, institution: InstitutionId, bytes: u64) -> Result<(), Error> {
        super::room::for_upload(&self.parts, institution, bytes).await
    }

    async fn removed(&self, institution: InstitutionId, course: CourseId, version: VersionId) {
        if let Err(error) = self.parts.index.delete_version(institution, version).await {
            tracing::warn!(%error, "the vector index still has a removed source; it is reconciled with the next run");
        }
        if let Some(after) = &self.parts.after
            && let Err(error) = after.indexed(Scope { institution, course, hidden: true }).await
        {
            tracing::warn!(%error, course.id = %course, "the scope gate was not fitted anew");
        }
    }
}
