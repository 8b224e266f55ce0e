//! Reading the audit trail. Nothing changes or deletes it.

use domain::InstitutionId;
use domain::policy::{Action, Actor};
use store::sql::audit::{self, Entry};

use crate::course::page;
use crate::{Result, School, access};

/// Use cases of the audit trail.
pub struct Trail<'a> {
    pub(crate) school: &'a School,
}

impl Trail<'_> {
    /// Entries that the caller may see, newest first.
    ///
    /// # Errors
    /// Refused by policy.
    pub async fn list(
        &self,
        actor: &Actor,
        institution: InstitutionId,
        before: Option<String>,
        limit: i64,
    ) -> Result<Vec<Entry>> {
        let filter = access::listed(actor, Action::AuditRead, institution)?;
        let limit = page(limit);
        self.school
            .read(move |tx| {
                Box::pin(async move { audit::list(tx, institution, &filter, before.as_deref(), limit).await })
            })
            .await
    }
}
