//! What a caller may search: the bounds that every search takes, made from the policy alone.

use domain::CourseId;
use domain::policy::{Action, Actor};
use store::Scope;

use crate::{Result, School, access};

impl School {
    /// The bounds of a search or question in a course: reading its content, and `TutorChat` where asked for.
    ///
    /// # Errors
    /// Not found when the caller may not know of the course, forbidden when it needs more.
    pub async fn scope_for(&self, actor: &Actor, course: CourseId, action: Action) -> Result<Scope> {
        let acting = actor.clone();
        let (scope, audited) = self
            .read(move |tx| {
                Box::pin(async move {
                    let (found, hidden, audited) = match action {
                        Action::TutorChat => tutored(tx, &acting, course).await?,
                        _ => crate::course::readable(tx, &acting, course).await?,
                    };
                    Ok((Scope { institution: found.institution_id, course, hidden }, audited))
                })
            })
            .await?;
        self.note_access(actor, audited, scope.institution, action, format!("course:{course}")).await?;
        Ok(scope)
    }
}

/// The course, if the caller may ask its tutor: nobody asks about what the same person may not read.
async fn tutored(
    tx: &mut store::Tx,
    actor: &Actor,
    id: CourseId,
) -> store::Result<(domain::course::Course, bool, bool)> {
    let course = crate::course::editable(tx, actor, Action::TutorChat, id).await?;
    let (course, hidden, audited) = crate::course::readable(tx, actor, course.id).await?;
    let teaches = access::may(actor, Action::ReadUnpublished, &crate::course::subject(&course));
    Ok((course, hidden && teaches, audited))
}
