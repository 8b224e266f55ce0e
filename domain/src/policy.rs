//! Who may do what: one table of action x role, and the decision made from it.
//!
//! The table is SAFETY's access matrix for the actions whose routes exist. It drives both the check
//! of a single thing ([`decide`]) and the filter of a list ([`visible`]). Everything that no cell
//! allows is denied. What the tests expect lives elsewhere, transcribed a second time by hand.

mod action;
mod grant;
mod list;
mod table;

use crate::user::{Grant, Role, Scope};
use crate::{CourseId, InstitutionId, UserId};

pub use action::Action;
pub use grant::{Permission, may_grant, may_hold, permissions};
pub use list::{Visible, list_decision, visible};
pub use table::cell;

/// How far a right goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reach {
    /// Never.
    Nowhere,
    /// G: everywhere.
    Anywhere,
    /// I: the own institution.
    Institution,
    /// own: courses that this user created.
    Own,
    /// C: courses where the user has that role.
    Course,
    /// R: the user's own groups. Nothing is in a group until groups exist.
    Group,
    /// S: oneself.
    SelfOnly,
    /// L: the linked learner. Nobody is linked until links exist.
    Linked,
    /// P: what is public and published.
    Public,
    /// k: what the scope of a service's key names. None is handed out yet; an API key acts with its owner's rights.
    KeyScope,
}

/// What must be shown besides the role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Needs {
    /// The password was given at most [`FRESH_SECONDS`] ago.
    pub fresh: bool,
    /// A reason is recorded.
    pub reason: bool,
}

/// What limits a right that is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cap {
    /// Only roles up to this one may be handed out.
    AtMost(Role),
    /// Reading only.
    ReadOnly,
    /// Name and enrolment data only.
    NameAndEnrollment,
    /// Figures over many people, never one person's.
    Aggregates,
}

/// One cell of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cell {
    /// How far.
    pub reach: Reach,
    /// On what condition.
    pub needs: Needs,
    /// With what limit.
    pub cap: Option<Cap>,
}

/// How long after giving the password an authentication counts as fresh.
pub const FRESH_SECONDS: i64 = 15 * 60;

/// A request that may be sent twice: the caller's key and the hash of what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// The caller's key.
    pub key: String,
    /// Hash of route and body.
    pub request_hash: String,
}

/// Who acts, with the rights as the store has them now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The user; `None` for the operator and for guests.
    pub user_id: Option<UserId>,
    /// Tenant acted in. A guest of no institution carries the nil id, which no row has.
    pub institution: InstitutionId,
    /// Name for the audit trail.
    pub username: String,
    /// Rows of `user_roles`; a course role is a grant with that course as its scope.
    pub grants: Vec<Grant>,
    /// The authentication is fresh.
    pub fresh: bool,
    /// The recorded reason, if one was given.
    pub reason: Option<String>,
    /// The owner of the data directory, at the command line.
    pub operator: bool,
    /// Makes a write that is sent twice happen once.
    pub idempotency: Option<Idempotency>,
    /// Ties this request to the jobs and events that it causes.
    pub correlation_id: Option<String>,
}

impl Actor {
    /// The owner of the data directory: global administrator without the need to be fresh, audited.
    #[must_use]
    pub fn operator(institution: InstitutionId) -> Self {
        Self {
            user_id: None,
            institution,
            username: "operator".into(),
            grants: vec![Grant { role: Role::GlobalAdmin, scope: Scope::Global }],
            fresh: true,
            reason: Some("operator at the command line".into()),
            operator: true,
            idempotency: None,
            correlation_id: None,
        }
    }

    /// Somebody who did not log in.
    #[must_use]
    pub fn guest(institution: InstitutionId) -> Self {
        Self {
            user_id: None,
            institution,
            username: "guest".into(),
            grants: Vec::new(),
            fresh: false,
            reason: None,
            operator: false,
            idempotency: None,
            correlation_id: None,
        }
    }

    /// A user with these grants.
    #[must_use]
    pub fn user(user_id: UserId, institution: InstitutionId, username: impl Into<String>, grants: Vec<Grant>) -> Self {
        Self { user_id: Some(user_id), username: username.into(), grants, ..Self::guest(institution) }
    }

    /// Whether nobody logged in.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.user_id.is_none() && !self.operator
    }

    /// The grants that count: those of the rows, and what any guest has.
    fn effective(&self) -> impl Iterator<Item = Grant> + '_ {
        self.grants.iter().copied().chain([Grant { role: Role::Guest, scope: Scope::Global }])
    }
}

/// What is acted on, as far as the decision needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Tenant.
    pub institution: InstitutionId,
    /// The course; for a person, the courses where that person has a role.
    pub courses: Vec<CourseId>,
    /// Who made the course.
    pub owner: Option<UserId>,
    /// The person concerned.
    pub user: Option<UserId>,
    /// Published, and visible to this caller without any role.
    pub public: bool,
}

impl Subject {
    /// An institution as a whole.
    #[must_use]
    pub fn institution(institution: InstitutionId) -> Self {
        Self { institution, courses: Vec::new(), owner: None, user: None, public: false }
    }

    /// A person, with the courses where that person has a role.
    #[must_use]
    pub fn person(institution: InstitutionId, user: UserId, courses: Vec<CourseId>) -> Self {
        Self { courses, user: Some(user), ..Self::institution(institution) }
    }
}

/// What the table says of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allowed {
        /// With this limit.
        cap: Option<Cap>,
        /// The recorded reason was needed: the access itself is audited.
        audited: bool,
    },
    /// Yes after giving the password again.
    NeedsFresh,
    /// Yes with a recorded reason.
    NeedsReason,
    /// No.
    Denied,
}

impl Decision {
    /// Whether it is a yes.
    #[must_use]
    pub fn allowed(self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// How good the decision is for the caller; the best one of all grants counts.
    fn rank(self) -> u8 {
        match self {
            Self::Allowed { cap: None, audited: false } => 5,
            Self::Allowed { cap: None, audited: true } => 4,
            Self::Allowed { .. } => 3,
            Self::NeedsFresh => 2,
            Self::NeedsReason => 1,
            Self::Denied => 0,
        }
    }
}

/// Decides whether `actor` may do `action` to `subject`.
#[must_use]
pub fn decide(actor: &Actor, action: Action, subject: &Subject) -> Decision {
    if actor.operator {
        return Decision::Allowed { cap: None, audited: false };
    }
    actor
        .effective()
        .filter(|grant| reaches(cell(action, grant.role).reach, *grant, actor, subject))
        .map(|grant| conditions(actor, cell(action, grant.role)))
        .max_by_key(|decision| decision.rank())
        .unwrap_or(Decision::Denied)
}

/// Whether any role of `actor` gives `action` at all, wherever.
#[must_use]
pub fn conceivable(actor: &Actor, action: Action) -> bool {
    // Who did not log in is nobody's self.
    let nowhere = |reach| reach == Reach::Nowhere || (reach == Reach::SelfOnly && actor.user_id.is_none());
    actor.operator || actor.effective().any(|grant| !nowhere(cell(action, grant.role).reach))
}

fn conditions(actor: &Actor, cell: Cell) -> Decision {
    if cell.needs.reason && actor.reason.is_none() {
        Decision::NeedsReason
    } else if cell.needs.fresh && !actor.fresh {
        Decision::NeedsFresh
    } else {
        Decision::Allowed { cap: cell.cap, audited: cell.needs.reason }
    }
}

fn reaches(reach: Reach, grant: Grant, actor: &Actor, subject: &Subject) -> bool {
    let home = subject.institution == actor.institution;
    let covers_institution = match grant.scope {
        Scope::Global => true,
        Scope::Institution(institution) => institution == subject.institution,
        Scope::Course(_) => false,
    };
    match reach {
        Reach::Nowhere | Reach::Group | Reach::Linked | Reach::KeyScope => false,
        Reach::Anywhere => grant.scope == Scope::Global,
        Reach::Public => subject.public,
        Reach::Institution => home && covers_institution,
        Reach::Own => home && covers_institution && actor.user_id.is_some() && subject.owner == actor.user_id,
        Reach::Course => home && subject.courses.iter().any(|course| grant.scope == Scope::Course(*course)),
        Reach::SelfOnly => home && actor.user_id.is_some() && subject.user == actor.user_id,
    }
}

#[cfg(test)]
mod tests;
