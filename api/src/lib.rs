//! HTTP for learners, instructors and administrators: REST and server-sent events.
//!
//! A handler reads the request, calls the school or the assistant, and renders the answer. It holds
//! no rule of its own. Every route has an action of the policy ([`routes::Routes::add`]).

mod content_origin;
mod doc;
mod envelope;
mod error;
mod extract;
mod layer;
mod media;
mod metrics;
mod model_api;
mod once;
mod probe;
mod routes;
mod stream;
mod upload;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assistant::Assistant;
use axum::serve::ListenerExt as _;
use axum::{Router, ServiceExt as _};
use llm_gateway::Gateway;
use recommender::Recommender;
use school::School;
use store::blob::Blobs;
use store::vector::VectorIndex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use content_origin::{check_content_origin, check_h5p_player};
pub use model_api::ModelRunner;
pub use routes::Entry;
pub use routes::client::client_is_built;

/// The opened ports that the API works with.
#[derive(Clone)]
pub struct ApiState {
    /// Use cases.
    pub school: School,
    /// Search and the tutor.
    pub assistant: Assistant,
    /// What to learn next.
    pub recommender: Recommender,
    /// Models, for readiness and metrics.
    pub gateway: Gateway,
    /// Media.
    pub blobs: Arc<dyn Blobs>,
    /// Vectors, for readiness.
    pub index: Arc<dyn VectorIndex>,
    /// Where uploads wait for their ingestion.
    pub upload_dir: PathBuf,
}

/// What an installation decides about its API.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Origins of browsers, beside our own, that may write.
    pub allowed_origins: Vec<String>,
    /// Opens `/metrics` from elsewhere than this machine.
    pub metrics_token: Option<String>,
    /// Most bytes of an ordinary request.
    pub body_limit: usize,
    /// Most bytes of an upload.
    pub upload_limit: usize,
    /// How long an ordinary request may take.
    pub timeout: Duration,
    /// How long an upload or a question to the tutor may take.
    pub long_timeout: Duration,
    /// Silence after which a stream says that it lives.
    pub heartbeat: Duration,
    /// How often an open stream looks again at the rights of its reader.
    pub recheck: Duration,
    /// Where packages are shown, as `https://*.content.example.org`; the star stands for the attempt.
    pub content_origin: String,
    /// Signs their addresses; without one, a key that lives as long as the process.
    pub content_key: Option<String>,
    /// How long an address of a package holds.
    pub content_time: Duration,
    /// The folder `dist` of h5p-standalone, which plays H5P packages; none of it is part of this program.
    pub h5p_player: Option<PathBuf>,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            metrics_token: None,
            body_limit: 1024 * 1024,
            upload_limit: 512 * 1024 * 1024,
            timeout: Duration::from_secs(30),
            long_timeout: Duration::from_secs(300),
            heartbeat: Duration::from_secs(30),
            recheck: Duration::from_secs(3),
            content_origin: "http://*.localhost:8080".into(),
            content_key: None,
            content_time: Duration::from_secs(12 * 3600),
            h5p_player: None,
        }
    }
}

/// What handlers share. Every request has several of it, so that a copy is one pointer.
#[derive(Clone)]
struct App(Arc<Shared>);

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

struct Shared {
    ports: ApiState,
    options: Arc<ApiOptions>,
    metrics: Arc<metrics::Metrics>,
    streams: Arc<stream::tutor::Answers>,
    probe: Arc<probe::Probe>,
    replays: Arc<model_api::Replays>,
    content: Arc<content_origin::ContentOrigin>,
    shutdown: CancellationToken,
}

/// The API as a service.
pub struct Api {
    service: content_origin::Diverted,
}

impl Api {
    /// The API with defaults.
    #[must_use]
    pub fn new(state: ApiState) -> Self {
        Self::with(state, ApiOptions::default(), CancellationToken::new())
    }

    /// The API; streams end when `shutdown` is cancelled.
    #[must_use]
    pub fn with(state: ApiState, options: ApiOptions, shutdown: CancellationToken) -> Self {
        let key = options.content_key.clone().unwrap_or_else(school::scorm::fresh_key);
        let seconds = i64::try_from(options.content_time.as_secs()).unwrap_or(i64::MAX);
        let content = content_origin::ContentOrigin::new(&options.content_origin, key.into_bytes(), seconds);
        let app = App(Arc::new(Shared {
            ports: state,
            options: Arc::new(options),
            metrics: Arc::new(metrics::Metrics::default()),
            streams: Arc::new(stream::tutor::Answers::default()),
            probe: Arc::new(probe::Probe::default()),
            replays: Arc::default(),
            content: Arc::new(content),
            shutdown,
        }));
        let (routes, direct) = routes::all().into_router(&app);
        Self { service: content_origin::Diverted::new(app.clone(), routes.with_state(app), direct) }
    }

    /// The service, for calls in process.
    pub fn into_router(self) -> Router {
        Router::new().fallback_service(self.service)
    }

    /// Every route with its action, in the order of the table of contents.
    #[must_use]
    pub fn entries() -> Vec<Entry> {
        routes::all().entries()
    }
}

/// Serves with defaults until `shutdown`, then lets open requests end.
///
/// # Errors
/// The listener breaks.
pub async fn serve(state: ApiState, listener: TcpListener, shutdown: CancellationToken) -> std::io::Result<()> {
    serve_with(state, ApiOptions::default(), listener, shutdown).await
}

/// Serves until `shutdown`, then lets open requests end. Without an origin of packages, that is
/// `http://*.localhost` at the listener's port.
///
/// # Errors
/// The listener breaks.
pub async fn serve_with(
    state: ApiState,
    options: ApiOptions,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let mut options = options;
    if options.content_origin.is_empty() {
        options.content_origin = format!("http://*.localhost:{}", listener.local_addr()?.port());
    }
    let service = Api::with(state, options, shutdown.clone()).service;
    let service = service.into_make_service_with_connect_info::<std::net::SocketAddr>();
    // Else the second piece of a stream waits for the client's word on the first, 40 ms on many systems.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps small pieces back");
        }
    });
    axum::serve(listener, service).with_graceful_shutdown(async move { shutdown.cancelled().await }).await
}

/// The description of the interface: OpenAPI 3.1 as JSON.
#[must_use]
pub fn openapi_json() -> String {
    doc::text(&routes::all())
}
