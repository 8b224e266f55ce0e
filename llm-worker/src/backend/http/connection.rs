//! The connections to one server, which are kept between requests.
//!
//! Whoever asks drives the connection: no task of its own stands between a request and its socket, so an answer costs
//! no hop, and dropping the answer closes the connection, by which a model server knows that nobody listens.

use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Frame, Incoming};
use hyper::client::conn::http1::{self, SendRequest, handshake};
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::ServiceExt as _;

/// Shorter than the five seconds after which uvicorn and llama.cpp close an idle connection.
const IDLE: Duration = Duration::from_secs(4);

/// What reads and writes; none once the connection is over.
type Driver = Option<Pin<Box<http1::Connection<MaybeHttpsStream<TokioIo<TcpStream>>, Full<Bytes>>>>>;

/// What came between.
pub(super) enum Broken {
    /// There is no connection.
    Connect(Box<dyn Error + Send + Sync>),
    /// It ended before the answer's head was there.
    Off(hyper::Error),
}

/// Connections to the server at `origin`.
pub(super) struct Connections {
    connector: HttpsConnector<HttpConnector>,
    origin: Uri,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The one that was used last is the last.
    kept: Vec<Connection>,
    /// Somebody closes those that nobody wants.
    swept: bool,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
    since: Instant,
}

impl Connections {
    pub(super) fn new(connector: HttpsConnector<HttpConnector>, origin: Uri) -> Arc<Self> {
        Arc::new(Self { connector, origin, idle: Mutex::default() })
    }

    /// Sends a request, on a kept connection if there is one. What a server closed before it read any of it is sent
    /// again on the next; nothing else is.
    pub(super) async fn send(self: &Arc<Self>, request: Request<Full<Bytes>>) -> Result<Response<Arriving>, Broken> {
        let mut request = request;
        while let Some(connection) = self.take() {
            match self.ask(connection, request).await {
                Ok(answer) => return Ok(answer),
                Err((error, None)) => return Err(Broken::Off(error)),
                Err((_, Some(unsent))) => request = unsent,
            }
        }
        let stream = self.connector.clone().oneshot(self.origin.clone()).await.map_err(Broken::Connect)?;
        let (sender, driver) = handshake(stream).await.map_err(Broken::Off)?;
        let connection = Connection { sender, driver: Some(Box::pin(driver)), since: Instant::now() };
        self.ask(connection, request).await.map_err(|(error, _)| Broken::Off(error))
    }

    async fn ask(
        self: &Arc<Self>,
        mut connection: Connection,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Arriving>, (hyper::Error, Option<Request<Full<Bytes>>>)> {
        let answer = {
            let mut answer = pin!(connection.sender.try_send_request(request));
            let driver = &mut connection.driver;
            poll_fn(|context| {
                drive(driver, context);
                answer.as_mut().poll(context)
            })
            .await
        };
        match answer {
            Ok(answer) => Ok(answer.map(|incoming| Arriving { incoming, from: Some((connection, self.clone())) })),
            Err(mut error) => {
                let unsent = error.take_message();
                Err((error.into_error(), unsent))
            }
        }
    }

    fn take(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = idle.kept.pop()?;
        if connection.since.elapsed() < IDLE {
            return Some(connection);
        }
        // The others lie there longer.
        idle.kept.clear();
        None
    }

    fn keep(self: Arc<Self>, mut connection: Connection) {
        connection.since = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.kept.push(connection);
        if !std::mem::replace(&mut idle.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(&self)));
        }
    }
}

/// Closes what was not used for [`IDLE`], until nothing is left.
async fn sweep(connections: Weak<Connections>) {
    loop {
        tokio::time::sleep(IDLE).await;
        let Some(connections) = connections.upgrade() else { return };
        let mut idle = connections.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.kept.retain(|connection| connection.since.elapsed() < IDLE);
        if idle.kept.is_empty() {
            idle.swept = false;
            return;
        }
    }
}

/// What ends a connection is told to whom it concerns: the answer or its body.
fn drive(driver: &mut Driver, context: &mut Context<'_>) {
    if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(context).is_ready()) {
        *driver = None;
    }
}

/// The body of an answer, with the connection that it comes by.
pub(super) struct Arriving {
    incoming: Incoming,
    /// None once all of it is here.
    from: Option<(Connection, Arc<Connections>)>,
}

impl Arriving {
    pub(super) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some((connection, _)) = &mut self.from {
            drive(&mut connection.driver, context);
        }
        let frame = ready!(Pin::new(&mut self.incoming).poll_frame(context));
        if self.incoming.is_end_stream() || frame.is_none() {
            self.rest(context);
        }
        Poll::Ready(frame)
    }

    /// Keeps the connection for the next request, if it can take one.
    fn rest(&mut self, context: &mut Context<'_>) {
        let Some((mut connection, connections)) = self.from.take() else { return };
        drive(&mut connection.driver, context);
        if connection.driver.is_some() && connection.sender.is_ready() {
            connections.keep(connection);
        }
    }
}
