//! From what a learner reports to how far the learner is. The client never sends a percentage of the course.

use std::collections::HashMap;

use domain::course::Course;
use domain::enrollment::Enrollment;
use domain::policy::Actor;
use domain::{Error, ErrorKind, LessonId, LocatorKind, ModuleId};
use store::Tx;
use store::sql;
use store::sql::enrollment::Seen;
use store::sql::event::NewEvent;

use crate::unit::announce;

/// From here on a lesson counts as seen to its end; players rarely report the last moment.
const SEEN_FROM: f64 = 0.95;

/// What a learner did in one lesson: exactly one of the three measures.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Which lesson.
    pub lesson_id: LessonId,
    /// How far into the lesson, per cent.
    pub position: Option<f64>,
    /// Last page seen, from 1.
    pub page: Option<i64>,
    /// Seconds of the recording watched.
    pub seconds_watched: Option<f64>,
}

fn invalid(field: &str, code: &str, message: &str) -> Error {
    Error::invalid(field, code, message)
}

/// How far into the lesson, 0 to 1.
async fn position(tx: &mut Tx, enrollment: &Enrollment, report: &Report) -> store::Result<f64> {
    let given = [report.position.is_some(), report.page.is_some(), report.seconds_watched.is_some()];
    if given.into_iter().filter(|one| *one).count() != 1 {
        let message = "send exactly one of \"position\", \"page\" and \"secondsWatched\"";
        return Err(invalid("position", "INVALID_FORMAT", message).into());
    }
    if let Some(percent) = report.position {
        if !(0.0..=100.0).contains(&percent) {
            return Err(invalid("position", "OUT_OF_RANGE", "\"position\" is 0 to 100").into());
        }
        return Ok(percent / 100.0);
    }
    let (field, kind, value) = match (report.page, report.seconds_watched) {
        #[expect(clippy::cast_precision_loss, reason = "pages are few")]
        (Some(page), _) => ("page", LocatorKind::Page, page as f64),
        (None, seconds) => ("secondsWatched", LocatorKind::Time, seconds.unwrap_or_default() * 1000.0),
    };
    if !value.is_finite() || value < 0.0 {
        return Err(invalid(field, "OUT_OF_RANGE", &format!("\"{field}\" is not below 0")).into());
    }
    let passages = sql::lesson::passages(tx, enrollment.institution_id, report.lesson_id).await?;
    let end = passages.iter().filter(|passage| passage.locator.kind == kind).map(|passage| passage.locator.end).max();
    let Some(end) = end.filter(|end| *end > 0) else {
        return Err(invalid(field, "INVALID_FORMAT", &format!("this lesson is not measured by \"{field}\"")).into());
    };
    #[expect(clippy::cast_precision_loss, reason = "pages and milliseconds of one lesson fit 53 bits")]
    let part = value / end as f64;
    // The text of a recording may end before the recording does.
    let most = if kind == LocatorKind::Page { 1.0 } else { 2.0 };
    if part > most {
        return Err(invalid(field, "OUT_OF_RANGE", &format!("\"{field}\" is past the end of the lesson")).into());
    }
    Ok(part.min(1.0))
}

/// A report that adds less than this to a lesson waits for the next.
const LEAST_ADDED: f64 = 0.01;

/// As [`apply`], where the report adds to what is known of the lesson; one that does not changes nothing.
pub(crate) async fn raise(
    tx: &mut Tx,
    actor: &Actor,
    enrollment: Enrollment,
    course: &Course,
    report: &Report,
) -> store::Result<()> {
    let reached = position(tx, &enrollment, report).await?;
    let seen = sql::enrollment::seen(tx, enrollment.institution_id, enrollment.id).await?;
    let before = seen.iter().find(|one| one.lesson_id == report.lesson_id);
    let adds = match before {
        Some(before) if before.completed => false,
        Some(before) => {
            reached >= before.position + LEAST_ADDED || (reached >= SEEN_FROM && reached >= before.position)
        }
        None => true,
    };
    if adds {
        apply(tx, actor, enrollment, course, report).await?;
    }
    Ok(())
}

/// Records the report and raises the progress of the enrolment by what it adds.
pub(crate) async fn apply(
    tx: &mut Tx,
    actor: &Actor,
    mut enrollment: Enrollment,
    course: &Course,
    report: &Report,
) -> store::Result<Enrollment> {
    if !matches!(enrollment.status.as_str(), "enrolled" | "completed") {
        let message = format!("the enrolment is {}", enrollment.status);
        return Err(Error::new(ErrorKind::Conflict, message).into());
    }
    let (institution, id) = (enrollment.institution_id, enrollment.id);
    let lessons = sql::lesson::in_course(tx, institution, course.id, false).await?;
    let missing = || Error::not_found("lesson", report.lesson_id);
    let lesson = lessons.iter().find(|lesson| lesson.id == report.lesson_id).ok_or_else(missing)?;
    let reached = position(tx, &enrollment, report).await?;

    let mut seen: HashMap<LessonId, Seen> =
        sql::enrollment::seen(tx, institution, id).await?.into_iter().map(|one| (one.lesson_id, one)).collect();
    let before = seen.get(&lesson.id).cloned();
    if before.as_ref().is_some_and(|before| reached < before.position) {
        return Err(invalid("position", "DECREASING", "progress does not go back").into());
    }
    let module_begun = lessons.iter().any(|one| one.module_id == lesson.module_id && seen.contains_key(&one.id));
    let module_done_before = module_done(&lessons, &seen, lesson.module_id);
    let now = tx.now().await?;
    let completed = reached >= SEEN_FROM || before.is_some_and(|before| before.completed);
    let this = Seen { lesson_id: lesson.id, position: reached, completed };
    sql::enrollment::record_seen(tx, institution, id, &this, now).await?;
    seen.insert(lesson.id, this);

    let reached_of = |id: &LessonId| seen.get(id).map_or(0.0, |one| if one.completed { 1.0 } else { one.position });
    let sum: f64 = lessons.iter().map(|lesson| reached_of(&lesson.id)).sum();
    #[expect(clippy::cast_precision_loss, reason = "lessons of a course are few")]
    let percent = (100.0 * sum / lessons.len().max(1) as f64).clamp(0.0, 100.0);
    enrollment.progress = enrollment.progress.max(percent);
    let finished = lessons.iter().all(|lesson| seen.get(&lesson.id).is_some_and(|one| one.completed));
    let newly_finished = finished && enrollment.status != "completed";
    if newly_finished {
        enrollment.status = "completed".into();
        enrollment.progress = 100.0;
    }
    enrollment.updated_at = now;
    sql::enrollment::update(tx, &enrollment).await?;

    let module = serde_json::json!({ "enrollmentId": id, "moduleId": lesson.module_id });
    if !module_begun {
        announce(tx, actor, NewEvent::new("module.started", institution, id).course(course.id).payload(module.clone()))
            .await?;
    }
    if !module_done_before && module_done(&lessons, &seen, lesson.module_id) {
        announce(tx, actor, NewEvent::new("module.completed", institution, id).course(course.id).payload(module))
            .await?;
    }
    let event = NewEvent::new("enrollment.updated", institution, id).course(course.id);
    announce(tx, actor, event.payload(serde_json::json!({ "progress": enrollment.progress }))).await?;
    if newly_finished {
        let payload = serde_json::json!({
            "completion_percentage": 100,
            "time_spent_minutes": (now - enrollment.created_at) / 60_000_000,
            "certification_issued": false,
            "assessment_scores": [],
        });
        announce(tx, actor, NewEvent::new("course.completed", institution, id).course(course.id).payload(payload))
            .await?;
    }
    Ok(enrollment)
}

fn module_done(lessons: &[domain::course::Lesson], seen: &HashMap<LessonId, Seen>, module: ModuleId) -> bool {
    lessons
        .iter()
        .filter(|lesson| lesson.module_id == module)
        .all(|lesson| seen.get(&lesson.id).is_some_and(|one| one.completed))
}
