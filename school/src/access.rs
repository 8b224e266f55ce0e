//! From the policy's decision to an answer: allowed, or an error that tells no more than it may.

use domain::policy::{self, Action, Actor, Cap, Decision, Subject};
use domain::{Error, ErrorKind, InstitutionId};

use crate::Result;

/// The password must be given again.
pub const FRESH_REQUIRED: &str = "FRESH_AUTHENTICATION_REQUIRED";
/// A reason must be recorded.
pub const REASON_REQUIRED: &str = "REASON_REQUIRED";

/// A right that was given, with its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// What limits it.
    pub cap: Option<Cap>,
    /// The access itself goes into the audit trail.
    pub audited: bool,
}

/// Checks `action` on something that the caller knows of: refused as forbidden.
///
/// # Errors
/// Unauthorized for guests and stale logins, forbidden for the rest.
pub fn known(actor: &Actor, action: Action, subject: &Subject) -> Result<Allowed> {
    settle(actor, policy::decide(actor, action, subject), || {
        Error::new(ErrorKind::Forbidden, format!("your role does not allow \"{}\" here", action.as_str()))
    })
}

/// Checks `action` on something that the caller may not know of: refused as not found.
///
/// # Errors
/// Unauthorized for stale logins, `missing` for the rest.
pub fn hidden(actor: &Actor, action: Action, subject: &Subject, missing: impl Fn() -> Error) -> Result<Allowed> {
    settle(actor, policy::decide(actor, action, subject), missing)
}

/// Checks `action` on something that the caller may know of if `see` allows so.
///
/// # Errors
/// `missing` when it may not be known of, else as [`known`].
pub fn seen(
    actor: &Actor,
    action: Action,
    subject: &Subject,
    see: Action,
    missing: impl Fn() -> Error,
) -> Result<Allowed> {
    match policy::decide(actor, action, subject) {
        Decision::Denied if !policy::decide(actor, see, subject).allowed() => Err(refuse_guest(actor, action, missing)),
        _ => known(actor, action, subject),
    }
}

/// Whether `action` is allowed; for choices, not for refusing.
#[must_use]
pub fn may(actor: &Actor, action: Action, subject: &Subject) -> bool {
    policy::decide(actor, action, subject).allowed()
}

/// Checks that a list of `action` can hold anything, and yields its filter.
///
/// # Errors
/// Unauthorized for guests and stale logins; not found for another institution; else forbidden.
pub fn listed(actor: &Actor, action: Action, institution: InstitutionId) -> Result<policy::Visible> {
    let filter = policy::visible(actor, action, institution);
    if !filter.is_empty() {
        return Ok(filter);
    }
    settle(actor, policy::list_decision(actor, action, institution), || {
        if institution == actor.institution {
            Error::new(ErrorKind::Forbidden, format!("your role does not allow \"{}\" here", action.as_str()))
        } else {
            Error::not_found("institution", institution)
        }
    })?;
    Ok(filter)
}

/// Turns a decision into an answer.
pub(crate) fn settle(actor: &Actor, decision: Decision, denied: impl Fn() -> Error) -> Result<Allowed> {
    match decision {
        Decision::Allowed { cap, audited } => Ok(Allowed { cap, audited }),
        Decision::NeedsFresh => {
            Err(Error::new(ErrorKind::Unauthorized, "this needs a login that is at most 15 minutes old; log in again")
                .with_code(FRESH_REQUIRED))
        }
        Decision::NeedsReason => {
            Err(Error::new(ErrorKind::Forbidden, "this needs a recorded reason").with_code(REASON_REQUIRED))
        }
        Decision::Denied => {
            Err(if actor.is_guest() && denied().kind == ErrorKind::Forbidden { log_in() } else { denied() })
        }
    }
}

fn refuse_guest(actor: &Actor, action: Action, missing: impl Fn() -> Error) -> Error {
    // A guest who could never do this is asked to log in, whether the thing exists or not.
    if actor.is_guest() && !policy::conceivable(actor, action) { log_in() } else { missing() }
}

/// The answer to somebody who did not log in.
#[must_use]
pub fn log_in() -> Error {
    Error::new(ErrorKind::Unauthorized, "log in first")
}
