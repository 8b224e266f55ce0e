//! The table itself: a row an action, a column a role, in the order of SAFETY's section 6.
//!
//! Rows that SAFETY does not have: `Health`, `Docs`, `Login` (open to all), `OwnSession` (oneself),
//! `CourseSee` and `CourseSeeDraft` (a course's card is no content: who may edit or read a course
//! sees its card, and needs no recorded reason for that), `ProgressReport`, `ReviewOwn`,
//! `SubmissionCreate` and `AppealFile` (the learner alone), `ModelUse` (who teaches calls models with a
//! key; learners reach them through the tutor alone), `QuotaSet` and `UsageRead` (who answers for the
//! machines), `ScormAttempt` (as a quiz is taken) and `ScormTrace` (as a submission is read). "API keys manage" is two rows here: `KeyOwn`, which anybody has who logged in, with or
//! without a role (a guest is nobody's self), and `KeyAdmin`; `ModelRequestOwn` is as `KeyOwn`. `CourseAi` is the "AI stop switch". `GradeSet` is "if allowed" for assistants and group tutors: a course
//! setting that does not exist yet, therefore no.

use super::{Action, Cap, Cell, Needs, Reach};
use crate::user::Role;

const fn of(reach: Reach) -> Cell {
    Cell { reach, needs: Needs { fresh: false, reason: false }, cap: None }
}

const fn fresh(reach: Reach) -> Cell {
    Cell { reach, needs: Needs { fresh: true, reason: false }, cap: None }
}

const fn reason(reach: Reach) -> Cell {
    Cell { reach, needs: Needs { fresh: false, reason: true }, cap: None }
}

const fn capped(cell: Cell, cap: Cap) -> Cell {
    Cell { cap: Some(cap), ..cell }
}

const NO: Cell = of(Reach::Nowhere);
const G: Cell = of(Reach::Anywhere);
/// G†
const GF: Cell = fresh(Reach::Anywhere);
/// Gr
const GR: Cell = reason(Reach::Anywhere);
const I: Cell = of(Reach::Institution);
/// I†
const IF: Cell = fresh(Reach::Institution);
/// read I
const IR: Cell = capped(I, Cap::ReadOnly);
/// I r
const IRR: Cell = reason(Reach::Institution);
const O: Cell = of(Reach::Own);
const C: Cell = of(Reach::Course);
/// C (read)
const CR: Cell = capped(C, Cap::ReadOnly);
const R: Cell = of(Reach::Group);
const S: Cell = of(Reach::SelfOnly);
const L: Cell = of(Reach::Linked);
const P: Cell = of(Reach::Public);
const K: Cell = of(Reach::KeyScope);
/// C¹: name and enrolment data only.
const C1: Cell = capped(C, Cap::NameAndEnrollment);
/// R¹: likewise.
const R1: Cell = capped(R, Cap::NameAndEnrollment);
/// I† (≤ IA)
const IF_IA: Cell = capped(IF, Cap::AtMost(Role::InstitutionAdmin));
/// C (own courses ≤ IN)
const O_IN: Cell = capped(O, Cap::AtMost(Role::Instructor));
/// C (≤ TA)
const C_TA: Cell = capped(C, Cap::AtMost(Role::TeachingAssistant));

/// agg I
const I_AGG: Cell = capped(I, Cap::Aggregates);
/// agg C
const C_AGG: Cell = capped(C, Cap::Aggregates);

/// What `role` may do of `action`.
#[must_use]
pub fn cell(action: Action, role: Role) -> Cell {
    let column = match role {
        Role::GlobalAdmin => 0,
        Role::InstitutionAdmin => 1,
        Role::CourseCreator => 2,
        Role::Instructor => 3,
        Role::TeachingAssistant => 4,
        Role::GroupTutor => 5,
        Role::Learner => 6,
        Role::Observer => 7,
        Role::Auditor => 8,
        Role::Guest => 9,
        Role::Service => 10,
    };
    row(action).get(column).copied().unwrap_or(NO)
}

#[rustfmt::skip]
fn row(action: Action) -> [Cell; 11] {
    match action {
        //                               GA  IA     CC    IN    TA  GT  LE  OB  AU  GU  SV
        Action::Health               => [G,  G,     G,    G,    G,  G,  G,  G,  G,  G,  G],
        Action::Docs                 => [G,  G,     G,    G,    G,  G,  G,  G,  G,  G,  G],
        Action::Login                => [G,  G,     G,    G,    G,  G,  G,  G,  G,  G,  NO],
        Action::OwnSession           => [S,  S,     S,    S,    S,  S,  S,  S,  S,  NO, NO],
        Action::InstitutionCreate    => [GF, NO,    NO,   NO,   NO, NO, NO, NO, NO, NO, NO],
        Action::PlatformConfig       => [GF, NO,    NO,   NO,   NO, NO, NO, NO, NO, NO, NO],
        Action::InstitutionSettings  => [GF, IF,    NO,   NO,   NO, NO, NO, NO, IR, NO, NO],
        Action::UserCreate           => [G,  I,     NO,   NO,   NO, NO, NO, NO, NO, NO, K],
        Action::UserRead             => [GR, I,     NO,   C1,   C1, R1, S,  L,  I,  NO, K],
        Action::InstitutionRoleGrant => [GF, IF_IA, NO,   NO,   NO, NO, NO, NO, NO, NO, NO],
        Action::CourseRoleGrant      => [GF, I,     O_IN, C_TA, NO, NO, NO, NO, NO, NO, K],
        Action::CourseCreate         => [G,  I,     I,    NO,   NO, NO, NO, NO, NO, NO, K],
        Action::CourseEdit           => [G,  I,     O,    C,    NO, NO, NO, NO, NO, NO, K],
        Action::CourseSee            => [G,  I,     O,    C,    C,  C,  C,  L,  I,  P,  K],
        Action::CourseSeeDraft       => [G,  I,     O,    C,    C,  NO, NO, NO, I,  NO, K],
        Action::Ingest               => [G,  I,     O,    C,    NO, NO, NO, NO, NO, NO, K],
        Action::ReadPublished        => [GR, I,     O,    C,    C,  C,  C,  L,  I,  P,  K],
        Action::ReadUnpublished      => [GR, I,     O,    C,    C,  NO, NO, NO, I,  NO, K],
        Action::EnrolSelf            => [NO, NO,    NO,   NO,   NO, NO, P,  NO, NO, NO, NO],
        Action::EnrolOthers          => [G,  I,     O,    C,    NO, NO, NO, NO, NO, NO, K],
        Action::ProgressReport       => [NO, NO,    NO,   NO,   NO, NO, S,  NO, NO, NO, NO],
        Action::TutorChat            => [NO, NO,    NO,   C,    C,  C,  C,  NO, NO, NO, NO],
        Action::QuestionRead         => [NO, IRR,   O,    C,    CR, NO, NO, NO, NO, NO, NO],
        Action::QuestionEdit         => [NO, IRR,   O,    C,    NO, NO, NO, NO, NO, NO, NO],
        Action::QuizGenerate         => [NO, NO,    O,    C,    C,  NO, NO, NO, NO, NO, K],
        Action::AssessmentPublish    => [NO, I,     O,    C,    NO, NO, NO, NO, NO, NO, NO],
        Action::AttemptTake          => [NO, NO,    NO,   C,    C,  NO, S,  NO, NO, NO, NO],
        Action::ScormAttempt         => [NO, NO,    NO,   C,    C,  NO, S,  NO, NO, NO, NO],
        Action::ScormTrace           => [GR, IRR,   NO,   C,    C,  R,  S,  L,  IRR, NO, NO],
        Action::SubmissionCreate     => [NO, NO,    NO,   NO,   NO, NO, S,  NO, NO, NO, NO],
        Action::SubmissionRead       => [GR, IRR,   NO,   C,    C,  R,  S,  L,  IRR, NO, K],
        Action::GradePropose         => [NO, NO,    NO,   C,    C,  R,  NO, NO, NO, NO, K],
        Action::GradeSet             => [NO, NO,    NO,   C,    NO, NO, NO, NO, NO, NO, K],
        Action::GradeRelease         => [NO, NO,    NO,   C,    NO, NO, NO, NO, NO, NO, NO],
        Action::GradeDraftRead       => [NO, NO,    NO,   C,    C,  R,  NO, NO, IRR, NO, NO],
        Action::GradeExport          => [NO, I,     NO,   C,    NO, NO, S,  NO, I,  NO, K],
        Action::AppealFile           => [NO, NO,    NO,   NO,   NO, NO, S,  NO, NO, NO, NO],
        Action::GradeRead            => [IRR, I,     NO,   C,    C,  R,  S,  L,  I,  NO, K],
        Action::RecommendationsRead  => [NO, I_AGG, NO,   C_AGG, NO, NO, S, L, I_AGG, P, NO],
        Action::ReviewOwn            => [NO, NO,    NO,   NO,   NO, NO, S,  NO, NO, NO, NO],
        Action::LearnerAnalytics     => [NO, I,     NO,   C,    C,  R,  S,  L,  I,  NO, K],
        Action::JobsView             => [G,  I,     NO,   NO,   NO, NO, NO, NO, IR, NO, K],
        Action::JobsRetry            => [G,  I,     NO,   NO,   NO, NO, NO, NO, NO, NO, K],
        Action::AuditRead            => [G,  I,     NO,   C,    NO, NO, S,  NO, I,  NO, NO],
        Action::KeyOwn               => [S,  S,     S,    S,    S,  S,  S,  S,  S,  S,  NO],
        Action::KeyAdmin             => [GF, IF,    NO,   NO,   NO, NO, NO, NO, NO, NO, NO],
        Action::ModelUse             => [G,  I,     O,    C,    C,  NO, NO, NO, NO, NO, NO],
        Action::ModelRequestOwn      => [S,  S,     S,    S,    S,  S,  S,  S,  S,  S,  NO],
        Action::QuotaSet             => [G,  I,     NO,   NO,   NO, NO, NO, NO, NO, NO, NO],
        Action::UsageRead            => [G,  I,     NO,   C_AGG, NO, NO, NO, NO, NO, NO, NO],
        Action::CourseAi             => [G,  I,     O,    C,    NO, NO, NO, NO, NO, NO, NO],
    }
}
