//! From a completed item to the learner's progress: all lessons that show its pages are seen.

use std::collections::HashSet;

use domain::LessonId;
use domain::course::Course;
use domain::policy::Actor;
use domain::scorm::Completion;
use domain::scorm::attempt::Attempt;
use store::Tx;
use store::sql;

use super::launch::item_of;
use crate::enrollment::{Report, apply};

/// Marks the lessons of a completed item as seen to their end. A preview counts for nobody, and a
/// learner whose enrolment is over keeps what there is.
pub(super) async fn credit(tx: &mut Tx, actor: &Actor, attempt: &Attempt, course: &Course) -> store::Result<()> {
    if attempt.preview || attempt.api.standing().completion != Completion::Completed {
        return Ok(());
    }
    let institution = attempt.institution_id;
    let Some(mut enrollment) = sql::enrollment::of(tx, institution, attempt.user_id, course.id).await? else {
        return Ok(());
    };
    let Some(version) = sql::version::current(tx, institution, attempt.source_id).await? else { return Ok(()) };
    let seen = sql::enrollment::seen(tx, institution, enrollment.id).await?;
    let done: HashSet<LessonId> = seen.into_iter().filter(|one| one.completed).map(|one| one.lesson_id).collect();
    for page in sql::scorm::pages(tx, institution, version.id).await? {
        if page.hidden || done.contains(&page.lesson_id) || item_of(&page.extra) != attempt.item {
            continue;
        }
        let report = Report { lesson_id: page.lesson_id, position: Some(100.0), page: None, seconds_watched: None };
        enrollment = apply(tx, actor, enrollment, course, &report).await?;
    }
    Ok(())
}
