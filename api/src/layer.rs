//! What happens around every handler: trace, caller, version, limits, headers, one shape of errors.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use domain::policy::{self, Action, Actor};
use domain::{ErrorKind, InstitutionId};
use futures::FutureExt as _;

use crate::App;
use crate::error::{ApiError, TIMEOUT, UNSUPPORTED_VERSION, of_status};
use crate::extract::Caller;
use crate::once;

/// Marks a page for people that says itself what is wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rendered;

/// SAFETY A8, with what the documentation page needs of it.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' blob: data:; \
                   media-src 'self' blob:; connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; \
                   object-src 'none'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                   frame-src 'self'";

/// As every page's, for the one that frames a package: the last directive names one place more.
pub(crate) fn framing_csp(source: &str) -> String {
    format!("{CSP} {source}")
}

/// The documentation page is built by a script that sets styles and inner HTML of its own.
const DOCS_CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; \
                        img-src 'self' data:; connect-src 'self'; form-action 'self'; object-src 'none'; \
                        base-uri 'none'; frame-ancestors 'none'";

/// The router with everything around it; the last layer is the outermost.
pub(crate) fn around(router: Router<App>, app: &App) -> Router<App> {
    router
        .layer(DefaultBodyLimit::max(app.options.body_limit))
        .layer(middleware::from_fn_with_state(app.clone(), find_caller))
        .layer(middleware::from_fn_with_state(app.clone(), bound))
        .layer(middleware::from_fn_with_state(app.clone(), trace))
}

/// Outermost: names the request, measures it, renders its failure, sets the headers.
async fn trace(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let trace_id = trace_of(request.headers());
    request.extensions_mut().insert(TraceId(trace_id.clone()));
    let method = request.method().clone();
    let docs = request.uri().path().starts_with("/docs");
    let started = Instant::now();
    let running = app.metrics.begin();
    let response = match std::panic::AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => ApiError::new(ErrorKind::Internal, "INTERNAL", "a handler panicked").into_response(),
    };
    let route = response.extensions().get::<Route>().map_or("none", |route| route.0);
    let status = response.status();
    app.metrics.end(running, &method, route, status, started.elapsed());
    let mut response = match response.extensions().get::<ApiError>() {
        Some(error) => error.render(&trace_id),
        None if response.extensions().get::<Rendered>().is_some() => response,
        // An answer that no handler made: no such route, a wrong method, a body that is too large.
        None if (status.is_client_error() || status.is_server_error()) && !is_json(response.headers()) => {
            let allow = response.headers().get(header::ALLOW).cloned();
            let mut rendered = of_status(status).render(&trace_id);
            if let Some(allow) = allow {
                rendered.headers_mut().insert(header::ALLOW, allow);
            }
            rendered
        }
        None => response,
    };
    secure(response.headers_mut(), docs, &trace_id);
    response
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"))
}

fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("multipart/form-data"))
}

/// The id of a request, found again in the log and in error answers.
#[derive(Debug, Clone)]
struct TraceId(String);

/// The trace of a W3C `traceparent`, or a fresh one.
fn trace_of(headers: &HeaderMap) -> String {
    headers
        .get("traceparent")
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split('-').nth(1))
        .filter(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map_or_else(|| uuid::Uuid::now_v7().simple().to_string(), str::to_owned)
}

fn secure(headers: &mut HeaderMap, docs: bool, trace_id: &str) {
    let mut put = |name: &'static str, value: &str| {
        let name = HeaderName::from_static(name);
        if let (false, Ok(value)) = (headers.contains_key(&name), HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    };
    put("content-security-policy", if docs { DOCS_CSP } else { CSP });
    put("x-content-type-options", "nosniff");
    put("referrer-policy", "no-referrer");
    put("x-frame-options", "DENY");
    put("cross-origin-opener-policy", "same-origin");
    put("cross-origin-resource-policy", "same-origin");
    put("permissions-policy", "camera=(), microphone=(), geolocation=()");
    put("cache-control", "no-store");
    put("x-trace-id", trace_id);
}

/// Versions, origins and time.
async fn bound(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if !version_served(request.headers(), &path) {
        let message = "this version is not served";
        return ApiError::new(ErrorKind::ValidationError, UNSUPPORTED_VERSION, message).into_response();
    }
    if !origin_allowed(&app, &request) {
        let message = "a browser of another origin may not write here";
        return ApiError::new(ErrorKind::Forbidden, "FORBIDDEN", message).into_response();
    }
    // What a model may take part in, or a file comes up with.
    let long = ["/ingestions", "/questions/generate", "/proposals"].iter().any(|end| path.ends_with(end));
    let slow = path.contains("/tutor/") || (long && request.method() == Method::POST);
    let limit: Duration = if slow { app.options.long_timeout } else { app.options.timeout };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(ErrorKind::Unavailable, TIMEOUT, "this took too long; try again").into_response(),
    }
}

fn version_served(headers: &HeaderMap, path: &str) -> bool {
    let asked = headers.get("x-api-version").map(|value| value.to_str().unwrap_or("?"));
    let by_header = asked.is_none_or(|version| matches!(version.trim(), "1" | "v1" | "1.0"));
    let by_path = path
        .strip_prefix("/api/v")
        .map(|rest| rest.split('/').next().unwrap_or_default())
        .is_none_or(|version| version == "1" || !version.bytes().all(|byte| byte.is_ascii_digit()));
    by_header && by_path
}

/// Browsers send `Origin` with every write; another site's is refused (SAFETY A18).
fn origin_allowed(app: &App, request: &Request) -> bool {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    let Some(origin) = request.headers().get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let host = request.headers().get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let own = origin.split_once("://").is_some_and(|(_, from)| !host.is_empty() && from.eq_ignore_ascii_case(host));
    own || app.options.allowed_origins.iter().any(|allowed| allowed == origin)
}

/// Finds out who asks. A token that does not hold is refused at every door.
async fn find_caller(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match caller_of(&app, &parts).await {
        Ok(caller) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => error.into_response(),
    }
}

async fn caller_of(app: &App, request: &Parts) -> Result<Caller, ApiError> {
    let headers = &request.headers;
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_canonical());
    let forwarded = text(HeaderName::from_static("x-forwarded-for"));
    let address = match (peer, forwarded) {
        (Some(proxy), Some(list)) if app.options.trusted_proxies.contains(&proxy) => client_of(app, list).or(peer),
        _ => peer,
    };
    let trace_id = request.extensions.get::<TraceId>().map(|id| id.0.clone()).unwrap_or_default();
    let token = bearer(headers)?;
    let metrics = request.uri.path() == "/metrics";
    let by_token = metrics && token.is_some() && token == app.options.metrics_token;
    // Behind a proxy on this machine everybody seems to be on this machine.
    let by_place = peer.is_some_and(|peer| peer.is_loopback()) && forwarded.is_none();
    let mut actor = match &token {
        Some(secret) if !by_token => app.ports.school.session().actor(secret).await?,
        _ => Actor::guest(InstitutionId(uuid::Uuid::nil())),
    };
    actor.reason = text(HeaderName::from_static("x-reason"))
        .map(str::trim)
        .filter(|reason| (3..=500).contains(&reason.len()) && !reason.chars().any(char::is_control))
        .map(str::to_owned);
    actor.correlation_id = Some(trace_id);
    Ok(Caller {
        actor,
        token,
        address,
        agent: text(header::USER_AGENT).unwrap_or_default().chars().take(200).collect(),
        scraper: metrics && (by_token || by_place),
        body_limit: app.options.body_limit,
        upload_limit: app.options.upload_limit,
    })
}

/// The last address of the list that is not a trusted proxy: what stands before it, anybody can write.
fn client_of(app: &App, list: &str) -> Option<IpAddr> {
    list.rsplit(',')
        .map(|part| part.trim().parse::<IpAddr>().ok())
        .take_while(Option::is_some)
        .flatten()
        .find(|address| !app.options.trusted_proxies.contains(address))
}

fn bearer(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, token)| scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty());
    match token {
        Some((_, token)) => Ok(Some(token.trim().to_owned())),
        None => Err(ApiError::new(ErrorKind::Unauthorized, "UNAUTHORIZED", "send \"Authorization: Bearer TOKEN\"")),
    }
}

/// The route that answered, by its pattern, for the metrics.
#[derive(Debug, Clone, Copy)]
struct Route(&'static str);

/// Innermost, of one route: a guest who could never do this is asked to log in before anything is looked up.
pub(crate) async fn gate(action: Action, pattern: &'static str, mut request: Request, next: Next) -> Response {
    let limit = request.extensions().get::<Caller>().map_or(0, |caller| caller.body_limit);
    let upload = request.extensions().get::<Caller>().map_or(0, |caller| caller.upload_limit);
    if action == Action::Ingest && is_form(request.headers()) {
        DefaultBodyLimit::max(upload).apply(&mut request);
    }
    let refused = match request.extensions().get::<Caller>() {
        Some(caller) if caller.scraper => None,
        Some(caller) if caller.actor.is_guest() && !policy::conceivable(&caller.actor, action) => {
            Some(ApiError(school::access::log_in()))
        }
        Some(_) => None,
        None => Some(ApiError::new(ErrorKind::Internal, "INTERNAL", "a route without its caller")),
    };
    debug_assert!(request.extensions().get::<MatchedPath>().is_none_or(|path| path.as_str() == pattern));
    let mut response = match refused {
        Some(error) => error.into_response(),
        None => match once::named(request, action, limit).await {
            Ok(request) => next.run(request).await,
            Err(error) => error.into_response(),
        },
    };
    response.extensions_mut().insert(Route(pattern));
    response
}

/// What a router answers where it has nothing.
pub(crate) async fn nothing_here() -> Response {
    StatusCode::NOT_FOUND.into_response()
}
