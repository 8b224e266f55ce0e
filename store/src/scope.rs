//! What a search may see: one course of one institution.

use domain::{CourseId, InstitutionId};

/// The bounds of a search. There is no search without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scope {
    /// Tenant.
    pub institution: InstitutionId,
    /// Course; one that is not the institution's has nothing in it.
    pub course: CourseId,
    /// May see what only hidden lessons show.
    pub hidden: bool,
}
