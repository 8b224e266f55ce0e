//! The browser client, from the binary alone. What it may do is decided by the routes that it calls.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use domain::Error;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::App;
use crate::error::ApiResult;
use crate::extract::Path;
use crate::layer::{Rendered, framing_csp};

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

/// The folder of the page that plays packages, within what is embedded.
const PLAYER: &str = "player/";

/// Whether this binary holds the page that plays packages.
pub(crate) fn player_is_built() -> bool {
    Dist::get("player/player.js").is_some()
}

/// A script of the page that plays packages, for the origin of packages.
pub(crate) fn player_file(name: &str, headers: &HeaderMap) -> Option<Response> {
    let found = Dist::get(&format!("{PLAYER}{name}"))?;
    Some(embedded(found, name, "private, no-cache", headers))
}

/// The page of a lesson that frames a package: the only one that may.
fn frames(path: &str) -> bool {
    let steps: Vec<&str> = path.split('/').collect();
    matches!(steps.as_slice(), ["courses", _, "lessons", _, "package"])
}

pub(super) async fn index() -> Response {
    Redirect::temporary("/app/courses").into_response()
}

/// A file of the client; every other address is a page of it, which its own router finds.
pub(super) async fn file(State(app): State<App>, Path(path): Path<String>, headers: HeaderMap) -> ApiResult<Response> {
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
    // The name of an asset carries the hash of its content.
    let kept = if asset { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = embedded(found, name, kept, &headers);
    if frames(&path) {
        let csp = framing_csp(&app.content.source());
        if let Ok(csp) = HeaderValue::from_str(&csp) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, csp);
        }
    }
    Ok(response)
}

fn embedded(found: EmbeddedFile, name: &str, kept: &'static str, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex::encode(found.metadata.sha256_hash()));
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|sent| sent.as_bytes() == tag.as_bytes());
    let mut response =
        if known { StatusCode::NOT_MODIFIED.into_response() } else { found.data.into_owned().into_response() };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(kept));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(header::ETAG, tag);
    }
    response
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
