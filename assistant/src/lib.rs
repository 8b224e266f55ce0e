//! The tutor: retrieval within a scope, the scope gate, and answers whose every sentence is cited
//! and checked.
//!
//! It works without a language model (the course's own words) and without an embedding model
//! (keywords). It speaks no HTTP, asks for a [`store::Scope`] instead of deciding who may see what,
//! and writes nothing but the calibration of a course's gate.

mod answer;
mod bm25;
pub mod cache;
mod calibrate;
pub mod check;
pub mod cite;
mod closed;
mod error;
pub mod extract;
mod gate;
mod generate;
pub mod grade;
mod models;
pub mod prompt;
pub mod quiz;
pub mod rank;
pub mod reply;
mod retrieve;
pub mod rubric;
mod signals;
mod stream;

use std::collections::HashMap;
use std::sync::Arc;

use domain::{CourseId, InstitutionId};
use llm_gateway::Gateway;
use store::Store;
use store::vector::{ExactScan, VectorIndex};
use tokio::sync::Mutex;

pub use answer::DECLINED;
pub use calibrate::kept;
pub use closed::CLOSED;
pub use error::{Error, Result};
pub use gate::Calibration;
pub use generate::{ByWords, Carriers, Checked, Checker};
pub use llm_gateway::Caller;
pub use retrieve::{Degraded, Retrieval, SearchResult};
pub use signals::Signals;
pub use stream::{Event, events};

type Gates = HashMap<(InstitutionId, CourseId, String), (String, Arc<Calibration>)>;
type Vectors = Arc<Vec<Vec<f32>>>;

/// The tutor over opened ports. Cheap to clone; clones share what was calibrated.
#[derive(Clone)]
pub struct Assistant {
    store: Store,
    scan: ExactScan,
    index: Arc<dyn VectorIndex>,
    models: models::Models,
    checker: Arc<dyn Checker>,
    gates: Arc<Mutex<Gates>>,
    negatives: Arc<Mutex<HashMap<String, Vectors>>>,
    answers: Option<Arc<cache::Answers>>,
}

impl Assistant {
    /// A tutor that scans the rows for vectors.
    #[must_use]
    pub fn new(store: Store, scan: ExactScan, gateway: Gateway) -> Self {
        let index = Arc::new(scan.clone());
        Self {
            store,
            scan,
            index,
            models: models::Models::new(gateway),
            checker: Arc::new(ByWords),
            gates: Arc::default(),
            negatives: Arc::default(),
            answers: Some(Arc::default()),
        }
    }

    /// The same with another index to propose the nearest passages.
    #[must_use]
    pub fn with_index(mut self, index: Arc<dyn VectorIndex>) -> Self {
        self.index = index;
        self
    }

    /// The same, asked by somebody: whose share and quota its model calls count in, and for what.
    #[must_use]
    pub fn by(&self, caller: Caller) -> Self {
        Self { models: self.models.by(caller), ..self.clone() }
    }

    /// The same with another guard between a model and a learner.
    #[must_use]
    pub fn with_checker(mut self, checker: Arc<dyn Checker>) -> Self {
        self.checker = checker;
        // What another guard let through is not this one's.
        self.answers = self.answers.map(|answers| Arc::new(answers.anew()));
        self
    }

    /// The same with an empty cache of answers of these bounds.
    #[must_use]
    pub fn with_cache(mut self, limits: cache::CacheLimits) -> Self {
        self.answers = Some(Arc::new(cache::Answers::new(limits)));
        self
    }

    /// The same without a cache: every answer is made afresh.
    #[must_use]
    pub fn without_cache(mut self) -> Self {
        self.answers = None;
        self
    }

    /// What became of look-ups in the cache of answers.
    #[must_use]
    pub fn cache_counters(&self) -> cache::CacheCounters {
        self.answers.as_ref().map(|answers| answers.counters()).unwrap_or_default()
    }

    /// Forgets the kept answers of a course: when something of it was erased.
    pub fn purge_course(&self, institution: InstitutionId, course: CourseId) {
        if let Some(answers) = &self.answers {
            answers.purge(institution, Some(course));
        }
    }

    /// Forgets the kept answers of an institution: when it, or somebody who asked there, was erased.
    pub fn purge_institution(&self, institution: InstitutionId) {
        if let Some(answers) = &self.answers {
            answers.purge(institution, None);
        }
    }
}
