//! Handing out roles, and showing what they give.

use serde::{Deserialize, Serialize};

use super::{Action, Actor, Cap, Decision, Reach, Subject, cell, decide};
use crate::user::{Grant, Role, Scope};

/// Whether a role can be held in such a scope at all.
#[must_use]
pub fn may_hold(role: Role, scope: Scope) -> bool {
    match scope {
        Scope::Global => role == Role::GlobalAdmin,
        Scope::Institution(_) => !matches!(role, Role::GlobalAdmin | Role::Guest | Role::Service),
        Scope::Course(_) => {
            matches!(role, Role::Instructor | Role::TeachingAssistant | Role::GroupTutor | Role::Learner)
        }
    }
}

/// Whether `actor` may hand out `role` in `scope`, or take it back: never more than the own cap.
#[must_use]
pub fn may_grant(actor: &Actor, role: Role, scope: Scope, subject: &Subject) -> Decision {
    if !may_hold(role, scope) {
        return Decision::Denied;
    }
    let action = match scope {
        Scope::Course(_) => Action::CourseRoleGrant,
        Scope::Global | Scope::Institution(_) => Action::InstitutionRoleGrant,
    };
    let decision = decide(actor, action, subject);
    match decision {
        Decision::Allowed { cap: Some(Cap::AtMost(most)), .. } if role_order(role) < role_order(most) => {
            Decision::Denied
        }
        // A role of the whole installation is only given by someone who has that reach.
        Decision::Allowed { cap: Some(_), .. } if scope == Scope::Global => Decision::Denied,
        _ => decision,
    }
}

/// Position in the matrix: the smaller, the more rights.
fn role_order(role: Role) -> usize {
    Role::ALL.iter().position(|known| *known == role).unwrap_or(usize::MAX)
}

/// One right of a user, as `GET /users/{id}/permissions` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// Spelling of the action.
    pub action: String,
    /// Role that gives it.
    pub role: Role,
    /// Where the role is held.
    pub scope: Scope,
}

/// What these grants allow, for display; it authorises nothing.
#[must_use]
pub fn permissions(grants: &[Grant]) -> Vec<Permission> {
    let mut all = Vec::new();
    for grant in grants {
        for action in Action::ALL {
            if cell(*action, grant.role).reach != Reach::Nowhere {
                all.push(Permission { action: action.as_str().into(), role: grant.role, scope: grant.scope });
            }
        }
    }
    all
}
