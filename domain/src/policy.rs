//! Who may do what: one table of action x role, and the decision made from it.
//!
//! The table is SAFETY's access matrix for the actions whose routes exist. It drives both the check
//! of a single thing ([`decide`]) and the filter of a list ([`visible`]). Everything that no cell
//! allows is denied. What the tests expect lives elsewhere, transcribed a second time by hand.

mod table;

use serde::{Deserialize, Serialize};

use crate::user::{Grant, Role, Scope};
use crate::{CourseId, InstitutionId, UserId};

pub use table::cell;

macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $text:literal),* $(,)?) => {
        /// Something that a caller may want to do; every route has exactly one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)*
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The spelling used in the audit trail and in permissions.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

actions! {
    /// See whether the process lives and is ready.
    Health = "health.read",
    /// Read the description of the interface.
    Docs = "docs.read",
    /// Log in, refresh a login.
    Login = "session.start",
    /// Read or end one's own session.
    OwnSession = "session.own",
    /// Make or suspend an institution.
    InstitutionCreate = "institution.create",
    /// Read an institution's settings.
    InstitutionSettings = "institution.settings",
    /// Platform configuration, models, secrets, metrics.
    PlatformConfig = "platform.config",
    /// Make, import, change or suspend a user.
    UserCreate = "user.create",
    /// Read a user's profile.
    UserRead = "user.read",
    /// Give or take a role in an institution or everywhere.
    InstitutionRoleGrant = "role.grant_institution",
    /// Give or take a role in a course.
    CourseRoleGrant = "role.grant_course",
    /// Make a course.
    CourseCreate = "course.create",
    /// Change, publish or archive a course.
    CourseEdit = "course.edit",
    /// See the card (title, description, status) of a published course.
    CourseSee = "course.see",
    /// See the card of a course that is not published.
    CourseSeeDraft = "course.see_draft",
    /// Ingest an external source into a course and follow its progress.
    Ingest = "content.ingest",
    /// Read, search or play published content.
    ReadPublished = "content.read",
    /// Read content that is not published, or hidden.
    ReadUnpublished = "content.read_unpublished",
    /// Enrol oneself.
    EnrolSelf = "enrollment.self",
    /// Enrol and unenrol others.
    EnrolOthers = "enrollment.others",
    /// Report what one did in a lesson.
    ProgressReport = "progress.report",
    /// Ask the tutor of a course.
    TutorChat = "tutor.chat",
    /// Read the question bank with its answers.
    QuestionRead = "question.read",
    /// Make, change, review and retire questions.
    QuestionEdit = "question.edit",
    /// Have questions drafted.
    QuizGenerate = "question.generate",
    /// Make, publish and close quizzes.
    AssessmentPublish = "assessment.publish",
    /// Take a quiz: oneself, or as a preview that never counts.
    AttemptTake = "attempt.take",
    /// Attempt an item of a SCORM package: oneself, or as a preview that never counts.
    ScormAttempt = "scorm.attempt",
    /// Read what a package committed for a learner.
    ScormTrace = "scorm.trace",
    /// Hand in a text: a learner, never a preview.
    SubmissionCreate = "submission.create",
    /// Read what was handed in.
    SubmissionRead = "submission.read",
    /// Have a grade proposed.
    GradePropose = "grade.propose",
    /// Set a grade, or override one.
    GradeSet = "grade.set",
    /// Release a grade to the learner.
    GradeRelease = "grade.release",
    /// Read proposals and grades that are not released.
    GradeDraftRead = "grade.read_unreleased",
    /// Take grades out of the school as a file.
    GradeExport = "grade.export",
    /// Appeal against one's own grade.
    AppealFile = "appeal.file",
    /// Read released grades and results.
    GradeRead = "grade.read",
    /// Read what is recommended: one's own, or figures over a course.
    RecommendationsRead = "recommendations.read",
    /// See and answer one's own reviews.
    ReviewOwn = "review.own",
    /// Read what one learner masters.
    LearnerAnalytics = "analytics.learner",
    /// See jobs and dead letters.
    JobsView = "jobs.view",
    /// Retry or drop a dead job.
    JobsRetry = "jobs.retry",
    /// Read the audit trail.
    AuditRead = "audit.read",
    /// Make, list and revoke one's own API keys.
    KeyOwn = "key.own",
    /// List and revoke the API keys of others.
    KeyAdmin = "key.admin",
    /// Call the model API with a key.
    ModelUse = "model.use",
    /// Read and call off one's own durable requests to models.
    ModelRequestOwn = "model_request.own",
    /// Read and set limits of model use.
    QuotaSet = "quota.set",
    /// Read what models were used for, and by whom.
    UsageRead = "usage.read",
    /// Switch the AI of a course off and on.
    CourseAi = "course.ai",
}

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

#[cfg(test)]
mod tests;
