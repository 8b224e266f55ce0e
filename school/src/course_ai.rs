//! The AI switch of a course: off, and nothing of the course reaches a model.
//!
//! The answer is remembered for [`REMEMBERED`]; a switch bites within that time everywhere, and at once
//! in the process that set it.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use domain::policy::{Action, Actor};
use domain::{CourseId, Error, ErrorKind, InstitutionId};
use serde_json::json;
use store::sql::event::NewEvent;
use store::sql::{self};

use crate::unit::{announce, record};
use crate::{Result, School};

/// How long the state of a switch is remembered.
pub const REMEMBERED: Duration = Duration::from_secs(5);
/// The AI of the course is off.
pub const AI_OFF: &str = "COURSE_AI_OFF";
/// Most courses remembered.
const MOST: usize = 50_000;

/// Use cases of the AI switch.
pub struct CourseAis<'a> {
    pub(crate) school: &'a School,
}

impl CourseAis<'_> {
    /// Switches the AI of a course.
    ///
    /// # Errors
    /// Not found, or refused by policy.
    pub async fn set(&self, actor: &Actor, course: CourseId, enabled: bool) -> Result<()> {
        self.school
            .commit(actor, move |tx, actor| {
                Box::pin(async move {
                    let course = crate::course::editable(tx, actor, Action::CourseAi, course).await?;
                    if sql::course_ai::enabled(tx, course.institution_id, course.id).await? == enabled {
                        return Ok(());
                    }
                    sql::course_ai::set(tx, course.institution_id, course.id, enabled, actor.user_id).await?;
                    let event = NewEvent::new("course.ai_switched", course.institution_id, course.id).course(course.id);
                    announce(tx, actor, event.payload(json!({ "enabled": enabled }))).await?;
                    let subject = format!("course:{}", course.id);
                    record(tx, actor, course.institution_id, Action::CourseAi.as_str(), &subject).await
                })
            })
            .await?;
        self.school.inner.course_ai.forget(course);
        Ok(())
    }

    /// Whether the AI of a course is on, for those who see the course.
    ///
    /// # Errors
    /// Not found.
    pub async fn get(&self, actor: &Actor, course: CourseId) -> Result<bool> {
        let acting = actor.clone();
        self.school
            .read(move |tx| {
                Box::pin(async move {
                    let course = crate::course::visible(tx, &acting, course).await?;
                    sql::course_ai::enabled(tx, course.institution_id, course.id).await
                })
            })
            .await
    }

    /// Whether the AI of a course is on; asked before every use of a model. Remembered for at most [`REMEMBERED`].
    ///
    /// # Errors
    /// The store is gone.
    pub async fn enabled(&self, institution: InstitutionId, course: CourseId) -> Result<bool> {
        let memory = &self.school.inner.course_ai;
        if let Some(known) = memory.get(institution, course) {
            return Ok(known);
        }
        let begun = Instant::now();
        let read = self.school.read(move |tx| Box::pin(sql::course_ai::enabled(tx, institution, course)));
        let enabled = read.await?;
        memory.put(institution, course, enabled, begun + REMEMBERED);
        Ok(enabled)
    }

    /// [`Self::enabled`], refusing when it is off.
    ///
    /// # Errors
    /// Forbidden with [`AI_OFF`], or the store is gone.
    pub async fn check(&self, institution: InstitutionId, course: CourseId) -> Result<()> {
        if self.enabled(institution, course).await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Forbidden, "the AI of this course is switched off").with_code(AI_OFF))
    }
}

/// What the switches were when they were read last.
#[derive(Default)]
pub(crate) struct Memory {
    known: RwLock<HashMap<(InstitutionId, CourseId), (bool, Instant)>>,
}

impl Memory {
    fn get(&self, institution: InstitutionId, course: CourseId) -> Option<bool> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&(institution, course)).filter(|(_, until)| Instant::now() < *until).map(|(enabled, _)| *enabled)
    }

    fn put(&self, institution: InstitutionId, course: CourseId, enabled: bool, until: Instant) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert((institution, course), (enabled, until));
    }

    fn forget(&self, course: CourseId) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, each), _| *each != course);
    }
}
