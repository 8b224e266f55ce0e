//! What of a list is seen: the same table as a filter.

use super::{Action, Actor, Decision, Reach, cell, conditions};
use crate::user::Scope;
use crate::{CourseId, InstitutionId, UserId};

/// What of a list the caller may see: the filter that goes into the query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Visible {
    /// Everything of the institution asked for.
    pub all: bool,
    /// What this user created.
    pub owner: Option<UserId>,
    /// What belongs to these courses.
    pub courses: Vec<CourseId>,
    /// What concerns this user.
    pub user: Option<UserId>,
    /// What is public and published.
    pub public: bool,
    /// A recorded reason was needed: the access itself is audited.
    pub audited: bool,
}

impl Visible {
    /// Whether nothing can match.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.all && self.owner.is_none() && self.courses.is_empty() && self.user.is_none() && !self.public
    }
}

/// The filter for `action` over the rows of `institution`; a cell whose condition is not met adds nothing.
#[must_use]
pub fn visible(actor: &Actor, action: Action, institution: InstitutionId) -> Visible {
    let mut seen = Visible { all: actor.operator, ..Visible::default() };
    let home = institution == actor.institution;
    for grant in actor.effective() {
        let cell = cell(action, grant.role);
        if !conditions(actor, cell).allowed() {
            continue;
        }
        let covers = grant.scope == Scope::Global || grant.scope == Scope::Institution(institution);
        match cell.reach {
            Reach::Anywhere if grant.scope == Scope::Global => {
                seen.all = true;
                seen.audited |= cell.needs.reason;
            }
            Reach::Institution if home && covers => seen.all = true,
            Reach::Own if home && covers => seen.owner = actor.user_id,
            Reach::Course if home => {
                if let Scope::Course(course) = grant.scope {
                    seen.courses.push(course);
                }
            }
            Reach::SelfOnly if home => seen.user = actor.user_id,
            Reach::Public => seen.public = true,
            _ => {}
        }
    }
    seen
}

/// Whether the conditions of `action` could be met by asking again: the better answer for an empty list.
#[must_use]
pub fn list_decision(actor: &Actor, action: Action, institution: InstitutionId) -> Decision {
    if !visible(actor, action, institution).is_empty() {
        return Decision::Allowed { cap: None, audited: false };
    }
    actor
        .effective()
        .filter(|grant| {
            cell(action, grant.role).reach == Reach::Anywhere
                || (institution == actor.institution && cell(action, grant.role).reach != Reach::Nowhere)
        })
        .map(|grant| conditions(actor, cell(action, grant.role)))
        .filter(|decision| !decision.allowed())
        .max_by_key(|decision| decision.rank())
        .unwrap_or(Decision::Denied)
}
