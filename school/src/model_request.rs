//! Durable requests to models: accepted with their job in one transaction, answered in the one that ends the job.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::job::Job;
use domain::model_request::{self, ModelRequest, RequestState};
use domain::policy::{Action, Actor, Subject};
use domain::wire::Class;
use domain::{ApiKeyId, CourseId, Error, ErrorKind, Micros, ModelRequestId, UserId};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use store::Tx;
use store::queue::{self, Completion, Handler, JobError, Lease, NewJob, Queue};
use store::sql::event::NewEvent;
use store::sql::model_request::{self as rows, End};
use tokio_util::sync::CancellationToken;

use crate::unit::{KEY_REUSED, announce};
use crate::{Result, School, access};

/// Requests that one transaction deletes.
const FORGOTTEN_AT_ONCE: i64 = 200;

/// Use cases of durable requests.
pub struct ModelRequests<'a> {
    pub(crate) school: &'a School,
}

/// A request to be kept until it is answered.
#[derive(Debug, Clone)]
pub struct NewModelRequest {
    /// With which key it came.
    pub key: Option<ApiKeyId>,
    /// The course that it is for.
    pub course: Option<CourseId>,
    /// The caller's own name for it: sent again it is the same request. One is made without it.
    pub idempotency_key: Option<String>,
    /// How urgent.
    pub class: Class,
    /// The path that it was sent to, such as `/v1/chat/completions`.
    pub endpoint: String,
    /// The body, to the byte.
    pub body: Vec<u8>,
}

/// Why a request has no answer yet, or will have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunFailure {
    /// The models are full or away: again after this time; no try is burnt.
    Overload(Option<Duration>),
    /// Trying again may help, five times at most.
    Retryable(String),
    /// Trying again never helps.
    Permanent(String),
}

/// What sends a durable request to a model.
#[async_trait::async_trait]
pub trait RunModel: Send + Sync {
    /// Runs a request and yields status and body of its answer. It may run again after a crash. It is dropped
    /// when the request is called off in this process, or its lease is lost.
    async fn run(&self, request: &ModelRequest) -> Result<(u16, Vec<u8>), RunFailure>;
}

impl ModelRequests<'_> {
    /// Accepts a request: its row, its event and its job in one transaction.
    ///
    /// Whether the caller may use models, the switch of the course and the quota are for the door to check.
    ///
    /// # Errors
    /// Conflict when the idempotency key was used for another request, rate limited when too many wait.
    pub async fn submit(&self, actor: &Actor, new: NewModelRequest) -> Result<ModelRequest> {
        let user = actor.user_id.ok_or_else(access::log_in)?;
        if new.body.len() > model_request::MOST_BODY {
            let message = format!("a durable request has at most {} bytes", model_request::MOST_BODY);
            return Err(Error::invalid("body", "TOO_LONG", message));
        }
        let key = new.idempotency_key.as_deref().unwrap_or_default();
        if key.len() > model_request::MOST_KEY || key.chars().any(char::is_control) {
            let message = format!("an idempotency key has at most {} characters", model_request::MOST_KEY);
            return Err(Error::invalid("Idempotency-Key", "TOO_LONG", message));
        }
        let request = request(actor, user, new);
        let acting = actor.clone();
        let accepted = self.school.store().write(move |tx| Box::pin(accept(tx, acting, request)));
        accepted.await.map_err(Error::from)
    }

    /// A request of the caller's.
    ///
    /// # Errors
    /// Not found when it is another's.
    pub async fn get(&self, actor: &Actor, id: ModelRequestId) -> Result<ModelRequest> {
        let acting = actor.clone();
        self.school.read(move |tx| Box::pin(async move { own(tx, &acting, id).await })).await
    }

    /// Calls a request of the caller's off: what waits is not begun, what runs in this process stops at once,
    /// what runs elsewhere with its next heartbeat, and its answer is discarded. Of one that ended nothing changes.
    ///
    /// # Errors
    /// Not found when it is another's.
    pub async fn cancel(&self, actor: &Actor, id: ModelRequestId) -> Result<ModelRequest> {
        let acting = actor.clone();
        let request = self
            .school
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    let request = own(tx, &acting, id).await?;
                    rows::cancel(tx, &request).await?;
                    own(tx, &acting, id).await
                })
            })
            .await?;
        if request.state == RequestState::Cancelled {
            self.school.inner.running.stop(id);
        }
        Ok(request)
    }

    /// Deletes, in every institution, what ended longer ago than `kept`, with its answer; yields how many.
    ///
    /// # Errors
    /// The store is gone.
    pub async fn forget(&self, kept: Duration) -> Result<usize> {
        let store = self.school.store();
        let kept = Micros::try_from(kept.as_micros()).unwrap_or(Micros::MAX);
        let mut forgotten = 0;
        for institution in store.read(|tx| Box::pin(store::sql::institution::list(tx))).await? {
            loop {
                let gone = store.write(move |tx| {
                    Box::pin(async move {
                        let before = tx.now().await?.saturating_sub(kept);
                        rows::forget(tx, institution.id, before, FORGOTTEN_AT_ONCE).await
                    })
                });
                let gone = gone.await?;
                forgotten += gone;
                if i64::try_from(gone).is_ok_and(|gone| gone < FORGOTTEN_AT_ONCE) {
                    break;
                }
            }
        }
        Ok(forgotten)
    }

    /// Serves durable requests from `queue` with `runner`.
    pub fn register(&self, queue: &mut Queue, runner: Arc<dyn RunModel>) {
        queue.handle(model_request::JOB, Arc::new(Runs { school: self.school.clone(), runner }));
    }
}

fn request(actor: &Actor, user: UserId, new: NewModelRequest) -> ModelRequest {
    let id = ModelRequestId::fresh();
    let mut hash = Sha256::new();
    for part in [new.class.name(), &new.endpoint, &new.course.map(|id| id.to_string()).unwrap_or_default()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(&new.body);
    ModelRequest {
        id,
        institution_id: actor.institution,
        user_id: user,
        key_id: new.key,
        course_id: new.course,
        idempotency_key: new.idempotency_key.filter(|key| !key.is_empty()).unwrap_or_else(|| id.to_string()),
        request_hash: hex::encode(hash.finalize()),
        class: new.class,
        endpoint: new.endpoint,
        body: new.body,
        state: RequestState::Queued,
        status: None,
        response: None,
        error: None,
        created_at: 0,
        finished_at: None,
    }
}

async fn accept(tx: &mut Tx, actor: Actor, mut request: ModelRequest) -> store::Result<ModelRequest> {
    request.created_at = tx.now().await?;
    if !rows::insert(tx, &request).await? {
        let known = rows::by_key(tx, request.institution_id, request.user_id, &request.idempotency_key).await?;
        let key = &request.idempotency_key;
        return match known {
            Some(known) if known.request_hash == request.request_hash => Ok(known),
            _ => {
                let message = format!("the idempotency key \"{key}\" was used for another request");
                Err(Error::new(ErrorKind::Conflict, message).with_code(KEY_REUSED).into())
            }
        };
    }
    let mut event = NewEvent::new("llm.processing_requested", request.institution_id, request.id);
    event.course_id = request.course_id;
    announce(tx, &actor, event.payload(json!({ "class": request.class.name() }))).await?;
    let id = request.id.to_string();
    let mut job = NewJob::new(request.institution_id, model_request::JOB, &id, json!({ "requestId": id }));
    job.priority = model_request::priority(request.class);
    queue::enqueue(tx, job).await?;
    Ok(request)
}

/// A request, if it is the caller's.
async fn own(tx: &mut Tx, actor: &Actor, id: ModelRequestId) -> store::Result<ModelRequest> {
    let missing = || if actor.is_guest() { access::log_in() } else { Error::not_found("model request", id) };
    let request = rows::get(tx, actor.institution, id).await?.ok_or_else(missing)?;
    let subject = Subject::person(request.institution_id, request.user_id, Vec::new());
    access::hidden(actor, Action::ModelRequestOwn, &subject, missing)?;
    Ok(request)
}

/// What runs in this process, so that a cancellation stops it at once.
#[derive(Default)]
pub(crate) struct Running {
    tokens: Mutex<HashMap<ModelRequestId, CancellationToken>>,
}

impl Running {
    fn start(&self, id: ModelRequestId) -> CancellationToken {
        let token = CancellationToken::new();
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(id, token.clone());
        token
    }

    fn stop(&self, id: ModelRequestId) {
        if let Some(token) = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(&id) {
            token.cancel();
        }
    }
}

/// Takes a request off the list also when its handler is aborted.
struct Listed<'a>(&'a Running, ModelRequestId);

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}

/// The handler of their jobs.
struct Runs {
    school: School,
    runner: Arc<dyn RunModel>,
}

#[async_trait::async_trait]
impl Handler for Runs {
    async fn run(&self, job: &Job, _: &Lease) -> Result<Completion, JobError> {
        let institution = job.institution_id;
        let id: ModelRequestId = job.idem_key.parse().map_err(|error: Error| JobError::permanent(error.message))?;
        let found = self.school.store().read(move |tx| Box::pin(rows::get(tx, institution, id))).await?;
        let request = found.ok_or_else(|| JobError::permanent("its model request is gone"))?;
        let running = &self.school.inner.running;
        // Listed before it is marked as begun: a cancellation that comes between finds one or the other.
        let (stopped, _listed) = (running.start(id), Listed(running, id));
        let (begun, job_id, token) = (request.clone(), job.id, job.lease_token.clone().unwrap_or_default());
        let begin =
            self.school.store().write(move |tx| Box::pin(async move { rows::begin(tx, &begun, job_id, &token).await }));
        if !begin.await? {
            // It ended meanwhile, or the lease is lost: the completion is fenced then.
            return Ok(Completion::done());
        }
        let answer = tokio::select! {
            answer = self.runner.run(&request) => answer,
            () = stopped.cancelled() => return Ok(Completion::done()),
        };
        match answer {
            Ok((status, response)) => Ok(Completion::with(move |tx| {
                Box::pin(async move { rows::finish(tx, &request, End::Done(status, response)).await.map(|_| ()) })
            })),
            Err(RunFailure::Overload(wait)) => Err(JobError::overload("the models are full or away", wait)),
            Err(RunFailure::Retryable(message)) => Err(JobError::retryable(message)),
            // The job dies, and the request fails with it.
            Err(RunFailure::Permanent(message)) => Err(JobError::permanent(message)),
        }
    }
}
