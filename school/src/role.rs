//! Giving and taking roles: never more than the giver's own cap, always in the giver's own reach.

use domain::policy::{self, Action, Actor, Subject};
use domain::user::{Grant, Role, Scope, User};
use domain::{Error, ErrorKind, InstitutionId, UserId};
use store::Tx;
use store::sql::event::NewEvent;
use store::sql::{self};

use crate::unit::{announce, record};
use crate::{Result, School, access};

/// Use cases of roles.
pub struct Roles<'a> {
    pub(crate) school: &'a School,
}

impl Roles<'_> {
    /// Gives a role to a user; giving it twice is giving it once.
    ///
    /// # Errors
    /// Refused by policy, or a role that cannot be held in that scope.
    pub async fn grant(&self, actor: &Actor, user: UserId, grant: Grant) -> Result<Vec<Grant>> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let user = reachable(tx, actor, user, grant.scope).await?;
                    give(tx, actor, &user, grant).await?;
                    sql::role::grants(tx, user.institution_id, user.id).await
                })
            })
            .await
    }

    /// Takes a role from a user; the rights end with the next request.
    ///
    /// # Errors
    /// Refused by policy, or the user does not have it.
    pub async fn revoke(&self, actor: &Actor, user: UserId, grant: Grant) -> Result<Vec<Grant>> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let user = reachable(tx, actor, user, grant.scope).await?;
                    check(tx, actor, &user, grant).await?;
                    if !sql::role::delete(tx, user.institution_id, user.id, grant).await? {
                        return Err(Error::not_found("role", grant.role.as_str()).into());
                    }
                    note(tx, actor, &user, grant, "role.revoked").await?;
                    sql::role::grants(tx, user.institution_id, user.id).await
                })
            })
            .await
    }

    /// The institution of a user whose role is about to change.
    ///
    /// # Errors
    /// Not found when the caller may not reach there.
    pub async fn home(&self, actor: &Actor, user: UserId) -> Result<InstitutionId> {
        let acting = actor.clone();
        let missing = move || Error::not_found("user", user);
        let found = self.school.read(move |tx| Box::pin(crate::user::find(tx, user))).await?.ok_or_else(missing)?;
        let home = found.institution_id;
        if !acting.operator && home != acting.institution {
            // Somebody with a wider reach may have a stale login, which is told.
            access::hidden(&acting, Action::InstitutionRoleGrant, &Subject::institution(home), missing)?;
        }
        Ok(home)
    }

    /// The rows of a user's roles as the store has them; for the doors, not for display.
    pub(crate) async fn of(tx: &mut Tx, user: &User) -> store::Result<Vec<Grant>> {
        sql::role::grants(tx, user.institution_id, user.id).await
    }
}

/// The user whose role is changed. Somebody of the own institution may be named for a course without
/// being visible, or nobody could be made an instructor by one; nobody else may.
async fn reachable(tx: &mut Tx, actor: &Actor, id: UserId, scope: Scope) -> store::Result<User> {
    let action = action_of(scope);
    let missing = || {
        let guest = actor.is_guest();
        if guest { access::log_in() } else { Error::not_found("user", id) }
    };
    let user = crate::user::find(tx, id).await?.ok_or_else(missing)?;
    if !actor.operator
        && user.institution_id != actor.institution
        && !policy::decide(actor, action, &Subject::institution(user.institution_id)).allowed()
    {
        // The decision for somebody with a wider reach may be a stale login, which is told.
        access::hidden(actor, action, &Subject::institution(user.institution_id), missing)?;
    }
    Ok(user)
}

fn action_of(scope: Scope) -> Action {
    match scope {
        Scope::Course(_) => Action::CourseRoleGrant,
        Scope::Global | Scope::Institution(_) => Action::InstitutionRoleGrant,
    }
}

/// Checks that `actor` may hand `grant` to `user`.
async fn check(tx: &mut Tx, actor: &Actor, user: &User, grant: Grant) -> store::Result<()> {
    if !policy::may_hold(grant.role, grant.scope) {
        let message = format!("the role \"{}\" cannot be held there", grant.role.as_str());
        return Err(Error::invalid("role", "INVALID_FORMAT", message).into());
    }
    let missing = || Error::not_found("scope", "of the role");
    let subject = match grant.scope {
        Scope::Global => Subject::institution(user.institution_id),
        Scope::Institution(institution) if institution == user.institution_id => Subject::institution(institution),
        Scope::Institution(_) => return Err(missing().into()),
        Scope::Course(id) => {
            let missing = || Error::not_found("course", id);
            let course = crate::course::find(tx, id).await?.ok_or_else(missing)?;
            if course.institution_id != user.institution_id {
                return Err(missing().into());
            }
            let card = crate::course::card(actor, &course);
            if !access::may(actor, crate::course::see(&course), &card) {
                return Err(missing().into());
            }
            crate::course::subject(&course)
        }
    };
    access::settle(actor, policy::may_grant(actor, grant.role, grant.scope, &subject), || {
        Error::new(
            ErrorKind::Forbidden,
            format!("your role does not let you hand out \"{}\" here", grant.role.as_str()),
        )
    })?;
    Ok(())
}

/// Gives a role inside a transaction, after checking it.
pub(crate) async fn give(tx: &mut Tx, actor: &Actor, user: &User, grant: Grant) -> store::Result<()> {
    check(tx, actor, user, grant).await?;
    if sql::role::insert(tx, user.institution_id, user.id, grant, actor.user_id).await? {
        note(tx, actor, user, grant, "role.granted").await?;
    }
    Ok(())
}

async fn note(tx: &mut Tx, actor: &Actor, user: &User, grant: Grant, what: &'static str) -> store::Result<()> {
    sql::user::raise_epoch(tx, user.institution_id, user.id).await?;
    let payload = serde_json::json!({ "userId": user.id, "role": grant.role.as_str(), "scope": grant.scope });
    announce(tx, actor, NewEvent::new(what, user.institution_id, user.id).payload(payload)).await?;
    record(tx, actor, user.institution_id, what, &format!("user:{}", user.id)).await
}

/// A role by its name and the course that it is for, as people write them.
///
/// # Errors
/// An unknown role.
pub fn parse(role: &str, scope: Scope) -> Result<Grant> {
    let role =
        Role::parse(role).ok_or_else(|| Error::invalid("role", "INVALID_FORMAT", format!("\"{role}\" is no role")))?;
    // A global administrator is that everywhere; nobody else is anything everywhere.
    let scope = if role == Role::GlobalAdmin { Scope::Global } else { scope };
    Ok(Grant { role, scope })
}
