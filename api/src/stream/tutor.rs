//! Answers of the tutor while they are made and for a while after, so that a broken stream goes on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::response::sse::Event;
use domain::policy::{Action, Actor};
use domain::{CourseId, Error, ErrorKind, UserId};
use futures::StreamExt as _;
use serde_json::json;
use store::Scope;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::App;
use crate::error::ApiResult;
use crate::extract::{Caller, asking};
use crate::stream::reader_now;

/// How long an answer can be taken up again.
const KEPT: Duration = Duration::from_secs(300);
/// Most answers kept.
const ANSWERS: usize = 2_000;
/// Most answers that one user can have made at the same time.
const AT_ONCE: usize = 4;

/// One answer, as far as it is made.
pub(crate) struct Made {
    id: Uuid,
    user: Option<UserId>,
    course: CourseId,
    began: Instant,
    events: Mutex<Vec<(&'static str, String)>>,
    /// Number of events, and whether the last one is among them.
    progress: watch::Sender<(usize, bool)>,
}

impl Made {
    fn push(&self, name: &'static str, data: String, last: bool) {
        let count = {
            let mut events = lock(&self.events);
            events.push((name, data));
            events.len()
        };
        self.progress.send_replace((count, last));
    }

    fn from(&self, next: usize) -> Vec<(usize, &'static str, String)> {
        let events = lock(&self.events);
        events.iter().enumerate().skip(next).map(|(index, (name, data))| (index, *name, data.clone())).collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is appended only: a panic leaves a shorter list, not a wrong one.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The answers of the last minutes.
#[derive(Default)]
pub(crate) struct Answers {
    kept: Mutex<HashMap<Uuid, Arc<Made>>>,
}

impl Answers {
    /// The answer that an event id belongs to, if it is this caller's in this course; and the next event's place.
    pub(crate) fn resume(&self, actor: &Actor, course: CourseId, event_id: &str) -> Option<(Arc<Made>, usize)> {
        let (id, index) = event_id.split_once('.')?;
        let (id, index): (Uuid, usize) = (id.parse().ok()?, index.parse().ok()?);
        let made = lock(&self.kept).get(&id).cloned()?;
        (made.user == actor.user_id && made.course == course).then_some((made, index + 1))
    }

    /// Begins to answer a question; it goes on when the reader goes away.
    pub(crate) fn begin(&self, app: &App, actor: &Actor, scope: Scope, question: String) -> ApiResult<Arc<Made>> {
        let made = Arc::new(Made {
            id: Uuid::now_v7(),
            user: actor.user_id,
            course: scope.course,
            began: Instant::now(),
            events: Mutex::new(Vec::new()),
            progress: watch::Sender::new((0, false)),
        });
        {
            let mut kept = lock(&self.kept);
            kept.retain(|_, made| made.began.elapsed() < KEPT);
            let running = kept.values().filter(|made| made.user == actor.user_id && !made.progress.borrow().1).count();
            if running >= AT_ONCE || kept.len() >= ANSWERS {
                return Err(Error::new(ErrorKind::RateLimited, "too many questions at once; wait for an answer").into());
            }
            kept.insert(made.id, made.clone());
        }
        let (app, actor, task) = (app.clone(), actor.clone(), made.clone());
        tokio::spawn(async move { make(&app, &actor, scope, question, &task).await });
        Ok(made)
    }
}

async fn make(app: &App, actor: &Actor, scope: Scope, question: String, made: &Made) {
    let assistant = app.ports.assistant.by(asking(actor, Some(scope.course), "tutor"));
    let mut stream = std::pin::pin!(assistant.ask_stream(scope, question));
    let failed = |error: &Error| {
        let code = if error.kind == ErrorKind::Internal { "INTERNAL" } else { error.code.as_str() };
        json!({ "code": code, "message": "the answer could not be made; ask again" }).to_string()
    };
    let deadline = tokio::time::sleep(app.options.long_timeout);
    tokio::pin!(deadline);
    loop {
        let next = tokio::select! {
            next = stream.next() => next,
            () = &mut deadline => break,
            () = app.shutdown.cancelled() => break,
        };
        match next {
            Some(Ok(assistant::Event::Queued { ahead })) => {
                made.push("queued", json!({ "ahead": ahead }).to_string(), false);
            }
            Some(Ok(assistant::Event::Citation { index, citation })) => {
                made.push("citation", json!({ "index": index, "citation": citation }).to_string(), false);
            }
            Some(Ok(assistant::Event::Delta { text, citations })) => {
                made.push("delta", json!({ "text": text, "citations": citations }).to_string(), false);
            }
            Some(Ok(assistant::Event::Done { answer })) => {
                let said = answer.answer.len();
                let tutor = app.ports.school.tutor();
                let recorded = match tutor.hinted(actor, *answer).await {
                    Ok(answer) => tutor.record(actor, scope.course, answer).await,
                    Err(error) => Err(error),
                };
                if let Some(hint) =
                    recorded.as_ref().ok().and_then(|answer| answer.answer.get(said..)).filter(|h| !h.is_empty())
                {
                    made.push("delta", json!({ "text": hint, "citations": [] }).to_string(), false);
                }
                match recorded {
                    Ok(answer) => {
                        made.push("done", json!({ "messageId": made.id, "answer": answer }).to_string(), true)
                    }
                    Err(error) => made.push("error", failed(&error), true),
                }
                return;
            }
            Some(Err(error)) => {
                let error = Error::from(error);
                tracing::warn!(error = %error, "a streamed answer failed");
                made.push("error", failed(&error), true);
                return;
            }
            None => break,
        }
    }
    made.push(
        "error",
        json!({ "code": "UNAVAILABLE", "message": "the answer was cut off; ask again" }).to_string(),
        true,
    );
}

/// Sends an answer from event `next` on, until its end or the end of the reader's rights.
pub(crate) async fn send(app: App, caller: Caller, made: Arc<Made>, mut next: usize, out: mpsc::Sender<Event>) {
    let mut progress = made.progress.subscribe();
    let mut recheck = tokio::time::interval(app.options.recheck);
    recheck.tick().await;
    loop {
        let (_, complete) = *progress.borrow_and_update();
        for (index, name, data) in made.from(next) {
            let event = Event::default().id(format!("{}.{index}", made.id)).event(name).data(data);
            if out.send(event).await.is_err() {
                return;
            }
            next = index + 1;
        }
        if complete {
            return;
        }
        tokio::select! {
            changed = progress.changed() => if changed.is_err() { return },
            () = out.closed() => return,
            _ = recheck.tick() => {
                let Some(actor) = reader_now(&app, &caller).await else { return };
                if app.ports.school.scope_for(&actor, made.course, Action::TutorChat).await.is_err() {
                    return;
                }
            }
        }
    }
}
