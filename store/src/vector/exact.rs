//! The embedded index: a scan over the rows of one course, kept in memory while they do not change.
//!
//! Nothing is approximated and nothing can be lost: what is cached is thrown away as soon as the
//! published versions, their vectors or the hidden documents differ.

mod vectors;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::{ChunkId, CourseId, InstitutionId, VersionId};
use moka::future::Cache;
use moka::ops::compute::Op;

use super::{Reconciled, VectorHit, VectorIndex};
use crate::error::{Error, Result};
use crate::sql::course_vector;
use crate::{Scope, Store};

pub use vectors::CourseVectors;

/// Memory for vectors unless told otherwise, in bytes.
const MEMORY: u64 = 200 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    institution: InstitutionId,
    course: CourseId,
    model: String,
    /// Without what hidden lessons show; such a copy is kept only for a course that hides something.
    narrowed: bool,
}

/// One course under one model, and the state of the rows that it was read from.
#[derive(Debug, Clone)]
struct Cached {
    stamp: String,
    vectors: Arc<CourseVectors>,
}

/// The scan over rows. Cheap to clone; clones share what is cached.
#[derive(Clone)]
pub struct ExactScan {
    store: Store,
    cache: Cache<Key, Cached>,
}

impl ExactScan {
    /// A scan over `store` that keeps at most 200 MB of vectors.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self::with_memory(store, MEMORY)
    }

    /// The same with a memory bound in bytes; the least recently used courses go first.
    #[must_use]
    pub fn with_memory(store: Store, bytes: u64) -> Self {
        let cache = Cache::builder()
            .max_capacity(bytes / 1024)
            .weigher(|_: &Key, cached: &Cached| u32::try_from(cached.vectors.bytes() / 1024 + 1).unwrap_or(u32::MAX))
            .eviction_policy(moka::policy::EvictionPolicy::lru())
            .build();
        Self { store, cache }
    }

    /// All vectors that the scope sees, unit length, by path and place.
    ///
    /// # Errors
    /// The database is gone, or a row is damaged.
    pub async fn course_vectors(&self, scope: &Scope, model: &str) -> Result<Arc<CourseVectors>> {
        let stamp = self.stamp(scope, model).await?;
        let key = Key {
            institution: scope.institution,
            course: scope.course,
            model: model.to_owned(),
            narrowed: !scope.hidden && stamp.hides,
        };
        if let Some(cached) = self.cache.get(&key).await
            && cached.stamp == stamp.text
        {
            return Ok(cached.vectors);
        }
        // One reader of a course at a time; those that waited find what it read.
        let result = self
            .cache
            .entry(key)
            .and_try_compute_with(async |entry| {
                if entry.is_some_and(|entry| entry.value().stamp == stamp.text) {
                    return Ok::<_, Error>(Op::Nop);
                }
                let (stamp, vectors) = self.load(*scope, model).await?;
                Ok(Op::Put(Cached { stamp, vectors: Arc::new(vectors) }))
            })
            .await?;
        match result.into_entry() {
            Some(entry) => Ok(entry.into_value().vectors),
            None => Err(Error::Unavailable("vectors were evicted while they were read".into())),
        }
    }

    /// Cosine of each sentence of each passage in the scope with `query`, in the order of the sentences.
    ///
    /// # Errors
    /// The database is gone, or the query has another dimension than the model.
    pub async fn sentence_scores(
        &self,
        scope: &Scope,
        model: &str,
        query: &[f32],
    ) -> Result<HashMap<ChunkId, Vec<f32>>> {
        let vectors = self.course_vectors(scope, model).await?;
        let query = query.to_vec();
        blocking(move || vectors.sentence_scores(&query)).await?
    }

    /// Names what the scope's course holds now: its published versions, their vectors and what is hidden. Another
    /// name after any change of them.
    ///
    /// # Errors
    /// The database is gone, or a row is damaged.
    pub async fn snapshot(&self, scope: &Scope, model: &str) -> Result<String> {
        Ok(self.stamp(scope, model).await?.text)
    }

    async fn stamp(&self, scope: &Scope, model: &str) -> Result<course_vector::Stamp> {
        let (scope, model) = (*scope, model.to_owned());
        self.store.read(|tx| Box::pin(async move { course_vector::stamp(tx, &scope, &model).await })).await
    }

    /// Vectors and their stamp from one snapshot.
    async fn load(&self, scope: Scope, model: &str) -> Result<(String, CourseVectors)> {
        let model = model.to_owned();
        self.store
            .read(|tx| {
                Box::pin(async move {
                    let stamp = course_vector::stamp(tx, &scope, &model).await?;
                    let ids = course_vector::ids(tx, &scope, &model).await?;
                    let mut vectors = CourseVectors::with_capacity(ids.len());
                    for some in ids.chunks(course_vector::BATCH) {
                        let rows = course_vector::packed(tx, &scope, &model, some).await?;
                        vectors = blocking(move || vectors.extended(rows)).await??;
                    }
                    Ok((stamp.text, vectors))
                })
            })
            .await
    }

    async fn forget(&self, institution: InstitutionId) {
        for (key, _) in &self.cache {
            if key.institution == institution {
                self.cache.invalidate(key.as_ref()).await;
            }
        }
    }
}

/// Arithmetic away from the threads that serve requests.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Unavailable(format!("scan stopped: {error}")))
}

#[async_trait]
impl VectorIndex for ExactScan {
    fn name(&self) -> &'static str {
        "exact"
    }

    /// Nothing to do: the rows are the index.
    async fn upsert(
        &self,
        _: InstitutionId,
        _: CourseId,
        _: VersionId,
        _: &str,
        _: &[(ChunkId, Vec<f32>)],
    ) -> Result<()> {
        Ok(())
    }

    async fn search(&self, scope: &Scope, model: &str, query: &[f32], limit: usize) -> Result<Vec<VectorHit>> {
        let vectors = self.course_vectors(scope, model).await?;
        let query = query.to_vec();
        blocking(move || vectors.nearest(&query, limit)).await?
    }

    /// Rows that went are seen by the stamp; their copies in memory go here.
    async fn delete_version(&self, institution: InstitutionId, _: VersionId) -> Result<()> {
        self.forget(institution).await;
        Ok(())
    }

    async fn reconcile(&self, _: &Store, _: InstitutionId) -> Result<Reconciled> {
        Ok(Reconciled::default())
    }

    async fn rebuild(&self, _: &Store, institution: InstitutionId) -> Result<()> {
        self.forget(institution).await;
        Ok(())
    }

    async fn healthy(&self) -> bool {
        self.store.read(|tx| Box::pin(async move { tx.now().await })).await.is_ok()
    }
}
