//! Limits as people read and set them.

use domain::policy::{Action, Actor};
use domain::quota::{DEFAULT_ID, Limits, Quota, QuotaScope};
use domain::{Error, InstitutionId};
use serde_json::json;
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::{self};

use crate::unit::{announce, record};
use crate::{Result, School};

/// Use cases of limits.
pub struct QuotaSettings<'a> {
    pub(crate) school: &'a School,
}

impl QuotaSettings<'_> {
    /// Every limit of an institution.
    ///
    /// # Errors
    /// Refused by policy.
    pub async fn list(&self, actor: &Actor, institution: InstitutionId) -> Result<Vec<Quota>> {
        crate::course::allow_in(actor, Action::QuotaSet, institution)?;
        self.school.read(move |tx| Box::pin(sql::quota::list(tx, institution))).await
    }

    /// Sets the limits of a scope as a whole; all none takes them away. They bite within five seconds.
    ///
    /// `scope_id` is an id of that scope, or `*` for every user, key or course without limits of its own.
    ///
    /// # Errors
    /// Refused by policy, a figure out of range, or nothing of that id in the institution.
    pub async fn set(
        &self,
        actor: &Actor,
        institution: InstitutionId,
        scope: QuotaScope,
        scope_id: &str,
        limits: Limits,
    ) -> Result<()> {
        limits.check()?;
        let wanted = scope_id.to_owned();
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    crate::course::allow_in(actor, Action::QuotaSet, institution)?;
                    let id = known(tx, institution, scope, &wanted).await?;
                    sql::quota::set(tx, institution, scope, &id, &limits, actor.user_id).await?;
                    let payload = json!({ "scope": scope, "scopeId": id, "limits": limits });
                    let event = NewEvent::new("quota.changed", institution, format!("{}/{id}", scope.as_str()));
                    announce(tx, actor, event.payload(payload)).await?;
                    let subject = format!("quota:{}/{id}", scope.as_str());
                    record(tx, actor, institution, Action::QuotaSet.as_str(), &subject).await
                })
            })
            .await
    }
}

/// The id as it is stored, once it is known to be one of the institution's.
async fn known(tx: &mut Tx, institution: InstitutionId, scope: QuotaScope, id: &str) -> store::Result<String> {
    if id == DEFAULT_ID && scope != QuotaScope::Institution {
        return Ok(id.to_owned());
    }
    let found = match scope {
        QuotaScope::Institution if id.is_empty() || id == institution.to_string() => Some(institution.to_string()),
        QuotaScope::Institution => None,
        QuotaScope::Course => sql::course::get(tx, institution, id.parse()?).await?.map(|found| found.id.to_string()),
        QuotaScope::User => sql::user::get(tx, institution, id.parse()?).await?.map(|found| found.id.to_string()),
        QuotaScope::Key => sql::api_key::get(tx, institution, id.parse()?).await?.map(|found| found.id.to_string()),
    };
    found.ok_or_else(|| Error::not_found(scope.as_str(), id).into())
}
