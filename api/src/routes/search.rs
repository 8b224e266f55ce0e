//! Searching the content of a course.

use axum::extract::State;
use axum::response::Response;
use domain::policy::Action;
use domain::{CourseId, Error, Locator};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::App;
use crate::envelope::{Page, Resource, many};
use crate::error::ApiResult;
use crate::extract::{Caller, Path, Query, asking};
use crate::routes::content::Place;

pub(super) const QUERY: &[(&str, &str)] = &[("q", "What to look for"), ("limit", "At most so many, 1 to 50")];

/// Query of the search.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchQuery {
    q: String,
    limit: Option<usize>,
}

/// A passage that was found.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HitAttributes {
    /// From 1.
    rank: usize,
    /// 0 to 1, comparable within one search only.
    score: f64,
    /// The passage.
    text: String,
    /// Path within the source.
    source_path: String,
    /// Chapter, section, subsection.
    heading_path: Vec<String>,
    /// The exact place.
    #[schema(value_type = Place)]
    locator: Locator,
}

pub(super) fn check_question(field: &str, question: &str) -> Result<(), Error> {
    let length = question.trim().chars().count();
    if length == 0 {
        return Err(Error::invalid(field, "TOO_SHORT", format!("\"{field}\" is empty")));
    }
    if length > 2_000 {
        return Err(Error::invalid(field, "TOO_LONG", format!("\"{field}\" has at most 2000 characters")));
    }
    Ok(())
}

pub(super) async fn search(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<CourseId>,
    Query(query): Query<SearchQuery>,
) -> ApiResult<Response> {
    let scope = app.ports.school.scope_for(&caller.actor, id, Action::ReadPublished).await?;
    check_question("q", &query.q)?;
    let limit = query.limit.unwrap_or(10);
    if !(1..=50).contains(&limit) {
        return Err(Error::invalid("limit", "OUT_OF_RANGE", "\"limit\" is 1 to 50").into());
    }
    let found =
        app.ports.assistant.by(asking(&caller.actor, Some(id), "search")).search(&scope, &query.q, limit).await?;
    let page = Page { limit: i64::try_from(limit).unwrap_or_default(), ..Page::default() };
    let resources = found
        .into_iter()
        .map(|hit| {
            let lesson = hit.lesson_id;
            let attributes = HitAttributes {
                rank: hit.rank,
                score: hit.score,
                text: hit.text,
                source_path: hit.source_path,
                heading_path: hit.heading_path,
                locator: hit.locator,
            };
            let resource = Resource::new("passages", hit.chunk_id, attributes).related("course", "courses", id);
            match lesson {
                Some(lesson) => resource.related("content", "content", lesson),
                None => resource,
            }
        })
        .collect();
    Ok(many(&format!("/api/v1/courses/{id}/search"), resources, &page))
}
