//! Following an ingestion as server-sent events.

use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use domain::{Error, IngestionId};
use school::ingestion::control::Status;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use crate::App;
use crate::envelope::rfc3339;
use crate::error::ApiResult;
use crate::extract::{Caller, Query};
use crate::routes::ingestion::attributes;
use crate::stream::{self, WAITING, reader_now};

pub(super) const QUERY: &[(&str, &str)] = &[("ingestion", "Id of the ingestion")];
/// Writes of other processes are noticed by looking.
const LOOK: Duration = Duration::from_secs(1);
/// The log of PostgreSQL shows an event once every transaction before it is over: looked for this often,
const SOON: Duration = Duration::from_millis(100);
/// and so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// What the log has of every run that ended.
const ENDS: [&str; 2] = ["content.ingestion_completed", "content.ingestion_failed"];

/// Query of the stream.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamQuery {
    ingestion: IngestionId,
}

pub(super) async fn stream(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Query(query): Query<StreamQuery>,
) -> ApiResult<Response> {
    let id = query.ingestion;
    let ingestions = app.ports.school.ingestion();
    let after = match headers.get("last-event-id") {
        Some(seq) => {
            let odd = || Error::invalid("Last-Event-ID", "INVALID_FORMAT", "\"Last-Event-ID\" is no id of this stream");
            seq.to_str().ok().and_then(|seq| seq.parse().ok()).ok_or_else(odd)?
        }
        None => {
            // The state is read after the place in the log: what happens in between is sent twice, never lost.
            let known = ingestions.events(&caller.actor, id, 0).await?;
            known.last().map_or(0, |(seq, _)| *seq)
        }
    };
    let state = ingestions.status(&caller.actor, id).await?;
    let (out, events) = mpsc::channel(WAITING);
    tokio::spawn(follow(app.clone(), caller, state, after, out));
    Ok(stream::answer(&app, events))
}

fn state_of(status: &Status) -> serde_json::Value {
    json!({
        "ingestionId": status.run.id,
        "courseId": status.run.course_id,
        "attributes": attributes(status),
        "updatedAt": rfc3339(status.run.updated_at),
    })
}

async fn follow(app: App, mut caller: Caller, first: Status, mut seq: i64, out: mpsc::Sender<Event>) {
    let mut appended = app.ports.school.store().events_appended();
    let initial = Event::default().id(seq.to_string()).event("INITIAL").data(state_of(&first).to_string());
    if out.send(initial).await.is_err() {
        return;
    }
    let ingestions = app.ports.school.ingestion();
    let mut last = first;
    let mut checked = Instant::now();
    let (mut told, mut ended_at) = (false, None);
    loop {
        appended.borrow_and_update();
        // The state comes before the log, so that the last events of an ended ingestion are sent before the end.
        let Ok(now) = ingestions.status(&caller.actor, last.run.id).await else { return };
        let Ok(events) = ingestions.events(&caller.actor, last.run.id, seq).await else { return };
        let shown = |status: &Status| {
            let run = &status.run;
            (run.done, run.total, run.stage, run.state.clone(), run.held.is_some(), status.waiting.clone())
        };
        let moved = shown(&now) != shown(&last);
        for (place, event) in &events {
            let Ok(data) = serde_json::to_string(event) else { continue };
            let sent = Event::default().id(place.to_string()).event(event.event_type.clone()).data(data);
            if out.send(sent).await.is_err() {
                return;
            }
            seq = *place;
            told |= ENDS.contains(&event.event_type.as_str());
        }
        let ended = now.run.state != "running";
        if ended && !told && ended_at.is_none() {
            // Taken up behind its end, a stream sends no event of it again.
            let Ok(all) = ingestions.events(&caller.actor, last.run.id, 0).await else { return };
            told = all.iter().any(|(place, event)| *place <= seq && ENDS.contains(&event.event_type.as_str()));
        }
        let over = ended && (told || ended_at.get_or_insert_with(Instant::now).elapsed() > PATIENCE);
        if (over || (moved && !ended))
            && out.send(Event::default().event("progress").data(state_of(&now).to_string())).await.is_err()
        {
            return;
        }
        if over {
            return;
        }
        last = now;
        tokio::select! {
            changed = appended.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(if ended { SOON } else { LOOK }) => {}
            () = out.closed() => return,
            () = app.shutdown.cancelled() => return,
        }
        if checked.elapsed() >= app.options.recheck {
            let Some(actor) = reader_now(&app, &caller).await else { return };
            caller.actor = actor;
            checked = Instant::now();
        }
    }
}
