//! The vector port: nearest passages of a course.
//!
//! Rows are the truth ([`crate::sql::embedding`]); an index is filled from them, reconciled with
//! them and rebuilt from them. Every search carries institution, course and model.

mod exact;
#[cfg(feature = "testing")]
pub mod suite;

use async_trait::async_trait;
use domain::{ChunkId, CourseId, InstitutionId, VersionId};

use crate::error::Result;
use crate::{Scope, Store};

pub use exact::{CourseVectors, ExactScan};

/// A passage near a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VectorHit {
    /// Which.
    pub chunk_id: ChunkId,
    /// Cosine, -1 to 1.
    pub score: f32,
}

/// What it took to make an index equal the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reconciled {
    /// Vectors that the index lacked.
    pub added: u64,
    /// Vectors that no row stands for.
    pub removed: u64,
}

/// An index over the vectors of the rows.
#[async_trait]
pub trait VectorIndex: Send + Sync {
    /// Its name in configuration and reports.
    fn name(&self) -> &'static str;

    /// Takes vectors of a version whose rows are written; again the same is no change.
    async fn upsert(
        &self,
        institution: InstitutionId,
        course: CourseId,
        version: VersionId,
        model: &str,
        vectors: &[(ChunkId, Vec<f32>)],
    ) -> Result<()>;

    /// The passages of the scope nearest to `query`, best first: published versions and `model` only.
    async fn search(&self, scope: &Scope, model: &str, query: &[f32], limit: usize) -> Result<Vec<VectorHit>>;

    /// Forgets a version.
    async fn delete_version(&self, institution: InstitutionId, version: VersionId) -> Result<()>;

    /// Adds what rows have and the index lacks, and removes what no row stands for.
    async fn reconcile(&self, store: &Store, institution: InstitutionId) -> Result<Reconciled>;

    /// Throws the institution's part of the index away and fills it from the rows.
    async fn rebuild(&self, store: &Store, institution: InstitutionId) -> Result<()>;

    /// Whether it answers.
    async fn healthy(&self) -> bool;
}
