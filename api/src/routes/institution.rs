//! Institutions.

use axum::extract::State;
use axum::response::Response;
use domain::InstitutionId;
use domain::institution::Institution;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, created, many, one};
use crate::error::ApiResult;
use crate::extract::{Caller, Json, Path};

/// What an institution is made from.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewInstitution {
    /// Name in addresses.
    slug: String,
    /// Name for people.
    name: String,
}

/// An institution.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstitutionAttributes {
    /// Name in addresses.
    slug: String,
    /// Name for people.
    name: String,
    /// `active` or `suspended`.
    status: String,
}

fn resource(one: Institution) -> Resource<InstitutionAttributes> {
    let attributes = InstitutionAttributes { slug: one.slug, name: one.name, status: one.status };
    Resource::new("institutions", one.id, attributes).at(one.created_at, one.created_at)
}

fn link(id: InstitutionId) -> String {
    format!("/api/v1/institutions/{id}")
}

pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Json(new): Json<NewInstitution>,
) -> ApiResult<Response> {
    let new = school::institution::NewInstitution { slug: new.slug, name: new.name };
    let made = app.ports.school.institution().create(&caller.actor, new).await?;
    Ok(created(link(made.id), resource(made)))
}

pub(super) async fn get(State(app): State<App>, caller: Caller, Path(id): Path<InstitutionId>) -> ApiResult<Response> {
    let found = app.ports.school.institution().get(&caller.actor, id).await?;
    Ok(one(link(id), resource(found)))
}

pub(super) async fn list(State(app): State<App>, caller: Caller) -> ApiResult<Response> {
    let found = app.ports.school.institution().list(&caller.actor).await?;
    let page = Page { limit: i64::try_from(found.len()).unwrap_or_default(), ..Page::default() };
    Ok(many("/api/v1/institutions", found.into_iter().map(resource).collect(), &page))
}
