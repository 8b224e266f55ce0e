//! Server-sent events: the shape of a stream, and looking again at the rights of its reader.

pub(crate) mod tutor;

use std::convert::Infallible;

use axum::http::{HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use domain::policy::Actor;
use futures::StreamExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::App;
use crate::extract::Caller;

/// Events that may wait for a slow reader.
pub(crate) const WAITING: usize = 64;

/// The answer that sends what comes out of `events`, and says from time to time that it lives.
pub(crate) fn answer(app: &App, events: mpsc::Receiver<Event>) -> Response {
    let stream = ReceiverStream::new(events).map(Ok::<Event, Infallible>);
    let alive = KeepAlive::new().interval(app.options.heartbeat).text("heartbeat");
    let mut response = Sse::new(stream).keep_alive(alive).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// The reader with the rights of this moment; `None` when the login has ended.
pub(crate) async fn reader_now(app: &App, caller: &Caller) -> Option<Actor> {
    let Some(token) = &caller.token else { return Some(caller.actor.clone()) };
    let now = app.ports.school.session().actor(token).await.ok()?;
    Some(Actor { reason: caller.actor.reason.clone(), correlation_id: caller.actor.correlation_id.clone(), ..now })
}
