//! The description of the interface and the page that shows it, from the binary alone.

use std::sync::Arc;

use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use utoipa_swagger_ui::Config;

use crate::error::{ApiError, ApiResult};
use crate::extract::Path;

pub(super) async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], crate::openapi_json()).into_response()
}

pub(super) async fn index() -> Response {
    Redirect::permanent("/docs/index.html").into_response()
}

pub(super) async fn file(Path(file): Path<String>) -> ApiResult<Response> {
    let missing = || ApiError(domain::Error::not_found("page", &file));
    let config = Arc::new(Config::from("/openapi.json"));
    let found = utoipa_swagger_ui::serve(&file, config).map_err(|_| missing())?.ok_or_else(missing)?;
    let mut response = found.bytes.into_owned().into_response();
    if let Ok(kind) = found.content_type.parse() {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    Ok(response)
}
