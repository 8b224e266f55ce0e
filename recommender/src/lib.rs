//! What to learn next and why: signals from the log, mastery, review schedule, candidates, ranking.
//!
//! It reads through the store and the school and keeps nothing of its own: every figure is computed from rows
//! and the permanent log, so that there is no second truth to drift.

#![warn(missing_docs)]

pub mod graph;
pub mod map;
pub mod mastery;
pub mod rank;
pub mod review;
pub mod signal;

use std::sync::Arc;

use domain::policy::Actor;
use domain::recommendation::{Mastery, Prerequisite, Recommendations, Review};
use domain::{CourseId, Error, LessonId, UserId};
use moka::future::Cache;
use school::School;
use school::learning::View;
use store::Scope;
use store::sql::learning;
use store::vector::ExactScan;

use map::{CourseMap, Rows};
use review::Rating;
use signal::State;

/// Failures are the domain's closed kinds.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Courses that are kept in memory.
const COURSES: u64 = 64;

/// The recommender over one school. Cheap to clone.
#[derive(Clone)]
pub struct Recommender {
    school: School,
    scan: ExactScan,
    maps: Cache<Scope, (String, Arc<CourseMap>)>,
}

impl Recommender {
    /// A recommender over a school and the vectors of its courses.
    #[must_use]
    pub fn new(school: School, scan: ExactScan) -> Self {
        Self { school, scan, maps: Cache::new(COURSES) }
    }

    /// What a learner does best next, or, for those who teach, what their class needs.
    ///
    /// # Errors
    /// Refused by policy, or the rows cannot be read.
    pub async fn recommend(
        &self,
        actor: &Actor,
        course: CourseId,
        user: Option<UserId>,
        limit: usize,
    ) -> Result<Recommendations> {
        let learning = self.school.learning();
        let (user, items) = match learning.view(actor, course, user).await? {
            View::Person(learner) => {
                let map = self.map(learner.scope()).await?;
                let record = learning.record(learner).await?;
                let items = self.items(&map, learner.scope(), &State::of(&map, &record), record.now, limit).await?;
                (Some(learner.user()), items)
            }
            View::Guest(scope) => {
                let map = self.map(scope).await?;
                (None, self.items(&map, scope, &State::nobody(&map), 0, limit).await?)
            }
            View::Everybody(scope) => {
                let map = self.map(scope).await?;
                let states: Vec<State> =
                    learning.cohort(scope).await?.iter().map(|record| State::of(&map, record)).collect();
                (None, rank::of_class(&map, &states, limit))
            }
        };
        Ok(Recommendations { course, user, items })
    }

    async fn items(
        &self,
        map: &CourseMap,
        scope: Scope,
        state: &State,
        now: domain::Micros,
        limit: usize,
    ) -> Result<Vec<domain::recommendation::Item>> {
        let edits = self.school.learning().edits_within(scope).await?;
        let needs = graph::required(&settled(map, &edits));
        Ok(rank::recommend(map, state, &needs, now, limit))
    }

    /// How well a learner masters each concept of a course; the caller when nobody is named.
    ///
    /// # Errors
    /// Refused by policy, or the rows cannot be read.
    pub async fn mastery(&self, actor: &Actor, course: CourseId, user: Option<UserId>) -> Result<Vec<Mastery>> {
        let learning = self.school.learning();
        let learner = learning.learner(actor, course, user).await?;
        let map = self.map(learner.scope()).await?;
        Ok(State::of(&map, &learning.record(learner).await?).mastery(&map))
    }

    /// The caller's questions that are due for review, the longest due first, and the number of those that wait.
    ///
    /// # Errors
    /// Refused by policy, or the rows cannot be read.
    pub async fn due(&self, actor: &Actor) -> Result<(Vec<Review>, usize)> {
        let (deeds, now) = self.school.learning().answers(actor).await?;
        let all = signal::reviews(&deeds, now);
        let waiting = all.iter().filter(|review| review.due_at > now).count();
        Ok((all.into_iter().filter(|review| review.due_at <= now).collect(), waiting))
    }

    /// Records how well the caller remembered a question, and says when it is due again.
    ///
    /// # Errors
    /// Refused by policy; not found when the caller never answered it.
    pub async fn review(&self, actor: &Actor, question: &str, rating: Rating) -> Result<Review> {
        let learning = self.school.learning();
        learning.review(actor, question.to_owned(), rating as u64).await?;
        let (deeds, now) = learning.answers(actor).await?;
        let found = signal::reviews(&deeds, now).into_iter().find(|review| review.question == question);
        found.ok_or_else(|| Error::not_found("question", question))
    }

    /// What each lesson of a course needs, and who says so.
    ///
    /// # Errors
    /// Refused by policy, or the rows cannot be read.
    pub async fn prerequisites(&self, actor: &Actor, course: CourseId) -> Result<Vec<Prerequisite>> {
        let (scope, edits) = self.school.learning().edits(actor, course).await?;
        let map = self.map(scope).await?;
        Ok(settled(&map, &edits))
    }

    /// The course as the recommender sees it; kept while its rows stay as they are.
    ///
    /// # Errors
    /// The rows cannot be read.
    pub async fn map(&self, scope: Scope) -> Result<Arc<CourseMap>> {
        let store = self.school.store();
        let stamp = store.read(move |tx| Box::pin(async move { learning::stamp(tx, &scope).await })).await?;
        if let Some((known, map)) = self.maps.get(&scope).await
            && known == stamp
        {
            return Ok(map);
        }
        let rows = Rows::read(store, scope).await?;
        let vectors = match &rows.model {
            Some(model) => Some(self.scan.course_vectors(&scope, model).await?),
            None => None,
        };
        let map = Arc::new(rows.map(vectors.as_deref()));
        self.maps.insert(scope, (stamp, map.clone())).await;
        Ok(map)
    }
}

fn settled(map: &CourseMap, edits: &[learning::Edit]) -> Vec<Prerequisite> {
    let ids: Vec<LessonId> = map.places().iter().map(|place| place.id).collect();
    graph::settled(&ids, &map.suggestions(), edits)
}
