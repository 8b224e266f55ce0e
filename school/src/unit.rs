//! One use case = one transaction: its effect, its event, its audit entry and its receipt together.

use domain::policy::Actor;
use domain::{Error, ErrorKind, InstitutionId, UserId};
use futures::future::BoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::{audit, event, idempotency};
use uuid::Uuid;

use crate::{Result, School};

/// A key that was used for something else.
pub(crate) const KEY_REUSED: &str = "IDEMPOTENCY_KEY_REUSED";

impl School {
    /// Runs `work` in a read transaction.
    pub(crate) async fn read<T, F>(&self, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, store::Result<T>> + Send,
        T: Send,
    {
        self.store().read(work).await.map_err(Error::from)
    }

    /// Runs `work` in a write transaction, once for each key of the actor's.
    pub(crate) async fn commit<T, F>(&self, actor: &Actor, work: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut Tx, &'t Actor) -> BoxFuture<'t, store::Result<T>> + Send + 'static,
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let acting = actor.clone();
        let done = self
            .store()
            .write(move |tx| {
                Box::pin(async move {
                    if let Some(value) = replay(tx, &acting).await? {
                        return Ok(value);
                    }
                    let value = work(tx, &acting).await?;
                    if let Some((key, receipt)) = receipt_of(&acting, &value)? {
                        idempotency::insert(tx, acting.institution, keeper(&acting), &key, &receipt).await?;
                    }
                    Ok(value)
                })
            })
            .await;
        match done {
            // Two requests with one key at the same time: the second one answers what the first did.
            Err(error) if error.kind() == ErrorKind::Conflict && actor.idempotency.is_some() => {
                let acting = actor.clone();
                let stored = self.read(move |tx| Box::pin(async move { replay(tx, &acting).await })).await?;
                stored.map_or_else(|| Err(error.into()), Ok)
            }
            other => other.map_err(Error::from),
        }
    }

    /// What the actor's key did already.
    pub(crate) async fn replayed<T: DeserializeOwned + Send>(&self, actor: &Actor) -> Result<Option<T>> {
        if actor.idempotency.is_none() {
            return Ok(None);
        }
        let acting = actor.clone();
        self.read(move |tx| Box::pin(async move { replay(tx, &acting).await })).await
    }

    /// Writes down that something was looked at, where the policy wants it.
    pub(crate) async fn note_access(
        &self,
        actor: &Actor,
        audited: bool,
        institution: InstitutionId,
        action: domain::policy::Action,
        subject: String,
    ) -> Result<()> {
        if !audited {
            return Ok(());
        }
        let acting = actor.clone();
        self.store()
            .write(move |tx| Box::pin(async move { record(tx, &acting, institution, action.as_str(), &subject).await }))
            .await
            .map_err(Error::from)
    }
}

/// Whose keys these are; the operator has a name space of its own.
fn keeper(actor: &Actor) -> UserId {
    actor.user_id.unwrap_or(UserId(Uuid::nil()))
}

async fn replay<T: DeserializeOwned>(tx: &mut Tx, actor: &Actor) -> store::Result<Option<T>> {
    let Some(idem) = &actor.idempotency else { return Ok(None) };
    let Some(receipt) = idempotency::get(tx, actor.institution, keeper(actor), &idem.key).await? else {
        return Ok(None);
    };
    if receipt.request_hash != idem.request_hash {
        let message = format!("the idempotency key \"{}\" was used for another request", idem.key);
        return Err(Error::new(ErrorKind::Conflict, message).with_code(KEY_REUSED).into());
    }
    let damaged =
        |error: serde_json::Error| store::Error::Damaged { column: "response".into(), reason: error.to_string() };
    Ok(Some(serde_json::from_str(&receipt.response).map_err(damaged)?))
}

fn receipt_of<T: Serialize>(actor: &Actor, value: &T) -> store::Result<Option<(String, idempotency::Receipt)>> {
    let Some(idem) = &actor.idempotency else { return Ok(None) };
    let response = serde_json::to_string(value)
        .map_err(|error| store::Error::Damaged { column: "response".into(), reason: error.to_string() })?;
    Ok(Some((idem.key.clone(), idempotency::Receipt { request_hash: idem.request_hash.clone(), response })))
}

/// Adds an entry to the audit trail.
pub(crate) async fn record(
    tx: &mut Tx,
    actor: &Actor,
    institution: InstitutionId,
    action: &str,
    subject: &str,
) -> store::Result<()> {
    let name = actor.user_id.map_or_else(|| actor.username.clone(), |id| format!("user:{id}"));
    audit::append(tx, institution, &name, action, subject, actor.reason.as_deref()).await
}

/// Appends an event of this actor.
pub(crate) async fn announce(tx: &mut Tx, actor: &Actor, mut new: NewEvent) -> store::Result<()> {
    new.user_id = new.user_id.or(actor.user_id);
    new.correlation_id = new.correlation_id.or_else(|| actor.correlation_id.clone());
    event::append(tx, &new).await?;
    Ok(())
}
