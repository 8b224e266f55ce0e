//! The shapes of answers: one resource, many resources, times.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::Micros;
use serde::Serialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// One thing as it goes out.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Resource<A> {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) attributes: A,
    pub(crate) relationships: Map<String, Value>,
    pub(crate) meta: Map<String, Value>,
}

impl<A: Serialize> Resource<A> {
    pub(crate) fn new(kind: &'static str, id: impl std::fmt::Display, attributes: A) -> Self {
        Self { id: id.to_string(), kind, attributes, relationships: Map::new(), meta: Map::new() }
    }

    /// Points at another thing.
    pub(crate) fn related(mut self, name: &str, kind: &str, id: impl std::fmt::Display) -> Self {
        self.relationships.insert(name.into(), json!({ "data": { "type": kind, "id": id.to_string() } }));
        self
    }

    /// Says when it was made and changed.
    pub(crate) fn at(mut self, created: Micros, updated: Micros) -> Self {
        self.meta.insert("createdAt".into(), json!(rfc3339(created)));
        self.meta.insert("updatedAt".into(), json!(rfc3339(updated)));
        self
    }

    pub(crate) fn note(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.meta.insert(name.into(), value.into());
        self
    }
}

/// Answers one thing.
pub(crate) fn one<A: Serialize>(link: impl Into<String>, resource: Resource<A>) -> Response {
    with_links(StatusCode::OK, resource, &[("self", link.into())])
}

/// Answers a thing that was made, with its address.
pub(crate) fn created<A: Serialize>(link: impl Into<String>, resource: Resource<A>) -> Response {
    let link = link.into();
    let mut response = with_links(StatusCode::CREATED, resource, &[("self", link.clone())]);
    if let Ok(value) = link.parse() {
        response.headers_mut().insert(axum::http::header::LOCATION, value);
    }
    response
}

/// Answers one thing with these links.
pub(crate) fn with_links<A: Serialize>(
    status: StatusCode,
    resource: Resource<A>,
    links: &[(&str, String)],
) -> Response {
    let links: Map<String, Value> = links.iter().map(|(name, to)| ((*name).to_owned(), json!(to))).collect();
    (status, Json(json!({ "data": resource, "included": [], "links": links }))).into_response()
}

/// A page of a list: what was asked and where the next one begins.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub(crate) current: Option<String>,
    pub(crate) next: Option<String>,
    pub(crate) limit: i64,
}

impl Page {
    /// The page that shows `found`; a full one may have a next.
    pub(crate) fn of<T>(found: &[T], limit: i64, current: Option<String>, id: impl Fn(&T) -> String) -> Self {
        let full = i64::try_from(found.len()).is_ok_and(|count| count >= limit);
        Self { current, next: if full { found.last().map(id) } else { None }, limit }
    }
}

/// Answers many things.
pub(crate) fn many<A: Serialize>(link: &str, resources: Vec<Resource<A>>, page: &Page) -> Response {
    let meta = json!({ "pagination": {
        "cursor": { "current": page.current, "next": page.next, "prev": null },
        "perPage": page.limit,
        "count": resources.len(),
    }});
    Json(json!({ "data": resources, "included": [], "meta": meta, "links": { "self": link } })).into_response()
}

/// A time as the world writes it.
pub(crate) fn rfc3339(micros: Micros) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// The time of an answer.
pub(crate) fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}
