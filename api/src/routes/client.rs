//! The browser client, from the binary alone. What it may do is decided by the routes that it calls.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use domain::Error;
use rust_embed::RustEmbed;

use crate::error::ApiResult;
use crate::extract::Path;
use crate::layer::Rendered;

#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct Dist;

const PAGE: &str = "index.html";
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Lyceum</title></head>\
<body><main><h1>The browser client is not in this binary</h1><p>It was built without <code>web/dist</code>. With \
Node.js 20.19 or newer, run <code>make web</code>, then build the binary again with <code>make bin</code>.</p>\
<p>Everything else works: the <a href=\"/docs\">interface and its documentation</a>, and the commands of \
<code>lyceum</code>.</p></main></body></html>";

/// Whether this binary holds the browser client.
#[must_use]
pub fn client_is_built() -> bool {
    Dist::get(PAGE).is_some()
}

pub(super) async fn index() -> Response {
    Redirect::temporary("/app/courses").into_response()
}

/// A file of the client; every other address is a page of it, which its own router finds.
pub(super) async fn file(Path(path): Path<String>, headers: HeaderMap) -> ApiResult<Response> {
    let asset = path.starts_with("assets/");
    let (name, found) = match Dist::get(&path) {
        Some(found) => (path.as_str(), Some(found)),
        None if asset => return Err(Error::not_found("file", &path).into()),
        None => (PAGE, Dist::get(PAGE)),
    };
    let Some(found) = found else {
        let mut response = (StatusCode::SERVICE_UNAVAILABLE, axum::response::Html(NOT_BUILT)).into_response();
        response.extensions_mut().insert(Rendered);
        return Ok(response);
    };
    let tag = format!("\"{}\"", hex::encode(found.metadata.sha256_hash()));
    // The name of an asset carries the hash of its content.
    let kept = if asset { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == tag.as_bytes());
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { found.data.into_owned().into_response() };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(header::ETAG, tag);
    }
    Ok(response)
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        _ => "application/octet-stream",
    }
}
