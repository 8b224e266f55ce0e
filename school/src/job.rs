//! Dead jobs: seeing and retrying them.

use domain::policy::{Action, Actor};
use domain::{Error, InstitutionId, JobId};
use store::sql::job::admin::{self as job, DeadJob};

use crate::course::page;
use crate::unit::record;
use crate::{Result, School, access};

/// Use cases of jobs.
pub struct Jobs<'a> {
    pub(crate) school: &'a School,
}

impl Jobs<'_> {
    /// The jobs of an institution that gave up, newest first.
    ///
    /// # Errors
    /// Refused by policy.
    pub async fn dead(
        &self,
        actor: &Actor,
        institution: InstitutionId,
        before: Option<JobId>,
        limit: i64,
    ) -> Result<Vec<DeadJob>> {
        access::listed(actor, Action::JobsView, institution)?;
        let limit = page(limit);
        self.school.read(move |tx| Box::pin(job::dead(tx, institution, before, limit))).await
    }

    /// Puts a dead job back into the queue.
    ///
    /// # Errors
    /// Refused by policy, or there is no such dead job in that institution.
    pub async fn retry(&self, actor: &Actor, institution: InstitutionId, id: JobId) -> Result<()> {
        self.change(actor, institution, id, true).await
    }

    /// Gives a dead job up for good.
    ///
    /// # Errors
    /// Refused by policy, or there is no such dead job in that institution.
    pub async fn drop(&self, actor: &Actor, institution: InstitutionId, id: JobId) -> Result<()> {
        self.change(actor, institution, id, false).await
    }

    async fn change(&self, actor: &Actor, institution: InstitutionId, id: JobId, again: bool) -> Result<()> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    crate::course::allow_in(actor, Action::JobsRetry, institution)?;
                    let (found, action) = if again {
                        (job::retry(tx, institution, id).await?, "job.retry")
                    } else {
                        (job::drop_dead(tx, institution, id).await?, "job.drop")
                    };
                    if !found {
                        return Err(Error::not_found("dead job", id).into());
                    }
                    record(tx, actor, institution, action, &format!("job:{id}")).await
                })
            })
            .await
    }
}
