//! The origin that packages are shown on (SAFETY A9): their files and the page that plays them, nothing else.
//!
//! It is the same listener under other hosts. No login reaches here: an address is signed, ends, and stands
//! for one session of one attempt, so a package can read its own files and call nobody. The API answers 401.

mod h5p;
mod media_type;
mod origin;
mod seal;

pub(crate) use h5p::check as check_player;

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::future::RouteFuture;
use domain::{Error, ErrorKind};
use futures::FutureExt as _;
use futures::future::{BoxFuture, Either};
use school::scorm::{Opened, Ticket};
use store::blob::BlobRef;
use tower::Service;

use crate::App;
use crate::error::ApiError;
use crate::extract::Caller;
use crate::media;
use crate::routes::{Direct, client};

use origin::{Origin, host_of, is_origin};
use seal::Claims;

/// Packages cannot be shown to this browser: no origin of theirs is reachable from it.
pub(crate) const NO_ORIGIN: &str = "CONTENT_ORIGIN_UNSET";

/// What a package may do. Scripts of packages write themselves into their pages, so nothing of that is forbidden;
/// but everything comes from this origin, so that what a learner does is told to nobody else.
const PACKAGE_CSP: &str = "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; object-src 'self'; \
                           base-uri 'self'; form-action 'self'";
/// What the page that plays it may do.
const PLAYER_CSP: &str = "default-src 'none'; script-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'";

/// Whether a text can be the setting `content_origin`.
///
/// # Errors
/// What it must be.
pub fn check_content_origin(text: &str) -> Result<(), String> {
    Origin::parse(text).map(|_| ())
}

/// Whether a folder can be the setting `h5p_player`.
///
/// # Errors
/// What is missing.
pub fn check_h5p_player(folder: &std::path::Path) -> Result<(), String> {
    h5p::check(Some(folder)).map(|_| ()).map_err(|error| error.message)
}

/// The hosts of packages and the key of their addresses.
pub(crate) struct ContentOrigin {
    origin: Option<Origin>,
    key: Vec<u8>,
    seconds: i64,
}

/// Where a player is.
pub(crate) struct Address {
    /// Its origin.
    pub(crate) origin: String,
    /// Its page.
    pub(crate) player: String,
    /// Where the files of the package begin.
    pub(crate) files: String,
    /// The page that plays it when it is an H5P package.
    pub(crate) h5p: String,
    /// Until when, in seconds since 1970.
    pub(crate) until: i64,
}

fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

impl ContentOrigin {
    pub(crate) fn new(setting: &str, key: Vec<u8>, seconds: i64) -> Self {
        let origin = Origin::parse(setting);
        if let Err(why) = &origin {
            tracing::error!(setting, why, "the origin of packages cannot be read; no package can be played");
        }
        Self { origin: origin.ok(), key, seconds }
    }

    /// The frames that the page of a package needs, as a source of a content security policy.
    pub(crate) fn source(&self) -> String {
        self.origin.as_ref().map_or_else(|| "'none'".to_owned(), Origin::source)
    }

    /// The origin that a player for this caller has to be framed by; refused where its browser would not find
    /// the packages.
    pub(crate) fn app_of(&self, headers: &HeaderMap) -> Result<String, ApiError> {
        let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST).unwrap_or_default();
        let app = text(header::ORIGIN).filter(|origin| is_origin(origin)).map_or_else(
            || if host.is_empty() { "http://localhost".into() } else { format!("http://{host}") },
            str::to_owned,
        );
        let (_, authority) = app.split_once("://").unwrap_or_default();
        let here = ["localhost", "127.0.0.1", "[::1]"].contains(&host_of(authority).as_str());
        let reached = self.origin.as_ref().is_some_and(|origin| here || !origin.this_machine_only());
        if reached && is_origin(&app) {
            return Ok(app);
        }
        let message = "packages are shown on a host of their own, and none is set that this browser reaches; whoever \
                       runs this server sets \"content_origin\" (docs/scorm.md)";
        Err(ApiError::new(ErrorKind::Conflict, NO_ORIGIN, message))
    }

    /// A signed address for a session that was opened.
    pub(crate) fn address(&self, app: String, opened: &Opened, login: Option<String>) -> Option<Address> {
        let origin = self.origin.as_ref()?.of(opened.attempt.id);
        let ticket = Ticket {
            institution: opened.institution_id,
            version: opened.launch.version_id,
            attempt: opened.attempt.id,
            revision: opened.attempt.revision,
            user: opened.attempt.user_id,
            login,
        };
        let until = now() + self.seconds;
        let token = seal::seal(&self.key, &Claims { ticket, app, until });
        let place = |end: &str| format!("{origin}/{token}/{end}");
        let (player, files, h5p) = (place("play"), place("files/"), place("h5p/"));
        Some(Address { origin, player, files, h5p, until })
    }
}

/// Outermost of all: a request for a host of packages does not come to the routes, and one of the model API comes to
/// its handler at once.
///
/// A service rather than a layer, which a router would put around each of its routes and copy for every request.
#[derive(Clone)]
pub(crate) struct Diverted {
    app: App,
    routes: Router,
    direct: Arc<[(Method, &'static str, Direct)]>,
}

impl Diverted {
    pub(crate) fn new(app: App, routes: Router, direct: Vec<(Method, &'static str, Direct)>) -> Self {
        Self { app, routes, direct: direct.into() }
    }
}

impl Service<Request> for Diverted {
    type Response = Response;
    type Error = Infallible;
    type Future = Either<RouteFuture<Infallible>, BoxFuture<'static, Result<Response, Infallible>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match label_of(&self.app.content, &request) {
            None => {
                let wanted = |(method, path, _): &&(Method, &str, Direct)| {
                    *path == request.uri().path() && method == request.method()
                };
                match self.direct.iter().find(wanted) {
                    Some((_, _, direct)) => Either::Right(direct(request, self.app.clone())),
                    None => Either::Left(self.routes.call(request)),
                }
            }
            Some(label) => {
                let app = self.app.clone();
                Either::Right(async move { Ok(shown(&app, label, request).await) }.boxed())
            }
        }
    }
}

/// What a host of packages answers.
async fn shown(app: &App, label: Option<String>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let answered = answer(app, label.as_deref(), &parts.method, parts.uri.path(), &parts.headers);
    let mut response = match tokio::time::timeout(app.options.timeout, answered).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => refused(&error),
        Err(_) => refused(&Error::new(ErrorKind::Unavailable, "this took too long; try again")),
    };
    secure(response.headers_mut());
    response
}

/// The label of a host of packages; every name that a request goes by counts.
fn label_of(content: &ContentOrigin, request: &Request) -> Option<Option<String>> {
    let origin = content.origin.as_ref()?;
    let named = request.headers().get_all(header::HOST).iter().filter_map(|value| value.to_str().ok());
    let hosts = request.uri().authority().map(axum::http::uri::Authority::as_str).into_iter().chain(named);
    hosts.map(host_of).find_map(|host| origin.label(&host).map(|label| label.map(str::to_owned)))
}

async fn answer(
    app: &App,
    label: Option<&str>,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let (token, rest) = path.strip_prefix('/').unwrap_or(path).split_once('/').unwrap_or_default();
    if matches!(token, "api" | "v1") {
        return Err(Error::new(ErrorKind::Unauthorized, "this host shows packages; nobody is logged in here"));
    }
    let nothing = || Error::new(ErrorKind::NotFound, "there is nothing at this address; this host shows packages only");
    if !token.contains('.') {
        return Err(nothing());
    }
    let over = || {
        let message = "this address has ended or was changed; go back to the course and open the package again";
        Error::new(ErrorKind::Unauthorized, message)
    };
    let claims = seal::open(&app.content.key, token, now()).ok_or_else(over)?;
    let ticket = &claims.ticket;
    if label.is_some_and(|label| label != ticket.attempt.to_string()) {
        return Err(over());
    }
    // Nor may a package leave a worker behind that answers for its origin.
    if !matches!(*method, Method::GET | Method::HEAD) || headers.contains_key("service-worker") {
        return Err(nothing());
    }
    let scorm = app.ports.school.scorm();
    if rest == "play" {
        scorm.admit(ticket).await?;
        return Ok(player(&claims.app));
    }
    if let Some(name) = rest.strip_prefix("player/") {
        return client::player_file(name, headers).ok_or_else(nothing);
    }
    if let Some(name) = rest.strip_prefix("h5p/") {
        scorm.admit(ticket).await?;
        let name = if name.is_empty() { None } else { Some(inside(name).ok_or_else(nothing)?) };
        let mut response =
            h5p::answer(app.options.h5p_player.as_deref(), name.as_deref()).await?.ok_or_else(nothing)?;
        package_policy(&mut response, &claims.app);
        return Ok(response);
    }
    let path = rest.strip_prefix("files/").and_then(inside).ok_or_else(nothing)?;
    let blob = scorm.file(ticket, &path).await?;
    let blob = BlobRef { media_type: media_type::of(&path).to_owned(), ..blob };
    let served = media::serve_made(&app.ports.blobs, ticket.institution, &blob, headers).await;
    let mut response = served.map_err(|error| error.0)?;
    package_policy(&mut response, &claims.app);
    Ok(response)
}

fn package_policy(response: &mut Response, app: &str) {
    let csp = format!("{PACKAGE_CSP}; frame-ancestors 'self' {app}");
    put(response.headers_mut(), "content-security-policy", &csp);
}

/// A path of the address as one within the package; nothing for one that leaves it.
fn inside(path: &str) -> Option<String> {
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            let digits = path.get(at + 1..at + 3)?;
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            decoded.push(u8::from_str_radix(digits, 16).ok()?);
            at += 3;
        } else {
            decoded.push(byte);
            at += 1;
        }
    }
    // Archives may write "\" for "/", and their import reads it so.
    let path = String::from_utf8(decoded).ok()?.replace('\\', "/");
    let step = |part: &str| !matches!(part, "" | "." | "..");
    (path.len() <= 1024 && !path.chars().any(char::is_control) && path.split('/').all(step)).then_some(path)
}

fn player(app: &str) -> Response {
    if !client::player_is_built() {
        let message = "the player is not in this binary; build it with: make web, then make bin";
        return refused(&Error::new(ErrorKind::Unavailable, message));
    }
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Package</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"lyceum-app\" content=\"{app}\"><script type=\"module\" src=\"player/player.js\"></script></head>\
         <body></body></html>"
    );
    let mut response = axum::response::Html(page).into_response();
    put(response.headers_mut(), "content-security-policy", &format!("{PLAYER_CSP}; frame-ancestors {app}"));
    put(response.headers_mut(), "cache-control", "no-store");
    response
}

/// What a frame shows where there is nothing else to show.
fn refused(error: &Error) -> Response {
    let status = match error.kind {
        ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::ValidationError if error.code == crate::error::BAD_RANGE => StatusCode::RANGE_NOT_SATISFIABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let message = if status == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(error = %error.message, "a file of a package could not be served");
        "something broke here; try again"
    } else {
        error.message.as_str()
    };
    // The path of a file is a package's own word.
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Package</title><p>{message}.</p></html>"
    );
    let mut response = (status, axum::response::Html(page)).into_response();
    put(response.headers_mut(), "content-security-policy", "default-src 'none'");
    put(response.headers_mut(), "cache-control", "no-store");
    response
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn secure(headers: &mut HeaderMap) {
    put(headers, "x-content-type-options", "nosniff");
    // The address of a page is its key: no other site is told it.
    put(headers, "referrer-policy", "same-origin");
    put(headers, "cross-origin-resource-policy", "same-origin");
    put(headers, "permissions-policy", "camera=(), microphone=(), geolocation=()");
}

/// The login that a caller's token comes from.
pub(crate) async fn login_of(app: &App, caller: &Caller) -> Result<Option<String>, Error> {
    match &caller.token {
        Some(secret) => app.ports.school.session().login_of(secret).await,
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{inside, media_type};

    #[test]
    fn a_path_stays_within_its_package() {
        assert_eq!(inside("a/b.html").as_deref(), Some("a/b.html"));
        assert_eq!(inside("a%20b/%C3%A4.html").as_deref(), Some("a b/ä.html"));
        assert_eq!(inside("a%5Cb.html").as_deref(), Some("a/b.html"));
        for bad in [
            "",
            "/",
            "a//b",
            "../a",
            "a/../b",
            "a/%2e%2e/b",
            "%2e%2e%2fa",
            "a/..%5cb",
            "a%00b",
            "a%",
            "a%4",
            "a%zz",
            "%ff",
            ".",
            "a/.",
            "a%0ab",
            "a%+1b",
        ] {
            assert_eq!(inside(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_file_without_a_known_extension_is_bytes() {
        assert_eq!(media_type::of("a/b.HTML"), "text/html");
        assert_eq!(media_type::of("a/b.svg"), "image/svg+xml");
        for unknown in ["a", "a/b.exe", "html", "a.html/b", "a.php", ".htaccess", "a.html "] {
            assert_eq!(media_type::of(unknown), "application/octet-stream", "{unknown}");
        }
    }
}
